// SPDX-License-Identifier: MIT
// Python takes arguments by position in half the time that it takes to match them by
// name. Where the names of a call are those of a tool's first parameters, in their
// order, one is the same as the other.
#ifndef NATIVE_FIT_H
#define NATIVE_FIT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

// What was found of a tool's last call. Zero-initialised: nothing.
struct sp_fit {
    PyObject *names;
    PyObject *code;
    bool in_order;
    uint8_t looks; // so many times other names came, or another code
};

// For that many tools; sp_fits_free() takes the same number. NULL: memory is exhausted.
struct sp_fit *sp_fits_new(uint32_t count);
void sp_fits_free(struct sp_fit *fits, uint32_t count);

// Whether a call of `function` may hand the arguments of these names over by position.
// Never fails.
bool sp_fit_in_order(struct sp_fit *fit, PyObject *function, PyObject *names);

#endif
