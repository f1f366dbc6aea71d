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

// The same for the batch of the executor, which is of a tool that takes many calls at
// once: a new list with a result for each item whose arguments can be read, by `place`;
// or NULL with an exception, which is that of each.
PyObject *sp_invoke_batch(struct sp_executor *executor);
// What came of one item, once: a new reference, or NULL with an exception and `err`.
// `results` as sp_invoke_batch() has given them, or `failure`, the exception that it
// has set.
PyObject *sp_invoke_take_result(struct sp_executor *executor,
                                struct sp_batch_item *item,
                                PyObject *results,
                                PyObject *failure,
                                snakepit_err *err);

#endif
