// SPDX-License-Identifier: MIT
// What the files of HTTP/2 share: a connection, and its streams.
//
// Whatever a handler calls only tells nghttp2 what is to be sent, and asks for a turn
// of the loop; frames are made there, or when many answers wait for them, and what
// happened meanwhile is told there: so nothing is told to a handler from within a
// function it has called.
#ifndef HTTP_HTTP2_INSIDE_H
#define HTTP_HTTP2_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/slice.h"
#include "http/http2_fields.h"
#include "http/http2_memory.h"
#include "server/connection.h"
#include "server/exchange.h"
#include "server/server.h"
#include "server/waits.h"

#define SP_HTTP2_FEW   16u // fields for which there is always room
#define SP_HTTP2_EARLY 32u // answers that are sent before others are made

struct sp_http2_stream;

// Owner: the loop thread of its connection.
struct sp_http2 {
    struct sp_connection *connection;
    nghttp2_session *session;
    struct sp_http2_memory memory; // of the session
    struct sp_link streams; // all that nghttp2 has not forgotten, or that are in `due`
    size_t count;           // of them
    struct sp_link due;     // those with something to tell
    struct sp_task task;    // makes frames, and tells
    sp_task_fn *turn;       // its function
    void (*send)(struct sp_http2 *http2); // makes frames, and sends them at once
    struct sp_http2_stream *reading;      // the one whose header comes
    struct sp_unfinished *unfinished;     // calls whose streams are gone
    uint64_t kept;                        // bytes of bodies
    struct sp_http2_stream *first;        // the one that may go on nevertheless
    size_t held_back;                     // streams that have `owed`
    uint64_t queued;                      // bytes of answers
    size_t answers;                       // that wait for their frames
    bool inside;                          // nghttp2 runs
    struct sp_link waiting;               // for those to be taken, by `due`
    uint64_t leaves_at;                   // ns of sp_clock_now(); 0: never by itself
    bool continues;                       // a header goes on with another frame
    bool leaving;                         // takes no new streams after those under way
    bool left;                            // and has said which was the last one
};

enum sp_http2_state {
    SP_HTTP2_HEAD = 0, // its header comes
    SP_HTTP2_BODY,     // then its body
    SP_HTTP2_WORK,     // a handler has it
    SP_HTTP2_ANSWER,   // and has begun to answer
    SP_HTTP2_OVER,     // has answered; what is queued is still sent
};

struct sp_http2_stream {
    struct sp_exchange exchange; // first: exchange_room()
    struct sp_http2 *http2;
    int32_t id;
    enum sp_http2_state state;
    bool whole;   // the request is
    bool waits;   // for a handler, until others have been answered
    bool large;   // its header is larger than it may be
    bool headed;  // HEAD: the answer has no body
    bool ends;    // nothing follows what is in `out`
    bool resting; // nghttp2 has to be told when there is something to send
    bool full;    // room was 0: `writable` is due
    bool ended;   // all of the answer is sent
    bool closed;  // nghttp2 has forgotten it
    struct sp_http2_fields head;
    struct sp_http2_fields trailers;
    struct sp_buf body;   // which its handler may take
    size_t kept;          // bytes of it that count
    uint64_t begun;       // ns, when it was to come
    size_t owed;          // bytes of it of which the window was not given back
    size_t held;          // bytes of a body that streams, not taken yet
    struct sp_outbox out; // of the answer's body
    struct sp_link link;
    struct sp_link due;
    struct sp_wait wait;
    struct sp_field *fields; // `few`, or many
    struct sp_field few[SP_HTTP2_FEW];
};

// ---- Of the connection ------------------------------------------------------------

static inline const struct sp_serve_config *
sp_http2_config(const struct sp_http2 *http2)
{
    return http2->connection->loop->options->config;
}

// An answer is whole. Of many the first go out while others are made: so the client
// works beside the daemon rather than after it.
static inline void sp_http2_answered(struct sp_http2 *http2)
{
    if (++http2->answers >= SP_HTTP2_EARLY && !http2->inside) {
        http2->send(http2);
    }
}

// Frames are made, and what is due is told, when the current callback has returned.
static inline void sp_http2_ask_for_turn(struct sp_http2 *http2)
{
    if (!sp_task_waits(&http2->task)) {
        sp_loop_later(&http2->connection->loop->loop, &http2->task, http2->turn);
    }
}

// ---- Bodies that are kept; http2_body.c -------------------------------------------

enum sp_http2_kept {
    SP_HTTP2_KEPT = 0,
    SP_HTTP2_TOO_LARGE, // larger than max_message
    SP_HTTP2_TOO_MUCH,  // with those of the others, or there is no memory
    SP_HTTP2_SPENT,     // what all connections may keep
    SP_HTTP2_TOO_SLOW,
};

// Keeps more of a body, and counts it; not whether it is too large or too slow.
enum sp_http2_kept sp_http2_body_append(struct sp_http2_stream *stream,
                                        struct sp_slice bytes);
// More of a body: keeps it, and gives its window back, or owes that.
enum sp_http2_kept sp_http2_body_keep(struct sp_http2_stream *stream,
                                      struct sp_slice bytes);
// Frees it; others may go on.
void sp_http2_body_forget(struct sp_http2_stream *stream);

// ---- Streams; http2_stream.c ------------------------------------------------------

extern const struct sp_exchange_ops sp_http2_exchange_ops;

// NULL: no memory.
struct sp_http2_stream *sp_http2_stream_new(struct sp_http2 *http2, int32_t id);
// Frees it; a handler that has it is told that the client has gone.
void sp_http2_stream_free(struct sp_http2_stream *stream);
// Tells a handler that has it that the client has gone. It stays.
void sp_http2_stream_give_up(struct sp_http2_stream *stream);

// Whether a handler has it.
static inline bool sp_http2_stream_is_open(const struct sp_http2_stream *stream)
{
    return stream->state == SP_HTTP2_WORK || stream->state == SP_HTTP2_ANSWER;
}

// Begins to wait for what it waits for now. `moved`: the client has just done something
// for it, and has all its time for the rest.
void sp_http2_stream_wait(struct sp_http2_stream *stream, bool moved);
// Ends it for nghttp2, with an error code of HTTP/2.
void sp_http2_stream_reset(struct sp_http2_stream *stream, uint32_t code);
// No handler has it any longer.
void sp_http2_stream_finish(struct sp_http2_stream *stream);
// Answers without a handler.
void sp_http2_stream_refuse(struct sp_http2_stream *stream,
                            unsigned status,
                            const char *why);

// All of the answer has been sent.
void sp_http2_stream_ended(struct sp_http2_stream *stream);
// nghttp2 has forgotten it.
void sp_http2_stream_closed(struct sp_http2_stream *stream);

// What nghttp2 asks for: how much of the body to send, and `length` bytes of it with
// `head` before them.
ssize_t
sp_http2_stream_read(struct sp_http2_stream *stream, size_t most, uint32_t *flags);
snakepit_err sp_http2_stream_send(struct sp_http2_stream *stream,
                                  struct sp_slice head,
                                  size_t length);

// What it waited for has not come in time.
void sp_http2_stream_late(struct sp_http2_stream *stream, enum sp_wait_for what);
// Tells what is due, with which it may end.
void sp_http2_stream_tell(struct sp_http2_stream *stream);

// ---- What comes of a request; http2_request.c -------------------------------------

// One more field of its header. NO_MEMORY.
snakepit_err sp_http2_request_field(struct sp_http2_stream *stream,
                                    struct sp_slice name,
                                    struct sp_slice value);
// The header is whole.
void sp_http2_request_begin(struct sp_http2_stream *stream, bool whole);
// More of the body.
void sp_http2_request_body(struct sp_http2_stream *stream, struct sp_slice bytes);
// The body is whole.
void sp_http2_request_complete(struct sp_http2_stream *stream);
// Whether one that `waits` may go on, and that it does.
bool sp_http2_request_may_go_on(const struct sp_http2 *http2);
void sp_http2_request_go_on(struct sp_http2_stream *stream);

#endif
