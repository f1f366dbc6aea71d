// SPDX-License-Identifier: MIT
#include "telemetry/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "telemetry/notice_show.h"
#include "telemetry/notice_write.h"

struct heard {
    int events;
    enum sp_log_level level;
    const struct sp_notice_kind *kind;
    union sp_notice_value values[SP_NOTICE_FIELDS_MOST];
    char line[SP_LOG_LINE_MAX];
    char json[4096];
    char journal[8192];
};

static struct heard heard;

static void hear(void *user, const struct sp_notice *notice)
{
    (void)user;
    heard.events++;
    heard.level = notice->level;
    heard.kind = notice->kind;
    memcpy(heard.values, notice->values, notice->kind->count * sizeof *heard.values);
    (void)sp_notice_line(notice, heard.line, sizeof heard.line);
    (void)sp_notice_json(notice, heard.json, sizeof heard.json);
    size_t size = sp_notice_journal(notice, heard.journal, sizeof heard.journal - 1);
    heard.journal[size] = '\0';
}

static struct sp_log log_of_test = {.write = hear};

static int prepare(void **state)
{
    (void)state;
    heard = (struct heard){.events = 0};
    log_of_test.level = SP_LOG_DEBUG;
    return 0;
}

static void an_event_has_its_fields_as_values(void **state)
{
    (void)state;
    sp_log_at(&log_of_test,
              SP_LOG_WARNING,
              worker_exit,
              .pool = "text",
              .worker = 7,
              .pid = 40,
              .code = (uint64_t)SP_UNTOLD,
              .signal = 9);
    assert_int_equal(heard.events, 1);
    assert_int_equal(heard.level, SP_LOG_WARNING);
    assert_string_equal(heard.kind->name, "worker.exit");
    assert_int_equal(heard.values[1].count, 7);
    assert_string_equal(heard.line,
                        "worker.exit pool=text worker=7 pid=40 signal=9 expected=no");
    sp_log(&log_of_test, worker_exit, .pool = "text");
    assert_int_equal(heard.level, SP_LOG_INFO);
}

static void what_is_below_the_level_is_not_told(void **state)
{
    (void)state;
    log_of_test.level = SP_LOG_WARNING;
    sp_log(&log_of_test, worker_state, .pool = "text");
    sp_log(&log_of_test, worker_started, .pool = "text");
    log_of_test.level = SP_LOG_OFF;
    sp_log(&log_of_test, pool_failed, .pool = "text");
    assert_int_equal(heard.events, 0);
}

static void a_value_can_neither_begin_a_line_nor_add_a_field(void **state)
{
    (void)state;
    sp_log(&log_of_test,
           pool_failed,
           .pool = "x\" pid=1",
           .because = "1\nworker.exit c=2\r\x1b[2J\xff");
    assert_string_equal(
        heard.line,
        "pool.failed pool=\"x\\\" pid=1\" because=\"1 worker.exit c=2 ?[2J?\"");
    assert_non_null(strstr(heard.json, "\"pool\":\"x\\\" pid=1\""));
    assert_non_null(
        strstr(heard.journal, "\nSNAKEPIT_BECAUSE=1 worker.exit c=2 ?[2J?\n"));
    sp_log(&log_of_test,
           worker_event,
           .pool = "p",
           .event = "e",
           .measurements = "{\"a\":1}",
           .metadata = "{\"b\":\"x pool=y\"}");
    assert_non_null(strstr(heard.line, "metadata={\"b\":\"x\\u0020pool\\u003dy\"}"));
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    static char text[6000];
    memset(text, '"', sizeof text - 1);
    sp_log(&log_of_test, pool_failed, .pool = "p", .because = text);
    assert_int_equal(strlen(heard.line), SP_LOG_LINE_MAX - 1);
    assert_true(strlen(heard.json) < sizeof heard.json);
    assert_string_equal(heard.json + strlen(heard.json) - 2, "\"}");
    sp_log(&log_of_test, pool_failed, .pool = text, .because = "why");
    assert_string_equal(heard.values[1].text, ""); // there was no room left
}

static void a_cut_character_is_none(void **state)
{
    (void)state;
    static char text[6000];
    for (size_t at = 0; at + 3 < sizeof text; at += 3) {
        memcpy(text + at, "\u4e16", 3);
    }
    sp_log(&log_of_test, pool_failed, .pool = "p", .because = text);
    const char *kept = heard.json + strlen(heard.json) - 5;
    assert_memory_equal(kept, "\u4e16\"}", 5);
}

static void json_has_numbers_and_truths(void **state)
{
    (void)state;
    sp_log(&log_of_test,
           pool_profile_switch,
           .pool = "p",
           .cpu_usage = 0.5,
           .bytes_before = (uint64_t)SP_UNTOLD,
           .calls_cost_less_percent = -3);
    assert_non_null(strstr(heard.json, ",\"pool\":\"p\",\"workers\":0,"));
    assert_non_null(strstr(heard.json, "\"cpu_usage\":0.50,"));
    assert_null(strstr(heard.json, "bytes_before"));
    assert_non_null(strstr(heard.json, "\"calls_cost_less_percent\":-3}"));
    sp_log(&log_of_test, worker_exit, .pool = "p", .expected = true);
    assert_non_null(strstr(heard.json, "\"expected\":true}"));
    sp_log(&log_of_test,
           worker_event,
           .pool = "p",
           .event = "inference.stop",
           .metadata = "{\"a\":[1]}");
    assert_non_null(strstr(heard.json, "\"event\":\"worker.event\""));
    assert_non_null(strstr(heard.json, "\"name\":\"inference.stop\""));
    assert_non_null(strstr(heard.json, "\"metadata\":{\"a\":[1]}}"));
}

static void programs_see_fields_with_kinds_and_units(void **state)
{
    (void)state;
    const union sp_notice_value values[] = {
        {"p"}, {.count = 7}, {.count = 40}, {NULL}, {"mod.A"}, {.count = 120}};
    const struct sp_notice notice = {
        &sp_notice_kinds[SP_NOTICE_worker_started], SP_LOG_INFO, 5, values};
    snakepit_field fields[SP_NOTICE_FIELDS_MOST];
    snakepit_notice shown;
    sp_notice_show(&notice, fields, &shown);
    assert_string_equal(shown.name, "worker.started");
    assert_string_equal(shown.pool, "p");
    assert_int_equal(shown.time_ns, 5);
    assert_int_equal(shown.field_count, 5); // without `python`
    assert_string_equal(shown.fields[4].name, "start_ms");
    assert_string_equal(shown.fields[4].unit, "ms");
    assert_int_equal(shown.fields[4].kind, SNAKEPIT_FIELD_UNSIGNED);
    assert_int_equal(shown.fields[4].as.unsigned_integer, 120);
    assert_int_equal(shown.fields[3].kind, SNAKEPIT_FIELD_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_event_has_its_fields_as_values, prepare),
        cmocka_unit_test_setup(what_is_below_the_level_is_not_told, prepare),
        cmocka_unit_test_setup(a_value_can_neither_begin_a_line_nor_add_a_field,
                               prepare),
        cmocka_unit_test_setup(what_is_too_long_is_cut, prepare),
        cmocka_unit_test_setup(a_cut_character_is_none, prepare),
        cmocka_unit_test_setup(json_has_numbers_and_truths, prepare),
        cmocka_unit_test_setup(programs_see_fields_with_kinds_and_units, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
