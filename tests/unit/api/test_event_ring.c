// SPDX-License-Identifier: MIT
#include "api/event_ring.h"

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

// What the client is sent, as one text.
static const char *taken(struct sp_event_filter filter, uint64_t *from, size_t most)
{
    static char text[65536];
    struct sp_buf out = {0};
    filter.may_see = may_see;
    assert_int_equal(sp_event_ring_take(ring, &filter, most, from, &out), SNAKEPIT_OK);
    assert_true(out.size < sizeof text);
    (void)snprintf(text, sizeof text, "%.*s", (int)out.size, (const char *)out.data);
    sp_buf_fini(&out);
    return text;
}

static const char *all(struct sp_event_filter filter)
{
    uint64_t from = 1;
    return taken(filter, &from, 65536);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void an_event_has_its_number_and_its_fields(void **state)
{
    (void)state;
    uint64_t from = 1;
    char id[64];
    tell("text", 7);
    tell("text", 8);
    (void)snprintf(id,
                   sizeof id,
                   "id: %llx.1\ndata: {\"time\":",
                   (unsigned long long)sp_event_ring_mark(ring));
    const char *text = taken((struct sp_event_filter){0}, &from, 65536);
    assert_memory_equal(text, id, strlen(id));
    assert_non_null(strstr(text, "\"event\":\"worker.started\",\"pool\":\"text\","));
    assert_non_null(strstr(text, "\"worker\":7,"));
    assert_int_equal(count_of(text, "\n\n"), 2);
    assert_int_equal(from, 3);
    assert_int_equal(from, sp_event_ring_next(ring));
    assert_string_equal(taken((struct sp_event_filter){0}, &from, 65536), "");
}

static void a_filter_leaves_out(void **state)
{
    (void)state;
    tell("text", 1);
    tell("image", 2);
    sp_log(&log_of_test, pool_failed, .pool = "text", .because = "why");
    sp_log(&log_of_test, serve_stopped, .pid = 3);
    assert_int_equal(count_of(all((struct sp_event_filter){0}), "data: "), 4);
    const struct sp_slice text = sp_slice_of_text("text");
    assert_int_equal(count_of(all((struct sp_event_filter){.pool = text}), "data: "),
                     2);
    const struct sp_event_filter errors = {.level = SP_LOG_ERROR};
    assert_int_equal(count_of(all(errors), "data: "), 1);
    const struct sp_event_filter named = {.prefix = sp_slice_of_text("worker.")};
    assert_int_equal(count_of(all(named), "data: "), 2);
}

static void what_a_client_may_not_see_is_not_shown(void **state)
{
    (void)state;
    tell("text", 1);
    tell("image", 2);
    sp_log(&log_of_test, serve_stopped, .pid = 3);
    hidden = "image";
    sees_daemon = false;
    const char *text = all((struct sp_event_filter){0});
    assert_int_equal(count_of(text, "data: "), 1);
    assert_non_null(strstr(text, "\"pool\":\"text\""));
}

static void what_has_gone_is_counted(void **state)
{
    (void)state;
    uint64_t from = 1;
    for (uint64_t i = 1; i <= SP_EVENTS_KEPT + 5; i++) {
        tell("text", i);
    }
    const char *text = taken((struct sp_event_filter){0}, &from, 1);
    assert_memory_equal(text, "event: lost\ndata: {\"lost\":5}\n\n", 30);
    assert_int_equal(from, 6); // no more than was asked for
    text = taken((struct sp_event_filter){0}, &from, 1);
    assert_non_null(strstr(text, "\"worker\":6,"));
    assert_int_equal(from, 7);
}

static void long_events_leave_less_room(void **state)
{
    (void)state;
    static char text[3000];
    uint64_t from = 1;
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 1000; i++) {
        sp_log(&log_of_test, pool_failed, .pool = "text", .because = text);
    }
    (void)taken((struct sp_event_filter){0}, &from, 1);
    assert_true(from > 500 && from < 1000);
}

static void an_event_without_memory_is_lost(void **state)
{
    (void)state;
    uint64_t from = 1;
    sp_memory_fail_at(1);
    tell("text", 1);
    sp_memory_fail_at(0);
    tell("text", 2);
    const char *text = taken((struct sp_event_filter){0}, &from, 65536);
    assert_memory_equal(text, "event: lost\ndata: {\"lost\":1}\n\n", 30);
    assert_non_null(strstr(text, "\"worker\":2,"));
    sp_memory_fail_at(1);
    assert_null(sp_event_ring_new());
    sp_memory_fail_at(0);
    sp_event_ring_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)
    const struct CMUnitTest tests[] = {
        TEST(an_event_has_its_number_and_its_fields),
        TEST(a_filter_leaves_out),
        TEST(what_a_client_may_not_see_is_not_shown),
        TEST(what_has_gone_is_counted),
        TEST(long_events_leave_less_room),
        TEST(an_event_without_memory_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
