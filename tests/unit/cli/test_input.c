// SPDX-License-Identifier: MIT
#include "cli/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

// What is given as arguments, and what it says when it is wrong; NULL: it is right.
static const struct {
    const char *text;
    snakepit_err err;
    const char *why;
} rows[] = {
    {NULL, SNAKEPIT_OK, NULL},
    {"{}", SNAKEPIT_OK, NULL},
    {" {\"a\": [1, {\"b\": null}]} ", SNAKEPIT_OK, NULL},
    {"", SNAKEPIT_MALFORMED, "the call's JSON arguments: line 1"},
    {"{\"a\": {\"$bytes\": \"A\"}}",
     SNAKEPIT_MALFORMED,
     "the call's JSON arguments: $bytes is not base64 (at .a)"},
    {"{\"a\": 1", SNAKEPIT_MALFORMED, "line 1"},
    {"{\n \"a\": 1,\n \"b\" 2}", SNAKEPIT_MALFORMED, "line 3"},
    {"[1]", SNAKEPIT_INVALID_ARGUMENT, "a JSON object"},
    {"1", SNAKEPIT_INVALID_ARGUMENT, "a JSON object"},
    {"null", SNAKEPIT_INVALID_ARGUMENT, "a JSON object"},
    {"{\"$bytes\": \"AAAA\"}", SNAKEPIT_INVALID_ARGUMENT, "a JSON object"},
};

static void each_row_says_what_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snakepit_message why = {.text = ""};
        struct sp_cli_arguments args;
        assert_int_equal(sp_cli_read_arguments(rows[i].text, &args, &why), rows[i].err);
        assert_true(rows[i].why == NULL || strstr(why.text, rows[i].why) != NULL);
        assert_true(rows[i].err != SNAKEPIT_OK ||
                    snakepit_writer_error(args.writer) == SNAKEPIT_OK);
        const char *json = rows[i].text != NULL ? rows[i].text : "{}";
        assert_int_equal(args.json.size, strlen(json));
        assert_memory_equal(args.json.data, json, strlen(json));
        sp_cli_arguments_fini(&args);
    }
}

// A descriptor from which `text` can be read.
static int descriptor_of(const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return ends[0];
}

static void reading_ends_with_the_input_or_at_the_limit(void **state)
{
    (void)state;
    for (size_t limit = 4; limit <= 6; limit++) {
        snakepit_message why = {.text = ""};
        struct sp_buf text = {0};
        int fd = descriptor_of("12345");
        snakepit_err err = sp_cli_read_all(fd, limit, &text, &why);
        assert_int_equal(err, limit < 5 ? SNAKEPIT_INVALID_ARGUMENT : SNAKEPIT_OK);
        assert_true(limit < 5 ||
                    (text.size == 5 && memcmp(text.data, "12345", 5) == 0));
        sp_buf_fini(&text);
        close(fd);
    }
}

static void what_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    snakepit_message why = {.text = ""};
    struct sp_buf text = {0};
    assert_int_equal(sp_cli_read_all(-1, 10, &text, &why), SNAKEPIT_SYSTEM);
    assert_non_null(strstr(why.text, "cannot read"));
    sp_memory_fail_at(1);
    struct sp_buf none = {0};
    assert_int_equal(sp_cli_read_all(0, 10, &none, &why), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_says_what_it_should),
        cmocka_unit_test(reading_ends_with_the_input_or_at_the_limit),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
