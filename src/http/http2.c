// SPDX-License-Identifier: MIT
// Between a connection and nghttp2: bytes go in as they come, frames are made once a
// turn of the loop, as many as the client has room for. Whatever is refused by RFC 9113
// nghttp2 refuses; it also answers pings and settings, and ends a connection whose
// client lets these pile up.
//
// A connection that is to end says first that it will, and then, when the client has
// heard that, which stream was the last one: so none is lost that was on its way.
#include "http/http2.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/http2_inside.h"

#define STREAM_WINDOW     (1 << 20) // bytes of a body that may come unasked
#define CONNECTION_WINDOW (1 << 24) // of all together
#define END_MS            1000u     // for a client to end a request that is answered
#define RESETS            1000000u  // a second
#define CONTINUATIONS     8u        // frames of a header, beyond what it needs
#define FRAME             16384u    // bytes of a frame that clients send
#define BOMB              4u        // times max_header_size that are still read
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
    ssize_t size = 1;
    http2->answers = 0;
    http2->inside = true;
    while (size > 0 && nghttp2_session_want_write(http2->session) != 0 &&
           sp_connection_room(http2->connection) > 0) {
        const uint8_t *data;
        size = nghttp2_session_mem_send(http2->session, &data);
        const struct sp_slice bytes = {data, size > 0 ? (size_t)size : 0};
        if (size < 0 || sp_connection_send(http2->connection, bytes) != SNAKEPIT_OK) {
            abort_all(http2);
            size = 0;
        }
    }
    http2->inside = false;
}

static void send_now(struct sp_http2 *http2)
{
    send_frames(http2);
    sp_connection_send_now(http2->connection);
}

static void tell(struct sp_http2 *http2)
{
    struct sp_link *link;
    while ((link = sp_list_take(&http2->due)) != NULL) {
        sp_http2_stream_tell(SP_ENTRY(link, struct sp_http2_stream, due));
    }
    while (sp_http2_request_may_go_on(http2) &&
           (link = sp_list_take(&http2->waiting)) != NULL) {
        sp_http2_request_go_on(SP_ENTRY(link, struct sp_http2_stream, due));
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

// To nghttp2 the first word that it is to leave is the end, if there are no streams.
static bool is_over(const struct sp_http2 *http2)
{
    bool awaited = http2->leaving && !http2->left && http2->count == 0;
    return !awaited && nghttp2_session_want_read(http2->session) == 0 &&
           nghttp2_session_want_write(http2->session) == 0;
}

static void turn(struct sp_http2 *http2)
{
    send_frames(http2);
    tell(http2);
    wait_as_is(http2);
    if (is_over(http2)) {
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
    bool header = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION;
    http2->continues = header && (hd->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    (void)session;
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

// NOLINTNEXTLINE(readability-function-size): as nghttp2 calls it
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
    // More than a refusal can be worth.
    if (stream->large &&
        stream->head.size > BOMB * sp_http2_config(http2)->max_header_size) {
        (void)nghttp2_submit_rst_stream(
            session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_ENHANCE_YOUR_CALM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    snakepit_err err = sp_http2_request_field(stream,
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

static void leave(struct sp_http2 *http2)
{
    if (!http2->leaving) {
        http2->leaving = true;
        (void)nghttp2_submit_shutdown_notice(http2->session);
        sp_http2_ask_for_turn(http2);
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
        if (http2->leaves_at != 0 && sp_clock_now() >= http2->leaves_at) {
            leave(http2);
        }
        sp_http2_request_begin(stream, ends);
    } else if (stream != NULL && ends &&
               (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        sp_http2_request_complete(stream);
    }
    return 0;
}

// NOLINTNEXTLINE(readability-function-size): as nghttp2 calls it
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
        sp_http2_request_body(stream, (struct sp_slice){data, size});
    } else {
        (void)nghttp2_session_consume_connection(session, size);
    }
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sp_http2 *http2 = user;
    struct sp_http2_stream *stream = stream_of(session, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
                (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS);
    if (frame->hd.type == NGHTTP2_GOAWAY && http2->leaving && !http2->left) {
        // Whoever answers this has read what was sent before.
        (void)nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, drain_mark);
    } else if (stream != NULL && ends) {
        sp_http2_stream_ended(stream);
    }
    return 0;
}

// NOLINTNEXTLINE(readability-function-size): as nghttp2 calls it
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

static nghttp2_option *new_options(const struct sp_serve_config *config)
{
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0) {
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_continuations(
        option, (size_t)config->max_header_size / FRAME + CONTINUATIONS);
    // Clients that give up are not to be told from those that attack by how often they
    // do: what runs for them is bounded instead.
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS, RESETS);
    return option;
}

static snakepit_err new_session(struct sp_http2 *http2)
{
    nghttp2_mem memory = sp_http2_memory_functions(&http2->memory);
    nghttp2_session_callbacks *callbacks = new_callbacks();
    nghttp2_option *option = new_options(sp_http2_config(http2));
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

void sp_http2_waits_init(struct sp_waits *waits,
                         struct sp_loop *loop,
                         const struct sp_serve_config *config)
{
    const uint32_t limits[SP_WAITS] = {[SP_WAIT_BODY] = config->body_timeout_ms,
                                       [SP_WAIT_CLIENT] = config->write_timeout_ms,
                                       [SP_WAIT_END] = END_MS};
    sp_waits_init(waits, loop, limits, on_late);
}

// All of a fleet that were begun at once do not end at once.
static void set_age(struct sp_http2 *http2)
{
    uint64_t ms = sp_http2_config(http2)->max_connection_age_ms;
    uint64_t now = sp_clock_now();
    uint64_t tenth = ms * SP_NS_PER_MS / 10;
    if (ms > 0) {
        http2->leaves_at = now + 9 * tenth + now % (2 * tenth);
    }
}

static void free_http2(struct sp_http2 *http2)
{
    sp_task_cancel(&http2->task);
    while (!sp_list_empty(&http2->streams)) {
        sp_http2_stream_free(
            SP_ENTRY(http2->streams.next, struct sp_http2_stream, link));
    }
    sp_unfinished_free(http2->unfinished);
    sp_http2_memory_fini(&http2->memory);
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
    http2->send = send_now;
    sp_http2_memory_init(&http2->memory, &connection->loop->blocks);
    sp_list_init(&http2->streams);
    sp_list_init(&http2->due);
    sp_list_init(&http2->waiting);
    set_age(http2);
    http2->unfinished = sp_unfinished_new();
    snakepit_err err =
        http2->unfinished == NULL ? SNAKEPIT_NO_MEMORY : new_session(http2);
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
    http2->inside = true;
    ssize_t taken = nghttp2_session_mem_recv(
        http2->session, connection->in.data, connection->in.size);
    http2->inside = false;
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
