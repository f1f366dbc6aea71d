// SPDX-License-Identifier: MIT
// What a client of HTTP/2 may not do, and what ends a connection or a stream.
#include "http2_client.h"

#define OK_TEXT ":status: 200\ncontent-type: text/plain\n"

// ---- Requests that are refused ----------------------------------------------------

static const struct {
    const char *request;
    unsigned status; // 0: the stream is reset
} rows[] = {
    {":method: GET\n:scheme: http\n:path: /\n", 0},
    {":method: GET\n:scheme: http\n:path: /\nhost: h:80\n", 200},
    {":method: GET\n:scheme: http\n:path: /\n:authority: h\n", 200},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nhost: h\n", 200},
    {":method: OPTIONS\n:scheme: http\n:authority: h\n:path: *\n", 200},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nte: trailers\n", 200},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nhost: other\n", 400},
    {":method: GET\n:scheme: http\n:path: /\nhost: h\nhost: h\n", 0},
    {":method: GET\n:scheme: http\n:authority: a b\n:path: /\n", 0},
    {":method: GET\n:scheme: http\n:authority: u@h\n:path: /\n", 400},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /%0\n", 400},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /%00\n", 400},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /a\"b\n", 400},
    {":method: GET\n:scheme: http\n:authority: h\n:path: *\n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: http://h/\n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: \n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n", 0},
    {":scheme: http\n:authority: h\n:path: /\n", 0},
    {":method: GET\n:authority: h\n:path: /\n", 0},
    {":method: GET\n:method: GET\n:scheme: http\n:path: /\n", 0},
    {":method: GET\n:scheme: http\n:path: /\n:status: 200\n", 0},
    {":method: GET\n:scheme: http\nx: y\n:path: /\n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nte: gzip\n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nconnection: x\n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nupgrade: x\n", 0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\n"
     "transfer-encoding: chunked\n",
     0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nkeep-alive: 1\n", 0},
    {":method: CONNECT\n:authority: h:1\n", 501},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\nexpect: tea\n", 417},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\n"
     "content-length: 5\n",
     0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\n"
     "content-length: 0\ncontent-length: 0\n",
     0},
    {":method: GET\n:scheme: http\n:authority: h\n:path: /\n"
     "content-length: x\n",
     0},
};

static void requests_are_judged_as_those_of_http1(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char status[32];
        begin(ECHO);
        int32_t id = submit_fields(rows[i].request, NULL);
        exchange_frames();
        const struct answer *answer = answer_of(id);
        snprintf(status, sizeof status, ":status: %u\n", rows[i].status);
        // What is refused here a newer nghttp2 may have refused before.
        bool reset = rows[i].status == 0 ||
                     (rows[i].status == 400 && answer->code != NGHTTP2_NO_ERROR);
        if (!reset) {
            assert_memory_equal(answer->head, status, strlen(status));
            assert_int_equal(answer->code, NGHTTP2_NO_ERROR);
        } else {
            assert_string_equal(answer->head, "");
            assert_int_equal(answer->code, NGHTTP2_PROTOCOL_ERROR);
        }
        assert_true(answer->ended);
        assert_int_equal(seen.calls, rows[i].status == 200);
        // The others are still served.
        assert_true(answer_of(ask("GET", "/", "", NULL))->head[0] != '\0');
        end();
    }
}

static void a_body_that_is_not_as_long_as_it_says_is_reset(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3};
    for (size_t i = 0; i < 2; i++) {
        struct upload upload = {.bytes = "abc", .size = sizes[i]};
        begin(ECHO);
        int32_t id = ask("POST", "/", "content-length: 2\n", &upload);
        assert_int_equal(answer_of(id)->code, NGHTTP2_PROTOCOL_ERROR);
        assert_int_equal(seen.calls, 0);
        end();
    }
}

static void a_large_header_is_refused(void **state)
{
    (void)state;
    static char value[20000];
    static char more[20100];
    begin(ECHO);
    memset(value, 'x', 7900);
    sprintf(more, "a: %s\n", value);
    int32_t id = ask("GET", "/", more, NULL);
    check_answer(id, OK_TEXT "content-length: 10\n", "0 /? h 0:\n");
    memset(value, 'x', 9000);
    sprintf(
        more, ":method: GET\n:scheme: http\n:authority: h\n:path: /\na: %s\n", value);
    id = submit_fields(more, NULL);
    exchange_frames();
    assert_memory_equal(answer_of(id)->head, ":status: 431\n", 13);
    assert_int_equal(seen.calls, 1);
    assert_false(fake_is_closed());
    end();
}

static void many_fields_are_refused(void **state)
{
    (void)state;
    static char text[8192];
    begin(KEEP);
    for (int count = 100; count <= 101; count++) {
        size_t size = (size_t)sprintf(
            text, ":method: GET\n:scheme: http\n:authority: h\n:path: /\n");
        for (int i = 0; i < count; i++) {
            size += (size_t)sprintf(text + size, "a%d: %d\n", i, i);
        }
        int32_t id = submit_fields(text, NULL);
        exchange_frames();
        if (count == 100) {
            assert_int_equal(seen.kept->request.field_count, 100);
            struct sp_slice value = sp_request_field(&seen.kept->request, "a98");
            assert_memory_equal(value.data, "98", 2);
            reply_kept("a");
        } else {
            assert_memory_equal(answer_of(id)->head, ":status: 431\n", 13);
        }
    }
    end();
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)(uintptr_t)value,
                        .valuelen = strlen(value)};
}

// One field of 3,000 bytes in the table of the compression, which each byte after that
// asks for once more.
static void a_bomb_of_references_is_defused(void **state)
{
    (void)state;
    static uint8_t block[9 + 16384];
    nghttp2_hd_deflater *deflater;
    static char value[3001];
    begin(ECHO);
    memset(value, 'x', sizeof value - 1);
    nghttp2_nv list[] = {field(":method", "GET"),
                         field(":scheme", "http"),
                         field(":path", "/"),
                         field("x", value)};
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
    ssize_t size = nghttp2_hd_deflate_hd(deflater, block + 9, 8000, list, 4);
    assert_true(size > 0);
    memset(block + 9 + size, 0xbe, 8000); // the newest of the table
    size += 8000;
    block[1] = (uint8_t)(size >> 8);
    block[2] = (uint8_t)size;
    block[3] = NGHTTP2_HEADERS;
    block[4] = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;
    block[8] = 1;
    fake_sends_bytes((const char *)block, (size_t)size + 9, sizeof block);
    fake_turn();
    assert_int_equal(seen.calls, 0);
    assert_false(fake_is_closed());
    assert_int_equal(server()->count, 0);
    // RST_STREAM, ENHANCE_YOUR_CALM
    assert_int_equal(fake.sent, 13);
    assert_int_equal(fake.out[3], NGHTTP2_RST_STREAM);
    assert_int_equal(fake.out[12], NGHTTP2_ENHANCE_YOUR_CALM);
    nghttp2_hd_deflate_del(deflater);
    end();
}

static void
raw_frame(unsigned type, unsigned flags, uint8_t id, const char *bytes, size_t size)
{
    uint8_t head[9] = {0,
                       (uint8_t)(size >> 8),
                       (uint8_t)size,
                       (uint8_t)type,
                       (uint8_t)flags,
                       0,
                       0,
                       0,
                       id};
    fake_sends_bytes((const char *)head, 9, 9);
    if (size > 0) {
        fake_sends_bytes(bytes, size, size);
    }
    fake_turn();
}

static void a_header_that_goes_on_and_on_ends_the_connection(void **state)
{
    (void)state;
    int frames = 0;
    begin(ECHO);
    raw_frame(NGHTTP2_HEADERS, 0, 1, "\x82", 1);
    assert_int_equal(fake.connection.waits_for, SP_WAIT_HEADER);
    while (!fake_is_closed() && frames < 100) {
        raw_frame(NGHTTP2_CONTINUATION, 0, 1, "\x86", 1);
        frames++;
    }
    assert_in_range(frames, 5, 20);
    assert_int_equal(seen.calls, 0);
    end();
}

// ---- Bodies -----------------------------------------------------------------------

static void a_body_that_is_too_large_is_refused_early(void **state)
{
    (void)state;
    static char bytes[200000];
    struct upload upload = {.bytes = bytes, .size = sizeof bytes};
    begin(ECHO);
    int32_t id = ask("POST", "/", "content-length: 200000\n", &upload);
    assert_memory_equal(answer_of(id)->head, ":status: 413\n", 13);
    // Without a length it is refused when it is.
    upload = (struct upload){.bytes = bytes, .size = sizeof bytes};
    id = ask("POST", "/", "", &upload);
    assert_memory_equal(answer_of(id)->head, ":status: 413\n", 13);
    assert_true(answer_of(id)->ended);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(server()->kept, 0);
    end();
}

// The rest of the request is not waited for, with an error that is none.
static void what_is_answered_early_is_reset_a_moment_later(void **state)
{
    (void)state;
    struct upload upload = {.bytes = "a", .size = 1, .more = true};
    begin(ECHO);
    int32_t id = ask("POST", "/", "content-length: 200000\n", &upload);
    assert_memory_equal(answer_of(id)->head, ":status: 413\n", 13);
    assert_false(answer_of(id)->ended);
    assert_int_equal(server()->count, 1);
    stream_is_late(SP_WAIT_END);
    assert_true(answer_of(id)->ended);
    assert_int_equal(answer_of(id)->code, NGHTTP2_NO_ERROR);
    assert_int_equal(server()->count, 0);
    end();
}

static void a_body_that_does_not_go_on_is_answered(void **state)
{
    (void)state;
    struct upload upload = {.bytes = "a", .size = 1, .more = true};
    begin(ECHO);
    int32_t id = ask("POST", "/", "", &upload);
    stream_is_late(SP_WAIT_BODY);
    assert_memory_equal(answer_of(id)->head, ":status: 408\n", 13);
    assert_int_equal(seen.calls, 0);
    end();
}

static void who_expects_it_is_told_to_go_on(void **state)
{
    (void)state;
    struct upload upload = {.bytes = "a", .size = 1, .more = true};
    begin(ECHO);
    int32_t id = ask("POST", "/", "expect: 100-continue\n", &upload);
    assert_string_equal(answer_of(id)->head, ":status: 100\n");
    end();
}

// Each has 60 KB of the 100 KB that all together may have; the first goes on beyond it.
static void bodies_wait_for_each_other(void **state)
{
    (void)state;
    static char bytes[60000];
    struct upload uploads[4];
    int32_t ids[4];
    begin(KEEP);
    for (int i = 0; i < 4; i++) {
        uploads[i] = (struct upload){.bytes = bytes, .size = 60000, .more = true};
        ids[i] = ask("POST", "/", "", &uploads[i]);
    }
    assert_int_equal(server()->kept, 240000);
    assert_int_equal(server()->held_back, 2);
    for (int i = 0; i < 4; i++) {
        uploads[i].more = false;
        nghttp2_session_resume_data(client.session, ids[i]);
        exchange_frames();
        assert_int_equal(seen.body_size, 60000);
        reply_kept("a");
        exchange_frames();
        check_answer(ids[i], OK_TEXT "content-length: 1\n", "a");
    }
    assert_int_equal(server()->kept, 0);
    assert_int_equal(server()->held_back, 0);
    end();
}

// ---- Streams ----------------------------------------------------------------------

static void more_streams_than_there_may_be_are_refused(void **state)
{
    (void)state;
    begin(KEEP);
    fake.config.max_streams = 2;
    ask("GET", "/1", "", NULL);
    struct sp_exchange *kept = seen.kept;
    ask("GET", "/2", "", NULL);
    int32_t id = ask("GET", "/3", "", NULL);
    assert_int_equal(answer_of(id)->code, NGHTTP2_REFUSED_STREAM);
    assert_int_equal(seen.calls, 2);
    reply_kept("a");
    exchange_frames();
    id = ask("GET", "/4", "", NULL);
    assert_int_equal(seen.calls, 3);
    reply_kept("b");
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 1\n", "b");
    seen.kept = kept;
    reply_kept("c");
    end();
}

static struct sp_unfinished *running[4];
static size_t runs;

static void on_gone_while_it_runs(void *user)
{
    running[runs++] = sp_unfinished_begin(user);
}

static void handle_slowly(struct sp_exchange *exchange)
{
    static const struct sp_exchange_listener slow = {.gone = on_gone_while_it_runs};
    exchange->listener = &slow;
    exchange->user = exchange;
    seen.calls++;
}

static void what_runs_for_nobody_counts(void **state)
{
    (void)state;
    begin(KEEP);
    runs = 0;
    fake.options.handle = handle_slowly;
    fake.config.max_streams = 2;
    for (int i = 0; i < 4; i++) {
        int32_t id = ask("GET", "/", "", NULL);
        if (i < 2) {
            nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
            exchange_frames();
        } else {
            assert_int_equal(answer_of(id)->code, NGHTTP2_REFUSED_STREAM);
        }
    }
    assert_int_equal(seen.calls, 2);
    assert_int_equal(runs, 2);
    sp_unfinished_end(running[0]);
    ask("GET", "/", "", NULL);
    assert_int_equal(seen.calls, 3);
    end();
    // After the connection.
    assert_int_equal(runs, 3);
    sp_unfinished_end(running[1]);
    sp_unfinished_end(running[2]);
}

static void a_client_that_resets_honestly_is_served_on(void **state)
{
    (void)state;
    begin(KEEP);
    for (unsigned i = 0; i < 20000; i++) {
        int32_t id = ask("GET", "/", "", NULL);
        nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
        exchange_frames();
        assert_int_equal(seen.gone, i + 1);
        memset(client.answers, 0, sizeof client.answers);
    }
    assert_int_equal(client.goaways, 0);
    int32_t id = ask("GET", "/", "", NULL);
    reply_kept("a");
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 1\n", "a");
    end();
}

// The client makes the daemon reset its streams, which is as good as resetting them.
static void a_stream_that_we_reset_is_given_up(void **state)
{
    (void)state;
    begin(KEEP);
    int32_t id = ask("GET", "/", "", NULL);
    raw_frame(NGHTTP2_WINDOW_UPDATE, 0, (uint8_t)id, "\x7f\xff\xff\xff", 4);
    exchange_frames();
    assert_int_equal(seen.gone, 1);
    assert_int_equal(answer_of(id)->code, NGHTTP2_FLOW_CONTROL_ERROR);
    assert_false(fake_is_closed());
    end();
}

// ---- Answers ----------------------------------------------------------------------

static void a_client_without_a_window_holds_its_handler(void **state)
{
    (void)state;
    static char bytes[65536];
    begin(KEEP);
    nghttp2_settings_entry none = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    nghttp2_submit_settings(client.session, 0, &none, 1);
    exchange_frames();
    nghttp2_submit_window_update(client.session, 0, 0, 1 << 20);
    int32_t id = ask("GET", "/", "", NULL);
    const struct sp_slice piece = {(const uint8_t *)bytes, sizeof bytes};
    sp_exchange_begin(seen.kept, &plain);
    assert_int_equal(sp_exchange_room(seen.kept), 131072);
    sp_exchange_send(seen.kept, piece);
    sp_exchange_send(seen.kept, piece);
    assert_int_equal(sp_exchange_room(seen.kept), 0);
    exchange_frames();
    assert_int_equal(answer_of(id)->size, 0);
    assert_int_equal(seen.writable, 0);
    nghttp2_submit_window_update(client.session, 0, id, 65535);
    exchange_frames();
    assert_int_equal(answer_of(id)->size, 65535);
    assert_int_equal(seen.writable, 0);
    nghttp2_submit_window_update(client.session, 0, id, 1);
    exchange_frames();
    assert_int_equal(seen.writable, 1);
    // It takes no more, for too long.
    stream_is_late(SP_WAIT_CLIENT);
    assert_int_equal(answer_of(id)->code, NGHTTP2_CANCEL);
    assert_int_equal(seen.gone, 1);
    assert_int_equal(server()->queued, 0);
    end();
}

// Who waits no longer is sent what he has a window for, or nothing more.
static void an_answer_whose_time_is_up_ends_at_once(void **state)
{
    static const struct sp_field trailer = {{(const uint8_t *)"x-last", 6},
                                            {(const uint8_t *)"1", 1}};
    static char bytes[65536];
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        begin(KEEP);
        int32_t id = ask("GET", "/", "", NULL);
        sp_exchange_begin(seen.kept, &plain);
        sp_exchange_send(seen.kept,
                         (struct sp_slice){(const uint8_t *)bytes, 65535 + more});
        if (more > 0) {
            exchange_frames(); // one byte is left
        }
        sp_exchange_expire(seen.kept, &trailer, 1);
        exchange_frames();
        assert_true(answer_of(id)->ended);
        assert_int_equal(answer_of(id)->size, 65535);
        assert_int_equal(answer_of(id)->code,
                         more > 0 ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR);
        assert_string_equal(answer_of(id)->tail, more > 0 ? "" : "x-last: 1\n");
        assert_int_equal(server()->queued, 0);
        assert_int_equal(server()->count, 0);
        end();
    }
}

static void who_reads_nothing_gets_no_more_answers_made(void **state)
{
    (void)state;
    static uint8_t bytes[6 << 20];
    struct sp_exchange *kept[5];
    begin(KEEP);
    nghttp2_settings_entry none = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    nghttp2_submit_settings(client.session, 0, &none, 1);
    for (int i = 0; i < 3; i++) {
        ask("GET", "/", "", NULL);
        kept[i] = seen.kept;
    }
    for (int i = 0; i < 3; i++) {
        sp_exchange_reply(kept[i], &plain, (struct sp_slice){bytes, sizeof bytes});
    }
    int32_t id = ask("GET", "/", "", NULL);
    int32_t other = ask("GET", "/", "", NULL);
    assert_int_equal(seen.calls, 3);
    nghttp2_submit_rst_stream(client.session, 0, other, NGHTTP2_CANCEL);
    exchange_frames();
    assert_int_equal(server()->count, 4);
    nghttp2_submit_rst_stream(client.session, 0, 1, NGHTTP2_CANCEL);
    exchange_frames();
    assert_int_equal(seen.calls, 4);
    nghttp2_submit_window_update(client.session, 0, id, 100);
    reply_kept("a");
    exchange_frames();
    check_answer(id, OK_TEXT "content-length: 1\n", "a");
    assert_int_equal(seen.gone, 0);
    end();
}

static void pings_that_nobody_waits_for_end_the_connection(void **state)
{
    (void)state;
    begin(ECHO);
    fake.room = 0;
    for (int i = 0; i < 5000 && !fake_is_closed(); i++) {
        raw_frame(NGHTTP2_PING, 0, 0, "12345678", 8);
    }
    assert_true(fake.connection.lost);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged_as_those_of_http1),
        cmocka_unit_test(a_body_that_is_not_as_long_as_it_says_is_reset),
        cmocka_unit_test(a_large_header_is_refused),
        cmocka_unit_test(many_fields_are_refused),
        cmocka_unit_test(a_bomb_of_references_is_defused),
        cmocka_unit_test(a_header_that_goes_on_and_on_ends_the_connection),
        cmocka_unit_test(a_body_that_is_too_large_is_refused_early),
        cmocka_unit_test(what_is_answered_early_is_reset_a_moment_later),
        cmocka_unit_test(a_body_that_does_not_go_on_is_answered),
        cmocka_unit_test(who_expects_it_is_told_to_go_on),
        cmocka_unit_test(bodies_wait_for_each_other),
        cmocka_unit_test(more_streams_than_there_may_be_are_refused),
        cmocka_unit_test(what_runs_for_nobody_counts),
        cmocka_unit_test(a_client_that_resets_honestly_is_served_on),
        cmocka_unit_test(a_stream_that_we_reset_is_given_up),
        cmocka_unit_test(a_client_without_a_window_holds_its_handler),
        cmocka_unit_test(an_answer_whose_time_is_up_ends_at_once),
        cmocka_unit_test(who_reads_nothing_gets_no_more_answers_made),
        cmocka_unit_test(pings_that_nobody_waits_for_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
