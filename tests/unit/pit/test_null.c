// SPDX-License-Identifier: MIT
// NULL for each pointer of the public API. Few mean something; the others are refused,
// and none does harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "pit/pit.h"

#define BAD SNAKEPIT_INVALID_ARGUMENT

static const char no_pools[] = "pooling_enabled: false\n";
static snakepit *pit;
static snakepit_writer *args;
static snakepit_answer *answer;
static snakepit_stream *stream;
static snakepit_message why;

struct row {
    const char *call;
    int got;
    int wanted;
};

#define ROW(call, wanted) {#call, (int)(call), (int)(wanted)}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].got != rows[i].wanted) {
            fail_msg("%s gave %d, not %d", rows[i].call, rows[i].got, rows[i].wanted);
        }
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

// What a call has given goes at once; only its error counts.
static snakepit_err freed(snakepit_err err)
{
    snakepit_answer_free(answer);
    snakepit_stream_close(stream);
    answer = NULL;
    stream = NULL;
    return err;
}

static int open_pit(void **state)
{
    (void)state;
    args = snakepit_writer_new();
    snakepit_writer_map(args, 0);
    return snakepit_open_memory(no_pools, sizeof no_pools - 1, NULL, &pit, NULL);
}

static int close_pit(void **state)
{
    (void)state;
    snakepit_writer_free(args);
    snakepit_close(pit, 0);
    return 0;
}

static void
take_answer(void *user, snakepit_err err, snakepit_answer *given) SNAKEPIT_NOEXCEPT
{
    (void)user;
    (void)err;
    snakepit_answer_free(given);
}

static bool take_chunk(void *user, snakepit_reader *chunk)
{
    (void)user;
    return chunk == NULL;
}

static snakepit_err give_nothing(void *user,
                                 const snakepit_tool_info *info,
                                 const snakepit_reader *arguments,
                                 snakepit_writer *result,
                                 snakepit_message *reason)
{
    (void)user;
    (void)info;
    (void)arguments;
    (void)result;
    (void)reason;
    return SNAKEPIT_OK;
}

// ---- payload.h ----------------------------------------------------------------

static void a_writer_that_is_null_takes_nothing(void **state)
{
    (void)state;
    const snakepit_tensor tensor = {.dtype = SNAKEPIT_INT8};
    snakepit_writer_free(NULL);
    snakepit_writer_reset(NULL);
    snakepit_writer_map(NULL, 1);
    snakepit_writer_array(NULL, 1);
    snakepit_writer_nil(NULL);
    snakepit_writer_bool(NULL, true);
    snakepit_writer_int(NULL, -1);
    snakepit_writer_uint(NULL, 1);
    snakepit_writer_double(NULL, 1);
    snakepit_writer_str(NULL, "x");
    snakepit_writer_str(NULL, NULL);
    snakepit_writer_strn(NULL, "x", 1);
    snakepit_writer_strn(NULL, NULL, 1);
    snakepit_writer_bytes(NULL, "x", 1);
    snakepit_writer_bytes(NULL, NULL, 1);
    snakepit_writer_tensor(NULL, &tensor);
    snakepit_writer_tensor(NULL, NULL);
    const struct row rows[] = {
        ROW(snakepit_writer_json(NULL, "1", 1, &why), BAD),
        ROW(snakepit_writer_json(NULL, NULL, 0, NULL), BAD),
        ROW(snakepit_writer_error(NULL), BAD),
        ROW(snakepit_writer_explain(NULL, NULL), BAD),
        ROW(snakepit_writer_explain(NULL, &why), BAD),
    };
    CHECK(rows);
    assert_memory_equal(why.text, "the writer is NULL", 18);
}

static void a_writer_says_what_was_null(void **state)
{
    (void)state;
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_str(writer, NULL);
    assert_int_equal(snakepit_writer_error(writer), BAD);
    snakepit_writer_reset(writer);
    snakepit_writer_strn(writer, NULL, 1);
    assert_int_equal(snakepit_writer_error(writer), BAD);
    snakepit_writer_reset(writer);
    snakepit_writer_bytes(writer, NULL, 1);
    assert_int_equal(snakepit_writer_explain(writer, NULL), BAD);
    snakepit_writer_reset(writer);
    snakepit_writer_tensor(writer, NULL);
    assert_int_equal(snakepit_writer_error(writer), BAD);
    snakepit_writer_reset(writer);
    assert_int_equal(snakepit_writer_json(writer, NULL, 0, NULL), BAD);
    // Nothing of no bytes is nothing.
    snakepit_writer_reset(writer);
    snakepit_writer_array(writer, 2);
    snakepit_writer_strn(writer, NULL, 0);
    snakepit_writer_bytes(writer, NULL, 0);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    snakepit_writer_free(writer);
}

static void a_reader_reads_nothing_from_null(void **state)
{
    (void)state;
    static const snakepit_tensor tensor = {.dtype = SNAKEPIT_INT8};
    size_t bytes;
    snakepit_value value;
    snakepit_reader reader;
    snakepit_reader map;
    snakepit_reader_init(NULL, "\xc0", 1);
    snakepit_reader_init(&reader, NULL, 1);
    snakepit_reader_init(&map, "\x80", 1);
    const struct row rows[] = {
        ROW(snakepit_tensor_bytes(NULL, &bytes), BAD),
        ROW(snakepit_tensor_bytes(&tensor, NULL), BAD),
        ROW(snakepit_reader_next(&reader, &value), SNAKEPIT_END),
        ROW(snakepit_reader_next(NULL, &value), BAD),
        ROW(snakepit_reader_next(&map, NULL), BAD),
        ROW(snakepit_reader_skip(NULL), BAD),
        ROW(snakepit_reader_explain_json(NULL, NULL), BAD),
        ROW(snakepit_reader_explain_json(NULL, &why), BAD),
        ROW(snakepit_reader_find(NULL, "k", &reader), BAD),
        ROW(snakepit_reader_find(&map, NULL, &reader), BAD),
        ROW(snakepit_reader_find(&map, "k", NULL), BAD),
    };
    CHECK(rows);
}

// ---- snakepit.h ---------------------------------------------------------------

static void a_pit_is_not_opened_from_or_to_null(void **state)
{
    (void)state;
    snakepit *made = NULL;
    const struct row rows[] = {
        ROW(snakepit_open_file(NULL, NULL, &made, &why), BAD),
        ROW(snakepit_open_file(NULL, NULL, NULL, NULL), BAD),
        ROW(snakepit_open_file("/dev/null", NULL, NULL, &why), BAD),
        ROW(snakepit_open_memory(NULL, 9, NULL, &made, &why), BAD),
        ROW(snakepit_open_memory(no_pools, sizeof no_pools - 1, NULL, NULL, &why), BAD),
        ROW(snakepit_reload_file(NULL, "x", NULL, NULL), BAD),
        ROW(snakepit_reload_file(pit, NULL, NULL, NULL), BAD),
        ROW(snakepit_reload_memory(NULL, "", 0, NULL, NULL), BAD),
        ROW(snakepit_reload_memory(pit, NULL, 0, NULL, NULL), BAD),
        ROW(snakepit_flush_log(NULL, 0), BAD),
        ROW(snakepit_flush_log(pit, 60000), SNAKEPIT_OK),
        ROW(snakepit_await_ready(NULL, NULL, 0, NULL), BAD),
        ROW(snakepit_await_ready(pit, NULL, 0, NULL), SNAKEPIT_OK),
        ROW(snakepit_await_ready(pit, "x", 0, NULL), SNAKEPIT_UNKNOWN_POOL),
    };
    snakepit_close(NULL, 0);
    CHECK(rows);
    assert_null(made);
}

static void a_call_of_null_is_refused(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW(freed(snakepit_call(NULL, "x", args, NULL, &answer)), BAD),
        ROW(freed(snakepit_call(pit, NULL, args, NULL, &answer)), BAD),
        ROW(snakepit_call(pit, "x", args, NULL, NULL), BAD),
        ROW(freed(snakepit_call(pit, "x", NULL, NULL, &answer)), SNAKEPIT_UNKNOWN_POOL),
        ROW(freed(snakepit_call_json(NULL, "x", "{}", NULL, &answer)), BAD),
        ROW(freed(snakepit_call_json(pit, NULL, "{}", NULL, &answer)), BAD),
        ROW(snakepit_call_json(pit, "x", "{}", NULL, NULL), BAD),
        ROW(freed(snakepit_call_json(pit, "x", NULL, NULL, &answer)),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_cancel(NULL, 1), BAD),
    };
    CHECK(rows);
}

static void a_submitted_call_of_null_is_refused(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW(snakepit_submit(NULL, "x", args, NULL, take_answer, NULL, NULL), BAD),
        ROW(snakepit_submit(pit, NULL, args, NULL, take_answer, NULL, NULL), BAD),
        ROW(snakepit_submit(pit, "x", args, NULL, NULL, NULL, NULL),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_submit(pit, "x", NULL, NULL, take_answer, NULL, NULL),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_submit_json(NULL, "x", "{}", NULL, take_answer, NULL, NULL), BAD),
        ROW(snakepit_submit_json(pit, NULL, "{}", NULL, take_answer, NULL, NULL), BAD),
        ROW(snakepit_submit_json(pit, "x", NULL, NULL, take_answer, NULL, NULL),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_drain(NULL, 0), 0),
        ROW(snakepit_completion_fd(NULL, &(int){0}), BAD),
        ROW(snakepit_completion_fd(pit, NULL), BAD),
        ROW(snakepit_queue_new(NULL, &(snakepit_queue *){NULL}, &why), BAD),
        ROW(snakepit_queue_new(pit, NULL, &why), BAD),
        ROW(snakepit_queue_new(pit, NULL, NULL), BAD),
        ROW(snakepit_queue_fd(NULL, &(int){0}), BAD),
        ROW(snakepit_queue_drain(NULL, 0), 0),
        ROW(snakepit_queue_free(NULL), SNAKEPIT_OK),
    };
    CHECK(rows);
}

static void an_answer_that_is_null_is_an_empty_one(void **state)
{
    (void)state;
    snakepit_reader reader;
    snakepit_value value;
    snakepit_answer_reader(NULL, NULL);
    snakepit_answer_reader(NULL, &reader);
    snakepit_answer_free(NULL);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_END);
    assert_int_equal(snakepit_answer_fault(NULL)->err, SNAKEPIT_NO_MEMORY);
    assert_null(snakepit_answer_json(NULL));
    snakepit_stop_info stop = {.size = sizeof stop};
    assert_int_equal(snakepit_answer_get_stop(NULL, &stop), BAD);
    assert_int_equal(snakepit_answer_get_stop(answer, NULL), BAD);
    assert_int_equal(snakepit_answer_attempts(NULL), 0);
    assert_int_equal(snakepit_answer_retry_after_ms(NULL), 0);
    (void)snakepit_call(NULL, "x", NULL, NULL, &answer);
    snakepit_answer_reader(answer, NULL);
    (void)freed(SNAKEPIT_OK);
}

static void a_stream_of_null_is_refused(void **state)
{
    (void)state;
    snakepit_reader chunk;
    const struct row rows[] = {
        ROW(freed(snakepit_stream_open(NULL, "x", args, NULL, &stream)), BAD),
        ROW(freed(snakepit_stream_open(pit, NULL, args, NULL, &stream)), BAD),
        ROW(snakepit_stream_open(pit, "x", args, NULL, NULL), BAD),
        ROW(freed(snakepit_stream_open_json(NULL, "x", "{}", NULL, &stream)), BAD),
        ROW(freed(snakepit_stream_open_json(pit, NULL, "{}", NULL, &stream)), BAD),
        ROW(freed(snakepit_stream_open_json(pit, "x", NULL, NULL, &stream)),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_stream_open_json(pit, "x", "{}", NULL, NULL), BAD),
        ROW(snakepit_stream_next(NULL, &chunk), BAD),
        ROW(snakepit_stream_next(NULL, NULL), BAD),
        ROW(snakepit_stream_try_next(NULL, &chunk), BAD),
        ROW(snakepit_stream_try_next(NULL, NULL), BAD),
        ROW(snakepit_stream_id(NULL), 0),
        ROW(snakepit_stream_json(NULL) != NULL, false),
        ROW(snakepit_stream_answer(NULL) != NULL, false),
        ROW(freed(
                snakepit_stream_each(NULL, "x", args, NULL, take_chunk, NULL, &answer)),
            BAD),
        ROW(freed(
                snakepit_stream_each(pit, NULL, args, NULL, take_chunk, NULL, &answer)),
            BAD),
        ROW(freed(snakepit_stream_each(pit, "x", args, NULL, NULL, NULL, &answer)),
            BAD),
        ROW(snakepit_stream_each(pit, "x", args, NULL, take_chunk, NULL, NULL), BAD),
        ROW(snakepit_stream_each(pit, "x", args, NULL, NULL, NULL, NULL), BAD),
    };
    snakepit_stream_close(NULL);
    CHECK(rows);
    (void)snakepit_stream_open(pit, "x", args, NULL, &stream);
    assert_int_equal(snakepit_stream_next(stream, NULL), SNAKEPIT_UNKNOWN_POOL);
    (void)freed(SNAKEPIT_OK);
}

static void a_session_of_null_is_refused(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW(snakepit_session_put(NULL, "s", "k", args, NULL), BAD),
        ROW(snakepit_session_put(pit, NULL, "k", args, NULL), BAD),
        ROW(snakepit_session_put(pit, "s", NULL, args, NULL), BAD),
        ROW(snakepit_session_put(pit, "s", "k", NULL, NULL), BAD),
        ROW(freed(snakepit_session_get(NULL, "s", "k", &answer)), BAD),
        ROW(freed(snakepit_session_get(pit, NULL, "k", &answer)), BAD),
        ROW(freed(snakepit_session_get(pit, "s", NULL, &answer)), BAD),
        ROW(snakepit_session_get(pit, "s", "k", NULL), BAD),
        ROW(snakepit_session_delete(NULL, "s", "k"), BAD),
        ROW(snakepit_session_delete(pit, NULL, "k"), BAD),
        ROW(snakepit_session_delete(pit, "s", NULL), BAD),
        ROW(freed(snakepit_session_list(NULL, "s", &answer)), BAD),
        ROW(freed(snakepit_session_list(pit, NULL, &answer)), BAD),
        ROW(snakepit_session_list(pit, "s", NULL), BAD),
        ROW(freed(snakepit_sessions(NULL, NULL, 1, &answer)), BAD),
        ROW(snakepit_sessions(pit, NULL, 1, NULL), BAD),
        ROW(snakepit_session_close(NULL, "s"), BAD),
        ROW(snakepit_session_close(pit, NULL), BAD),
    };
    CHECK(rows);
}

static void a_host_tool_of_null_is_refused(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW(snakepit_tool_register(NULL, "t", give_nothing, NULL, NULL), BAD),
        ROW(snakepit_tool_register(pit, NULL, give_nothing, NULL, NULL), BAD),
        ROW(snakepit_tool_register(pit, "t", NULL, NULL, NULL), BAD),
        ROW(snakepit_tool_unregister(NULL, "t", NULL), BAD),
        ROW(snakepit_tool_unregister(pit, NULL, NULL), BAD),
        ROW(snakepit_tool_unregister(pit, "t", NULL), SNAKEPIT_NOT_FOUND),
    };
    CHECK(rows);
}

static void take_stack(void *user, const snakepit_stack *stack)
{
    (void)user;
    (void)stack;
}

static void take_call(void *user, const snakepit_call_info *call)
{
    (void)user;
    (void)call;
}

static void take_ended(void *user, const snakepit_ended_call *call)
{
    (void)user;
    (void)call;
}

static void what_there_is_of_null_is_refused(void **state)
{
    (void)state;
    snakepit_tensor tensor = {.dtype = SNAKEPIT_INT8};
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_worker_info info = {.size = sizeof info};
    snakepit_breaker_info breaker = {.size = sizeof breaker};
    snakepit_health health = {.size = sizeof health};
    snakepit_executor_info executor = {.size = sizeof executor};
    void *data;
    size_t count;
    const struct row rows[] = {
        ROW(snakepit_tensor_new(NULL, NULL, &tensor, &data, &why), BAD),
        ROW(snakepit_tensor_new(pit, NULL, NULL, &data, &why), BAD),
        ROW(snakepit_tensor_new(pit, NULL, &tensor, NULL, NULL), BAD),
        ROW(snakepit_tensor_new(pit, NULL, &tensor, &data, &why),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_pool_count(NULL), 0),
        ROW(snakepit_pool_name(NULL, 0) != NULL, false),
        ROW(snakepit_pool_get_stats(NULL, NULL, &stats), BAD),
        ROW(snakepit_pool_get_stats(pit, NULL, NULL), BAD),
        ROW(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_pool_workers(NULL, NULL, &info, 1, &count), BAD),
        ROW(snakepit_pool_workers(pit, NULL, NULL, 1, &count), BAD),
        ROW(snakepit_pool_workers(pit, NULL, &info, 1, NULL), BAD),
        ROW(snakepit_pool_workers(pit, NULL, NULL, 0, &count), SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_pool_breakers(NULL, NULL, &breaker, 1, &count), BAD),
        ROW(snakepit_pool_breakers(pit, NULL, NULL, 1, &count), BAD),
        ROW(snakepit_pool_breakers(pit, NULL, &breaker, 1, NULL), BAD),
        ROW(snakepit_pool_breakers(pit, NULL, NULL, 0, &count), SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_worker_executors(NULL, NULL, 0, &executor, 1, &count), BAD),
        ROW(snakepit_worker_executors(pit, NULL, 0, NULL, 1, &count), BAD),
        ROW(snakepit_worker_executors(pit, NULL, 0, &executor, 1, NULL), BAD),
        ROW(snakepit_worker_executors(pit, NULL, 0, NULL, 0, &count),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_worker_health(NULL, NULL, 1, &health), BAD),
        ROW(snakepit_worker_health(pit, NULL, 1, NULL), BAD),
        ROW(snakepit_worker_health(pit, NULL, 1, &health), SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_calls(NULL, NULL, 1, take_call, NULL), BAD),
        ROW(snakepit_calls(pit, NULL, 1, NULL, NULL), BAD),
        ROW(snakepit_calls(pit, NULL, 1, take_call, NULL), SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_recent_calls(NULL, NULL, NULL, take_ended, NULL), BAD),
        ROW(snakepit_recent_calls(pit, NULL, NULL, NULL, NULL), BAD),
        ROW(snakepit_recent_calls(pit, NULL, NULL, take_ended, NULL),
            SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_calls_record(NULL, true), BAD),
        ROW(snakepit_pool_deaths(NULL, NULL, NULL, 0, &count), BAD),
        ROW(snakepit_pool_deaths(pit, NULL, NULL, 0, NULL), BAD),
        ROW(snakepit_pool_deaths(pit, NULL, NULL, 1, &count), BAD),
        ROW(snakepit_pool_deaths(pit, NULL, NULL, 0, &count), SNAKEPIT_UNKNOWN_POOL),
        ROW(snakepit_calls_record(pit, false), BAD),
        ROW(snakepit_worker_stacks(NULL, NULL, 1, take_stack, NULL, NULL), BAD),
        ROW(snakepit_worker_stacks(pit, NULL, 1, NULL, NULL, &why), BAD),
        ROW(snakepit_worker_stacks(pit, NULL, 1, take_stack, NULL, NULL),
            SNAKEPIT_UNKNOWN_POOL),
    };
    snakepit_tensor_free(NULL, &tensor);
    snakepit_tensor_free(pit, NULL);
    snakepit_tensor_free(pit, &tensor);
    CHECK(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_that_is_null_takes_nothing),
        cmocka_unit_test(a_writer_says_what_was_null),
        cmocka_unit_test(a_reader_reads_nothing_from_null),
        cmocka_unit_test(a_pit_is_not_opened_from_or_to_null),
        cmocka_unit_test(a_call_of_null_is_refused),
        cmocka_unit_test(a_submitted_call_of_null_is_refused),
        cmocka_unit_test(an_answer_that_is_null_is_an_empty_one),
        cmocka_unit_test(a_stream_of_null_is_refused),
        cmocka_unit_test(a_session_of_null_is_refused),
        cmocka_unit_test(a_host_tool_of_null_is_refused),
        cmocka_unit_test(what_there_is_of_null_is_refused),
    };
    return cmocka_run_group_tests(tests, open_pit, close_pit);
}
