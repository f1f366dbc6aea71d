// SPDX-License-Identifier: MIT
#include "grpc/status.h"

#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "grpc/fields.h"
#include "grpc/messages.h"
#include "grpc/proto_payload.h"
#include "protobuf/message.h"

#define MESSAGE_MOST 700u // of `grpc-message`; the details have it twice
#define DETAILS_MOST 2u
#define MS_PER_S     1000u
#define NS_PER_MS    1000000

#define TYPE_PREFIX "type.googleapis.com/"

// ---- Codes ----------------------------------------------------------------------

struct code {
    snakepit_err err;
    enum sp_grpc_code code;
};

#define ERROR_ROW(name, number, grpc, http, retryable, text) {SNAKEPIT_##name, grpc},
static const struct code codes[] = {SNAKEPIT_ERRORS(ERROR_ROW)};
#undef ERROR_ROW

enum sp_grpc_code sp_grpc_code_of(snakepit_err err)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].err == err) {
            return codes[i].code;
        }
    }
    return SP_GRPC_UNKNOWN;
}

enum sp_grpc_code sp_grpc_code_of_http(unsigned status)
{
    switch (status) {
    case 401:
        return SP_GRPC_UNAUTHENTICATED;
    case 403:
    case 421:
        return SP_GRPC_PERMISSION_DENIED;
    case 404:
        return SP_GRPC_UNIMPLEMENTED;
    case 413:
    case 429:
        return SP_GRPC_RESOURCE_EXHAUSTED;
    case 503:
        return SP_GRPC_UNAVAILABLE;
    default:
        return SP_GRPC_INTERNAL;
    }
}

// ---- Details --------------------------------------------------------------------

// What the details of a fault are made of.
struct told {
    struct sp_scratch scratch;
    struct sp_buf bytes; // of the messages in them, one after the other
    struct sp_v1_fault fault;
    struct sp_slice sentence;
    uint32_t retry_after_ms; // if it is `retryable`
    bool retryable;
};

// Python's class in front of the message, unless it begins with that.
static struct sp_slice sentence_of(struct told *told)
{
    const struct sp_slice type = told->fault.type;
    const struct sp_slice message = told->fault.message;
    if (type.size == 0 || (message.size >= type.size &&
                           memcmp(message.data, type.data, type.size) == 0)) {
        return message;
    }
    if (message.size == 0) {
        return type;
    }
    const size_t size = type.size + 2 + message.size;
    uint8_t *text = sp_scratch_take(&told->scratch, size);
    if (text == NULL) {
        return message;
    }
    memcpy(text, type.data, type.size);
    text[type.size] = ':';
    text[type.size + 1] = ' ';
    memcpy(text + type.size + 2, message.data, message.size);
    return (struct sp_slice){text, size};
}

// Appends a message, which `any` holds then, but for where it lies.
static snakepit_err add(struct told *told,
                        const struct sp_proto_type *type,
                        const char *url,
                        const void *message,
                        struct sp_pb_any *any)
{
    const size_t before = told->bytes.size;
    snakepit_err err = sp_proto_encode_flat(type, message, &told->bytes);
    any->type_url = sp_slice_of_text(url);
    any->value.size = told->bytes.size - before;
    return err;
}

static snakepit_err add_retry(struct told *told, struct sp_pb_any *any)
{
    struct sp_pb_duration delay = {.seconds = told->retry_after_ms / MS_PER_S,
                                   .nanos = (int32_t)(told->retry_after_ms % MS_PER_S) *
                                            NS_PER_MS};
    const struct sp_rpc_retry_info info = {.retry_delay = &delay};
    return add(
        told, &sp_type_rpc_retry_info, TYPE_PREFIX "google.rpc.RetryInfo", &info, any);
}

// Appends google.rpc.Status as it is now, in base64.
static snakepit_err
encode(struct told *told, enum sp_grpc_code code, struct sp_buf *details)
{
    struct sp_pb_any any[DETAILS_MOST] = {{.which = 0}};
    struct sp_rpc_status status = {.code = (int32_t)code, .message = told->sentence};
    struct sp_buf bytes = {0};
    size_t count = 1;
    told->bytes.size = 0;
    snakepit_err err = add(told,
                           &sp_type_v1_fault,
                           TYPE_PREFIX "snakepit.v1.Fault",
                           &told->fault,
                           &any[0]);
    if (err == SNAKEPIT_OK && told->retryable) {
        err = add_retry(told, &any[count++]);
    }
    status.details.items = any;
    status.details.count = count;
    if (err == SNAKEPIT_OK) {
        any[0].value.data = told->bytes.data;
        any[1].value.data = told->bytes.data + any[0].value.size;
        err = sp_proto_encode_flat(&sp_type_rpc_status, &status, &bytes);
    }
    if (err == SNAKEPIT_OK) {
        err = sp_grpc_encode_bin((struct sp_slice){bytes.data, bytes.size}, details);
    }
    sp_buf_fini(&bytes);
    return err;
}

static bool continues_character(uint8_t byte)
{
    return (byte & 0xc0u) == 0x80u;
}

// Takes at least `excess` bytes from a text, if it has them.
static void cut(struct sp_slice *text, size_t excess, bool keep_end)
{
    size_t left = text->size > excess ? text->size - excess : 0;
    if (keep_end) {
        while (left > 0 && continues_character(text->data[text->size - left])) {
            left--;
        }
        text->data += text->size - left;
    } else {
        while (left > 0 && continues_character(text->data[left])) {
            left--;
        }
    }
    text->size = left;
}

// Until they are not longer than `most`. A stack's innermost call stays: the last one
// in Python's, the first one of a crash.
static snakepit_err encode_within(struct told *told,
                                  enum sp_grpc_code code,
                                  size_t most,
                                  struct sp_buf *details)
{
    struct sp_v1_fault *fault = &told->fault;
    struct sp_slice *const texts[] = {&fault->last_output,
                                      &fault->crash_stack,
                                      &fault->late_stack,
                                      &fault->traceback,
                                      &fault->arguments,
                                      &fault->cause,
                                      &fault->message,
                                      &fault->type};
    const size_t count = sizeof texts / sizeof texts[0];
    snakepit_err err = encode(told, code, details);
    for (size_t i = 0; i < count && err == SNAKEPIT_OK && details->size > most; i++) {
        // Four characters are three bytes; sizes in front of texts may get shorter too.
        const size_t excess = (details->size - most) / 4 * 3 + 3;
        details->size = 0;
        cut(texts[i], excess, i == 0 || i == 3);
        err = encode(told, code, details);
    }
    return err;
}

// ---- Statuses -------------------------------------------------------------------

void sp_grpc_status_set(struct sp_grpc_status *status,
                        enum sp_grpc_code code,
                        const char *message)
{
    size_t taken = 0;
    status->code = code;
    (void)sp_grpc_encode_message(sp_slice_of_text(message == NULL ? "" : message),
                                 SP_GRPC_TOLD_MOST,
                                 &status->message,
                                 &taken);
}

// For clients that try again by themselves. One that does so after a worker's death, or
// after a tool had begun, would run it twice; when it may, it is told if that is known.
static void say_pushback(struct sp_grpc_status *status,
                         const snakepit_fault *fault,
                         uint32_t retry_after_ms)
{
    const snakepit_err err = fault->err;
    const bool began =
        err == SNAKEPIT_SHUTTING_DOWN && strcmp(fault->stage, "running") == 0;
    if (err == SNAKEPIT_WORKER_DIED || began) {
        (void)snprintf(status->pushback, sizeof status->pushback, "-1");
    } else if (snakepit_err_retryable(err) && retry_after_ms > 0) {
        (void)snprintf(status->pushback, sizeof status->pushback, "%u", retry_after_ms);
    }
}

void sp_grpc_status_of_fault(struct sp_grpc_status *status,
                             const snakepit_fault *fault,
                             uint32_t retry_after_ms,
                             bool insight)
{
    struct told told = {.retryable = snakepit_err_retryable(fault->err),
                        .retry_after_ms = retry_after_ms};
    size_t taken = 0;
    status->code = sp_grpc_code_of(fault->err);
    say_pushback(status, fault, retry_after_ms);
    sp_fault_to_proto(fault, insight, retry_after_ms, &told.scratch, &told.fault);
    told.sentence = sentence_of(&told);
    (void)sp_grpc_encode_message(told.sentence, MESSAGE_MOST, &status->message, &taken);
    told.sentence.size = taken;
    if (encode_within(&told,
                      status->code,
                      SP_GRPC_TOLD_MOST - status->message.size,
                      &status->details) != SNAKEPIT_OK) {
        status->details.size = 0;
    }
    sp_buf_fini(&told.bytes);
    sp_scratch_fini(&told.scratch);
}

static void add_field(struct sp_field *fields,
                      size_t *count,
                      const char *name,
                      struct sp_slice value)
{
    if (value.size > 0) {
        fields[*count] = (struct sp_field){sp_slice_of_text(name), value};
        *count += 1;
    }
}

size_t sp_grpc_status_fields(struct sp_grpc_status *status,
                             struct sp_field fields[SP_GRPC_TRAILERS_MOST])
{
    size_t count = 0;
    (void)snprintf(status->number, sizeof status->number, "%d", (int)status->code);
    add_field(fields, &count, "grpc-status", sp_slice_of_text(status->number));
    add_field(fields,
              &count,
              "grpc-message",
              (struct sp_slice){status->message.data, status->message.size});
    add_field(fields,
              &count,
              "grpc-status-details-bin",
              (struct sp_slice){status->details.data, status->details.size});
    add_field(
        fields, &count, "grpc-retry-pushback-ms", sp_slice_of_text(status->pushback));
    return count;
}

void sp_grpc_status_fini(struct sp_grpc_status *status)
{
    sp_buf_fini(&status->message);
    sp_buf_fini(&status->details);
}
