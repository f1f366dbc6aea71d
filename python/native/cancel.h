// SPDX-License-Identifier: MIT
// Exceptions for calls that run on other threads.
#ifndef NATIVE_CANCEL_H
#define NATIVE_CANCEL_H

#include "state.h"

// The host's message: has Cancelled raised in a call. Service thread.
void sp_cancel_queue(struct sp_runtime *runtime, const uint8_t *body, uint32_t size);

// Sets an exception of `type` on the executor's thread if it still runs the call, and
// the call is neither shielded nor interrupted yet. Attached to the interpreter.
bool sp_cancel_arm(struct sp_executor *executor, uint64_t call, PyObject *type);
// An executor that waits for a coroutine is deaf to exceptions: whoever runs the
// coroutine is told. Attached to the interpreter.
void sp_cancel_tell(struct sp_runtime *runtime, uint64_t call);

// Waits until the canceller, which is at the executor's call, has set its exception,
// and withdraws that. Owner only.
void sp_cancel_withdraw(struct sp_executor *executor);

// After this the canceller cannot reach the executor's call any more, and what it had
// sent is withdrawn, so that it never hits the next one. Owner only; twice is harmless.
static inline void sp_cancel_shield(struct sp_executor *executor)
{
    uint64_t mark = executor->current.call;
    if (!atomic_compare_exchange_strong(&executor->current.mark, &mark, 0) &&
        mark != 0) {
        sp_cancel_withdraw(executor);
    }
}

#endif
