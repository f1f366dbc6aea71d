// SPDX-License-Identifier: MIT
#include "cli/problem.h"

#include "http/problem.h" // before cmocka, which has a macro fail()

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct sp_cli_problem problem;

static int forget(void **state)
{
    (void)state;
    sp_cli_problem_fini(&problem);
    return 0;
}

static snakepit_err read_text(const char *text)
{
    sp_cli_problem_fini(&problem);
    return sp_cli_problem_read(sp_slice_of_text(text), &problem);
}

static const snakepit_fault sent = {.err = SNAKEPIT_WORKER_DIED,
                                    .message = "the worker died",
                                    .type = "shop.Gone",
                                    .traceback = "Traceback\n  x\n",
                                    .stage = "running",
                                    .cause = "killed by signal 9 (SIGKILL)",
                                    .last_output = "last\n",
                                    .worker = 7,
                                    .arguments = "n: int",
                                    .stop = SNAKEPIT_STOP_KILLED,
                                    .tool_runs = true,
                                    .late_ms = 12,
                                    .crash_stack = "File x",
                                    .late_stack = "File y"};

// What a daemon writes is the fault that it meant, and printed again it is the same.
static void a_fault_is_read_back_as_it_was_sent(void **state)
{
    struct sp_buf first = {0};
    struct sp_buf second = {0};
    (void)state;
    assert_int_equal(sp_problem_of_fault(&first, &sent, true), SNAKEPIT_OK);
    assert_int_equal(
        sp_cli_problem_read((struct sp_slice){first.data, first.size}, &problem),
        SNAKEPIT_OK);
    assert_false(problem.of_http);
    assert_int_equal(problem.status, 503);
    assert_int_equal(problem.fault.err, SNAKEPIT_WORKER_DIED);
    assert_int_equal(sp_problem_of_fault(&second, &problem.fault, true), SNAKEPIT_OK);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    sp_buf_fini(&first);
    sp_buf_fini(&second);
}

static void what_http_has_to_say_is_a_sentence(void **state)
{
    struct sp_buf document = {0};
    (void)state;
    assert_int_equal(sp_problem_of_status(&document, 413, "too much"), SNAKEPIT_OK);
    assert_int_equal(
        sp_cli_problem_read((struct sp_slice){document.data, document.size}, &problem),
        SNAKEPIT_OK);
    assert_true(problem.of_http);
    assert_int_equal(problem.status, 413);
    assert_string_equal(problem.fault.message, "too much");
    assert_string_equal(problem.fault.type, "");
    sp_buf_fini(&document);
}

static void an_error_to_come_is_named(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"type\":\"/problems/X\",\"status\":418,\"error\":{"
                               "\"name\":\"TOO_WARM\",\"message\":\"let it cool\"}}"),
                     SNAKEPIT_OK);
    assert_int_equal(problem.fault.err, SNAKEPIT_UNSUPPORTED);
    assert_string_equal(
        problem.fault.message,
        "TOO_WARM, an error that this version does not know: let it cool");
}

static void what_is_missing_or_odd_is_empty(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"type\":\"t\",\"status\":500,\"error\":{\"name\":\"TOOL_FAILED\","
                  "\"message\":7,\"worker\":-1,\"stop\":\"SOMEHOW\",\"tool_runs\":1,"
                  "\"cause\":\"a\\u0000b\"}}"),
        SNAKEPIT_OK);
    assert_int_equal(problem.fault.err, SNAKEPIT_TOOL_FAILED);
    assert_string_equal(problem.fault.message, "");
    assert_string_equal(problem.fault.traceback, "");
    assert_string_equal(problem.fault.cause, "a b");
    assert_int_equal(problem.fault.worker, 0);
    assert_int_equal(problem.fault.stop, SNAKEPIT_STOP_NONE);
    assert_false(problem.fault.tool_runs);
}

static void what_is_not_a_document_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "<html>",
        "7",
        "[]",
        "{}",
        "{\"type\":\"t\"}",
        "{\"status\":500}",
        "{\"type\":7,\"status\":500}",
        "{\"type\":\"t\",\"status\":\"500\"}",
        "{\"type\":\"t\",\"status\":99}",
        "{\"type\":\"t\",\"status\":600}",
        "{\"type\":\"t\",\"status\":500,\"error\":7}",
        "{\"type\":\"t\",\"status\":500,\"error\":{}}",
        "{\"type\":\"t\",\"status\":500,\"error\":{\"name\":7}}",
        "{\"type\":\"t\",\"status\":500",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_text(texts[i]), SNAKEPIT_MALFORMED);
    }
}

static void without_memory_nothing_is_kept(void **state)
{
    struct sp_buf document = {0};
    long failed = 0;
    (void)state;
    assert_int_equal(sp_problem_of_fault(&document, &sent, true), SNAKEPIT_OK);
    for (long n = 1; n == 1 || failed != 0; n++) {
        sp_memory_fail_at(n);
        snakepit_err err = sp_cli_problem_read(
            (struct sp_slice){document.data, document.size}, &problem);
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed != 0 ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_cli_problem_fini(&problem);
        assert_true(n < 200);
    }
    sp_buf_fini(&document);
}

#define test(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_fault_is_read_back_as_it_was_sent),
        test(what_http_has_to_say_is_a_sentence),
        test(an_error_to_come_is_named),
        test(what_is_missing_or_odd_is_empty),
        test(what_is_not_a_document_is_refused),
        test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
