// SPDX-License-Identifier: MIT
// The figures of a pit as one text.
#include "fakes.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static snakepit_metrics_options wanted; // of the next text

static char *text_of(void)
{
    char *text;
    size_t size;
    wanted.size = sizeof wanted;
    assert_int_equal(snakepit_metrics(pit, &wanted, &text, &size), SNAKEPIT_OK);
    assert_int_equal(strlen(text), size);
    return text;
}

static double value_of(const char *name)
{
    double value = -1;
    char *text = text_of();
    const char *at = strstr(text, name);
    if (at == NULL || sscanf(at + strlen(name), " %lf", &value) != 1) {
        fail_msg("there is no %s", name);
    }
    snakepit_metrics_free(text);
    return value;
}

static void call(const char *tool)
{
    snakepit_answer *answer;
    (void)snakepit_call(pit, tool, NULL, NULL, &answer);
    snakepit_answer_free(answer);
}

static void a_call_counts_once(void **state)
{
    (void)state;
    pit_open_ready("");
    for (int i = 1; i <= 5; i++) {
        call(i % 2 == 0 ? "fault" : "echo");
        assert_int_equal(value_of("snakepit_pool_calls_total{pool=\"default\"}"), i);
        assert_int_equal(value_of("snakepit_pool_run_seconds_count{pool=\"default\"}"),
                         i);
        assert_int_equal(value_of("snakepit_pool_line_seconds_count{pool=\"default\"}"),
                         i);
    }
    assert_int_equal(value_of("snakepit_pool_line_seconds_sum{pool=\"default\"}"), 0);
}

static void done(void *user, snakepit_err err, snakepit_answer *answer)
{
    assert_int_equal(err, SNAKEPIT_OK);
    snakepit_answer_free(answer);
    atomic_fetch_add((_Atomic int *)user, 1);
}

// The second one has no place in the worker before the first one has ended.
static void what_waits_in_the_line_is_told(void **state)
{
    static _Atomic int ended;
    const uint64_t begun = sp_clock_now();
    (void)state;
    pit_fakes.by_hand = true;
    pit_open_ready("|    prefetch: 0");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(snakepit_submit(pit, "echo", NULL, NULL, done, &ended, NULL),
                         SNAKEPIT_OK);
    }
    const uint64_t lined = sp_clock_now();
    struct fake_call first = pit_take();
    while (sp_clock_now() < lined + SP_NS_PER_MS) {
        sp_clock_relax();
    }
    pit_serve(&first);
    struct fake_call second = pit_take();
    const uint64_t over = sp_clock_now();
    pit_serve(&second);
    PIT_AWAIT(ended == 2);
    const double told = value_of("snakepit_pool_line_seconds_sum{pool=\"default\"}");
    assert_true(told >= 0.9e-3);
    assert_true(told <= (double)(over - begun) / 1e9 * 1.1);
    assert_int_equal(value_of("snakepit_pool_line_seconds_count{pool=\"default\"}"), 2);
}

static bool none(void *user, const char *pool)
{
    assert_string_equal(pool, "default");
    ++*(int *)user;
    return false;
}

static void a_program_chooses_what_is_told(void **state)
{
    int asked = 0;
    (void)state;
    pit_open_ready("");
    wanted = (snakepit_metrics_options){.wants = none, .user = &asked};
    char *text = text_of();
    assert_null(strstr(text, "snakepit_pool"));
    assert_int_equal(asked, 1);
    snakepit_metrics_free(text);
    wanted = (snakepit_metrics_options){.openmetrics = true};
    text = text_of();
    assert_non_null(strstr(text, "\n# EOF\n"));
    snakepit_metrics_free(text);
    wanted.goes_on = true;
    text = text_of();
    assert_null(strstr(text, "# EOF"));
    snakepit_metrics_free(text);
    wanted = (snakepit_metrics_options){0};
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    pit_open_ready("");
    const snakepit_metrics_options unsized = {.openmetrics = true};
    assert_int_equal(snakepit_metrics(NULL, NULL, &text, &size),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_metrics(pit, &unsized, &text, &size),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_metrics(pit, NULL, NULL, &size),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_metrics(pit, NULL, &text, NULL),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_null(text);
    for (long nth = 1; nth <= 2; nth++) {
        sp_memory_fail_at(nth);
        assert_int_equal(snakepit_metrics(pit, NULL, &text, &size), SNAKEPIT_NO_MEMORY);
        sp_memory_fail_at(0);
    }
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(a_call_counts_once),
        PIT_TEST(what_waits_in_the_line_is_told),
        PIT_TEST(a_program_chooses_what_is_told),
        PIT_TEST(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
