// SPDX-License-Identifier: MIT
// Requests: what is answered, and what is refused.
#include "http1_handler.h"

// ---- Requests and answers -----------------------------------------------------------

static void a_request_is_answered(void **state)
{
    (void)state;
    start(ECHO);
    fake_sends("GET /a%20b?c HTTP/1.1\r\nHost: h:1\r\n\r\n");
    check_sent(FULL "Content-Length: 18\r\n\r\n0 /a%20b?c h:1 0:\n");
    assert_false(fake_is_closed());
    assert_int_equal(fake.connection.in.size, 0);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_REQUEST);
    fake_sends(GET);
    check_sent(FULL "Content-Length: 11\r\n\r\n0 /a? h 0:\n");
    fake_close();
}

static void requests_that_come_together_are_answered_in_order(void **state)
{
    (void)state;
    start(ECHO);
    fake_sends("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
               "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
               "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               "1\r\nc\r\n0\r\n\r\n"
               "GET /4 HTTP/1.1\r\nHost: h\r\n\r\n");
    check_sent(FULL "Content-Length: 11\r\n\r\n0 /1? h 0:\n" FULL
                    "Content-Length: 13\r\n\r\n2 /2? h 2:ab\n" FULL
                    "Content-Length: 12\r\n\r\n2 /3? h 1:c\n" FULL
                    "Content-Length: 11\r\n\r\n0 /4? h 0:\n");
    assert_int_equal(seen.calls, 4);
    fake_close();
}

static void early_requests_wait_for_their_turn(void **state)
{
    (void)state;
    start(KEEP);
    fake_sends(GET GET);
    assert_int_equal(seen.calls, 1);
    assert_true(fake.connection.paused);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_NOTHING);
    assert_int_equal(fake_sends(GET), 0);
    reply_kept("one");
    check_sent(FULL "Content-Length: 3\r\n\r\none");
    assert_int_equal(seen.calls, 2);
    assert_true(fake.connection.paused);
    reply_kept("two");
    check_sent(FULL "Content-Length: 3\r\n\r\ntwo");
    assert_false(fake.connection.paused);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_REQUEST);
    fake_close();
}

// All kinds of requests in one connection, and one that ends it.
static const char conversation[] =
    "\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
    "POST /2?q HTTP/1.1\r\nHost: h\r\nContent-Length: 26\r\n\r\n"
    "abcdefghijklmnopqrstuvwxyz"
    "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "a;x=y\r\n0123456789\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n"
    "HEAD /4 HTTP/1.1\r\nHost: h\r\n\r\n"
    "GET /5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    "GET /6 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    "GET /7 HTTP/1.1\r\nHost: h\r\n\r\n";

static void the_same_is_answered_however_bytes_are_split(void **state)
{
    (void)state;
    static char whole[FAKE_OUT];
    size_t size = strlen(conversation);
    start(ECHO);
    fake_sends(conversation);
    assert_int_equal(seen.calls, 6);
    assert_true(fake.connection.closing);
    strcpy(whole, fake_takes_text());
    fake_close();
    for (size_t step = 1; step < size; step++) {
        start(ECHO);
        fake_sends_bytes(conversation, size, step);
        assert_string_equal(fake_takes_text(), whole);
        fake_close();
    }
}

static void head_asks_for_all_but_the_body(void **state)
{
    (void)state;
    start(LARGE);
    fake_sends("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    check_sent(FULL "Content-Length: 1000\r\n\r\n");
    assert_false(fake_is_closed());
    fake_close();
    start(KEEP);
    fake_sends("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    sp_exchange_begin(seen.kept, &plain);
    assert_int_equal(sp_exchange_send(seen.kept, slice("a")), SNAKEPIT_OK);
    end_kept();
    check_sent(FULL "Transfer-Encoding: chunked\r\n\r\n");
    assert_false(fake_is_closed());
    fake_close();
}

static void an_answer_without_a_body_says_so(void **state)
{
    (void)state;
    start(EMPTY);
    fake_sends(GET);
    check_sent("HTTP/1.1 204 No Content\r\n" DATE "\r\n");
    fake_close();
}

static void fields_with_control_codes_are_not_sent(void **state)
{
    (void)state;
    start(WEIRD);
    fake_sends(GET);
    check_sent("HTTP/1.1 405 Method Not Allowed\r\n" DATE
               "Content-Length: 0\r\nallow: GET, HEAD\r\nx-empty: \r\n\r\n");
    fake_close();
}

static void an_older_client_gets_its_connection_closed(void **state)
{
    (void)state;
    start(ECHO);
    fake_sends("GET / HTTP/1.0\r\n\r\n");
    check_sent(FULL "Content-Length: 9\r\nConnection: close\r\n\r\n0 /?  0:\n");
    assert_true(fake.connection.closing);
    fake_close();
    start(ECHO);
    fake_sends("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    check_sent(FULL "Content-Length: 9\r\nConnection: keep-alive\r\n\r\n0 /?  0:\n");
    assert_false(fake_is_closed());
    fake_close();
}

// ---- Bodies -------------------------------------------------------------------------

// A request with a body of `size` bytes, the `i`th of which is a digit that tells.
static size_t write_large(char *text, const char *head, size_t size)
{
    size_t at = (size_t)sprintf(text, "%s", head);
    for (size_t i = 0; i < size; i++) {
        text[at + i] = (char)('0' + i % 10);
    }
    return at + size;
}

static void a_large_body_is_read_where_it_belongs(void **state)
{
    (void)state;
    static char text[70000];
    size_t size = write_large(text,
                              "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: "
                              "60000\r\n\r\n",
                              60000);
    start(ECHO);
    assert_int_equal(fake_sends_bytes(text, size, 4096), size);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.body_size, 60000);
    assert_memory_equal(seen.body, text + size - 60000, 4000);
    // All but what came with the header.
    assert_true(fake.read_directly > 60000 - 4096);
    assert_int_equal(fake.connection.in.size, 0);
    fake_close();
}

static void a_large_chunk_is_read_where_it_belongs(void **state)
{
    (void)state;
    static char text[70000];
    size_t size = write_large(text,
                              "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n2\r\n01\r\nc350\r\n",
                              50000);
    size += (size_t)sprintf(text + size, "\r\n3\r\nabc\r\n0\r\n\r\n" GET);
    for (size_t step = 1000; step < 5000; step += 999) {
        start(ECHO);
        assert_int_equal(fake_sends_bytes(text, size, step), size);
        assert_int_equal(seen.calls, 2);
        assert_true(fake.read_directly > 50000 - step);
        assert_non_null(strstr(fake_takes_text(), "3 /? h 50005:0101234567"));
        fake_close();
    }
}

static void a_client_that_asks_is_told_to_go_on(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                               "Content-Length: 3\r\n\r\n";
    start(ECHO);
    fake_sends(head);
    check_sent("HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(fake.connection.waits_for, SP_WAIT_BODY);
    fake_sends("abc");
    check_sent(FULL "Content-Length: 13\r\n\r\n2 /? h 3:abc\n");
    // Who sends the body at once does not wait for that.
    fake_sends_bytes("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\nabc",
                     72,
                     72);
    check_sent(FULL "Content-Length: 13\r\n\r\n2 /? h 3:abc\n");
    fake_close();
}

static void check_refused(unsigned status, const char *why)
{
    const char *text = fake_takes_text();
    char begins[64];
    snprintf(begins, sizeof begins, "HTTP/1.1 %u ", status);
    assert_memory_equal(text, begins, strlen(begins));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: application/problem+json\r\n"));
    if (strstr(text, why) == NULL) {
        print_error("%s\n", text);
    }
    assert_non_null(strstr(text, why));
    assert_true(fake.connection.closing);
    assert_int_equal(seen.calls, 0);
}

static void bodies_are_bounded(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Content-Length: 100001\r\n\r\n",
        "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n",
        "Content-Length: 99999999999999999999999999\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n186a1;a=b\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n186a0\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nffffffffffffffff\r\nb",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(ECHO);
        fake_sends("POST / HTTP/1.1\r\nHost: h\r\n");
        fake_sends(rows[i]);
        check_refused(413, "max_message");
        fake_close();
    }
}

static void a_body_as_large_as_allowed_is_served(void **state)
{
    (void)state;
    static char text[110000];
    size_t size = write_large(text,
                              "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n186a0\r\n",
                              100000);
    size += (size_t)sprintf(text + size, "\r\n0\r\n\r\n");
    start(ECHO);
    fake_sends_bytes(text, size, 3000);
    assert_int_equal(seen.body_size, 100000);
    fake_close();
}

// ---- Refusals -----------------------------------------------------------------------

static void what_is_malformed_is_refused_and_the_connection_closed(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *why;
        const char *text;
    } rows[] = {
        {400, "not HTTP", "\x16\x03\x01\x02"},
        {400, "Host", "GET / HTTP/1.1\r\n\r\n" GET},
        {400,
         "chunk",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx"},
        {417, "100-continue", "POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n"},
        {501, "proxy", "CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {505, "version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(ECHO);
        fake_sends(rows[i].text);
        check_refused(rows[i].status, rows[i].why);
        fake_close();
    }
}

static void a_refusal_has_a_body_whatever_was_asked_before(void **state)
{
    (void)state;
    start(ECHO);
    fake_sends("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /\r\n\r\n");
    assert_non_null(strstr(fake_takes_text(), "\"status\":400"));
    fake_close();
}

static void a_header_is_bounded(void **state)
{
    (void)state;
    static char text[9000];
    start(ECHO);
    memset(text, 'a', 8999);
    memcpy(text, "GET /", 5);
    fake_sends_bytes(text, 8999, 100);
    check_refused(414, "request line");
    fake_close();
    start(ECHO);
    memcpy(text, "GET / HTTP/1.1\r\nA:", 18);
    fake_sends_bytes(text, 8999, 100);
    check_refused(431, "header");
    fake_close();
}

static void what_does_not_come_in_time_is_refused(void **state)
{
    (void)state;
    start(ECHO);
    fake_sends("GET / HTTP");
    assert_int_equal(fake.connection.waits_for, SP_WAIT_HEADER);
    fake_is_late();
    check_refused(408, "header_timeout_ms");
    fake_close();
    start(ECHO);
    fake_sends("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
    assert_int_equal(fake.connection.waits_for, SP_WAIT_BODY);
    fake_is_late();
    check_refused(408, "body_timeout_ms");
    fake_close();
    start(ECHO);
    fake_is_late();
    check_sent("");
    fake_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(requests_that_come_together_are_answered_in_order),
        cmocka_unit_test(early_requests_wait_for_their_turn),
        cmocka_unit_test(the_same_is_answered_however_bytes_are_split),
        cmocka_unit_test(head_asks_for_all_but_the_body),
        cmocka_unit_test(an_answer_without_a_body_says_so),
        cmocka_unit_test(fields_with_control_codes_are_not_sent),
        cmocka_unit_test(an_older_client_gets_its_connection_closed),
        cmocka_unit_test(a_large_body_is_read_where_it_belongs),
        cmocka_unit_test(a_large_chunk_is_read_where_it_belongs),
        cmocka_unit_test(a_client_that_asks_is_told_to_go_on),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(a_body_as_large_as_allowed_is_served),
        cmocka_unit_test(what_is_malformed_is_refused_and_the_connection_closed),
        cmocka_unit_test(a_refusal_has_a_body_whatever_was_asked_before),
        cmocka_unit_test(a_header_is_bounded),
        cmocka_unit_test(what_does_not_come_in_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
