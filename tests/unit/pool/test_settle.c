// SPDX-License-Identifier: MIT
// How calls end: by time, by their caller, by an answer that makes sense or by one that
// does not.
#include "pool/pool.h"

#include <string.h>

#include "base/clock.h"
#include "ipc/futex.h"
#include "ipc/ring.h"
#include "support/pool_fixture.h"

static struct fixture fixture;

// One seat of one executor that is handed one call in advance.
static int open_with_prefetch(void **state)
{
    struct sp_pool_options options = fixture_options();
    options.prefetch = 1;
    fixture_open(&fixture, &options);
    *state = fixture_add(&fixture, 1);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

// Three calls: the first runs, the second waits in the worker, the third in the line.
static void fill(struct side *side,
                 uint32_t timeout_ms,
                 struct outcome outcomes[3],
                 struct fake_call *running)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            fixture_submit(&fixture, "echo", "x", timeout_ms, &outcomes[i]),
            SNAKEPIT_OK);
    }
    assert_true(fake_take_started(side->fake, running));
    assert_int_equal(fixture_in_line(&fixture), 1);
}

// ---- Deadlines ----------------------------------------------------------------

static void a_deadline_ends_a_call_in_each_stage(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[3];
    struct fake_call running;
    fill(side, 1000, outcomes, &running);
    assert_true(fixture_tick(&fixture, 500));
    assert_int_equal(outcomes[2].ended, 0);
    (void)fixture_tick(&fixture, 501);
    assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "running");
    assert_ended(&outcomes[1], SNAKEPIT_DEADLINE_EXCEEDED, "worker");
    // It may have moved up in the same turn, but it was not run.
    assert_int_equal(outcomes[2].ended, 1);
    assert_int_equal(outcomes[2].err, SNAKEPIT_DEADLINE_EXCEEDED);
    assert_string_not_equal(outcomes[2].stage, "running");
    assert_int_equal(fixture.pool->counters.ended[SNAKEPIT_DEADLINE_EXCEEDED], 3);
}

static void the_time_in_the_line_may_have_a_limit_of_its_own(void **state)
{
    (void)state;
    fixture_close(&fixture);
    struct sp_pool_options options = fixture_options();
    options.queue_timeout_ms = 50;
    fixture_open(&fixture, &options);
    static struct outcome placed;
    static struct outcome waiting;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 1000, &placed), SNAKEPIT_OK);
    assert_int_equal(fixture_submit(&fixture, "echo", "b", 1000, &waiting),
                     SNAKEPIT_OK);
    (void)fixture_tick(&fixture, 60);
    assert_ended(&waiting, SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_int_equal(placed.ended, 0);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&placed, "a");
}

static void a_late_answer_is_dropped_and_its_slot_is_free_again(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[3];
    struct fake_call running;
    fill(side, 1000, outcomes, &running);
    (void)fixture_tick(&fixture, 1001);
    assert_int_equal(fixture.pool->orphans, 1);
    assert_int_equal(side->seat->load, 1);
    fake_serve(side->fake, &running);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(fixture.pool->orphans, 0);
    assert_int_equal(outcomes[0].ended, 1);
    // Those that were taken back are passed on when an executor comes to them.
    struct fake_call call;
    assert_int_equal(fake_take(side->fake, &call), FAKE_WAS_TAKEN_BACK);
    assert_false(fake_take_started(side->fake, &call));
    fixture_drain(&fixture);
    assert_int_equal(side->seat->load, 0);
    assert_int_equal(side->port->free_count, FIXTURE_SLOTS);
    assert_int_equal(side->port->notifying, 0);
    assert_int_equal(fixture.pool->counters.violations, 0);
}

static void an_answer_in_the_moment_of_the_deadline_is_reaped_too(void **state)
{
    struct side *side = *state;
    static struct outcome outcome;
    struct fake_call call;
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 1000, &outcome),
                     SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    fake_serve(side->fake, &call);
    // The host has not looked at the ring before the time is up.
    (void)fixture_tick(&fixture, 1001);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(outcome.ended, 1);
    assert_int_equal(fixture.pool->orphans, 0);
    assert_int_equal(side->port->free_count, FIXTURE_SLOTS);
    assert_int_equal(fixture.pool->counters.violations, 0);
}

static void a_call_that_cannot_be_ended_costs_its_worker(void **state)
{
    struct side *side = *state;
    static struct outcome outcome;
    struct fake_call call;
    assert_int_equal(fixture_submit(&fixture, "never", "x", 10, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    assert_true(fixture_tick(&fixture, 20));
    assert_int_equal(outcome.ended, 1);
    assert_int_equal(side->cancels, 1);
    assert_int_equal(side->cancelled_call, call.request.call);
    assert_int_equal(side->port->view.slots[call.slot].request.cancel, 1);
    assert_true(fixture_tick(&fixture, 50));
    assert_int_equal(side->stuck, 0);
    assert_true(fixture_tick(&fixture, 100));
    assert_true(fixture_tick(&fixture, 100));
    assert_int_equal(side->stuck, 1);
    assert_true(side->alone);
    assert_int_equal(side->cancels, 1);
    fixture_kill(&fixture, side, "killed by us");
    assert_int_equal(fixture.pool->orphans, 0);
    assert_false(fixture_tick(&fixture, 0));
}

static void a_worker_that_takes_no_call_is_avoided_and_then_killed(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[2];
    struct side *other = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 10, &outcomes[0]),
                     SNAKEPIT_OK);
    struct side *stuck = side->seat->load == 1 ? side : other;
    struct side *sound = stuck == side ? other : side;
    assert_true(fixture_tick(&fixture, 20));
    assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "worker");
    assert_int_equal(stuck->seat->load, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "b", 0, &outcomes[1]),
                     SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, sound));
    assert_echoed(&outcomes[1], "b");
    assert_true(fixture_tick(&fixture, 900));
    assert_int_equal(stuck->kills, 0);
    (void)fixture_tick(&fixture, 2000);
    assert_int_equal(stuck->kills, 1);
    assert_int_equal(stuck->death, SP_DEATH_SILENT);
    assert_int_equal(sound->kills, 0);
    fixture_kill(&fixture, stuck, "killed by us");
}

static void a_busy_worker_may_leave_calls_that_were_taken_back(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[3];
    struct fake_call running;
    fill(side, 100000, outcomes, &running);
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[1].id), SNAKEPIT_OK);
    for (int i = 0; i < 10; i++) {
        (void)fixture_tick(&fixture, 1000);
    }
    assert_int_equal(side->kills, 0);
    assert_int_equal(side->seat->stuck_since, 0);
    fake_serve(side->fake, &running);
}

// ---- Cancelling ---------------------------------------------------------------

static void a_cancelled_call_ends_in_each_stage(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[3];
    struct fake_call running;
    fill(side, 0, outcomes, &running);
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[i].id), SNAKEPIT_OK);
        assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[i].id),
                         SNAKEPIT_NOT_FOUND);
    }
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_CANCELLED, "running");
    assert_ended(&outcomes[1], SNAKEPIT_CANCELLED, "worker");
    assert_ended(&outcomes[2], SNAKEPIT_CANCELLED, "line");
    assert_int_equal(fixture.pool->counters.ended[SNAKEPIT_CANCELLED], 3);
    assert_true(fixture.ended > 0);
}

static void a_place_that_a_cancelled_call_leaves_is_taken_by_the_next(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[3];
    struct fake_call running;
    fill(side, 0, outcomes, &running);
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[1].id), SNAKEPIT_OK);
    assert_int_equal(fixture_in_line(&fixture), 0);
    fake_serve(side->fake, &running);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[0], "x");
    assert_echoed(&outcomes[2], "x");
    fixture_drain(&fixture);
    assert_int_equal(outcomes[1].ended, 1);
}

static void a_call_that_has_ended_cannot_be_cancelled(void **state)
{
    struct side *side = *state;
    static struct outcome outcome;
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(sp_pool_cancel(fixture.pool, outcome.id), SNAKEPIT_NOT_FOUND);
    assert_int_equal(sp_pool_cancel(fixture.pool, 12345), SNAKEPIT_NOT_FOUND);
    assert_echoed(&outcome, "x");
}

// ---- Answers that make no sense -----------------------------------------------

static void assert_violation(struct side *side, const struct outcome *outcome)
{
    assert_int_equal(outcome->ended, 1);
    assert_int_equal(outcome->err, SNAKEPIT_PROTOCOL);
    assert_int_equal(fixture.pool->counters.violations, 1);
    assert_true(fixture.attention > 0);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(side->kills, 1);
    assert_string_equal(side->why, "it broke the protocol");
    assert_int_equal(side->death, SP_DEATH_VIOLATION);
    assert_int_equal(fixture.pool->loads.count, 0);
}

static const char *const lies[] = {"wrong_call",
                                   "bad_status",
                                   "bad_held",
                                   "bad_lease",
                                   "bad_body",
                                   "bad_size",
                                   "huge_body",
                                   "skip"};

static void each_bad_field_is_a_protocol_error_and_costs_the_worker(void **state)
{
    struct side *side = *state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        static struct outcome outcome;
        assert_int_equal(fixture_submit(&fixture, lies[i], "x", 0, &outcome),
                         SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        assert_violation(side, &outcome);
        fixture_close(&fixture);
        (void)open_with_prefetch(state);
        side = *state;
    }
}

static void each_bad_field_is_a_protocol_error_for_a_waiting_thread(void **state)
{
    struct side *side = *state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct caller caller;
        fake_start(side->fake);
        fixture_call(&caller, &fixture, lies[i], "x", 5000);
        fixture_join(&caller);
        assert_violation(side, &caller.outcome);
        fixture_close(&fixture);
        (void)open_with_prefetch(state);
        side = *state;
    }
}

static void each_state_that_cannot_be_is_a_protocol_error(void **state)
{
    struct side *side = *state;
    const uint32_t words[] = {SP_SLOT_FREE, SP_SLOT_TAKEN_BACK, 5, 0xff, 0xfffffc00u};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct caller caller;
        struct fake_call call;
        fixture_call(&caller, &fixture, "never", "x", 5000);
        FIXTURE_AWAIT(fake_take_started(side->fake, &call));
        _Atomic uint32_t *word = &side->port->view.slots[call.slot].result.state;
        atomic_store(word, words[i]);
        sp_futex_wake(word, INT32_MAX);
        fixture_join(&caller);
        assert_violation(side, &caller.outcome);
        fixture_close(&fixture);
        (void)open_with_prefetch(state);
        side = *state;
    }
}

static void an_id_in_the_ring_that_cannot_be_costs_the_worker(void **state)
{
    struct side *side = *state;
    const uint32_t ids[] = {FIXTURE_SLOTS, UINT32_MAX, 0, FIXTURE_SLOTS - 1};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        static struct outcome outcome;
        struct fake_call call;
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome),
                         SNAKEPIT_OK);
        assert_true(fake_take_started(side->fake, &call));
        fake_put_done(side->fake, ids[i]); // its own slot is among them: it is not DONE
        fixture_drain(&fixture);
        assert_int_equal(outcome.ended, 0);
        assert_int_equal(fixture.pool->counters.violations, 1);
        (void)fixture_tick(&fixture, 0);
        assert_int_equal(side->kills, 1);
        fixture_kill(&fixture, side, "killed by us");
        fixture_drain(&fixture);
        assert_int_equal(outcome.ended, 1);
        fixture_close(&fixture);
        (void)open_with_prefetch(state);
        side = *state;
    }
}

static void a_second_answer_is_a_violation_and_the_first_one_counts(void **state)
{
    struct side *side = *state;
    static struct outcome outcome;
    assert_int_equal(fixture_submit(&fixture, "twice", "once", 0, &outcome),
                     SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    (void)fixture_tick(&fixture, 0);
    assert_echoed(&outcome, "once");
    if (fixture.pool->counters.violations == 0) {
        // Nothing was under way, so nobody looked; the next call makes somebody look.
        static struct outcome next;
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &next), SNAKEPIT_OK);
        fixture_drain(&fixture);
    }
    assert_int_equal(fixture.pool->counters.violations, 1);
    assert_int_equal(outcome.ended, 1);
}

static void faults_are_read_and_garbage_is_a_fault_without_words(void **state)
{
    struct side *side = *state;
    static struct outcome outcomes[2];
    assert_int_equal(fixture_submit(&fixture, "fault", "x", 0, &outcomes[0]),
                     SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_ended(&outcomes[0], SNAKEPIT_TOOL_FAILED, "running");
    assert_int_equal(fixture_submit(&fixture, "bad_fault", "x", 0, &outcomes[1]),
                     SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_ended(&outcomes[1], SNAKEPIT_TOOL_FAILED, "running");
    assert_int_equal(fixture.pool->counters.violations, 0);
}

static void the_memory_of_a_large_result_goes_back_with_its_answer(void **state)
{
    struct side *side = *state;
    static struct outcome outcome;
    uint32_t lease = 0;
    assert_int_equal(fixture_submit(&fixture, "large", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(outcome.err, SNAKEPIT_OK);
    assert_int_equal(outcome.body_size, FAKE_LARGE);
    sp_cell *ring = side->port->view.result_returns;
    assert_true(sp_ring_peek(ring, FIXTURE_LEASES - 1, 0, &lease));
    assert_int_equal(lease, 2);
    assert_false(sp_ring_peek(ring, FIXTURE_LEASES - 1, 1, &lease));
}

#define test(name) \
    cmocka_unit_test_setup_teardown(name, open_with_prefetch, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_deadline_ends_a_call_in_each_stage),
        test(the_time_in_the_line_may_have_a_limit_of_its_own),
        test(a_late_answer_is_dropped_and_its_slot_is_free_again),
        test(an_answer_in_the_moment_of_the_deadline_is_reaped_too),
        test(a_call_that_cannot_be_ended_costs_its_worker),
        test(a_worker_that_takes_no_call_is_avoided_and_then_killed),
        test(a_busy_worker_may_leave_calls_that_were_taken_back),
        test(a_cancelled_call_ends_in_each_stage),
        test(a_place_that_a_cancelled_call_leaves_is_taken_by_the_next),
        test(a_call_that_has_ended_cannot_be_cancelled),
        test(each_bad_field_is_a_protocol_error_and_costs_the_worker),
        test(each_bad_field_is_a_protocol_error_for_a_waiting_thread),
        test(each_state_that_cannot_be_is_a_protocol_error),
        test(an_id_in_the_ring_that_cannot_be_costs_the_worker),
        test(a_second_answer_is_a_violation_and_the_first_one_counts),
        test(faults_are_read_and_garbage_is_a_fault_without_words),
        test(the_memory_of_a_large_result_goes_back_with_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
