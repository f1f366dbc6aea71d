// SPDX-License-Identifier: MIT
// Python objects straight into MessagePack. Exact types are told by one comparison
// each; the rest goes by what an object is a kind of, and what remains is refused with
// its place.
//
// User code holds the same objects and may change them while they are read, from
// another thread or from a method called here. So every item is owned while it is
// written, and a container that has another size at its end than at its start fails the
// answer, for its count is written first.
#include "codec_writer.h"

#include "codec_compat.h"
#include "numpy_array.h"
#include "payload/wire.h"

#define REPLACED "replace them: text.encode('utf-8', 'replace').decode()"

static int
write_value(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place);

// ---- Numbers ------------------------------------------------------------------

static int write_unsigned(struct sp_encoder *encoder, uint64_t number)
{
    if (number < 0x80) {
        return sp_encoder_byte(encoder, (uint8_t)number);
    }
    if (number <= UINT8_MAX) {
        return sp_encoder_tag(encoder, 0xcc, number, 1);
    }
    if (number <= UINT16_MAX) {
        return sp_encoder_tag(encoder, 0xcd, number, 2);
    }
    if (number <= UINT32_MAX) {
        return sp_encoder_tag(encoder, 0xce, number, 4);
    }
    return sp_encoder_tag(encoder, 0xcf, number, 8);
}

static int write_signed(struct sp_encoder *encoder, int64_t number)
{
    if (number >= 0) {
        return write_unsigned(encoder, (uint64_t)number);
    }
    if (number >= -32) {
        return sp_encoder_byte(encoder, (uint8_t)number);
    }
    if (number >= INT8_MIN) {
        return sp_encoder_tag(encoder, 0xd0, (uint64_t)number, 1);
    }
    if (number >= INT16_MIN) {
        return sp_encoder_tag(encoder, 0xd1, (uint64_t)number, 2);
    }
    if (number >= INT32_MIN) {
        return sp_encoder_tag(encoder, 0xd2, (uint64_t)number, 4);
    }
    return sp_encoder_tag(encoder, 0xd3, (uint64_t)number, 8);
}

static int write_large_int(struct sp_encoder *encoder,
                           PyObject *value,
                           const struct sp_place *place)
{
    static const struct sp_refusal too_large = {
        &PyExc_OverflowError, "an integer beyond 64 bits", SP_ADVICE("it as text")};
    unsigned long long number = PyLong_AsUnsignedLongLong(value);
    if (number == (unsigned long long)-1 && PyErr_Occurred()) {
        return sp_encoder_refuse(encoder, value, place, &too_large);
    }
    return write_unsigned(encoder, number);
}

static int
write_int(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (PyUnstable_Long_IsCompact((PyLongObject *)value)) {
        return write_signed(encoder,
                            PyUnstable_Long_CompactValue((PyLongObject *)value));
    }
#endif
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0 ? write_signed(encoder, number)
                         : write_large_int(encoder, value, place);
}

static int write_float(struct sp_encoder *encoder, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return sp_encoder_tag(encoder, 0xcb, bits, 8);
}

// ---- Text and bytes -----------------------------------------------------------

static int write_bytes(struct sp_encoder *encoder, PyObject *value)
{
    size_t size = (size_t)PyBytes_GET_SIZE(value);
    uint8_t *at = sp_encoder_bin(encoder, size);
    if (at == NULL) {
        return -1;
    }
    sp_copy(at, PyBytes_AS_STRING(value), size);
    return 0;
}

// Text that is not ASCII. Its UTF-8 is not left in the object, which others may share.
static int write_other_text(struct sp_encoder *encoder,
                            PyObject *value,
                            const struct sp_place *place)
{
    static const struct sp_refusal no_unicode = {
        &PyExc_ValueError,
        "text with lone surrogates",
        {
            [SP_FOR_RESULT] = "return bytes, or " REPLACED,
            [SP_FOR_ARGUMENTS] = "pass bytes, or " REPLACED,
            [SP_FOR_SESSION] = "pass bytes, or " REPLACED,
            [SP_FOR_EVENT] = REPLACED,
        }};
    PyObject *utf8 = PyUnicode_AsUTF8String(value);
    if (utf8 == NULL) {
        return PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)
                   ? sp_encoder_refuse(encoder, value, place, &no_unicode)
                   : -1;
    }
    int result = sp_encoder_text(
        encoder, PyBytes_AS_STRING(utf8), (size_t)PyBytes_GET_SIZE(utf8));
    Py_DECREF(utf8);
    return result;
}

static int
write_text(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place)
{
    if (!PyUnicode_IS_COMPACT_ASCII(value)) {
        return write_other_text(encoder, value, place);
    }
    size_t size = (size_t)PyUnicode_GET_LENGTH(value);
    uint8_t *at = sp_encoder_text_head(encoder, size);
    if (at == NULL) {
        return -1;
    }
    sp_copy(at, PyUnicode_1BYTE_DATA(value), size);
    return 0;
}

// ---- Containers ---------------------------------------------------------------

static int
write_list(struct sp_encoder *encoder, PyObject *list, const struct sp_place *outer)
{
    struct sp_place place = {.outer = outer};
    Py_ssize_t size = PyList_GET_SIZE(list);
    if (sp_encoder_open_list(encoder, size, outer) != 0) {
        return -1;
    }
    for (; place.index < size; place.index++) {
        PyObject *item = PyList_GetItemRef(list, place.index);
        if (item == NULL) {
            return sp_encoder_changed(encoder, outer);
        }
        int result = write_value(encoder, item, &place);
        Py_DECREF(item);
        if (result != 0) {
            return -1;
        }
    }
    encoder->depth--;
    return PyList_GET_SIZE(list) == size ? 0 : sp_encoder_changed(encoder, outer);
}

static int
write_tuple(struct sp_encoder *encoder, PyObject *tuple, const struct sp_place *outer)
{
    struct sp_place place = {.outer = outer};
    Py_ssize_t size = PyTuple_GET_SIZE(tuple);
    if (sp_encoder_open_list(encoder, size, outer) != 0) {
        return -1;
    }
    for (; place.index < size; place.index++) {
        if (write_value(encoder, PyTuple_GET_ITEM(tuple, place.index), &place) != 0) {
            return -1;
        }
    }
    encoder->depth--;
    return 0;
}

static int write_key(struct sp_encoder *encoder,
                     PyObject *key,
                     const struct sp_place *outer,
                     PyObject **seen)
{
    static const struct sp_refusal no_key = {
        &PyExc_TypeError,
        NULL,
        {"keys are texts, numbers, booleans, None or bytes; a list of pairs can have "
         "others"}};
    struct sp_place place = {.outer = outer, .index = -1};
    size_t begin = (size_t)(encoder->at - encoder->start);
    if (write_value(encoder, key, &place) != 0) {
        return -1;
    }
    if (encoder->strict && sp_head_is_container(encoder->start[begin])) {
        return sp_encoder_refuse(encoder, key, &place, &no_key);
    }
    return sp_key_stays(key) ? 0 : sp_keys_note(encoder, seen, begin, outer);
}

// A key as nearly all are, a short name. False: nothing was written.
static inline bool write_name(struct sp_encoder *encoder, PyObject *key)
{
    if (!PyUnicode_CheckExact(key) || !PyUnicode_IS_COMPACT_ASCII(key)) {
        return false;
    }
    size_t size = (size_t)PyUnicode_GET_LENGTH(key);
    if (size >= 32 || (size_t)(encoder->end - encoder->at) <= size) {
        return false;
    }
    encoder->at[0] = (uint8_t)(0xa0 | size);
    sp_bytes_copy(encoder->at + 1, PyUnicode_1BYTE_DATA(key), size);
    encoder->at += 1 + size;
    return true;
}

// `seen`: of the map's keys, for sp_keys_note().
static int write_pair(struct sp_encoder *encoder,
                      PyObject *key,
                      PyObject *value,
                      const struct sp_place *outer,
                      PyObject **seen)
{
    struct sp_place place = {.outer = outer, .key = key};
    if (!write_name(encoder, key) && write_key(encoder, key, outer, seen) != 0) {
        return -1;
    }
    return write_value(encoder, value, &place);
}

// The dict is locked whenever this thread is attached, so PyDict_Next() sees it whole;
// but each item may let others at it.
static int write_pairs(struct sp_encoder *encoder,
                       PyObject *dict,
                       const struct sp_place *outer,
                       PyObject **seen)
{
    Py_ssize_t size = PyDict_GET_SIZE(dict);
    Py_ssize_t position = 0;
    Py_ssize_t written = 0;
    PyObject *key;
    PyObject *value;
    if (sp_encoder_open_map(encoder, size, outer) != 0) {
        return -1;
    }
    while (written <= size && PyDict_Next(dict, &position, &key, &value)) {
        Py_INCREF(key);
        Py_INCREF(value);
        int result = written == size ? 0 : write_pair(encoder, key, value, outer, seen);
        Py_DECREF(key);
        Py_DECREF(value);
        if (result != 0) {
            return -1;
        }
        written++;
    }
    encoder->depth--;
    return written == size ? 0 : sp_encoder_changed(encoder, outer);
}

// Ends a map whose keys were `seen`, which it takes, as it takes its items. `result` is
// what became of writing it.
static int check_keys(const struct sp_encoder *encoder,
                      PyObject *seen,
                      PyObject *items,
                      const struct sp_place *outer,
                      int result)
{
    if (result == 0) {
        result = items == NULL ? -1 : sp_keys_check(encoder, seen, items, outer);
    }
    Py_XDECREF(items);
    Py_DECREF(seen);
    return result;
}

static int
write_dict(struct sp_encoder *encoder, PyObject *dict, const struct sp_place *outer)
{
    PyObject *seen = NULL;
    int result;
    Py_BEGIN_CRITICAL_SECTION(dict);
    result = write_pairs(encoder, dict, outer, &seen);
    Py_END_CRITICAL_SECTION();
    return seen == NULL ? result
                        : check_keys(encoder, seen, PyDict_Items(dict), outer, result);
}

static int write_listed(struct sp_encoder *encoder,
                        PyObject *pairs,
                        const struct sp_place *outer,
                        PyObject **seen)
{
    Py_ssize_t size = PyList_GET_SIZE(pairs);
    int result = sp_encoder_open_map(encoder, size, outer);
    for (Py_ssize_t i = 0; result == 0 && i < size; i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        bool is_pair = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2;
        result =
            !is_pair
                ? sp_encoder_fail(
                      encoder, outer, PyExc_TypeError, "items() that are not pairs")
                : write_pair(encoder,
                             PyTuple_GET_ITEM(pair, 0),
                             PyTuple_GET_ITEM(pair, 1),
                             outer,
                             seen);
    }
    encoder->depth--;
    return result;
}

int sp_encoder_pairs(struct sp_encoder *encoder,
                     PyObject *pairs,
                     bool distinct,
                     const struct sp_place *place)
{
    PyObject *seen = NULL;
    if (pairs == NULL) {
        return -1;
    }
    int result = write_listed(encoder, pairs, place, &seen);
    if (result == 0 && !distinct) {
        result = sp_keys_differ(encoder, pairs, place);
    }
    if (seen != NULL) {
        return check_keys(encoder, seen, pairs, place, result);
    }
    Py_DECREF(pairs);
    return result;
}

// ---- NumPy's scalars ----------------------------------------------------------

// numpy.generic, if user code has imported NumPy; or NULL, with an exception only where
// memory is exhausted. Borrowed.
static PyObject *numpy_generic(struct sp_encoder *encoder)
{
    if (encoder->numpy_generic != NULL) {
        return encoder->numpy_generic;
    }
    PyObject *numpy = PyImport_GetModule(encoder->codec->texts[SP_TEXT_NUMPY]);
    PyObject *generic =
        numpy == NULL ? NULL
                      : PyObject_GetAttr(numpy, encoder->codec->texts[SP_TEXT_GENERIC]);
    Py_XDECREF(numpy);
    if (generic != NULL && PyType_Check(generic)) {
        encoder->numpy_generic = generic;
        return generic;
    }
    if (generic == NULL) {
        (void)sp_forgive(); // still being imported: next time
    }
    Py_XDECREF(generic);
    return NULL;
}

// -1 with an exception.
static int is_numpy_scalar(struct sp_encoder *encoder, PyObject *value)
{
    PyObject *generic = numpy_generic(encoder);
    if (generic == NULL) {
        return PyErr_Occurred() != NULL ? -1 : 0;
    }
    return PyType_IsSubtype(Py_TYPE(value), (PyTypeObject *)generic);
}

// The letter that NumPy's dtype has for a kind of number: 'b', 'i', 'u', 'f', 'c'; 0:
// none known, with an exception where memory is exhausted.
static Py_UCS4 numpy_kind(struct sp_encoder *encoder, PyObject *value)
{
    PyObject *dtype = PyObject_GetAttr(value, encoder->codec->texts[SP_TEXT_DTYPE]);
    PyObject *kind = dtype == NULL
                         ? NULL
                         : PyObject_GetAttr(dtype, encoder->codec->texts[SP_TEXT_KIND]);
    Py_UCS4 letter = 0;
    if (kind != NULL && PyUnicode_Check(kind) && PyUnicode_GetLength(kind) == 1) {
        letter = PyUnicode_ReadChar(kind, 0);
    }
    Py_XDECREF(kind);
    Py_XDECREF(dtype);
    if (kind == NULL) {
        (void)sp_forgive();
    }
    return letter;
}

// Writes what a conversion gave, which it takes.
static int write_converted(struct sp_encoder *encoder,
                           PyObject *number,
                           const struct sp_place *place)
{
    if (number == NULL) {
        return -1;
    }
    int result = PyFloat_Check(number) ? write_float(encoder, PyFloat_AS_DOUBLE(number))
                                       : write_int(encoder, number, place);
    Py_DECREF(number);
    return result;
}

static int write_numpy_scalar(struct sp_encoder *encoder,
                              PyObject *value,
                              const struct sp_place *place)
{
    int truth;
    switch (numpy_kind(encoder, value)) {
    case 'b':
        truth = PyObject_IsTrue(value);
        return truth < 0 ? -1 : sp_encoder_byte(encoder, truth ? 0xc3 : 0xc2);
    case 'i':
    case 'u':
        return write_converted(encoder, PyNumber_Index(value), place);
    case 'f':
        return write_converted(encoder, PyNumber_Float(value), place);
    case 'c': // MessagePack has no complex numbers, tensors have
        return sp_encoder_buffer(encoder, value, place);
    default:
        return sp_encoder_refuse(encoder, value, place, &sp_no_plain_value);
    }
}

// ---- Values -------------------------------------------------------------------

// Subclasses, by what they are a kind of, then arrays, then what crosses as something
// simpler.
static int
write_by_kind(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place)
{
    if (PyUnicode_Check(value)) {
        return write_text(encoder, value, place);
    }
    if (PyLong_Check(value)) {
        return write_int(encoder, value, place);
    }
    if (PyFloat_Check(value)) {
        return write_float(encoder, PyFloat_AS_DOUBLE(value));
    }
    if (PyDict_Check(value)) {
        // It may have an order of its own (OrderedDict), which only its items() knows.
        return sp_encoder_pairs(encoder, PyMapping_Items(value), true, place);
    }
    if (PyList_Check(value)) {
        return write_list(encoder, value, place);
    }
    if (PyTuple_Check(value)) {
        return write_tuple(encoder, value, place);
    }
    if (PyBytes_Check(value)) {
        return write_bytes(encoder, value);
    }
    int scalar = is_numpy_scalar(encoder, value);
    if (scalar != 0) {
        return scalar < 0 ? -1 : write_numpy_scalar(encoder, value, place);
    }
    return PyObject_CheckBuffer(value) ? sp_encoder_buffer(encoder, value, place)
                                       : sp_encoder_kind(encoder, value, place);
}

static int
write_value(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place)
{
    const PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        return write_text(encoder, value, place);
    }
    if (type == &PyLong_Type) {
        return write_int(encoder, value, place);
    }
    if (type == &PyFloat_Type) {
        return write_float(encoder, PyFloat_AS_DOUBLE(value));
    }
    if (type == &PyBool_Type) {
        return sp_encoder_byte(encoder, value == Py_True ? 0xc3 : 0xc2);
    }
    if (value == Py_None) {
        return sp_encoder_byte(encoder, 0xc0);
    }
    if (type == &PyDict_Type) {
        return write_dict(encoder, value, place);
    }
    if (type == &PyList_Type) {
        return write_list(encoder, value, place);
    }
    if (type == &PyTuple_Type) {
        return write_tuple(encoder, value, place);
    }
    if (type == &PyBytes_Type) {
        return write_bytes(encoder, value);
    }
    if (type == encoder->codec->tensor_type) {
        return sp_encoder_tensor(encoder, (struct sp_tensor *)value, place);
    }
    if (sp_numpy_is_array(sp_codec_numpy(encoder->codec), type)) {
        return sp_encoder_buffer(encoder, value, place);
    }
    return write_by_kind(encoder, value, place);
}

int sp_encoder_value(struct sp_encoder *encoder,
                     PyObject *value,
                     const struct sp_place *place)
{
    return write_value(encoder, value, place);
}

int sp_encode(struct sp_encoder *encoder, PyObject *value)
{
    encoder->depth = 0;
    if (write_value(encoder, value, NULL) != 0) {
        sp_encoder_end(encoder);
        return -1;
    }
    return 0;
}
