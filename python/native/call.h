// SPDX-License-Identifier: MIT
// The Python type `Call`: what current_call() returns.
#ifndef NATIVE_CALL_H
#define NATIVE_CALL_H

#include "state.h"

// The type, added to the module as "Call". NULL with an exception.
PyTypeObject *sp_call_type_new(PyObject *module);
// The call that the calling thread's executor runs; None outside of one. New reference.
PyObject *sp_call_current(PyTypeObject *type);

#endif
