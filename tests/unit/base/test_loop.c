// SPDX-License-Identifier: MIT
#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/descriptor.h"

struct scene {
    struct sp_loop loop;
    int wakes;
    int pipe[2];
    struct sp_watch *watch; // on the heap: what is touched after its end is noticed
    struct sp_timer timer;
    struct sp_timer other;
    struct sp_task task;
    int reads;
    int fired;
    int order[8];
    int told;
    bool ran;
};

static void on_wake(void *user)
{
    struct scene *scene = user;
    scene->wakes++;
    sp_loop_stop(&scene->loop);
}

static int prepare(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    assert_int_equal(sp_loop_init(&scene->loop, on_wake, scene, NULL), SNAKEPIT_OK);
    assert_int_equal(pipe2(scene->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    scene->watch = calloc(1, sizeof *scene->watch);
    assert_non_null(scene->watch);
    scene->watch->user = scene;
    scene->timer.user = scene;
    scene->other.user = scene;
    scene->task.user = scene;
    *state = scene;
    return 0;
}

static int clear(void **state)
{
    struct scene *scene = *state;
    sp_loop_fini(&scene->loop);
    (void)close(scene->pipe[0]);
    (void)close(scene->pipe[1]);
    free(scene->watch);
    free(scene);
    return 0;
}

// ---- Waking -------------------------------------------------------------------

static void *wake_once(void *argument)
{
    sp_loop_wake(argument);
    return NULL;
}

static void another_thread_wakes_it(void **state)
{
    struct scene *scene = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_once, &scene->loop), 0);
    sp_loop_run(&scene->loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(scene->wakes, 1);
}

static void wakes_before_it_runs_are_one(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 5; i++) {
        sp_loop_wake(&scene->loop);
    }
    sp_loop_run(&scene->loop);
    assert_int_equal(scene->wakes, 1);
}

// ---- Descriptors --------------------------------------------------------------

static void read_twice(struct sp_watch *watch)
{
    struct scene *scene = watch->user;
    char byte;
    assert_int_equal(read(scene->pipe[0], &byte, 1), 1);
    if (++scene->reads == 2) {
        sp_loop_stop(&scene->loop);
    }
}

static void what_is_left_to_read_is_told_again(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(write(scene->pipe[1], "ab", 2), 2);
    assert_int_equal(
        sp_watch_start(scene->watch, &scene->loop, scene->pipe[0], read_twice, NULL),
        SNAKEPIT_OK);
    sp_loop_run(&scene->loop);
    sp_watch_stop(scene->watch);
    assert_int_equal(scene->reads, 2);
}

static void see_the_end(struct sp_watch *watch)
{
    struct scene *scene = watch->user;
    char byte;
    assert_int_equal(read(scene->pipe[0], &byte, 1), 0);
    sp_watch_stop(watch);
    sp_loop_stop(&scene->loop);
}

static void the_end_of_the_other_side_is_told(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(
        sp_watch_start(scene->watch, &scene->loop, scene->pipe[0], see_the_end, NULL),
        SNAKEPIT_OK);
    (void)close(scene->pipe[1]);
    scene->pipe[1] = -1;
    sp_loop_run(&scene->loop);
}

// Both are ready; whichever comes first frees the other.
static struct sp_watch *pair[2];

static void free_both(struct sp_watch *watch)
{
    struct scene *scene = watch->user;
    scene->reads++;
    for (int i = 0; i < 2; i++) {
        sp_watch_stop(pair[i]);
        free(pair[i]);
    }
    sp_loop_wake(&scene->loop);
}

static void a_callback_may_free_what_is_ready_too(void **state)
{
    struct scene *scene = *state;
    int bells[2];
    for (int i = 0; i < 2; i++) {
        bells[i] = eventfd(1, EFD_CLOEXEC);
        pair[i] = calloc(1, sizeof *pair[i]);
        assert_non_null(pair[i]);
        pair[i]->user = scene;
        assert_int_equal(
            sp_watch_start(pair[i], &scene->loop, bells[i], free_both, NULL),
            SNAKEPIT_OK);
    }
    sp_loop_run(&scene->loop);
    assert_int_equal(scene->reads, 1);
    (void)close(bells[0]);
    (void)close(bells[1]);
}

static void restart_the_other(struct sp_watch *watch)
{
    struct scene *scene = watch->user;
    struct sp_watch *other = watch == pair[0] ? pair[1] : pair[0];
    scene->reads++;
    sp_watch_stop(watch);
    if (other->loop != NULL) {
        // What was to be told of its old descriptor is nothing to the new one.
        sp_watch_stop(other);
        assert_int_equal(
            sp_watch_start(
                other, &scene->loop, scene->pipe[0], restart_the_other, NULL),
            SNAKEPIT_OK);
        sp_loop_wake(&scene->loop);
    }
}

static void a_watch_that_begins_anew_hears_nothing_old(void **state)
{
    struct scene *scene = *state;
    struct sp_watch watches[2] = {{.user = scene}, {.user = scene}};
    int bells[2];
    for (int i = 0; i < 2; i++) {
        bells[i] = eventfd(1, EFD_CLOEXEC);
        pair[i] = &watches[i];
        assert_int_equal(
            sp_watch_start(pair[i], &scene->loop, bells[i], restart_the_other, NULL),
            SNAKEPIT_OK);
    }
    sp_loop_run(&scene->loop);
    assert_int_equal(scene->reads, 1);
    for (int i = 0; i < 2; i++) {
        sp_watch_stop(pair[i]);
        (void)close(bells[i]);
    }
}

// ---- Other events -------------------------------------------------------------

static void note_events(struct sp_watch *watch)
{
    struct scene *scene = watch->user;
    scene->order[scene->told++] = (int)watch->happened;
    sp_loop_stop(&scene->loop);
}

static int events_of(struct scene *scene)
{
    scene->loop.stop = false;
    sp_loop_run(&scene->loop);
    return scene->order[scene->told - 1];
}

static void room_to_write_is_told_while_it_is_wanted(void **state)
{
    struct scene *scene = *state;
    int ends[2];
    char byte = 'a';
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    scene->watch->ready = note_events;
    assert_int_equal(
        sp_watch_start_for(scene->watch, &scene->loop, ends[0], SP_WATCH_WRITE, NULL),
        SNAKEPIT_OK);
    assert_int_equal(events_of(scene), SP_WATCH_WRITE);
    assert_int_equal(write(ends[1], &byte, 1), 1);
    sp_watch_want(scene->watch, SP_WATCH_READ | SP_WATCH_WRITE);
    assert_int_equal(events_of(scene), SP_WATCH_READ | SP_WATCH_WRITE);
    sp_watch_want(scene->watch, SP_WATCH_READ);
    assert_int_equal(events_of(scene), SP_WATCH_READ);
    sp_watch_want(scene->watch, SP_WATCH_HANGUP);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_int_equal(events_of(scene), SP_WATCH_HANGUP);
    sp_watch_want(scene->watch, 0);
    (void)close(ends[1]);
    assert_int_equal(events_of(scene), SP_WATCH_BROKEN);
    sp_watch_stop(scene->watch);
    sp_watch_want(scene->watch, SP_WATCH_READ); // watches nothing
    (void)close(ends[0]);
}

static void a_shared_descriptor_is_told_to_one_loop_that_runs(void **state)
{
    struct scene *scene = *state;
    struct scene other = {.told = 0};
    struct sp_watch watches[2] = {{.user = scene, .ready = note_events},
                                  {.user = &other, .ready = note_events}};
    char byte = 'a';
    assert_int_equal(sp_loop_init(&other.loop, on_wake, &other, NULL), SNAKEPIT_OK);
    struct sp_loop *loops[] = {&scene->loop, &other.loop};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sp_watch_start_for(&watches[i],
                                            loops[i],
                                            scene->pipe[0],
                                            SP_WATCH_READ | SP_WATCH_SHARED,
                                            NULL),
                         SNAKEPIT_OK);
    }
    assert_int_equal(write(scene->pipe[1], &byte, 1), 1);
    assert_int_equal(events_of(scene), SP_WATCH_READ);
    for (int i = 0; i < 2; i++) {
        sp_watch_stop(&watches[i]);
    }
    sp_loop_fini(&other.loop);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(sp_watch_start(scene->watch, &scene->loop, -1, read_twice, NULL),
                     SNAKEPIT_SYSTEM);
    assert_int_equal(errno, EBADF);
    sp_watch_stop(scene->watch); // watches nothing
}

// ---- Timers -------------------------------------------------------------------

static void note_first(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    scene->order[scene->told++] = 1;
}

static void note_last(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    scene->order[scene->told++] = 2;
    sp_loop_stop(&scene->loop);
}

static void timers_fire_in_the_order_of_their_time(void **state)
{
    struct scene *scene = *state;
    uint64_t began = sp_clock_now();
    sp_timer_start(&scene->loop, &scene->other, note_last, 20, 0);
    sp_timer_start(&scene->loop, &scene->timer, note_first, 10, 0);
    sp_loop_run(&scene->loop);
    assert_true(sp_clock_now() - began >= 20 * SP_NS_PER_MS);
    assert_int_equal(scene->told, 2);
    assert_int_equal(scene->order[0], 1);
    assert_false(sp_timer_runs(&scene->timer));
}

static void fire_three_times(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    if (++scene->fired == 3) {
        sp_timer_stop(timer);
        sp_loop_stop(&scene->loop);
    }
}

static void a_timer_fires_again_until_it_is_stopped(void **state)
{
    struct scene *scene = *state;
    sp_timer_start(&scene->loop, &scene->timer, fire_three_times, 0, 1);
    sp_loop_run(&scene->loop);
    assert_int_equal(scene->fired, 3);
    assert_false(sp_timer_runs(&scene->timer));
    sp_timer_stop(&scene->timer); // does not run
}

static void start_at_once_again(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    scene->fired++;
    sp_timer_start(&scene->loop, timer, start_at_once_again, 0, 0);
}

static void a_busy_timer_leaves_time_for_the_rest(void **state)
{
    struct scene *scene = *state;
    sp_timer_start(&scene->loop, &scene->timer, start_at_once_again, 0, 0);
    sp_loop_wake(&scene->loop);
    sp_loop_run(&scene->loop); // which the wake ends
    assert_int_equal(scene->wakes, 1);
    sp_timer_stop(&scene->timer);
}

// ---- Tasks --------------------------------------------------------------------

static void note_task(struct sp_task *task)
{
    struct scene *scene = task->user;
    scene->ran = true;
}

static void ask_and_stop(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    sp_loop_later(&scene->loop, &scene->task, note_task);
    assert_false(scene->ran);
    sp_loop_stop(&scene->loop);
}

static void a_task_runs_after_the_callback_and_before_the_end(void **state)
{
    struct scene *scene = *state;
    sp_timer_start(&scene->loop, &scene->timer, ask_and_stop, 0, 0);
    sp_loop_run(&scene->loop);
    assert_true(scene->ran);
}

static void cancel_it(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    sp_loop_later(&scene->loop, &scene->task, note_task);
    assert_true(sp_task_waits(&scene->task));
    sp_task_cancel(&scene->task);
    assert_false(sp_task_waits(&scene->task));
    sp_task_cancel(&scene->task); // was not asked for
    sp_loop_stop(&scene->loop);
}

static void a_task_that_was_cancelled_does_not_run(void **state)
{
    struct scene *scene = *state;
    sp_timer_start(&scene->loop, &scene->timer, cancel_it, 0, 0);
    sp_loop_run(&scene->loop);
    assert_false(scene->ran);
}

static void ask_before_the_wait(void *user)
{
    struct scene *scene = user;
    if (scene->told++ == 0) {
        sp_loop_later(&scene->loop, &scene->task, note_task);
    } else {
        assert_true(scene->ran);
        sp_loop_stop(&scene->loop);
    }
}

static void something_may_be_done_before_each_wait(void **state)
{
    struct scene *scene = *state;
    sp_loop_before_waits(&scene->loop, ask_before_the_wait);
    sp_timer_start(&scene->loop, &scene->timer, start_at_once_again, 0, 0);
    sp_loop_run(&scene->loop);
    assert_true(scene->ran);
    sp_timer_stop(&scene->timer);
}

// ---- Resources ----------------------------------------------------------------

static void that_something_is_to_be_told_is_seen_without_telling_it(void **state)
{
    struct scene *scene = *state;
    assert_false(sp_loop_is_called(&scene->loop));
    sp_loop_wake(&scene->loop);
    assert_true(sp_loop_is_called(&scene->loop));
    assert_int_equal(scene->wakes, 0);
    sp_loop_run(&scene->loop);
    assert_int_equal(scene->wakes, 1);
    assert_false(sp_loop_is_called(&scene->loop));
}

static void without_descriptors_there_is_no_loop(void **state)
{
    struct scene *scene = *state;
    struct rlimit before;
    struct sp_loop other;
    int highest = dup(scene->pipe[0]);
    (void)close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int left = 0; left < 2; left++) {
        const struct rlimit few = {(rlim_t)(highest + left), before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        snakepit_err err = sp_loop_init(&other, on_wake, scene, NULL);
        int reason = errno;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(err, SNAKEPIT_SYSTEM);
        assert_int_equal(reason, EMFILE);
        // What was made of it is gone, and it may be ended as often as one likes.
        assert_int_equal(fcntl(highest, F_GETFD), -1);
        sp_loop_fini(&other);
    }
}

static void run_without_descriptors(struct scene *scene, int errors)
{
    signal(SIGABRT, SIG_DFL); // not cmocka's handler
    (void)dup2(errors, STDERR_FILENO);
    if (sp_loop_init(&scene->loop, on_wake, scene, NULL) == SNAKEPIT_OK) {
        (void)close_range(3, ~0U, 0);
        sp_loop_run(&scene->loop);
    }
    _exit(0);
}

static void a_program_that_closes_our_descriptors_is_told_so(void **state)
{
    struct scene *scene = *state;
    int ends[2];
    int status = 0;
    char text[512] = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        run_without_descriptors(scene, ends[1]);
    }
    (void)close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "the program has closed descriptors of an open pit"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_program_that_closes_our_descriptors_is_told_so, prepare, clear),
        TEST(another_thread_wakes_it),
        TEST(wakes_before_it_runs_are_one),
        TEST(what_is_left_to_read_is_told_again),
        TEST(the_end_of_the_other_side_is_told),
        TEST(a_callback_may_free_what_is_ready_too),
        TEST(a_watch_that_begins_anew_hears_nothing_old),
        TEST(room_to_write_is_told_while_it_is_wanted),
        TEST(a_shared_descriptor_is_told_to_one_loop_that_runs),
        TEST(what_cannot_be_watched_is_an_error),
        TEST(timers_fire_in_the_order_of_their_time),
        TEST(a_timer_fires_again_until_it_is_stopped),
        TEST(a_busy_timer_leaves_time_for_the_rest),
        TEST(a_task_runs_after_the_callback_and_before_the_end),
        TEST(a_task_that_was_cancelled_does_not_run),
        TEST(something_may_be_done_before_each_wait),
        TEST(that_something_is_to_be_told_is_seen_without_telling_it),
        TEST(without_descriptors_there_is_no_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
