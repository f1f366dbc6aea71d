// SPDX-License-Identifier: MIT
// What a worker says of itself, cut to the room there is.
#include "process/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payload/writer.h"

static snakepit_writer *
write_failure(const char *type, const char *message, const char *traceback)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "type");
    snakepit_writer_str(writer, type);
    snakepit_writer_str(writer, "message");
    snakepit_writer_str(writer, message);
    snakepit_writer_str(writer, "traceback");
    snakepit_writer_str(writer, traceback);
    return writer;
}

static void a_failure_is_type_message_and_traceback(void **state)
{
    (void)state;
    char room[8192];
    snakepit_writer *writer = write_failure("ValueError", "no", "File a\nFile b\n");
    sp_worker_read_failure(room, sizeof room, writer->buf.data, writer->buf.size);
    assert_string_equal(room, "ValueError: no\nFile a\nFile b");
    snakepit_writer_free(writer);
}

// A long one is cut in front, at a line, for its end names the error.
static void the_end_of_a_long_traceback_is_kept(void **state)
{
    (void)state;
    char room[8192];
    struct sp_buf text = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(
            sp_buf_printf(&text, "  File \"adapter.py\", line %06d, in it\n", i),
            SNAKEPIT_OK);
    }
    assert_int_equal(sp_buf_printf(&text, "ValueError!\n"), SNAKEPIT_OK);
    const char *traceback = (const char *)text.data;
    snakepit_writer *writer = write_failure("ValueError", "no", traceback);
    sp_worker_read_failure(room, sizeof room, writer->buf.data, writer->buf.size);
    assert_memory_equal(room, "ValueError: no\n[...]\n  File \"", 29);
    assert_non_null(strstr(room, "line 000999"));
    assert_null(strstr(room, "line 000000"));
    assert_string_equal(room + strlen(room) - 11, "ValueError!");
    snakepit_writer_free(writer);
    sp_buf_fini(&text);
}

static void a_traceback_of_one_long_line_keeps_its_end(void **state)
{
    (void)state;
    char room[8192];
    char *traceback = calloc(1, 20001);
    memset(traceback, 'x', 20000);
    traceback[19999] = '!';
    snakepit_writer *writer = write_failure("E", "m", traceback);
    sp_worker_read_failure(room, sizeof room, writer->buf.data, writer->buf.size);
    assert_memory_equal(room, "E: m\n[...]\nxxx", 14);
    assert_int_equal(room[strlen(room) - 1], '!');
    snakepit_writer_free(writer);
    free(traceback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_type_message_and_traceback),
        cmocka_unit_test(the_end_of_a_long_traceback_is_kept),
        cmocka_unit_test(a_traceback_of_one_long_line_keeps_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
