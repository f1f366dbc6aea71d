// SPDX-License-Identifier: MIT
#include "http/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct sp_buf out;

static const char *text_of(snakepit_err err)
{
    assert_int_equal(err, SNAKEPIT_OK);
    return (const char *)out.data;
}

static void a_fault_is_told_whole(void **state)
{
    (void)state;
    snakepit_fault fault = sp_fault_of(SNAKEPIT_TOOL_FAILED, "ValueError: \"no\"");
    fault.type = "ValueError";
    fault.traceback = "Traceback\n";
    fault.stage = "running";
    fault.last_output = "\xff";
    fault.worker = 7;
    assert_string_equal(
        text_of(sp_problem_of_fault(&out, &fault, true)),
        "{\"type\":\"/problems/TOOL_FAILED\",\"title\":\"the tool raised an "
        "exception\",\"status\":500,\"detail\":\"ValueError: \\\"no\\\"\",\"error\":"
        "{\"name\":\"TOOL_FAILED\",\"number\":9,\"retryable\":false,\"message\":"
        "\"ValueError: \\\"no\\\"\",\"type\":\"ValueError\",\"traceback\":"
        "\"Traceback\\n\",\"arguments\":\"\",\"stage\":\"running\",\"cause\":\"\","
        "\"last_output\":\"\xef\xbf\xbd\",\"crash_stack\":\"\",\"late_stack\":\"\","
        "\"worker\":7,"
        "\"stop\":\"NONE\",\"tool_runs\":false,\"late_ms\":0}}");
    sp_buf_fini(&out);
}

static void the_detail_begins_with_the_class(void **state)
{
    (void)state;
    snakepit_fault fault = sp_fault_of(SNAKEPIT_TOOL_FAILED, "no");
    fault.type = "ValueError";
    assert_non_null(strstr(text_of(sp_problem_of_fault(&out, &fault, true)),
                           "\"detail\":\"ValueError: no\""));
    sp_buf_fini(&out);
    fault.message = "";
    assert_non_null(strstr(text_of(sp_problem_of_fault(&out, &fault, true)),
                           "\"detail\":\"ValueError\""));
    sp_buf_fini(&out);
}

static void the_inside_can_be_kept_back(void **state)
{
    (void)state;
    snakepit_fault fault = sp_fault_of(SNAKEPIT_WORKER_DIED, NULL);
    fault.traceback = "hidden 1";
    fault.last_output = "hidden 2";
    fault.crash_stack = "hidden 3";
    fault.cause = "killed by signal 9 (SIGKILL)";
    const char *text = text_of(sp_problem_of_fault(&out, &fault, false));
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, "SIGKILL"));
    assert_non_null(
        strstr(text, "\"detail\":\"the worker died while it ran the call\""));
    sp_buf_fini(&out);
}

static void http_complains_by_itself(void **state)
{
    (void)state;
    assert_string_equal(
        text_of(sp_problem_of_status(&out, 415, "send JSON")),
        "{\"type\":\"about:blank\",\"title\":\"Unsupported Media Type\",\"status\":415,"
        "\"detail\":\"send JSON\"}");
    sp_buf_fini(&out);
    static const unsigned used[] = {400, 403, 404, 405, 406, 415, 421, 500, 503};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        assert_true(sp_http_phrase(used[i])[0] != '\0');
    }
    assert_string_equal(sp_http_phrase(299), "");
}

static void a_value_without_json_is_a_fault(void **state)
{
    (void)state;
    // {1: nil, "1": nil}
    static const uint8_t alike[] = {0x82, 0x01, 0xc0, 0xa1, 0x31, 0xc0};
    snakepit_reader reader;
    snakepit_message why;
    snakepit_reader_init(&reader, alike, sizeof alike);
    assert_int_equal(sp_fault_no_json(&reader, &why).err, SNAKEPIT_UNSERIALISABLE);
    assert_non_null(strstr(why.text, "two keys"));
    snakepit_reader_init(&reader, alike, 0);
    assert_int_equal(sp_fault_no_json(&reader, &why).err, SNAKEPIT_PROTOCOL);
    snakepit_reader_init(&reader, alike + 1, 1); // has JSON, so memory was out
    assert_int_equal(sp_fault_no_json(&reader, &why).err, SNAKEPIT_NO_MEMORY);
}

static void each_error_has_a_status(void **state)
{
    (void)state;
    assert_int_equal(sp_http_status(SNAKEPIT_OK), 200);
    assert_int_equal(sp_http_status(SNAKEPIT_SATURATED), 429);
    assert_int_equal(sp_http_status(SNAKEPIT_POOL_REMOVED), 410);
    assert_int_equal(sp_http_status((snakepit_err)999), 500);
}

static void what_may_be_sent_again_says_when(void **state)
{
    (void)state;
    assert_int_equal(sp_retry_after(SNAKEPIT_TOOL_FAILED, 0), 0);
    assert_int_equal(sp_retry_after(SNAKEPIT_SATURATED, 0), 1);
    assert_int_equal(sp_retry_after(SNAKEPIT_BREAKER_OPEN, 1), 1);
    assert_int_equal(sp_retry_after(SNAKEPIT_BREAKER_OPEN, 1001), 2);
    assert_int_equal(sp_retry_after(SNAKEPIT_BREAKER_OPEN, UINT32_MAX), 4294968);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    snakepit_fault fault = sp_fault_of(SNAKEPIT_SATURATED, "full");
    fault.type = "Full";
    long n = 1;
    for (;; n++) {
        sp_memory_fail_at(n);
        snakepit_err err = sp_problem_of_fault(&out, &fault, true);
        if (err == SNAKEPIT_OK) {
            break;
        }
        assert_int_equal(err, SNAKEPIT_NO_MEMORY);
        assert_int_equal(out.size, 0);
    }
    assert_true(n > 2);
    sp_memory_fail_at(1);
    assert_int_equal(sp_problem_of_status(&out, 404, ""), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_is_told_whole),
        cmocka_unit_test(the_detail_begins_with_the_class),
        cmocka_unit_test(the_inside_can_be_kept_back),
        cmocka_unit_test(http_complains_by_itself),
        cmocka_unit_test(a_value_without_json_is_a_fault),
        cmocka_unit_test(each_error_has_a_status),
        cmocka_unit_test(what_may_be_sent_again_says_when),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
