// SPDX-License-Identifier: MIT
// How a connection of HTTP/2 ends.
#include "http2_client.h"

#define OK_TEXT ":status: 200\ncontent-type: text/plain\n"

static void who_goes_gives_up_its_calls(void **state)
{
    (void)state;
    begin(KEEP);
    ask("GET", "/", "", NULL);
    fake_ends();
    assert_int_equal(seen.gone, 1);
    assert_true(fake.connection.lost);
    end();
    assert_int_equal(seen.gone, 1);
    begin(KEEP);
    ask("GET", "/", "", NULL);
    end();
    assert_int_equal(seen.gone, 1);
    begin(ECHO);
    ask("GET", "/", "", NULL);
    fake_ends();
    assert_false(fake.connection.lost);
    end();
}

static void a_drain_says_which_stream_was_the_last(void **state)
{
    (void)state;
    begin(KEEP);
    int32_t id = ask("GET", "/1", "", NULL);
    struct sp_exchange *kept = seen.kept;
    assert_false(sp_http2.drain(&fake.connection));
    // One that was on its way.
    int32_t other =
        submit_fields(":method: GET\n:scheme: http\n:authority: h\n:path: /2\n", NULL);
    const uint8_t *data;
    ssize_t size = nghttp2_session_mem_send(client.session, &data);
    fake_sends_bytes((const char *)data, (size_t)size, (size_t)size);
    assert_int_equal(seen.calls, 2);
    exchange_frames();
    assert_int_equal(client.goaways, 2);
    assert_int_equal(client.last_id, other);
    assert_false(fake_is_closed());
    reply_kept("two");
    exchange_frames();
    check_answer(other, OK_TEXT "content-length: 3\n", "two");
    seen.kept = kept;
    reply_kept("one");
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 3\n", "one");
    assert_true(fake.connection.closing);
    end();
}

static void an_idle_connection_drains_until_its_client_goes(void **state)
{
    (void)state;
    begin(KEEP);
    assert_false(sp_http2.drain(&fake.connection));
    fake_turn();
    assert_int_equal(fake.connection.waits_for, SP_WAIT_END);
    exchange_frames();
    assert_int_equal(client.goaways, 1);
    assert_int_equal(client.last_id, INT32_MAX);
    fake_ends();
    assert_false(fake.connection.lost);
    end();
}

static void an_idle_connection_is_told_that_it_ends(void **state)
{
    (void)state;
    begin(ECHO);
    ask("GET", "/", "", NULL);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_REQUEST);
    fake_is_late();
    exchange_frames();
    assert_int_equal(client.goaways, 1);
    assert_int_equal(client.goaway_code, NGHTTP2_NO_ERROR);
    end();
}

static void an_old_connection_takes_no_more_requests(void **state)
{
    (void)state;
    begin(ECHO);
    assert_int_equal(server()->leaves_at, 0);
    server()->leaves_at = 1;
    int32_t id = ask("GET", "/", "", NULL);
    assert_int_equal(answer_of(id)->code, NGHTTP2_NO_ERROR);
    assert_true(server()->left);
    assert_true(fake.connection.closing);
    end();
}

// With the nth allocation failing nothing is lost or told twice.
static void a_lack_of_memory_ends_a_stream_or_the_connection(void **state)
{
    (void)state;
    static char bytes[5000];
    bool failed = true;
    for (long n = 1; failed; n++) {
        memset(&seen, 0, sizeof seen);
        seen.act = KEEP;
        sp_memory_fail_at(n + 1); // the first is the fake's
        snakepit_err err = fake_open(&sp_http2, handle);
        if (err == SNAKEPIT_OK) {
            client_begin();
            struct upload upload = {.bytes = bytes, .size = sizeof bytes};
            ask("POST", "/", "", &upload);
            if (seen.kept != NULL) {
                reply_kept("a");
            }
            exchange_frames();
            ask("GET", "/", "", NULL);
            assert_true(seen.calls <= 2);
        }
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        if (err == SNAKEPIT_OK) {
            end();
        } else {
            fake_close();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_goes_gives_up_its_calls),
        cmocka_unit_test(a_drain_says_which_stream_was_the_last),
        cmocka_unit_test(an_idle_connection_drains_until_its_client_goes),
        cmocka_unit_test(an_idle_connection_is_told_that_it_ends),
        cmocka_unit_test(an_old_connection_takes_no_more_requests),
        cmocka_unit_test(a_lack_of_memory_ends_a_stream_or_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
