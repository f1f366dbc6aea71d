// SPDX-License-Identifier: MIT
// Bad input through the public functions: each is told what is wrong, where, and what
// to do. The pit runs no pool, so no Python is needed.
#include "pit/refuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pit/pit.h"
#include "pool/inside.h"

static const char no_pools[] = "pooling_enabled: false\n";
static char too_long[300];
static snakepit *pit;

static int open_pit(void **state)
{
    (void)state;
    memset(too_long, 'x', sizeof too_long - 1);
    return snakepit_open_memory(no_pools, sizeof no_pools - 1, NULL, &pit, NULL);
}

static int close_pit(void **state)
{
    (void)state;
    snakepit_close(pit, 0);
    return 0;
}

#define NO_PIT "there is no pit: it is NULL; open one first, and look at what that says"

static void a_configuration_that_is_null_is_told(void **state)
{
    (void)state;
    snakepit *none = NULL;
    snakepit_message why;
    assert_int_equal(snakepit_open_file(NULL, NULL, &none, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(why.text,
                        "the configuration's path is NULL; give that of a file");
    assert_int_equal(snakepit_open_memory(NULL, 3, NULL, &none, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(why.text,
                        "the configuration's text is NULL; give the address of YAML");
    assert_int_equal(snakepit_open_memory(NULL, 0, NULL, &none, NULL),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_null(none);
}

static void a_pit_that_is_null_is_told(void **state)
{
    (void)state;
    snakepit_message why;
    snakepit_answer *answer;
    snakepit_tensor tensor = {.dtype = SNAKEPIT_INT8};
    snakepit_pool_stats stats = {.size = sizeof stats};
    void *data;
    size_t count;
    assert_int_equal(snakepit_await_ready(NULL, "text", 0, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(why.text, NO_PIT);
    assert_int_equal(snakepit_call(NULL, "x", NULL, NULL, &answer),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(snakepit_answer_fault(answer)->message, NO_PIT);
    snakepit_answer_free(answer);
    assert_int_equal(snakepit_session_get(NULL, "s", "k", &answer),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(snakepit_answer_fault(answer)->message, NO_PIT);
    snakepit_answer_free(answer);
    assert_int_equal(snakepit_cancel(NULL, 1), SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_tensor_new(NULL, NULL, &tensor, &data, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(why.text, NO_PIT);
    assert_int_equal(snakepit_pool_get_stats(NULL, NULL, &stats),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_pool_workers(NULL, NULL, NULL, 0, &count),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_pool_count(NULL), 0);
    assert_null(snakepit_pool_name(NULL, 0));
}

// ---- Calls --------------------------------------------------------------------

struct bad_call {
    const char *tool;
    const char *json;
    const char *session;
    snakepit_err err;
    const char *why; // begins so
};

static const struct bad_call bad_calls[] = {
    {NULL, NULL, NULL, 1, "the tool's name is NULL; give 1 to 255 bytes"},
    {"", NULL, NULL, 1, "the tool's name is empty; give 1 to 255 bytes"},
    {too_long, NULL, NULL, 1, "the tool's name is too long; give 1 to 255 bytes"},
    {"x", NULL, too_long, 1, "the call's session_id is too long; give 1 to 255"},
    {"x",
     "[1]",
     NULL,
     1,
     "the call's arguments are not a map of names to values; begin"},
    {"x", "{\n\"a\": }", NULL, 16, "the call's JSON arguments: line 2, column "},
    {"x",
     "{\"a\":[{\"$bytes\":\"?\"}]}",
     NULL,
     16,
     "the call's JSON arguments: $bytes is not base64 (at .a[0])"},
    {"x", "{}", NULL, 3, "there is no pool at all: the configuration names none"},
};

static void begins(const char *text, const char *wanted)
{
    if (strncmp(text, wanted, strlen(wanted)) != 0) {
        fail_msg("\"%s\" does not begin with \"%s\"", text, wanted);
    }
}

static void a_call_says_in_its_fault_what_is_wrong_with_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_calls / sizeof bad_calls[0]; i++) {
        const struct bad_call *row = &bad_calls[i];
        const snakepit_call_options options = {.size = sizeof options,
                                               .session_id = row->session};
        snakepit_answer *answer;
        snakepit_err err =
            snakepit_call_json(pit, row->tool, row->json, &options, &answer);
        assert_int_equal(err, row->err);
        begins(snakepit_answer_fault(answer)->message, row->why);
        snakepit_answer_free(answer);
    }
}

static void done(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    snakepit_answer_free(answer);
    fail_msg("a call that was refused came back");
}

// The same calls, submitted: there is no answer to say it.
static void a_submission_says_in_its_options_what_is_wrong_with_it(void **state)
{
    (void)state;
    snakepit_message why;
    for (size_t i = 0; i < sizeof bad_calls / sizeof bad_calls[0]; i++) {
        const struct bad_call *row = &bad_calls[i];
        const snakepit_call_options options = {
            .size = sizeof options, .session_id = row->session, .why = &why};
        snakepit_writer *args = snakepit_writer_new();
        const char *json = row->json == NULL ? "{}" : row->json;
        (void)snakepit_writer_json(args, json, strlen(json), NULL);
        assert_int_equal(
            snakepit_submit(pit, row->tool, args, &options, done, NULL, NULL),
            row->err);
        snakepit_writer_free(args);
        if (row->err != SNAKEPIT_MALFORMED) {
            begins(why.text, row->why);
        } else {
            // Whose JSON it was the writer has not been told.
            begins(why.text, "the call's arguments: ");
            assert_non_null(
                strstr(why.text, row->why + strlen("the call's JSON arguments: ")));
        }
    }
}

static void calls_with_json_say_what_is_wrong_wherever_they_go(void **state)
{
    (void)state;
    snakepit_message why;
    for (size_t i = 0; i < sizeof bad_calls / sizeof bad_calls[0]; i++) {
        const struct bad_call *row = &bad_calls[i];
        const snakepit_call_options options = {
            .size = sizeof options, .session_id = row->session, .why = &why};
        snakepit_stream *stream;
        snakepit_err err =
            snakepit_submit_json(pit, row->tool, row->json, &options, done, NULL, NULL);
        assert_int_equal(err, row->err);
        begins(why.text, row->why);
        err = snakepit_stream_open_json(pit, row->tool, row->json, &options, &stream);
        assert_int_equal(err, row->err);
        begins(snakepit_answer_fault(snakepit_stream_answer(stream))->message,
               row->why);
        snakepit_stream_close(stream);
    }
    // Options that are none cannot say where they want to be told.
    const snakepit_call_options wrong = {.size = 1, .why = &why};
    assert_int_equal(snakepit_submit_json(pit, "x", "{", &wrong, done, NULL, NULL),
                     SNAKEPIT_MALFORMED);
}

static void a_bad_tensor_is_told_by_the_call_that_takes_it(void **state)
{
    (void)state;
    const snakepit_tensor wrong = {.data = "", .rank = 1, .shape = {1}};
    snakepit_answer *answer;
    snakepit_writer *args = snakepit_writer_new();
    snakepit_writer_map(args, 1);
    snakepit_writer_str(args, "array");
    snakepit_writer_tensor(args, &wrong);
    assert_int_equal(snakepit_call(pit, "x", args, NULL, &answer),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(
        snakepit_answer_fault(answer)->message,
        "the call's arguments: the tensor's dtype 0 is unknown; set it to one of enum "
        "snakepit_dtype, such as SNAKEPIT_FLOAT64 (at .array)");
    snakepit_answer_free(answer);
    snakepit_writer_free(args);
}

static void a_stream_without_a_function_says_so(void **state)
{
    (void)state;
    snakepit_answer *answer;
    assert_int_equal(snakepit_stream_each(pit, "x", NULL, NULL, NULL, NULL, &answer),
                     SNAKEPIT_INVALID_ARGUMENT);
    begins(snakepit_answer_fault(answer)->message, "the callback `each` is NULL");
    snakepit_answer_free(answer);
}

// ---- Sessions and tools -------------------------------------------------------

static void a_session_or_a_key_that_is_none_is_told_apart(void **state)
{
    (void)state;
    snakepit_answer *answer;
    const struct {
        const char *session, *key, *why;
    } rows[] = {
        {NULL, "k", "the session_id is NULL; give 1 to 255 bytes"},
        {"", "k", "the session_id is empty; give 1 to 255 bytes"},
        {"s", too_long, "the key is too long; give 1 to 255 bytes"},
        {"s", NULL, "the key is NULL; give 1 to 255 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            snakepit_session_get(pit, rows[i].session, rows[i].key, &answer),
            SNAKEPIT_INVALID_ARGUMENT);
        assert_string_equal(snakepit_answer_fault(answer)->message, rows[i].why);
        snakepit_answer_free(answer);
    }
}

static snakepit_err nothing(void *user,
                            const snakepit_tool_info *info,
                            const snakepit_reader *arguments,
                            snakepit_writer *result,
                            snakepit_message *why)
{
    (void)user;
    (void)info;
    (void)arguments;
    (void)result;
    (void)why;
    return SNAKEPIT_OK;
}

static void a_tool_that_is_not_registered_says_why(void **state)
{
    (void)state;
    const struct {
        const char *name, *session;
        snakepit_tool_fn *function;
        const char *why;
    } rows[] = {
        {"price", NULL, nothing, ""},
        {"price",
         NULL,
         nothing,
         "there is a tool \"price\" of all sessions already; choose another name, or "
         "take that one away by snakepit_tool_unregister()"},
        {"price", "s", nothing, ""},
        {"price", "s", nothing, "there is a tool \"price\" of session s already; "},
        {"", NULL, nothing, "the tool's name is empty; give 1 to 255 bytes"},
        {"other", too_long, nothing, "the tool's session_id is too long; give 1 to"},
        {"other", NULL, NULL, "the function of tool \"other\" is NULL; give one"},
        {"snakepit.x", NULL, nothing, "the tool's name \"snakepit.x\" begins with "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snakepit_message why = {"nothing was said"};
        const snakepit_tool_options options = {
            .size = sizeof options, .session_id = rows[i].session, .why = &why};
        snakepit_err err =
            snakepit_tool_register(pit, rows[i].name, rows[i].function, NULL, &options);
        bool good = rows[i].why[0] == 0;
        assert_int_equal(err, good ? SNAKEPIT_OK : SNAKEPIT_INVALID_ARGUMENT);
        begins(why.text, rows[i].why);
        assert_int_equal(why.text[0] == 0, good);
    }
}

// ---- Pools --------------------------------------------------------------------

static void an_unknown_pool_is_told_with_those_that_there_are(void **state)
{
    (void)state;
    static char first[] = "text";
    static char second[] = "arrays";
    struct sp_pool text = {.name = first};
    struct sp_pool arrays = {.name = second};
    struct sp_pit_pool places[] = {{.pool = &text}, {.pool = &arrays}};
    struct sp_pit_pool *pools[] = {&places[0], &places[1]};
    struct snakepit there = {.process = sp_fork_here(), .pools = pools, .count = 2};
    snakepit_message why;
    assert_int_equal(sp_refuse_pool(&there, "txet", &why), SNAKEPIT_UNKNOWN_POOL);
    assert_string_equal(why.text, "there is no pool \"txet\"; did you mean \"text\"?");
    assert_int_equal(sp_refuse_pool(&there, "zoo", &why), SNAKEPIT_UNKNOWN_POOL);
    assert_string_equal(why.text,
                        "there is no pool \"zoo\"; the pools are \"text\", \"arrays\"");
    assert_int_equal(snakepit_await_ready(&there, "array", 0, &why),
                     SNAKEPIT_UNKNOWN_POOL);
    assert_string_equal(why.text,
                        "there is no pool \"array\"; did you mean \"arrays\"?");
}

#define WITH_PIT(test) cmocka_unit_test_setup_teardown(test, open_pit, close_pit)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_that_is_null_is_told),
        cmocka_unit_test(a_pit_that_is_null_is_told),
        WITH_PIT(a_call_says_in_its_fault_what_is_wrong_with_it),
        WITH_PIT(a_submission_says_in_its_options_what_is_wrong_with_it),
        WITH_PIT(calls_with_json_say_what_is_wrong_wherever_they_go),
        WITH_PIT(a_bad_tensor_is_told_by_the_call_that_takes_it),
        WITH_PIT(a_stream_without_a_function_says_so),
        WITH_PIT(a_session_or_a_key_that_is_none_is_told_apart),
        WITH_PIT(a_tool_that_is_not_registered_says_why),
        cmocka_unit_test(an_unknown_pool_is_told_with_those_that_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
