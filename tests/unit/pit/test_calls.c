// SPDX-License-Identifier: MIT
// What a program sees of its calls.
#include "fakes.h"

#include <string.h>

#include "pit/calls.h"

#define MOST 200u

static struct {
    size_t count;
    snakepit_ended_call calls[MOST];
    char tools[MOST][64];
    char errors[MOST][64];
} ended;

static void take_ended(void *user, const snakepit_ended_call *call)
{
    (void)user;
    assert_int_equal(call->size, sizeof *call);
    if (ended.count < MOST) {
        ended.calls[ended.count] = *call;
        strncpy(ended.tools[ended.count], call->tool, 63);
        strncpy(ended.errors[ended.count], call->error, 63);
    }
    ended.count++;
}

static size_t recent(bool failed, size_t most)
{
    const snakepit_recent_options options = {
        .size = sizeof options, .failed = failed, .most = most};
    memset(&ended, 0, sizeof ended);
    assert_int_equal(snakepit_recent_calls(pit, NULL, &options, take_ended, NULL),
                     SNAKEPIT_OK);
    return ended.count;
}

static void call(const char *tool)
{
    snakepit_answer *answer;
    (void)snakepit_call(pit, tool, NULL, NULL, &answer);
    snakepit_answer_free(answer);
}

static void only_what_fails_is_kept_unless_calls_are_recorded(void **state)
{
    (void)state;
    pit_open_ready("");
    call("echo");
    call("fault");
    assert_int_equal(recent(false, 0), 1);
    assert_int_equal(ended.calls[0].err, SNAKEPIT_TOOL_FAILED);
    assert_string_equal(ended.tools[0], "fault");
    assert_string_equal(ended.errors[0], "ValueError: no");
    assert_int_equal(ended.calls[0].worker, 1);
    assert_int_equal(ended.calls[0].attempts, 1);
}

static void recorded_calls_come_with_the_newest_first(void **state)
{
    (void)state;
    pit_open_ready("");
    call("fault"); // before
    assert_int_equal(snakepit_calls_record(pit, true), SNAKEPIT_OK);
    assert_int_equal(snakepit_calls_record(pit, true), SNAKEPIT_OK);
    call("echo");
    call("fault");
    assert_int_equal(recent(false, 0), 3);
    assert_string_equal(ended.tools[0], "fault");
    assert_string_equal(ended.errors[0], "ValueError: no");
    assert_string_equal(ended.tools[1], "echo");
    assert_string_equal(ended.tools[2], "fault");
    assert_true(ended.calls[0].ended_us >= ended.calls[1].ended_us);
    assert_int_equal(recent(true, 0), 2);
    assert_int_equal(recent(false, 1), 1);
    assert_int_equal(snakepit_calls_record(pit, false), SNAKEPIT_OK);
    assert_int_equal(recent(false, 0), 3);
    assert_int_equal(snakepit_calls_record(pit, false), SNAKEPIT_OK);
    assert_int_equal(recent(false, 0), 2);
    assert_int_equal(snakepit_calls_record(pit, false), SNAKEPIT_INVALID_ARGUMENT);
}

static void who_follows_is_given_each_call_once(void **state)
{
    const struct sp_ended_taker taker = {take_ended, NULL};
    struct sp_calls_followed followed = {0};
    (void)state;
    pit_open_ready("");
    memset(&ended, 0, sizeof ended);
    call("echo");
    assert_int_equal(sp_pit_follow_calls(pit, "default", &followed, 10, &taker), 0);
    assert_int_equal(ended.count, 0);
    assert_int_equal(snakepit_calls_record(pit, true), SNAKEPIT_OK);
    call("echo");
    call("fault");
    assert_int_equal(sp_pit_follow_calls(pit, "default", &followed, 10, &taker), 0);
    assert_int_equal(ended.count, 2);
    assert_string_equal(ended.tools[0], "echo");
    assert_string_equal(ended.errors[1], "ValueError: no");
    assert_int_equal(sp_pit_follow_calls(pit, "default", &followed, 10, &taker), 0);
    assert_int_equal(ended.count, 2);
    for (int i = 0; i < 5; i++) {
        call("echo");
    }
    assert_int_equal(sp_pit_follow_calls(pit, "default", &followed, 2, &taker), 3);
    assert_int_equal(ended.count, 4);
    assert_int_equal(sp_pit_follow_calls(pit, "nobody", &followed, 2, &taker), 0);
    assert_int_equal(snakepit_calls_record(pit, false), SNAKEPIT_OK);
}

static void take_call(void *user, const snakepit_call_info *info)
{
    size_t *count = user;
    assert_string_equal(info->pool, "default");
    assert_string_equal(info->tool, "hold");
    assert_string_equal(info->state, *count == 0 ? "running" : "line");
    assert_int_equal(info->left_ms < 0, *count == 0);
    assert_int_equal(info->worker, *count == 0 ? 1 : 0);
    assert_int_equal(info->attempt, 1);
    assert_string_equal(sp_pit_pool_of_call(pit, info->call), "default");
    (*count)++;
}

static void done(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)err;
    (*(_Atomic uint32_t *)user)++;
    snakepit_answer_free(answer);
}

static size_t count_calls(size_t most)
{
    size_t count = 0;
    assert_int_equal(snakepit_calls(pit, NULL, most, take_call, &count), SNAKEPIT_OK);
    return count;
}

static void calls_that_wait_or_run_are_listed(void **state)
{
    static _Atomic uint32_t ends;
    const snakepit_call_options limited = {.size = sizeof limited,
                                           .timeout_ms = 600000};
    (void)state;
    ends = 0;
    pit_open_ready("|    call_timeout_ms: 0\n    queue_timeout_ms: 0\n");
    assert_int_equal(count_calls(10), 0);
    snakepit_call_id ids[2];
    assert_int_equal(snakepit_submit(pit, "hold", NULL, NULL, done, &ends, &ids[0]),
                     SNAKEPIT_OK);
    PIT_AWAIT(fake_started(atomic_load(&pit_fakes.player)) == 1);
    assert_int_equal(snakepit_submit(pit, "hold", NULL, &limited, done, &ends, &ids[1]),
                     SNAKEPIT_OK);
    assert_int_equal(count_calls(10), 2);
    assert_int_equal(count_calls(1), 1);
    assert_int_equal(count_calls(0), 0);
    assert_int_equal(snakepit_cancel(pit, ids[1]), SNAKEPIT_OK);
    fake_release(atomic_load(&pit_fakes.player), 1);
    PIT_AWAIT(ends == 2);
    assert_int_equal(count_calls(10), 0);
    assert_null(sp_pit_pool_of_call(pit, 4095));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(only_what_fails_is_kept_unless_calls_are_recorded),
        PIT_TEST(recorded_calls_come_with_the_newest_first),
        PIT_TEST(who_follows_is_given_each_call_once),
        PIT_TEST(calls_that_wait_or_run_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
