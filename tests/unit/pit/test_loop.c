// SPDX-License-Identifier: MIT
// The pit's own thread: it ticks only while somebody has to watch the time.
#include "fakes.h"

#include <sched.h>

#include "base/clock.h"

static _Atomic uint32_t ended;

static void note_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    snakepit_answer_free(answer);
    atomic_fetch_add(&ended, 1);
}

static snakepit_call_id hold(uint32_t timeout_ms)
{
    const snakepit_call_options options = {.size = sizeof options,
                                           .timeout_ms = timeout_ms};
    snakepit_call_id id;
    assert_int_equal(snakepit_submit(pit, "hold", NULL, &options, note_end, NULL, &id),
                     SNAKEPIT_OK);
    return id;
}

static bool ticks(void)
{
    return atomic_load(&pit->ticking);
}

static void it_ticks_while_calls_are_submitted_and_then_rests(void **state)
{
    (void)state;
    pit_open_ready("");
    PIT_AWAIT(!ticks());
    snakepit_call_id id = hold(0);
    assert_true(ticks());
    assert_int_equal(snakepit_cancel(pit, id), SNAKEPIT_OK);
    fake_release(atomic_load(&pit_fakes.player), 1);
    PIT_AWAIT(!ticks());
    (void)hold(0); // and wakes again
    assert_true(ticks());
}

static void a_submitted_call_whose_time_is_up_is_ended_by_it(void **state)
{
    (void)state;
    pit_open_ready("");
    atomic_store(&ended, 0);
    (void)hold(20);
    PIT_AWAIT(atomic_load(&ended) == 1);
}

// The worker is asked to cancel what it runs, and killed when it goes on.
static void a_worker_that_goes_on_with_what_was_given_up_is_replaced(void **state)
{
    (void)state;
    pit_open_ready("|    cancel_grace_ms: 20\n");
    snakepit_call_id id = hold(0);
    PIT_AWAIT(fake_started(atomic_load(&pit_fakes.player)) == 1);
    assert_int_equal(snakepit_cancel(pit, id), SNAKEPIT_OK);
    PIT_AWAIT(atomic_load(&pit_fakes.cancels) == 1);
    PIT_AWAIT(atomic_load(&pit_fakes.starts) == 2);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
}

static void a_loop_without_fleets_stops_at_once(void **state)
{
    static const char yaml[] = "pooling_enabled: false\n";
    (void)state;
    assert_int_equal(
        snakepit_open_memory(yaml, sizeof yaml - 1, &pit_options, &pit, NULL),
        SNAKEPIT_OK);
    assert_true(pit->thread_made);
    sp_pit_stop_loop(pit);
    assert_false(pit->thread_made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(it_ticks_while_calls_are_submitted_and_then_rests),
        PIT_TEST(a_submitted_call_whose_time_is_up_is_ended_by_it),
        PIT_TEST(a_worker_that_goes_on_with_what_was_given_up_is_replaced),
        PIT_TEST(a_loop_without_fleets_stops_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
