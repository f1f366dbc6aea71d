// SPDX-License-Identifier: MIT
// Each test of the JSON reader has a writer of its own, as its state.
#ifndef TESTS_PAYLOAD_JSON_SUPPORT_H
#define TESTS_PAYLOAD_JSON_SUPPORT_H

#include "payload/json.h"
#include "payload/writer.h"
#include "values.h"

static inline int set_up(void **state)
{
    *state = snakepit_writer_new();
    return *state == NULL;
}

static inline int tear_down(void **state)
{
    snakepit_writer_free(*state);
    return 0;
}

static inline snakepit_err
read_text(snakepit_writer *writer, const char *json, snakepit_message *why)
{
    snakepit_writer_reset(writer);
    return snakepit_writer_json(writer, json, strlen(json), why);
}

static inline void
check_back(snakepit_writer *writer, const char *json, const char *expected)
{
    snakepit_reader reader;
    struct sp_buf out = {0};
    assert_int_equal(read_text(writer, json, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_OK);
    assert_string_equal((const char *)out.data, expected);
    sp_buf_fini(&out);
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
