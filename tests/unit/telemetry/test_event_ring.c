// SPDX-License-Identifier: MIT
#include "telemetry/event_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct sp_event_ring *ring;
static struct sp_log log_of_test;
static const char *hidden; // a pool that the client may not see
static bool sees_daemon;

static int open_ring(void **state)
{
    (void)state;
    ring = sp_event_ring_new();
    assert_non_null(ring);
    log_of_test = (struct sp_log){.write = sp_event_ring_hear, .user = ring};
    hidden = "";
    sees_daemon = true;
    return 0;
}

static int close_ring(void **state)
{
    (void)state;
    sp_event_ring_free(ring);
    return 0;
}

static bool may_see(const void *user, const char *pool)
{
    assert_null(user);
    return pool == NULL ? sees_daemon : strcmp(pool, hidden) != 0;
}

static void tell(const char *pool, uint64_t worker)
{
    sp_log(&log_of_test, worker_started, .pool = pool, .worker = worker);
}

// Takes the next event; its JSON, "" where there is none.
static const char *next(struct sp_event_filter filter, uint64_t *from, uint64_t *lost)
{
    static char json[4096];
    filter.may_see = may_see;
    struct sp_kept_event *event = sp_event_ring_take(ring, &filter, from, lost);
    json[0] = '\0';
    if (event != NULL) {
        assert_int_equal(event->number, *from - 1);
        assert_int_equal(event->json_size, strlen(event->json));
        (void)snprintf(json, sizeof json, "%s", event->json);
        sp_kept_event_give_back(event);
    }
    return json;
}

// How many events the filter shows.
static size_t count(struct sp_event_filter filter)
{
    uint64_t from = 1;
    uint64_t lost;
    size_t shown = 0;
    while (next(filter, &from, &lost)[0] != '\0') {
        shown++;
    }
    return shown;
}

static const struct sp_event_filter every;

static void an_event_is_taken_with_its_number_and_its_fields(void **state)
{
    (void)state;
    uint64_t from = 1;
    uint64_t lost = 9;
    tell("text", 7);
    sp_log(&log_of_test, serve_stopped, .pid = 3);
    const struct sp_event_filter filter = {.may_see = may_see};
    struct sp_kept_event *event = sp_event_ring_take(ring, &filter, &from, &lost);
    assert_string_equal(event->kind->name, "worker.started");
    assert_string_equal(event->pool, "text");
    assert_int_equal(event->level, SP_LOG_INFO);
    assert_int_equal(event->number, 1);
    assert_true(event->time_ns > 1000000000);
    assert_non_null(
        strstr(event->json, "\"event\":\"worker.started\",\"pool\":\"text\","));
    assert_non_null(strstr(event->json, "\"worker\":7,"));
    assert_int_equal(lost, 0);
    sp_kept_event_give_back(event);
    event = sp_event_ring_take(ring, &filter, &from, &lost);
    assert_null(event->pool);
    sp_kept_event_give_back(event);
    assert_int_equal(from, 3);
    assert_int_equal(from, sp_event_ring_next(ring));
    assert_string_equal(next(every, &from, &lost), "");
    assert_int_equal(from, 3);
}

static void an_event_outlives_its_ring(void **state)
{
    (void)state;
    uint64_t from = 1;
    uint64_t lost;
    const struct sp_event_filter filter = {.may_see = may_see};
    tell("text", 7);
    struct sp_kept_event *event = sp_event_ring_take(ring, &filter, &from, &lost);
    sp_event_ring_free(ring);
    ring = NULL;
    assert_non_null(strstr(event->json, "\"worker\":7,"));
    sp_kept_event_give_back(event);
}

static void a_filter_leaves_out(void **state)
{
    (void)state;
    tell("text", 1);
    tell("image", 2);
    sp_log(&log_of_test, pool_failed, .pool = "text", .because = "why");
    sp_log(&log_of_test, serve_stopped, .pid = 3);
    assert_int_equal(count(every), 4);
    const struct sp_slice text = sp_slice_of_text("text");
    assert_int_equal(count((struct sp_event_filter){.pool = text}), 2);
    const struct sp_slice part = sp_slice_of_text("tex");
    assert_int_equal(count((struct sp_event_filter){.pool = part}), 0);
    assert_int_equal(count((struct sp_event_filter){.level = SP_LOG_ERROR}), 1);
    const struct sp_slice workers = sp_slice_of_text("worker.");
    assert_int_equal(count((struct sp_event_filter){.prefix = workers}), 2);
}

static void what_a_client_may_not_see_is_not_shown(void **state)
{
    (void)state;
    uint64_t from = 1;
    uint64_t lost;
    sp_log(&log_of_test, serve_stopped, .pid = 3);
    tell("image", 2);
    tell("text", 1);
    hidden = "image";
    sees_daemon = false;
    assert_non_null(strstr(next(every, &from, &lost), "\"pool\":\"text\""));
    assert_int_equal(lost, 0);
    assert_string_equal(next(every, &from, &lost), "");
}

static void what_has_gone_is_counted(void **state)
{
    (void)state;
    uint64_t from = 1;
    uint64_t lost;
    for (uint64_t i = 1; i <= SP_EVENTS_KEPT + 5; i++) {
        tell("text", i);
    }
    assert_non_null(strstr(next(every, &from, &lost), "\"worker\":6,"));
    assert_int_equal(lost, 5);
    assert_non_null(strstr(next(every, &from, &lost), "\"worker\":7,"));
    assert_int_equal(lost, 0);
}

static void long_events_leave_less_room(void **state)
{
    (void)state;
    static char text[3000];
    uint64_t from = 1;
    uint64_t lost;
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 1000; i++) {
        sp_log(&log_of_test, pool_failed, .pool = "text", .because = text);
    }
    (void)next(every, &from, &lost);
    assert_true(lost > 500 && lost < 1000);
}

static void an_event_without_memory_is_lost(void **state)
{
    (void)state;
    uint64_t from = 1;
    uint64_t lost;
    sp_memory_fail_at(1);
    tell("text", 1);
    sp_memory_fail_at(0);
    tell("text", 2);
    assert_non_null(strstr(next(every, &from, &lost), "\"worker\":2,"));
    assert_int_equal(lost, 1);
    sp_memory_fail_at(1);
    tell("text", 3);
    sp_memory_fail_at(0);
    assert_string_equal(next(every, &from, &lost), "");
    assert_int_equal(lost, 1);
    sp_memory_fail_at(1);
    assert_null(sp_event_ring_new());
    sp_memory_fail_at(0);
    sp_event_ring_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_taken_with_its_number_and_its_fields),
        TEST(an_event_outlives_its_ring),
        TEST(a_filter_leaves_out),
        TEST(what_a_client_may_not_see_is_not_shown),
        TEST(what_has_gone_is_counted),
        TEST(long_events_leave_less_room),
        TEST(an_event_without_memory_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
