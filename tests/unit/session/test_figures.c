// SPDX-License-Identifier: MIT
// sp_sessions_figures() of session/sessions.h.
#include "session/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define TTL_MS 1000u
#define MOST   4u
#define QUOTA  2048u
#define MEMORY 4096u

static struct sp_sessions sessions;
static uint64_t now_ms = 1;
static uint32_t end_count;

static uint64_t fake_now(void)
{
    return now_ms * SP_NS_PER_MS;
}

static void note_ended(void *user, struct sp_slice session, snakepit_session_end reason)
{
    (void)user;
    (void)session;
    (void)reason;
    end_count++;
}

static bool is_busy(void *user, struct sp_slice session)
{
    (void)user;
    (void)session;
    return false;
}

static void note_wake(void *user)
{
    (void)user;
}

static int fresh(void **state)
{
    (void)state;
    const struct sp_sessions_options options = {.ttl_ms = TTL_MS,
                                                .most = MOST,
                                                .quota = QUOTA,
                                                .memory = MEMORY,
                                                .key = {{1, 2}},
                                                .now = fake_now};
    const struct sp_sessions_hooks hooks = {
        .ended = note_ended, .busy = is_busy, .wake = note_wake};
    end_count = 0;
    sp_sessions_init(&sessions, &options, &hooks);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_sessions_close(&sessions);
    assert_true(sessions.values == 0);
    sp_sessions_fini(&sessions);
    return 0;
}

static struct sp_slice slice(const char *text)
{
    return sp_slice_of_text(text);
}

static void use(const char *session)
{
    assert_int_equal(sp_sessions_use(&sessions, slice(session)), SNAKEPIT_OK);
}

static void put(const char *session, const char *key, const char *value)
{
    const struct sp_session_place place = {slice(session), slice(key)};
    assert_int_equal(sp_sessions_put(&sessions, &place, slice(value), 0), SNAKEPIT_OK);
}

static snakepit_err put_bytes(const char *session, const char *key, size_t size)
{
    static const uint8_t bytes[MEMORY];
    const struct sp_session_place place = {slice(session), slice(key)};
    return sp_sessions_put(&sessions, &place, (struct sp_slice){bytes, size}, 0);
}

static struct sp_session_figures figures(void)
{
    struct sp_session_figures now;
    memset(&now, 0xff, sizeof now);
    sp_sessions_figures(&sessions, &now);
    return now;
}

static void values_are_counted_while_they_are_kept(void **state)
{
    const struct sp_session_place first = {slice("a"), slice("x")};
    (void)state;
    put("a", "x", "1");
    put("a", "y", "22");
    put("b", "x", "1");
    put("b", "x", "333"); // in its place
    use("c");
    assert_int_equal(figures().open, 3);
    assert_int_equal(figures().values, 3);
    assert_int_equal(figures().bytes, 3 * SP_VALUE_COST + 3 + 1 + 2 + 3);
    assert_int_equal(sp_sessions_delete(&sessions, &first), SNAKEPIT_OK);
    assert_int_equal(figures().values, 2);
    assert_int_equal(put_bytes("b", "z", QUOTA), SNAKEPIT_QUOTA_EXCEEDED);
    assert_int_equal(figures().values, 2);
    assert_int_equal(sp_sessions_end(&sessions, slice("a")), SNAKEPIT_OK);
    assert_int_equal(figures().open, 2);
    assert_int_equal(figures().values, 1);
    assert_int_equal(figures().bytes, SP_VALUE_COST + 4);
}

static void each_end_is_counted_with_what_has_ended_it(void **state)
{
    const size_t fits = QUOTA - SP_VALUE_COST - 1;
    (void)state;
    use("by hand");
    assert_int_equal(sp_sessions_end(&sessions, slice("by hand")), SNAKEPIT_OK);
    assert_int_equal(sp_sessions_end(&sessions, slice("by hand")), SNAKEPIT_NOT_FOUND);
    for (char name[] = "a"; name[0] < 'a' + (char)MOST + 2; name[0]++) {
        use(name); // the last two need room
    }
    now_ms += TTL_MS;
    (void)sp_sessions_sweep(&sessions);
    assert_int_equal(put_bytes("a", "x", fits), SNAKEPIT_OK);
    assert_int_equal(put_bytes("b", "x", fits), SNAKEPIT_OK);
    assert_int_equal(put_bytes("c", "x", fits), SNAKEPIT_OK);
    now_ms += TTL_MS;
    use("b"); // which has expired, and begins anew
    assert_int_equal(figures().ended[SP_SESSION_OVER_CLOSED], 1);
    assert_int_equal(figures().ended[SP_SESSION_OVER_ROOM], 2);
    assert_int_equal(figures().ended[SP_SESSION_OVER_MEMORY], 1);
    assert_int_equal(figures().ended[SP_SESSION_OVER_EXPIRED], MOST + 1);
    assert_int_equal(end_count, 1 + 2 + 1 + MOST + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            values_are_counted_while_they_are_kept, fresh, end),
        cmocka_unit_test_setup_teardown(
            each_end_is_counted_with_what_has_ended_it, fresh, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
