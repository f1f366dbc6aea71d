// SPDX-License-Identifier: MIT
// The public calls: what the program hands in is checked here, once, and then belongs
// to a pool.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/thread.h"
#include "payload/tensor.h"
#include "payload/writer.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "pit/tensors.h"
#include "pool/question.h"
#include "telemetry/spans.h"

// ---- Checks -------------------------------------------------------------------

static bool starts_a_map(const snakepit_writer *args)
{
    uint8_t first = args->buf.data[0];
    return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

static snakepit_err check_args(const snakepit_writer *args, snakepit_message *why)
{
    snakepit_message wrong;
    if (args == NULL) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = snakepit_writer_error(args);
    if (err != SNAKEPIT_OK) {
        (void)snakepit_writer_explain(args, &wrong);
        return sp_refuse(why, err, "the call's arguments: %.960s", wrong.text);
    }
    if (!starts_a_map(args)) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the call's arguments are not a map of names to values; begin "
                         "them with snakepit_writer_map(), or give a JSON object");
    }
    if (args->buf.size > SP_BODY_MAX) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the call's arguments take %zu bytes, over the 1 GiB of one "
                         "call; send them as tensors or in several calls",
                         args->buf.size);
    }
    return SNAKEPIT_OK;
}

// Fills in `text`, whose loan is there already, or refuses.
static snakepit_err describe(const char *tool,
                             const snakepit_writer *args,
                             const snakepit_call_options *options,
                             struct sp_request_text *text,
                             snakepit_message *why)
{
    struct sp_slice name;
    struct sp_slice session = {0};
    const char *session_id = options == NULL ? NULL : options->session_id;
    snakepit_err err = sp_refuse_no_name("the tool's name", tool, &name, why);
    if (err == SNAKEPIT_OK && session_id != NULL && session_id[0] != '\0') {
        err = sp_refuse_no_name("the call's session_id", session_id, &session, why);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    *text = (struct sp_request_text){.tool = tool,
                                     .tool_size = (uint32_t)name.size,
                                     .session = session_id,
                                     .session_size = (uint32_t)session.size,
                                     .args = args,
                                     .loan = text->loan};
    return check_args(args, why);
}

static const char *pool_name(const snakepit_call_options *options)
{
    return options == NULL ? NULL : options->pool;
}

struct sp_call *sp_pit_refused(snakepit_err err, const char *message)
{
    const struct sp_failure failure = {.err = err, .message = message};
    return sp_call_failed(&failure);
}

// The session of a call begins, or lives on. Where that is not possible the call goes
// on without: what needs the session says so itself.
static void use_session(snakepit *pit, const struct sp_request_text *text)
{
    if (text->session_size > 0 &&
        !sp_pit_is_connected(pit)) { // else the daemon does so
        const struct sp_slice name = {(const uint8_t *)text->session,
                                      text->session_size};
        (void)sp_sessions_use(&pit->sessions, name);
    }
}

// Where the call reports to.
static snakepit_err choose_queue(const snakepit *pit,
                                 const struct sp_pit_request *request,
                                 struct sp_order *order,
                                 snakepit_message *why)
{
    const snakepit_call_options *options = request->options;
    if (options == NULL || request->waits) {
        return SNAKEPIT_OK;
    }
    order->ready = options->ready;
    order->ready_user = options->ready_user;
    if (options->queue == NULL) {
        return SNAKEPIT_OK;
    }
    if (!sp_queue_is_of(options->queue, pit)) {
        return sp_refuse(
            why,
            SNAKEPIT_INVALID_ARGUMENT,
            "the call's queue belongs to another pit; make one for this pit "
            "with snakepit_queue_new()");
    }
    order->queue = (uint8_t)options->queue->number;
    return SNAKEPIT_OK;
}

// ---- Calls --------------------------------------------------------------------

static snakepit_err check_priority(const snakepit_call_options *options,
                                   snakepit_message *why)
{
    if (options == NULL || options->priority <= SNAKEPIT_MAX_PRIORITY) {
        return SNAKEPIT_OK;
    }
    return sp_refuse(why,
                     SNAKEPIT_INVALID_ARGUMENT,
                     "the call's priority is %u; the highest is %d",
                     options->priority,
                     SNAKEPIT_MAX_PRIORITY);
}

static struct sp_slice slice_of(const char *text)
{
    return text == NULL ? (struct sp_slice){0} : sp_slice_of_text(text);
}

static snakepit_err read_traceparent(struct sp_slice parent,
                                     struct sp_trace_context *context,
                                     snakepit_message *why)
{
    if (sp_traceparent_read(parent, context)) {
        return SNAKEPIT_OK;
    }
    return sp_refuse(why,
                     SNAKEPIT_INVALID_ARGUMENT,
                     "the call's traceparent is malformed; W3C Trace Context has it "
                     "as \"00-\", 32 digits of the trace, \"-\", 16 of the span, "
                     "and \"-01\", all in lower case");
}

// The same as bytes. `parent` is the text, which is not to be there as well.
static snakepit_err copy_context(const snakepit_trace_context *given,
                                 struct sp_slice parent,
                                 struct sp_trace_context *context,
                                 snakepit_message *why)
{
    if (parent.size > 0) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the call has both `traceparent` and `trace`; set one of them "
                         "only");
    }
    *context = (struct sp_trace_context){.flags = given->flags & SP_TRACE_FLAGS};
    memcpy(context->trace, given->trace_id, sizeof context->trace);
    memcpy(context->span, given->span_id, sizeof context->span);
    if (sp_trace_is_sound(context)) {
        return SNAKEPIT_OK;
    }
    return sp_refuse(why,
                     SNAKEPIT_INVALID_ARGUMENT,
                     "the call's trace has a trace_id or a span_id of zeros only; set "
                     "`trace` to NULL if there is no trace");
}

// The trace that the call belongs to, in `request` or where the host's tool has it that
// makes the call.
static snakepit_err read_trace(const snakepit_call_options *options,
                               struct sp_pit_request *request,
                               snakepit_message *why)
{
    struct sp_request_text *text = &request->order.text;
    const struct sp_slice parent =
        slice_of(options == NULL ? NULL : options->traceparent);
    const snakepit_trace_context *given = options == NULL ? NULL : options->trace;
    if (parent.size == 0 && given == NULL) {
        text->trace = sp_question_trace(&text->tracestate);
        return SNAKEPIT_OK;
    }
    const snakepit_err err = given == NULL
                                 ? read_traceparent(parent, &request->trace, why)
                                 : copy_context(given, parent, &request->trace, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    text->trace = &request->trace;
    text->tracestate = slice_of(options->tracestate);
    if (text->tracestate.size > 0 && !sp_tracestate_is_sound(text->tracestate)) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the call's tracestate has more than %u characters, or one "
                         "that is not printable; leave it out",
                         SP_TRACESTATE_MAX);
    }
    return SNAKEPIT_OK;
}

// Whoever calls has decided for a trace that has begun.
static void choose_trace(struct sp_spans *spans,
                         const snakepit_call_options *options,
                         struct sp_order *order)
{
    const struct sp_trace_context *trace = order->text.trace;
    const bool wanted =
        trace != NULL ? sp_trace_is_sampled(trace) : sp_spans_sample(spans);
    order->spans = wanted ? spans : NULL;
    order->begun = options != NULL && options->begun_ns != 0;
}

// Its options, as this library knows them, are in `room` or where they were.
static struct sp_pool *check_request(snakepit *pit,
                                     struct sp_pit_request *request,
                                     snakepit_call_options *room,
                                     snakepit_err *err,
                                     snakepit_message *why)
{
    const char *wrong;
    struct sp_order *order = &request->order;
    const snakepit_call_options *options =
        sp_options_read(request->options, sizeof *room, room, &wrong);
    request->options = options;
    if (wrong != NULL) {
        *err = sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, "%s", wrong);
        return NULL;
    }
    *err = sp_refuse_no_pit(pit, why);
    if (*err == SNAKEPIT_OK) {
        *err = check_priority(options, why);
    }
    if (*err != SNAKEPIT_OK) {
        return NULL;
    }
    *err = choose_queue(pit, request, order, why);
    if (*err == SNAKEPIT_OK) {
        *err = describe(request->tool, request->args, options, &order->text, why);
    }
    if (*err == SNAKEPIT_OK) {
        *err = read_trace(options, request, why);
    }
    if (pit->spans != NULL) {
        choose_trace(pit->spans, options, order);
    }
    if (*err != SNAKEPIT_OK) {
        return NULL;
    }
    struct sp_pool *pool = sp_pit_pool(pit, pool_name(options));
    if (pool == NULL) {
        *err = sp_refuse_pool(pit, pool_name(options), why);
        return NULL;
    }
    order->text.begun =
        options == NULL || options->begun_ns == 0 ? request->begun : options->begun_ns;
    use_session(pit, &order->text);
    order->timeout_ms = options == NULL ? 0 : options->timeout_ms;
    order->idempotent = options != NULL && options->idempotent;
    order->priority = options == NULL ? 0 : options->priority;
    return pool;
}

struct sp_pool *sp_pit_order(snakepit *pit,
                             struct sp_pit_request *request,
                             snakepit_err *err,
                             struct sp_call **refused)
{
    snakepit_call_options room;
    snakepit_message why;
    struct sp_pool *pool = check_request(pit, request, &room, err, &why);
    request->options = NULL; // `room` ends here
    if (pool == NULL) {
        *refused = sp_pit_refused(*err, why.text);
    }
    return pool;
}

snakepit_err
sp_pit_call(snakepit *pit, struct sp_pit_request *request, snakepit_answer **answer)
{
    snakepit_err err;
    struct sp_call *call;
    if (answer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    struct sp_pool *pool = sp_pit_order(pit, request, &err, &call);
    if (pool != NULL) {
        err = sp_pool_call(pool, &request->order, &call);
    }
    *answer = call == NULL ? NULL : sp_call_answer(call);
    return err;
}

snakepit_err snakepit_call(snakepit *pit,
                           const char *tool,
                           const snakepit_writer *args,
                           const snakepit_call_options *options,
                           snakepit_answer **answer)
{
    SP_UNCANCELLED;
    struct sp_pit_request request = {.tool = tool, .args = args, .options = options};
    return sp_pit_call(pit, &request, answer);
}

// Hands a checked order over.
static snakepit_err
submit(snakepit *pit, struct sp_pool *pool, const struct sp_order *order)
{
    snakepit_err err = order->queue == SP_QUEUE_DEFAULT
                           ? sp_drain_ensure(pit, order->why)
                           : SNAKEPIT_OK;
    if (err != SNAKEPIT_OK) {
        return err == SNAKEPIT_SYSTEM
                   ? err
                   : sp_refuse(order->why, err, "%s", snakepit_err_text(err));
    }
    err = sp_pool_submit(pool, order);
    if (err == SNAKEPIT_OK) {
        sp_bells_want(pit, order->queue);
    }
    return err;
}

snakepit_err sp_pit_submit(snakepit *pit, struct sp_pit_request *request)
{
    snakepit_call_options room;
    snakepit_message why;
    snakepit_err err;
    struct sp_order *order = &request->order;
    struct sp_pool *pool = check_request(pit, request, &room, &err, &why);
    order->why = request->options == NULL ? NULL : request->options->why;
    request->options = NULL; // `room` ends here
    if (pool == NULL) {
        return sp_refuse(order->why, err, "%s", why.text);
    }
    if (order->done == NULL) {
        return sp_refuse(order->why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the callback `done` is NULL; give a function that takes the "
                         "answer");
    }
    return submit(pit, pool, order);
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
    SP_UNCANCELLED;
    struct sp_pit_request request = {
        .tool = tool,
        .args = args,
        .options = options,
        .order = {.done = done, .user = user, .id = call},
    };
    return sp_pit_submit(pit, &request);
}

snakepit_err snakepit_cancel(snakepit *pit, snakepit_call_id call)
{
    SP_UNCANCELLED;
    size_t index = sp_call_id_pool(call);
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    return index < pit->count ? sp_pool_cancel(pit->pools[index]->pool, call)
                              : SNAKEPIT_NOT_FOUND;
}

// ---- Tensors ------------------------------------------------------------------

static snakepit_err check_new_tensor(const snakepit_tensor *tensor,
                                     void *const *data,
                                     size_t *bytes,
                                     snakepit_message *why)
{
    char text[512];
    if (tensor == NULL || data == NULL) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "`%s` is NULL; give its address",
                         tensor == NULL ? "tensor" : "data");
    }
    snakepit_err err = snakepit_tensor_bytes(tensor, bytes);
    if (err != SNAKEPIT_OK) {
        sp_tensor_explain(tensor, text, sizeof text);
        return sp_refuse(why, err, "%s", text);
    }
    return SNAKEPIT_OK;
}

snakepit_err snakepit_tensor_new(snakepit *pit,
                                 const char *pool_name_text,
                                 snakepit_tensor *tensor,
                                 void **data,
                                 snakepit_message *why)
{
    SP_UNCANCELLED;
    size_t bytes = 0;
    struct sp_share *share;
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = check_new_tensor(tensor, data, &bytes, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_pool *pool = sp_pit_pool(pit, pool_name_text);
    if (pool == NULL) {
        return sp_refuse_pool(pit, pool_name_text, why);
    }
    err = sp_share_new(sp_pool_store(pool), bytes, &share);
    if (err != SNAKEPIT_OK) {
        return sp_refuse(why,
                         err,
                         "the tensor's %zu bytes do not fit into what is left of the "
                         "pool's shared_memory_size; raise it, or free tensors",
                         bytes);
    }
    *data = sp_pool_store(pool)->segment.base + share->offset;
    tensor->data = *data;
    sp_tensor_set_packed(tensor);
    return SNAKEPIT_OK;
}

snakepit_err sp_pit_tensor_reserve(snakepit *pit,
                                   const char *pool_name,
                                   size_t bytes,
                                   snakepit_tensor *tensor,
                                   void **data)
{
    struct sp_pool *pool = sp_pit_pool(pit, pool_name);
    if (pool == NULL) {
        return sp_refuse_pool(pit, pool_name, NULL);
    }
    struct sp_store *store = sp_pool_store(pool);
    const uint64_t most = store->segment.size / 2;
    const uint64_t used = sp_arena_used(&store->arena);
    if (used > most || bytes > most - used) {
        return SNAKEPIT_NO_MEMORY;
    }
    *tensor = (snakepit_tensor){
        .dtype = SNAKEPIT_UINT8, .rank = 1, .shape = {(int64_t)bytes}};
    return snakepit_tensor_new(pit, pool_name, tensor, data, NULL);
}

void snakepit_tensor_free(snakepit *pit, const snakepit_tensor *tensor)
{
    SP_UNCANCELLED;
    if (sp_refuse_no_pit(pit, NULL) != SNAKEPIT_OK || tensor == NULL) {
        return;
    }
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_store *store = sp_pool_store(pit->pools[i]->pool);
        struct sp_share *share = sp_share_find(store, tensor->data);
        if (share != NULL) {
            sp_share_unref(store, share);
            return;
        }
    }
}
