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

struct sp_module_state *sp_module_state(PyObject *module);
// NULL, with an exception, before attach().
struct sp_runtime *sp_module_runtime(PyObject *module);

// Methods by which the worker's main hands over what executors call, see settings.c.
extern PyMethodDef sp_settings_methods[];

#endif
