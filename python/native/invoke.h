// SPDX-License-Identifier: MIT
#ifndef NATIVE_INVOKE_H
#define NATIVE_INVOKE_H

#include "state.h"

// What the tool of the executor's current call gives: a new reference, or NULL with an
// exception and `err`.
PyObject *sp_invoke_tool(struct sp_executor *executor,
                         const struct sp_slot_request *request,
                         struct sp_lease *lease,
                         snakepit_err *err);

#endif
