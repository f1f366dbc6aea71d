// SPDX-License-Identifier: MIT
#include "inspect/stacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/memory.h"
#include "python.h"

#define EXECUTORS 3u
#define TOLD_MOST 300u

// A worker that is this process: what its control segment says, and its threads.
static struct {
    struct sp_segment segment;
    struct sp_control_view view;
    struct text name;
    struct code code;
    struct frame frame;
    struct state threads[4];
    uint32_t told;
    struct sp_stack stacks[TOLD_MOST];
    uint32_t counts[TOLD_MOST];
    snakepit_message why;
} worker;

static int begin(void **state)
{
    static const struct sp_control_shape shape = {
        .slots = 4, .executors = EXECUTORS, .leases = 4};
    (void)state;
    memset(&worker, 0, sizeof worker);
    worker.name = text_of("Shop.order");
    worker.code = code_of(&worker.name, &worker.name);
    worker.frame = (struct frame){.code = &worker.code, .at = &worker.code.units[1]};
    for (int i = 0; i < 4; i++) {
        worker.threads[i] =
            (struct state){.next = i < 3 ? &worker.threads[i + 1] : NULL,
                           .previous = i > 0 ? &worker.threads[i - 1] : NULL,
                           .interpreter = &worker,
                           .thread = (uint64_t)getpid(),
                           .frame = &worker.frame};
    }
    if (sp_control_create(&worker.segment, &shape, &worker.view, NULL) != SNAKEPIT_OK) {
        return -1;
    }
    worker.view.header->python = the_map();
    worker.view.header->python.main_state = address(&worker.threads[2]);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_segment_fini(&worker.segment);
    return 0;
}

static void take(void *user, const struct sp_stack *stack)
{
    (void)user;
    if (worker.told < TOLD_MOST) {
        worker.counts[worker.told] = stack->frames->count;
        worker.stacks[worker.told++] = *stack;
    }
}

static snakepit_err read_stacks(void)
{
    struct sp_stacks_source source = {
        .view = &worker.view, .pid = getpid(), .in_proc = getpid(), .time_ms = 60000};
    worker.told = 0;
    return sp_stacks_read(&source, take, NULL, &worker.why);
}

static void executor_runs(uint32_t index, const struct state *thread, uint64_t call)
{
    atomic_store(&worker.view.stamps[index].state, address(thread));
    atomic_store(&worker.view.stamps[index].thread, (uint32_t)getpid());
    atomic_store(&worker.view.stamps[index].since, sp_clock_ticks());
    atomic_store(&worker.view.stamps[index].call, call);
}

static void executors_come_first_then_the_other_threads(void **state)
{
    (void)state;
    executor_runs(0, &worker.threads[0], 0);
    executor_runs(2, &worker.threads[1], 77);
    assert_int_equal(read_stacks(), SNAKEPIT_OK);
    assert_int_equal(worker.told, 4);
    assert_int_equal(worker.stacks[0].executor, 0);
    assert_int_equal(worker.stacks[0].call, 0);
    assert_int_equal(worker.stacks[0].running_us, 0);
    assert_int_equal(worker.stacks[1].executor, 2);
    assert_int_equal(worker.stacks[1].call, 77);
    assert_int_equal(worker.stacks[2].executor, SP_NO_EXECUTOR);
    assert_int_equal(worker.stacks[3].executor, SP_NO_EXECUTOR);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(worker.counts[i], 1);
        assert_int_equal(worker.stacks[i].thread, getpid());
        assert_int_equal(worker.stacks[i].state, 'R');
    }
}

static void a_number_that_is_no_thread_is_not_told(void **state)
{
    (void)state;
    worker.threads[2].thread = UINT64_MAX;
    assert_int_equal(read_stacks(), SNAKEPIT_OK);
    assert_int_equal(worker.stacks[0].thread, 0);
    assert_int_equal(worker.stacks[0].state, 0);
}

static void a_list_of_threads_that_is_a_circle_ends(void **state)
{
    (void)state;
    worker.threads[3].next = &worker.threads[0];
    worker.threads[0].previous = &worker.threads[3];
    assert_int_equal(read_stacks(), SNAKEPIT_OK);
    assert_int_equal(worker.told, 256);
}

static void a_list_that_leads_out_of_the_interpreter_ends(void **state)
{
    (void)state;
    worker.threads[3].interpreter = NULL;
    worker.threads[1].previous = (const void *)64;
    assert_int_equal(read_stacks(), SNAKEPIT_OK);
    assert_int_equal(worker.told, 2);
}

static void a_worker_that_has_not_joined_has_no_stacks_yet(void **state)
{
    (void)state;
    atomic_store(&worker.view.header->python.known, SP_PYTHON_UNTOLD);
    assert_int_equal(read_stacks(), SNAKEPIT_AGAIN);
    assert_int_equal(worker.told, 0);
}

static void a_python_that_is_not_known_is_told(void **state)
{
    (void)state;
    atomic_store(&worker.view.header->python.known, SP_PYTHON_UNKNOWN);
    assert_int_equal(read_stacks(), SNAKEPIT_UNSUPPORTED);
    assert_non_null(strstr(worker.why.text, "3.11"));
    atomic_store(&worker.view.header->python.known, SP_PYTHON_TOLD);
    worker.view.header->python.frame_at = UINT32_MAX;
    assert_int_equal(read_stacks(), SNAKEPIT_UNSUPPORTED);
}

static void a_process_that_is_gone_is_told(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct sp_stacks_source source = {
        .view = &worker.view, .pid = child, .time_ms = 60000};
    assert_int_equal(sp_stacks_read(&source, take, NULL, &worker.why),
                     SNAKEPIT_NOT_FOUND);
}

static void memory_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    worker.view.header->python.main_state = 64;
    assert_int_equal(read_stacks(), SNAKEPIT_SYSTEM);
    assert_non_null(strstr(worker.why.text, "process_vm_readv"));
}

static void without_memory_of_our_own_there_is_an_error(void **state)
{
    (void)state;
    sp_memory_fail_at(1);
    assert_int_equal(read_stacks(), SNAKEPIT_NO_MEMORY);
    assert_true(sp_memory_has_failed());
    sp_memory_fail_at(2); // the table of lines: lines are not known then
    assert_int_equal(read_stacks(), SNAKEPIT_OK);
    assert_true(sp_memory_has_failed());
    sp_memory_fail_at(0);
    assert_int_equal(worker.told, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(executors_come_first_then_the_other_threads),
        TEST(a_number_that_is_no_thread_is_not_told),
        TEST(a_list_of_threads_that_is_a_circle_ends),
        TEST(a_list_that_leads_out_of_the_interpreter_ends),
        TEST(a_worker_that_has_not_joined_has_no_stacks_yet),
        TEST(a_python_that_is_not_known_is_told),
        TEST(a_process_that_is_gone_is_told),
        TEST(memory_that_cannot_be_read_is_told),
        TEST(without_memory_of_our_own_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
