// SPDX-License-Identifier: MIT
#include "inspect/threads.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void this_thread_runs_whatever_its_name_is(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "a) T ((b"), 0);
    assert_int_equal(sp_threads_state(getpid(), (uint64_t)gettid()), 'R');
}

static void a_process_that_is_stopped_is_told_to_be(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    char seen = sp_threads_state(child, (uint64_t)child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(seen, 'T');
    assert_string_equal(sp_threads_state_name(seen), "stopped");
}

static void what_is_no_thread_of_the_process_has_no_state(void **state)
{
    (void)state;
    assert_int_equal(sp_threads_state(getpid(), (uint64_t)getppid()), 0);
    assert_int_equal(sp_threads_state(getpid(), UINT64_MAX), 0);
    assert_int_equal(sp_threads_state(getpid(), 0), 0);
    assert_int_equal(sp_threads_state(0, (uint64_t)getpid()), 0);
    assert_string_equal(sp_threads_state_name(0), "unknown");
}

// ---- Those that compute -------------------------------------------------------

// A thread, and the processor time that it uses before it waits for `ends`.
struct computer {
    pthread_t thread;
    uint64_t ms;
    sem_t *done;
    sem_t *ends;
    uint64_t number;
};

static uint64_t used_ms(void)
{
    struct timespec used;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static void *compute(void *user)
{
    struct computer *computer = user;
    computer->number = (uint64_t)gettid();
    while (used_ms() < computer->ms) {
    }
    assert_int_equal(sem_post(computer->done), 0);
    while (sem_wait(computer->ends) != 0) {
    }
    return NULL;
}

#define COMPUTERS 3

// What is said of threads that have used so much, the first of which is known.
static uint32_t computing(const uint64_t ms[COMPUTERS])
{
    static sem_t done;
    static sem_t ends;
    struct computer computers[COMPUTERS];
    assert_int_equal(sem_init(&done, 0, 0), 0);
    assert_int_equal(sem_init(&ends, 0, 0), 0);
    for (int i = 0; i < COMPUTERS; i++) {
        computers[i] = (struct computer){.ms = ms[i], .done = &done, .ends = &ends};
        assert_int_equal(
            pthread_create(&computers[i].thread, NULL, compute, &computers[i]), 0);
    }
    for (int i = 0; i < COMPUTERS; i++) {
        while (sem_wait(&done) != 0) {
        }
    }
    const uint64_t known[] = {computers[0].number, (uint64_t)getpid()};
    const uint32_t found = sp_threads_computing(getpid(), known, 2);
    for (int i = 0; i < COMPUTERS; i++) {
        assert_int_equal(sem_post(&ends), 0);
    }
    for (int i = 0; i < COMPUTERS; i++) {
        assert_int_equal(pthread_join(computers[i].thread, NULL), 0);
    }
    return found;
}

static void threads_that_compute_are_counted_beside_those_that_are_known(void **state)
{
    (void)state;
    assert_int_equal(computing((const uint64_t[]){300, 200, 0}), 1);
    assert_int_equal(computing((const uint64_t[]){300, 300, 300}), 2);
    // Nothing is said of threads that have hardly run.
    assert_int_equal(computing((const uint64_t[]){0, 50, 0}), 0);
    assert_int_equal(sp_threads_computing(0, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_thread_runs_whatever_its_name_is),
        cmocka_unit_test(a_process_that_is_stopped_is_told_to_be),
        cmocka_unit_test(threads_that_compute_are_counted_beside_those_that_are_known),
        cmocka_unit_test(what_is_no_thread_of_the_process_has_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
