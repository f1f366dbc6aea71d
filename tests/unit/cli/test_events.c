// SPDX-License-Identifier: MIT
#include "cli/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/sse.h"

// What came, as "name=data;" for each event.
static struct sp_buf came;
static size_t wanted; // events that are read on; 0: all

static bool on_event(void *user, const char *name, struct sp_slice data)
{
    size_t *count = user;
    (void)sp_buf_printf(&came, "%s=", name);
    (void)sp_buf_append(&came, data.data, data.size);
    (void)sp_buf_append(&came, ";", 1);
    return ++*count != wanted;
}

static snakepit_err
feed(struct sp_cli_events *events, const char *text, size_t size, size_t step)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t at = 0; at < size && err == SNAKEPIT_OK; at += step) {
        const size_t piece = size - at < step ? size - at : step;
        err = sp_cli_events_feed(events,
                                 (struct sp_slice){(const uint8_t *)text + at, piece});
    }
    return err;
}

// Reads `text` in pieces of `step` bytes.
static snakepit_err read_in_steps(const char *text, size_t size, size_t step)
{
    size_t count = 0;
    struct sp_cli_events events = {.limit = 64, .put = on_event, .user = &count};
    sp_buf_fini(&came);
    snakepit_err err = feed(&events, text, size, step);
    sp_cli_events_fini(&events);
    (void)sp_buf_append(&came, "", 1);
    return err;
}

static const struct {
    const char *text;
    const char *events;
} rows[] = {
    {"data: 1\n\n", "message=1;"},
    {"data:1\n\n", "message=1;"},
    {"data:  1\n\n", "message= 1;"},
    {"data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", "message=1;message=2;message=3;"},
    {"data: a\ndata: b\n\n", "message=a\nb;"},
    {"data\n\n", "message=;"},
    {"data: {\"a\": 1}\nid: 7\nretry: 3\nother: x\n\n", "message={\"a\": 1};"},
    {": still here\n\ndata: 1\n\n", "message=1;"},
    {"event: end\ndata: {}\n\n", "end={};"},
    {"event: end\n\ndata: 1\n\n", "message=1;"}, // without data it is not one
    {"event:end\ndata: 1\n\ndata: 2\n\n", "end=1;message=2;"},
    {"event: a-name-that-is-far-longer-than-any-we-know\ndata: 1\n\n",
     "a-name-that-is-far-longer-than-=1;"},
    {"\xef\xbb\xbf"
     "data: 1\n\n",
     "message=1;"},
    {"data: 1\n\n\xef\xbb\xbf"
     "data: 2\n\n",
     "message=1;"},
    {"\n\n\ndata: 1\n\n\n", "message=1;"},
    {"data: 1\n\ndata: 2\n", "message=1;"}, // it broke off
    {"data: 1\n\ndata: 2", "message=1;"},
    {"", ""},
    {"dat: 1\ndataa: 2\n\n", ""},
    {"data: \xff\xfe\n\n", "message=\xff\xfe;"},
};

static void each_text_has_its_events_however_it_is_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++) {
            assert_int_equal(read_in_steps(rows[i].text, strlen(rows[i].text), step),
                             SNAKEPIT_OK);
            assert_string_equal((const char *)came.data, rows[i].events);
        }
    }
}

static void a_zero_is_a_byte_like_others(void **state)
{
    static const char text[] = "data: a\0b\n\n";
    (void)state;
    assert_int_equal(read_in_steps(text, sizeof text - 1, 3), SNAKEPIT_OK);
    assert_int_equal(came.size, sizeof "message=a\0b;");
    assert_memory_equal(came.data, "message=a\0b;", sizeof "message=a\0b;");
}

// What http/sse.h writes is read as it was meant.
static void what_a_daemon_writes_is_read_back(void **state)
{
    static const char data[] = "line\nline\rline\r\nend";
    struct sp_buf out = {0};
    (void)state;
    assert_int_equal(sp_sse_comment(&out), SNAKEPIT_OK);
    assert_int_equal(sp_sse_event(&out, NULL, sp_slice_of_text(data)), SNAKEPIT_OK);
    assert_int_equal(sp_sse_event(&out, "end", sp_slice_of_text("{}")), SNAKEPIT_OK);
    for (size_t step = 1; step < 9; step++) {
        assert_int_equal(read_in_steps((const char *)out.data, out.size, step),
                         SNAKEPIT_OK);
        assert_string_equal((const char *)came.data,
                            "message=line\nline\nline\nend;end={};");
    }
    sp_buf_fini(&out);
}

static void an_event_is_bounded(void **state)
{
    char text[256];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "data: ", 6);
    text[255] = '\n';
    for (size_t step = 1; step <= sizeof text; step++) {
        assert_int_equal(read_in_steps(text, sizeof text, step), SNAKEPIT_MALFORMED);
    }
    // Of many lines as well.
    static const char line[] = "data: 0123456789\n";
    struct sp_buf lines = {0};
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(sp_buf_append(&lines, line, sizeof line - 1), SNAKEPIT_OK);
    }
    assert_int_equal(read_in_steps((const char *)lines.data, lines.size, 5),
                     SNAKEPIT_MALFORMED);
    sp_buf_fini(&lines);
}

static void who_wants_no_more_gets_none(void **state)
{
    static const char text[] = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
    (void)state;
    wanted = 2;
    assert_int_equal(read_in_steps(text, sizeof text - 1, 100), SNAKEPIT_CANCELLED);
    assert_string_equal((const char *)came.data, "message=1;message=2;");
    wanted = 0;
}

static void without_memory_it_says_so(void **state)
{
    static const char text[] = "event: end\ndata: 12345\ndata: 67890\n\n";
    long failed = 0;
    (void)state;
    for (long n = 1; n == 1 || failed != 0; n++) {
        size_t count = 0;
        struct sp_cli_events events = {.limit = 64, .put = on_event, .user = &count};
        sp_buf_fini(&came);
        assert_int_equal(sp_buf_reserve(&came, 256), SNAKEPIT_OK);
        sp_memory_fail_at(n);
        snakepit_err err = feed(&events, text, sizeof text - 1, 4);
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed != 0 ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_cli_events_fini(&events);
        assert_true(n < 100);
    }
}

static int forget(void **state)
{
    (void)state;
    sp_buf_fini(&came);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_has_its_events_however_it_is_split),
        cmocka_unit_test(a_zero_is_a_byte_like_others),
        cmocka_unit_test(what_a_daemon_writes_is_read_back),
        cmocka_unit_test(an_event_is_bounded),
        cmocka_unit_test(who_wants_no_more_gets_none),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
