// SPDX-License-Identifier: MIT
// Spans on their way to whoever takes them. The test is the taker, and may be slow.
#include "telemetry/spans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#define MANY (SP_SPANS_MOST + 100u)

// Guarded by lock.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool holds; // the taker does not come back
    bool held;
    size_t count;
    size_t largest; // batch
    uint64_t dropped;
    bool in_order;
    char name[64];
    char text[64];
    double real;
} taken = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER};

static void take(void *user,
                 const snakepit_trace_span *const *spans,
                 size_t count,
                 uint64_t dropped)
{
    pthread_mutex_lock(&taken.lock);
    assert_ptr_equal(user, &taken);
    taken.held = true;
    pthread_cond_broadcast(&taken.news);
    while (taken.holds) {
        pthread_cond_wait(&taken.news, &taken.lock);
    }
    for (size_t i = 0; i < count; i++) {
        taken.in_order &= spans[i]->attributes[0].integer == (int64_t)taken.count;
        taken.count++;
    }
    taken.largest = count > taken.largest ? count : taken.largest;
    taken.dropped += dropped;
    (void)snprintf(taken.name, sizeof taken.name, "%s", spans[0]->name);
    if (spans[0]->attribute_count > 2) {
        (void)snprintf(
            taken.text, sizeof taken.text, "%s", spans[0]->attributes[1].text);
        taken.real = spans[0]->attributes[2].real;
    }
    pthread_mutex_unlock(&taken.lock);
}

static struct sp_spans *begin(double sample)
{
    struct sp_spans *spans;
    taken.holds = false;
    taken.held = false;
    taken.count = 0;
    taken.largest = 0;
    taken.dropped = 0;
    taken.in_order = true;
    assert_int_equal(sp_spans_open(take, &taken, sample, &spans), SNAKEPIT_OK);
    return spans;
}

static struct sp_span *number(int64_t value)
{
    struct sp_trace_context context;
    sp_trace_begin(&context);
    struct sp_span *span = sp_span_new(&context, NULL);
    sp_span_set_name(span, sp_slice_of_text("a span"));
    sp_span_add_integer(span, "n", value);
    return span;
}

static void all_that_has_ended_is_handed_on_before_the_end(void **state)
{
    (void)state;
    struct sp_spans *spans = begin(1.0);
    for (int64_t i = 0; i < 3; i++) {
        struct sp_span *span = number(i);
        sp_span_add_text(span, "text", sp_slice_of_text("snake"));
        sp_span_add_real(span, "real", 2.5);
        sp_span_end(spans, span);
    }
    sp_spans_close(spans);
    assert_int_equal(taken.count, 3);
    assert_true(taken.in_order);
    assert_string_equal(taken.name, "a span");
    assert_string_equal(taken.text, "snake");
    assert_true(taken.real == 2.5);
}

static void a_taker_that_is_slow_loses_some_and_is_told_how_many(void **state)
{
    (void)state;
    struct sp_spans *spans = begin(1.0);
    taken.holds = true;
    sp_span_end(spans, number(0));
    pthread_mutex_lock(&taken.lock);
    while (!taken.held) {
        pthread_cond_wait(&taken.news, &taken.lock);
    }
    pthread_mutex_unlock(&taken.lock);
    for (int64_t i = 1; i <= MANY; i++) {
        sp_span_end(spans, number(i));
    }
    sp_span_end(spans, NULL); // there was no memory for it
    pthread_mutex_lock(&taken.lock);
    taken.holds = false;
    pthread_cond_broadcast(&taken.news);
    pthread_mutex_unlock(&taken.lock);
    sp_spans_close(spans);
    assert_int_equal(taken.count, 1 + SP_SPANS_MOST);
    assert_int_equal(taken.dropped, MANY - SP_SPANS_MOST + 1);
    assert_true(taken.largest <= SP_SPANS_BATCH);
    assert_true(taken.in_order);
}

static void attributes_and_texts_are_bounded(void **state)
{
    (void)state;
    char text[SP_SPAN_TEXTS_MOST];
    memset(text, 'x', sizeof text);
    struct sp_spans *spans = begin(1.0);
    struct sp_span *span = number(0);
    for (size_t i = 0; i < 2 * (size_t)SP_SPAN_ATTRIBUTES; i++) {
        sp_span_add_boolean(span, "b", true);
    }
    assert_int_equal(span->told.attribute_count, SP_SPAN_ATTRIBUTES);
    sp_span_set_name(span, (struct sp_slice){(uint8_t *)text, sizeof text});
    sp_span_end(spans, span);
    sp_spans_close(spans);
    assert_string_equal(taken.name, "");
}

static void the_part_that_is_recorded_is_the_one_that_was_asked_for(void **state)
{
    (void)state;
    struct sp_spans *spans = begin(0.0);
    int recorded = 0;
    assert_false(sp_spans_sample(spans));
    sp_spans_set_sample(spans, 1.0);
    assert_true(sp_spans_sample(spans));
    sp_spans_set_sample(spans, 0.25);
    for (int i = 0; i < 100000; i++) {
        recorded += sp_spans_sample(spans);
    }
    assert_in_range(recorded, 24000, 26000);
    sp_spans_close(spans);
    sp_spans_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_has_ended_is_handed_on_before_the_end),
        cmocka_unit_test(a_taker_that_is_slow_loses_some_and_is_told_how_many),
        cmocka_unit_test(attributes_and_texts_are_bounded),
        cmocka_unit_test(the_part_that_is_recorded_is_the_one_that_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
