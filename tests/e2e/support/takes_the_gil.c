// SPDX-License-Identifier: MIT
// An extension of the kind that switches the GIL of a free-threaded interpreter back
// on: it is initialised in one phase and does not say that it can do without.
#include <Python.h>

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "takes_the_gil", .m_size = -1};

PyMODINIT_FUNC PyInit_takes_the_gil(void)
{
    return PyModule_Create(&definition);
}
