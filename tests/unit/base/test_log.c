// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct heard {
    int lines;
    enum sp_log_level level;
    char event[64];
    char line[4096];
};

static void
hear(void *user, enum sp_log_level level, const char *event, const char *line)
{
    struct heard *heard = user;
    heard->lines++;
    heard->level = level;
    snprintf(heard->event, sizeof(heard->event), "%s", event);
    snprintf(heard->line, sizeof(heard->line), "%s", line);
}

static void a_line_is_the_event_and_its_values(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sp_log log = {hear, &heard, SP_LOG_INFO};
    sp_log(&log, SP_LOG_WARNING, "worker.exit", "pool=%s signal=%d", "text", 9);
    assert_string_equal(heard.line, "worker.exit pool=text signal=9");
    assert_string_equal(heard.event, "worker.exit");
    assert_int_equal(heard.level, SP_LOG_WARNING);
    sp_log(&log, SP_LOG_INFO, "pit.close", "%s", "");
    assert_int_equal(heard.lines, 2);
}

static void lines_below_the_level_are_not_made(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sp_log log = {hear, &heard, SP_LOG_WARNING};
    sp_log(&log, SP_LOG_DEBUG, "a", "b=%d", 1);
    sp_log(&log, SP_LOG_INFO, "a", "b=%d", 1);
    assert_int_equal(heard.lines, 0);
    log.level = SP_LOG_OFF;
    sp_log(&log, SP_LOG_ERROR, "a", "b=%d", 1);
    sp_log(&log, SP_LOG_OFF, "a", "b=%d", 1);
    assert_int_equal(heard.lines, 0);
}

static void a_value_cannot_begin_another_line(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sp_log log = {hear, &heard, SP_LOG_DEBUG};
    sp_log(&log, SP_LOG_ERROR, "a", "b=%s", "1\nworker.exit c=2\r\x1b[2J");
    assert_string_equal(heard.line, "a b=1 worker.exit c=2 ?[2J");
}

static void a_cut_character_is_none(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sp_log log = {hear, &heard, SP_LOG_DEBUG};
    sp_log(&log, SP_LOG_ERROR, "a", "%04027d\u4e16", 7);
    assert_int_equal(strlen(heard.line), 4031);
    assert_string_equal(heard.line + 4028, "7??");
}

static void a_value_cannot_add_a_field(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sp_log log = {hear, &heard, SP_LOG_DEBUG};
    char room[64];
    const char *forged = "x\" pool=other line=\"y\\";
    sp_log(&log, SP_LOG_INFO, "a", "b=%s", sp_log_quote(forged, room, sizeof room));
    assert_string_equal(heard.line, "a b=\"x\\\" pool=other line=\\\"y\\\\\"");
    sp_log(&log, SP_LOG_INFO, "a", "b=%s", sp_log_value(forged, room, sizeof room));
    assert_string_equal(heard.line, "a b=\"x\\\" pool=other line=\\\"y\\\\\"");
}

static void a_value_of_one_word_needs_no_quotes(void **state)
{
    (void)state;
    char room[32];
    assert_string_equal(sp_log_value("shop.Orders", room, sizeof room), "shop.Orders");
    assert_string_equal(sp_log_value("a b", room, sizeof room), "\"a b\"");
    assert_string_equal(sp_log_value("a=b", room, sizeof room), "\"a=b\"");
    assert_string_equal(sp_log_value("", room, sizeof room), "\"\"");
    assert_string_equal(sp_log_value("\u00e9", room, sizeof room), "\"\u00e9\"");
}

static void a_line_too_long_is_cut(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sp_log log = {hear, &heard, SP_LOG_DEBUG};
    sp_log(&log, SP_LOG_ERROR, "a", "%05000d", 7);
    assert_int_equal(strlen(heard.line), 4031);
}

static void quote_escapes_and_cuts(void **state)
{
    (void)state;
    char room[16];
    assert_string_equal(sp_log_quote("a \"b\"\\", room, sizeof(room)),
                        "\"a \\\"b\\\"\\\\\"");
    assert_string_equal(sp_log_quote("", room, 4), "\"\"");
    for (size_t size = 4; size <= sizeof(room); size++) {
        memset(room, 'x', sizeof(room));
        sp_log_quote("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", room, size);
        size_t length = strlen(room);
        assert_true(length < size);
        assert_int_equal(room[length - 1], '"');
        assert_true(length % 2 == 0);
    }
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(sp_log_level_of("debug"), SP_LOG_DEBUG);
    assert_int_equal(sp_log_level_of("info"), SP_LOG_INFO);
    assert_int_equal(sp_log_level_of("warning"), SP_LOG_WARNING);
    assert_int_equal(sp_log_level_of("error"), SP_LOG_ERROR);
    assert_int_equal(sp_log_level_of("off"), SP_LOG_OFF);
    assert_int_equal(sp_log_level_of("WARNING"), SP_LOG_WARNING);
    assert_int_equal(sp_log_level_of(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_the_event_and_its_values),
        cmocka_unit_test(lines_below_the_level_are_not_made),
        cmocka_unit_test(a_value_cannot_begin_another_line),
        cmocka_unit_test(a_line_too_long_is_cut),
        cmocka_unit_test(a_cut_character_is_none),
        cmocka_unit_test(a_value_cannot_add_a_field),
        cmocka_unit_test(a_value_of_one_word_needs_no_quotes),
        cmocka_unit_test(quote_escapes_and_cuts),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
