// SPDX-License-Identifier: MIT
// What a pool promises whoever calls: who gets in, in which order, and how it all ends.
#include "pool/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
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

static void reopen(struct sp_pool_options options)
{
    fixture_close(&fixture);
    fixture_open(&fixture, &options);
}

// ---- What is seen ---------------------------------------------------------------

static void the_tool_of_a_call_is_known_while_a_worker_has_it(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct sp_call_told told;
    struct side *side = fixture_add(&fixture, 1);
    side->seat->worker_id = 7;
    assert_int_equal(fixture_submit(&fixture, "ec\x1bho", "text", 0, &outcome),
                     SNAKEPIT_OK);
    uint64_t call =
        SP_ENTRY(side->seat->calls.next, struct sp_call, placement.link)->id;
    sp_pool_tell_call(fixture.pool, 7, call, &told);
    assert_string_equal(told.tool, "ec?ho");
    assert_false(told.stuck);
    sp_pool_tell_call(fixture.pool, 7, call + 1, &told);
    assert_string_equal(told.tool, "");
    sp_pool_tell_call(fixture.pool, 8, call, &told);
    assert_string_equal(told.tool, "");
    assert_true(fixture_serve_one(&fixture, side));
    sp_pool_tell_call(fixture.pool, 7, call, &told);
    assert_string_equal(told.tool, "");
}

// ---- Admission ----------------------------------------------------------------

static void a_call_waits_until_a_worker_is_added(void **state)
{
    (void)state;
    static struct outcome outcome;
    assert_int_equal(fixture_submit(&fixture, "echo", "early", 0, &outcome),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_in_line(&fixture), 1);
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_in_line(&fixture), 0);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcome, "early");
}

static void a_call_past_its_deadline_is_not_given_to_a_worker(void **state)
{
    (void)state;
    static struct outcome outcomes[3];
    assert_int_equal(fixture_submit(&fixture, "echo", "late", 1, &outcomes[0]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_submit(&fixture, "echo", "later", 1, &outcomes[1]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_submit(&fixture, "echo", "in time", 0, &outcomes[2]),
                     SNAKEPIT_OK);
    uint64_t over = sp_clock_now() + 2 * SP_NS_PER_MS;
    FIXTURE_AWAIT(sp_clock_coarse() >= over);
    struct side *side = fixture_add(&fixture, 1);
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_ended(&outcomes[1], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[2], "in time");
    assert_int_equal(fixture.pool->counters.ended[SNAKEPIT_DEADLINE_EXCEEDED], 2);
}

static void without_prefetch_a_worker_holds_no_more_than_it_runs(void **state)
{
    (void)state;
    static struct outcome outcomes[5];
    struct fake_call calls[5];
    struct side *side = fixture_add(&fixture, 2);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_int_equal(side->seat->load, 2);
    assert_int_equal(fixture_in_line(&fixture), 3);
    assert_true(fake_take_started(side->fake, &calls[0]));
    assert_true(fake_take_started(side->fake, &calls[1]));
    assert_false(fake_take_started(side->fake, &calls[2]));
    fake_serve(side->fake, &calls[1]);
    fixture_drain(&fixture);
    assert_int_equal(side->seat->load, 2);
    assert_int_equal(outcomes[1].ended, 1);
    assert_int_equal(outcomes[0].ended, 0);
    fake_serve(side->fake, &calls[0]);
    while (fixture_serve_one(&fixture, side)) {
    }
    for (int i = 0; i < 5; i++) {
        assert_echoed(&outcomes[i], "x");
    }
}

static void waiting_calls_are_served_first_come_first_served(void **state)
{
    (void)state;
    static struct outcome outcomes[6];
    char text[6][2];
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 6; i++) {
        text[i][0] = (char)('a' + i);
        text[i][1] = 0;
        assert_int_equal(fixture_submit(&fixture, "echo", text[i], 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(outcomes[i].ended, 0);
        assert_true(fixture_serve_one(&fixture, side));
        assert_echoed(&outcomes[i], text[i]);
    }
}

static void full_line_says_saturated(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.max_queue = 2;
    reopen(options);
    static struct outcome outcomes[4];
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[3]),
                     SNAKEPIT_SATURATED);
    assert_int_equal(fixture.pool->counters.ended[SNAKEPIT_SATURATED], 1);
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(outcomes[3].ended, 0);
    assert_int_equal(outcomes[2].ended, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[3]),
                     SNAKEPIT_OK);
}

static void a_saturated_synchronous_caller_gets_a_fault_that_says_so(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.max_queue = 0;
    reopen(options);
    struct caller caller;
    fixture_call(&caller, &fixture, "echo", "x", 0);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_SATURATED, "line");
}

static void numbers_of_calls_are_never_used_twice_and_name_their_pool(void **state)
{
    (void)state;
    static struct outcome outcomes[3];
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        assert_int_equal(outcomes[i].id & 0xfff, 3);
    }
    assert_true(outcomes[0].id < outcomes[1].id && outcomes[1].id < outcomes[2].id);
}

// ---- Prefetch -----------------------------------------------------------------

static void prefetch_hands_over_as_many_as_configured(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 2;
    reopen(options);
    static struct outcome outcomes[6];
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_int_equal(side->seat->load, 3);
    assert_int_equal(fixture_in_line(&fixture), 3);
}

static void prefetch_never_exceeds_the_slots(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 1000;
    reopen(options);
    static struct outcome outcomes[FIXTURE_SLOTS + 4];
    struct side *side = fixture_add(&fixture, 1);
    for (uint32_t i = 0; i < FIXTURE_SLOTS + 4; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_int_equal(side->seat->load, FIXTURE_SLOTS);
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(outcomes[FIXTURE_SLOTS + 3].ended, 1);
}

static uint32_t load_after_calls_of(uint64_t us)
{
    struct sp_pool_options options = fixture_options();
    options.prefetch = UINT32_MAX;
    reopen(options);
    static struct outcome outcomes[FIXTURE_SLOTS + 1];
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[0]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[1]),
                     SNAKEPIT_OK);
    // Nothing is known of the calls yet, so nothing is handed over in advance.
    assert_int_equal(side->seat->load, 1);
    assert_true(fake_take_started(side->fake, &call));
    struct sp_slot_result result = fake_echo(side->fake, &call);
    result.ran_ticks = us * sp_clock_ticks_per_us();
    fake_publish(side->fake, call.slot, &result);
    fixture_drain(&fixture);
    for (uint32_t i = 2; i <= FIXTURE_SLOTS; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    uint32_t load = side->seat->load;
    fixture_close(&fixture);
    const struct sp_pool_options again = fixture_options();
    fixture_open(&fixture, &again);
    return load;
}

static void automatic_prefetch_follows_the_observed_service_time(void **state)
{
    (void)state;
    assert_int_equal(load_after_calls_of(1), FIXTURE_SLOTS);
    assert_int_equal(load_after_calls_of(100), 3);
    assert_int_equal(load_after_calls_of(1000), 1);
    // A claim of a thousand years is cut.
    assert_int_equal(load_after_calls_of(UINT64_C(1) << 40), 1);
}

// ---- The end ------------------------------------------------------------------

static void closing_refuses_new_calls_and_lets_admitted_ones_go_on(void **state)
{
    (void)state;
    static struct outcome first;
    static struct outcome second;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "in", 0, &first), SNAKEPIT_OK);
    sp_pool_begin_close(fixture.pool);
    assert_int_equal(fixture_submit(&fixture, "echo", "late", 0, &second),
                     SNAKEPIT_SHUTTING_DOWN);
    assert_true(sp_pool_is_busy(fixture.pool));
    uint32_t before = fixture.changed;
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&first, "in");
    assert_false(sp_pool_is_busy(fixture.pool));
    assert_true(fixture.changed > before);
    sp_pool_set_state(fixture.pool, SP_POOL_READY, NULL);
    assert_int_equal(fixture.pool->state, SP_POOL_STOPPING);
}

static void ending_all_answers_every_call_wherever_it_is(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 1;
    reopen(options);
    static struct outcome outcomes[4];
    struct fake_call running;
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_true(fake_take_started(side->fake, &running));
    sp_pool_begin_close(fixture.pool);
    sp_pool_end_all(fixture.pool);
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_SHUTTING_DOWN, "running");
    assert_ended(&outcomes[1], SNAKEPIT_SHUTTING_DOWN, "worker");
    assert_ended(&outcomes[2], SNAKEPIT_SHUTTING_DOWN, "line");
    assert_ended(&outcomes[3], SNAKEPIT_SHUTTING_DOWN, "line");
    assert_false(sp_pool_is_busy(fixture.pool));
    // The worker still holds what it runs.
    assert_true(sp_pool_seat_is_busy(fixture.pool, side->seat));
    fake_serve(side->fake, &running);
    (void)fixture_tick(&fixture, 0);
    assert_false(sp_pool_seat_is_busy(fixture.pool, side->seat));
    assert_int_equal(outcomes[0].ended, 1);
}

static void a_failed_pool_answers_its_line_and_refuses_with_the_reason(void **state)
{
    (void)state;
    static struct outcome waiting;
    static struct outcome late;
    struct caller caller;
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &waiting), SNAKEPIT_OK);
    fixture_call(&caller, &fixture, "echo", "y", 0);
    FIXTURE_AWAIT(fixture_in_line(&fixture) == 2);
    sp_pool_set_state(fixture.pool, SP_POOL_FAILED, "there is no Python");
    fixture_drain(&fixture);
    fixture_join(&caller);
    assert_ended(&waiting, SNAKEPIT_POOL_FAILED, "line");
    assert_ended(&caller.outcome, SNAKEPIT_POOL_FAILED, "line");
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &late),
                     SNAKEPIT_POOL_FAILED);
    assert_string_equal(fixture.pool->failure, "there is no Python");
}

static void take_only_answer(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)err;
    *(struct sp_call **)user = sp_call_of(answer);
}

static void an_answer_may_be_released_after_its_pool_was_closed(void **state)
{
    (void)state;
    struct sp_call *kept = NULL;
    const struct sp_order order = {.text = {.tool = "large", .tool_size = 5},
                                   .done = take_only_answer,
                                   .user = &kept};
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(sp_pool_submit(fixture.pool, &order), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_non_null(kept);
    assert_non_null(kept->port);
    fixture_close(&fixture);
    assert_int_equal(kept->body.size, FAKE_LARGE);
    assert_int_equal(kept->body.data[FAKE_LARGE - 1], 0xc0);
    sp_pool_release(kept);
    const struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
}

// ---- Memory -------------------------------------------------------------------

static void every_failed_allocation_of_opening_is_survived(void **state)
{
    (void)state;
    const struct sp_pool_options options = fixture_options();
    const struct sp_pool_hooks hooks = {0};
    snakepit_err err;
    long nth = 0;
    do {
        struct sp_pool *pool = NULL;
        sp_memory_fail_at(++nth);
        err = sp_pool_open(&options, &hooks, NULL, &pool, NULL);
        sp_memory_fail_at(0);
        if (err == SNAKEPIT_OK) {
            sp_pool_close(pool);
        } else {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_null(pool);
        }
    } while (err != SNAKEPIT_OK);
    assert_true(nth > 3);
}

static void every_failed_allocation_of_a_call_is_an_answer(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    snakepit_err err;
    long nth = 0;
    do {
        struct sp_pool_options options = fixture_options();
        reopen(options);
        side = fixture_add(&fixture, 1);
        static struct outcome outcome;
        struct sp_call *kept = NULL;
        const struct sp_order order = {.text = {.tool = "echo", .tool_size = 4},
                                       .done = take_only_answer,
                                       .user = &kept};
        sp_memory_fail_at(++nth);
        err = sp_pool_submit(fixture.pool, &order);
        sp_memory_fail_at(0);
        if (err == SNAKEPIT_OK) {
            assert_true(fixture_serve_one(&fixture, side));
            assert_non_null(kept);
            sp_pool_release(kept);
        } else {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_null(kept);
        }
        // The pool works after it.
        assert_int_equal(fixture_submit(&fixture, "echo", "next", 0, &outcome),
                         SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        assert_echoed(&outcome, "next");
    } while (err != SNAKEPIT_OK);
    assert_true(nth > 2);
}

static void a_large_result_without_memory_is_a_typed_fault(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "large", "x", 0, &outcome), SNAKEPIT_OK);
    (void)sp_tools_meet(&fixture.pool->tools, sp_slice_of_text("large"));
    assert_true(fake_take_started(side->fake, &call));
    fake_serve(side->fake, &call);
    sp_memory_fail_at(1);
    fixture_drain(&fixture);
    sp_memory_fail_at(0);
    assert_int_equal(outcome.ended, 1);
    assert_int_equal(outcome.err, SNAKEPIT_NO_MEMORY);
}

static void a_seat_without_memory_is_no_seat(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    snakepit_err err;
    long nth = 0;
    do {
        struct sp_seat *seat = NULL;
        sp_memory_fail_at(++nth);
        const struct sp_seat_terms terms = {
            .port = side->port, .worker = side, .worker_id = 9};
        err = sp_pool_add_seat(fixture.pool, &terms, &seat);
        sp_memory_fail_at(0);
        if (err == SNAKEPIT_OK) {
            sp_pool_close_seat(fixture.pool, seat);
            sp_pool_remove_seat(fixture.pool, seat);
        }
    } while (err != SNAKEPIT_OK);
    assert_int_equal(nth, 3);
    assert_int_equal(fixture.pool->loads.count, 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_default, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_tool_of_a_call_is_known_while_a_worker_has_it),
        test(a_call_waits_until_a_worker_is_added),
        test(a_call_past_its_deadline_is_not_given_to_a_worker),
        test(without_prefetch_a_worker_holds_no_more_than_it_runs),
        test(waiting_calls_are_served_first_come_first_served),
        test(full_line_says_saturated),
        test(a_saturated_synchronous_caller_gets_a_fault_that_says_so),
        test(numbers_of_calls_are_never_used_twice_and_name_their_pool),
        test(prefetch_hands_over_as_many_as_configured),
        test(prefetch_never_exceeds_the_slots),
        test(automatic_prefetch_follows_the_observed_service_time),
        test(closing_refuses_new_calls_and_lets_admitted_ones_go_on),
        test(ending_all_answers_every_call_wherever_it_is),
        test(a_failed_pool_answers_its_line_and_refuses_with_the_reason),
        test(an_answer_may_be_released_after_its_pool_was_closed),
        test(every_failed_allocation_of_opening_is_survived),
        test(every_failed_allocation_of_a_call_is_an_answer),
        test(a_large_result_without_memory_is_a_typed_fault),
        test(a_seat_without_memory_is_no_seat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
