// SPDX-License-Identifier: MIT
// Python's own memory, which a test can have too little of.
#ifndef TESTS_NATIVE_PYTHON_MEMORY_H
#define TESTS_NATIVE_PYTHON_MEMORY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

// fail_python_at(n): the nth request of Python for memory fails, once; 0 switches this
// off. Returns whether the one asked for before has failed. With the GIL only.
PyObject *fail_python_at(PyObject *module, PyObject *args);

#endif
