// SPDX-License-Identifier: MIT
// Pools that move from one profile to the other: two processes, or one worker with two
// threads. What is seen of machine and workers is the test's.
#include "scene.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define MIB (UINT64_C(1) << 20)

// ---- What is waited for --------------------------------------------------------

// A line of the log, or so many moves that have ended.
static const char *awaited_line;
static uint64_t awaited_moves;

static uint64_t count_of(enum sp_counted what)
{
    return scene_look().counters.workers[what];
}

static void look(struct sp_timer *timer)
{
    (void)timer;
    if (scene_was_logged(awaited_line) &&
        count_of(SP_COUNTED_SWITCHES) >= awaited_moves) {
        sp_loop_stop(&scene.loop);
    }
}

// Runs the loop until both are there.
static void await(const char *line, uint64_t moves)
{
    static struct sp_timer timer;
    awaited_line = line;
    awaited_moves = moves;
    sp_timer_start(&scene.loop, &timer, look, 1, 1);
    scene.loop.stop = false;
    sp_loop_run(&scene.loop);
    sp_timer_stop(&timer);
}

static void await_starts(uint32_t count)
{
    while (fakes.starts < count) {
        scene_await();
    }
}

static void await_stop_of(uint32_t number)
{
    while (fakes.lives[number]->stops == 0) {
        scene_await();
    }
}

// ---- A pool that may move ------------------------------------------------------

static void end(void)
{
    sp_mover_end(&scene.fleet);
    scene_end();
}

static void describe(uint32_t number)
{
    fakes.lives[number]->worker.info.free_threaded = true;
    fakes.lives[number]->memory = 50 * MIB;
}

// Two processes serve; nearly all of the memory is in use.
static void begin(void)
{
    scene.pool_config.adaptive_pooling = true;
    scene.pool_config.switch_threshold = (struct sp_threshold){80, 90};
    scene.pool_config.switch_threads_per_worker = 10;
    scene.pool_config.switch_min_stay_ms = 100;
    scene.pool_config.on_unsupported = SP_UNSUPPORTED_FALLBACK;
    fakes.machine = (struct sp_machine){.memory = 1000 * MIB, .memory_usage = 95};
    scene_begin();
    sp_mover_begin(&scene.fleet);
    assert_int_equal(fakes.starts, 2);
    describe(0);
    describe(1);
    fake_is_ready(0);
    fake_is_ready(1);
}

// They have moved to one worker with two threads, the third one, which uses so much.
static void move_to_threads(uint64_t mib)
{
    await_starts(3);
    describe(2);
    fakes.lives[2]->memory = mib * MIB;
    fake_is_ready(2);
    await_stop_of(0);
    await_stop_of(1);
    fake_dies(0);
    fake_dies(1);
}

static void a_pool_that_is_not_adaptive_is_left_alone(void **state)
{
    (void)state;
    scene_begin();
    sp_mover_begin(&scene.fleet);
    assert_false(sp_timer_runs(&scene.fleet.mover.timer));
    end();
}

static void workers_are_replaced_by_such_of_the_other_profile(void **state)
{
    (void)state;
    begin();
    await_starts(3);
    assert_true(scene_was_logged("pool.profile_switch pool=one from=process to=thread "
                                 "workers=1 threads=2 cpu_usage=0.00 memory_usage=0.95 "
                                 "because=\"much of the memory is in use\""));
    assert_int_equal(fakes.lives[0]->worker.options.shape.executors, 1);
    assert_int_equal(fakes.lives[2]->worker.options.shape.executors, 2);
    // Both serve until it does.
    assert_int_equal(scene_look().seats, 2);
    assert_int_equal(fakes.lives[0]->stops + fakes.lives[1]->stops, 0);
    move_to_threads(60);
    struct sp_pool_view view = scene_look();
    assert_string_equal(view.profile, "thread");
    assert_int_equal(view.workers * view.threads, 2);
    await("pool.profile_kept pool=one profile=thread because=\"much of the memory "
          "is in use\" bytes_before=104857600 bytes_after=62914560",
          0);
    assert_int_equal(count_of(SP_COUNTED_SWITCHES), 1);
    assert_int_equal(count_of(SP_COUNTED_SWITCHES_UNDONE), 0);
    end();
}

static void a_call_that_runs_meanwhile_ends_as_ever(void **state)
{
    (void)state;
    struct fake_call call;
    struct fake_call first;
    struct outcome outcome = {0};
    struct outcome before = {0};
    begin();
    struct fake_worker *other = scene_begin_call(0, &first, &before);
    struct fake_worker *executor = scene_begin_call(1, &call, &outcome);
    fake_serve(other, &first);
    fixture_drain(&scene.fixture);
    fake_worker_free(other);
    await_starts(3);
    describe(2);
    fake_is_ready(2);
    await_stop_of(0);
    fake_dies(0);
    // Its worker waits for it, and the move for its worker.
    assert_int_equal(fakes.lives[1]->stops, 0);
    assert_int_equal(count_of(SP_COUNTED_SWITCHES), 0);
    fake_serve(executor, &call);
    fixture_drain(&scene.fixture);
    assert_int_equal(outcome.err, SNAKEPIT_OK);
    fake_worker_free(executor);
    await_stop_of(1);
    fake_dies(1);
    await("", 1);
    end();
}

static void what_gains_nothing_is_undone(void **state)
{
    (void)state;
    begin();
    move_to_threads(100);
    await_starts(4);
    assert_true(scene_was_logged(
        "pool.profile_switch pool=one from=thread to=process workers=2 threads=1 "
        "cpu_usage=0.00 memory_usage=0.95 because=\"the last switch gained nothing\" "
        "bytes_before=104857600 bytes_after=104857600"));
    fake_is_ready(3);
    await_starts(5);
    fake_is_ready(4);
    await_stop_of(2);
    fake_dies(2);
    await("", 2);
    assert_int_equal(count_of(SP_COUNTED_SWITCHES_UNDONE), 1);
    assert_string_equal(scene_look().profile, "process");
    end();
}

static void what_stands_in_the_way_is_told_once(void **state)
{
    (void)state;
    static const struct {
        bool has_gil;
        bool is_ordinary;
        bool is_unsafe;
        bool is_undeclared;
        const char *because;
    } rows[] = {
        {.is_ordinary = true,
         .because = "the interpreter is not a free-threaded build"},
        {.has_gil = true, .because = "an import has switched the GIL back on"},
        {.is_unsafe = true, .because = "the adapter says that it is not thread-safe"},
        {.is_undeclared = true,
         .because = "the adapter does not say that it is thread-safe"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[160];
        if (i > 0) {
            assert_int_equal(scene_tidy(state), 0);
            assert_int_equal(scene_prepare(state), 0);
        }
        begin();
        fakes.lives[0]->worker.info.free_threaded = !rows[i].is_ordinary;
        fakes.lives[0]->worker.info.gil_enabled = rows[i].has_gil;
        fakes.lives[0]->worker.info.thread_safe = !rows[i].is_unsafe;
        fakes.lives[0]->worker.info.undeclared = rows[i].is_undeclared;
        (void)snprintf(line,
                       sizeof line,
                       "pool.not_adaptive pool=one profile=process because=\"%s\"",
                       rows[i].because);
        await(line, 0);
        assert_true(scene.fleet.mover.told);
        assert_int_equal(fakes.starts, 2);
        end();
    }
}

static void a_pool_of_one_call_has_nothing_to_gain(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.adaptive_pooling = true;
    scene.pool_config.switch_threads_per_worker = 10;
    scene.pool_config.switch_min_stay_ms = 100;
    scene_begin();
    sp_mover_begin(&scene.fleet);
    describe(0);
    fake_is_ready(0);
    await("because=\"it would have as many workers\"", 0);
    end();
}

static void threads_that_cannot_be_started_are_given_up(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 2; i < 5; i++) {
        await_starts(i + 1);
        fake_dies(i);
    }
    await("pool.profile_switch_failed pool=one to=thread because=\"its workers could "
          "not be started\"",
          0);
    assert_string_equal(scene_look().profile, "process");
    assert_int_equal(scene_look().seats, 2);
    assert_int_equal(fakes.lives[0]->stops + fakes.lives[1]->stops, 0);
    end();
}

static void threads_that_take_turns_are_given_up(void **state)
{
    (void)state;
    begin();
    await_starts(3);
    fakes.lives[2]->worker.info.free_threaded = true;
    fakes.lives[2]->worker.info.gil_enabled = true;
    fake_is_ready(2);
    assert_int_equal(fakes.lives[2]->stops, 1);
    fake_dies(2);
    await("pool.profile_switch_failed pool=one to=thread because=\"threads could not "
          "run in parallel\"",
          0);
    assert_int_equal(scene_look().seats, 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_pool_that_is_not_adaptive_is_left_alone),
        SCENE_TEST(workers_are_replaced_by_such_of_the_other_profile),
        SCENE_TEST(a_call_that_runs_meanwhile_ends_as_ever),
        SCENE_TEST(what_gains_nothing_is_undone),
        SCENE_TEST(what_stands_in_the_way_is_told_once),
        SCENE_TEST(a_pool_of_one_call_has_nothing_to_gain),
        SCENE_TEST(threads_that_cannot_be_started_are_given_up),
        SCENE_TEST(threads_that_take_turns_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
