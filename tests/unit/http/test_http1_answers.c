// SPDX-License-Identifier: MIT
// Answers in pieces, the end of connections, and memory.
#include "http1_handler.h"

// ---- Answers that come in pieces ----------------------------------------------

static void an_answer_may_come_in_pieces(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends(GET);
    sp_exchange_begin(seen.kept, &plain);
    check_sent(FULL "Transfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(sp_exchange_room(seen.kept), FAKE_ROOM);
    assert_int_equal(sp_exchange_send(seen.kept, slice("snake")), SNAKEPIT_OK);
    check_sent("5\r\nsnake\r\n");
    assert_int_equal(sp_exchange_send(seen.kept, slice("")), SNAKEPIT_OK);
    check_sent("");
    assert_int_equal(sp_exchange_send(seen.kept, slice("0123456789")), SNAKEPIT_OK);
    end_kept();
    check_sent("a\r\n0123456789\r\n0\r\n\r\n");
    assert_false(fake_is_closed());
    fake_sends(GET);
    assert_int_equal(seen.calls, 2);
    fake_close();
}

static void a_large_piece_is_one_chunk(void **state)
{
    (void)state;
    static uint8_t bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    start(KEEP);
    fake_sends(GET);
    sp_exchange_begin(seen.kept, &plain);
    fake_takes_text();
    assert_int_equal(
        sp_exchange_send(seen.kept, (struct sp_slice){bytes, sizeof bytes}),
        SNAKEPIT_OK);
    const char *text = fake_takes_text();
    assert_memory_equal(text, "1388\r\nx", 7);
    assert_int_equal(strlen(text), 6 + 5000 + 2);
    fake_close();
}

static void an_older_client_gets_pieces_until_the_end(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    sp_exchange_begin(seen.kept, &plain);
    assert_int_equal(sp_exchange_send(seen.kept, slice("snake")), SNAKEPIT_OK);
    end_kept();
    check_sent(FULL "Connection: close\r\n\r\nsnake");
    assert_true(fake.connection.closing);
    fake_close();
}

static void a_failed_answer_is_not_whole(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends(GET);
    sp_exchange_begin(seen.kept, &plain);
    assert_int_equal(sp_exchange_send(seen.kept, slice("a")), SNAKEPIT_OK);
    sp_exchange_fail(seen.kept);
    check_sent(FULL "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    assert_true(fake.connection.closing);
    fake_close();
    start(KEEP);
    fake_sends("GET / HTTP/1.0\r\n\r\n");
    sp_exchange_begin(seen.kept, &plain);
    sp_exchange_fail(seen.kept);
    assert_true(fake.connection.lost);
    fake_close();
    start(BROKEN);
    fake_sends(GET);
    assert_true(fake.connection.lost);
    fake_close();
    assert_int_equal(seen.gone, 0);
}

static void a_handler_is_told_of_room(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends(GET);
    sp_exchange_begin(seen.kept, &plain);
    fake.room = 0;
    assert_int_equal(sp_exchange_room(seen.kept), 0);
    fake_takes(100);
    assert_int_equal(seen.writable, 1);
    assert_int_equal(sp_exchange_room(seen.kept), 100);
    end_kept();
    fake_takes(200);
    assert_int_equal(seen.writable, 1);
    fake_close();
}

static void who_asks_and_does_not_read_is_held_back(void **state)
{
    (void)state;
    start(LARGE);
    fake.room = 0;
    fake_sends(GET GET);
    assert_int_equal(seen.calls, 0);
    assert_true(fake.connection.paused);
    fake_takes(100);
    assert_int_equal(seen.calls, 2);
    assert_false(fake.connection.paused);
    fake_close();
}

// What the loop does once others had their turn.
static void fire_next(void)
{
    struct sp_link *link = sp_list_take(&fake.loop.loop.timers);
    SP_CHECK(link != NULL);
    struct sp_timer *timer = SP_ENTRY(link, struct sp_timer, link);
    timer->fire(timer);
    fake_turn();
}

static void others_have_their_turn_between_requests_that_take_long(void **state)
{
    (void)state;
    start(SLOW);
    fake.others_come = true;
    fake_sends(GET GET GET);
    for (unsigned calls = 1; calls < 3; calls++) {
        assert_int_equal(seen.calls, calls);
        assert_true(fake.connection.paused);
        fire_next();
    }
    assert_int_equal(seen.calls, 3);
    assert_false(fake.connection.paused);
    assert_true(sp_list_empty(&fake.loop.loop.timers));
    fake_close();
    start(SLOW);
    fake.others_come = true;
    fake_sends(GET GET GET);
    fake_close();
    assert_true(sp_list_empty(&fake.loop.loop.timers));
}

// ---- Ends ---------------------------------------------------------------------

static void a_handler_is_told_once_that_the_client_has_gone(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        start(KEEP);
        fake_sends(GET);
        if (begun) {
            sp_exchange_begin(seen.kept, &plain);
        }
        fake_ends();
        assert_int_equal(seen.gone, 1);
        assert_true(fake.connection.lost);
        fake_close();
        assert_int_equal(seen.gone, 1);

        start(KEEP);
        fake_sends(GET);
        if (begun) {
            sp_exchange_begin(seen.kept, &plain);
        }
        fake_close();
        assert_int_equal(seen.gone, 1);
    }
}

static void nobody_is_told_after_the_answer(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends(GET);
    reply_kept("a");
    fake_ends();
    fake_close();
    assert_int_equal(seen.gone, 0);
    // Half a request, and none at all.
    start(KEEP);
    fake_sends("GET / HT");
    fake_ends();
    check_sent("");
    fake_close();
    start(KEEP);
    fake_ends();
    fake_close();
    assert_int_equal(seen.gone, 0);
}

static void draining_ends_what_is_idle(void **state)
{
    (void)state;
    start(ECHO);
    assert_true(sp_http1.drain(&fake.connection));
    fake_close();
    start(ECHO);
    fake_sends("GET / HT");
    assert_false(sp_http1.drain(&fake.connection));
    fake_sends("TP/1.1\r\nHost: h\r\n\r\n");
    assert_non_null(strstr(fake_takes_text(), "\r\nConnection: close\r\n"));
    assert_true(fake.connection.closing);
    fake_close();
}

static void draining_serves_what_has_come(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends(GET GET);
    assert_false(sp_http1.drain(&fake.connection));
    reply_kept("a");
    check_sent(FULL "Content-Length: 1\r\n\r\na");
    reply_kept("b");
    check_sent(FULL "Content-Length: 1\r\nConnection: close\r\n\r\nb");
    assert_true(fake.connection.closing);
    fake_close();
    start(KEEP);
    fake_sends(GET);
    sp_exchange_begin(seen.kept, &plain);
    assert_false(sp_http1.drain(&fake.connection));
    assert_int_equal(sp_exchange_send(seen.kept, slice("a")), SNAKEPIT_OK);
    end_kept();
    check_sent(FULL "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    assert_true(fake.connection.closing);
    fake_close();
}

// ---- Memory -------------------------------------------------------------------

static void a_warm_small_request_allocates_nothing(void **state)
{
    (void)state;
    static const char request[] =
        "POST /v1/pools/p/tools/t HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    start(ECHO);
    fake_sends(request);
    fake_sends(GET);
    size_t sends = fake.sends;
    sp_memory_fail_at(1);
    fake_sends(request);
    fake_sends(GET);
    assert_false(sp_memory_has_failed());
    sp_memory_fail_at(0);
    assert_int_equal(seen.calls, 4);
    // Head and body in one piece.
    assert_int_equal(fake.sends, sends + 2);
    fake_close();
}

static void many_fields_are_served(void **state)
{
    (void)state;
    char text[4096];
    size_t size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 99; i++) {
        size += (size_t)sprintf(text + size, "a%d: %d\r\n", i, i);
    }
    size += (size_t)sprintf(text + size, "\r\n");
    start(KEEP);
    fake_sends(text);
    assert_int_equal(seen.kept->request.field_count, 100);
    struct sp_slice value = sp_request_field(&seen.kept->request, "a98");
    assert_int_equal(value.size, 2);
    assert_memory_equal(value.data, "98", 2);
    reply_kept("a");
    fake_sends(GET);
    assert_int_equal(seen.kept->request.field_count, 1);
    fake_close();
}

// With the nth allocation failing the connection ends, and nothing is lost or told
// twice.
static void a_lack_of_memory_ends_the_connection(void **state)
{
    (void)state;
    static char text[20000];
    size_t size = (size_t)sprintf(text,
                                  "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: "
                                  "5000\r\n\r\n%05000d"
                                  "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n1388\r\n%05000d\r\n0\r\n\r\n"
                                  "GET / HTTP/1.1\r\n",
                                  0,
                                  0);
    for (int i = 0; i < 99; i++) {
        size += (size_t)sprintf(text + size, "a%d: %d\r\n", i, i);
    }
    size += (size_t)sprintf(text + size, "Host: h\r\n\r\nGET /\r\n\r\n");
    bool failed = true;
    for (long n = 1; failed; n++) {
        memset(&seen, 0, sizeof seen);
        sp_memory_fail_at(n + 1); // the first is the fake's
        snakepit_err err = fake_open(&sp_http1, handle);
        if (err == SNAKEPIT_OK) {
            fake_sends_bytes(text, size, 1500);
            assert_true(fake_is_closed());
        }
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_true(failed || (seen.calls == 3 && fake.connection.closing));
        fake_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_may_come_in_pieces),
        cmocka_unit_test(a_large_piece_is_one_chunk),
        cmocka_unit_test(an_older_client_gets_pieces_until_the_end),
        cmocka_unit_test(a_failed_answer_is_not_whole),
        cmocka_unit_test(a_handler_is_told_of_room),
        cmocka_unit_test(who_asks_and_does_not_read_is_held_back),
        cmocka_unit_test(others_have_their_turn_between_requests_that_take_long),
        cmocka_unit_test(a_handler_is_told_once_that_the_client_has_gone),
        cmocka_unit_test(nobody_is_told_after_the_answer),
        cmocka_unit_test(draining_ends_what_is_idle),
        cmocka_unit_test(draining_serves_what_has_come),
        cmocka_unit_test(a_warm_small_request_allocates_nothing),
        cmocka_unit_test(many_fields_are_served),
        cmocka_unit_test(a_lack_of_memory_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
