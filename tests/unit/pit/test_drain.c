// SPDX-License-Identifier: MIT
// Who runs the callbacks of the default queue: the library, until the program does.
#include "fakes.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"

static struct {
    _Atomic uint32_t count;
    pthread_t thread; // of the last one
    bool drains;      // the callback drains, too
    size_t drained;
    snakepit_err fd_err;
} ended;

static void note_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    int fd;
    ended.thread = pthread_self();
    if (ended.drains) {
        ended.drained = snakepit_drain(pit, 0);
        ended.fd_err = snakepit_completion_fd(pit, &fd);
    }
    snakepit_answer_free(answer);
    atomic_fetch_add(&ended.count, 1);
}

static void submit(void)
{
    assert_int_equal(snakepit_submit(pit, "echo", NULL, NULL, note_end, NULL, NULL),
                     SNAKEPIT_OK);
}

static int prepare(void **state)
{
    atomic_store(&ended.count, 0);
    ended.drains = false;
    return pit_prepare(state);
}

static void await_end(void)
{
    PIT_AWAIT(atomic_load(&ended.count) == 1);
    atomic_store(&ended.count, 0);
}

static void the_library_runs_callbacks_until_the_program_does(void **state)
{
    (void)state;
    pit_open_ready("");
    submit();
    await_end();
    assert_false(pthread_equal(ended.thread, pthread_self()));
    (void)snakepit_drain(pit, 0); // from now on
    assert_false(pit->drain.running);
    submit();
    PIT_AWAIT(snakepit_drain(pit, 100) == 1);
    await_end();
    assert_true(pthread_equal(ended.thread, pthread_self()));
}

static void a_program_that_polls_runs_callbacks_too(void **state)
{
    int fd;
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_completion_fd(pit, &fd), SNAKEPIT_OK);
    assert_int_equal(snakepit_completion_fd(pit, NULL), SNAKEPIT_INVALID_ARGUMENT);
    submit();
    assert_false(pit->drain.running);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 10000), 1);
    PIT_AWAIT(snakepit_drain(pit, 0) == 1);
    assert_int_equal(atomic_load(&ended.count), 1);
}

static void a_callback_of_the_library_cannot_take_over(void **state)
{
    (void)state;
    ended.drains = true;
    pit_open_ready("");
    submit();
    await_end();
    assert_int_equal(ended.drained, 0);
    assert_int_equal(ended.fd_err, SNAKEPIT_INVALID_ARGUMENT);
    assert_true(pit->drain.running);
    submit();
    await_end();
}

static void nothing_is_submitted_once_it_is_finished(void **state)
{
    snakepit_message why;
    const snakepit_call_options options = {.size = sizeof options, .why = &why};
    (void)state;
    pit_open_ready("");
    submit();
    await_end();
    sp_drain_finish(pit);
    assert_int_equal(snakepit_submit(pit, "echo", NULL, &options, note_end, NULL, NULL),
                     SNAKEPIT_SHUTTING_DOWN);
}

static void a_drain_of_no_pit_is_nothing(void **state)
{
    int fd;
    (void)state;
    assert_int_equal(snakepit_drain(NULL, 0), 0);
    assert_int_equal(snakepit_completion_fd(NULL, &fd), SNAKEPIT_INVALID_ARGUMENT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, prepare, pit_tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_library_runs_callbacks_until_the_program_does),
        test(a_program_that_polls_runs_callbacks_too),
        test(a_callback_of_the_library_cannot_take_over),
        test(nothing_is_submitted_once_it_is_finished),
        test(a_drain_of_no_pit_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
