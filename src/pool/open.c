// SPDX-License-Identifier: MIT
// Without the lock: makes what a worker left of an ended call readable. Its bytes are
// copied out of its reach first, then checked.
#include "pool/inside.h"

#include <string.h>

#include "base/text.h"
#include "payload/reader.h"
#include "payload/wire.h"
#include "pool/trace.h"

// A text of the fault, copied, cut, and fit for a terminal; the worker's bytes are not
// terminated.
static bool fault_text(const snakepit_reader *map, const char *key, struct sp_buf *text)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, key, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return sp_buf_append(text, "", 1) == SNAKEPIT_OK;
    }
    size_t size =
        value.as.text.size < SP_FAULT_TEXT_MAX ? value.as.text.size : SP_FAULT_TEXT_MAX;
    if (sp_buf_append(text, value.as.text.data, size) != SNAKEPIT_OK) {
        return false;
    }
    sp_text_clean((char *)text->data, size, SP_TEXT_BLOCK);
    return sp_buf_append(text, "", 1) == SNAKEPIT_OK;
}

static bool may_be_raised(int64_t number, bool relayed)
{
    if (relayed) {
        return number > SNAKEPIT_OK && number < SP_ERRORS;
    }
    return number == SNAKEPIT_TOOL_FAILED || number == SNAKEPIT_UNKNOWN_TOOL ||
           number == SNAKEPIT_UNSERIALISABLE || number == SNAKEPIT_NO_MEMORY ||
           number == SNAKEPIT_MALFORMED || number == SNAKEPIT_CANCELLED ||
           number == SNAKEPIT_DEADLINE_EXCEEDED || number == SNAKEPIT_QUOTA_EXCEEDED;
}

static snakepit_err fault_err(const snakepit_reader *map, bool relayed)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, "err", &at) == SNAKEPIT_OK &&
        snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_INTEGER && may_be_raised(value.as.integer, relayed)) {
        return (snakepit_err)value.as.integer;
    }
    return SNAKEPIT_TOOL_FAILED;
}

// It is what a worker writes first: see python/native/fault.c.
snakepit_err sp_call_fault_err(struct sp_slice body, bool relayed)
{
    static const uint8_t key[] = {0xa3, 'e', 'r', 'r'};
    uint8_t first[2 + sizeof key]; // the map's head, the key, a small number
    if (body.size < sizeof first) {
        return SNAKEPIT_TOOL_FAILED;
    }
    memcpy(first, body.data, sizeof first);
    uint8_t number = first[sizeof first - 1];
    bool is_told =
        memcmp(&first[1], key, sizeof key) == 0 && may_be_raised(number, relayed);
    return is_told ? (snakepit_err)number : SNAKEPIT_TOOL_FAILED;
}

static uint64_t fault_number(const snakepit_reader *map, const char *key)
{
    snakepit_reader at;
    snakepit_value value;
    bool is_told = snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
                   snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
                   value.kind == SNAKEPIT_INTEGER && value.as.integer >= 0;
    return is_told ? (uint64_t)value.as.integer : 0;
}

// What a daemon tells besides; see ipc/local.h.
static void take_relayed(struct sp_call *call,
                         const snakepit_reader *map,
                         struct sp_failure *failure)
{
    const uint64_t stop = fault_number(map, "stop");
    failure->worker = fault_number(map, "worker");
    failure->stop = stop < SP_STOPS ? (snakepit_stop)stop : SNAKEPIT_STOP_NONE;
    failure->tool_runs = fault_number(map, "tool_runs") != 0;
    failure->late_ms = (uint32_t)fault_number(map, "late_ms");
    call->retry_after_ms = (uint32_t)fault_number(map, "retry_after_ms");
}

#define FAULT_TEXTS   4 // of a worker
#define RELAYED_TEXTS 9 // of a daemon

static void open_fault(struct sp_call *call)
{
    static const char *const keys[RELAYED_TEXTS] = {"type",
                                                    "message",
                                                    "traceback",
                                                    "arguments",
                                                    "stage",
                                                    "cause",
                                                    "last_output",
                                                    "crash_stack",
                                                    "late_stack"};
    const bool relayed = call->pool->options.relays;
    struct sp_failure failure = {.stage = "running", .worker = call->fault.worker};
    const char **places[RELAYED_TEXTS] = {&failure.type,
                                          &failure.message,
                                          &failure.traceback,
                                          &failure.arguments,
                                          &failure.stage,
                                          &failure.cause,
                                          &failure.last_output,
                                          &failure.crash_stack,
                                          &failure.late_stack};
    snakepit_reader map;
    snakepit_reader_init(&map, call->body.data, call->body.size);
    failure.err = fault_err(&map, relayed);
    struct sp_buf texts[RELAYED_TEXTS] = {0};
    const int count = relayed ? RELAYED_TEXTS : FAULT_TEXTS;
    bool kept = true;
    for (int i = 0; i < count && kept; i++) {
        kept = fault_text(&map, keys[i], &texts[i]);
    }
    for (int i = 0; i < count && kept; i++) {
        *places[i] = (const char *)texts[i].data;
    }
    if (kept && texts[1].size <= 1) {
        failure.message = NULL;
    }
    if (relayed) {
        take_relayed(call, &map, &failure);
    }
    sp_call_set_failure(call, &failure);
    for (int i = 0; i < count; i++) {
        sp_buf_fini(&texts[i]);
    }
    pthread_mutex_lock(&call->pool->lock);
    sp_recent_explain(&call->pool->recent, call);
    pthread_mutex_unlock(&call->pool->lock);
}

// A large body is copied out of the worker's reach before anyone parses it.
static bool copy_large(struct sp_call *call)
{
    if (call->port == NULL || call->body.data == call->room || call->body.size == 0) {
        return true;
    }
    if (sp_buf_append(&call->large, call->body.data, call->body.size) != SNAKEPIT_OK) {
        return false;
    }
    call->body.data = call->large.data;
    return true;
}

static void open_answer(struct sp_call *call)
{
    // The arguments are not needed any more; only what Python still holds stays with
    // its lease.
    if (call->parcel != NULL) {
        sp_parcel_empty(&call->pool->store, call->parcel);
    }
    if (call->body.data == NULL) {
        return;
    }
    if (!copy_large(call)) {
        struct sp_failure failure = {.err = SNAKEPIT_NO_MEMORY, .stage = "running"};
        sp_call_set_failure(call, &failure);
    } else if (call->err != SNAKEPIT_OK) {
        open_fault(call);
    }
}

void sp_call_open(struct sp_call *call)
{
    open_answer(call);
    if (call->trace != NULL && call->stream == NULL) { // that is read on
        sp_call_trace_tell(call);
    }
}
