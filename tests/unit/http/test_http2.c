// SPDX-License-Identifier: MIT
// Requests and answers over HTTP/2, with nghttp2 as the client.
#include "http2_client.h"

#define OK_TEXT ":status: 200\ncontent-type: text/plain\n"

// ---- Requests and answers ---------------------------------------------------------

static void a_request_is_answered(void **state)
{
    (void)state;
    begin(ECHO);
    int32_t id = ask("GET", "/a%20b?c", "", NULL);
    check_answer(id, OK_TEXT "content-length: 16\n", "0 /a%20b?c h 0:\n");
    assert_false(fake_is_closed());
    assert_int_equal(fake.connection.waits_for, SP_WAIT_REQUEST);
    assert_int_equal(server()->count, 0);
    end();
}

static void a_request_is_handed_over_when_its_body_is_whole(void **state)
{
    (void)state;
    struct upload upload = {.bytes = "ab", .size = 2, .more = true};
    begin(ECHO);
    int32_t id = ask("POST", "/1", "", &upload);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_NOTHING);
    upload = (struct upload){.bytes = "cd", .size = 2};
    nghttp2_session_resume_data(client.session, id);
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 15\n", "2 /1? h 4:abcd\n");
    end();
}

static void requests_are_answered_in_any_order(void **state)
{
    (void)state;
    begin(KEEP);
    int32_t first = ask("GET", "/1", "", NULL);
    struct sp_exchange *kept = seen.kept;
    int32_t second = ask("GET", "/2", "", NULL);
    reply_kept("two");
    exchange_frames();
    check_answer(second, OK_TEXT "content-length: 3\n", "two");
    assert_string_equal(answer_of(first)->head, "");
    seen.kept = kept;
    reply_kept("one");
    exchange_frames();
    check_answer(first, OK_TEXT "content-length: 3\n", "one");
    assert_int_equal(seen.gone, 0);
    end();
}

static void head_asks_for_all_but_the_body(void **state)
{
    (void)state;
    begin(LARGE);
    check_answer(ask("HEAD", "/", "", NULL), OK_TEXT "content-length: 1000\n", "");
    end();
    begin(KEEP);
    int32_t id = ask("HEAD", "/", "", NULL);
    sp_exchange_begin(seen.kept, &plain);
    assert_int_equal(sp_exchange_send(seen.kept, slice("a")), SNAKEPIT_OK);
    end_kept();
    exchange_frames();
    check_answer(id, OK_TEXT, "");
    end();
}

static void an_answer_without_a_body_says_so(void **state)
{
    (void)state;
    begin(EMPTY);
    check_answer(ask("GET", "/", "", NULL), ":status: 204\n", "");
    end();
}

static void fields_with_control_codes_are_not_sent(void **state)
{
    (void)state;
    begin(WEIRD);
    check_answer(ask("GET", "/", "", NULL),
                 ":status: 405\ncontent-length: 0\nallow: GET, HEAD\nx-empty: \n",
                 "");
    end();
}

static void fields_of_the_connection_are_not_sent(void **state)
{
    (void)state;
    const struct sp_field fields[] = {{slice("connection"), slice("close")},
                                      {slice("transfer-encoding"), slice("chunked")},
                                      {slice("x-mine"), slice("1")}};
    const struct sp_reply reply = {.status = 200, .fields = fields, .field_count = 3};
    begin(KEEP);
    int32_t id = ask("GET", "/", "", NULL);
    sp_exchange_reply(seen.kept, &reply, slice(""));
    exchange_frames();
    check_answer(id, ":status: 200\ncontent-length: 0\nx-mine: 1\n", "");
    end();
}

static void an_answer_may_come_in_pieces_with_trailers(void **state)
{
    (void)state;
    const struct sp_field trailers[] = {{slice("grpc-status"), slice("0")},
                                        {slice("x-bad"), slice("a\nb")}};
    begin(KEEP);
    int32_t id = ask("GET", "/", "", NULL);
    sp_exchange_begin(seen.kept, &plain);
    exchange_frames();
    assert_string_equal(answer_of(id)->head, OK_TEXT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sp_exchange_send(seen.kept, slice("abc")), SNAKEPIT_OK);
        exchange_frames();
        assert_int_equal(answer_of(id)->size, 3 * (i + 1));
    }
    sp_exchange_end_with(seen.kept, trailers, 2);
    exchange_frames();
    check_answer(id, OK_TEXT, "abcabcabc");
    assert_string_equal(answer_of(id)->tail, "grpc-status: 0\n");
    end();
}

static void a_failed_answer_is_not_whole(void **state)
{
    (void)state;
    begin(BROKEN);
    int32_t id = ask("GET", "/", "", NULL);
    assert_true(answer_of(id)->ended);
    assert_int_equal(answer_of(id)->code, NGHTTP2_INTERNAL_ERROR);
    assert_false(fake_is_closed());
    assert_int_equal(seen.gone, 0);
    end();
}

// ---- Bodies that stream -----------------------------------------------------------

static struct {
    struct sp_exchange *exchange;
    char body[1 << 16];
    size_t size;
    unsigned completes;
    unsigned gone;
    bool takes; // at once
} stream;

static void on_received(void *user, struct sp_slice bytes)
{
    assert_ptr_equal(user, &stream);
    assert_true(stream.size + bytes.size <= sizeof stream.body || !stream.takes);
    if (stream.size + bytes.size <= sizeof stream.body) {
        memcpy(stream.body + stream.size, bytes.data, bytes.size);
    }
    stream.size += bytes.size;
    if (stream.takes) {
        sp_exchange_taken(stream.exchange, bytes.size);
    }
}

static void on_complete(void *user)
{
    assert_ptr_equal(user, &stream);
    stream.completes++;
}

static void on_stream_gone(void *user)
{
    assert_ptr_equal(user, &stream);
    stream.gone++;
}

static void handle_stream(struct sp_exchange *exchange)
{
    static const struct sp_exchange_listener streaming = {
        .gone = on_stream_gone, .received = on_received, .complete = on_complete};
    assert_true(exchange->request.streaming);
    assert_int_equal(exchange->request.version, 2);
    assert_int_equal(exchange->request.body.size, 0);
    exchange->listener = &streaming;
    exchange->user = &stream;
    stream.exchange = exchange;
}

static bool always(const struct sp_exchange *exchange)
{
    return exchange->request.method == SP_METHOD_POST;
}

static void begin_streaming(bool takes)
{
    memset(&stream, 0, sizeof stream);
    stream.takes = takes;
    begin(ECHO);
    fake.options.handle = handle_stream;
    fake.options.streams = always;
}

static void a_body_that_streams_is_told_as_it_comes(void **state)
{
    (void)state;
    struct upload upload = {.bytes = "ab", .size = 2, .more = true};
    begin_streaming(true);
    int32_t id = ask("POST", "/", "", &upload);
    assert_int_equal(stream.size, 2);
    assert_int_equal(stream.completes, 0);
    sp_exchange_begin(stream.exchange, &plain);
    upload = (struct upload){.bytes = "cd", .size = 2};
    nghttp2_session_resume_data(client.session, id);
    exchange_frames();
    assert_memory_equal(stream.body, "abcd", 4);
    assert_int_equal(stream.completes, 1);
    sp_exchange_end(stream.exchange);
    exchange_frames();
    check_answer(id, OK_TEXT, "");
    assert_int_equal(stream.gone, 0);
    end();
}

static void a_stream_without_a_body_is_complete(void **state)
{
    (void)state;
    begin_streaming(true);
    int32_t id = ask("POST", "/", "", NULL);
    assert_int_equal(stream.completes, 1);
    sp_exchange_reply(stream.exchange, &plain, slice("a"));
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 1\n", "a");
    end();
}

static void who_takes_nothing_holds_the_client(void **state)
{
    (void)state;
    static char bytes[3 << 20];
    struct upload upload = {.bytes = bytes, .size = sizeof bytes};
    begin_streaming(false);
    int32_t id = ask("POST", "/", "", &upload);
    assert_int_equal(stream.size, 1 << 20);
    sp_exchange_taken(stream.exchange, 1 << 20);
    exchange_frames();
    assert_int_equal(stream.size, 2 << 20);
    assert_int_equal(stream.completes, 0);
    sp_exchange_taken(stream.exchange, 1 << 20);
    exchange_frames();
    assert_int_equal(stream.size, 3 << 20);
    assert_int_equal(stream.completes, 1);
    sp_exchange_reply(stream.exchange, &plain, slice("a"));
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 1\n", "a");
    end();
}

// While answers that are not read pile up, no handler has it; what comes meanwhile is
// held.
static void a_body_that_streams_may_have_to_wait(void **state)
{
    (void)state;
    static uint8_t large[17 << 20];
    struct upload upload = {.bytes = "abcd", .size = 4};
    begin_streaming(true);
    int32_t first = ask("POST", "/", "", NULL);
    sp_exchange_reply(stream.exchange, &plain, (struct sp_slice){large, sizeof large});
    int32_t id = ask("POST", "/", "", &upload);
    assert_int_equal(stream.size, 0);
    assert_int_equal(stream.completes, 1);
    assert_int_equal(server()->kept, 4);
    nghttp2_submit_rst_stream(client.session, 0, first, NGHTTP2_CANCEL);
    exchange_frames();
    assert_memory_equal(stream.body, "abcd", 4);
    assert_int_equal(stream.completes, 2);
    assert_int_equal(server()->kept, 0);
    sp_exchange_reply(stream.exchange, &plain, slice(""));
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 0\n", "");
    end();
}

// Others have the connection's window for themselves again.
static void what_was_not_taken_is_given_back_with_the_stream(void **state)
{
    (void)state;
    static char bytes[2 << 20];
    begin_streaming(false);
    for (int i = 0; i < 40; i++) {
        struct upload upload = {.bytes = bytes, .size = sizeof bytes};
        stream.size = 0;
        int32_t id = ask("POST", "/", "", &upload);
        assert_int_equal(stream.size, 1 << 20);
        nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
        exchange_frames();
        assert_int_equal(stream.gone, i + 1);
    }
    assert_int_equal(server()->count, 0);
    end();
}

static struct sp_exchange *many[40];

static void keep_many(struct sp_exchange *exchange)
{
    exchange->listener = &listener;
    exchange->user = &seen;
    many[seen.calls++] = exchange;
}

// Their client works on the first while the daemon makes the others.
static void of_many_answers_the_first_do_not_wait_for_the_last(void **state)
{
    (void)state;
    int32_t ids[40];
    begin(KEEP);
    fake.options.handle = keep_many;
    for (int i = 0; i < 40; i++) {
        ids[i] = ask("GET", "/", "", NULL);
    }
    for (int i = 0; i < 40; i++) {
        assert_true((fake.early > 0) == (i >= 32));
        sp_exchange_reply(many[i], &plain, slice("x"));
    }
    assert_int_equal(fake.early, fake.sent);
    assert_int_equal(server()->count, 40); // nothing ends from within a handler
    exchange_frames();
    for (int i = 0; i < 40; i++) {
        check_answer(ids[i], OK_TEXT "content-length: 1\n", "x");
    }
    assert_int_equal(server()->count, 0);
    end();
}

// Where nghttp2 runs already it is not entered again.
static void many_requests_may_be_answered_as_they_come(void **state)
{
    (void)state;
    int32_t ids[40];
    begin(ECHO);
    for (int i = 0; i < 40; i++) {
        ids[i] = submit_fields(":method: GET\n:scheme: http\n:authority: h\n:path: /\n",
                               NULL);
    }
    exchange_frames();
    assert_int_equal(seen.calls, 40);
    assert_int_equal(fake.early, 0);
    for (int i = 0; i < 40; i++) {
        check_answer(ids[i], OK_TEXT "content-length: 10\n", "0 /? h 0:\n");
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_request_is_handed_over_when_its_body_is_whole),
        cmocka_unit_test(requests_are_answered_in_any_order),
        cmocka_unit_test(head_asks_for_all_but_the_body),
        cmocka_unit_test(an_answer_without_a_body_says_so),
        cmocka_unit_test(fields_with_control_codes_are_not_sent),
        cmocka_unit_test(fields_of_the_connection_are_not_sent),
        cmocka_unit_test(an_answer_may_come_in_pieces_with_trailers),
        cmocka_unit_test(a_failed_answer_is_not_whole),
        cmocka_unit_test(a_body_that_streams_is_told_as_it_comes),
        cmocka_unit_test(a_stream_without_a_body_is_complete),
        cmocka_unit_test(who_takes_nothing_holds_the_client),
        cmocka_unit_test(a_body_that_streams_may_have_to_wait),
        cmocka_unit_test(what_was_not_taken_is_given_back_with_the_stream),
        cmocka_unit_test(of_many_answers_the_first_do_not_wait_for_the_last),
        cmocka_unit_test(many_requests_may_be_answered_as_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
