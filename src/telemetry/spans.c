// SPDX-License-Identifier: MIT
#include "telemetry/spans.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

#include "base/chance.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

// Guarded by lock, but for what says otherwise.
struct sp_spans {
    snakepit_spans_fn *function; // constant
    void *user;                  // constant
    _Atomic uint64_t threshold;  // a draw below it is recorded
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news; // of `count` and `stop`; CLOCK_MONOTONIC
    struct sp_link ended;
    size_t count;
    uint64_t dropped; // since the last batch
    bool stop;
};

// ---- Chance -------------------------------------------------------------------

static uint64_t draw(void)
{
    static _Thread_local uint64_t state;
    while (state == 0) {
        if (getrandom(&state, sizeof state, GRND_NONBLOCK) != sizeof state) {
            state = sp_clock_now() ^ (uintptr_t)&state;
        }
    }
    return sp_chance_draw(&state, UINT64_MAX);
}

void sp_trace_new_span(uint8_t span[8])
{
    const uint64_t id = draw(); // xorshift is never 0
    memcpy(span, &id, sizeof id);
}

void sp_trace_begin(struct sp_trace_context *context)
{
    sp_trace_new_span(context->trace);
    sp_trace_new_span(context->trace + 8);
    sp_trace_new_span(context->span);
    context->flags = SP_TRACE_FLAGS;
}

void sp_spans_set_sample(struct sp_spans *spans, double sample)
{
    const uint64_t threshold =
        sample >= 1.0 ? UINT64_MAX : (uint64_t)(sample * 18446744073709551615.0);
    atomic_store_explicit(&spans->threshold, threshold, memory_order_relaxed);
}

bool sp_spans_sample(struct sp_spans *spans)
{
    const uint64_t threshold =
        atomic_load_explicit(&spans->threshold, memory_order_relaxed);
    return threshold == UINT64_MAX || (threshold > 0 && draw() < threshold);
}

uint64_t sp_spans_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SP_NS_PER_S + (uint64_t)now.tv_nsec;
}

// ---- One span -----------------------------------------------------------------

struct sp_span *sp_span_new(const struct sp_trace_context *context,
                            const uint8_t parent[8])
{
    struct sp_span *span = sp_alloc(sizeof *span);
    if (span == NULL || sp_buf_append(&span->texts, "", 1) != SNAKEPIT_OK) {
        sp_free(span);
        return NULL;
    }
    span->told.size = sizeof span->told;
    span->told.kind = SNAKEPIT_SPAN_INTERNAL;
    memcpy(span->told.trace_id, context->trace, sizeof span->told.trace_id);
    memcpy(span->told.span_id, context->span, sizeof span->told.span_id);
    if (parent != NULL) {
        memcpy(span->told.parent_span_id, parent, sizeof span->told.parent_span_id);
    }
    return span;
}

static void free_span(struct sp_span *span)
{
    if (span != NULL) {
        sp_buf_fini(&span->texts);
        sp_free(span);
    }
}

// Its place among the texts; 0, that of the empty one, where there is no room.
static size_t keep(struct sp_span *span, struct sp_slice text)
{
    const size_t at = span->texts.size;
    if (text.size == 0 || text.size >= SP_SPAN_TEXTS_MOST - at ||
        sp_buf_reserve(&span->texts, text.size + 1) != SNAKEPIT_OK) {
        return 0;
    }
    (void)sp_buf_append(&span->texts, text.data, text.size);
    (void)sp_buf_append(&span->texts, "", 1);
    return at;
}

void sp_span_begin_now(struct sp_span *span)
{
    if (span != NULL) {
        span->told.start_ns = sp_spans_now();
    }
}

void sp_span_end_now(struct sp_span *span)
{
    if (span != NULL) {
        span->told.end_ns = sp_spans_now();
    }
}

void sp_span_set_name(struct sp_span *span, struct sp_slice name)
{
    if (span != NULL) {
        span->name_at = keep(span, name);
    }
}

void sp_span_set_message(struct sp_span *span, const char *message)
{
    if (span != NULL) {
        struct sp_slice text = sp_slice_of_text(message);
        text.size =
            text.size < SP_SPAN_TEXTS_MOST / 4 ? text.size : SP_SPAN_TEXTS_MOST / 4;
        span->message_at = keep(span, text);
    }
}

void sp_span_set_tracestate(struct sp_span *span, struct sp_slice state)
{
    if (span != NULL) {
        span->tracestate_at = keep(span, state);
    }
}

static snakepit_attribute *add(struct sp_span *span, const char *key)
{
    if (span == NULL || span->told.attribute_count == SP_SPAN_ATTRIBUTES) {
        return NULL;
    }
    const size_t at = keep(span, sp_slice_of_text(key));
    if (at == 0) {
        return NULL;
    }
    const size_t index = span->told.attribute_count++;
    span->key_at[index] = at;
    return &span->attributes[index];
}

void sp_span_add_text(struct sp_span *span, const char *key, struct sp_slice text)
{
    snakepit_attribute *attribute = add(span, key);
    if (attribute != NULL) {
        attribute->kind = SNAKEPIT_ATTRIBUTE_TEXT;
        span->text_at[attribute - span->attributes] = keep(span, text);
    }
}

void sp_span_add_integer(struct sp_span *span, const char *key, int64_t integer)
{
    snakepit_attribute *attribute = add(span, key);
    if (attribute != NULL) {
        attribute->kind = SNAKEPIT_ATTRIBUTE_INTEGER;
        attribute->integer = integer;
    }
}

void sp_span_add_real(struct sp_span *span, const char *key, double real)
{
    snakepit_attribute *attribute = add(span, key);
    if (attribute != NULL) {
        attribute->kind = SNAKEPIT_ATTRIBUTE_REAL;
        attribute->real = real;
    }
}

void sp_span_add_boolean(struct sp_span *span, const char *key, bool boolean)
{
    snakepit_attribute *attribute = add(span, key);
    if (attribute != NULL) {
        attribute->kind = SNAKEPIT_ATTRIBUTE_BOOLEAN;
        attribute->integer = boolean;
    }
}

// The texts have stopped growing: what points to them is set.
static void settle(struct sp_span *span)
{
    const char *texts = (const char *)span->texts.data;
    span->told.name = texts + span->name_at;
    span->told.message = texts + span->message_at;
    span->told.tracestate = texts + span->tracestate_at;
    span->told.attributes = span->attributes;
    for (size_t i = 0; i < span->told.attribute_count; i++) {
        snakepit_attribute *attribute = &span->attributes[i];
        attribute->key = texts + span->key_at[i];
        if (attribute->kind == SNAKEPIT_ATTRIBUTE_TEXT) {
            attribute->text = texts + span->text_at[i];
        }
    }
}

void sp_span_end(struct sp_spans *spans, struct sp_span *span)
{
    bool wake = false;
    if (span != NULL) {
        settle(span);
        // Clocks of several processes, and of several cores, are alike and not the
        // same.
        if (span->told.end_ns < span->told.start_ns) {
            span->told.end_ns = span->told.start_ns;
        }
    }
    pthread_mutex_lock(&spans->lock);
    if (span == NULL || spans->count == SP_SPANS_MOST) {
        spans->dropped++;
        free_span(span);
    } else {
        sp_list_append(&spans->ended, &span->link);
        spans->count++;
        wake = spans->count == 1 || spans->count == SP_SPANS_BATCH;
    }
    pthread_mutex_unlock(&spans->lock);
    if (wake) {
        pthread_cond_signal(&spans->news);
    }
}

// ---- The thread ---------------------------------------------------------------

static struct timespec in_a_while(void)
{
    const uint64_t at = sp_clock_now() + SP_SPANS_DELAY_MS * SP_NS_PER_MS;
    return (struct timespec){.tv_sec = (time_t)(at / SP_NS_PER_S),
                             .tv_nsec = (long)(at % SP_NS_PER_S)};
}

// Waits for a first span, and then for a batch, but not for long. Lock held.
static void await_batch(struct sp_spans *spans)
{
    while (spans->count == 0 && !spans->stop) {
        pthread_cond_wait(&spans->news, &spans->lock);
    }
    const struct timespec until = in_a_while();
    int rc = 0;
    while (rc == 0 && spans->count < SP_SPANS_BATCH && !spans->stop) {
        rc = pthread_cond_timedwait(&spans->news, &spans->lock, &until);
    }
}

// Hands on a batch. Lock held, but released meanwhile.
static void hand_on(struct sp_spans *spans)
{
    const snakepit_trace_span *told[SP_SPANS_BATCH];
    struct sp_link batch;
    struct sp_link *link;
    size_t count = 0;
    const uint64_t dropped = spans->dropped;
    sp_list_init(&batch);
    spans->dropped = 0;
    while (count < SP_SPANS_BATCH && (link = sp_list_take(&spans->ended)) != NULL) {
        sp_list_append(&batch, link);
        told[count++] = &SP_ENTRY(link, struct sp_span, link)->told;
    }
    spans->count -= count;
    pthread_mutex_unlock(&spans->lock);
    if (count > 0) {
        spans->function(spans->user, told, count, dropped);
    }
    while ((link = sp_list_take(&batch)) != NULL) {
        free_span(SP_ENTRY(link, struct sp_span, link));
    }
    pthread_mutex_lock(&spans->lock);
}

static void *run(void *argument)
{
    struct sp_spans *spans = argument;
    pthread_mutex_lock(&spans->lock);
    while (!spans->stop || spans->count > 0) {
        await_batch(spans);
        hand_on(spans);
    }
    pthread_mutex_unlock(&spans->lock);
    return NULL;
}

static void free_spans(struct sp_spans *spans)
{
    pthread_cond_destroy(&spans->news);
    pthread_mutex_destroy(&spans->lock);
    sp_free(spans);
}

snakepit_err sp_spans_open(snakepit_spans_fn *function,
                           void *user,
                           double sample,
                           struct sp_spans **spans)
{
    struct sp_spans *made = sp_alloc(sizeof *made);
    pthread_condattr_t monotonic;
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->function = function;
    made->user = user;
    sp_list_init(&made->ended);
    sp_spans_set_sample(made, sample);
    SP_CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    SP_CHECK(pthread_condattr_init(&monotonic) == 0);
    SP_CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    SP_CHECK(pthread_cond_init(&made->news, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
    if (sp_thread_start(&made->thread, run, made) != 0) {
        free_spans(made);
        return SNAKEPIT_SYSTEM;
    }
    *spans = made;
    return SNAKEPIT_OK;
}

void sp_spans_close(struct sp_spans *spans)
{
    if (spans == NULL) {
        return;
    }
    pthread_mutex_lock(&spans->lock);
    spans->stop = true;
    pthread_mutex_unlock(&spans->lock);
    pthread_cond_signal(&spans->news);
    SP_CHECK(pthread_join(spans->thread, NULL) == 0);
    free_spans(spans);
}
