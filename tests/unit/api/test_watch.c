// SPDX-License-Identifier: MIT
// Those who watch, against a pit whose worker lives in the test.
#include "scene.h"

#include <stdlib.h>

#include "api/feed.h"
#include "api/inside.h"
#include "base/clock.h"

static bool seen(const char *part)
{
    return strstr(fake_body(&fake), part) != NULL;
}

static size_t count_of(const char *part)
{
    size_t count = 0;
    const char *at = fake_body(&fake);
    while ((at = strstr(at, part)) != NULL) {
        count++;
        at += strlen(part);
    }
    return count;
}

// Until the client was sent `part` so many times.
static void await(const char *part, size_t times)
{
    const uint64_t until = sp_clock_now() + 20 * SP_NS_PER_S;
    while (count_of(part) < times) {
        assert_true(sp_clock_now() < until);
        fake_daemon_run(&server, NULL);
    }
}

static void watch(const char *line)
{
    fake_request(&fake, &server, line, NULL);
    fake_handle_only(&fake);
}

// A request beside the one that watches.
static void ask_other(const char *line)
{
    static struct fake_exchange other;
    fake_request(&other, &server, line, "{}");
    fake_handle(&other, &server);
    fake_free(&other);
    other = (struct fake_exchange){.room = 0};
}

static void call_echo(void)
{
    snakepit_answer *answer;
    assert_int_equal(snakepit_call(pit, "echo", NULL, NULL, &answer), SNAKEPIT_OK);
    snakepit_answer_free(answer);
}

static void forget_body(void)
{
    fake.body.size = 0;
}

static void a_snapshot_has_pools_and_workers(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: delta", 1);
    assert_int_equal(fake.status, 200);
    assert_string_equal(fake.type, "text/event-stream");
    assert_int_equal(strncmp(fake_body(&fake), "event: snapshot\ndata: {", 23), 0);
    assert_int_equal(count_of("event: snapshot"), 1);
    assert_true(seen("\"pools\":[{\"name\":\"default\","));
    assert_true(seen("\"line_seconds\":{\"p50\":null,\"p99\":null}"));
    assert_true(seen("\"workers\":[{\"pool\":\"default\",\"id\":1,"));
    assert_true(seen("\"version\":\"" SNAKEPIT_VERSION "\""));
    fake_leave(&fake);
}

static void a_delta_without_news_has_the_time_alone(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: delta", 2);
    const char *delta = strstr(fake_body(&fake), "event: delta");
    delta = strstr(delta + 1, "event: delta");
    assert_null(strstr(delta, "\"pools\""));
    assert_null(strstr(delta, "\"workers\""));
    assert_null(strstr(delta, "\"gone\""));
    assert_non_null(strstr(delta, "\"uptime_ms\":"));
    fake_leave(&fake);
}

static bool has_quantile(void)
{
    static const char part[] = "\"run_seconds\":{\"p50\":";
    const char *at = fake_body(&fake);
    while ((at = strstr(at, part)) != NULL) {
        at += sizeof part - 1;
        if (*at != 'n') {
            return true;
        }
    }
    return false;
}

static void a_delta_has_the_rows_that_have_changed(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: snapshot", 1);
    forget_body();
    call_echo();
    await("\"calls\":1,", 1);
    for (size_t i = 2; !has_quantile(); i++) {
        await("event: delta", i);
    }
    assert_false(seen("event: snapshot"));
    fake_leave(&fake);
}

static void calls_that_have_ended_are_told_once(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: delta", 1);
    forget_body();
    ask_other("POST /v1/pools/default/tools/fault");
    await("\"outcome\":\"TOOL_FAILED\"", 1);
    assert_true(seen("\"calls\":[{\"call\":"));
    assert_true(seen("\"tool\":\"fault\",\"worker\":1,\"executor\":0,"));
    assert_true(seen("\"error\":\"ValueError: no\""));
    assert_false(seen("calls_left_out"));
    const size_t events = count_of("event: delta");
    await("event: delta", events + 3);
    assert_int_equal(count_of("\"outcome\""), 1);
    fake_leave(&fake);
}

static void tools_are_told_when_calls_of_theirs_have_ended(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: snapshot", 1);
    assert_false(seen("\"tools\":["));
    ask_other("POST /v1/pools/default/tools/fault");
    call_echo();
    await("{\"pool\":\"default\",\"tool\":\"fault\",\"calls\":1,\"failures\":1,", 1);
    await("{\"pool\":\"default\",\"tool\":\"echo\",\"calls\":1,\"failures\":0,", 1);
    const size_t told = count_of("\"failures\":0,\"ran\":");
    const size_t events = count_of("event: delta");
    await("event: delta", events + 2);
    assert_int_equal(count_of("\"failures\":0,\"ran\":"), told);
    fake_leave(&fake);
}

static void of_many_calls_the_newest_are_told(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: delta", 1);
    forget_body();
    for (int i = 0; i < 1200; i++) {
        call_echo();
    }
    await("\"calls\":1200,", 1);
    fake_daemon_run(&server, NULL);
    const size_t told = count_of("\"outcome\":\"OK\"");
    const char *left = strstr(fake_body(&fake), "\"calls_left_out\":");
    size_t left_out = left == NULL ? 0 : strtoul(left + 17, NULL, 10);
    assert_int_equal(told + left_out, 1200);
    fake_leave(&fake);
}

static void a_client_without_room_is_sent_what_has_changed_meanwhile(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: snapshot", 1);
    forget_body();
    fake.room = 0;
    const unsigned sends = fake.sends;
    const struct sp_feed *looks = &((struct sp_api *)server.options.user)->feed;
    call_echo();
    const uint64_t until = sp_clock_now() + 300 * SP_NS_PER_MS;
    while (sp_clock_now() < until) {
        fake_daemon_run(&server, NULL);
    }
    assert_int_equal(fake.sends, sends);
    assert_true(looks->look > 0);
    fake.room = SIZE_MAX;
    await("\"calls\":1,", 1);
    assert_false(seen("event: snapshot"));
    fake_leave(&fake);
}

static void two_that_watch_share_what_is_written(void **state)
{
    (void)state;
    static struct fake_exchange other;
    struct sp_feed *looks = &((struct sp_api *)server.options.user)->feed;
    fake_request(&other, &server, "GET /v1/watch?interval_ms=100", NULL);
    watch("GET /v1/watch?interval_ms=100");
    fake_handle_only(&other);
    await("event: delta", 3);
    assert_int_equal(looks->watchers, 2);
    // On a busy machine they may ask too far apart, now and then.
    bool shared = false;
    for (int i = 0; i < 100 && !shared; i++) {
        const unsigned sends = fake.sends;
        const unsigned others = other.sends;
        while (fake.sends == sends || other.sends == others) {
            fake_daemon_run(&server, NULL);
        }
        shared = looks->frame_count == 1 && fake.sends == sends + 1 &&
                 other.sends == others + 1;
    }
    assert_true(shared);
    fake_leave(&other);
    fake_leave(&fake);
    assert_int_equal(looks->watchers, 0);
    assert_int_equal(looks->pool_count, 0);
    fake_free(&other);
}

static void an_interval_has_its_limits(void **state)
{
    (void)state;
    ask("GET /v1/watch?interval_ms=99", NULL);
    assert_holds(400, "100 to 10000");
    ask("GET /v1/watch?interval_ms=10001", NULL);
    assert_holds(400, "100 to 10000");
    ask("HEAD /v1/watch", NULL);
    assert_answer(200, "");
}

static void a_daemon_that_drains_ends_it(void **state)
{
    (void)state;
    watch("GET /v1/watch?interval_ms=100");
    await("event: snapshot", 1);
    server.loop.draining = true;
    fake_daemon_run(&server, &fake.ended);
    assert_false(fake.failed);
}

// ---- What has gone, without a daemon
// -------------------------------------------------

static enum sp_feed_seen sees_all(const void *user, const char *pool)
{
    (void)user;
    (void)pool;
    return SP_FEED_SESSIONS;
}

static void note_gone_workers(struct sp_feed *looks, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        looks->gone[looks->gone_count++ % SP_FEED_GONE] =
            (struct sp_feed_gone){looks->look, 0, 1000 + i};
    }
}

static void
assert_tells(struct sp_feed *looks, uint64_t after, const char *event, bool gone)
{
    struct sp_buf chosen = {0};
    looks->frame_count = 0;
    assert_int_equal(sp_feed_choose(looks, sees_all, NULL, &chosen), SNAKEPIT_OK);
    const struct sp_feed_place place = {.look = after};
    struct sp_feed_place next;
    const struct sp_slice told = sp_feed_tell(looks, &place, &chosen, &next);
    assert_int_equal(next.look, looks->look);
    assert_true(told.size > strlen(event));
    assert_memory_equal(told.data, event, strlen(event));
    const bool has =
        memmem(told.data, told.size, "\"gone\":{\"workers\":[", 19) != NULL;
    assert_int_equal(has, gone);
    sp_buf_fini(&chosen);
}

static void what_is_gone_is_told_until_it_is_forgotten(void **state)
{
    (void)state;
    struct sp_feed *looks = &((struct sp_api *)server.options.user)->feed;
    sp_feed_join(looks);
    assert_int_equal(sp_feed_look(looks), SNAKEPIT_OK);
    const uint64_t before = looks->look++;
    note_gone_workers(looks, 3);
    assert_tells(looks, before, "event: delta\n", true);
    assert_tells(looks, looks->look, "event: delta\n", false);
    assert_tells(looks, 0, "event: snapshot\n", false);
    note_gone_workers(looks, SP_FEED_GONE);
    assert_tells(looks, before, "event: snapshot\n", false);
    sp_feed_leave(looks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_snapshot_has_pools_and_workers),
        test(a_delta_without_news_has_the_time_alone),
        test(a_delta_has_the_rows_that_have_changed),
        test(calls_that_have_ended_are_told_once),
        test(tools_are_told_when_calls_of_theirs_have_ended),
        test(of_many_calls_the_newest_are_told),
        test(a_client_without_room_is_sent_what_has_changed_meanwhile),
        test(two_that_watch_share_what_is_written),
        test(an_interval_has_its_limits),
        test(a_daemon_that_drains_ends_it),
        test(what_is_gone_is_told_until_it_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
