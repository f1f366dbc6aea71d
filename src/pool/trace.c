// SPDX-License-Identifier: MIT
// The one thing to know: a worker says when its tool ended in ticks, which are the same
// for all processes of the machine. So spans of a run are right also where its answer
// was found late.
#include "pool/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pool/inside.h"

static uint64_t ns_of(uint64_t ticks)
{
    return ticks * SP_NS_PER_US / sp_clock_ticks_per_us();
}

// ---- Its beginning ------------------------------------------------------------

static char *copy(char **at, struct sp_slice text)
{
    char *begin = *at;
    if (text.size > 0) {
        memcpy(begin, text.data, text.size);
    }
    begin[text.size] = '\0';
    *at += text.size + 1;
    return begin;
}

static struct sp_slice slice_of(const char *text, size_t size)
{
    return (struct sp_slice){(const uint8_t *)text, size};
}

// The call's time may have begun before the call was made.
static uint64_t begin_of(uint64_t begun)
{
    const uint64_t now = sp_clock_now();
    return sp_spans_now() - (begun != 0 && begun < now ? now - begun : 0);
}

bool sp_call_trace_begin(struct sp_call *call,
                         const struct sp_order *order,
                         struct sp_trace_context *within)
{
    const struct sp_request_text *text = &order->text;
    const size_t texts =
        (size_t)text->tool_size + text->session_size + text->tracestate.size + 3;
    struct sp_call_trace *trace = sp_alloc(sizeof *trace + texts);
    if (trace == NULL) {
        return false;
    }
    char *at = trace->texts;
    trace->tool = copy(&at, slice_of(text->tool, text->tool_size));
    trace->session = copy(&at, slice_of(text->session, text->session_size));
    trace->tracestate = copy(&at, text->tracestate);
    trace->spans = order->spans;
    trace->kind = order->begun ? SNAKEPIT_SPAN_SERVER : SNAKEPIT_SPAN_INTERNAL;
    trace->begun = begin_of(text->begun);
    if (text->trace == NULL) {
        sp_trace_begin(&trace->call);
    } else {
        trace->call = *text->trace;
        memcpy(trace->parent, text->trace->span, sizeof trace->parent);
        sp_trace_new_span(trace->call.span);
    }
    sp_trace_new_span(trace->run);
    *within = trace->call;
    memcpy(within->span, trace->run, sizeof within->span);
    call->trace = trace;
    return true;
}

void sp_call_trace_free(struct sp_call *call)
{
    sp_free(call->trace);
    call->trace = NULL;
}

// ---- Spans --------------------------------------------------------------------

static struct sp_span *new_span(const struct sp_call_trace *trace, const uint8_t id[8])
{
    struct sp_trace_context context = trace->call;
    memcpy(context.span, id, sizeof context.span);
    const bool is_call = memcmp(id, trace->call.span, sizeof context.span) == 0;
    static const uint8_t none[8];
    const bool is_first = is_call && memcmp(trace->parent, none, sizeof none) == 0;
    return sp_span_new(&context,
                       is_first  ? NULL
                       : is_call ? trace->parent
                                 : trace->call.span);
}

static void set_error(struct sp_span *span, snakepit_err err)
{
    if (span != NULL && err != SNAKEPIT_OK) {
        span->told.err = err;
        sp_span_add_text(span, "error.type", sp_slice_of_text(snakepit_err_name(err)));
    }
}

static void set_times(struct sp_span *span, uint64_t start, uint64_t end)
{
    if (span != NULL) {
        span->told.start_ns = start;
        span->told.end_ns = end;
    }
}

static void add_place(struct sp_span *span, const struct sp_call *call)
{
    sp_span_add_text(span, "snakepit.pool", sp_slice_of_text(call->pool->name));
    sp_span_add_text(span, "snakepit.tool", sp_slice_of_text(call->trace->tool));
}

static void
tell_run(struct sp_call *call, uint64_t start, uint64_t end, snakepit_err err)
{
    const struct sp_call_trace *trace = call->trace;
    struct sp_span *span = new_span(trace, trace->run);
    sp_span_set_name(span, sp_slice_of_text("run"));
    set_times(span, start, end);
    add_place(span, call);
    sp_span_add_integer(span, "snakepit.worker.id", (int64_t)trace->worker);
    sp_span_add_integer(span, "snakepit.attempt", (int64_t)call->retries + 1);
    set_error(span, err);
    sp_span_end(trace->spans, span);
}

// A span of the call without more to say of it.
static void
tell_part(const struct sp_call *call, const char *name, uint64_t start, uint64_t end)
{
    uint8_t id[8];
    sp_trace_new_span(id);
    struct sp_span *span = new_span(call->trace, id);
    sp_span_set_name(span, sp_slice_of_text(name));
    set_times(span, start, end);
    add_place(span, call);
    if (call->trace->chunks > 0 && call->trace->chunk == start) {
        sp_span_add_integer(
            span, "snakepit.stream.chunks", (int64_t)call->trace->chunks);
    }
    sp_span_end(call->trace->spans, span);
}

// ---- On its way ---------------------------------------------------------------

void sp_call_trace_placed(struct sp_call *call)
{
    struct sp_call_trace *trace = call->trace;
    const uint64_t now = sp_spans_now();
    if (call->lined_at != 0) {
        trace->lined = now - ns_of(sp_clock_ticks() - call->lined_at);
        tell_part(call, "line", trace->lined, now);
    }
    trace->placed = now;
    trace->worker = call->placement.seat->worker_id;
}

void sp_call_trace_ran(struct sp_call *call, const struct sp_port_answer *answer)
{
    const uint64_t now = sp_spans_now();
    const uint32_t until = (uint32_t)(sp_clock_ticks() / SP_UNTIL_TICKS);
    const uint64_t late =
        ns_of((uint64_t)(uint32_t)(until - answer->ran_until) * SP_UNTIL_TICKS);
    const uint64_t placed = call->trace->placed;
    // What a worker says counts as far as it can be.
    const uint64_t end = placed < now && late < now - placed ? now - late : now;
    const uint64_t ran = ns_of(answer->ran_ticks);
    const uint64_t start = placed < end && ran < end - placed ? end - ran : placed;
    call->trace->worker = call->placement.seat->worker_id;
    tell_run(call,
             start == 0 ? end - ran : start,
             end,
             answer->status == SP_STATUS_OK ? SNAKEPIT_OK : SNAKEPIT_TOOL_FAILED);
    call->trace->placed = 0;
}

void sp_call_trace_again(struct sp_call *call, snakepit_err err)
{
    struct sp_call_trace *trace = call->trace;
    if (trace->placed != 0) {
        tell_run(call, trace->placed, sp_spans_now(), err);
        trace->placed = 0;
    }
    sp_trace_new_span(trace->run);
    const struct sp_store *store = &call->pool->store;
    const struct sp_parcel *parcel = call->parcel;
    uint8_t *within =
        store->segment.base + parcel->block + SP_PARCEL_BLOCK - parcel->trace_size;
    memcpy(within + offsetof(struct sp_trace_context, span),
           trace->run,
           sizeof trace->run);
}

void sp_call_trace_ended(struct sp_call *call)
{
    struct sp_call_trace *trace = call->trace;
    trace->ended = sp_spans_now();
    trace->id = call->id;
    if (call->lined_at != 0) {
        trace->lined = trace->ended - ns_of(sp_clock_ticks() - call->lined_at);
        tell_part(call, "line", trace->lined, trace->ended);
    } else if (trace->placed != 0 && strcmp(call->fault.stage, "running") == 0) {
        // It was given up, or its worker has died.
        tell_run(call, trace->placed, trace->ended, call->err);
    }
}

void sp_call_trace_chunk(struct sp_call *call)
{
    struct sp_call_trace *trace = call->trace;
    trace->read = sp_spans_now();
    trace->chunk = trace->chunk != 0 ? trace->chunk : trace->read;
    trace->chunks++;
}

// ---- Its end ------------------------------------------------------------------

void sp_call_trace_tell(struct sp_call *call)
{
    struct sp_call_trace *trace = call->trace;
    struct sp_span *span = new_span(trace, trace->call.span);
    char name[SP_TOOL_NAME_MAX + 64];
    const struct sp_slice tool = sp_slice_of_text(trace->tool);
    const struct sp_slice pool = sp_slice_of_text(call->pool->name);
    if (trace->read > trace->ended) {
        trace->ended = trace->read; // what is left of a stream is read afterwards
    }
    if (trace->chunks > 0) {
        tell_part(call, "stream", trace->chunk, trace->ended);
    }
    (void)snprintf(name, sizeof name, "%.60s/%s", call->pool->name, trace->tool);
    sp_span_set_name(span, sp_slice_of_text(name));
    set_times(span, trace->begun, trace->ended);
    if (span != NULL) {
        span->told.kind = trace->kind;
    }
    sp_span_add_text(span, "rpc.system", sp_slice_of_text("snakepit"));
    sp_span_add_text(span, "rpc.service", pool);
    sp_span_add_text(span, "rpc.method", tool);
    sp_span_add_integer(span, "snakepit.call.id", (int64_t)trace->id);
    sp_span_add_integer(span, "snakepit.attempts", (int64_t)call->retries + 1);
    if (trace->session[0] != '\0') {
        sp_span_add_text(span, "session.id", sp_slice_of_text(trace->session));
    }
    sp_span_set_tracestate(span, sp_slice_of_text(trace->tracestate));
    if (call->err != SNAKEPIT_OK) {
        set_error(span, call->err);
        sp_span_set_message(span, call->fault.message);
    }
    sp_span_end(trace->spans, span);
    sp_call_trace_free(call);
}
