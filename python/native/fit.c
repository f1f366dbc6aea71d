// SPDX-License-Identifier: MIT
// Names are compared by address: those of parameters are interned, and so are those of
// arguments once they have recurred.
#include "fit.h"

#include "codec_compat.h"

// A tool whose calls differ in their names again and again is not looked at any more.
#define LOOKS_MOST 64u

static void clear(struct sp_fit *fit)
{
    Py_CLEAR(fit->names);
    Py_CLEAR(fit->code);
    fit->in_order = false;
}

struct sp_fit *sp_fits_new(uint32_t count)
{
    return PyMem_Calloc(count, sizeof(struct sp_fit));
}

void sp_fits_free(struct sp_fit *fits, uint32_t count)
{
    for (uint32_t i = 0; fits != NULL && i < count; i++) {
        clear(&fits[i]);
    }
    PyMem_Free(fits);
}

// The code of a function that Python alone has made, and how many of its parameters it
// gets from a method; NULL: it is something else.
static PyObject *code_of(PyObject *function, Py_ssize_t *bound)
{
    *bound = 0;
    if (PyMethod_Check(function)) {
        *bound = 1;
        function = PyMethod_GET_FUNCTION(function);
    }
    return PyFunction_Check(function) ? PyFunction_GET_CODE(function) : NULL;
}

static bool are_in_order(PyObject *code, Py_ssize_t bound, PyObject *names)
{
    const PyCodeObject *facts = (const PyCodeObject *)code;
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    if (facts->co_argcount - bound < count || facts->co_posonlyargcount > bound) {
        return false;
    }
    PyObject *parameters = PyObject_GetAttrString(code, "co_varnames");
    if (parameters == NULL) {
        PyErr_Clear();
        return false;
    }
    bool same =
        PyTuple_Check(parameters) && PyTuple_GET_SIZE(parameters) >= bound + count;
    for (Py_ssize_t i = 0; same && i < count; i++) {
        same = PyTuple_GET_ITEM(names, i) == PyTuple_GET_ITEM(parameters, bound + i);
    }
    Py_DECREF(parameters);
    return same;
}

static void look(struct sp_fit *fit, PyObject *code, Py_ssize_t bound, PyObject *names)
{
    clear(fit);
    fit->looks++;
    fit->names = Py_NewRef(names);
    fit->code = Py_NewRef(code);
    fit->in_order = are_in_order(code, bound, names);
}

bool sp_fit_in_order(struct sp_fit *fit, PyObject *function, PyObject *names)
{
    Py_ssize_t bound;
    PyObject *code = code_of(function, &bound);
    if (code == NULL || names == NULL) {
        return false;
    }
    if (fit->names != names || fit->code != code) {
        if (fit->looks == LOOKS_MOST) {
            return false;
        }
        look(fit, code, bound, names);
    }
    return fit->in_order;
}
