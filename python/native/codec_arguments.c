// SPDX-License-Identifier: MIT
// Arguments by name, as a vector call takes them. Names recur: a call like the last one
// of its tool gets the same tuple of names as that one, without an allocation. Names
// that recur are interned as well, so that Python matches them to parameters by
// address. Tuples replace one another and interning has a budget, so a stream of new
// names makes nothing grow.
#include "codec_reader.h"

#include "base/memory.h"
#include "codec_compat.h"

#define NAMES_HOT 2u // uses of a tuple before its names are interned

// ---- Names of arguments -------------------------------------------------------

// Where the tuple of a call is cached, whose first name comes next. NULL: such calls
// are not cached.
static struct sp_names *names_at(struct sp_reader *reader, size_t count)
{
    struct sp_short_text first = sp_reader_peek(reader);
    if (first.head == 0 || count == 0 || count > SP_ARGUMENTS_INLINE) {
        return NULL;
    }
    uint32_t hash = sp_name_hash(reader->at + first.head, first.size) + (uint32_t)count;
    return &reader->decoder->names[hash % SP_NAMES_CACHED];
}

static void names_replace(struct sp_names *names, PyObject *tuple)
{
    PyObject *old = names->tuple;
    names->tuple = tuple;
    names->uses = 0;
    Py_XDECREF(old);
}

// Counts a use. Tuples in use are never changed, so interning the names makes a new
// tuple.
static void names_used(struct sp_decoder *decoder, struct sp_names *names)
{
    if (names->uses >= NAMES_HOT) {
        return;
    }
    names->uses++;
    if (names->uses < NAMES_HOT) {
        return;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(names->tuple);
    PyObject *tuple = decoder->interned > SP_NAMES_INTERNED ? NULL : PyTuple_New(count);
    if (tuple == NULL) {
        PyErr_Clear(); // what is there serves as well
        return;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = Py_NewRef(PyTuple_GET_ITEM(names->tuple, i));
        PyUnicode_InternInPlace(&name);
        PyTuple_SET_ITEM(tuple, i, name);
    }
    decoder->interned += (uint32_t)count;
    names_replace(names, tuple);
    names->uses = NAMES_HOT;
}

// Steps over the next name if it is the expected one.
static bool skip_name(struct sp_reader *reader, PyObject *expected)
{
    struct sp_short_text text = sp_reader_peek(reader);
    if (text.head == 0 || !sp_name_is(expected, reader->at + text.head, text.size)) {
        return false;
    }
    reader->at += text.head + text.size;
    return true;
}

static PyObject *read_name(struct sp_reader *reader)
{
    PyObject *name = sp_read_key(reader);
    if (name != NULL && !PyUnicode_CheckExact(name)) {
        Py_DECREF(name);
        return sp_reader_malformed(reader, "the name of an argument is not text");
    }
    return name;
}

static bool all_cacheable(PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        if (!sp_name_cacheable(PyTuple_GET_ITEM(names, i))) {
            return false;
        }
    }
    return true;
}

static int refuse_name(PyObject *name)
{
    PyErr_Format(PyExc_ValueError,
                 "two arguments have the same name, %.80R; make them differ",
                 name);
    return -1;
}

// -1 with an exception if two names are alike.
static int check_distinct(PyObject *names)
{
    PyObject *set = PySet_New(NULL);
    int result = set == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        result = PySet_Add(set, name);
        if (result == 0 && PySet_GET_SIZE(set) == i) {
            result = refuse_name(name);
        }
    }
    Py_XDECREF(set);
    return result;
}

// ---- Arguments ----------------------------------------------------------------

// Reads the next value, of the argument `name`, into `out`.
static int
read_argument(struct sp_reader *reader, struct sp_arguments *out, PyObject *name)
{
    PyObject *value = sp_read_value(reader);
    if (value == NULL) {
        sp_twins_within(reader, name, 0);
        return -1;
    }
    out->values[out->count++] = value;
    return 0;
}

// Reads arguments for as long as their names are the expected ones.
static int
read_expected(struct sp_reader *reader, struct sp_arguments *out, PyObject *names)
{
    size_t total = (size_t)PyTuple_GET_SIZE(names);
    while (out->count < total) {
        PyObject *name = PyTuple_GET_ITEM(names, out->count);
        if (!skip_name(reader, name)) {
            return 0;
        }
        reader->owed -= 2;
        if (read_argument(reader, out, name) != 0) {
            return -1;
        }
    }
    return 0;
}

// Reads the rest of `total` arguments under names not known before; the first ones are
// `known`.
static int read_others(struct sp_reader *reader,
                       struct sp_arguments *out,
                       size_t total,
                       PyObject *known)
{
    out->names = PyTuple_New((Py_ssize_t)total);
    if (out->names == NULL) {
        return -1;
    }
    for (size_t i = 0; i < out->count; i++) {
        PyTuple_SET_ITEM(out->names, i, Py_NewRef(PyTuple_GET_ITEM(known, i)));
    }
    while (out->count < total) {
        reader->owed -= 2;
        PyObject *name = read_name(reader);
        if (name == NULL) {
            return -1;
        }
        PyTuple_SET_ITEM(out->names, out->count, name);
        if (read_argument(reader, out, name) != 0) {
            return -1;
        }
    }
    return check_distinct(out->names);
}

static int
read_arguments(struct sp_reader *reader, struct sp_arguments *out, size_t total)
{
    struct sp_names *recent = names_at(reader, total);
    PyObject *known = recent == NULL ? NULL : recent->tuple;
    if (known != NULL && (size_t)PyTuple_GET_SIZE(known) == total) {
        if (read_expected(reader, out, known) != 0) {
            return -1;
        }
        if (out->count == total) {
            out->names = Py_NewRef(known);
            names_used(reader->decoder, recent);
            return 0;
        }
    }
    if (read_others(reader, out, total, known) != 0) {
        return -1;
    }
    if (recent != NULL && all_cacheable(out->names)) {
        names_replace(recent, Py_NewRef(out->names));
    }
    return 0;
}

// Steps over the head of a map. -1 with an exception if none comes.
static int read_map_head(struct sp_reader *reader, size_t *pairs)
{
    const uint8_t *tag = sp_reader_take(reader, 1);
    if (tag == NULL) {
        return -1;
    }
    if ((*tag & 0xf0) == 0x80) {
        *pairs = *tag & 0x0f;
        return 0;
    }
    if (*tag != 0xde && *tag != 0xdf) {
        sp_reader_malformed(reader, "the arguments are not a map");
        return -1;
    }
    size_t field = *tag == 0xde ? 2 : 4;
    const uint8_t *at = sp_reader_take(reader, field);
    if (at == NULL) {
        return -1;
    }
    *pairs = sp_load(at, field);
    return 0;
}

static int read_body(struct sp_reader *reader, struct sp_arguments *out)
{
    size_t total;
    if (read_map_head(reader, &total) != 0 || sp_reader_enter(reader, 2 * total) != 0) {
        return -1;
    }
    if (total > SP_ARGUMENTS_INLINE) {
        PyObject **room = (PyObject **)sp_alloc_array(1 + total, sizeof(PyObject *));
        if (room == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        out->values = room + 1;
    }
    if (total > 0 && read_arguments(reader, out, total) != 0) {
        return -1;
    }
    return sp_reader_finish(reader);
}

int sp_decode_arguments(struct sp_decoder *decoder,
                        const uint8_t *bytes,
                        size_t size,
                        struct sp_lease *lease,
                        struct sp_arguments *out)
{
    out->values = out->room + 1;
    out->count = 0;
    out->names = NULL;
    if (size == 0) {
        return 0;
    }
    struct sp_reader reader = sp_reader_of(decoder, bytes, size, lease);
    if (read_body(&reader, out) != 0) {
        sp_arguments_fini(out);
        sp_twins_tell(&reader, "arguments");
        return -1;
    }
    return 0;
}

void sp_arguments_fini(struct sp_arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++) {
        Py_DECREF(arguments->values[i]);
    }
    Py_CLEAR(arguments->names);
    arguments->count = 0;
    if (arguments->values != arguments->room + 1) {
        sp_free((void *)(arguments->values - 1));
        arguments->values = arguments->room + 1;
    }
}

PyObject *sp_arguments_as_dict(const struct sp_arguments *arguments)
{
    PyObject *dict = PyDict_New();
    int result = dict == NULL ? -1 : 0;
    for (size_t i = 0; result == 0 && i < arguments->count; i++) {
        PyObject *name = PyTuple_GET_ITEM(arguments->names, i);
        result = PyDict_SetItem(dict, name, arguments->values[i]);
    }
    if (result != 0) {
        Py_XDECREF(dict);
        return NULL;
    }
    return dict;
}
