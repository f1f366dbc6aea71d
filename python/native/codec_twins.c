// SPDX-License-Identifier: MIT
// Keys of one map that differ on the wire and are equal in Python: 1, 1.0 and True, or
// the same key twice. A dict would keep the value of the last and nobody would know. A
// dict that is smaller than its map tells that there are such keys; only then they are
// looked for, and the place is put together while the containers around are left.
#include "codec_reader.h"

#include "codec_compat.h"

// Keeps what is said of two keys of which the second came later.
static int tell_two(struct sp_reader *reader, PyObject *first, PyObject *second)
{
    PyObject *repr = PyObject_Repr(first);
    PyObject *other = PyObject_Repr(second);
    if (repr != NULL && other != NULL) {
        reader->twins =
            PyUnicode_Compare(repr, other) == 0
                ? PyUnicode_FromFormat("two keys arrive as %.80U", repr)
                : PyUnicode_FromFormat(
                      "the keys %.80U and %.80U are equal in Python", repr, other);
    }
    Py_XDECREF(other);
    Py_XDECREF(repr);
    return -1;
}

// A key that was read again. -1: it is what was looked for, or reading failed.
static int look_at(PyObject *key, struct sp_reader *reader, PyObject *seen)
{
    PyObject *first = key == NULL ? NULL : PyDict_GetItemWithError(seen, key);
    int result = -1;
    if (first != NULL) {
        tell_two(reader, first, key);
    } else if (key != NULL && !PyErr_Occurred()) {
        result = PyDict_SetItem(seen, key, key);
    }
    Py_XDECREF(key);
    return result;
}

int sp_twins_refuse(struct sp_reader *reader,
                    const struct sp_map_start *map,
                    PyObject *(*next_key)(struct sp_reader *))
{
    struct sp_reader again = *reader;
    again.at = map->at;
    again.owed = map->owed;
    PyObject *seen = PyDict_New();
    int result = seen == NULL ? -1 : 0;
    for (size_t i = 0; result == 0 && i < map->pairs; i++) {
        result = look_at(next_key(&again), reader, seen);
    }
    Py_XDECREF(seen);
    reader->place = reader->twins == NULL ? NULL : PyUnicode_FromString("");
    if (!PyErr_Occurred()) {
        // Whoever leaves the containers around needs an exception; its text follows.
        PyErr_SetString(PyExc_ValueError, "two keys of a map are equal in Python");
    }
    return -1;
}

// The step that leads to a value.
static PyObject *step_of(PyObject *key, size_t index)
{
    return key != NULL ? PyUnicode_FromFormat("[%.80R]", key)
                       : PyUnicode_FromFormat("[%zu]", index);
}

void sp_twins_within(struct sp_reader *reader, PyObject *key, size_t index)
{
    if (reader->place == NULL) {
        return;
    }
    PyErr_Clear();
    PyObject *inner = reader->place;
    PyObject *step = step_of(key, index);
    reader->place = step == NULL ? NULL : PyUnicode_Concat(step, inner);
    Py_XDECREF(step);
    Py_DECREF(inner);
    if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "two keys of a map are equal in Python");
    }
}

void sp_twins_tell(struct sp_reader *reader, const char *root)
{
    if (reader->twins != NULL && reader->place != NULL) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError,
                     "%U at %s%U; make them differ",
                     reader->twins,
                     root,
                     reader->place);
    }
    Py_CLEAR(reader->place);
    Py_CLEAR(reader->twins);
}
