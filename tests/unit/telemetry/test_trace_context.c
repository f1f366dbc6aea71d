// SPDX-License-Identifier: MIT
#include "telemetry/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static bool read(const char *text, struct sp_trace_context *context)
{
    return sp_traceparent_read(sp_slice_of_text(text), context);
}

static void a_traceparent_is_read_and_written_as_it_was(void **state)
{
    static const char text[] = "00-" TRACE "-" SPAN "-01";
    struct sp_trace_context context;
    uint8_t written[SP_TRACEPARENT_SIZE];
    (void)state;
    assert_true(read(text, &context));
    assert_true(sp_trace_is_sampled(&context));
    assert_int_equal(context.trace[0], 0x0a);
    assert_int_equal(context.trace[15], 0x9c);
    assert_int_equal(context.span[0], 0xb7);
    assert_int_equal(context.span[7], 0x31);
    sp_traceparent_write(&context, written);
    assert_memory_equal(written, text, sizeof written);
    assert_true(read("00-" TRACE "-" SPAN "-00", &context));
    assert_false(sp_trace_is_sampled(&context));
}

static void what_is_malformed_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01 ",
        "00-" TRACE "-" SPAN "-01-more",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "0x-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0x",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-" TRACE "-b7ad6b716920333g-01",
        "ff-" TRACE "-" SPAN "-01",
        "cc-" TRACE "-" SPAN "-01.more",
    };
    struct sp_trace_context context = {.flags = 77};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(read(wrong[i], &context));
        assert_int_equal(context.flags, 77);
    }
}

static void no_other_byte_is_taken_for_a_digit(void **state)
{
    struct sp_trace_context context;
    char text[] = "00-" TRACE "-" SPAN "-01";
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_digit =
            (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
        text[3] = (char)byte;
        assert_int_equal(read(text, &context), is_digit);
        text[3] = '0';
        text[34] = (char)byte;
        assert_int_equal(read(text, &context), is_digit);
        text[34] = 'c';
    }
}

static void of_a_later_version_what_is_known_is_read(void **state)
{
    struct sp_trace_context context;
    uint8_t written[SP_TRACEPARENT_SIZE];
    (void)state;
    assert_true(read("cc-" TRACE "-" SPAN "-ff-what-comes-later", &context));
    sp_traceparent_write(&context, written);
    assert_memory_equal(written, "00-" TRACE "-" SPAN "-01", sizeof written);
}

static void a_tracestate_is_printable_and_bounded(void **state)
{
    char text[SP_TRACESTATE_MAX + 2];
    (void)state;
    assert_true(sp_tracestate_is_sound(sp_slice_of_text("rojo=00f067,congo=t61")));
    assert_false(sp_tracestate_is_sound(sp_slice_of_text("")));
    assert_false(sp_tracestate_is_sound(sp_slice_of_text("a=\x7f")));
    assert_false(sp_tracestate_is_sound(sp_slice_of_text("a=\n")));
    memset(text, 'a', sizeof text);
    text[SP_TRACESTATE_MAX + 1] = '\0';
    assert_false(sp_tracestate_is_sound(sp_slice_of_text(text)));
    text[SP_TRACESTATE_MAX] = '\0';
    assert_true(sp_tracestate_is_sound(sp_slice_of_text(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_is_read_and_written_as_it_was),
        cmocka_unit_test(what_is_malformed_changes_nothing),
        cmocka_unit_test(no_other_byte_is_taken_for_a_digit),
        cmocka_unit_test(of_a_later_version_what_is_known_is_read),
        cmocka_unit_test(a_tracestate_is_printable_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
