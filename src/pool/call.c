// SPDX-License-Identifier: MIT
// Calls are made once and used again; only a failure and a large result cost memory.
#include "pool/call.h"

#include <string.h>

#include "base/check.h"
#include "base/fork.h"
#include "base/memory.h"
#include "payload/writer.h"
#include "pool/lane.h"
#include "pool/orphan.h"

#define KEPT_BYTES 65536u // a buffer larger than this does not survive its call

struct sp_call *sp_call_new(struct sp_pool *pool)
{
    struct sp_call *call = sp_alloc(sizeof *call);
    if (call != NULL) {
        call->magic = SP_CALL_MAGIC;
        call->process = sp_fork_here();
        call->pool = pool;
        call->placement.lease = SP_NO_LEASE;
        call->result_lease = SP_NO_LEASE;
        call->executor = SP_EXECUTOR_NONE;
    }
    return call;
}

void sp_call_free(struct sp_call *call)
{
    if (call != NULL) {
        sp_buf_fini(&call->large);
        sp_buf_fini(&call->json);
        sp_buf_fini(&call->texts);
        sp_buf_fini(&call->inquiry.body);
        snakepit_writer_free(call->inquiry.reply);
        sp_orphan_unref(call->orphan);
        sp_free(call->trace);
        call->magic = 0;
        sp_free(call);
    }
}

struct sp_call *sp_call_failed(const struct sp_failure *failure)
{
    struct sp_call *call = sp_call_new(NULL);
    if (call != NULL) {
        sp_call_set_failure(call, failure);
        call->phase = SP_CALL_ENDED;
    }
    return call;
}

void sp_call_describe(const struct sp_call *call, struct sp_slot_request *request)
{
    const struct sp_parcel *parcel = call->parcel;
    *request = (struct sp_slot_request){
        .call = call->id,
        .name = parcel->block,
        .name_size = (uint16_t)parcel->name_size,
        .priority = (uint8_t)call->priority,
        .idempotent = call->idempotent ? 1 : 0,
        .session_size = (uint16_t)parcel->session_size,
        .trace_size = (uint16_t)parcel->trace_size,
        .body = parcel->body,
        .body_size = parcel->body_size,
        .lease = call->placement.lease,
        .deadline = call->deadline,
        .kind = call->stream != NULL ? SP_CALL_STREAM : SP_CALL_TOOL,
        .queue = call->queue,
    };
}

static void empty(struct sp_buf *buf)
{
    buf->size = 0;
    if (buf->capacity > KEPT_BYTES) {
        sp_buf_fini(buf);
    }
}

void sp_call_reset(struct sp_call *call)
{
    SP_CHECK(call->placement.seat == NULL && call->port == NULL);
    empty(&call->large);
    empty(&call->json);
    empty(&call->texts);
    empty(&call->inquiry.body);
    if (call->inquiry.reply != NULL && call->inquiry.reply->buf.capacity > KEPT_BYTES) {
        snakepit_writer_free(call->inquiry.reply);
        call->inquiry.reply = NULL;
    }
    if (call->orphan != NULL) {
        sp_orphan_unref(call->orphan);
        call->orphan = NULL;
    }
    call->phase = SP_CALL_NEW;
    call->err = SNAKEPIT_OK;
    call->body = (struct sp_slice){0};
    call->lined_at = 0;
    call->waited_ticks = 0;
    call->handed_at = 0;
    call->ran_ticks = 0;
    call->executor = SP_EXECUTOR_NONE;
    call->checks = false;
    call->asynchronous = false;
    call->reports = false;
    call->queue = SP_QUEUE_DEFAULT;
    call->stream = NULL;
    call->done = NULL;
    if (call->retries > 0) {
        call->retries = 0;
        call->retry_at = 0;
    }
}

// Appends a text with its zero. Returns its place in the buffer, or 0, that of the
// empty text.
static size_t keep_text(struct sp_buf *texts, const char *text)
{
    size_t at = texts->size;
    if (text == NULL || sp_buf_append(texts, text, strlen(text) + 1) != SNAKEPIT_OK) {
        return 0;
    }
    return at;
}

void sp_call_set_failure(struct sp_call *call, const struct sp_failure *failure)
{
    static const char none[] = "";
    const char *message =
        failure->message != NULL ? failure->message : snakepit_err_text(failure->err);
    const char *given[] = {message,
                           failure->type,
                           failure->traceback,
                           failure->stage,
                           failure->cause,
                           failure->last_output,
                           failure->arguments,
                           failure->crash_stack,
                           failure->late_stack};
    const char **kept[] = {&call->fault.message,
                           &call->fault.type,
                           &call->fault.traceback,
                           &call->fault.stage,
                           &call->fault.cause,
                           &call->fault.last_output,
                           &call->fault.arguments,
                           &call->fault.crash_stack,
                           &call->fault.late_stack};
    enum { TEXTS = sizeof given / sizeof given[0] };
    size_t at[TEXTS];
    call->err = failure->err;
    call->fault.err = failure->err;
    call->fault.worker = failure->worker;
    call->fault.stop = failure->stop;
    call->fault.tool_runs = failure->tool_runs;
    call->fault.late_ms = failure->late_ms;
    call->body = (struct sp_slice){0};
    call->texts.size = 0;
    // Offset 0 is the empty text; addresses are taken when the buffer has stopped
    // growing.
    (void)sp_buf_append(&call->texts, none, sizeof none);
    for (int i = 0; i < TEXTS; i++) {
        at[i] = keep_text(&call->texts, given[i]);
    }
    for (int i = 0; i < TEXTS; i++) {
        *kept[i] =
            call->texts.size == 0 ? none : (const char *)call->texts.data + at[i];
    }
}

bool sp_call_is_here(const struct sp_call *call)
{
    return sp_fork_is_here(call->process);
}

bool sp_call_is_light(const struct sp_call *call)
{
    const struct sp_parcel *parcel = call->parcel;
    return call->port == NULL &&
           (parcel == NULL || (!parcel->body_is_range && parcel->share_count == 0 &&
                               parcel->reply == NULL));
}

snakepit_answer *sp_call_answer(struct sp_call *call)
{
    return (snakepit_answer *)(void *)call;
}

struct sp_call *sp_call_of(const snakepit_answer *answer)
{
    struct sp_call *call = (struct sp_call *)(uintptr_t)answer;
    SP_CHECK(call->magic == SP_CALL_MAGIC);
    return call;
}
