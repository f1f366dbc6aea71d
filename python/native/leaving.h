// SPDX-License-Identifier: MIT
// How a worker leaves. The first request to leave, a message or SIGTERM, lets the calls
// that run come to their end; no other one begins. The next SIGTERM interrupts them.
#ifndef NATIVE_LEAVING_H
#define NATIVE_LEAVING_H

#include "state.h"

// The host's message. Has the executors leave their loops, each after the call that it
// runs. Service thread.
void sp_leaving_begin(struct sp_runtime *runtime);
// Tells the host of signals that it could not be told of when they came. Service
// thread.
void sp_leaving_tell(struct sp_runtime *runtime);

// stop_at(number, exception): has a signal, which Python handles already, be a request
// to leave as well; what it interrupts raises `exception`. In a forked child it does
// what it does by default. Main thread, once.
PyObject *
sp_leaving_stop_at(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
// How often the worker was asked to leave.
PyObject *sp_leaving_requests(PyObject *module, PyObject *unused);
// Raises that exception in every executor that runs a call which can be interrupted.
// Again: in those that were not reached before. A thread that is not an executor.
PyObject *sp_leaving_interrupt(PyObject *module, PyObject *unused);

// Whether the exception that is set is the one that ends calls without an answer.
bool sp_leaving_has_interrupted(void);
// Runs the handlers of the signals that came, in the middle of a wait, or raises that
// exception where another thread runs them. 0, or -1 with an exception. Owner only.
int sp_leaving_run_handlers(struct sp_executor *executor);

#endif
