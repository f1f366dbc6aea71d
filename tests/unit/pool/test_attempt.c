// SPDX-License-Identifier: MIT
// Calls that are run once more, and those that are not. The pauses are over when the
// test's clock says so.
#include "pool/pool.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define OVER 100000u // ms that every pause has ended in

static struct fixture fixture;
static struct outcome outcomes[4];

static struct sp_pool_options retrying(void)
{
    struct sp_pool_options options = fixture_options();
    options.retry = (struct sp_retry_terms){
        .max_attempts = 3,
        .backoff_ms = 20000,
        .backoff_max_ms = 80000,
        .max_tokens = 100,
        .token_ratio = 10,
        .on = SP_ERROR_BIT(SNAKEPIT_WORKER_DIED) | SP_ERROR_BIT(SNAKEPIT_TOOL_FAILED),
    };
    return options;
}

static int open_with(const struct sp_pool_options *options)
{
    fixture_open(&fixture, options);
    fixture.idempotent = true;
    memset(outcomes, 0, sizeof outcomes);
    return 0;
}

static int open_retrying(void **state)
{
    (void)state;
    const struct sp_pool_options options = retrying();
    return open_with(&options);
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void reopen(const struct sp_pool_options *options)
{
    fixture_close(&fixture);
    (void)open_with(options);
}

static void submit(const char *tool, uint32_t timeout_ms, struct outcome *outcome)
{
    assert_int_equal(fixture_submit(&fixture, tool, "x", timeout_ms, outcome),
                     SNAKEPIT_OK);
}

// The worker dies while it runs what it was given.
static void die_running(struct side *side)
{
    struct fake_call call;
    while (fake_take_started(side->fake, &call)) {
    }
    fixture_kill(&fixture, side, "killed by the test");
    fixture_drain(&fixture);
}

static void assert_waits(const struct outcome *outcome)
{
    assert_int_equal(outcome->ended, 0);
    assert_int_equal(fixture_in_line(&fixture), 1);
    assert_int_equal(fixture_placed(&fixture), 0);
}

// ---- Which calls --------------------------------------------------------------

static void a_call_of_a_dead_worker_runs_once_more(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0, &outcomes[0]);
    die_running(side);
    assert_waits(&outcomes[0]);
    struct side *other = fixture_add(&fixture, 1);
    (void)fixture_tick(&fixture, 9000); // a half of the pause takes 10 s
    assert_waits(&outcomes[0]);
    (void)fixture_tick(&fixture, 12000);
    assert_true(fixture_serve_one(&fixture, other));
    assert_echoed(&outcomes[0], "x");
    assert_int_equal(outcomes[0].attempts, 2);
    assert_int_equal(fixture.pool->counters.retries, 1);
    assert_int_equal(fixture_ended(&fixture), 1);
    assert_int_equal(fixture_failed(&fixture), 0);
}

static void a_call_that_is_not_marked_never_runs_twice(void **state)
{
    (void)state;
    fixture.idempotent = false;
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_int_equal(outcomes[0].attempts, 1);
    assert_int_equal(fixture.pool->counters.retries, 0);
}

static void a_worker_may_say_so_of_its_tools(void **state)
{
    (void)state;
    static const uint8_t names[] = "\x05other\x04"
                                   "echo\x04skip";
    fixture.idempotent = false;
    fixture.idempotent_tools = (struct sp_slice){names, sizeof names - 1};
    struct side *side = fixture_add(&fixture, 2);
    submit("echo", 0, &outcomes[0]);
    submit("ech", 0, &outcomes[1]);
    die_running(side);
    assert_waits(&outcomes[0]);
    assert_ended(&outcomes[1], SNAKEPIT_WORKER_DIED, "running");
}

static void a_tool_that_raises_is_called_once_more(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit("fault", 0, &outcomes[0]);
    for (int i = 0; i < 2; i++) {
        assert_true(fixture_serve_one(&fixture, side));
        assert_waits(&outcomes[0]);
        (void)fixture_tick(&fixture, OVER);
    }
    assert_true(fixture_serve_one(&fixture, side));
    assert_ended(&outcomes[0], SNAKEPIT_TOOL_FAILED, "running");
    assert_int_equal(outcomes[0].attempts, 3);
    assert_int_equal(side->port->free_count, FIXTURE_SLOTS);
    assert_int_equal(fixture.pool->counters.violations, 0);
}

static void an_error_that_is_not_named_is_final(void **state)
{
    (void)state;
    struct sp_pool_options options = retrying();
    options.retry.on = SP_ERROR_BIT(SNAKEPIT_TOOL_FAILED);
    reopen(&options);
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
}

static void its_tensors_come_along(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit_tensor(&fixture, "echo", 0, &outcomes[0]),
                     SNAKEPIT_OK);
    die_running(side);
    assert_waits(&outcomes[0]);
    struct side *other = fixture_add(&fixture, 1);
    (void)fixture_tick(&fixture, OVER);
    assert_true(fixture_serve_one(&fixture, other));
    assert_int_equal(outcomes[0].err, SNAKEPIT_OK);
}

// ---- Bounds -------------------------------------------------------------------

static void it_is_tried_so_often_and_no_more(void **state)
{
    (void)state;
    submit("echo", 0, &outcomes[0]);
    for (int i = 0; i < 2; i++) {
        die_running(fixture_add(&fixture, 1));
        assert_waits(&outcomes[0]);
        (void)fixture_tick(&fixture, OVER);
    }
    die_running(fixture_add(&fixture, 1));
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_int_equal(outcomes[0].attempts, 3);
    assert_int_equal(fixture.pool->counters.retries, 2);
}

static void a_pause_that_would_outlast_its_time_is_not_begun(void **state)
{
    (void)state;
    submit("echo", 9000, &outcomes[0]); // the pause takes 10 s at least
    die_running(fixture_add(&fixture, 1));
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
}

static void its_deadline_holds_for_all_attempts(void **state)
{
    (void)state;
    submit("echo", 200000, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    (void)fixture_tick(&fixture, 190000);
    assert_int_equal(outcomes[0].ended, 0);
    (void)fixture_tick(&fixture, 20000);
    assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_int_equal(outcomes[0].attempts, 2);
}

static void its_time_in_the_line_begins_anew(void **state)
{
    (void)state;
    struct sp_pool_options options = retrying();
    options.queue_timeout_ms = 500000;
    reopen(&options);
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0, &outcomes[0]);
    (void)fixture_tick(&fixture, 600000);
    die_running(side);
    (void)fixture_tick(&fixture, OVER); // the pause is over, and the line begins
    assert_waits(&outcomes[0]);
    (void)fixture_tick(&fixture, 400000);
    assert_waits(&outcomes[0]);
    (void)fixture_tick(&fixture, 200000);
    assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "line");
}

static void a_burst_of_deaths_is_not_multiplied(void **state)
{
    (void)state;
    struct sp_pool_options options = retrying();
    options.retry.max_tokens = 4; // more than two have to be left
    reopen(&options);
    struct side *side = fixture_add(&fixture, 4);
    for (int i = 0; i < 4; i++) {
        submit("echo", 0, &outcomes[i]);
    }
    die_running(side);
    assert_int_equal(fixture_in_line(&fixture), 1);
    assert_int_equal(fixture_failed(&fixture), 3);
    assert_int_equal(fixture.pool->counters.retries, 1);
    assert_int_equal(fixture.pool->counters.retries_refused, 3);
}

// ---- What else happens to it --------------------------------------------------

static void it_is_cancelled_while_it_waits(void **state)
{
    (void)state;
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    assert_waits(&outcomes[0]);
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[0].id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_CANCELLED, "line");
    (void)fixture_tick(&fixture, OVER);
    assert_int_equal(outcomes[0].ended, 1);
    assert_int_equal(fixture_in_line(&fixture), 0);
}

static void a_pool_that_goes_down_ends_it(void **state)
{
    (void)state;
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    sp_pool_set_state(fixture.pool, SP_POOL_DOWN, "nothing starts");
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_POOL_DOWN, "line");
}

static void a_pool_that_closes_sends_none_again(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0, &outcomes[0]);
    sp_pool_begin_close(fixture.pool);
    die_running(side);
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
}

static void what_waits_when_a_pool_closes_ends_with_its_workers(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0, &outcomes[0]);
    die_running(side);
    side = fixture_add(&fixture, 1);
    submit("echo", 0, &outcomes[1]);
    sp_pool_begin_close(fixture.pool);
    assert_true(sp_pool_is_busy(fixture.pool));
    (void)fixture_tick(&fixture, OVER);
    assert_true(fixture_serve_one(&fixture, side));
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[0], "x");
    assert_echoed(&outcomes[1], "x");
}

static void without_workers_a_pool_that_closes_does_not_wait_for_it(void **state)
{
    (void)state;
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    sp_pool_begin_close(fixture.pool);
    (void)fixture_tick(&fixture, OVER);
    assert_ended(&outcomes[0], SNAKEPIT_SHUTTING_DOWN, "line");
}

// ---- Sessions, questions ------------------------------------------------------

static void a_session_that_may_move_moves_with_it(void **state)
{
    (void)state;
    fixture.session = "s";
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    assert_waits(&outcomes[0]);
    struct side *other = fixture_add(&fixture, 1);
    (void)fixture_tick(&fixture, OVER);
    assert_true(fixture_serve_one(&fixture, other));
    assert_echoed(&outcomes[0], "x");
}

static void a_session_that_insists_on_its_worker_is_told(void **state)
{
    (void)state;
    struct sp_pool_options options = retrying();
    options.affinity = SP_AFFINITY_STRICT_QUEUE;
    reopen(&options);
    fixture.session = "s";
    submit("echo", 0, &outcomes[0]);
    die_running(fixture_add(&fixture, 1));
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_int_equal(outcomes[0].attempts, 1);
}

static snakepit_err kill_and_answer(struct fixture *at, struct sp_question *question)
{
    (void)question;
    fixture_kill(at, &at->sides[0], "killed by the host's tool");
    return SNAKEPIT_OK;
}

static void a_call_that_the_host_works_for_is_not_sent_again(void **state)
{
    (void)state;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    fixture.question = kill_and_answer;
    submit("never", 0, &outcomes[0]);
    assert_true(fake_take_started(side->fake, &call));
    fake_ask(side->fake, &call, "what?");
    fixture_drain(&fixture);
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_int_equal(outcomes[0].attempts, 1);
}

static void a_question_that_nobody_has_heard_is_dropped(void **state)
{
    (void)state;
    struct fake_call call;
    struct sp_after after = {0};
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0, &outcomes[0]);
    assert_true(fake_take_started(side->fake, &call));
    fake_ask(side->fake, &call, "what?");
    pthread_mutex_lock(&fixture.pool->lock);
    sp_pool_collect_seat(fixture.pool, side->seat, &after);
    sp_pool_unlock(fixture.pool, &after);
    struct sp_lane *lane = &fixture.pool->lanes[SP_QUEUE_DEFAULT];
    assert_false(sp_list_empty(&lane->questions));
    fixture_kill(&fixture, side, "killed by the test");
    assert_true(sp_list_empty(&lane->questions));
    assert_waits(&outcomes[0]);
    struct side *other = fixture_add(&fixture, 1);
    (void)fixture_tick(&fixture, OVER);
    assert_true(fixture_serve_one(&fixture, other));
    assert_echoed(&outcomes[0], "x");
}

// ---- Callers that wait --------------------------------------------------------

static void a_caller_that_waits_sends_its_call_again_itself(void **state)
{
    (void)state;
    struct caller caller;
    struct fake_call call;
    struct sp_pool_options options = retrying();
    options.retry.backoff_ms = 2;
    reopen(&options);
    struct side *side = fixture_add(&fixture, 1);
    fixture_call(&caller, &fixture, "echo", "x", 0);
    FIXTURE_AWAIT(fake_take_started(side->fake, &call));
    fixture_kill(&fixture, side, "killed by the test");
    struct side *other = fixture_add(&fixture, 1);
    // Nobody ticks.
    FIXTURE_AWAIT(fixture_serve_one(&fixture, other));
    fixture_join(&caller);
    assert_echoed(&caller.outcome, "x");
    assert_int_equal(caller.outcome.attempts, 2);
}

static void it_waits_in_the_line_where_there_is_no_worker(void **state)
{
    (void)state;
    struct caller caller;
    struct fake_call call;
    struct sp_pool_options options = retrying();
    options.retry.backoff_ms = 0;
    reopen(&options);
    struct side *side = fixture_add(&fixture, 1);
    fixture_call(&caller, &fixture, "echo", "x", 0);
    FIXTURE_AWAIT(fake_take_started(side->fake, &call));
    fixture_kill(&fixture, side, "killed by the test");
    FIXTURE_AWAIT(fixture_in_line(&fixture) == 1);
    struct side *other = fixture_add(&fixture, 1);
    FIXTURE_AWAIT(fixture_serve_one(&fixture, other));
    fixture_join(&caller);
    assert_echoed(&caller.outcome, "x");
}

static void a_caller_whose_tool_raises_tries_again(void **state)
{
    (void)state;
    struct caller caller;
    struct sp_pool_options options = retrying();
    options.retry.backoff_ms = 2;
    reopen(&options);
    struct side *side = fixture_add(&fixture, 1);
    fake_start(side->fake);
    fixture_call(&caller, &fixture, "fault", "x", 0);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_TOOL_FAILED, "running");
    assert_int_equal(caller.outcome.attempts, 3);
    assert_int_equal(fake_started(side->fake), 3);
}

// Threads that wait and calls that nobody waits for, beside a loop that ticks: each
// gets one answer, after as many attempts as it may have.
static void each_of_many_callers_is_answered_once(void **state)
{
    (void)state;
    enum { CALLERS = 4, ROUNDS = 20 };
    struct caller callers[CALLERS];
    struct sp_pool_options options = retrying();
    options.retry.backoff_ms = 1;
    options.retry.max_tokens = 1000;
    reopen(&options);
    struct side *sides[] = {fixture_add(&fixture, 2), fixture_add(&fixture, 2)};
    fake_start(sides[0]->fake);
    fake_start(sides[1]->fake);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CALLERS; i++) {
            fixture_call(&callers[i], &fixture, "fault", "x", 0);
            submit("fault", 0, &outcomes[i]);
        }
        for (int i = 0; i < CALLERS; i++) {
            FIXTURE_AWAIT((fixture_tick(&fixture, 1), outcomes[i].ended > 0));
            fixture_join(&callers[i]);
            assert_ended(&outcomes[i], SNAKEPIT_TOOL_FAILED, "running");
            assert_ended(&callers[i].outcome, SNAKEPIT_TOOL_FAILED, "running");
            assert_int_equal(outcomes[i].attempts, 3);
            assert_int_equal(callers[i].outcome.attempts, 3);
        }
    }
    assert_int_equal(fake_started(sides[0]->fake) + fake_started(sides[1]->fake),
                     3 * 2 * CALLERS * ROUNDS);
    assert_int_equal(fixture_ended(&fixture), 2 * CALLERS * ROUNDS);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_retrying, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_call_of_a_dead_worker_runs_once_more),
        test(a_call_that_is_not_marked_never_runs_twice),
        test(a_worker_may_say_so_of_its_tools),
        test(a_tool_that_raises_is_called_once_more),
        test(an_error_that_is_not_named_is_final),
        test(its_tensors_come_along),
        test(it_is_tried_so_often_and_no_more),
        test(a_pause_that_would_outlast_its_time_is_not_begun),
        test(its_deadline_holds_for_all_attempts),
        test(its_time_in_the_line_begins_anew),
        test(a_burst_of_deaths_is_not_multiplied),
        test(it_is_cancelled_while_it_waits),
        test(a_pool_that_goes_down_ends_it),
        test(a_pool_that_closes_sends_none_again),
        test(what_waits_when_a_pool_closes_ends_with_its_workers),
        test(without_workers_a_pool_that_closes_does_not_wait_for_it),
        test(a_session_that_may_move_moves_with_it),
        test(a_session_that_insists_on_its_worker_is_told),
        test(a_call_that_the_host_works_for_is_not_sent_again),
        test(a_question_that_nobody_has_heard_is_dropped),
        test(a_caller_that_waits_sends_its_call_again_itself),
        test(it_waits_in_the_line_where_there_is_no_worker),
        test(a_caller_whose_tool_raises_tries_again),
        test(each_of_many_callers_is_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
