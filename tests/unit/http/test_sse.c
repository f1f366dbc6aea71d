// SPDX-License-Identifier: MIT
#include "http/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void assert_event(const char *name, const char *data, const char *event)
{
    struct sp_buf out = {0};
    assert_int_equal(sp_sse_event(&out, name, sp_slice_of_text(data)), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&out, "", 1), SNAKEPIT_OK);
    assert_string_equal((const char *)out.data, event);
    sp_buf_fini(&out);
}

static void each_line_is_a_line_of_the_event(void **state)
{
    (void)state;
    assert_event(NULL, "42", "data: 42\n\n");
    assert_event("end", "", "event: end\ndata: \n\n");
    assert_event(NULL, "a\nb", "data: a\ndata: b\n\n");
    assert_event(NULL, "a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n\n");
    assert_event(NULL, "\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n");
}

static void without_memory_nothing_is_left_half(void **state)
{
    (void)state;
    struct sp_buf out = {0};
    const struct sp_slice data = sp_slice_of_text("a\nb");
    assert_int_equal(sp_sse_comment(&out), SNAKEPIT_OK);
    const size_t before = out.size;
    char long_name[600] = "";
    memset(long_name, 'n', sizeof long_name - 1);
    for (long n = 1;; n++) {
        sp_memory_fail_at(n);
        snakepit_err err = sp_sse_event(&out, long_name, data);
        if (err == SNAKEPIT_OK) {
            break;
        }
        assert_int_equal(err, SNAKEPIT_NO_MEMORY);
        assert_int_equal(out.size, before);
    }
    sp_memory_fail_at(0);
    assert_memory_equal(out.data, ": ", 2);
    sp_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_a_line_of_the_event),
        cmocka_unit_test(without_memory_nothing_is_left_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
