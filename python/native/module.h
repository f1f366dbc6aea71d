// SPDX-License-Identifier: MIT
// What the module keeps for each interpreter that has imported it.
#ifndef NATIVE_MODULE_H
#define NATIVE_MODULE_H

#include "state.h"

struct sp_module_state {
    struct sp_codec codec;
    PyTypeObject *call_type;
    struct sp_runtime *runtime; // NULL until attach()
    bool is_template;           // since attach_template(), until it was forked
};

static inline struct sp_module_state *sp_module_state(PyObject *module)
{
    return PyModule_GetState(module);
}

// NULL, with an exception, before attach().
static inline struct sp_runtime *sp_module_runtime(PyObject *module)
{
    struct sp_runtime *runtime = sp_module_state(module)->runtime;
    if (runtime == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "attach() comes first");
    }
    return runtime;
}

// Methods by which the worker's main hands over what executors call, see settings.c.
extern PyMethodDef sp_settings_methods[];

#endif
