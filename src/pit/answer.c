// SPDX-License-Identifier: MIT
// What the program reads of an answer.
#include "base/thread.h"
#include "payload/json.h"
#include "payload/reader.h"
#include "pit/pit.h"
#include "pool/orphan.h"

// Without tensors there is no memory, but for those that have no elements.
static const struct sp_slice *no_memory_for_tensors(void)
{
    static _Alignas(SP_LINE) const uint8_t nothing[1];
    static const struct sp_slice none = {nothing, 0};
    return &none;
}

// In a forked child: whether it holds tensors, whose memory is the parent's. The rest
// of an answer is a copy.
static bool is_elsewhere(const struct sp_call *call)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_err err;
    if (call->port == NULL || sp_call_is_here(call)) {
        return false;
    }
    sp_reader_init(&reader, call->body, *no_memory_for_tensors());
    do {
        err = snakepit_reader_next(&reader, &value);
    } while (err == SNAKEPIT_OK);
    return err != SNAKEPIT_END;
}

// A fault that is not a tool's: all that it has to say is a sentence.
#define FAULT(number, sentence) \
    {                           \
        .err = (number),        \
        .message = (sentence),  \
        .type = "",             \
        .traceback = "",        \
        .stage = "",            \
        .cause = "",            \
        .last_output = "",      \
        .arguments = "",        \
        .crash_stack = "",      \
        .late_stack = "",       \
    }

const snakepit_fault *snakepit_answer_fault(const snakepit_answer *answer)
{
    static const snakepit_fault none = FAULT(SNAKEPIT_OK, "ok");
    static const snakepit_fault no_memory =
        FAULT(SNAKEPIT_NO_MEMORY, "memory is exhausted");
    static const snakepit_fault forked = FAULT(
        SNAKEPIT_FORKED,
        "the answer's tensors belong to the process that has made the call, not to "
        "this forked child");
    if (answer == NULL) {
        return &no_memory;
    }
    const struct sp_call *call = sp_call_of(answer);
    if (is_elsewhere(call)) {
        return &forked;
    }
    return call->err == SNAKEPIT_OK ? &none : &call->fault;
}

const char *snakepit_stop_name(snakepit_stop stop)
{
    static const char *const names[SP_STOPS] = {
        [SNAKEPIT_STOP_NONE] = "NONE",
        [SNAKEPIT_STOP_IN_LINE] = "IN_LINE",
        [SNAKEPIT_STOP_UNSTARTED] = "UNSTARTED",
        [SNAKEPIT_STOP_COOPERATIVE] = "COOPERATIVE",
        [SNAKEPIT_STOP_EXCEPTION] = "EXCEPTION",
        [SNAKEPIT_STOP_KILLED] = "KILLED",
    };
    return (uint32_t)stop < SP_STOPS ? names[stop] : "UNKNOWN";
}

snakepit_err snakepit_answer_get_stop(const snakepit_answer *answer,
                                      snakepit_stop_info *info)
{
    if (answer == NULL || info == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    const struct sp_call *call = sp_call_of(answer);
    if (call->err == SNAKEPIT_OK || call->fault.stop == SNAKEPIT_STOP_NONE) {
        return SNAKEPIT_NOT_FOUND;
    }
    snakepit_stop_info now = {.stop = call->fault.stop,
                              .after_us = call->fault.late_ms * UINT64_C(1000)};
    if (call->orphan != NULL) {
        sp_orphan_look(call->orphan, &now);
    }
    return sp_struct_write(info, &now, sizeof now) ? SNAKEPIT_OK
                                                   : SNAKEPIT_INVALID_ARGUMENT;
}

uint32_t snakepit_answer_attempts(const snakepit_answer *answer)
{
    return answer == NULL ? 0 : sp_call_of(answer)->retries + 1;
}

uint32_t snakepit_answer_retry_after_ms(const snakepit_answer *answer)
{
    if (answer == NULL) {
        return 0;
    }
    const struct sp_call *call = sp_call_of(answer);
    return call->err == SNAKEPIT_BREAKER_OPEN ? call->retry_after_ms : 0;
}

void snakepit_answer_reader(const snakepit_answer *answer, snakepit_reader *reader)
{
    struct sp_slice body = {0};
    struct sp_slice memory = *no_memory_for_tensors();
    if (reader == NULL) {
        return;
    }
    if (answer != NULL && !is_elsewhere(sp_call_of(answer))) {
        const struct sp_call *call = sp_call_of(answer);
        body = call->body;
        if (call->port != NULL && sp_call_is_here(call)) {
            memory =
                (struct sp_slice){call->port->results.base, call->port->results.size};
        }
    }
    sp_reader_init(reader, body, memory);
}

const char *snakepit_answer_json(snakepit_answer *answer)
{
    if (answer == NULL) {
        return NULL;
    }
    struct sp_call *call = sp_call_of(answer);
    if (call->err != SNAKEPIT_OK || is_elsewhere(call)) {
        return NULL;
    }
    if (call->json.size == 0) {
        snakepit_reader reader;
        snakepit_answer_reader(answer, &reader);
        if (sp_json_write(&reader, &call->json, NULL) != SNAKEPIT_OK) {
            return NULL;
        }
    }
    return (const char *)call->json.data;
}

void snakepit_answer_free(snakepit_answer *answer)
{
    if (answer == NULL) {
        return;
    }
    struct sp_call *call = sp_call_of(answer);
    if (sp_call_is_light(call)) {
        sp_pool_release(call); // nothing there could be cancelled
        return;
    }
    SP_UNCANCELLED;
    sp_pool_release(call);
}
