// SPDX-License-Identifier: MIT
// Time slices: asked for, inherited and given back, and nothing else changes.
#include "base/timeslice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t usual; // of a thread that asked for nothing; 0: Linux before 6.12

static int find_usual(void **state)
{
    (void)state;
    usual = sp_timeslice_of(0);
    return 0;
}

// Waits until it is killed.
static pid_t start_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    assert_true(pid > 0);
    return pid;
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_child_gets_a_short_one(void **state)
{
    (void)state;
    pid_t pid = start_child();
    assert_int_equal(setpriority(PRIO_PROCESS, (id_t)pid, 5), 0);
    sp_timeslice_shorten(pid);
    assert_int_equal(sp_timeslice_of(pid), usual == 0 ? 0 : SP_TIMESLICE_SHORT);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 5);
    assert_int_equal(sp_timeslice_of(0), usual);
    end_child(pid);
}

struct thread {
    pthread_t id;
    sem_t go;
    sem_t begun;
    uint64_t before;
    uint64_t after;
};

static void wait_for(sem_t *event)
{
    while (sem_wait(event) != 0) {
    }
}

static void *read_twice(void *arg)
{
    struct thread *thread = arg;
    thread->before = sp_timeslice_of(0);
    (void)sem_post(&thread->begun);
    wait_for(&thread->go);
    thread->after = sp_timeslice_of(0);
    return NULL;
}

static void all_threads_get_the_usual_one_back(void **state)
{
    (void)state;
    sp_timeslice_shorten(0);
    struct thread thread = {0};
    assert_int_equal(sem_init(&thread.go, 0, 0), 0);
    assert_int_equal(sem_init(&thread.begun, 0, 0), 0);
    assert_int_equal(pthread_create(&thread.id, NULL, read_twice, &thread), 0);
    wait_for(&thread.begun);
    sp_timeslice_restore(0);
    assert_int_equal(sem_post(&thread.go), 0);
    assert_int_equal(pthread_join(thread.id, NULL), 0);
    assert_int_equal(sp_timeslice_of(0), usual);
    assert_int_equal(thread.before, usual == 0 ? 0 : SP_TIMESLICE_SHORT);
    assert_int_equal(thread.after, usual);
    assert_int_equal(sem_destroy(&thread.begun), 0);
    assert_int_equal(sem_destroy(&thread.go), 0);
}

static void a_process_that_is_gone_is_left_alone(void **state)
{
    (void)state;
    pid_t pid = start_child();
    end_child(pid);
    sp_timeslice_shorten(pid);
    assert_int_equal(sp_timeslice_of(pid), 0);
    assert_int_equal(sp_timeslice_of(0), usual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_gets_a_short_one),
        cmocka_unit_test(all_threads_get_the_usual_one_back),
        cmocka_unit_test(a_process_that_is_gone_is_left_alone),
    };
    return cmocka_run_group_tests(tests, find_usual, NULL);
}
