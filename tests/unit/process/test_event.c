// SPDX-License-Identifier: MIT
// Events as bytes: what is one, and what is none.
#include "process/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "payload/writer.h"

// What of a good event is to be different.
struct wrong {
    const char *name;
    bool call_is_text;
    bool no_measurements;
    bool cut;
    bool more;
    const char *trace; // NULL: it belongs to none
    const char *parent;
};

static snakepit_writer *write(const struct wrong *wrong)
{
    snakepit_writer *writer = snakepit_writer_new();
    assert_non_null(writer);
    snakepit_writer_array(writer, wrong->trace != NULL ? 9 : wrong->cut ? 6 : 7);
    snakepit_writer_str(writer, wrong->name != NULL ? wrong->name : "cache.lookup");
    if (wrong->call_is_text) {
        snakepit_writer_str(writer, "17");
    } else {
        snakepit_writer_uint(writer, 17);
    }
    snakepit_writer_str(writer, "a session");
    snakepit_writer_str(writer, "");
    snakepit_writer_uint(writer, UINT64_MAX);
    if (wrong->no_measurements) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_map(writer, 1);
        snakepit_writer_str(writer, "hits");
        snakepit_writer_int(writer, 3);
    }
    if (!wrong->cut) {
        snakepit_writer_map(writer, 0);
    }
    if (wrong->trace != NULL) {
        snakepit_writer_str(writer, wrong->trace);
        snakepit_writer_str(writer, wrong->parent);
    }
    return writer;
}

static snakepit_err parse(const struct wrong *wrong, struct sp_event *event)
{
    snakepit_writer *writer = write(wrong);
    if (wrong->more) {
        assert_int_equal(sp_buf_append(&writer->buf, "\xc0", 1), SNAKEPIT_OK);
    }
    snakepit_err err = sp_event_parse(event, writer->buf.data, writer->buf.size);
    snakepit_writer_free(writer);
    return err;
}

static void an_event_is_read_with_all_it_holds(void **state)
{
    (void)state;
    struct sp_event event;
    const struct wrong nothing = {0};
    snakepit_writer *writer = write(&nothing);
    assert_int_equal(sp_event_parse(&event, writer->buf.data, writer->buf.size),
                     SNAKEPIT_OK);
    assert_string_equal(event.told.name, "cache.lookup");
    assert_string_equal(event.told.session_id, "a session");
    assert_string_equal(event.told.correlation_id, "");
    assert_int_equal(event.told.call, 17);
    assert_true(event.told.time_ns == UINT64_MAX);
    assert_int_equal(event.told.size, sizeof event.told);
    snakepit_reader hits;
    snakepit_value value;
    assert_int_equal(snakepit_reader_find(&event.told.measurements, "hits", &hits),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&hits, &value), SNAKEPIT_OK);
    assert_int_equal(value.as.integer, 3);
    assert_int_equal(snakepit_reader_next(&event.told.metadata, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_MAP);
    assert_int_equal(value.as.count, 0);
    snakepit_writer_free(writer);
}

static void what_is_no_event_is_a_violation(void **state)
{
    (void)state;
    char name[SP_EVENT_TEXT_MAX + 2];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    const struct wrong wrongs[] = {{.name = ""},
                                   {.name = name},
                                   {.call_is_text = true},
                                   {.no_measurements = true},
                                   {.cut = true},
                                   {.more = true}};
    struct sp_event event;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        assert_int_equal(parse(&wrongs[i], &event), SNAKEPIT_PROTOCOL);
    }
    name[SP_EVENT_TEXT_MAX] = 0;
    const struct wrong longest = {.name = name};
    assert_int_equal(parse(&longest, &event), SNAKEPIT_OK);
}

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void an_event_may_belong_to_a_trace_and_end_a_span(void **state)
{
    (void)state;
    struct sp_event event;
    const struct wrong within = {.trace = TRACE, .parent = ""};
    const struct wrong end = {.trace = TRACE, .parent = "00f067aa0ba902b7"};
    const struct wrong none = {0};
    assert_int_equal(parse(&within, &event), SNAKEPIT_OK);
    assert_int_equal(event.trace.trace[0], 0x0a);
    assert_false(event.ends_span);
    assert_int_equal(parse(&end, &event), SNAKEPIT_OK);
    assert_true(event.ends_span);
    assert_int_equal(event.trace.span[0], 0xb7);
    assert_int_equal(event.parent[7], 0xb7);
    assert_int_equal(parse(&none, &event), SNAKEPIT_OK);
    assert_false(sp_trace_is_one(&event.trace));
    const struct wrong wrongs[] = {{.trace = "", .parent = ""},
                                   {.trace = "00-1", .parent = ""},
                                   {.trace = TRACE, .parent = "00f067aa0ba902b"},
                                   {.trace = TRACE, .parent = "0000000000000000"}};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        assert_int_equal(parse(&wrongs[i], &event), SNAKEPIT_PROTOCOL);
    }
}

static void no_part_of_an_event_is_one(void **state)
{
    (void)state;
    struct sp_event event;
    const struct wrong nothing = {0};
    snakepit_writer *writer = write(&nothing);
    for (size_t size = 0; size < writer->buf.size; size++) {
        assert_int_equal(sp_event_parse(&event, writer->buf.data, size),
                         SNAKEPIT_PROTOCOL);
    }
    snakepit_writer_free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_read_with_all_it_holds),
        cmocka_unit_test(what_is_no_event_is_a_violation),
        cmocka_unit_test(an_event_may_belong_to_a_trace_and_end_a_span),
        cmocka_unit_test(no_part_of_an_event_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
