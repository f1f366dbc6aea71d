// SPDX-License-Identifier: MIT
// Whether arguments may be handed over by position, without a worker around it.
#include "fit.h"

#define TOOLS 2u

static struct sp_fit *fits;

// in_order(tool, function, names)
static PyObject *in_order(PyObject *module, PyObject *arguments)
{
    unsigned int tool;
    PyObject *function;
    PyObject *names;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "IOO!", &tool, &function, &PyTuple_Type, &names)) {
        return NULL;
    }
    return PyBool_FromLong(sp_fit_in_order(&fits[tool % TOOLS], function, names));
}

static PyObject *reset(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    sp_fits_free(fits, TOOLS);
    fits = sp_fits_new(TOOLS);
    if (fits == NULL) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"in_order", in_order, METH_VARARGS, NULL},
    {"reset", reset, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_fit_test", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__fit_test(void);

PyMODINIT_FUNC PyInit__fit_test(void)
{
    PyObject *module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module != NULL) {
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
    }
#endif
    return module;
}
