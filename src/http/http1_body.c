// SPDX-License-Identifier: MIT
// What has come is in the block at once: the connection reads into it. It has room for
// some of what is still to come, twice as much each time, so that a client has no
// memory for what it only says that it will send.
#include "http/http1_body.h"

#include <string.h>

#include "base/clock.h"
#include "server/server.h"

#define READ_INTO 4096u  // bytes of a chunk that are worth to be read where they belong
#define AHEAD     65536u // bytes to come for which there is room at least

// A body while it is read.
struct reading {
    struct sp_http1_body *body;
    struct sp_connection *connection;
    struct sp_refusal *refusal;
};

static enum sp_http1_body_is
refuse(const struct reading *reading, unsigned status, const char *why)
{
    *reading->refusal = (struct sp_refusal){.status = status, .why = why};
    return SP_HTTP1_BODY_IS_REFUSED;
}

// Makes room for `more` bytes, and for some of the `rest` behind them. IS_MORE: there
// is.
static enum sp_http1_body_is
make_room(const struct reading *reading, size_t more, size_t rest)
{
    struct sp_http1_body *body = reading->body;
    const struct sp_serve_loop *loop = reading->connection->loop;
    more += rest < AHEAD ? rest : AHEAD;
    snakepit_err err = sp_counted_grow(&body->block, loop->budget, more, body->most);
    if (err == SNAKEPIT_AGAIN) {
        sp_budget_tell(loop->budget, loop->options->log, sp_clock_now());
        return refuse(
            reading, 503, "the bodies of all requests take max_memory already");
    }
    return err == SNAKEPIT_OK ? SP_HTTP1_BODY_IS_MORE : SP_HTTP1_BODY_IS_BROKEN;
}

static void append(struct sp_http1_body *body, struct sp_slice bytes)
{
    struct sp_buf *block = &body->block.bytes;
    if (bytes.size > 0) {
        memcpy(block->data + block->size, bytes.data, bytes.size);
        block->size += bytes.size;
    }
}

// The next of the `rest` bytes are read where they belong.
static void expect(const struct reading *reading, size_t rest)
{
    struct sp_buf *block = &reading->body->block.bytes;
    const size_t room = block->capacity - block->size;
    sp_connection_expect(reading->connection, block, rest < room ? rest : room);
}

// ---- Of a length that is known ----------------------------------------------------

static enum sp_http1_body_is read_length(const struct reading *reading)
{
    struct sp_http1_body *body = reading->body;
    const struct sp_buf *in = &reading->connection->in;
    size_t rest = body->most - body->block.bytes.size;
    const size_t there = in->size < rest ? in->size : rest;
    rest -= there;
    enum sp_http1_body_is is = make_room(reading, there, rest);
    if (is != SP_HTTP1_BODY_IS_MORE) {
        return is;
    }
    append(body, (struct sp_slice){in->data, there});
    sp_connection_consume(reading->connection, there);
    if (rest > 0) {
        expect(reading, rest);
    }
    return rest > 0 ? SP_HTTP1_BODY_IS_MORE : SP_HTTP1_BODY_IS_WHOLE;
}

// ---- In chunks --------------------------------------------------------------------

static enum sp_http1_body_is take_piece(const struct reading *reading,
                                        struct sp_slice piece)
{
    struct sp_http1_body *body = reading->body;
    const size_t room = body->most - body->block.bytes.size;
    // A size is judged when its line has ended, so that what follows a large one in it
    // counts whether it has come already or not.
    const bool sized = body->chunks.state == SP_HTTP1_CHUNK_DATA;
    const uint64_t left = sized ? body->chunks.left : 0;
    if (piece.size > room || left > room - piece.size) {
        return refuse(reading, 413, "the body is larger than max_message");
    }
    enum sp_http1_body_is is = make_room(reading, piece.size, 0);
    if (is == SP_HTTP1_BODY_IS_MORE) {
        append(body, piece);
    }
    return is;
}

static enum sp_http1_body_is read_pieces(const struct reading *reading,
                                         struct sp_slice *bytes)
{
    struct sp_http1_chunks *chunks = &reading->body->chunks;
    enum sp_http1_body_is is = SP_HTTP1_BODY_IS_MORE;
    while (is == SP_HTTP1_BODY_IS_MORE && bytes->size != 0 &&
           chunks->state != SP_HTTP1_CHUNK_END) {
        struct sp_slice piece;
        const struct sp_refusal refusal = sp_http1_chunks_next(chunks, bytes, &piece);
        is = refusal.status != 0 ? refuse(reading, refusal.status, refusal.why)
                                 : take_piece(reading, piece);
    }
    return is;
}

// The rest of a large chunk is read where it belongs.
static enum sp_http1_body_is expect_chunk(const struct reading *reading)
{
    const struct sp_http1_chunks *chunks = &reading->body->chunks;
    if (chunks->state != SP_HTTP1_CHUNK_DATA || chunks->left < READ_INTO) {
        return SP_HTTP1_BODY_IS_MORE;
    }
    const size_t left = (size_t)chunks->left;
    enum sp_http1_body_is is = make_room(reading, 0, left);
    if (is == SP_HTTP1_BODY_IS_MORE) {
        expect(reading, left);
    }
    return is;
}

static enum sp_http1_body_is read_chunks(const struct reading *reading)
{
    struct sp_http1_body *body = reading->body;
    struct sp_connection *connection = reading->connection;
    struct sp_slice bytes = {connection->in.data, connection->in.size};
    // What was read where it belongs, the chunks have not seen.
    if (body->block.bytes.size > body->known) {
        sp_http1_chunks_skip(&body->chunks, body->block.bytes.size - body->known);
    }
    enum sp_http1_body_is is = read_pieces(reading, &bytes);
    if (is != SP_HTTP1_BODY_IS_MORE) {
        return is;
    }
    sp_connection_consume(connection, connection->in.size - bytes.size);
    body->known = body->block.bytes.size;
    return body->chunks.state == SP_HTTP1_CHUNK_END ? SP_HTTP1_BODY_IS_WHOLE
                                                    : expect_chunk(reading);
}

// ---- Both -------------------------------------------------------------------------

void sp_http1_body_begin(struct sp_http1_body *body,
                         const struct sp_http1_head *head,
                         size_t most,
                         uint64_t now)
{
    body->most = head->chunked ? most : (size_t)head->length;
    body->began = now;
    body->chunked = head->chunked;
    body->chunks = (struct sp_http1_chunks){0};
    body->known = 0;
}

enum sp_http1_body_is sp_http1_body_read(struct sp_http1_body *body,
                                         struct sp_connection *connection,
                                         uint64_t now,
                                         struct sp_refusal *refusal)
{
    const struct reading reading = {body, connection, refusal};
    const struct sp_serve_config *config = connection->loop->options->config;
    enum sp_http1_body_is is =
        body->chunked ? read_chunks(&reading) : read_length(&reading);
    if (is == SP_HTTP1_BODY_IS_MORE && !sp_budget_keeps_pace(now - body->began,
                                                             body->block.bytes.size,
                                                             config->body_timeout_ms,
                                                             config->body_min_rate)) {
        return refuse(&reading, 408, "the body comes slower than body_min_rate");
    }
    return is;
}

void sp_http1_body_forget(struct sp_http1_body *body,
                          struct sp_connection *connection,
                          size_t kept)
{
    if (connection->sink == &body->block.bytes) {
        sp_connection_expect(connection, NULL, 0);
    }
    sp_counted_forget(&body->block, connection->loop->budget, kept);
}
