// SPDX-License-Identifier: MIT
// A client of HTTP/2 for tests: nghttp2 at the other end of a fake connection.
#ifndef TESTS_UNIT_HTTP_HTTP2_CLIENT_H
#define TESTS_UNIT_HTTP_HTTP2_CLIENT_H

#include "http1_handler.h"

#include <nghttp2/nghttp2.h>

#include "http/http2.h"
#include "http/http2_inside.h"

#define ANSWERS 64u // streams that are looked at

// What came on a stream.
struct answer {
    char head[1024]; // "name: value\n" for each field, without the date
    char tail[1024]; // likewise, behind the body
    char body[4096]; // its beginning
    size_t size;     // of all of it
    bool ended;      // both sides
    uint32_t code;   // with which
};

// A body that is sent as the test says.
struct upload {
    const char *bytes;
    size_t size;
    bool more; // may come
};

static struct {
    nghttp2_session *session;
    uint32_t goaways;
    int32_t last_id; // of the last GOAWAY
    uint32_t goaway_code;
    uint32_t pings;
    struct answer answers[ANSWERS];
} client;

static inline struct answer *answer_of(int32_t id)
{
    return &client.answers[(unsigned)id / 2 % ANSWERS];
}

static inline int on_client_header(nghttp2_session *session,
                                   const nghttp2_frame *frame,
                                   const uint8_t *name,
                                   size_t name_size,
                                   const uint8_t *value,
                                   size_t value_size,
                                   uint8_t flags,
                                   void *user)
{
    (void)session;
    (void)flags;
    (void)user;
    struct answer *answer = answer_of(frame->hd.stream_id);
    bool tail = answer->head[0] != '\0' && name[0] != ':' &&
                frame->headers.cat == NGHTTP2_HCAT_HEADERS;
    char *text = tail ? answer->tail : answer->head;
    if (name_size != 4 || memcmp(name, "date", 4) != 0) {
        sprintf(text + strlen(text),
                "%.*s: %.*s\n",
                (int)name_size,
                (const char *)name,
                (int)value_size,
                (const char *)value);
    }
    return 0;
}

static inline int on_client_data(nghttp2_session *session,
                                 uint8_t flags,
                                 int32_t id,
                                 const uint8_t *data,
                                 size_t size,
                                 void *user)
{
    (void)session;
    (void)flags;
    (void)user;
    struct answer *answer = answer_of(id);
    size_t room = sizeof answer->body - 1;
    room = answer->size < room ? room - answer->size : 0;
    if (room > 0) {
        memcpy(answer->body + answer->size, data, size < room ? size : room);
    }
    answer->size += size;
    return 0;
}

static inline int
on_client_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)session;
    (void)user;
    answer_of(id)->ended = true;
    answer_of(id)->code = code;
    return 0;
}

static inline int
on_client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    (void)user;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client.goaways++;
        client.last_id = frame->goaway.last_stream_id;
        client.goaway_code = frame->goaway.error_code;
    }
    client.pings += frame->hd.type == NGHTTP2_PING;
    return 0;
}

// What was written goes over, and back, until there is nothing more.
static inline void exchange_frames(void)
{
    bool more = true;
    while (more) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(client.session, &data);
        assert_true(size >= 0);
        if (size > 0 && !fake_is_closed()) {
            fake_sends_bytes((const char *)data, (size_t)size, (size_t)size);
        }
        fake_turn();
        more = size > 0 || fake.sent > 0;
        if (fake.sent > 0) {
            size_t sent = fake.sent;
            fake.sent = 0;
            ssize_t taken = nghttp2_session_mem_recv(
                client.session, (const uint8_t *)fake.out, sent);
            assert_true(taken >= 0);
        }
    }
}

static inline void client_begin(void)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    memset(&client, 0, sizeof client);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_client_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_client_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_client_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_client_frame);
    assert_int_equal(
        nghttp2_session_client_new2(&client.session, callbacks, NULL, option), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    nghttp2_submit_settings(client.session, NGHTTP2_FLAG_NONE, NULL, 0);
    exchange_frames();
}

// A client whose requests are answered as `act` says.
static inline void begin(enum act act)
{
    start_on(&sp_http2, act);
    client_begin();
}

static inline void end(void)
{
    fake_close();
    nghttp2_session_del(client.session);
}

static inline ssize_t read_upload(nghttp2_session *session,
                                  int32_t id,
                                  uint8_t *buf,
                                  size_t size,
                                  uint32_t *flags,
                                  nghttp2_data_source *source,
                                  void *user)
{
    (void)session;
    (void)id;
    (void)user;
    struct upload *upload = source->ptr;
    size_t part = upload->size < size ? upload->size : size;
    if (part == 0 && upload->more) {
        return NGHTTP2_ERR_DEFERRED;
    }
    if (part > 0) {
        memcpy(buf, upload->bytes, part);
    }
    upload->bytes += part;
    upload->size -= part;
    if (upload->size == 0 && !upload->more) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)part;
}

// Submits a request with the fields "name: value\n..." and a body, or NULL; its stream.
static inline int32_t submit_fields(const char *text, struct upload *upload)
{
    static char copy[65536];
    static nghttp2_nv list[4096];
    size_t count = 0;
    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *colon = strchr(line + 1, ':');
        list[count++] = (nghttp2_nv){.name = (uint8_t *)line,
                                     .namelen = (size_t)(colon - line),
                                     .value = (uint8_t *)colon + 2,
                                     .valuelen = strlen(colon + 2)};
    }
    const nghttp2_data_provider body = {.source = {.ptr = upload},
                                        .read_callback = read_upload};
    int32_t id = nghttp2_submit_request(
        client.session, NULL, list, count, upload != NULL ? &body : NULL, NULL);
    assert_true(id > 0);
    return id;
}

// The same, sent, with a method and a path.
static inline int32_t
ask(const char *method, const char *path, const char *more, struct upload *upload)
{
    char text[8192];
    snprintf(text,
             sizeof text,
             ":method: %s\n:scheme: http\n:authority: h\n:path: %s\n%s",
             method,
             path,
             more);
    int32_t id = submit_fields(text, upload);
    exchange_frames();
    return id;
}

static inline void check_answer(int32_t id, const char *head, const char *body)
{
    const struct answer *answer = answer_of(id);
    assert_string_equal(answer->head, head);
    assert_string_equal(answer->body, body);
    assert_true(answer->ended);
    assert_int_equal(answer->code, NGHTTP2_NO_ERROR);
}

static inline struct sp_http2 *server(void)
{
    return fake.connection.user;
}

// What a stream has waited for has not come: that of the first one.
static inline void stream_is_late(enum sp_wait_for what)
{
    struct sp_waits *waits = &fake.loop.streams;
    assert_false(sp_list_empty(&waits->lists[what]));
    struct sp_wait *wait = SP_ENTRY(waits->lists[what].next, struct sp_wait, link);
    sp_wait_begin(waits, wait, SP_WAIT_NOTHING);
    waits->late(wait, what);
    exchange_frames();
}

#endif
