// SPDX-License-Identifier: MIT
// Calls that were given up: which step stopped them, and what is told when none does.
#include "pool/orphan.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define GRACE_MS 100000u // more than a busy machine adds to the test's own clock

static struct fixture fixture;
static struct sp_call *answer; // of the call that ended last
static uint64_t id;

static int open_pool(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 1;
    options.cancel_grace_ms = GRACE_MS;
    fixture_open(&fixture, &options);
    answer = NULL;
    return 0;
}

static void let_go(void)
{
    if (answer != NULL) {
        sp_pool_release(answer);
        answer = NULL;
    }
}

static int close_pool(void **state)
{
    (void)state;
    let_go();
    fixture_close(&fixture);
    let_go(); // of what the close has ended
    return 0;
}

static void keep(void *user, snakepit_err err, snakepit_answer *given)
{
    (void)user;
    (void)err;
    let_go();
    answer = sp_call_of(given);
}

static void submit(const char *tool, uint32_t timeout_ms)
{
    const struct sp_order order = {
        .text = {.tool = tool, .tool_size = (uint32_t)strlen(tool)},
        .timeout_ms = timeout_ms,
        .done = keep,
        .id = &id,
    };
    assert_int_equal(sp_pool_submit(fixture.pool, &order), SNAKEPIT_OK);
}

static uint64_t counted(snakepit_stop stop)
{
    return fixture.pool->counters.stopped[stop];
}

static uint64_t counted_in_all(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < SP_STOPS; i++) {
        sum += fixture.pool->counters.stopped[i];
    }
    return sum;
}

static snakepit_stop_info look(void)
{
    snakepit_stop_info info = {0};
    assert_non_null(answer);
    assert_non_null(answer->orphan);
    sp_orphan_look(answer->orphan, &info);
    return info;
}

// ---- Which step --------------------------------------------------------------------

static void a_call_that_did_not_run_has_been_stopped_at_once(void **state)
{
    (void)state;
    static const snakepit_stop stops[] = {SNAKEPIT_STOP_UNSTARTED,
                                          SNAKEPIT_STOP_IN_LINE};
    struct fake_call running;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0);
    assert_true(fake_take_started(side->fake, &running));
    for (int i = 0; i < 2; i++) {
        // The first one is handed to the worker in advance; its slot comes back only
        // when the executor is free, so the second one is in line.
        submit("echo", 0);
        assert_int_equal(sp_pool_cancel(fixture.pool, id), SNAKEPIT_OK);
        fixture_drain(&fixture);
        assert_int_equal(answer->fault.err, SNAKEPIT_CANCELLED);
        if (i == 0) {
            submit("echo", 0); // takes that place
        }
        assert_int_equal(answer->fault.stop, stops[i]);
        assert_false(answer->fault.tool_runs);
        assert_null(answer->orphan);
        assert_int_equal(counted(stops[i]), 1);
    }
    assert_int_equal(counted_in_all(), 2);
    fake_serve(side->fake, &running);
}

static void end_well(struct side *side, const struct fake_call *call)
{
    fake_serve(side->fake, call);
}

static void end_by_the_exception(struct side *side, const struct fake_call *call)
{
    struct sp_slot_result result = fake_echo(side->fake, call);
    result.status = SP_STATUS_STOPPED;
    fake_publish(side->fake, call->slot, &result);
}

static void end_by_another_exception(struct side *side, const struct fake_call *call)
{
    struct sp_slot_result result = fake_echo(side->fake, call);
    result.status = SP_STATUS_FAULT;
    fake_publish(side->fake, call->slot, &result);
}

static void end_by_a_kill(struct side *side, const struct fake_call *call)
{
    (void)call;
    fixture_kill(&fixture, side, "killed by us");
}

static const struct ending {
    void (*end)(struct side *side, const struct fake_call *call);
    snakepit_stop stop;
} endings[] = {
    {end_well, SNAKEPIT_STOP_COOPERATIVE},
    {end_by_another_exception, SNAKEPIT_STOP_COOPERATIVE},
    {end_by_the_exception, SNAKEPIT_STOP_EXCEPTION},
    {end_by_a_kill, SNAKEPIT_STOP_KILLED},
};

#define ENDINGS (sizeof endings / sizeof endings[0])

static void what_ends_a_running_tool_is_told_and_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENDINGS; i++) {
        struct fake_call call;
        struct side *side = fixture_add(&fixture, 1);
        submit("echo", 10);
        assert_true(fake_take_started(side->fake, &call));
        (void)fixture_tick(&fixture, 20);
        assert_int_equal(answer->fault.err, SNAKEPIT_DEADLINE_EXCEEDED);
        assert_int_equal(answer->fault.stop, SNAKEPIT_STOP_COOPERATIVE);
        assert_true(answer->fault.tool_runs);
        // The worker was asked to raise the exception meanwhile.
        assert_int_equal(look().stop, SNAKEPIT_STOP_EXCEPTION);
        assert_true(look().tool_runs);
        assert_int_equal(counted_in_all(), i);
        endings[i].end(side, &call);
        fixture_drain(&fixture);
        assert_int_equal(look().stop, endings[i].stop);
        assert_false(look().tool_runs);
        assert_int_equal(counted_in_all(), i + 1);
        fixture_kill(&fixture, side, "the next one is new");
    }
    assert_int_equal(counted(SNAKEPIT_STOP_COOPERATIVE), 2);
    assert_int_equal(counted(SNAKEPIT_STOP_EXCEPTION), 1);
    assert_int_equal(counted(SNAKEPIT_STOP_KILLED), 1);
    assert_int_equal(fixture.pool->orphans, 0);
}

// Nobody has looked at its slot in between.
static void a_tool_that_ended_before_its_worker_was_not_killed(void **state)
{
    (void)state;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 10);
    assert_true(fake_take_started(side->fake, &call));
    (void)fixture_tick(&fixture, 20);
    assert_true(look().tool_runs);
    fake_serve(side->fake, &call);
    fixture_kill(&fixture, side, "killed by us");
    assert_int_equal(look().stop, SNAKEPIT_STOP_COOPERATIVE);
    assert_false(look().tool_runs);
    assert_int_equal(counted(SNAKEPIT_STOP_COOPERATIVE), 1);
    assert_int_equal(counted_in_all(), 1);
}

static void the_answer_may_go_before_its_tool_ends(void **state)
{
    (void)state;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 0);
    assert_true(fake_take_started(side->fake, &call));
    assert_int_equal(sp_pool_cancel(fixture.pool, id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_true(look().tool_runs);
    let_go();
    fake_serve(side->fake, &call);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(counted(SNAKEPIT_STOP_COOPERATIVE), 1);
    // The same call object, used again, has forgotten it.
    submit("fault", 0);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(answer->err, SNAKEPIT_TOOL_FAILED);
    assert_int_equal(answer->fault.stop, SNAKEPIT_STOP_NONE);
    assert_null(answer->orphan);
}

static void a_call_that_broke_the_protocol_was_not_given_up(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit("bad_status", 0);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(answer->fault.err, SNAKEPIT_PROTOCOL);
    assert_int_equal(answer->fault.stop, SNAKEPIT_STOP_NONE);
    assert_false(answer->fault.tool_runs);
    assert_null(answer->orphan);
    fixture_kill(&fixture, side, "it broke the protocol");
    assert_int_equal(fixture.pool->orphans, 0);
    assert_int_equal(counted_in_all(), 0);
}

static void time_is_counted_from_when_it_was_due(void **state)
{
    (void)state;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", 1);
    assert_true(fake_take_started(side->fake, &call));
    uint64_t until = sp_clock_now() + 30 * SP_NS_PER_MS;
    while (sp_clock_now() < until) {
    }
    (void)fixture_tick(&fixture, 0);
    assert_true(answer->fault.late_ms >= 29);
    assert_true(look().after_us >= 29000);
    fake_serve(side->fake, &call);
    (void)fixture_tick(&fixture, 0);
    const struct sp_pool_counters *counters = &fixture.pool->counters;
    assert_true(counters->stop_max_us >= 29000);
    assert_int_equal(counters->stop_total_us, counters->stop_max_us);
    assert_int_equal(look().after_us, counters->stop_max_us);
}

// ---- When none does ----------------------------------------------------------------

static void that_a_call_is_stuck_is_told_and_again_when_no_other_runs(void **state)
{
    (void)state;
    struct fake_call calls[2];
    struct side *side = fixture_add(&fixture, 2);
    submit("never", 10);
    assert_true(fake_take_started(side->fake, &calls[0]));
    submit("echo", 0);
    assert_true(fake_take_started(side->fake, &calls[1]));
    (void)fixture_tick(&fixture, 20);
    (void)fixture_tick(&fixture, GRACE_MS / 2);
    assert_int_equal(side->stuck, 0);
    for (int i = 0; i < 3; i++) {
        (void)fixture_tick(&fixture, GRACE_MS);
        assert_int_equal(side->stuck, 1);
        assert_false(side->alone);
    }
    fake_serve(side->fake, &calls[1]);
    for (int i = 0; i < 3; i++) {
        (void)fixture_tick(&fixture, 100);
        (void)fixture_tick(&fixture, 100);
        assert_int_equal(side->stuck, 2);
        assert_true(side->alone);
    }
    assert_int_equal(side->kills, 0); // that is the fleet's
}

static void a_call_that_was_just_given_up_has_its_time_first(void **state)
{
    (void)state;
    struct fake_call calls[2];
    struct side *side = fixture_add(&fixture, 2);
    submit("never", 10);
    assert_true(fake_take_started(side->fake, &calls[0]));
    (void)fixture_tick(&fixture, 20);
    submit("never", 100);
    assert_true(fake_take_started(side->fake, &calls[1]));
    // Its time is up, and that of the first one's cancel, too.
    (void)fixture_tick(&fixture, GRACE_MS + 130);
    assert_int_equal(side->stuck, 1);
    assert_false(side->alone);
    (void)fixture_tick(&fixture, GRACE_MS);
    assert_int_equal(side->stuck, 2);
    assert_true(side->alone);
}

static void one_that_ends_after_all_is_not_told_again(void **state)
{
    (void)state;
    struct fake_call calls[2];
    struct side *side = fixture_add(&fixture, 2);
    submit("echo", 10);
    assert_true(fake_take_started(side->fake, &calls[0]));
    submit("echo", 0);
    assert_true(fake_take_started(side->fake, &calls[1]));
    (void)fixture_tick(&fixture, 20);
    (void)fixture_tick(&fixture, GRACE_MS);
    assert_int_equal(side->stuck, 1);
    fake_serve(side->fake, &calls[0]);
    (void)fixture_tick(&fixture, 100);
    fake_serve(side->fake, &calls[1]);
    (void)fixture_tick(&fixture, 100);
    assert_int_equal(side->stuck, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pool, close_pool)
    const struct CMUnitTest tests[] = {
        TEST(a_call_that_did_not_run_has_been_stopped_at_once),
        TEST(what_ends_a_running_tool_is_told_and_counted),
        TEST(a_tool_that_ended_before_its_worker_was_not_killed),
        TEST(the_answer_may_go_before_its_tool_ends),
        TEST(a_call_that_broke_the_protocol_was_not_given_up),
        TEST(time_is_counted_from_when_it_was_due),
        TEST(that_a_call_is_stuck_is_told_and_again_when_no_other_runs),
        TEST(a_call_that_was_just_given_up_has_its_time_first),
        TEST(one_that_ends_after_all_is_not_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
