// SPDX-License-Identifier: MIT
// Which version of HTTP a connection speaks, by what its client sends first.
#include "http/http.h"
#include "http/http2.h"
#include "http1_handler.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const char settings[] = "\0\0\0\4\0\0\0\0\0";

static void speaks(const struct sp_protocol *protocol)
{
    assert_ptr_equal(fake.connection.protocol, protocol);
}

static void the_preface_makes_it_http2(void **state)
{
    (void)state;
    for (size_t step = 1; step <= sizeof preface - 1; step++) {
        start_on(&sp_http, ECHO);
        fake_sends_bytes(preface, sizeof preface - 1, step);
        speaks(&sp_http2);
        fake_sends_bytes(settings, 9, 9);
        // Settings of the daemon, and its word for those of the client.
        assert_true(fake.sent > 9);
        assert_int_equal(fake.out[3], 4);
        assert_false(fake_is_closed());
        fake_close();
    }
}

static void anything_else_is_http1_with_the_byte_that_differs(void **state)
{
    (void)state;
    for (size_t same = 0; same < sizeof preface - 1; same++) {
        start_on(&sp_http, ECHO);
        for (size_t i = 0; i < same; i++) {
            fake_sends_bytes(preface + i, 1, 1);
            speaks(&sp_http);
        }
        fake_sends("_");
        speaks(&sp_http1);
        fake_close();
    }
    start_on(&sp_http, ECHO);
    fake_sends("P");
    fake_sends("OST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na");
    check_sent(FULL "Content-Length: 12\r\n\r\n2 /1? h 1:a\n");
    fake_close();
}

static void half_a_preface_has_the_time_of_a_header(void **state)
{
    (void)state;
    start_on(&sp_http, ECHO);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_REQUEST);
    fake_sends("PRI * HT");
    assert_int_equal(fake.connection.waits_for, SP_WAIT_HEADER);
    fake_is_late();
    assert_non_null(strstr(fake_takes_text(), "HTTP/1.1 408 "));
    fake_close();
}

static void an_offer_to_upgrade_is_ignored(void **state)
{
    (void)state;
    start_on(&sp_http, ECHO);
    fake_sends("GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
               "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n\r\n");
    check_sent(FULL "Content-Length: 11\r\n\r\n0 /a? h 0:\n");
    fake_close();
}

static void a_connection_that_drains_ends_whatever_it_speaks(void **state)
{
    (void)state;
    start_on(&sp_http, ECHO);
    assert_true(sp_http.drain(&fake.connection));
    fake_close();
    start_on(&sp_http, ECHO);
    fake_sends("GE");
    speaks(&sp_http1);
    fake_close();
    start_on(&sp_http, ECHO);
    fake_sends("PR");
    fake.loop.draining = true;
    assert_false(sp_http.drain(&fake.connection));
    fake_sends("_ / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_non_null(strstr(fake_takes_text(), "\r\nConnection: close\r\n"));
    assert_true(fake.connection.closing);
    fake_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_preface_makes_it_http2),
        cmocka_unit_test(anything_else_is_http1_with_the_byte_that_differs),
        cmocka_unit_test(half_a_preface_has_the_time_of_a_header),
        cmocka_unit_test(an_offer_to_upgrade_is_ignored),
        cmocka_unit_test(a_connection_that_drains_ends_whatever_it_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
