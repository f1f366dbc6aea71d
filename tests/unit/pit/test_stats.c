// SPDX-License-Identifier: MIT
// What a program sees of its pools and their workers, and of their tools.
#include "fakes.h"

#include <string.h>

#include "pit/tools.h"

static void a_program_sees_its_pools(void **state)
{
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_pool_count(pit), 1);
    assert_string_equal(snakepit_pool_name(pit, 0), "default");
    assert_null(snakepit_pool_name(pit, 1));
    assert_int_equal(snakepit_pool_count(NULL), 0);
    assert_null(snakepit_pool_name(NULL, 0));
}

static snakepit_pool_stats stats_of_pool(void)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    return stats;
}

static void call(const char *tool, uint32_t timeout_ms)
{
    const snakepit_call_options options = {.size = sizeof options,
                                           .timeout_ms = timeout_ms};
    snakepit_answer *answer;
    (void)snakepit_call(pit, tool, NULL, &options, &answer);
    snakepit_answer_free(answer);
}

static void calls_are_counted_by_their_ends(void **state)
{
    (void)state;
    pit_open_ready("");
    call("echo", 0);
    call("fault", 0);
    call("hold", 10);
    snakepit_pool_stats stats = stats_of_pool();
    assert_int_equal(stats.calls, 3);
    assert_int_equal(stats.failures, 2);
    assert_int_equal(stats.timeouts, 1);
    assert_int_equal(stats.cancelled, 0);
    assert_int_equal(stats.workers, 1);
    assert_int_equal(stats.capacity, 1);
    assert_int_equal(stats.worker_starts, 1);
    assert_int_equal(stats.processes, 1);
    assert_string_equal(stats.profile, "process");
}

static void a_pool_that_starts_says_so(void **state)
{
    (void)state;
    pit_fakes.starts_by = true;
    pit_open("");
    snakepit_pool_stats stats = stats_of_pool();
    assert_string_equal(stats.state, "starting");
    assert_int_equal(stats.workers_ready, 0);
    atomic_store(&pit_fakes.ready_now, true);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
    stats = stats_of_pool();
    assert_string_equal(stats.state, "ready");
    assert_int_equal(stats.workers_ready, 1);
}

// A program that was built with an earlier library has smaller structs.
static void no_more_is_written_than_the_programs_struct_holds(void **state)
{
    union {
        snakepit_pool_stats stats;
        uint8_t bytes[sizeof(snakepit_pool_stats)];
    } old;
    size_t size = offsetof(snakepit_pool_stats, calls);
    (void)state;
    pit_open_ready("");
    memset(&old, 0x5a, sizeof old);
    old.stats.size = size;
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &old.stats), SNAKEPIT_OK);
    assert_string_equal(old.stats.name, "default");
    for (size_t i = size; i < sizeof old; i++) {
        assert_int_equal(old.bytes[i], 0x5a);
    }
    old.stats.size = 0;
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &old.stats),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_pool_get_stats(pit, "x", &old.stats),
                     SNAKEPIT_UNKNOWN_POOL);
}

static void workers_are_rows(void **state)
{
    snakepit_worker_info rows[2] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_pool_workers(pit, NULL, rows, 2, &count), SNAKEPIT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, 1);
    assert_int_equal(rows[0].pid, 1001);
    assert_int_equal(snakepit_pool_workers(pit, NULL, NULL, 0, &count), SNAKEPIT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(snakepit_pool_workers(pit, NULL, NULL, 1, &count),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_pool_workers(pit, "x", rows, 2, &count),
                     SNAKEPIT_UNKNOWN_POOL);
}

static void the_health_of_a_worker_is_unknown_until_it_is_checked(void **state)
{
    snakepit_health health = {.size = sizeof health};
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_worker_health(pit, NULL, 1, &health), SNAKEPIT_OK);
    assert_string_equal(health.status, "unknown");
    assert_string_equal(health.message, "");
    assert_int_equal(health.size, sizeof health);
    assert_int_equal(snakepit_worker_health(pit, NULL, 2, &health), SNAKEPIT_NOT_FOUND);
    assert_int_equal(snakepit_worker_health(pit, NULL, 0, &health), SNAKEPIT_NOT_FOUND);
    assert_int_equal(snakepit_worker_health(pit, "x", 1, &health),
                     SNAKEPIT_UNKNOWN_POOL);
    health.size = 0;
    assert_int_equal(snakepit_worker_health(pit, NULL, 1, &health),
                     SNAKEPIT_INVALID_ARGUMENT);
}

static void count_stack(void *user, const snakepit_stack *stack)
{
    (void)stack;
    ++*(int *)user;
}

static void a_worker_without_python_has_no_stacks(void **state)
{
    snakepit_message why;
    int stacks = 0;
    (void)state;
    pit_open_ready("");
    assert_int_not_equal(
        snakepit_worker_stacks(pit, NULL, 1, count_stack, &stacks, &why), SNAKEPIT_OK);
    assert_string_not_equal(why.text, "");
    assert_int_equal(snakepit_worker_stacks(pit, NULL, 2, count_stack, &stacks, &why),
                     SNAKEPIT_NOT_FOUND);
    assert_non_null(strstr(why.text, "no worker 2"));
    assert_int_equal(snakepit_worker_stacks(pit, "x", 1, count_stack, &stacks, &why),
                     SNAKEPIT_UNKNOWN_POOL);
    assert_int_equal(stacks, 0);
}

static void the_table_of_tools_is_the_answer_of_a_tool(void **state)
{
    snakepit_answer *answer;
    (void)state;
    pit_open_ready(""); // whose worker answers every tool with its arguments
    assert_int_equal(snakepit_pool_tools(pit, NULL, 10000, &answer), SNAKEPIT_OK);
    snakepit_answer_free(answer);
    assert_int_equal(snakepit_pool_tools(pit, "x", 10000, &answer),
                     SNAKEPIT_UNKNOWN_POOL);
    snakepit_answer_free(answer);
    assert_int_equal(SP_PIT_TABLE_TOOL[0], '_');
}

static void on_table(void *user, snakepit_err err, snakepit_answer *given)
{
    *(snakepit_err *)user = err;
    snakepit_answer_free(given);
}

static void the_table_can_be_asked_for_without_waiting(void **state)
{
    snakepit_message why;
    snakepit_err ended = SNAKEPIT_AGAIN;
    snakepit_call_id id = 0;
    snakepit_call_options options = {.size = sizeof options, .why = &why};
    (void)state;
    pit_open_ready("");
    (void)snakepit_drain(pit, 0); // by this thread from now on
    assert_int_equal(snakepit_submit_tools(pit, &options, on_table, &ended, &id),
                     SNAKEPIT_OK);
    assert_true(id != 0);
    assert_int_equal(snakepit_drain(pit, 10000), 1);
    assert_int_equal(ended, SNAKEPIT_OK);
    options.pool = "x";
    assert_int_equal(snakepit_submit_tools(pit, &options, on_table, &ended, NULL),
                     SNAKEPIT_UNKNOWN_POOL);
    assert_non_null(strstr(why.text, "\"x\""));
    assert_int_equal(snakepit_submit_tools(pit, NULL, NULL, NULL, NULL),
                     SNAKEPIT_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(a_program_sees_its_pools),
        PIT_TEST(calls_are_counted_by_their_ends),
        PIT_TEST(a_pool_that_starts_says_so),
        PIT_TEST(no_more_is_written_than_the_programs_struct_holds),
        PIT_TEST(workers_are_rows),
        PIT_TEST(the_health_of_a_worker_is_unknown_until_it_is_checked),
        PIT_TEST(a_worker_without_python_has_no_stacks),
        PIT_TEST(the_table_of_tools_is_the_answer_of_a_tool),
        PIT_TEST(the_table_can_be_asked_for_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
