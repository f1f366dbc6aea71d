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

#include "ipc/layout.h"
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

// The names that a message lists under "idempotent"; a number stands for NULL.
static struct sp_buf names_of(const char *const *names, uint32_t count)
{
    struct sp_buf read = {0};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "python");
    snakepit_writer_str(writer, "3.13.5");
    snakepit_writer_str(writer, "idempotent");
    snakepit_writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        if (names[i] == NULL) {
            snakepit_writer_int(writer, 1);
        } else {
            snakepit_writer_str(writer, names[i]);
        }
    }
    sp_worker_read_idempotent(&read, writer->buf.data, writer->buf.size);
    snakepit_writer_free(writer);
    return read;
}

static void each_name_stands_behind_its_size(void **state)
{
    (void)state;
    static const char *const names[] = {"get", "list"};
    struct sp_buf read = names_of(names, 2);
    assert_int_equal(read.size, 9);
    assert_memory_equal(read.data, "\x03get\x04list", 9);
    sp_buf_fini(&read);
    read = names_of(names, 0);
    assert_int_equal(read.size, 0);
    sp_buf_fini(&read);
}

static void a_list_with_anything_else_is_not_believed(void **state)
{
    (void)state;
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const lists[][2] = {{"get", NULL}, {"get", long_name}};
    for (int i = 0; i < 2; i++) {
        struct sp_buf read = names_of(lists[i], 2);
        assert_int_equal(read.size, 0);
        sp_buf_fini(&read);
    }
    struct sp_buf read = {0};
    sp_worker_read_idempotent(&read, (const uint8_t *)"\xc1", 1);
    assert_int_equal(read.size, 0);
}

// The files that a message lists under "sources".
static struct sp_buf files_of(const char *const *paths, uint32_t count)
{
    struct sp_buf read = {0};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "sources");
    snakepit_writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        snakepit_writer_str(writer, paths[i]);
    }
    sp_worker_read_sources(&read, writer->buf.data, writer->buf.size);
    snakepit_writer_free(writer);
    return read;
}

static void files_stand_behind_each_other(void **state)
{
    (void)state;
    static const char *const good[] = {"/a/b.py", "/c"};
    static const char *const bad[] = {"/a/b.py", "c"};
    struct sp_buf read = files_of(good, 2);
    assert_int_equal(read.size, 11);
    assert_memory_equal(read.data, "/a/b.py\0/c", 11);
    sp_buf_fini(&read);
    read = files_of(bad, 2);
    assert_int_equal(read.size, 0);
    sp_buf_fini(&read);
}

// What a message lists under "batches": a map of a name to a number.
static struct sp_buf batches_of(const char *name, int64_t most)
{
    struct sp_buf read = {0};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "batches");
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "embed");
    snakepit_writer_int(writer, 32);
    snakepit_writer_str(writer, name);
    snakepit_writer_int(writer, most);
    sp_worker_read_batches(&read, writer->buf.data, writer->buf.size);
    snakepit_writer_free(writer);
    return read;
}

static void how_many_calls_a_tool_takes_stands_behind_its_name(void **state)
{
    (void)state;
    struct sp_buf read = batches_of("rank", 258);
    assert_int_equal(read.size, 19);
    assert_memory_equal(read.data,
                        "\x05"
                        "embed\x20\0\0\0"
                        "\x04"
                        "rank\x02\x01\0\0",
                        19);
    sp_buf_fini(&read);
    sp_worker_read_batches(&read, (const uint8_t *)"\x80", 1);
    assert_int_equal(read.size, 0);
}

static void a_map_with_anything_else_is_not_believed(void **state)
{
    (void)state;
    static const int64_t numbers[] = {-1, 0, 1, SP_SLOTS_MAX + 1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sp_buf read = batches_of("rank", numbers[i]);
        assert_int_equal(read.size, 0);
        sp_buf_fini(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_stand_behind_each_other),
        cmocka_unit_test(how_many_calls_a_tool_takes_stands_behind_its_name),
        cmocka_unit_test(a_map_with_anything_else_is_not_believed),
        cmocka_unit_test(a_failure_is_type_message_and_traceback),
        cmocka_unit_test(the_end_of_a_long_traceback_is_kept),
        cmocka_unit_test(a_traceback_of_one_long_line_keeps_its_end),
        cmocka_unit_test(each_name_stands_behind_its_size),
        cmocka_unit_test(a_list_with_anything_else_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
