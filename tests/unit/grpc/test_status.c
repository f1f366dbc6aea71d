// SPDX-License-Identifier: MIT
#include "grpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "grpc/fields.h"
#include "grpc/messages.h"
#include "http/problem.h"
#include "protobuf/message.h"

// What a client makes of the details.
struct read {
    struct sp_scratch scratch;
    struct sp_buf bytes;
    struct sp_rpc_status status;
    struct sp_v1_fault fault;
    struct sp_rpc_retry_info retry;
};

static void read_details(const struct sp_grpc_status *status, struct read *read)
{
    snakepit_message why;
    const struct sp_slice text = {status->details.data, status->details.size};
    *read = (struct read){.status = {.code = -1}};
    assert_int_equal(sp_grpc_decode_bin(text, &read->bytes), SNAKEPIT_OK);
    assert_int_equal(
        sp_proto_decode(&sp_type_rpc_status,
                        (struct sp_slice){read->bytes.data, read->bytes.size},
                        &read->scratch,
                        &read->status,
                        &why),
        SNAKEPIT_OK);
    assert_true(read->status.details.count >= 1);
    assert_int_equal(sp_proto_decode(&sp_type_v1_fault,
                                     read->status.details.items[0].value,
                                     &read->scratch,
                                     &read->fault,
                                     &why),
                     SNAKEPIT_OK);
    if (read->status.details.count > 1) {
        assert_int_equal(sp_proto_decode(&sp_type_rpc_retry_info,
                                         read->status.details.items[1].value,
                                         &read->scratch,
                                         &read->retry,
                                         &why),
                         SNAKEPIT_OK);
    }
}

static void read_fini(struct read *read)
{
    sp_scratch_fini(&read->scratch);
    sp_buf_fini(&read->bytes);
}

static void assert_text(struct sp_slice text, const char *wanted)
{
    const size_t size = strlen(wanted);
    if (text.size != size || (size > 0 && memcmp(text.data, wanted, size) != 0)) {
        fail_msg(
            "\"%.*s\" is not \"%s\"", (int)text.size, (const char *)text.data, wanted);
    }
}

static struct sp_slice slice_of(const struct sp_buf *buf)
{
    return (struct sp_slice){buf->data, buf->size};
}

static void each_error_has_the_code_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(sp_grpc_code_of(SNAKEPIT_OK), SP_GRPC_OK);
    assert_int_equal(sp_grpc_code_of(SNAKEPIT_DEADLINE_EXCEEDED),
                     SP_GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(sp_grpc_code_of(SNAKEPIT_CANCELLED), SP_GRPC_CANCELLED);
    assert_int_equal(sp_grpc_code_of(SNAKEPIT_SATURATED), SP_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(sp_grpc_code_of(SNAKEPIT_WORKER_LOST), SP_GRPC_UNAVAILABLE);
    assert_int_equal(sp_grpc_code_of(SNAKEPIT_SESSION_LOST), SP_GRPC_ABORTED);
    assert_int_equal(sp_grpc_code_of((snakepit_err)999), SP_GRPC_UNKNOWN);
    assert_int_equal(sp_grpc_code_of_http(401), SP_GRPC_UNAUTHENTICATED);
    assert_int_equal(sp_grpc_code_of_http(403), SP_GRPC_PERMISSION_DENIED);
    assert_int_equal(sp_grpc_code_of_http(421), SP_GRPC_PERMISSION_DENIED);
    assert_int_equal(sp_grpc_code_of_http(404), SP_GRPC_UNIMPLEMENTED);
    assert_int_equal(sp_grpc_code_of_http(429), SP_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(sp_grpc_code_of_http(503), SP_GRPC_UNAVAILABLE);
    assert_int_equal(sp_grpc_code_of_http(400), SP_GRPC_INTERNAL);
}

static void a_fault_is_told_in_words_and_whole(void **state)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    struct read read;
    snakepit_fault fault = sp_fault_of(SNAKEPIT_TOOL_FAILED, "50% gone");
    (void)state;
    fault.type = "ValueError";
    fault.traceback = "Traceback: here";
    sp_grpc_status_of_fault(&status, &fault, 0, true);
    assert_int_equal(status.code, SP_GRPC_UNKNOWN);
    assert_text(slice_of(&status.message), "ValueError: 50%25 gone");
    assert_string_equal(status.pushback, "");
    read_details(&status, &read);
    assert_int_equal(read.status.code, SP_GRPC_UNKNOWN);
    // grpcio-status takes details only if they say what grpc-message says.
    assert_text(read.status.message, "ValueError: 50% gone");
    assert_int_equal(read.status.details.count, 1);
    assert_text(read.status.details.items[0].type_url,
                "type.googleapis.com/snakepit.v1.Fault");
    assert_text(read.fault.name, "TOOL_FAILED");
    assert_text(read.fault.message, "50% gone");
    assert_text(read.fault.traceback, "Traceback: here");
    read_fini(&read);
    sp_grpc_status_fini(&status);
}

static void insight_is_not_for_everybody(void **state)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    struct read read;
    snakepit_fault fault = sp_fault_of(SNAKEPIT_TOOL_FAILED, "no");
    (void)state;
    fault.traceback = "Traceback: here";
    sp_grpc_status_of_fault(&status, &fault, 0, false);
    read_details(&status, &read);
    assert_text(read.fault.traceback, "");
    read_fini(&read);
    sp_grpc_status_fini(&status);
}

static void who_may_try_again_is_told_when(void **state)
{
    static const struct {
        snakepit_err err;
        uint32_t after_ms;
        size_t details;
        const char *stage;
        const char *pushback;
    } rows[] = {
        {SNAKEPIT_BREAKER_OPEN, 1500, 2, "line", "1500"},
        {SNAKEPIT_SATURATED, 0, 2, "line", ""},
        {SNAKEPIT_WORKER_DIED, 0, 1, "running", "-1"},
        {SNAKEPIT_TOOL_FAILED, 0, 1, "running", ""},
        {SNAKEPIT_SHUTTING_DOWN, 0, 1, "line", ""},
        {SNAKEPIT_SHUTTING_DOWN, 0, 1, "worker", ""},
        {SNAKEPIT_SHUTTING_DOWN, 0, 1, "running", "-1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_grpc_status status = {.code = SP_GRPC_OK};
        struct read read;
        snakepit_fault fault = sp_fault_of(rows[i].err, NULL);
        fault.stage = rows[i].stage;
        sp_grpc_status_of_fault(&status, &fault, rows[i].after_ms, true);
        assert_string_equal(status.pushback, rows[i].pushback);
        read_details(&status, &read);
        assert_int_equal(read.status.details.count, rows[i].details);
        if (rows[i].details > 1) {
            assert_text(read.status.details.items[1].type_url,
                        "type.googleapis.com/google.rpc.RetryInfo");
            assert_int_equal(read.retry.retry_delay->seconds, rows[i].after_ms / 1000);
            assert_int_equal(read.retry.retry_delay->nanos,
                             rows[i].after_ms % 1000 * 1000000);
        }
        read_fini(&read);
        sp_grpc_status_fini(&status);
    }
}

// `size` bytes of one character of two bytes, between marks.
static char *long_text(size_t size, char first, char last)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        text[i] = i % 2 == 1 ? '\xc3' : '\xbc';
    }
    text[0] = first;
    text[size - 1] = last;
    text[size] = '\0';
    return text;
}

static void assert_fits(const snakepit_fault *fault, struct read *read)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    sp_grpc_status_of_fault(&status, fault, 0, true);
    assert_true(status.message.size + status.details.size <= SP_GRPC_TOLD_MOST);
    assert_true(status.details.size > 0);
    read_details(&status, read);
    sp_grpc_status_fini(&status);
}

static void what_is_too_long_is_cut_where_it_hurts_least(void **state)
{
    static const size_t sizes[] = {2000, 2700, 4000, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct read read;
        char *text = long_text(sizes[i], 'A', 'Z');
        snakepit_fault fault = sp_fault_of(SNAKEPIT_TOOL_FAILED, "short");
        fault.traceback = text;
        assert_fits(&fault, &read);
        // The innermost call is the last.
        assert_true(read.fault.traceback.size > 1500);
        assert_int_equal(read.fault.traceback.data[read.fault.traceback.size - 1], 'Z');
        assert_true((read.fault.traceback.data[0] & 0xc0) != 0x80);
        assert_text(read.fault.message, "short");
        read_fini(&read);
        fault.last_output = text;
        fault.crash_stack = text;
        assert_fits(&fault, &read);
        assert_int_equal(read.fault.last_output.size, 0);
        assert_true(read.fault.crash_stack.size == 0 ||
                    read.fault.traceback.size == sizes[i]);
        read_fini(&read);
        fault.message = text;
        fault.arguments = text;
        fault.type = text;
        assert_fits(&fault, &read);
        assert_true(read.status.message.size > 200);
        read_fini(&read);
        free(text);
    }
}

static void fields_are_what_there_is_to_say(void **state)
{
    struct sp_field fields[SP_GRPC_TRAILERS_MOST];
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    (void)state;
    assert_int_equal(sp_grpc_status_fields(&status, fields), 1);
    assert_text(fields[0].name, "grpc-status");
    assert_text(fields[0].value, "0");
    sp_grpc_status_set(&status, SP_GRPC_UNIMPLEMENTED, "a\nb");
    assert_int_equal(sp_grpc_status_fields(&status, fields), 2);
    assert_text(fields[0].value, "12");
    assert_text(fields[1].name, "grpc-message");
    assert_text(fields[1].value, "a%0Ab");
    sp_grpc_status_fini(&status);
}

static void without_memory_the_code_is_left(void **state)
{
    bool failed = true;
    (void)state;
    for (long nth = 1; failed; nth++) {
        struct sp_field fields[SP_GRPC_TRAILERS_MOST];
        struct sp_grpc_status status = {.code = SP_GRPC_OK};
        snakepit_fault fault = sp_fault_of(SNAKEPIT_SATURATED, "full");
        fault.type = "X";
        sp_memory_fail_at(nth);
        sp_grpc_status_of_fault(&status, &fault, 10, true);
        failed = sp_memory_has_failed() != 0;
        sp_memory_fail_at(0);
        assert_true(sp_grpc_status_fields(&status, fields) >= 1);
        assert_text(fields[0].value, "8");
        sp_grpc_status_fini(&status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_the_code_of_the_table),
        cmocka_unit_test(a_fault_is_told_in_words_and_whole),
        cmocka_unit_test(insight_is_not_for_everybody),
        cmocka_unit_test(who_may_try_again_is_told_when),
        cmocka_unit_test(what_is_too_long_is_cut_where_it_hurts_least),
        cmocka_unit_test(fields_are_what_there_is_to_say),
        cmocka_unit_test(without_memory_the_code_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
