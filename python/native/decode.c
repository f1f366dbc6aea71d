// SPDX-License-Identifier: MIT
// MessagePack straight into Python objects. The bytes are foreign: no count in them is
// believed before that many bytes are seen to follow, so what is allocated stays in
// proportion to them.
#include "codec_reader.h"

#include <endian.h>
#include <limits.h>

#include "codec_compat.h"
#include "payload/wire.h"

PyObject *sp_reader_malformed(const struct sp_reader *reader, const char *what)
{
    PyErr_Format(PyExc_ValueError,
                 "malformed MessagePack at byte %zu: %s",
                 (size_t)(reader->at - reader->start),
                 what);
    return NULL;
}

int sp_reader_enter(struct sp_reader *reader, size_t values)
{
    if (reader->depth == SP_DEPTH_MAX + reader->decoder->around) {
        sp_reader_malformed(reader, "containers are nested too deep");
        return -1;
    }
    if (!sp_reader_has(reader, reader->owed) ||
        !sp_reader_has(reader, reader->owed + values)) {
        sp_reader_malformed(reader, "a container announces more values than follow");
        return -1;
    }
    reader->owed += values;
    reader->depth++;
    return 0;
}

// ---- Numbers, text, bytes -----------------------------------------------------

static PyObject *read_unsigned(uint64_t value)
{
    return value <= LONG_MAX ? PyLong_FromLong((long)value)
                             : PyLong_FromUnsignedLongLong(value);
}

static PyObject *read_signed(uint64_t value, size_t bytes)
{
    unsigned int unused_bits = (64 - 8 * (unsigned int)bytes) % 64;
    return PyLong_FromLongLong((int64_t)(value << unused_bits) >> unused_bits);
}

static PyObject *read_float(uint64_t bits, size_t bytes)
{
    if (bytes == 4) {
        uint32_t bits32 = (uint32_t)bits;
        float value;
        memcpy(&value, &bits32, sizeof(value));
        return PyFloat_FromDouble((double)value);
    }
    double value;
    memcpy(&value, &bits, sizeof(value));
    return PyFloat_FromDouble(value);
}

static PyObject *read_text(struct sp_reader *reader, size_t size)
{
    const uint8_t *text = sp_reader_take(reader, size);
    if (text == NULL) {
        return NULL;
    }
    PyObject *value = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)size, NULL);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        reader->at = text;
        return sp_reader_malformed(reader, "text is not UTF-8");
    }
    return value;
}

static PyObject *read_bytes(struct sp_reader *reader, size_t size)
{
    const uint8_t *bytes = sp_reader_take(reader, size);
    if (bytes == NULL) {
        return NULL;
    }
    return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
}

// ---- Tensors ------------------------------------------------------------------

static uint64_t load_little(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

// Where a tensor's data lies.
struct place {
    uint32_t window; // 0: in the requests
    uint64_t offset;
};

// Sets all of `head` and the place. False: the fields contradict each other.
static bool parse_tensor(const uint8_t *ext,
                         size_t size,
                         struct sp_tensor_head *head,
                         struct place *place)
{
    static const uint8_t zeros[2];
    if (size < SP_TENSOR_HEAD || ext[1] > SNAKEPIT_MAX_RANK ||
        size != SP_TENSOR_HEAD + 8u * ext[1] || memcmp(ext + 2, zeros, 2) != 0) {
        return false;
    }
    head->dtype = sp_dtype_of_number(ext[0]);
    head->rank = ext[1];
    memcpy(&place->window, ext + 4, sizeof(place->window));
    place->window = le32toh(place->window);
    place->offset = load_little(ext + 8);
    for (int i = 0; i < head->rank; i++) {
        uint64_t extent = load_little(ext + SP_TENSOR_HEAD + 8 * (size_t)i);
        head->shape[i] = extent > (uint64_t)PY_SSIZE_T_MAX ? -1 : (Py_ssize_t)extent;
    }
    return place->window <= SP_WINDOWS_MAX && head->dtype != NULL &&
           sp_tensor_measure(head) == 0;
}

// As what the pool wants it.
static PyObject *make_tensor(struct sp_codec *codec,
                             const struct sp_tensor_head *head,
                             const uint8_t *data,
                             struct sp_lease *lease)
{
    bool copy =
        codec->tensors == SP_TENSORS_COPY || codec->tensors == SP_TENSORS_NUMPY_COPY;
    PyObject *tensor = copy ? sp_tensor_copy(codec, head, data)
                            : sp_tensor_view(codec, head, data, lease);
    if (tensor == NULL || codec->as_array == NULL) {
        return tensor;
    }
    PyObject *array = PyObject_CallOneArg(codec->as_array, tensor);
    Py_DECREF(tensor);
    return array;
}

static PyObject *read_tensor(struct sp_reader *reader, const uint8_t *ext, size_t size)
{
    struct sp_tensor_head head = {0};
    struct place place;
    struct sp_codec *codec = reader->decoder->codec;
    if (reader->lease == NULL || codec->runtime == NULL) {
        return sp_reader_malformed(reader, "a tensor where none can be");
    }
    if (!parse_tensor(ext, size, &head, &place)) {
        return sp_reader_malformed(reader, "a malformed tensor");
    }
    uint64_t limit;
    const uint8_t *memory = sp_runtime_memory(codec->runtime, place.window, &limit);
    if (memory == NULL) {
        PyErr_SetString(PyExc_MemoryError,
                        "the worker could not map the memory that a tensor lies in");
        return NULL;
    }
    if (place.offset > limit || head.bytes > limit - place.offset ||
        place.offset % SP_TENSOR_ALIGN != 0) {
        return sp_reader_malformed(reader, "a tensor outside of the requests");
    }
    if (head.bytes > 0 && reader->lease->number == SP_NO_LEASE) {
        return sp_reader_malformed(reader, "a tensor without a lease");
    }
    return make_tensor(codec, &head, memory + place.offset, reader->lease);
}

static PyObject *read_extension(struct sp_reader *reader, size_t size)
{
    const uint8_t *ext = sp_reader_take(reader, 1);
    if (ext == NULL) {
        return NULL;
    }
    if (*ext != SP_EXT_TENSOR) {
        return sp_reader_malformed(reader, "an extension of unknown type");
    }
    const uint8_t *data = sp_reader_take(reader, size);
    return data == NULL ? NULL : read_tensor(reader, data, size);
}

// ---- Keys ---------------------------------------------------------------------

// Text that came from the cache or goes there.
static PyObject *read_short_text(struct sp_reader *reader, struct sp_short_text text)
{
    const uint8_t *bytes = reader->at + text.head;
    PyObject **slot =
        &reader->decoder->keys[sp_name_hash(bytes, text.size) % SP_KEYS_CACHED];
    reader->at = bytes;
    if (*slot != NULL && sp_name_is(*slot, bytes, text.size)) {
        reader->at += text.size;
        return Py_NewRef(*slot);
    }
    PyObject *key = read_text(reader, text.size);
    if (key != NULL && sp_name_cacheable(key)) {
        PyObject *old = *slot;
        *slot = Py_NewRef(key);
        Py_XDECREF(old);
    }
    return key;
}

PyObject *sp_read_key(struct sp_reader *reader)
{
    struct sp_short_text text = sp_reader_peek(reader);
    if (text.head != 0) {
        return read_short_text(reader, text);
    }
    bool is_tensor = sp_reader_has(reader, 1) && sp_head_is_extension(*reader->at);
    PyObject *key = sp_read_value(reader);
    if (key != NULL &&
        (is_tensor || PyList_CheckExact(key) || PyDict_CheckExact(key))) {
        Py_DECREF(key);
        return sp_reader_malformed(reader, "a list, a map or a tensor as a key");
    }
    return key;
}

// ---- Containers ---------------------------------------------------------------

static int fill_list(struct sp_reader *reader, PyObject *list, size_t items)
{
    for (size_t i = 0; i < items; i++) {
        reader->owed--;
        PyObject *item = sp_read_value(reader);
        if (item == NULL) {
            sp_twins_within(reader, NULL, i);
            return -1;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return 0;
}

static PyObject *read_list(struct sp_reader *reader, size_t items)
{
    if (sp_reader_enter(reader, items) != 0) {
        return NULL;
    }
    PyObject *list = PyList_New((Py_ssize_t)items);
    if (list == NULL || fill_list(reader, list, items) != 0) {
        Py_XDECREF(list);
        return NULL;
    }
    reader->depth--;
    return list;
}

static int read_pair(struct sp_reader *reader, PyObject *dict)
{
    reader->owed -= 2;
    PyObject *key = sp_read_key(reader);
    if (key == NULL) {
        return -1;
    }
    PyObject *value = sp_read_value(reader);
    int result = -1;
    if (value == NULL) {
        sp_twins_within(reader, key, 0);
    } else {
        result = PyDict_SetItem(dict, key, value);
    }
    Py_XDECREF(value);
    Py_DECREF(key);
    return result;
}

// Reads a pair whose value nobody needs; its key.
static PyObject *read_key_of_pair(struct sp_reader *reader)
{
    reader->owed -= 2;
    PyObject *key = sp_read_key(reader);
    PyObject *value = key == NULL ? NULL : sp_read_value(reader);
    if (value == NULL) {
        Py_XDECREF(key);
        return NULL;
    }
    Py_DECREF(value);
    return key;
}

static PyObject *read_map(struct sp_reader *reader, size_t pairs)
{
    if (sp_reader_enter(reader, 2 * pairs) != 0) {
        return NULL;
    }
    const struct sp_map_start start = {reader->at, reader->owed, pairs};
    PyObject *dict = PyDict_New();
    int result = dict == NULL ? -1 : 0;
    for (size_t i = 0; result == 0 && i < pairs; i++) {
        result = read_pair(reader, dict);
    }
    if (result == 0 && (size_t)PyDict_GET_SIZE(dict) != pairs) {
        result = sp_twins_refuse(reader, &start, read_key_of_pair);
    }
    if (result != 0) {
        Py_XDECREF(dict);
        return NULL;
    }
    reader->depth--;
    return dict;
}

// ---- Values -------------------------------------------------------------------

enum kind {
    KIND_NONE = 0, // no byte of MessagePack
    KIND_NIL,
    KIND_FALSE,
    KIND_TRUE,
    KIND_UNSIGNED,
    KIND_SIGNED,
    KIND_FLOAT,
    KIND_TEXT,
    KIND_BYTES,
    KIND_LIST,
    KIND_MAP,
    KIND_EXTENSION, // its size follows
    KIND_FIXED,     // an extension of `field` bytes
};

// Bytes 0xc0 to 0xdf: what they begin, and how long the number behind them is.
static const struct {
    uint8_t kind;
    uint8_t field;
} tags[32] = {
    {KIND_NIL, 0},       {KIND_NONE, 0},      {KIND_FALSE, 0},    {KIND_TRUE, 0},
    {KIND_BYTES, 1},     {KIND_BYTES, 2},     {KIND_BYTES, 4},    {KIND_EXTENSION, 1},
    {KIND_EXTENSION, 2}, {KIND_EXTENSION, 4}, {KIND_FLOAT, 4},    {KIND_FLOAT, 8},
    {KIND_UNSIGNED, 1},  {KIND_UNSIGNED, 2},  {KIND_UNSIGNED, 4}, {KIND_UNSIGNED, 8},
    {KIND_SIGNED, 1},    {KIND_SIGNED, 2},    {KIND_SIGNED, 4},   {KIND_SIGNED, 8},
    {KIND_FIXED, 1},     {KIND_FIXED, 2},     {KIND_FIXED, 4},    {KIND_FIXED, 8},
    {KIND_FIXED, 16},    {KIND_TEXT, 1},      {KIND_TEXT, 2},     {KIND_TEXT, 4},
    {KIND_LIST, 2},      {KIND_LIST, 4},      {KIND_MAP, 2},      {KIND_MAP, 4},
};

static PyObject *read_numbered(struct sp_reader *reader, enum kind kind, size_t field)
{
    const uint8_t *at = sp_reader_take(reader, field);
    if (at == NULL) {
        return NULL;
    }
    uint64_t number = sp_load(at, field);
    switch (kind) {
    case KIND_UNSIGNED:
        return read_unsigned(number);
    case KIND_SIGNED:
        return read_signed(number, field);
    case KIND_FLOAT:
        return read_float(number, field);
    case KIND_TEXT:
        return read_text(reader, number);
    case KIND_BYTES:
        return read_bytes(reader, number);
    case KIND_LIST:
        return read_list(reader, number);
    case KIND_MAP:
        return read_map(reader, number);
    default:
        return read_extension(reader, number);
    }
}

static PyObject *read_tagged(struct sp_reader *reader, uint8_t tag)
{
    enum kind kind = (enum kind)tags[tag - 0xc0].kind;
    size_t field = tags[tag - 0xc0].field;
    switch (kind) {
    case KIND_NONE:
        reader->at--;
        return sp_reader_malformed(reader, "0xc1 begins no value");
    case KIND_NIL:
        Py_RETURN_NONE;
    case KIND_FALSE:
        Py_RETURN_FALSE;
    case KIND_TRUE:
        Py_RETURN_TRUE;
    case KIND_FIXED:
        return read_extension(reader, field);
    default:
        return read_numbered(reader, kind, field);
    }
}

PyObject *sp_read_value(struct sp_reader *reader)
{
    const uint8_t *at = sp_reader_take(reader, 1);
    if (at == NULL) {
        return NULL;
    }
    uint8_t tag = *at;
    if (tag < 0x80) {
        return PyLong_FromLong(tag);
    }
    if (tag >= 0xe0) {
        return PyLong_FromLong((int8_t)tag);
    }
    if (tag < 0x90) {
        return read_map(reader, tag & 0x0f);
    }
    if (tag < 0xa0) {
        return read_list(reader, tag & 0x0f);
    }
    if (tag < 0xc0) {
        return read_text(reader, tag & 0x1f);
    }
    return read_tagged(reader, tag);
}

int sp_reader_finish(const struct sp_reader *reader)
{
    if (reader->at != reader->end) {
        sp_reader_malformed(reader, "more bytes follow the value");
        return -1;
    }
    return 0;
}

PyObject *sp_decode(struct sp_decoder *decoder,
                    const uint8_t *bytes,
                    size_t size,
                    struct sp_lease *lease)
{
    struct sp_reader reader = sp_reader_of(decoder, bytes, size, lease);
    PyObject *value = sp_read_value(&reader);
    if (value == NULL || sp_reader_finish(&reader) != 0) {
        Py_XDECREF(value);
        sp_twins_tell(&reader, "result");
        return NULL;
    }
    return value;
}

// ---- Life ---------------------------------------------------------------------

void sp_decoder_init(struct sp_decoder *decoder, struct sp_codec *codec)
{
    *decoder = (struct sp_decoder){.codec = codec};
}

void sp_decoder_fini(struct sp_decoder *decoder)
{
    for (size_t i = 0; i < SP_KEYS_CACHED; i++) {
        Py_XDECREF(decoder->keys[i]);
    }
    for (size_t i = 0; i < SP_NAMES_CACHED; i++) {
        Py_XDECREF(decoder->names[i].tuple);
    }
    *decoder = (struct sp_decoder){0};
}
