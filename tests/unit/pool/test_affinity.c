// SPDX-License-Identifier: MIT
// Where calls of a session go, and when. Workers take and serve calls when the test
// says so; capacity is 1 and nothing is handed over in advance, unless a test says
// otherwise.
#include "pool/affinity.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define NONE NULL

static struct fixture fixture;

static void open_with(enum sp_affinity affinity, uint32_t prefetch)
{
    struct sp_pool_options options = fixture_options();
    options.affinity = affinity;
    options.prefetch = prefetch;
    options.max_queue = 4;
    fixture_open(&fixture, &options);
}

static int open_hint(void **state)
{
    (void)state;
    open_with(SP_AFFINITY_HINT, 0);
    return 0;
}

static int open_queue(void **state)
{
    (void)state;
    open_with(SP_AFFINITY_STRICT_QUEUE, 0);
    return 0;
}

static int open_fail_fast(void **state)
{
    (void)state;
    open_with(SP_AFFINITY_STRICT_FAIL_FAST, 0);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static snakepit_err
try_submit(const char *session, const char *text, struct outcome *outcome)
{
    fixture.session = session;
    return fixture_submit(&fixture, "echo", text, 0, outcome);
}

static void submit(const char *session, const char *text, struct outcome *outcome)
{
    assert_int_equal(try_submit(session, text, outcome), SNAKEPIT_OK);
}

static bool serve(struct side *side)
{
    return fixture_serve_one(&fixture, side);
}

// One call of the session that `side` must be given and serves.
static void serve_call(const char *session, struct side *side)
{
    struct outcome outcome;
    submit(session, "x", &outcome);
    assert_true(serve(side));
    assert_echoed(&outcome, "x");
}

// Ties `session` to `side`, while the other side takes no calls.
static void tie(const char *session, struct side *side, struct side *other)
{
    struct outcome outcome;
    pthread_mutex_lock(&fixture.pool->lock);
    sp_loads_remove(&fixture.pool->loads, other->seat);
    pthread_mutex_unlock(&fixture.pool->lock);
    submit(session, "tie", &outcome);
    assert_true(serve(side));
    assert_echoed(&outcome, "tie");
    pthread_mutex_lock(&fixture.pool->lock);
    sp_loads_add(&fixture.pool->loads, other->seat);
    pthread_mutex_unlock(&fixture.pool->lock);
}

// ---- All modes ----------------------------------------------------------------

static void a_session_stays_with_its_worker(void **state)
{
    (void)state;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    tie("b", second, first);
    for (int i = 0; i < 100; i++) {
        // The other one is always the warmer one.
        serve_call("b", second);
        serve_call("a", first);
    }
}

static void a_call_without_a_session_is_not_tied(void **state)
{
    (void)state;
    struct outcome outcome;
    struct side *first = fixture_add(&fixture, 1);
    submit(NONE, "x", &outcome);
    assert_true(serve(first));
    assert_int_equal(fixture.pool->ties.names.count, 0);
}

static void an_ended_session_is_tied_anew(void **state)
{
    (void)state;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    sp_pool_end_session(fixture.pool, "a", 1);
    tie("a", second, first);
    tie("b", first, second); // the warmest
    serve_call("a", second);
}

static void a_session_runs_while_it_has_calls(void **state)
{
    (void)state;
    struct outcome outcome;
    struct side *side = fixture_add(&fixture, 1);
    submit("a", "x", &outcome);
    assert_true(sp_pool_runs_session(fixture.pool, "a", 1));
    assert_true(serve(side));
    assert_false(sp_pool_runs_session(fixture.pool, "a", 1));
}

static void closing_answers_those_who_wait_for_one_worker(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    for (int i = 0; i < 3; i++) {
        submit("a", "x", &outcomes[i]);
    }
    sp_pool_begin_close(fixture.pool);
    assert_true(sp_pool_is_busy(fixture.pool));
    sp_pool_end_all(fixture.pool);
    fixture_drain(&fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcomes[i].ended, 1);
        assert_int_equal(outcomes[i].err, SNAKEPIT_SHUTTING_DOWN);
    }
    assert_int_equal(fixture_in_line(&fixture), 0);
}

// ---- hint ---------------------------------------------------------------------

static void a_hint_goes_elsewhere_while_its_worker_is_busy_and_comes_back(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    submit("a", "1", &outcomes[0]);
    submit("a", "2", &outcomes[1]);
    assert_int_equal(first->seat->load, 1);
    assert_int_equal(second->seat->load, 1);
    assert_true(serve(first));
    assert_true(serve(second));
    serve_call("a", first);
}

static void a_hint_in_line_takes_the_first_worker_that_is_free(void **state)
{
    (void)state;
    struct outcome outcomes[2];
    struct outcome waiting;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    submit(NONE, "1", &outcomes[0]);
    submit(NONE, "2", &outcomes[1]);
    submit("a", "3", &waiting);
    assert_int_equal(fixture_in_line(&fixture), 1);
    assert_true(serve(second));
    assert_true(serve(second));
    assert_echoed(&waiting, "3");
    assert_true(serve(first));
    submit(NONE, "4", &outcomes[0]);
    submit(NONE, "5", &outcomes[1]);
    assert_true(serve(first) && serve(second));
    // The tie has stayed, although the other worker is the warmer one.
    serve_call("a", first);
}

static void a_hint_whose_worker_died_follows_its_next_call(void **state)
{
    (void)state;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    fixture_kill(&fixture, first, "gone");
    serve_call("a", second);
    (void)fixture_add(&fixture, 1);
    serve_call("a", second);
}

static void a_hint_that_had_not_begun_survives_its_worker(void **state)
{
    (void)state;
    struct outcome outcome;
    struct side *first = fixture_add(&fixture, 1);
    serve_call("a", first);
    submit("a", "x", &outcome);
    fixture_kill(&fixture, first, "gone");
    struct side *second = fixture_add(&fixture, 1);
    assert_true(serve(second));
    assert_echoed(&outcome, "x");
}

// ---- strict_queue -------------------------------------------------------------

static void strict_calls_wait_in_order_and_block_nobody(void **state)
{
    (void)state;
    struct outcome outcomes[4];
    struct outcome other;
    const char *const texts[] = {"1", "2", "3", "4"};
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    for (int i = 0; i < 4; i++) {
        submit("a", texts[i], &outcomes[i]);
    }
    assert_int_equal(second->seat->load, 0);
    assert_int_equal(fixture_in_line(&fixture), 3);
    submit(NONE, "other", &other);
    assert_true(serve(second));
    assert_echoed(&other, "other");
    for (int i = 0; i < 4; i++) {
        assert_true(serve(first));
        assert_echoed(&outcomes[i], texts[i]);
        assert_int_equal(outcomes[i + 1 < 4 ? i + 1 : i].ended, i + 1 < 4 ? 0 : 1);
        assert_false(serve(second));
    }
    assert_true(sp_list_empty(&fixture.pool->waited_for));
}

static void whoever_came_first_gets_the_place_that_becomes_free(void **state)
{
    (void)state;
    struct outcome outcomes[5];
    const char *const sessions[] = {"a", NONE, "a", NONE, "a"};
    const char *const texts[] = {"1", "2", "3", "4", "5"};
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    for (int i = 0; i < 5; i++) {
        submit(sessions[i], texts[i], &outcomes[i]);
    }
    assert_int_equal(fixture_in_line(&fixture), 4);
    for (int i = 0; i < 5; i++) {
        assert_true(serve(side));
        assert_echoed(&outcomes[i], texts[i]);
    }
}

static void calls_that_came_before_the_tie_go_before_those_that_came_after(void **state)
{
    (void)state;
    struct outcome outcomes[5];
    const char *const texts[] = {"1", "2", "3", "4"};
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    struct outcome busy[2];
    submit(NONE, "x", &busy[0]);
    submit(NONE, "x", &busy[1]);
    for (int i = 0; i < 3; i++) {
        submit("a", texts[i], &outcomes[i]);
    }
    // The first call ties the session; the others, in the pool's line, now wait for it.
    assert_true(serve(first));
    submit("a", texts[3], &outcomes[3]);
    assert_true(serve(second));
    assert_int_equal(second->seat->load, 0);
    for (int i = 0; i < 4; i++) {
        assert_true(serve(first));
        assert_echoed(&outcomes[i], texts[i]);
    }
}

static void those_who_wait_for_one_worker_count_for_the_limit(void **state)
{
    (void)state;
    struct outcome outcomes[6];
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    for (int i = 0; i < 5; i++) {
        submit("a", "x", &outcomes[i]);
    }
    assert_int_equal(try_submit("a", "x", &outcomes[5]), SNAKEPIT_SATURATED);
    assert_int_equal(try_submit(NONE, "x", &outcomes[5]), SNAKEPIT_SATURATED);
    for (int i = 0; i < 5; i++) {
        assert_true(serve(side));
    }
}

static void a_cancelled_call_leaves_its_workers_line(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    for (int i = 0; i < 3; i++) {
        submit("a", "x", &outcomes[i]);
    }
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[2].id), SNAKEPIT_OK);
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[1].id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_ended(&outcomes[1], SNAKEPIT_CANCELLED, "line");
    assert_int_equal(fixture_in_line(&fixture), 0);
    submit("a", "y", &outcomes[1]);
    assert_true(serve(side) && serve(side));
    assert_echoed(&outcomes[1], "y");
}

static void a_call_leaves_its_workers_line_at_its_deadline(void **state)
{
    (void)state;
    struct outcome outcomes[2];
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    submit("a", "x", &outcomes[0]);
    assert_int_equal(fixture_submit(&fixture, "echo", "y", 500, &outcomes[1]),
                     SNAKEPIT_OK);
    (void)fixture_tick(&fixture, 1000);
    assert_ended(&outcomes[1], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_true(serve(side));
}

static void a_caller_that_waits_for_one_worker_is_woken(void **state)
{
    (void)state;
    struct caller caller;
    struct outcome outcome;
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    submit("a", "x", &outcome);
    fixture_call(&caller, &fixture, "echo", "y", 0);
    FIXTURE_AWAIT(fixture_in_line(&fixture) == 1);
    assert_true(serve(side));
    FIXTURE_AWAIT(serve(side));
    fixture_join(&caller);
    assert_echoed(&caller.outcome, "y");
}

static void calls_in_advance_wait_in_their_worker_and_are_not_moved(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    fixture_close(&fixture);
    open_with(SP_AFFINITY_STRICT_QUEUE, 2);
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    for (int i = 0; i < 3; i++) {
        submit("a", "x", &outcomes[i]);
    }
    assert_int_equal(first->seat->load, 3);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(second->seat->load, 0);
    assert_true(serve(first) && serve(first) && serve(first));
}

// ---- Loss ---------------------------------------------------------------------

static void the_next_call_is_told_once_that_the_worker_is_gone(void **state)
{
    (void)state;
    struct outcome outcome;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    fixture_kill(&fixture, first, "gone");
    assert_int_equal(try_submit("a", "x", &outcome), SNAKEPIT_SESSION_LOST);
    serve_call("a", second);
}

static void a_session_whose_call_died_with_its_worker_was_told(void **state)
{
    (void)state;
    struct outcome outcome;
    struct fake_call running;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    submit("a", "x", &outcome);
    assert_true(fake_take_started(first->fake, &running));
    fixture_kill(&fixture, first, "gone");
    fixture_drain(&fixture);
    assert_ended(&outcome, SNAKEPIT_WORKER_DIED, "running");
    serve_call("a", second);
}

static void a_call_that_is_to_be_sent_again_has_not_told_of_the_loss(void **state)
{
    (void)state;
    struct outcome outcome;
    struct fake_call running;
    const struct sp_failure failure = {.err = SNAKEPIT_WORKER_LOST};
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    submit("a", "x", &outcome);
    assert_true(fake_take_started(first->fake, &running));
    sp_pool_seat_died(fixture.pool, first->seat, &failure);
    fixture_drain(&fixture);
    assert_ended(&outcome, SNAKEPIT_WORKER_LOST, "running");
    assert_int_equal(try_submit("a", "x", &outcome), SNAKEPIT_SESSION_LOST);
    serve_call("a", second);
}

static void calls_that_wait_for_a_worker_end_with_it(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    for (int i = 0; i < 3; i++) {
        submit("a", "x", &outcomes[i]);
    }
    fixture_kill(&fixture, first, "gone");
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_SESSION_LOST, "worker");
    assert_ended(&outcomes[1], SNAKEPIT_SESSION_LOST, "line");
    assert_ended(&outcomes[2], SNAKEPIT_SESSION_LOST, "line");
    assert_int_equal(fixture_in_line(&fixture), 0);
    assert_int_equal(second->seat->load, 0);
    serve_call("a", second);
}

static void a_worker_that_takes_no_more_calls_has_lost_its_sessions(void **state)
{
    (void)state;
    struct outcome outcome;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    sp_pool_close_seat(fixture.pool, first->seat);
    assert_int_equal(try_submit("a", "x", &outcome), SNAKEPIT_SESSION_LOST);
    serve_call("a", second);
}

static void a_worker_that_broke_the_protocol_has_lost_its_sessions(void **state)
{
    (void)state;
    struct outcome outcomes[2];
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    submit("a", "x", &outcomes[0]);
    submit("a", "x", &outcomes[1]);
    pthread_mutex_lock(&fixture.pool->lock);
    sp_pool_violation(fixture.pool, first->seat);
    pthread_mutex_unlock(&fixture.pool->lock);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(fixture_in_line(&fixture), 1);
    fixture_kill(&fixture, first, "it broke the protocol");
    fixture_drain(&fixture);
    assert_int_equal(outcomes[0].ended, 1);
    assert_ended(&outcomes[1], SNAKEPIT_SESSION_LOST, "line");
    serve_call("a", second);
}

// ---- strict_fail_fast ---------------------------------------------------------

static void a_busy_worker_is_said_to_be_busy(void **state)
{
    (void)state;
    struct outcome outcomes[2];
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    tie("a", first, second);
    submit("a", "x", &outcomes[0]);
    assert_int_equal(try_submit("a", "y", &outcomes[1]), SNAKEPIT_WORKER_BUSY);
    assert_int_equal(outcomes[1].ended, 0);
    assert_int_equal(second->seat->load, 0);
    assert_true(serve(first));
    serve_call("a", first);
}

static void a_waiting_caller_is_told_as_well(void **state)
{
    (void)state;
    struct caller caller;
    struct outcome outcome;
    struct side *side = fixture_add(&fixture, 1);
    serve_call("a", side);
    submit("a", "x", &outcome);
    fixture_call(&caller, &fixture, "echo", "y", 0);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_WORKER_BUSY, "line");
    assert_true(serve(side));
}

static void a_busy_worker_is_not_asked_to_hold_calls_in_advance(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    fixture_close(&fixture);
    open_with(SP_AFFINITY_STRICT_FAIL_FAST, 2);
    struct side *side = fixture_add(&fixture, 2);
    serve_call("a", side);
    submit("a", "x", &outcomes[0]);
    submit("a", "x", &outcomes[1]);
    assert_int_equal(try_submit("a", "y", &outcomes[2]), SNAKEPIT_WORKER_BUSY);
    assert_true(serve(side) && serve(side));
}

static void a_new_session_waits_for_any_worker(void **state)
{
    (void)state;
    struct outcome outcomes[3];
    struct side *side = fixture_add(&fixture, 1);
    submit("a", "1", &outcomes[0]);
    submit("b", "2", &outcomes[1]);
    submit("b", "3", &outcomes[2]);
    assert_int_equal(fixture_in_line(&fixture), 2);
    assert_true(serve(side));
    // The first one of `b` ties it to the worker, which is busy with it.
    assert_ended(&outcomes[2], SNAKEPIT_WORKER_BUSY, "line");
    assert_true(serve(side));
    assert_echoed(&outcomes[1], "2");
}

#define in(mode, name) cmocka_unit_test_setup_teardown(name, open_##mode, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in(hint, a_session_stays_with_its_worker),
        in(queue, a_session_stays_with_its_worker),
        in(fail_fast, a_session_stays_with_its_worker),
        in(hint, a_call_without_a_session_is_not_tied),
        in(queue, an_ended_session_is_tied_anew),
        in(hint, a_session_runs_while_it_has_calls),
        in(hint, closing_answers_those_who_wait_for_one_worker),
        in(queue, closing_answers_those_who_wait_for_one_worker),
        in(hint, a_hint_goes_elsewhere_while_its_worker_is_busy_and_comes_back),
        in(hint, a_hint_in_line_takes_the_first_worker_that_is_free),
        in(hint, a_hint_whose_worker_died_follows_its_next_call),
        in(hint, a_hint_that_had_not_begun_survives_its_worker),
        in(queue, strict_calls_wait_in_order_and_block_nobody),
        in(queue, whoever_came_first_gets_the_place_that_becomes_free),
        in(queue, calls_that_came_before_the_tie_go_before_those_that_came_after),
        in(queue, those_who_wait_for_one_worker_count_for_the_limit),
        in(queue, a_cancelled_call_leaves_its_workers_line),
        in(queue, a_call_leaves_its_workers_line_at_its_deadline),
        in(queue, a_caller_that_waits_for_one_worker_is_woken),
        in(queue, calls_in_advance_wait_in_their_worker_and_are_not_moved),
        in(queue, the_next_call_is_told_once_that_the_worker_is_gone),
        in(fail_fast, the_next_call_is_told_once_that_the_worker_is_gone),
        in(queue, a_session_whose_call_died_with_its_worker_was_told),
        in(queue, a_call_that_is_to_be_sent_again_has_not_told_of_the_loss),
        in(queue, calls_that_wait_for_a_worker_end_with_it),
        in(queue, a_worker_that_takes_no_more_calls_has_lost_its_sessions),
        in(queue, a_worker_that_broke_the_protocol_has_lost_its_sessions),
        in(fail_fast, a_busy_worker_is_said_to_be_busy),
        in(fail_fast, a_waiting_caller_is_told_as_well),
        in(fail_fast, a_busy_worker_is_not_asked_to_hold_calls_in_advance),
        in(fail_fast, a_new_session_waits_for_any_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
