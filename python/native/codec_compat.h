// SPDX-License-Identifier: MIT
// Newer names of the Python C API for the older interpreters, and what differs among
// them.
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

// ---- Looks that may fail -------------------------------------------------------

// Forgets why a look has failed, which is an answer, too. -1: memory is exhausted,
// which stays the exception, for that says nothing of what was looked at.
static inline int sp_forgive(void)
{
    if (PyErr_Occurred() == NULL) {
        return 0;
    }
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

// ---- Types that only C makes instances of --------------------------------------

#if PY_VERSION_HEX >= 0x030A0000
#define SP_TYPE_FLAGS \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE)
#else
#define SP_TYPE_FLAGS Py_TPFLAGS_DEFAULT
#endif

// A new type of `module`, also under its name in there; its spec has SP_TYPE_FLAGS.
// NULL with an exception.
static inline PyTypeObject *sp_type_new(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030A0000
    type->tp_new = NULL;
#endif
    if (PyModule_AddType(module, type) != 0) {
        Py_DECREF(type);
        return NULL;
    }
    return type;
}

#endif
