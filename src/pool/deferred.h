// SPDX-License-Identifier: MIT
// A question of a call that somebody else answers, later: of one that was submitted for
// a client, who alone has the tools that it asks for. Meanwhile the call is not
// reported, whatever becomes of it.
#ifndef POOL_DEFERRED_H
#define POOL_DEFERRED_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "ipc/layout.h"

struct sp_deferred_question;

// Receives a question, on the thread that drains the queue of its call. It is to be
// answered once, there or later, from any thread.
typedef void sp_call_asks_fn(void *user, struct sp_deferred_question *held);

// [name, arguments] or [name, arguments, traceparent], whole; and where its tensors
// lie. Until it is answered.
void sp_deferred_question_look(const struct sp_deferred_question *held,
                               struct sp_slice *body,
                               struct sp_slice *memory);
// Answers it, and frees it. RESULT: `writer` has what the tool has returned; FAULT: a
// map, see payload/wire.h; LEFT, where `writer` may be NULL.
void sp_deferred_question_answer(struct sp_deferred_question *held,
                                 enum sp_reply_kind kind,
                                 const snakepit_writer *writer);

#endif
