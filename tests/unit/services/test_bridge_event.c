// SPDX-License-Identifier: MIT
#include "services/bridge_telemetry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct sp_event_ring *ring;
static struct sp_log log_of_test;
static snakepit_writer *writer;
static struct sp_scratch scratch;
static struct sp_kept_event *event;
static struct sp_bridge_told told;

static int open_ring(void **state)
{
    (void)state;
    ring = sp_event_ring_new();
    writer = snakepit_writer_new();
    assert_non_null(ring);
    assert_non_null(writer);
    log_of_test = (struct sp_log){.write = sp_event_ring_hear, .user = ring};
    return 0;
}

static int close_ring(void **state)
{
    (void)state;
    sp_kept_event_give_back(event);
    sp_scratch_fini(&scratch);
    snakepit_writer_free(writer);
    sp_event_ring_free(ring);
    return 0;
}

static bool may_see(const void *user, const char *pool)
{
    (void)user;
    (void)pool;
    return true;
}

static void take(void)
{
    uint64_t from = 1;
    uint64_t lost;
    const struct sp_event_filter filter = {.may_see = may_see};
    event = sp_event_ring_take(ring, &filter, &from, &lost);
    assert_non_null(event);
}

static void tell(void)
{
    take();
    assert_int_equal(sp_bridge_tell(event, writer, &scratch, &told), SNAKEPIT_OK);
}

static void assert_slice(struct sp_slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.data, text, slice.size);
}

static bool is(struct sp_slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

static const struct sp_bridge_telemetry_value *measured(const char *key)
{
    for (size_t i = 0; i < told.event.measurements.count; i++) {
        if (is(told.event.measurements.items[i].key, key)) {
            return told.event.measurements.items[i].value;
        }
    }
    return NULL;
}

// NULL data: it is not there.
static struct sp_slice text_of(const char *key)
{
    for (size_t i = 0; i < told.event.metadata.count; i++) {
        if (is(told.event.metadata.items[i].key, key)) {
            return told.event.metadata.items[i].value;
        }
    }
    return (struct sp_slice){NULL, 0};
}

static void numbers_are_measured_and_texts_say_of_what(void **state)
{
    (void)state;
    sp_log(&log_of_test,
           worker_started,
           .pool = "text",
           .worker = 7,
           .pid = 4711,
           .python = "3.13.5",
           .adapter = "a \"b\"",
           .start_ms = 120);
    tell();
    assert_slice(told.name, "worker.started");
    assert_int_equal(told.event.event_parts.count, 2);
    assert_slice(told.event.event_parts.items[0], "worker");
    assert_slice(told.event.event_parts.items[1], "started");
    assert_int_equal(told.event.timestamp_ns, event->time_ns);
    assert_int_equal(told.event.correlation_id.size, 0);
    assert_int_equal(told.event.measurements.count, 1);
    assert_int_equal(measured("start_ms")->which, 1);
    assert_int_equal(measured("start_ms")->int_value, 120);
    assert_slice(text_of("pool"), "text");
    assert_slice(text_of("worker"), "7");
    assert_slice(text_of("pid"), "4711");
    assert_slice(text_of("adapter"), "a \"b\"");
    assert_slice(text_of("level"), "info");
    assert_null(text_of("time").data);
    assert_null(text_of("event").data);
}

static void shares_are_reals_and_answers_are_texts(void **state)
{
    (void)state;
    sp_log(&log_of_test,
           pool_profile_switch,
           .pool = "text",
           .cpu_usage = 0.25,
           .memory_usage = 0.5,
           .bytes_before = UINT64_MAX);
    tell();
    assert_int_equal(measured("cpu_usage")->which, 2);
    assert_true(measured("cpu_usage")->float_value == 0.25);
    assert_true(measured("bytes_before")->float_value > 1e19);
    sp_kept_event_give_back(event);
    sp_event_ring_free(ring);
    ring = sp_event_ring_new();
    log_of_test.user = ring;
    sp_log(&log_of_test, worker_exit, .pool = "text", .signal = 9, .expected = 1);
    tell();
    assert_slice(text_of("signal"), "9");
    assert_slice(text_of("expected"), "true");
    assert_int_equal(told.event.measurements.count, 0);
}

static void what_an_adapter_tells_is_told_as_its_own(void **state)
{
    (void)state;
    sp_log(&log_of_test,
           worker_event,
           .pool = "text",
           .worker = 7,
           .event = "tool.execution.stop",
           .call = 3,
           .session = "",
           .correlation = "c-1",
           .dropped = 0,
           .measurements = "{\"duration\":5,\"share\":0.5,\"on\":true,\"as\":\"x\"}",
           .metadata = "{\"tool\":\"predict\",\"pool\":\"mine\",\"n\":{\"a\":[1]}}");
    tell();
    assert_slice(told.name, "tool.execution.stop");
    assert_int_equal(told.event.event_parts.count, 3);
    assert_slice(told.event.event_parts.items[1], "execution");
    assert_slice(told.event.correlation_id, "c-1");
    assert_int_equal(told.event.measurements.count, 4);
    assert_int_equal(measured("duration")->int_value, 5);
    assert_true(measured("share")->float_value == 0.5);
    assert_int_equal(measured("on")->int_value, 1);
    assert_slice(measured("as")->string_value, "x");
    assert_slice(text_of("tool"), "predict");
    assert_slice(text_of("n"), "{\"a\":[1]}");
    assert_slice(text_of("pool"), "text"); // that of the daemon
    assert_slice(text_of("worker"), "7");
    assert_slice(text_of("call"), "3");
    assert_null(text_of("session").data);
    assert_null(text_of("dropped").data);
    assert_null(text_of("name").data);
}

static void what_has_no_form_is_told_as_a_text(void **state)
{
    (void)state;
    sp_log(&log_of_test,
           worker_event,
           .pool = "text",
           .event = "odd..name.",
           .dropped = 12,
           .measurements = "\"too long for the log\"",
           .metadata = NULL);
    tell();
    assert_int_equal(told.event.event_parts.count, 4);
    assert_slice(told.event.event_parts.items[1], "");
    assert_slice(told.event.event_parts.items[3], "");
    assert_slice(text_of("measurements"), "too long for the log");
    assert_slice(text_of("dropped"), "12");
    assert_int_equal(told.event.measurements.count, 0);
}

static void an_event_that_was_cut_has_its_name_alone(void **state)
{
    (void)state;
    sp_log(&log_of_test, worker_event, .event = "cut", .measurements = "{\"a\":");
    tell();
    assert_slice(told.name, "worker.event");
    assert_int_equal(told.event.measurements.count, 0);
    assert_int_equal(told.event.metadata.count, 0);
}

static void memory_that_runs_out_is_told(void **state)
{
    snakepit_err err;
    int failed = -1;
    (void)state;
    sp_log(&log_of_test,
           worker_event,
           .event = "a.b",
           .measurements = "{\"n\":[1]}",
           .metadata = "{\"n\":[1]}");
    take();
    do {
        sp_scratch_fini(&scratch);
        snakepit_writer_free(writer);
        writer = snakepit_writer_new();
        sp_memory_fail_at(++failed + 1);
        err = sp_bridge_tell(event, writer, &scratch, &told);
        sp_memory_fail_at(0);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
    } while (err == SNAKEPIT_NO_MEMORY);
    assert_true(failed > 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_measured_and_texts_say_of_what),
        TEST(shares_are_reals_and_answers_are_texts),
        TEST(what_an_adapter_tells_is_told_as_its_own),
        TEST(what_has_no_form_is_told_as_a_text),
        TEST(an_event_that_was_cut_has_its_name_alone),
        TEST(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
