// SPDX-License-Identifier: MIT
// Calls as a program makes them: with MessagePack or JSON, waiting or submitted; what
// is refused; and what an answer says.
#include "fakes.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"

static snakepit_answer *answer;

static int free_answer(void **state)
{
    snakepit_answer_free(answer);
    answer = NULL;
    return pit_tidy(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, pit_prepare, free_answer)

static const char *message(void)
{
    return snakepit_answer_fault(answer)->message;
}

// ---- Calls that wait ----------------------------------------------------------

static void an_answer_can_be_read_and_is_json(void **state)
{
    snakepit_reader reader;
    snakepit_value value;
    (void)state;
    pit_open_ready("");
    snakepit_writer *args = pit_args();
    assert_int_equal(snakepit_call(pit, "echo", args, NULL, &answer), SNAKEPIT_OK);
    snakepit_writer_free(args);
    snakepit_answer_reader(answer, &reader);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_MAP);
    assert_string_equal(snakepit_answer_json(answer), "{\"x\":1}");
    assert_ptr_equal(snakepit_answer_json(answer), snakepit_answer_json(answer));
    assert_int_equal(snakepit_answer_fault(answer)->err, SNAKEPIT_OK);
    assert_string_equal(message(), "ok");
}

static void a_fault_says_what_python_said(void **state)
{
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_call(pit, "fault", NULL, NULL, &answer),
                     SNAKEPIT_TOOL_FAILED);
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    assert_string_equal(fault->type, "ValueError");
    assert_string_equal(fault->message, "no");
    assert_int_equal(fault->worker, 1);
    assert_null(snakepit_answer_json(answer));
}

static void what_is_not_json_is_no_answer_in_json(void **state)
{
    (void)state;
    pit_open_ready("");
    // Nothing: a call without arguments has an empty map; its echo is that.
    assert_int_equal(snakepit_call_json(pit, "echo", "{}", NULL, &answer), SNAKEPIT_OK);
    assert_string_equal(snakepit_answer_json(answer), "{}");
    assert_null(snakepit_answer_json(NULL));
    assert_int_equal(snakepit_answer_fault(NULL)->err, SNAKEPIT_NO_MEMORY);
}

static void a_call_whose_time_is_up_ends(void **state)
{
    const snakepit_call_options options = {.size = sizeof options, .timeout_ms = 20};
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_call(pit, "hold", NULL, &options, &answer),
                     SNAKEPIT_DEADLINE_EXCEEDED);
    const char *stage = snakepit_answer_fault(answer)->stage;
    // On a busy machine the worker has not begun yet.
    assert_true(strcmp(stage, "running") == 0 || strcmp(stage, "worker") == 0);
}

static void what_became_of_a_call_that_was_given_up_can_be_asked(void **state)
{
    const snakepit_call_options options = {.size = sizeof options, .timeout_ms = 20};
    snakepit_stop_info stop = {.size = sizeof stop};
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_call(pit, "hold", NULL, &options, &answer),
                     SNAKEPIT_DEADLINE_EXCEEDED);
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    assert_int_equal(snakepit_answer_get_stop(answer, &stop), SNAKEPIT_OK);
    assert_int_equal(stop.size, sizeof stop);
    // On a busy machine the worker has not begun yet.
    assert_int_equal(fault->tool_runs, strcmp(fault->stage, "running") == 0);
    assert_true(fault->tool_runs ? stop.stop >= SNAKEPIT_STOP_COOPERATIVE
                                 : stop.stop == SNAKEPIT_STOP_UNSTARTED);
    stop.size = 0;
    assert_int_equal(snakepit_answer_get_stop(answer, &stop),
                     SNAKEPIT_INVALID_ARGUMENT);
    snakepit_answer_free(answer);
    assert_string_equal(snakepit_stop_name(SNAKEPIT_STOP_IN_LINE), "IN_LINE");
    assert_string_equal(snakepit_stop_name(SNAKEPIT_STOP_KILLED), "KILLED");
    assert_string_equal(snakepit_stop_name((snakepit_stop)6), "UNKNOWN");
    assert_string_equal(snakepit_stop_name((snakepit_stop)-1), "UNKNOWN");
    // One that was not given up.
    stop.size = sizeof stop;
    assert_int_equal(snakepit_call(pit, "fault", NULL, NULL, &answer),
                     SNAKEPIT_TOOL_FAILED);
    assert_int_equal(snakepit_answer_get_stop(answer, &stop), SNAKEPIT_NOT_FOUND);
    snakepit_answer_free(answer);
    assert_int_equal(snakepit_call(pit, "echo", NULL, NULL, &answer), SNAKEPIT_OK);
    assert_int_equal(snakepit_answer_get_stop(answer, &stop), SNAKEPIT_NOT_FOUND);
}

static void what_is_wrong_with_a_call_is_an_answer(void **state)
{
    static const struct {
        const char *tool;
        const char *pool;
        const char *session;
        snakepit_err err;
        const char *part;
    } rows[] = {
        {NULL, NULL, NULL, SNAKEPIT_INVALID_ARGUMENT, "the tool's name"},
        {"", NULL, NULL, SNAKEPIT_INVALID_ARGUMENT, "the tool's name"},
        {"echo", "defualt", NULL, SNAKEPIT_UNKNOWN_POOL, "default"},
    };
    (void)state;
    pit_open_ready("");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const snakepit_call_options options = {.size = sizeof options,
                                               .pool = rows[i].pool,
                                               .session_id = rows[i].session};
        assert_int_equal(snakepit_call(pit, rows[i].tool, NULL, &options, &answer),
                         rows[i].err);
        assert_non_null(strstr(message(), rows[i].part));
        snakepit_answer_free(answer);
        answer = NULL;
    }
    snakepit_writer *args = snakepit_writer_new();
    snakepit_writer_int(args, 1);
    assert_int_equal(snakepit_call(pit, "echo", args, NULL, &answer),
                     SNAKEPIT_INVALID_ARGUMENT);
    snakepit_writer_free(args);
    assert_non_null(strstr(message(), "map"));
}

// ---- JSON ---------------------------------------------------------------------

static void json_goes_there_and_back(void **state)
{
    static const char json[] = "{\"a\":[1,2.5,null,true,\"\\u00e4\"],\"b\":{\"c\":-1}}";
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_call_json(pit, "echo", json, NULL, &answer), SNAKEPIT_OK);
    assert_string_equal(snakepit_answer_json(answer),
                        "{\"a\":[1,2.5,null,true,\"\xc3\xa4\"],\"b\":{\"c\":-1}}");
}

static void bad_json_says_where(void **state)
{
    (void)state;
    pit_open_ready("");
    assert_int_not_equal(snakepit_call_json(pit, "echo", "{\"a\":\n]", NULL, &answer),
                         SNAKEPIT_OK);
    assert_non_null(strstr(message(), "the call's JSON arguments"));
    assert_non_null(strstr(message(), "line 2"));
}

static void the_time_of_json_begins_before_it_is_read(void **state)
{
    const snakepit_call_options options = {.size = sizeof options, .timeout_ms = 1};
    (void)state;
    pit_open_ready("");
    snakepit_writer *none = NULL;
    struct sp_pit_request request = {.tool = "echo",
                                     .args = none,
                                     .options = &options,
                                     .begun = sp_clock_now() - SP_NS_PER_S};
    assert_int_equal(sp_pit_call(pit, &request, &answer), SNAKEPIT_DEADLINE_EXCEEDED);
}

// ---- Submitted calls ----------------------------------------------------------

static struct {
    _Atomic uint32_t count;
    snakepit_err err;
    char json[64];
} ended;

static void note_end(void *user, snakepit_err err, snakepit_answer *given)
{
    (void)user;
    const char *json = snakepit_answer_json(given);
    ended.err = err;
    strncpy(ended.json, json == NULL ? "" : json, sizeof ended.json - 1);
    snakepit_answer_free(given);
    atomic_fetch_add(&ended.count, 1);
}

static void expect_end(snakepit_err err)
{
    PIT_AWAIT(atomic_load(&ended.count) == 1);
    assert_int_equal(ended.err, err);
    atomic_store(&ended.count, 0);
}

static void a_submitted_call_is_answered_by_the_librarys_thread(void **state)
{
    (void)state;
    pit_open_ready("");
    snakepit_writer *args = pit_args();
    assert_int_equal(snakepit_submit(pit, "echo", args, NULL, note_end, NULL, NULL),
                     SNAKEPIT_OK);
    snakepit_writer_free(args);
    expect_end(SNAKEPIT_OK);
    assert_string_equal(ended.json, "{\"x\":1}");
    assert_int_equal(
        snakepit_submit_json(pit, "echo", "{\"y\":2}", NULL, note_end, NULL, NULL),
        SNAKEPIT_OK);
    expect_end(SNAKEPIT_OK);
    assert_string_equal(ended.json, "{\"y\":2}");
}

static void what_is_wrong_with_a_submit_is_said_and_nothing_is_called(void **state)
{
    snakepit_message why;
    const snakepit_call_options options = {.size = sizeof options, .why = &why};
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_submit(pit, "echo", NULL, &options, NULL, NULL, NULL),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "`done` is NULL"));
    assert_int_not_equal(
        snakepit_submit_json(pit, "echo", "{", &options, note_end, NULL, NULL),
        SNAKEPIT_OK);
    assert_non_null(strstr(why.text, "JSON arguments"));
    assert_int_equal(atomic_load(&ended.count), 0);
}

static void a_submitted_call_can_be_cancelled_once(void **state)
{
    snakepit_call_id id;
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_submit(pit, "hold", NULL, NULL, note_end, NULL, &id),
                     SNAKEPIT_OK);
    assert_int_equal(sp_call_id_pool(id), 0);
    assert_int_equal(snakepit_cancel(pit, id), SNAKEPIT_OK);
    expect_end(SNAKEPIT_CANCELLED);
    assert_int_equal(snakepit_cancel(pit, id), SNAKEPIT_NOT_FOUND);
    assert_int_equal(snakepit_cancel(pit, id + 1), SNAKEPIT_NOT_FOUND); // another pool
}

// ---- Tensors ------------------------------------------------------------------

static void a_tensor_lies_in_the_pools_memory_until_it_is_freed(void **state)
{
    snakepit_tensor tensor = {.dtype = SNAKEPIT_FLOAT32, .rank = 1, .shape = {1000}};
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_message why;
    void *data;
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_tensor_new(pit, NULL, &tensor, &data, &why), SNAKEPIT_OK);
    memset(data, 0, 4000);
    assert_ptr_equal(tensor.data, data);
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    uint64_t used = stats.shared_bytes;
    snakepit_tensor_free(pit, &tensor);
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    assert_true(stats.shared_bytes < used);
    tensor.shape[0] = INT64_C(1) << 40;
    assert_int_not_equal(snakepit_tensor_new(pit, NULL, &tensor, &data, &why),
                         SNAKEPIT_OK);
    assert_non_null(strstr(why.text, "shared_memory_size"));
    assert_int_equal(snakepit_tensor_new(pit, "x", &tensor, &data, &why),
                     SNAKEPIT_UNKNOWN_POOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(an_answer_can_be_read_and_is_json),
        test(a_fault_says_what_python_said),
        test(what_is_not_json_is_no_answer_in_json),
        test(a_call_whose_time_is_up_ends),
        test(what_became_of_a_call_that_was_given_up_can_be_asked),
        test(what_is_wrong_with_a_call_is_an_answer),
        test(json_goes_there_and_back),
        test(bad_json_says_where),
        test(the_time_of_json_begins_before_it_is_read),
        test(a_submitted_call_is_answered_by_the_librarys_thread),
        test(what_is_wrong_with_a_submit_is_said_and_nothing_is_called),
        test(a_submitted_call_can_be_cancelled_once),
        test(a_tensor_lies_in_the_pools_memory_until_it_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
