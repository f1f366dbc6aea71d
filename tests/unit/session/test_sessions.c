// SPDX-License-Identifier: MIT
#include "session/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "payload/writer.h"

#define TTL_MS 1000u
#define MOST   4u
#define QUOTA  2048u
#define MEMORY 4096u

static struct sp_sessions sessions;
static uint64_t now_ms;
static char ended[256]; // "name:reason " of each
static uint32_t end_count;
static uint32_t wakes;
static const char *busy;  // the session that has calls under way
static const char *again; // a session that whoever is told begins

static uint64_t fake_now(void)
{
    return now_ms * SP_NS_PER_MS;
}

static struct sp_slice slice(const char *text)
{
    return sp_slice_of_text(text);
}

static void note_ended(void *user, struct sp_slice session, snakepit_session_end reason)
{
    (void)user;
    size_t size = strlen(ended);
    if (size < 200) {
        (void)snprintf(ended + size,
                       sizeof ended - size,
                       "%.*s:%d ",
                       (int)session.size,
                       (const char *)session.data,
                       (int)reason);
    }
    end_count++;
    if (again != NULL) {
        const char *name = again;
        again = NULL;
        assert_int_equal(sp_sessions_use(&sessions, slice(name)), SNAKEPIT_OK);
    }
}

static bool is_busy(void *user, struct sp_slice session)
{
    (void)user;
    return busy != NULL && strlen(busy) == session.size &&
           memcmp(busy, session.data, session.size) == 0;
}

static void note_wake(void *user)
{
    (void)user;
    wakes++;
}

static int fresh(void **state)
{
    (void)state;
    const struct sp_sessions_options options = {
        .ttl_ms = TTL_MS,
        .most = MOST,
        .quota = QUOTA,
        .memory = MEMORY,
        .key = {{1, 2}},
        .now = fake_now,
    };
    const struct sp_sessions_hooks hooks = {
        .ended = note_ended, .busy = is_busy, .wake = note_wake};
    now_ms = 1;
    ended[0] = 0;
    end_count = 0;
    wakes = 0;
    busy = NULL;
    again = NULL;
    sp_sessions_init(&sessions, &options, &hooks);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_sessions_close(&sessions);
    assert_true(sessions.bytes == 0);
    sp_sessions_fini(&sessions);
    return 0;
}

static void use(const char *session)
{
    assert_int_equal(sp_sessions_use(&sessions, slice(session)), SNAKEPIT_OK);
}

static snakepit_err
try_put(const char *session, const char *key, const char *value, uint64_t ttl_ms)
{
    const struct sp_session_place place = {slice(session), slice(key)};
    return sp_sessions_put(&sessions, &place, slice(value), ttl_ms);
}

static void put(const char *session, const char *key, const char *value)
{
    assert_int_equal(try_put(session, key, value, 0), SNAKEPIT_OK);
}

static snakepit_err
put_bytes(const char *session, const char *key, size_t size, uint64_t ttl_ms)
{
    static const uint8_t bytes[2 * MEMORY];
    const struct sp_session_place place = {slice(session), slice(key)};
    return sp_sessions_put(&sessions, &place, (struct sp_slice){bytes, size}, ttl_ms);
}

static snakepit_err get(const char *session, const char *key, struct sp_buf *value)
{
    const struct sp_session_place place = {slice(session), slice(key)};
    return sp_sessions_get(&sessions, &place, value);
}

static void assert_holds(const char *session, const char *key, const char *value)
{
    struct sp_buf buf = {0};
    assert_int_equal(get(session, key, &buf), SNAKEPIT_OK);
    assert_int_equal(buf.size, strlen(value));
    assert_memory_equal(buf.data, value, buf.size);
    sp_buf_fini(&buf);
}

static void assert_holds_nothing(const char *session, const char *key)
{
    struct sp_buf buf = {0};
    assert_int_equal(get(session, key, &buf), SNAKEPIT_NOT_FOUND);
    assert_int_equal(buf.size, 0);
}

static snakepit_err delete_key(const char *session, const char *key)
{
    const struct sp_session_place place = {slice(session), slice(key)};
    return sp_sessions_delete(&sessions, &place);
}

static void assert_keys(const char *session, const char *expected, size_t size)
{
    snakepit_writer *keys = snakepit_writer_new();
    assert_int_equal(sp_sessions_list(&sessions, slice(session), keys), SNAKEPIT_OK);
    assert_int_equal(snakepit_writer_error(keys), SNAKEPIT_OK);
    assert_int_equal(keys->buf.size, size);
    assert_memory_equal(keys->buf.data, expected, size);
    snakepit_writer_free(keys);
}

// ---- Values -------------------------------------------------------------------

static void a_value_is_kept_under_its_session_and_key(void **state)
{
    (void)state;
    put("a", "x", "one");
    put("a", "y", "two");
    put("b", "x", "three");
    assert_holds("a", "x", "one");
    assert_holds("a", "y", "two");
    assert_holds("b", "x", "three");
    assert_holds_nothing("b", "y");
    assert_holds_nothing("c", "x");
    put("a", "x", "a longer one");
    assert_holds("a", "x", "a longer one");
}

static void keys_are_listed_oldest_first(void **state)
{
    (void)state;
    put("a", "x", "1");
    put("a", "yy", "2");
    put("a", "z", "3");
    assert_keys("a", "\x93\xa1x\xa2yy\xa1z", 8);
    put("a", "x", "4");
    assert_keys("a", "\x93\xa2yy\xa1z\xa1x", 8);
    use("b");
    assert_keys("b", "\x90", 1);
    snakepit_writer *keys = snakepit_writer_new();
    assert_int_equal(sp_sessions_list(&sessions, slice("c"), keys), SNAKEPIT_NOT_FOUND);
    assert_int_equal(keys->buf.size, 0);
    snakepit_writer_free(keys);
}

static void a_deleted_value_is_gone_and_its_room_is_free(void **state)
{
    (void)state;
    put("a", "x", "1");
    assert_int_equal(delete_key("a", "x"), SNAKEPIT_OK);
    assert_holds_nothing("a", "x");
    assert_int_equal(delete_key("a", "x"), SNAKEPIT_NOT_FOUND);
    assert_int_equal(delete_key("b", "x"), SNAKEPIT_NOT_FOUND);
    assert_true(sessions.bytes == 0);
}

static void a_value_may_live_shorter_than_its_session(void **state)
{
    (void)state;
    assert_int_equal(try_put("a", "x", "1", 100), SNAKEPIT_OK);
    put("a", "y", "2");
    now_ms += 99;
    assert_holds("a", "x", "1");
    now_ms += 1;
    assert_holds_nothing("a", "x");
    assert_keys("a", "\x91\xa1y", 3);
    assert_int_equal(try_put("a", "z", "1", 100), SNAKEPIT_OK);
    now_ms += 100;
    assert_keys("a", "\x91\xa1y", 3);
}

// ---- Limits -------------------------------------------------------------------

static void a_session_holds_its_quota_and_no_more(void **state)
{
    (void)state;
    size_t fits = QUOTA - SP_VALUE_COST - 1;
    assert_int_equal(put_bytes("a", "x", fits + 1, 0), SNAKEPIT_QUOTA_EXCEEDED);
    assert_int_equal(put_bytes("a", "x", fits, 0), SNAKEPIT_OK);
    assert_true(sessions.bytes == QUOTA);
    assert_int_equal(try_put("a", "y", "", 0), SNAKEPIT_QUOTA_EXCEEDED);
    assert_holds_nothing("a", "y");
    // What replaces it has its room.
    assert_int_equal(put_bytes("a", "x", fits, 0), SNAKEPIT_OK);
    put("a", "x", "small");
    put("a", "y", "");
    assert_holds("a", "y", "");
}

static void a_value_that_does_not_fit_leaves_the_old_one(void **state)
{
    (void)state;
    put("a", "x", "old");
    assert_int_equal(put_bytes("a", "x", QUOTA, 0), SNAKEPIT_QUOTA_EXCEEDED);
    assert_holds("a", "x", "old");
}

static void values_that_have_expired_make_room(void **state)
{
    (void)state;
    assert_int_equal(put_bytes("a", "x", QUOTA - SP_VALUE_COST - 1, 100), SNAKEPIT_OK);
    now_ms += 100;
    put("a", "y", "1");
    assert_true(sessions.bytes == SP_VALUE_COST + 2);
}

static void the_session_that_was_unused_longest_makes_room_for_bytes(void **state)
{
    (void)state;
    size_t fits = QUOTA - SP_VALUE_COST - 1;
    assert_int_equal(put_bytes("a", "x", fits, 0), SNAKEPIT_OK);
    assert_int_equal(put_bytes("b", "x", fits, 0), SNAKEPIT_OK);
    assert_int_equal(delete_key("a", "-"), SNAKEPIT_NOT_FOUND); // a use of it
    assert_int_equal(put_bytes("c", "x", fits, 0), SNAKEPIT_OK);
    assert_string_equal(ended, "b:2 ");
    assert_true(sessions.bytes == MEMORY);
}

static void a_session_is_not_ended_to_make_room_for_itself(void **state)
{
    (void)state;
    sessions.options.quota = 2 * MEMORY;
    put("a", "x", "old");
    put("b", "x", "other");
    assert_int_equal(put_bytes("a", "x", MEMORY, 0), SNAKEPIT_QUOTA_EXCEEDED);
    assert_int_equal(end_count, 0);
    assert_int_equal(put_bytes("a", "x", MEMORY - SP_VALUE_COST - 1, 0), SNAKEPIT_OK);
    assert_string_equal(ended, "b:2 ");
}

static void sessions_without_values_make_room_first(void **state)
{
    (void)state;
    put("a", "x", "1");
    use("b");
    put("c", "x", "1");
    use("d");
    use("e");
    assert_string_equal(ended, "b:2 ");
    use("f");
    use("g");
    assert_string_equal(ended, "b:2 d:2 e:2 ");
    put("f", "x", "1");
    put("g", "x", "1");
    use("h");
    assert_string_equal(ended, "b:2 d:2 e:2 a:2 ");
    assert_int_equal(sessions.names.count, MOST);
}

static void a_session_with_calls_under_way_is_not_thrown_out(void **state)
{
    (void)state;
    busy = "a";
    put("a", "x", "1");
    for (int i = 0; i < 100; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "%d", i);
        put(name, "x", "1");
    }
    assert_holds("a", "x", "1");
    assert_int_equal(sessions.names.count, MOST);
}

static void without_an_idle_session_there_is_no_room(void **state)
{
    (void)state;
    sessions.options.most = 1;
    busy = "a";
    put("a", "x", "1");
    assert_int_equal(sp_sessions_use(&sessions, slice("b")), SNAKEPIT_SATURATED);
    assert_int_equal(try_put("b", "x", "1", 0), SNAKEPIT_SATURATED);
    assert_int_equal(end_count, 0);
}

static void a_million_names_leave_memory_flat(void **state)
{
    (void)state;
    size_t room = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", i);
        if (i % 2 == 0) {
            use(name);
        } else {
            put(name, "key", "value");
        }
        assert_true(sessions.names.count <= MOST && sessions.bytes <= MEMORY);
        room = sessions.names.room > room ? sessions.names.room : room;
    }
    assert_int_equal(room, 16);
    assert_int_equal(end_count, 1000000 - MOST);
}

// ---- Ends ---------------------------------------------------------------------

static void a_session_that_is_not_used_expires(void **state)
{
    (void)state;
    put("a", "x", "1");
    use("b");
    now_ms += TTL_MS - 1;
    assert_true(sp_sessions_sweep(&sessions) == (now_ms + 1) * SP_NS_PER_MS);
    use("b");
    now_ms += 1;
    assert_true(sp_sessions_sweep(&sessions) == (now_ms - 1 + TTL_MS) * SP_NS_PER_MS);
    assert_string_equal(ended, "a:1 ");
    now_ms += TTL_MS;
    assert_true(sp_sessions_sweep(&sessions) == SP_NEVER);
    assert_string_equal(ended, "a:1 b:1 ");
}

static void a_session_that_has_expired_is_not_found_before_the_sweep(void **state)
{
    (void)state;
    put("a", "x", "1");
    now_ms += TTL_MS;
    assert_holds_nothing("a", "x");
    assert_string_equal(ended, "a:1 ");
    put("b", "x", "1");
    now_ms += TTL_MS;
    put("b", "y", "2");
    assert_holds_nothing("b", "x");
    assert_string_equal(ended, "a:1 b:1 ");
}

static void a_session_does_not_expire_while_calls_are_under_way(void **state)
{
    (void)state;
    busy = "a";
    put("a", "x", "1");
    now_ms += 5 * TTL_MS;
    assert_holds("a", "x", "1");
    now_ms += 5 * TTL_MS;
    assert_true(sp_sessions_sweep(&sessions) == (now_ms + TTL_MS) * SP_NS_PER_MS);
    busy = NULL;
    now_ms += TTL_MS - 1;
    (void)sp_sessions_sweep(&sessions);
    assert_holds("a", "x", "1");
    now_ms += TTL_MS;
    (void)sp_sessions_sweep(&sessions);
    assert_string_equal(ended, "a:1 ");
}

static void sessions_live_for_ever_if_they_may(void **state)
{
    (void)state;
    sessions.options.ttl_ms = 0;
    put("a", "x", "1");
    now_ms += UINT64_C(1) << 40;
    assert_true(sp_sessions_sweep(&sessions) == SP_NEVER);
    assert_holds("a", "x", "1");
    assert_int_equal(wakes, 0);
}

static void a_closed_session_is_gone(void **state)
{
    (void)state;
    put("a", "x", "1");
    assert_int_equal(sp_sessions_end(&sessions, slice("a")), SNAKEPIT_OK);
    assert_string_equal(ended, "a:0 ");
    assert_holds_nothing("a", "x");
    assert_int_equal(sp_sessions_end(&sessions, slice("a")), SNAKEPIT_NOT_FOUND);
    put("a", "x", "2");
    assert_holds("a", "x", "2");
}

static void closing_ends_all_and_refuses_the_rest(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    put("a", "x", "1");
    use("b");
    sp_sessions_close(&sessions);
    assert_string_equal(ended, "b:3 a:3 ");
    assert_int_equal(get("a", "x", &buf), SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(try_put("a", "x", "1", 0), SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(delete_key("a", "x"), SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(sp_sessions_use(&sessions, slice("a")), SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(sp_sessions_end(&sessions, slice("a")), SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(end_count, 2);
}

static void whoever_is_told_may_use_sessions(void **state)
{
    (void)state;
    put("a", "x", "1");
    again = "b";
    assert_int_equal(sp_sessions_end(&sessions, slice("a")), SNAKEPIT_OK);
    assert_int_equal(sessions.names.count, 1);
    use("c");
    now_ms += TTL_MS;
    again = "d";
    assert_true(sp_sessions_sweep(&sessions) == SP_NEVER);
    assert_string_equal(ended, "a:0 b:1 c:1 ");
    // The sweep did not know of it; so it is asked for again.
    assert_int_equal(wakes, 2);
    assert_true(sp_sessions_sweep(&sessions) == (now_ms + TTL_MS) * SP_NS_PER_MS);
}

static void a_sweep_is_asked_for_once_while_there_are_sessions(void **state)
{
    (void)state;
    use("a");
    use("b");
    put("c", "x", "1");
    assert_int_equal(wakes, 1);
    now_ms += TTL_MS;
    assert_true(sp_sessions_sweep(&sessions) == SP_NEVER);
    use("a");
    assert_int_equal(wakes, 2);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    long n = 1;
    snakepit_err err;
    do {
        sp_memory_fail_at(n++);
        err = try_put("a", "x", "1", 0);
        bool failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        if (failed) {
            assert_holds_nothing("a", "x");
            assert_true(sessions.bytes == 0);
        }
    } while (err != SNAKEPIT_OK);
    assert_true(n > 4);
    struct sp_buf buf = {0};
    sp_memory_fail_at(1);
    assert_int_equal(get("a", "x", &buf), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    assert_holds("a", "x", "1");
}

// ---- Threads ------------------------------------------------------------------

#define THREADS 4
#define TURNS   3000

static void *put_and_get(void *argument)
{
    const char *own = argument;
    for (int i = 0; i < TURNS; i++) {
        struct sp_buf buf = {0};
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        (void)try_put("shared", own, text, 0);
        if (get("shared", own, &buf) == SNAKEPIT_OK &&
            (buf.size != strlen(text) || memcmp(buf.data, text, buf.size) != 0)) {
            sp_buf_fini(&buf);
            return argument;
        }
        sp_buf_fini(&buf);
        if (i % 100 == 0) {
            (void)sp_sessions_end(&sessions, slice("shared"));
            (void)sp_sessions_sweep(&sessions);
        }
    }
    return NULL;
}

static void count_end(void *user, struct sp_slice session, snakepit_session_end reason)
{
    (void)session;
    (void)reason;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void threads_share_a_session(void **state)
{
    (void)state;
    static char keys[THREADS][2] = {"a", "b", "c", "d"};
    static _Atomic uint32_t ends;
    pthread_t threads[THREADS];
    sessions.hooks.ended = count_end;
    sessions.hooks.user = &ends;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_get, keys[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_true(atomic_load(&ends) > 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_value_is_kept_under_its_session_and_key),
        test(keys_are_listed_oldest_first),
        test(a_deleted_value_is_gone_and_its_room_is_free),
        test(a_value_may_live_shorter_than_its_session),
        test(a_session_holds_its_quota_and_no_more),
        test(a_value_that_does_not_fit_leaves_the_old_one),
        test(values_that_have_expired_make_room),
        test(the_session_that_was_unused_longest_makes_room_for_bytes),
        test(a_session_is_not_ended_to_make_room_for_itself),
        test(sessions_without_values_make_room_first),
        test(a_session_with_calls_under_way_is_not_thrown_out),
        test(without_an_idle_session_there_is_no_room),
        test(a_million_names_leave_memory_flat),
        test(a_session_that_is_not_used_expires),
        test(a_session_that_has_expired_is_not_found_before_the_sweep),
        test(a_session_does_not_expire_while_calls_are_under_way),
        test(sessions_live_for_ever_if_they_may),
        test(a_closed_session_is_gone),
        test(closing_ends_all_and_refuses_the_rest),
        test(whoever_is_told_may_use_sessions),
        test(a_sweep_is_asked_for_once_while_there_are_sessions),
        test(without_memory_nothing_changes),
        test(threads_share_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
