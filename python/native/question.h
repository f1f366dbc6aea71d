// SPDX-License-Identifier: MIT
// A running call asks its host: see docs/decisions/0009.
#ifndef NATIVE_QUESTION_H
#define NATIVE_QUESTION_H

#include "state.h"

// Asks the host for its tool `name` (text of 1 to SP_TOOL_NAME_MAX bytes) with a dict
// of arguments, and waits, detached from the interpreter, for what that returns: a new
// reference. Meanwhile the thread may run other calls of the worker that the host's
// tool has made. The calling thread's executor, in the middle of a call.
//
// NULL with an exception: Cancelled (nobody wants the call's answer any more), what the
// runtime's `refusal` makes of an error of the host's or of the end of the call's time,
// what a signal handler raises, and what sp_encode() says of the arguments.
//
// `trace` is the traceparent, a text, of the span that asks; NULL: it says none.
PyObject *sp_question_ask(struct sp_executor *executor,
                          PyObject *name,
                          PyObject *arguments,
                          PyObject *trace);

#endif
