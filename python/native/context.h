// SPDX-License-Identifier: MIT
// The context (context variables, and with them decimal's and NumPy's settings) that
// user code runs in. Each call gets a new one, a copy of what the adapter's start has
// left, so that nothing leaks from call to call. Whatever the call does runs in it: its
// tool, all steps of its stream, and what encoding its result asks of user code.
#ifndef NATIVE_CONTEXT_H
#define NATIVE_CONTEXT_H

#include "state.h"

// Makes what the executor's calls get copies of. On its own thread. 0, or -1 with an
// exception.
int sp_context_init(struct sp_executor *executor);
void sp_context_fini(struct sp_executor *executor);

// Makes the next call's context ahead, when nobody waits for it.
void sp_context_prepare(struct sp_executor *executor);
// Begins a context, in which the bridge is told the trace of the request, if it has
// one: before the call can be cancelled. What it gives is for sp_context_leave(); NULL
// with an exception: MemoryError, or what the bridge's renewal raises. Contexts nest.
PyObject *sp_context_enter(struct sp_executor *executor,
                           const struct sp_slot_request *request);
// Ends it; NULL is fine. No exception is set, before or afterwards.
void sp_context_leave(PyObject *context);

#endif
