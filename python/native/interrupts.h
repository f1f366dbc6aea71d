// SPDX-License-Identifier: MIT
// Ctrl-C, which reaches every process of a terminal's group. The host decides what
// ends, so a worker does not heed it; what its tools start does, as elsewhere.
#ifndef NATIVE_INTERRUPTS_H
#define NATIVE_INTERRUPTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

// Does nothing at a SIGINT from now on, in this process alone. Python's own handler
// stays in its place: `_thread.interrupt_main()` works, programs that are executed get
// the default, and forked children what Python does. Again, after a fork that the C
// library does not know of.
PyObject *sp_interrupts_leave_to_host(PyObject *module, PyObject *unused);

#endif
