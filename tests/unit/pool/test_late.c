// SPDX-License-Identifier: MIT
// Where calls were whose time was up: seen before they are answered, but nobody is
// answered late for that.
#include "pool/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

static struct fixture fixture;
static uint32_t looks;
static uint64_t slow_ns; // how long a look takes

static int open_default(void **state)
{
    (void)state;
    const struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
    looks = 0;
    slow_ns = 0;
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void where(void *user, uint64_t worker, uint64_t call, struct sp_buf *text)
{
    (void)user;
    const uint64_t until = sp_clock_now() + slow_ns;
    while (sp_clock_now() < until) {
        sp_clock_relax();
    }
    looks++;
    (void)sp_buf_printf(text, "worker %d call %d", (int)worker, call != 0);
}

// What became of a call, and its fault's stack.
struct ended {
    snakepit_err err;
    char stack[64];
};

static void on_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct ended *ended = user;
    ended->err = err;
    (void)snprintf(
        ended->stack, sizeof ended->stack, "%s", sp_call_of(answer)->fault.late_stack);
    sp_pool_release(sp_call_of(answer));
}

static void submit(struct ended *ended)
{
    const struct sp_order order = {
        .text = {.tool = "echo", .tool_size = 4},
        .timeout_ms = 1000,
        .done = on_end,
        .user = ended,
    };
    assert_int_equal(sp_pool_submit(fixture.pool, &order), SNAKEPIT_OK);
}

// Workers with an executor each.
static struct side *add(uint32_t workers)
{
    for (uint32_t i = 0; i < workers; i++) {
        fixture_add(&fixture, 1)->seat->worker_id = i + 1;
    }
    fixture.pool->hooks.where = where;
    return fixture.sides;
}

static void begin(struct side *side)
{
    struct fake_call call;
    assert_true(fake_take_started(side->fake, &call));
}

static void a_call_whose_time_is_up_is_seen_first(void **state)
{
    struct ended ended = {.err = SNAKEPIT_OK};
    (void)state;
    struct side *side = add(1);
    submit(&ended);
    begin(side);
    (void)fixture_tick(&fixture, 2000);
    assert_int_equal(ended.err, SNAKEPIT_DEADLINE_EXCEEDED);
    assert_string_equal(ended.stack, "worker 1 call 1");
    assert_int_equal(looks, 1);
}

static void one_that_no_executor_has_begun_is_not_looked_for(void **state)
{
    struct ended ended = {.err = SNAKEPIT_OK};
    (void)state;
    add(1);
    submit(&ended);
    (void)fixture_tick(&fixture, 2000);
    assert_int_equal(ended.err, SNAKEPIT_DEADLINE_EXCEEDED);
    assert_string_equal(ended.stack, "");
    assert_int_equal(looks, 0);
}

// However many are late at once, a look that has taken long is the last one.
static void others_are_not_held_up_by_a_look(void **state)
{
    struct ended ended[3] = {{.err = SNAKEPIT_OK}};
    (void)state;
    struct side *sides = add(3);
    for (uint32_t i = 0; i < 3; i++) {
        submit(&ended[i]);
    }
    for (uint32_t i = 0; i < 3; i++) {
        begin(&sides[i]);
    }
    slow_ns = 2 * SP_NS_PER_MS;
    (void)fixture_tick(&fixture, 2000);
    uint32_t known = 0;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(ended[i].err, SNAKEPIT_DEADLINE_EXCEEDED);
        known += ended[i].stack[0] != 0;
    }
    assert_int_equal(known, 1);
    assert_int_equal(looks, 1);
}

static void a_caller_that_waits_sees_for_itself(void **state)
{
    struct caller caller;
    (void)state;
    struct side *side = add(1);
    fixture_call(&caller, &fixture, "echo", "text", 300);
    struct fake_call call;
    FIXTURE_AWAIT(fake_take_started(side->fake, &call));
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_DEADLINE_EXCEEDED, "running");
    assert_int_equal(looks, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_whose_time_is_up_is_seen_first),
        TEST(one_that_no_executor_has_begun_is_not_looked_for),
        TEST(others_are_not_held_up_by_a_look),
        TEST(a_caller_that_waits_sees_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
