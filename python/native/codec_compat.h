// SPDX-License-Identifier: MIT
// Newer names of the Python C API, for the older interpreters.
#ifndef NATIVE_CODEC_COMPAT_H
#define NATIVE_CODEC_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030A0000
static inline PyObject *Py_NewRef(PyObject *object)
{
    Py_INCREF(object);
    return object;
}
#endif

#if PY_VERSION_HEX < 0x030D0000
// The GIL is the lock.
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION()         }

static inline PyObject *PyList_GetItemRef(PyObject *list, Py_ssize_t index)
{
    if (index >= PyList_GET_SIZE(list)) {
        PyErr_SetString(PyExc_IndexError, "list index out of range");
        return NULL;
    }
    return Py_NewRef(PyList_GET_ITEM(list, index));
}
#endif

#endif
