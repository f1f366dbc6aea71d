// SPDX-License-Identifier: MIT
// Between a connection and nghttp2: bytes go in as they come, frames are made once a
// turn of the loop, as many as the client has room for. Whatever is refused by RFC 9113
// nghttp2 refuses; it also answers pings and settings, and ends a connection whose
// client lets these pile up.
//
// A connection that is to end says first that it will, and then, when the client has
// heard that, which stream was the last one: so none is lost that was on its way.
#include "front/http2.h"

#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "front/http2_inside.h"

#define STREAM_WINDOW     (1 << 20) // bytes of a body that may come unasked
#define CONNECTION_WINDOW (1 << 24) // of all together
#define END_MS            1000u     // for a client to end a request that is answered
#define QUEUE_MOST        4096u     // frames that wait for a client which takes none

static const uint8_t drain_mark[8] = "drained?";

static struct sp_http2 *of_connection(const struct sp_connection *connection)
{
    return connection->user;
}

static struct sp_http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

// ---- Turns --------------------------------------------------------------------------

static void abort_all(struct sp_http2 *http2)
{
    sp_connection_abort(http2->connection);
}

static void send_frames(struct sp_http2 *http2)
{
    while (nghttp2_session_want_write(http2->session) != 0 &&
           sp_connection_room(http2->connection) > 0) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(http2->session, &data);
        const struct sp_slice bytes = {data, size > 0 ? (size_t)size : 0};
        if (size < 0 || sp_connection_send(http2->connection, bytes) != SNAKEPIT_OK) {
            abort_all(http2);
            return;
        }
        if (size == 0) {
            return;
        }
    }
}

static void tell(struct sp_http2 *http2)
{
    struct sp_link *link;
    while ((link = sp_list_take(&http2->due)) != NULL) {
        sp_http2_stream_tell(SP_ENTRY(link, struct sp_http2_stream, due));
    }
}

static void wait_as_is(struct sp_http2 *http2)
{
    enum sp_wait_for what = SP_WAIT_NOTHING;
    if (http2->reading != NULL || http2->continues) {
        what = SP_WAIT_HEADER;
    } else if (http2->count == 0) {
        what = http2->leaving ? SP_WAIT_END : SP_WAIT_REQUEST;
    }
    if (http2->connection->waits_for != what) {
        sp_connection_wait_for(http2->connection, what);
    }
}

// Handlers need not go on for a client that is told nothing more.
static void give_up_all(struct sp_http2 *http2)
{
    struct sp_link *link;
    for (link = http2->streams.next; link != &http2->streams; link = link->next) {
        sp_http2_stream_give_up(SP_ENTRY(link, struct sp_http2_stream, link));
    }
}

static void turn(struct sp_http2 *http2)
{
    send_frames(http2);
    tell(http2);
    wait_as_is(http2);
    if (nghttp2_session_want_read(http2->session) == 0 &&
        nghttp2_session_want_write(http2->session) == 0) {
        give_up_all(http2);
        sp_connection_close_after(http2->connection);
    }
}

static void on_turn(struct sp_task *task)
{
    turn(SP_ENTRY(task, struct sp_http2, task));
}

// ---- What nghttp2 tells -------------------------------------------------------------

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct sp_http2 *http2 = user;
    (void)session;
    http2->continues =
        (hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION) &&
        (hd->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    return 0;
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sp_http2 *http2 = user;
    if (frame->hd.type != NGHTTP2_HEADERS ||
        frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    struct sp_http2_stream *stream = sp_http2_stream_new(http2, frame->hd.stream_id);
    if (stream == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    http2->reading = stream;
    return nghttp2_session_set_stream_user_data(session, stream->id, stream);
}

static int on_header(nghttp2_session *session,
                     const nghttp2_frame *frame,
                     const uint8_t *name,
                     size_t name_size,
                     const uint8_t *value,
                     size_t value_size,
                     uint8_t flags,
                     void *user)
{
    struct sp_http2 *http2 = user;
    struct sp_http2_stream *stream = stream_of(session, frame->hd.stream_id);
    (void)flags;
    if (stream == NULL || stream != http2->reading) {
        return 0; // what follows a body is nobody's
    }
    snakepit_err err = sp_http2_stream_field(stream,
                                             (struct sp_slice){name, name_size},
                                             (struct sp_slice){value, value_size});
    return err == SNAKEPIT_OK ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void on_pong(struct sp_http2 *http2, const nghttp2_ping *ping)
{
    if (http2->leaving && !http2->left &&
        memcmp(ping->opaque_data, drain_mark, sizeof drain_mark) == 0) {
        http2->left = true;
        (void)nghttp2_submit_goaway(
            http2->session,
            NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(http2->session),
            NGHTTP2_NO_ERROR,
            NULL,
            0);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sp_http2 *http2 = user;
    struct sp_http2_stream *stream = stream_of(session, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        on_pong(http2, &frame->ping);
    } else if (stream != NULL && stream == http2->reading) {
        http2->reading = NULL;
        sp_http2_stream_begin(stream, ends);
    } else if (stream != NULL && ends &&
               (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        sp_http2_stream_complete(stream);
    }
    return 0;
}

static int on_data(nghttp2_session *session,
                   uint8_t flags,
                   int32_t id,
                   const uint8_t *data,
                   size_t size,
                   void *user)
{
    struct sp_http2_stream *stream = stream_of(session, id);
    (void)flags;
    (void)user;
    if (stream != NULL) {
        sp_http2_stream_body(stream, (struct sp_slice){data, size});
    } else {
        (void)nghttp2_session_consume_connection(session, size);
    }
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sp_http2_stream *stream = stream_of(session, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
                (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS);
    (void)user;
    if (stream != NULL && ends) {
        sp_http2_stream_ended(stream);
    }
    return 0;
}

static int send_data(nghttp2_session *session,
                     nghttp2_frame *frame,
                     const uint8_t *head,
                     size_t length,
                     nghttp2_data_source *source,
                     void *user)
{
    (void)session;
    (void)user;
    (void)frame;
    snakepit_err err =
        sp_http2_stream_send(source->ptr, (struct sp_slice){head, 9}, length);
    return err == SNAKEPIT_OK ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct sp_http2_stream *stream = stream_of(session, id);
    (void)code;
    (void)user;
    if (stream != NULL) {
        sp_http2_stream_closed(stream);
    }
    return 0;
}

// ---- A session ----------------------------------------------------------------------

static void *on_malloc(size_t size, void *user)
{
    (void)user;
    return sp_realloc(NULL, size);
}

static void on_free(void *block, void *user)
{
    (void)user;
    sp_free(block);
}

static void *on_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return sp_alloc_array(count, size);
}

static void *on_realloc(void *block, size_t size, void *user)
{
    (void)user;
    return sp_realloc(block, size);
}

static nghttp2_session_callbacks *new_callbacks(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    return callbacks;
}

static nghttp2_option *new_options(void)
{
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0) {
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    return option;
}

static snakepit_err new_session(struct sp_http2 *http2)
{
    nghttp2_mem memory = {.malloc = on_malloc,
                          .free = on_free,
                          .calloc = on_calloc,
                          .realloc = on_realloc};
    nghttp2_session_callbacks *callbacks = new_callbacks();
    nghttp2_option *option = new_options();
    int rv = NGHTTP2_ERR_NOMEM;
    if (callbacks != NULL && option != NULL) {
        rv = nghttp2_session_server_new3(
            &http2->session, callbacks, http2, option, &memory);
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return rv == 0 ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static snakepit_err submit_settings(struct sp_http2 *http2)
{
    const struct sp_serve_config *config = sp_http2_config(http2);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)config->max_header_size},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int rv = nghttp2_submit_settings(
        http2->session, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof entries[0]);
    if (rv == 0) {
        rv = nghttp2_session_set_local_window_size(
            http2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    }
    return rv == 0 ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

// ---- What the connection tells ------------------------------------------------------

static void on_late(struct sp_wait *wait, enum sp_wait_for what)
{
    sp_http2_stream_late(SP_ENTRY(wait, struct sp_http2_stream, wait), what);
}

static void free_http2(struct sp_http2 *http2)
{
    sp_task_cancel(&http2->task);
    while (!sp_list_empty(&http2->streams)) {
        sp_http2_stream_free(
            SP_ENTRY(http2->streams.next, struct sp_http2_stream, link));
    }
    sp_waits_fini(&http2->waits);
    nghttp2_session_del(http2->session);
    sp_free(http2);
}

static snakepit_err open_http2(struct sp_connection *connection)
{
    struct sp_http2 *http2 = sp_alloc(sizeof *http2);
    if (http2 == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    http2->connection = connection;
    http2->turn = on_turn;
    const struct sp_serve_config *config = sp_http2_config(http2);
    const uint32_t limits[SP_WAITS] = {[SP_WAIT_BODY] = config->body_timeout_ms,
                                       [SP_WAIT_CLIENT] = config->write_timeout_ms,
                                       [SP_WAIT_END] = END_MS};
    sp_list_init(&http2->streams);
    sp_list_init(&http2->due);
    sp_waits_init(&http2->waits, &connection->loop->loop, limits, on_late);
    snakepit_err err = new_session(http2);
    if (err == SNAKEPIT_OK) {
        err = submit_settings(http2);
    }
    if (err != SNAKEPIT_OK) {
        free_http2(http2);
        return err;
    }
    connection->user = http2;
    sp_http2_ask_for_turn(http2);
    return SNAKEPIT_OK;
}

static void received(struct sp_connection *connection)
{
    struct sp_http2 *http2 = of_connection(connection);
    ssize_t taken = nghttp2_session_mem_recv(
        http2->session, connection->in.data, connection->in.size);
    bool floods = connection->full &&
                  nghttp2_session_get_outbound_queue_size(http2->session) > QUEUE_MOST;
    if (taken < 0 || floods) {
        abort_all(http2);
        return;
    }
    sp_connection_consume(connection, (size_t)taken);
    sp_http2_ask_for_turn(http2);
}

// Whoever says nothing more takes nothing more either: there is no window without a
// word.
static void ended(struct sp_connection *connection)
{
    struct sp_http2 *http2 = of_connection(connection);
    give_up_all(http2);
    if (http2->count > 0) {
        abort_all(http2);
    }
}

static void writable(struct sp_connection *connection)
{
    sp_http2_ask_for_turn(of_connection(connection));
}

static void late(struct sp_connection *connection, enum sp_wait_for what)
{
    struct sp_http2 *http2 = of_connection(connection);
    if (what == SP_WAIT_REQUEST || what == SP_WAIT_HEADER) {
        (void)nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR);
        send_frames(http2);
    }
}

static void leave(struct sp_http2 *http2)
{
    if (!http2->leaving) {
        http2->leaving = true;
        (void)nghttp2_submit_shutdown_notice(http2->session);
        (void)nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, drain_mark);
        sp_http2_ask_for_turn(http2);
    }
}

// It is closed once the client has heard that, or has taken too long to.
static bool drain(struct sp_connection *connection)
{
    leave(of_connection(connection));
    return false;
}

static void close_http2(struct sp_connection *connection)
{
    free_http2(of_connection(connection));
}

const struct sp_protocol sp_http2 = {
    .open = open_http2,
    .received = received,
    .ended = ended,
    .writable = writable,
    .late = late,
    .drain = drain,
    .close = close_http2,
};
