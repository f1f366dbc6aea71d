// SPDX-License-Identifier: MIT
// Workers come and die; calls move between them; tensors stay where Python keeps them.
#include "pool/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

static struct fixture fixture;

static int open_with_prefetch(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 2;
    fixture_open(&fixture, &options);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void submit(const char *tool, const char *text, struct outcome *outcome)
{
    assert_int_equal(fixture_submit(&fixture, tool, text, 0, outcome), SNAKEPIT_OK);
}

// ---- Deaths -------------------------------------------------------------------

static void a_death_fails_what_ran_and_moves_what_did_not(void **state)
{
    (void)state;
    static struct outcome outcomes[4];
    struct fake_call running;
    const char *const texts[] = {"a", "b", "c", "d"};
    struct side *dying = fixture_add(&fixture, 1);
    for (int i = 0; i < 4; i++) {
        submit("echo", texts[i], &outcomes[i]);
    }
    assert_int_equal(dying->seat->load, 3);
    assert_true(fake_take_started(dying->fake, &running));
    fixture_kill(&fixture, dying, "killed by signal 9 (SIGKILL)");
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_int_equal(fixture_in_line(&fixture), 3);
    struct side *heir = fixture_add(&fixture, 1);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(outcomes[i].ended, 0);
        assert_true(fixture_serve_one(&fixture, heir));
        assert_echoed(&outcomes[i], texts[i]);
    }
}

static void a_death_while_closing_answers_also_what_did_not_run(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    struct fake_call running;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", "a", &outcomes[0]);
    submit("echo", "b", &outcomes[1]);
    assert_true(fake_take_started(side->fake, &running));
    sp_pool_begin_close(fixture.pool);
    fixture_kill(&fixture, side, "gone");
    fixture_drain(&fixture);
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_ended(&outcomes[1], SNAKEPIT_SHUTTING_DOWN, "worker");
    assert_false(sp_pool_is_busy(fixture.pool));
}

static void a_death_while_closing_leaves_what_did_not_run_to_the_others(void **state)
{
    (void)state;
    static const char *const texts[] = {"a", "b", "c", "d"};
    static struct outcome outcomes[4];
    struct fake_call running[2];
    struct side *side = fixture_add(&fixture, 1);
    struct side *heir = fixture_add(&fixture, 1);
    for (int i = 0; i < 4; i++) {
        submit("echo", texts[i], &outcomes[i]);
    }
    // Each has one that runs and one that was handed to it in advance.
    assert_true(fake_take_started(side->fake, &running[0]));
    assert_true(fake_take_started(heir->fake, &running[1]));
    sp_pool_begin_close(fixture.pool);
    fixture_kill(&fixture, side, "gone");
    fake_serve(heir->fake, &running[1]);
    while (fixture_serve_one(&fixture, heir)) {
    }
    int died = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(outcomes[i].ended, 1);
        died += outcomes[i].err == SNAKEPIT_WORKER_DIED ? 1 : 0;
        assert_true(outcomes[i].err == SNAKEPIT_OK ||
                    outcomes[i].err == SNAKEPIT_WORKER_DIED);
    }
    assert_int_equal(died, 1);
}

static void a_worker_that_died_for_breaking_the_protocol_is_counted(void **state)
{
    (void)state;
    static const struct sp_failure broke = {.err = SNAKEPIT_PROTOCOL, .message = "m"};
    static struct outcome outcome;
    struct fake_call running;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", "a", &outcome);
    assert_true(fake_take_started(side->fake, &running));
    sp_pool_seat_died(fixture.pool, side->seat, &broke);
    fixture_drain(&fixture);
    assert_ended(&outcome, SNAKEPIT_PROTOCOL, "running");
    assert_int_equal(fixture.pool->counters.violations, 1);
    fake_stop(side->fake);
    sp_pool_remove_seat(fixture.pool, side->seat);
    side->seat = NULL;
}

static void a_waiting_thread_learns_of_the_death_of_its_worker(void **state)
{
    (void)state;
    struct caller running;
    struct caller queued;
    struct fake_call call;
    struct side *dying = fixture_add(&fixture, 1);
    fixture_call(&running, &fixture, "echo", "a", 0);
    FIXTURE_AWAIT(fixture_placed(&fixture) == 1);
    assert_true(fake_take_started(dying->fake, &call));
    fixture_call(&queued, &fixture, "echo", "b", 0);
    FIXTURE_AWAIT(fixture_placed(&fixture) == 2);
    fixture_kill(&fixture, dying, "exited with status 3");
    fixture_join(&running);
    assert_ended(&running.outcome, SNAKEPIT_WORKER_DIED, "running");
    struct side *heir = fixture_add(&fixture, 1);
    fake_start(heir->fake);
    fixture_join(&queued);
    assert_echoed(&queued.outcome, "b");
}

static void an_answer_that_came_before_the_death_is_no_violation_after_it(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    struct fake_call calls[2];
    struct side *side = fixture_add(&fixture, 2);
    submit("echo", "a", &outcomes[0]);
    submit("never", "b", &outcomes[1]);
    assert_true(fake_take_started(side->fake, &calls[0]));
    assert_true(fake_take_started(side->fake, &calls[1]));
    // One call was given up and one was answered, and nobody had looked yet.
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[1].id), SNAKEPIT_OK);
    fake_serve(side->fake, &calls[0]);
    fake_stop(side->fake);
    const struct sp_failure failure = {.err = SNAKEPIT_WORKER_DIED, .cause = "gone"};
    sp_pool_seat_died(fixture.pool, side->seat, &failure);
    fixture_drain(&fixture);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(outcomes[0].ended, 1);
    assert_int_equal(outcomes[1].ended, 1);
    assert_int_equal(fixture.pool->counters.violations, 0);
    assert_int_equal(side->kills, 0);
}

static void calls_given_up_die_with_their_worker_without_another_answer(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    submit("never", "a", &outcome);
    assert_true(fake_take_started(side->fake, &call));
    assert_int_equal(sp_pool_cancel(fixture.pool, outcome.id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_int_equal(fixture.pool->orphans, 1);
    fixture_kill(&fixture, side, "gone");
    fixture_drain(&fixture);
    assert_int_equal(fixture.pool->orphans, 0);
    assert_int_equal(outcome.ended, 1);
    assert_int_equal(outcome.err, SNAKEPIT_CANCELLED);
}

static void a_closed_seat_ends_its_calls_and_gets_no_more(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    struct side *leaving = fixture_add(&fixture, 1);
    submit("echo", "a", &outcomes[0]);
    sp_pool_close_seat(fixture.pool, leaving->seat);
    submit("echo", "b", &outcomes[1]);
    assert_int_equal(fixture_in_line(&fixture), 1);
    assert_true(sp_pool_seat_is_busy(fixture.pool, leaving->seat));
    assert_true(fixture_serve_one(&fixture, leaving));
    assert_echoed(&outcomes[0], "a");
    assert_false(sp_pool_seat_is_busy(fixture.pool, leaving->seat));
    assert_false(fixture_serve_one(&fixture, leaving));
    struct side *next = fixture_add(&fixture, 1);
    assert_true(fixture_serve_one(&fixture, next));
    assert_echoed(&outcomes[1], "b");
}

static void a_seat_that_is_emptied_keeps_what_runs_and_gives_up_the_rest(void **state)
{
    (void)state;
    static struct outcome outcomes[3];
    const char *const texts[] = {"a", "b", "c"};
    struct caller caller;
    struct fake_call running;
    struct side *leaving = fixture_add(&fixture, 1);
    for (int i = 0; i < 2; i++) {
        submit("echo", texts[i], &outcomes[i]);
    }
    fixture_call(&caller, &fixture, "echo", "d", 0);
    FIXTURE_AWAIT(fixture_placed(&fixture) == 3);
    submit("echo", texts[2], &outcomes[2]);
    assert_true(fake_take_started(leaving->fake, &running));
    sp_pool_empty_seat(fixture.pool, leaving->seat);
    assert_int_equal(leaving->seat->load, 1);
    assert_int_equal(fixture_in_line(&fixture), 3);
    assert_true(sp_pool_seat_is_busy(fixture.pool, leaving->seat));
    fake_serve(leaving->fake, &running);
    fixture_drain(&fixture);
    assert_echoed(&outcomes[0], "a");
    assert_false(sp_pool_seat_is_busy(fixture.pool, leaving->seat));
    assert_false(fixture_serve_one(&fixture, leaving));
    struct side *next = fixture_add(&fixture, 1);
    for (int i = 1; i < 3; i++) {
        assert_true(fixture_serve_one(&fixture, next));
    }
    assert_true(fixture_serve_one(&fixture, next));
    fixture_join(&caller);
    assert_echoed(&caller.outcome, "d");
    assert_echoed(&outcomes[1], "b");
    assert_echoed(&outcomes[2], "c");
}

static void calls_of_a_seat_that_is_emptied_end_as_the_pool_has(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    struct fake_call running;
    struct side *leaving = fixture_add(&fixture, 1);
    submit("echo", "a", &outcomes[0]);
    submit("echo", "b", &outcomes[1]);
    assert_true(fake_take_started(leaving->fake, &running));
    sp_pool_set_state(fixture.pool, SP_POOL_FAILED, "it is over");
    sp_pool_empty_seat(fixture.pool, leaving->seat);
    fake_serve(leaving->fake, &running);
    fixture_drain(&fixture);
    assert_echoed(&outcomes[0], "a");
    assert_ended(&outcomes[1], SNAKEPIT_POOL_FAILED, "worker");
}

// ---- Moving -------------------------------------------------------------------

static void a_worker_that_comes_takes_what_waits_behind_another_call(void **state)
{
    (void)state;
    static struct outcome outcomes[3];
    struct fake_call running;
    struct side *busy = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        submit("echo", "x", &outcomes[i]);
    }
    assert_true(fake_take_started(busy->fake, &running));
    struct side *idle = fixture_add(&fixture, 1);
    assert_int_equal(idle->seat->load, 1);
    assert_int_equal(busy->seat->load, 2);
    assert_true(fixture_serve_one(&fixture, idle));
    assert_echoed(&outcomes[2], "x");
    assert_int_equal(outcomes[1].ended + outcomes[0].ended, 0);
}

static void no_call_waits_behind_a_long_one_while_a_worker_is_idle(void **state)
{
    (void)state;
    static struct outcome outcomes[3];
    struct fake_call call;
    struct side *a = fixture_add(&fixture, 1);
    struct side *b = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        submit("echo", "x", &outcomes[i]);
    }
    struct side *longer = a->seat->load == 2 ? a : b;
    struct side *other = longer == a ? b : a;
    assert_int_equal(longer->seat->load, 2);
    assert_true(fake_take_started(longer->fake, &call)); // and takes for ever
    assert_true(fixture_serve_one(&fixture, other));
    // The call behind the long one must have moved.
    assert_int_equal(other->seat->load, 1);
    assert_true(fixture_serve_one(&fixture, other));
    assert_int_equal(outcomes[0].ended + outcomes[1].ended + outcomes[2].ended, 2);
}

static void a_moved_call_ends_for_the_thread_that_waits_for_it(void **state)
{
    (void)state;
    struct caller callers[3];
    struct fake_call call;
    struct side *busy = fixture_add(&fixture, 1);
    fixture_call(&callers[0], &fixture, "echo", "0", 0);
    FIXTURE_AWAIT(fixture_placed(&fixture) == 1);
    assert_true(fake_take_started(busy->fake, &call));
    fixture_call(&callers[1], &fixture, "echo", "1", 0);
    FIXTURE_AWAIT(fixture_placed(&fixture) == 2);
    fixture_call(&callers[2], &fixture, "echo", "2", 0);
    FIXTURE_AWAIT(fixture_placed(&fixture) == 3);
    struct side *idle = fixture_add(&fixture, 1);
    fake_start(idle->fake);
    fixture_join(&callers[2]);
    assert_echoed(&callers[2].outcome, "2");
    fake_serve(busy->fake, &call);
    fixture_join(&callers[0]);
    assert_echoed(&callers[0].outcome, "0");
    fake_start(busy->fake);
    fixture_join(&callers[1]);
    assert_echoed(&callers[1].outcome, "1");
}

// ---- Tensors that Python keeps ------------------------------------------------

static void kept_tensors_go_back_when_python_lets_go(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit_tensor(&fixture, "keep", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    assert_true(call.request.lease < FIXTURE_LEASES);
    fake_serve(side->fake, &call);
    fixture_drain(&fixture);
    assert_int_equal(outcome.err, SNAKEPIT_OK);
    assert_int_equal(side->seat->leases_out, 1);
    assert_false(sp_list_empty(&fixture.pool->store.shares));
    fake_return_lease(side->fake, call.request.lease);
    submit("echo", "x", &outcome);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(side->seat->leases_out, 0);
    assert_true(sp_list_empty(&fixture.pool->store.shares));
}

static void a_lease_that_is_not_out_costs_the_worker(void **state)
{
    (void)state;
    const uint32_t numbers[] = {FIXTURE_LEASES, UINT32_MAX, 3};
    for (size_t i = 0; i < 3; i++) {
        static struct outcome outcomes[2];
        struct side *side = fixture_add(&fixture, 1);
        assert_int_equal(fixture_submit_tensor(&fixture, "keep", 0, &outcomes[0]),
                         SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        fake_return_lease(side->fake, numbers[i]);
        submit("echo", "x", &outcomes[1]);
        (void)fixture_serve_one(&fixture, side);
        assert_int_equal(fixture.pool->counters.violations, 1);
        fixture_kill(&fixture, side, "killed by us");
        fixture_close(&fixture);
        (void)open_with_prefetch(NULL);
    }
}

// Python keeps the tensors of so many calls that a worker's leases are used up.
static void use_up_leases(struct side *side, uint32_t leases[FIXTURE_LEASES])
{
    for (uint32_t i = 0; i < FIXTURE_LEASES; i++) {
        static struct outcome outcome;
        struct fake_call call;
        assert_int_equal(fixture_submit_tensor(&fixture, "keep", 0, &outcome),
                         SNAKEPIT_OK);
        assert_true(fake_take_started(side->fake, &call));
        leases[i] = call.request.lease;
        fake_serve(side->fake, &call);
        fixture_drain(&fixture);
        assert_int_equal(outcome.err, SNAKEPIT_OK);
    }
    assert_int_equal(side->seat->leases_out, FIXTURE_LEASES);
}

static void a_lease_that_came_back_is_found_when_it_is_needed(void **state)
{
    (void)state;
    uint32_t leases[FIXTURE_LEASES];
    static struct outcome outcome;
    struct side *side = fixture_add(&fixture, 1);
    use_up_leases(side, leases);
    fake_return_lease(side->fake, leases[1]);
    assert_int_equal(fixture_submit_tensor(&fixture, "echo", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(outcome.err, SNAKEPIT_OK);
}

static void a_call_that_finds_no_lease_is_refused_and_blocks_nobody(void **state)
{
    (void)state;
    uint32_t leases[FIXTURE_LEASES];
    static struct outcome outcomes[2];
    struct side *side = fixture_add(&fixture, 1);
    use_up_leases(side, leases);
    assert_int_equal(fixture_submit_tensor(&fixture, "echo", 0, &outcomes[0]),
                     SNAKEPIT_NO_MEMORY);
    submit("echo", "x", &outcomes[1]);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[1], "x");
    assert_int_equal(outcomes[0].ended, 0);
}

static void room_for_a_call_without_a_lease_ends_it_and_harms_no_other(void **state)
{
    (void)state;
    uint32_t leases[FIXTURE_LEASES];
    static struct outcome outcomes[5];
    struct side *side = fixture_add(&fixture, 1);
    use_up_leases(side, leases);
    submit("echo", "0", &outcomes[0]);
    submit("echo", "1", &outcomes[1]);
    assert_int_equal(fixture_submit(&fixture, "echo", "2", 10, &outcomes[2]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_submit_tensor(&fixture, "echo", 0, &outcomes[3]),
                     SNAKEPIT_OK);
    submit("echo", "4", &outcomes[4]);
    assert_int_equal(fixture_in_line(&fixture), 2);
    // The third one's time is up, which makes room once the worker has passed on its
    // slot. For that the fourth one has no lease.
    (void)fixture_tick(&fixture, 20);
    assert_ended(&outcomes[2], SNAKEPIT_DEADLINE_EXCEEDED, "worker");
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_ended(&outcomes[3], SNAKEPIT_NO_MEMORY, "line");
    assert_echoed(&outcomes[0], "0");
    assert_echoed(&outcomes[1], "1");
    assert_echoed(&outcomes[4], "4");
}

static void a_call_that_waits_for_a_lease_goes_to_a_worker_that_has_one(void **state)
{
    (void)state;
    uint32_t leases[FIXTURE_LEASES];
    static struct outcome outcomes[3];
    struct side *side = fixture_add(&fixture, 1);
    use_up_leases(side, leases);
    struct side *other = fixture_add(&fixture, 1);
    submit("echo", "x", &outcomes[0]);
    submit("echo", "x", &outcomes[1]);
    assert_true(fixture_serve_one(&fixture, other));
    assert_true(fixture_serve_one(&fixture, side));
    // The one without leases was used last, so it is the first choice.
    assert_ptr_equal(sp_loads_least(&fixture.pool->loads), side->seat);
    assert_int_equal(fixture_submit_tensor(&fixture, "echo", 0, &outcomes[2]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_in_line(&fixture), 0);
    assert_true(fixture_serve_one(&fixture, other));
    assert_int_equal(outcomes[2].err, SNAKEPIT_OK);
}

// ---- Many steps ---------------------------------------------------------------

#define CALLS_MOST 64

static uint32_t running_of(const struct side *side, const struct fake_call *calls)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < 4; i++) {
        count += calls[i].request.call != 0 ? 1 : 0;
    }
    return side->seat == NULL ? 0 : count;
}

// One random step of a pool with workers of 1 to 4 executors. The calls that a side
// runs are in `running`, a zeroed one is a free executor.
static void random_step(unsigned *seed,
                        struct outcome *outcomes,
                        char (*texts)[8],
                        struct fake_call running[FIXTURE_SIDES][4])
{
    uint32_t pick = (uint32_t)rand_r(seed) % FIXTURE_SIDES;
    struct side *side = &fixture.sides[pick];
    struct fake_call *executor = &running[pick][(uint32_t)rand_r(seed) % (pick + 1)];
    uint32_t call = (uint32_t)rand_r(seed) % CALLS_MOST;
    switch (rand_r(seed) % 4) {
    case 0:
        if (outcomes[call].id == 0 || outcomes[call].ended == 1) {
            if (outcomes[call].id != 0 && outcomes[call].err == SNAKEPIT_OK) {
                assert_echoed(&outcomes[call], texts[call]);
            }
            (void)snprintf(texts[call], sizeof texts[call], "%d", rand_r(seed) % 10000);
            submit("echo", texts[call], &outcomes[call]);
        }
        break;
    case 1:
        if (executor->request.call == 0 &&
            fake_take(side->fake, executor) != FAKE_STARTED) {
            *executor = (struct fake_call){0};
        }
        break;
    case 2:
        if (executor->request.call != 0) {
            fake_serve(side->fake, executor);
            *executor = (struct fake_call){0};
        }
        break;
    default:
        if (rand_r(seed) % 8 == 0 && outcomes[call].ended == 0 &&
            outcomes[call].id != 0) {
            assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[call].id),
                             SNAKEPIT_OK);
        }
        fixture_drain(&fixture);
    }
}

static void check_invariants(uint32_t prefetch,
                             struct fake_call running[FIXTURE_SIDES][4])
{
    uint32_t placed = 0;
    for (uint32_t i = 0; i < FIXTURE_SIDES; i++) {
        const struct side *side = &fixture.sides[i];
        assert_true(side->seat->load <= side->seat->capacity + prefetch);
        assert_true(running_of(side, running[i]) <=
                    side->seat->load + side->port->notifying);
        placed += side->seat->load;
    }
    assert_int_equal(placed, fixture.pool->placed + fixture.pool->orphans);
    assert_int_equal(fixture.pool->counters.violations, 0);
}

static void random_run(unsigned seed, uint32_t prefetch)
{
    static struct outcome outcomes[CALLS_MOST];
    char texts[CALLS_MOST][8] = {{0}};
    struct fake_call running[FIXTURE_SIDES][4] = {{{0}}};
    memset(outcomes, 0, sizeof outcomes);
    struct sp_pool_options options = fixture_options();
    options.prefetch = prefetch;
    fixture_close(&fixture);
    fixture_open(&fixture, &options);
    for (uint32_t i = 0; i < FIXTURE_SIDES; i++) {
        (void)fixture_add(&fixture, i + 1);
    }
    for (int step = 0; step < 20000; step++) {
        random_step(&seed, outcomes, texts, running);
        check_invariants(prefetch, running);
    }
    sp_pool_end_all(fixture.pool);
    fixture_drain(&fixture);
    for (int i = 0; i < CALLS_MOST; i++) {
        assert_int_equal(outcomes[i].ended, outcomes[i].id != 0 ? 1 : 0);
    }
}

static void whatever_happens_capacity_holds_and_each_call_has_one_answer(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 4; seed++) {
        random_run(seed, 0);
        random_run(seed + 100, 2);
    }
}

#define test(name) \
    cmocka_unit_test_setup_teardown(name, open_with_prefetch, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_death_fails_what_ran_and_moves_what_did_not),
        test(a_death_while_closing_answers_also_what_did_not_run),
        test(a_death_while_closing_leaves_what_did_not_run_to_the_others),
        test(a_worker_that_died_for_breaking_the_protocol_is_counted),
        test(a_waiting_thread_learns_of_the_death_of_its_worker),
        test(an_answer_that_came_before_the_death_is_no_violation_after_it),
        test(calls_given_up_die_with_their_worker_without_another_answer),
        test(a_closed_seat_ends_its_calls_and_gets_no_more),
        test(a_seat_that_is_emptied_keeps_what_runs_and_gives_up_the_rest),
        test(calls_of_a_seat_that_is_emptied_end_as_the_pool_has),
        test(a_worker_that_comes_takes_what_waits_behind_another_call),
        test(no_call_waits_behind_a_long_one_while_a_worker_is_idle),
        test(a_moved_call_ends_for_the_thread_that_waits_for_it),
        test(kept_tensors_go_back_when_python_lets_go),
        test(a_lease_that_is_not_out_costs_the_worker),
        test(a_lease_that_came_back_is_found_when_it_is_needed),
        test(a_call_that_finds_no_lease_is_refused_and_blocks_nobody),
        test(room_for_a_call_without_a_lease_ends_it_and_harms_no_other),
        test(a_call_that_waits_for_a_lease_goes_to_a_worker_that_has_one),
        test(whatever_happens_capacity_holds_and_each_call_has_one_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
