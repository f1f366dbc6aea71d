// SPDX-License-Identifier: MIT
// Keys of one map that differ in Python and arrive as the same: a date and its text, a
// member of an Enum and its value. Whoever read such a map would lose a part of it.
#include "codec_writer.h"

static int
refuse(const struct sp_encoder *encoder, const struct sp_place *map, PyObject *key)
{
    PyObject *path = sp_encoder_path(encoder, map);
    if (path != NULL) {
        PyErr_Format(PyExc_ValueError,
                     "two keys arrive as %.80R at %U; make them differ",
                     key,
                     path);
        Py_DECREF(path);
    }
    return -1;
}

// The key that begins there, as a reader will find it. NULL without an exception for
// lists, maps and tensors, which are not compared.
static PyObject *read_back(struct sp_encoder *encoder, size_t begin)
{
    const uint8_t *at = encoder->start + begin;
    if (sp_head_is_container(*at) || sp_head_is_extension(*at)) {
        return NULL;
    }
    struct sp_decoder decoder;
    sp_decoder_init(&decoder, encoder->codec);
    PyObject *key = sp_decode(&decoder, at, (size_t)(encoder->at - at), NULL);
    sp_decoder_fini(&decoder);
    return key;
}

int sp_keys_note(struct sp_encoder *encoder,
                 PyObject **seen,
                 size_t begin,
                 const struct sp_place *map)
{
    PyObject *key = read_back(encoder, begin);
    if (key == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    if (*seen == NULL) {
        *seen = PySet_New(NULL);
    }
    int known = *seen == NULL ? -1 : PySet_Contains(*seen, key);
    int result = known > 0   ? refuse(encoder, map, key)
                 : known < 0 ? -1
                             : PySet_Add(*seen, key);
    Py_DECREF(key);
    return result;
}

int sp_keys_check(const struct sp_encoder *encoder,
                  PyObject *seen,
                  PyObject *items,
                  const struct sp_place *map)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *key = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 0);
        int known = sp_key_stays(key) ? PySet_Contains(seen, key) : 0;
        if (known != 0) {
            return known > 0 ? refuse(encoder, map, key) : -1;
        }
    }
    return 0;
}

// Adds a key to those that were seen, or refuses one that was.
static int see(const struct sp_encoder *encoder,
               PyObject *seen,
               PyObject *key,
               const struct sp_place *map)
{
    if (!sp_key_stays(key)) {
        return 0;
    }
    int known = PySet_Contains(seen, key);
    if (known == 0) {
        return PySet_Add(seen, key);
    }
    return known > 0 ? refuse(encoder, map, key) : -1;
}

int sp_keys_differ(const struct sp_encoder *encoder,
                   PyObject *items,
                   const struct sp_place *map)
{
    PyObject *seen = PySet_New(NULL);
    int result = seen == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(items); i++) {
        result =
            see(encoder, seen, PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 0), map);
    }
    Py_XDECREF(seen);
    return result;
}
