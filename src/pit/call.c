// SPDX-License-Identifier: MIT
// The public calls: what the program hands in is checked here, once, and then belongs
// to a pool.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "payload/tensor.h"
#include "payload/writer.h"
#include "pit/pit.h"

// ---- Checks -------------------------------------------------------------------

static bool starts_a_map(const snakepit_writer *args)
{
    uint8_t first = args->buf.data[0];
    return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

static const char *check_args(const snakepit_writer *args, snakepit_err *err)
{
    if (args == NULL) {
        return NULL;
    }
    *err = snakepit_writer_error(args);
    if (*err == SNAKEPIT_INVALID_ARGUMENT) {
        return "an argument is no valid tensor or text, or is nested too deep";
    }
    if (*err != SNAKEPIT_OK) {
        return "the arguments are not one complete value";
    }
    *err = SNAKEPIT_INVALID_ARGUMENT;
    if (!starts_a_map(args)) {
        return "the arguments must be a map of names to values";
    }
    return args->buf.size > SP_BODY_MAX ? "the arguments take more than 1 GiB" : NULL;
}

// What is wrong with a request, or NULL; `text` is filled in.
static const char *describe(const char *tool,
                            const snakepit_writer *args,
                            const snakepit_call_options *options,
                            struct sp_request_text *text,
                            snakepit_err *err)
{
    *err = SNAKEPIT_INVALID_ARGUMENT;
    size_t tool_size = tool == NULL ? 0 : strnlen(tool, SP_TOOL_NAME_MAX + 1);
    if (tool_size == 0 || tool_size > SP_TOOL_NAME_MAX) {
        return "a tool's name has 1 to 255 bytes";
    }
    const char *session = options == NULL ? NULL : options->session_id;
    size_t session_size = session == NULL ? 0 : strnlen(session, SP_SESSION_MAX + 1);
    if (session_size > SP_SESSION_MAX) {
        return "a session_id has at most 255 bytes";
    }
    *text = (struct sp_request_text){
        tool, (uint32_t)tool_size, session, (uint32_t)session_size, args};
    return check_args(args, err);
}

static const char *pool_name(const snakepit_call_options *options)
{
    return options == NULL ? NULL : options->pool;
}

// An answer that says why there was no call; NULL without memory for it.
static struct sp_call *failed(snakepit_err err, const char *message)
{
    const struct sp_failure failure = {.err = err, .message = message};
    return sp_call_failed(&failure);
}

static snakepit_err
fail(snakepit_err err, const char *message, snakepit_answer **answer)
{
    struct sp_call *call = failed(err, message);
    *answer = call == NULL ? NULL : sp_call_answer(call);
    return err;
}

// What JSON says of itself, "line 1, column 8: ...", and whose JSON it is.
static snakepit_err
fail_json(snakepit_err err, const snakepit_message *why, snakepit_answer **answer)
{
    char text[sizeof why->text + 64];
    (void)snprintf(text, sizeof text, "the call's JSON arguments: %s", why->text);
    return fail(err, text, answer);
}

static struct sp_call *unknown_pool(const char *name)
{
    char text[512];
    (void)snprintf(text,
                   sizeof text,
                   "there is no pool \"%.255s\"",
                   name == NULL ? "default" : name);
    return failed(SNAKEPIT_UNKNOWN_POOL, text);
}

// The session of a call begins, or lives on. Where that is not possible the call goes
// on without: what needs the session says so itself.
static void use_session(snakepit *pit, const struct sp_request_text *text)
{
    if (text->session_size > 0) {
        const struct sp_slice name = {(const uint8_t *)text->session,
                                      text->session_size};
        (void)sp_sessions_use(&pit->sessions, name);
    }
}

// ---- Calls --------------------------------------------------------------------

struct sp_pool *sp_pit_order(snakepit *pit,
                             struct sp_pit_order *order,
                             snakepit_err *err,
                             struct sp_call **refused)
{
    snakepit_call_options room;
    const char *wrong;
    *err = SNAKEPIT_INVALID_ARGUMENT;
    const snakepit_call_options *options =
        sp_options_read(order->options, sizeof room, &room, &wrong);
    if (wrong == NULL) {
        wrong = describe(order->tool, order->args, options, &order->text, err);
    }
    if (wrong == NULL && pit == NULL) {
        *err = SNAKEPIT_INVALID_ARGUMENT;
        wrong = "there is no pit: opening it failed";
    }
    if (wrong != NULL) {
        *refused = failed(*err, wrong);
        return NULL;
    }
    struct sp_pool *pool = sp_pit_pool(pit, pool_name(options));
    if (pool == NULL) {
        *err = SNAKEPIT_UNKNOWN_POOL;
        *refused = unknown_pool(pool_name(options));
        return NULL;
    }
    use_session(pit, &order->text);
    order->timeout_ms = options == NULL ? 0 : options->timeout_ms;
    return pool;
}

snakepit_err snakepit_call(snakepit *pit,
                           const char *tool,
                           const snakepit_writer *args,
                           const snakepit_call_options *options,
                           snakepit_answer **answer)
{
    struct sp_pit_order order = {.tool = tool, .args = args, .options = options};
    snakepit_err err;
    struct sp_call *call;
    struct sp_pool *pool = sp_pit_order(pit, &order, &err, &call);
    if (pool != NULL) {
        err = sp_pool_call(pool, &order.text, order.timeout_ms, &call);
    }
    *answer = call == NULL ? NULL : sp_call_answer(call);
    return err;
}

snakepit_err snakepit_call_json(snakepit *pit,
                                const char *tool,
                                const char *json,
                                const snakepit_call_options *options,
                                snakepit_answer **answer)
{
    snakepit_message why = {0};
    if (json == NULL) {
        return snakepit_call(pit, tool, NULL, options, answer);
    }
    snakepit_writer *args = snakepit_writer_new();
    if (args == NULL) {
        return fail(SNAKEPIT_NO_MEMORY, NULL, answer);
    }
    snakepit_err err = snakepit_writer_json(args, json, strlen(json), &why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_call(pit, tool, args, options, answer);
    } else {
        err = fail_json(err, &why, answer);
    }
    snakepit_writer_free(args);
    return err;
}

// NOLINTNEXTLINE(readability-function-size): a callback and its user are one thing
snakepit_err snakepit_submit(snakepit *pit,
                             const char *tool,
                             const snakepit_writer *args,
                             const snakepit_call_options *options,
                             snakepit_done_fn *done,
                             void *user,
                             snakepit_call_id *call)
{
    struct sp_request_text text;
    snakepit_call_options room;
    snakepit_err err;
    const char *wrong;
    options = sp_options_read(options, sizeof room, &room, &wrong);
    if (pit == NULL || done == NULL || wrong != NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (describe(tool, args, options, &text, &err) != NULL) {
        return err;
    }
    struct sp_pool *pool = sp_pit_pool(pit, pool_name(options));
    if (pool == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    err = sp_drain_ensure(pit);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    use_session(pit, &text);
    return sp_pool_submit(
        pool, &text, options == NULL ? 0 : options->timeout_ms, done, user, call);
}

snakepit_err snakepit_cancel(snakepit *pit, snakepit_call_id call)
{
    size_t index = call & 0xfff;
    return index < pit->count ? sp_pool_cancel(pit->pools[index].pool, call)
                              : SNAKEPIT_NOT_FOUND;
}

// ---- Tensors ------------------------------------------------------------------

snakepit_err snakepit_tensor_new(snakepit *pit,
                                 const char *pool_name_text,
                                 snakepit_tensor *tensor,
                                 void **data)
{
    size_t bytes;
    struct sp_share *share;
    struct sp_pool *pool = sp_pit_pool(pit, pool_name_text);
    if (pool == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    snakepit_err err = snakepit_tensor_bytes(tensor, &bytes);
    if (err == SNAKEPIT_OK) {
        err = sp_share_new(&pool->store, bytes, &share);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    *data = pool->store.segment.base + share->offset;
    tensor->data = *data;
    sp_tensor_set_packed(tensor);
    return SNAKEPIT_OK;
}

void snakepit_tensor_free(snakepit *pit, const snakepit_tensor *tensor)
{
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_store *store = &pit->pools[i].pool->store;
        struct sp_share *share = sp_share_find(store, tensor->data);
        if (share != NULL) {
            sp_share_unref(store, share);
            return;
        }
    }
}
