// SPDX-License-Identifier: MIT
// Threads that call and wait, against workers with threads of their own: what TSan is
// for.
#include "pool/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ipc/futex.h"
#include "support/pool_fixture.h"

static struct fixture fixture;

static int open_default(void **state)
{
    (void)state;
    const struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void a_call_returns_what_its_tool_did(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    fake_start(side->fake);
    for (int i = 0; i < 100; i++) {
        struct caller caller;
        fixture_call(&caller, &fixture, "echo", "hello", 5000);
        fixture_join(&caller);
        assert_echoed(&caller.outcome, "hello");
    }
}

static void a_caller_in_the_line_leaves_at_its_deadline(void **state)
{
    (void)state;
    struct caller caller;
    uint64_t begun = sp_clock_now();
    fixture_call(&caller, &fixture, "echo", "x", 30);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_true(sp_clock_now() - begun >= 30 * SP_NS_PER_MS);
    assert_int_equal(fixture_in_line(&fixture), 0);
}

static void a_caller_whose_call_was_not_taken_leaves_at_its_deadline(void **state)
{
    (void)state;
    struct caller caller;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    fixture_call(&caller, &fixture, "echo", "x", 30);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_DEADLINE_EXCEEDED, "worker");
    assert_int_equal(fake_take(side->fake, &call), FAKE_WAS_TAKEN_BACK);
}

static void a_caller_whose_call_runs_leaves_at_its_deadline(void **state)
{
    (void)state;
    struct caller caller;
    struct side *side = fixture_add(&fixture, 1);
    fake_start(side->fake);
    uint32_t ms = 15;
    do {
        ms *= 2; // on a busy machine it may not have begun
        fixture_call(&caller, &fixture, "hold", "x", ms);
        fixture_join(&caller);
    } while (strcmp(caller.outcome.stage, "worker") == 0);
    assert_ended(&caller.outcome, SNAKEPIT_DEADLINE_EXCEEDED, "running");
    assert_int_equal(fixture.pool->orphans, 1);
    fake_release(side->fake, 1);
    FIXTURE_AWAIT(fixture_tick(&fixture, 0) == false);
    assert_int_equal(fixture.pool->orphans, 0);
}

static void closing_wakes_every_waiting_caller(void **state)
{
    (void)state;
    struct caller callers[3];
    struct side *side = fixture_add(&fixture, 1);
    fake_start(side->fake);
    for (int i = 0; i < 3; i++) {
        fixture_call(&callers[i], &fixture, "hold", "x", 0);
    }
    FIXTURE_AWAIT(fixture_placed(&fixture) == 1 && fixture_in_line(&fixture) == 2);
    FIXTURE_AWAIT(fake_started(side->fake) == 1);
    sp_pool_begin_close(fixture.pool);
    sp_pool_end_all(fixture.pool);
    for (int i = 0; i < 3; i++) {
        fixture_join(&callers[i]);
        assert_int_equal(callers[i].outcome.err, SNAKEPIT_SHUTTING_DOWN);
    }
}

static void closing_wakes_a_caller_whose_worker_has_wiped_its_mark(void **state)
{
    (void)state;
    struct caller caller;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    // Long enough that a caller who is not woken is told apart from one who is.
    fixture_call(&caller, &fixture, "never", "x", 4000);
    FIXTURE_AWAIT(fake_take_started(side->fake, &call));
    _Atomic uint32_t *word = &side->port->view.slots[call.slot].result.state;
    FIXTURE_AWAIT((atomic_load(word) & SP_SLOT_WAITER) != 0);
    atomic_store(word, SP_SLOT_RUNNING);
    uint64_t begun = sp_clock_now();
    sp_pool_begin_close(fixture.pool);
    sp_pool_end_all(fixture.pool);
    fixture_join(&caller);
    assert_int_equal(caller.outcome.err, SNAKEPIT_SHUTTING_DOWN);
    assert_true(sp_clock_now() - begun < 2 * SP_NS_PER_S);
}

// ---- Many ---------------------------------------------------------------------

#define CALLERS 6
#define CALLS   400

struct many {
    uint32_t index;
    uint32_t wrong;
    _Atomic bool left;
    pthread_t thread;
};

static void *call_many(void *argument)
{
    struct many *many = argument;
    for (uint32_t i = 0; i < CALLS; i++) {
        char body[32];
        int size = snprintf(body, sizeof body, "%u/%u", many->index, i);
        struct snakepit_writer *writer = snakepit_writer_new();
        snakepit_writer_strn(writer, body, (size_t)size);
        const struct sp_order order = {
            .text = {.tool = i % 7 == 0 ? "large" : "echo",
                     .tool_size = i % 7 == 0 ? 5 : 4,
                     .args = writer},
            .timeout_ms = 20000,
        };
        struct sp_call *call = NULL;
        snakepit_err err = sp_pool_call(fixture.pool, &order, &call);
        bool right =
            err == SNAKEPIT_OK &&
            (i % 7 == 0 ? call->body.size == FAKE_LARGE
                        : call->body.size == (size_t)size + 1 &&
                              memcmp(call->body.data + 1, body, (size_t)size) == 0);
        many->wrong += right ? 0 : 1;
        sp_pool_release(call);
        snakepit_writer_free(writer);
    }
    atomic_store(&many->left, true);
    return NULL;
}

static void many_callers_and_executors_lose_and_confuse_nothing(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = UINT32_MAX;
    fixture_close(&fixture);
    fixture_open(&fixture, &options);
    struct many callers[CALLERS] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        fake_start(fixture_add(&fixture, i + 1)->fake);
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i].index = i;
        assert_int_equal(
            pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    }
    static struct outcome outcomes[CALLS];
    for (uint32_t i = 0; i < CALLS; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "async", 20000, &outcomes[i]),
                         SNAKEPIT_OK);
        fixture_drain(&fixture);
        FIXTURE_AWAIT((fixture_drain(&fixture), fixture_in_line(&fixture) < 50));
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        // Somebody must drain meanwhile: what has ended keeps its place until then.
        FIXTURE_AWAIT((fixture_drain(&fixture), atomic_load(&callers[i].left)));
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].wrong, 0);
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        FIXTURE_AWAIT((fixture_drain(&fixture), outcomes[i].ended > 0));
        assert_echoed(&outcomes[i], "async");
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(fake_most_at_once(fixture.sides[i].fake) <= i + 1);
    }
    assert_int_equal(fixture.pool->counters.violations, 0);
}

// ---- Time that was spent before -----------------------------------------------

// A call whose time began `ago_ms` before it comes to the pool.
static snakepit_err call_late(uint64_t ago_ms, uint32_t timeout_ms, char message[256])
{
    struct sp_call *call = NULL;
    struct snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_nil(writer);
    const struct sp_order order = {
        .text = {.tool = "echo",
                 .tool_size = 4,
                 .args = writer,
                 .begun = sp_clock_now() - ago_ms * SP_NS_PER_MS},
        .timeout_ms = timeout_ms,
    };
    snakepit_err err = sp_pool_call(fixture.pool, &order, &call);
    (void)snprintf(
        message, 256, "%s", call->err == SNAKEPIT_OK ? "" : call->fault.message);
    sp_pool_release(call);
    snakepit_writer_free(writer);
    return err;
}

static void the_time_of_a_call_counts_from_where_it_began(void **state)
{
    (void)state;
    char message[256];
    struct side *side = fixture_add(&fixture, 1);
    fake_start(side->fake);
    assert_int_equal(call_late(60000, 120000, message), SNAKEPIT_OK);
    uint64_t ran = fixture_ended(&fixture);
    assert_int_equal(call_late(60000, 60000, message), SNAKEPIT_DEADLINE_EXCEEDED);
    assert_non_null(strstr(message, "time ran out"));
    assert_int_equal(fixture_ended(&fixture), ran + 1);
    assert_int_equal(fixture.pool->counters.ended[SNAKEPIT_DEADLINE_EXCEEDED], 1);
}

// ---- Many with few sessions ---------------------------------------------------

#define VISITORS 6
#define SESSIONS 3
#define VISITS   200

struct visitor {
    const char *session;
    uint32_t wrong;
    _Atomic bool left;
    pthread_t thread;
};

static void *visit(void *argument)
{
    struct visitor *visitor = argument;
    struct snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_nil(writer);
    for (int i = 0; i < VISITS; i++) {
        const struct sp_order order = {
            .text = {.tool = "echo",
                     .tool_size = 4,
                     .session = i % 3 == 2 ? NULL : visitor->session,
                     .session_size = i % 3 == 2 ? 0 : 1,
                     .args = writer},
            .timeout_ms = 20000,
        };
        struct sp_call *call = NULL;
        snakepit_err err = sp_pool_call(fixture.pool, &order, &call);
        visitor->wrong += err == SNAKEPIT_OK || err == SNAKEPIT_SESSION_LOST ||
                                  err == SNAKEPIT_WORKER_DIED
                              ? 0
                              : 1;
        sp_pool_release(call);
    }
    snakepit_writer_free(writer);
    atomic_store(&visitor->left, true);
    return NULL;
}

static struct side *busiest(void)
{
    struct side *busiest = &fixture.sides[0];
    for (uint32_t i = 1; i < 3; i++) {
        if (fake_started(fixture.sides[i].fake) > fake_started(busiest->fake)) {
            busiest = &fixture.sides[i];
        }
    }
    return busiest;
}

static void many_callers_of_few_sessions_all_get_answers_through_a_death(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    struct sp_pool_options options = fixture_options();
    options.affinity = SP_AFFINITY_STRICT_QUEUE;
    options.prefetch = UINT32_MAX;
    fixture_close(&fixture);
    fixture_open(&fixture, &options);
    struct visitor visitors[VISITORS] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        fake_start(fixture_add(&fixture, i + 1)->fake);
    }
    for (uint32_t i = 0; i < VISITORS; i++) {
        visitors[i].session = names[i % SESSIONS];
        assert_int_equal(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]),
                         0);
    }
    // Which worker the sessions went to is chance.
    FIXTURE_AWAIT(fake_started(busiest()->fake) > 20);
    fixture_kill(&fixture, busiest(), "gone");
    for (uint32_t i = 0; i < VISITORS; i++) {
        FIXTURE_AWAIT((fixture_drain(&fixture), atomic_load(&visitors[i].left)));
        assert_int_equal(pthread_join(visitors[i].thread, NULL), 0);
        assert_int_equal(visitors[i].wrong, 0);
    }
    assert_int_equal(fixture_in_line(&fixture), 0);
    assert_int_equal(fixture.pool->ties.names.count, SESSIONS);
    assert_int_equal(fixture.pool->counters.violations, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_default, close_fixture)

// The executor that one ring wakes may be busy with the first of the calls for long.
static void calls_that_are_placed_together_wake_an_executor_each(void **state)
{
    (void)state;
    static struct outcome outcomes[6];
    struct side *side = fixture_add(&fixture, 3);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_int_equal(fixture_in_line(&fixture), 3);
    struct fake_call calls[3];
    for (int i = 0; i < 3; i++) {
        assert_true(fake_take_started(side->fake, &calls[i]));
    }
    for (int i = 0; i < 3; i++) {
        fake_serve(side->fake, &calls[i]);
    }
    struct sp_bell *bell = &side->port->view.header->bell;
    uint32_t before = atomic_load(&bell->word);
    atomic_store(&bell->sleepers, 3);
    fixture_drain(&fixture);
    assert_int_equal(fixture_in_line(&fixture), 0);
    assert_int_equal(atomic_load(&bell->word) - before, 3);
    assert_int_equal(atomic_load(&bell->sleepers), 0);
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(outcomes[5].ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_call_returns_what_its_tool_did),
        test(a_caller_in_the_line_leaves_at_its_deadline),
        test(a_caller_whose_call_was_not_taken_leaves_at_its_deadline),
        test(a_caller_whose_call_runs_leaves_at_its_deadline),
        test(closing_wakes_every_waiting_caller),
        test(closing_wakes_a_caller_whose_worker_has_wiped_its_mark),
        test(calls_that_are_placed_together_wake_an_executor_each),
        test(the_time_of_a_call_counts_from_where_it_began),
        test(many_callers_and_executors_lose_and_confuse_nothing),
        test(many_callers_of_few_sessions_all_get_answers_through_a_death),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
