// SPDX-License-Identifier: MIT
// What fails, and what a pool runs as: what is done about it and said of it.
#include "fleet/inside.h"

#include "scene.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"

// ---- Failures -----------------------------------------------------------------

static void a_start_that_is_refused_is_tried_again(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    fakes.refusals = 1;
    fakes.refuses = EMFILE;
    scene_begin();
    assert_int_equal(fakes.starts, 0);
    assert_true(scene_was_logged("worker.start_failed pool=one failures=1 limit=3 "
                                 "because=\"spawn: Too many open files\""));
    scene_await();
    assert_int_equal(fakes.starts, 1);
    fake_is_ready(0);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    scene_end();
}

static void a_missing_interpreter_fails_the_pool(void **state)
{
    (void)state;
    fakes.refusals = 1;
    fakes.refuses = ENOENT;
    scene_begin();
    assert_int_equal(scene_look().state, SP_POOL_FAILED);
    assert_string_equal(scene_reason(),
                        "pool one: no worker could be started: spawn: No such file or "
                        "directory");
    assert_true(scene_was_logged("pool.failed pool=one"));
    sp_pool_retry(scene.fixture.pool);
    sp_fleet_retry(&scene.fleet);
    assert_int_equal(fakes.starts, 2);
    assert_int_equal(scene_look().state, SP_POOL_STARTING);
    scene_end();
}

static void want_takes_a_pool_down_until_there_is_enough(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.restart_limit = 1;
    fakes.refusals = 1;
    fakes.refuses = ENOMEM;
    scene_begin();
    assert_int_equal(scene_look().state, SP_POOL_DOWN);
    scene_await();
    fake_is_ready(0);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    scene_end();
}

static void an_adapter_that_raises_is_told_with_its_words(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene_begin();
    fakes.lives[0]->worker.adapter_failed = true;
    (void)snprintf(fakes.lives[0]->worker.failure, 64, "ValueError: not today");
    fake_dies(0);
    assert_int_equal(scene_look().state, SP_POOL_FAILED);
    assert_string_equal(scene_reason(),
                        "pool one: no worker could be started: ValueError: not today");
    scene_end();
}

// ---- Falling back -------------------------------------------------------------

static void begin_threads(enum sp_on_unsupported wish)
{
    scene.pool_config.worker_profile = SP_PROFILE_THREAD;
    scene.pool_config.threads_per_worker = 2;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.on_unsupported = wish;
    scene_begin();
}

static void threads_that_cannot_run_in_parallel_become_processes(void **state)
{
    (void)state;
    begin_threads(SP_UNSUPPORTED_FALLBACK);
    assert_string_equal(scene_look().profile, "thread");
    fakes.lives[0]->worker.info.gil_enabled = true;
    fake_is_ready(0);
    assert_int_equal(fakes.lives[0]->stops, 1);
    fake_dies(0);
    assert_int_equal(fakes.starts, 3);
    assert_string_equal(scene_look().profile, "process");
    assert_int_equal(scene_look().workers, 2);
    assert_int_equal(scene_look().threads, 1);
    assert_int_equal(fakes.lives[1]->worker.options.shape.executors, 1);
    assert_true(
        scene_was_logged("pool.fallback pool=one to=process workers=2 because=\"the "
                         "interpreter is not a free-threaded build\""));
    fake_is_ready(1);
    fake_is_ready(2);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    scene_end();
}

static void a_busy_worker_leaves_when_its_call_has_ended(void **state)
{
    (void)state;
    struct outcome outcome;
    begin_threads(SP_UNSUPPORTED_FALLBACK);
    fake_is_ready(0);
    struct fake_call call;
    struct fake_worker *executor = scene_begin_call(0, &call, &outcome);
    struct sp_worker *worker = &fakes.lives[0]->worker;
    worker->info.gil_enabled = true;
    worker->options.hooks.gil(worker->options.hooks.user, worker);
    assert_int_equal(fakes.lives[0]->stops, 0);
    fake_serve(executor, &call);
    fixture_drain(&scene.fixture);
    assert_echoed(&outcome, "x");
    fake_worker_free(executor);
    scene_await();
    assert_int_equal(fakes.lives[0]->stops, 1);
    scene_end();
}

static void a_pool_may_refuse_to_fall_back(void **state)
{
    (void)state;
    begin_threads(SP_UNSUPPORTED_REFUSE);
    fakes.lives[0]->worker.info.gil_enabled = true;
    fake_is_ready(0);
    assert_int_equal(scene_look().state, SP_POOL_FAILED);
    assert_string_equal(scene_reason(),
                        "pit.yaml: pool one: python: python cannot run the thread "
                        "profile: the interpreter is not a free-threaded build "
                        "(on_unsupported: refuse)");
    scene_end();
}

static void a_pool_may_let_threads_take_turns(void **state)
{
    (void)state;
    begin_threads(SP_UNSUPPORTED_ALLOW);
    fakes.lives[0]->worker.info.gil_enabled = true;
    fakes.lives[0]->worker.info.undeclared = true;
    fake_is_ready(0);
    assert_string_equal(scene_look().profile, "thread (GIL)");
    assert_true(scene_was_logged("pool.gil pool=one"));
    assert_true(scene_was_logged("pool.undeclared_adapter pool=one"));
    assert_int_equal(scene_look().state, SP_POOL_READY);
    scene_end();
}

// ---- Stuck calls --------------------------------------------------------------

static void tick(uint32_t ahead_ms)
{
    (void)sp_fleet_tick(&scene.fleet, sp_clock_now() + ahead_ms * SP_NS_PER_MS);
    fixture_drain(&scene.fixture);
}

static void a_worker_with_a_stuck_call_makes_room_and_is_killed_later(void **state)
{
    (void)state;
    struct outcome outcomes[2];
    struct fake_call calls[2];
    scene.pool_config.on_stuck = SP_STUCK_ISOLATE;
    scene.pool_config.stuck_grace_ms = 60000;
    begin_threads(SP_UNSUPPORTED_FALLBACK);
    fake_is_ready(0);
    struct fake_worker *executor = scene_begin_call(0, &calls[0], &outcomes[0]);
    assert_int_equal(fixture_submit(&scene.fixture, "echo", "y", 0, &outcomes[1]),
                     SNAKEPIT_OK);
    assert_true(fake_take_started(executor, &calls[1]));
    assert_int_equal(sp_pool_cancel(scene.fixture.pool, outcomes[0].id), SNAKEPIT_OK);
    tick(0);
    assert_int_equal(fakes.starts, 1);
    tick(1000);
    assert_int_equal(fakes.starts, 2);
    assert_int_equal(fakes.lives[0]->kills, 0);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_ISOLATIONS], 1);
    const snakepit_worker_info old = scene_see().rows[0];
    assert_true(old.isolated);
    assert_int_equal(old.load, 2);
    assert_int_equal(old.stuck, 1);
    // Nothing can be read of where it is.
    assert_true(scene_was_logged("worker.stuck pool=unit worker=1 pid=1001 call="));
    assert_true(scene_was_logged(" tool=echo running_ms="));
    assert_true(scene_was_logged("worker.isolated pool=one worker=1 pid=1001 "
                                 "kill_ms=60000 because=\"a call did not end in time"));
    fake_is_ready(1);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    fake_serve(executor, &calls[1]);
    tick(1000);
    assert_echoed(&outcomes[1], "y");
    assert_int_equal(fakes.lives[0]->kills, 1);
    assert_string_equal(fakes.lives[0]->why,
                        "a call did not end in time and could not be cancelled");
    assert_int_equal(fakes.lives[0]->death, SP_DEATH_CALL);
    assert_false(fakes.lives[0]->blamed);
    fake_worker_free(executor);
    fake_dies(0);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_DEATHS], 1);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    scene_end();
}

// ---- Want of memory -----------------------------------------------------------

// False: there was enough for the fallback.
static bool falls_back_in_vain(long nth)
{
    begin_threads(SP_UNSUPPORTED_FALLBACK);
    fakes.lives[0]->worker.info.gil_enabled = true;
    fake_is_ready(0);
    fake_exits(0);
    // The starts that follow are not meant.
    fakes.refusals = 1;
    fakes.refuses = EMFILE;
    sp_memory_fail_at(nth);
    fake_is_gone(0);
    sp_memory_fail_at(0);
    bool failed = scene_look().state == SP_POOL_FAILED;
    if (failed) {
        assert_string_equal(scene_reason(), "memory is exhausted");
    }
    scene_end();
    return failed;
}

static void a_fallback_without_memory_fails_the_pool(void **state)
{
    long nth = 1;
    while (falls_back_in_vain(nth)) {
        nth++;
        assert_int_equal(scene_tidy(state), 0);
        assert_int_equal(scene_prepare(state), 0);
    }
    assert_true(nth > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_start_that_is_refused_is_tried_again),
        SCENE_TEST(a_missing_interpreter_fails_the_pool),
        SCENE_TEST(want_takes_a_pool_down_until_there_is_enough),
        SCENE_TEST(an_adapter_that_raises_is_told_with_its_words),
        SCENE_TEST(threads_that_cannot_run_in_parallel_become_processes),
        SCENE_TEST(a_busy_worker_leaves_when_its_call_has_ended),
        SCENE_TEST(a_pool_may_refuse_to_fall_back),
        SCENE_TEST(a_pool_may_let_threads_take_turns),
        SCENE_TEST(a_worker_with_a_stuck_call_makes_room_and_is_killed_later),
        SCENE_TEST(a_fallback_without_memory_fails_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
