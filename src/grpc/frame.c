// SPDX-License-Identifier: MIT
#include "grpc/frame.h"

#include <limits.h>
#include <string.h>

// Only its reader wants input that is not const.
#define ZLIB_CONST
#include <zlib.h>

#include "base/check.h"

#define KEPT        4096u             // bytes of room for the next message
#define STEP        ((size_t)1 << 16) // bytes that are inflated at once
#define GZIP_WINDOW (15 + 16)         // zlib: the largest window, in a gzip stream

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

static struct sp_slice behind(struct sp_slice bytes, size_t taken)
{
    return (struct sp_slice){bytes.data + taken, bytes.size - taken};
}

// ---- Reading --------------------------------------------------------------------

static void begin_next(struct sp_grpc_reader *reader)
{
    reader->whole = false;
    reader->prefix_size = 0;
    reader->aside = (struct sp_grpc_aside){.room = NULL};
    sp_counted_forget(&reader->message, reader->budget, KEPT);
}

static size_t size_in(const uint8_t prefix[SP_GRPC_PREFIX_SIZE])
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
           prefix[4];
}

// MESSAGE: the prefix is whole, and fine.
static enum sp_grpc_read take_prefix(struct sp_grpc_reader *reader,
                                     struct sp_slice *bytes)
{
    const size_t taken =
        least(SP_GRPC_PREFIX_SIZE - (size_t)reader->prefix_size, bytes->size);
    if (taken > 0) {
        memcpy(reader->prefix + reader->prefix_size, bytes->data, taken);
    }
    reader->prefix_size = (uint8_t)(reader->prefix_size + taken);
    *bytes = behind(*bytes, taken);
    if (reader->prefix_size > 0 && reader->prefix[0] > 1) {
        return SP_GRPC_READ_BAD_FLAG;
    }
    if (reader->prefix_size < SP_GRPC_PREFIX_SIZE) {
        return SP_GRPC_READ_MORE;
    }
    reader->compressed = reader->prefix[0] == 1;
    reader->size = size_in(reader->prefix);
    return reader->size > reader->most ? SP_GRPC_READ_TOO_LARGE : SP_GRPC_READ_MESSAGE;
}

static bool goes_aside(const struct sp_grpc_reader *reader)
{
    return reader->aside.taken < reader->aside.size;
}

// How many of the next bytes go to one place.
static size_t next_part(const struct sp_grpc_reader *reader)
{
    const struct sp_grpc_aside *aside = &reader->aside;
    const size_t there = reader->message.bytes.size;
    size_t part = reader->size - there - aside->taken;
    if (goes_aside(reader)) {
        part = aside->size - aside->taken;
    } else if (reader->stop > there) {
        part = least(part, reader->stop - there);
    }
    return part;
}

static enum sp_grpc_read append(struct sp_grpc_reader *reader, struct sp_slice bytes)
{
    struct sp_buf *message = &reader->message.bytes;
    snakepit_err err = sp_counted_grow(&reader->message,
                                       reader->budget,
                                       bytes.size,
                                       reader->size - reader->aside.size);
    if (err != SNAKEPIT_OK) {
        return err == SNAKEPIT_AGAIN ? SP_GRPC_READ_SPENT : SP_GRPC_READ_NO_MEMORY;
    }
    if (bytes.size > 0) {
        memcpy(message->data + message->size, bytes.data, bytes.size);
        message->size += bytes.size;
    }
    return SP_GRPC_READ_MORE;
}

static enum sp_grpc_read take_part(struct sp_grpc_reader *reader,
                                   struct sp_slice *bytes)
{
    struct sp_grpc_aside *aside = &reader->aside;
    const struct sp_slice part = {bytes->data, least(next_part(reader), bytes->size)};
    enum sp_grpc_read read = SP_GRPC_READ_MORE;
    if (goes_aside(reader)) {
        memcpy(aside->room + aside->taken, part.data, part.size);
        aside->taken += part.size;
    } else {
        read = append(reader, part);
    }
    *bytes = behind(*bytes, part.size);
    const size_t there = reader->message.bytes.size;
    reader->whole = there + aside->taken == reader->size;
    if (read == SP_GRPC_READ_MORE && reader->stop > 0 && there == reader->stop) {
        reader->stop = 0;
        read = reader->whole ? read : SP_GRPC_READ_HEAD;
    }
    return read == SP_GRPC_READ_MORE && reader->whole ? SP_GRPC_READ_MESSAGE : read;
}

enum sp_grpc_read sp_grpc_reader_take(struct sp_grpc_reader *reader,
                                      struct sp_slice *bytes)
{
    if (reader->whole) {
        begin_next(reader);
    }
    if (reader->prefix_size < SP_GRPC_PREFIX_SIZE) {
        const enum sp_grpc_read read = take_prefix(reader, bytes);
        if (read != SP_GRPC_READ_MESSAGE) {
            return read;
        }
    }
    enum sp_grpc_read read = take_part(reader, bytes);
    while (read == SP_GRPC_READ_MORE && bytes->size > 0) {
        read = take_part(reader, bytes);
    }
    return read;
}

void sp_grpc_reader_put_aside(struct sp_grpc_reader *reader,
                              void *room,
                              size_t at,
                              size_t size)
{
    struct sp_buf *message = &reader->message.bytes;
    SP_CHECK(at <= message->size && size > message->size - at);
    const size_t come = message->size - at;
    memcpy(room, message->data + at, come);
    message->size = at;
    reader->aside =
        (struct sp_grpc_aside){.room = room, .at = at, .size = size, .taken = come};
}

bool sp_grpc_reader_is_amid(const struct sp_grpc_reader *reader)
{
    return reader->prefix_size > 0 && !reader->whole;
}

void sp_grpc_reader_fini(struct sp_grpc_reader *reader)
{
    sp_counted_forget(&reader->message, reader->budget, 0);
}

// ---- Writing --------------------------------------------------------------------

snakepit_err sp_grpc_frame_begin(struct sp_buf *out, size_t *at)
{
    static const uint8_t prefix[SP_GRPC_PREFIX_SIZE];
    *at = out->size;
    return sp_buf_append(out, prefix, sizeof prefix);
}

snakepit_err sp_grpc_frame_set(uint8_t prefix[SP_GRPC_PREFIX_SIZE], size_t size)
{
    if (size > UINT32_MAX) {
        return SNAKEPIT_QUOTA_EXCEEDED;
    }
    prefix[0] = 0;
    prefix[1] = (uint8_t)(size >> 24);
    prefix[2] = (uint8_t)(size >> 16);
    prefix[3] = (uint8_t)(size >> 8);
    prefix[4] = (uint8_t)size;
    return SNAKEPIT_OK;
}

snakepit_err sp_grpc_frame_end(struct sp_buf *out, size_t at)
{
    return sp_grpc_frame_set(out->data + at, out->size - at - SP_GRPC_PREFIX_SIZE);
}

// ---- Compression ----------------------------------------------------------------

struct unpacking {
    z_stream stream;
    size_t most;
    struct sp_budget *budget;
    struct sp_counted *out;
};

// One step more, and one byte more than may come, to see that it does.
static snakepit_err inflate_step(struct unpacking *unpacking, int *rc)
{
    z_stream *stream = &unpacking->stream;
    struct sp_buf *bytes = &unpacking->out->bytes;
    const size_t step = bytes->size == 0 ? KEPT : STEP; // most messages are small
    const size_t room = least(step, unpacking->most - bytes->size + 1);
    snakepit_err err =
        sp_counted_grow(unpacking->out, unpacking->budget, room, unpacking->most + 1);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    stream->next_out = bytes->data + bytes->size;
    stream->avail_out = (uInt)room;
    *rc = inflate(stream, Z_NO_FLUSH);
    bytes->size += room - stream->avail_out;
    return bytes->size > unpacking->most ? SNAKEPIT_QUOTA_EXCEEDED : SNAKEPIT_OK;
}

static snakepit_err inflate_all(struct unpacking *unpacking)
{
    int rc = Z_OK;
    snakepit_err err = SNAKEPIT_OK;
    while (rc == Z_OK && err == SNAKEPIT_OK) {
        err = inflate_step(unpacking, &rc);
    }
    if (err != SNAKEPIT_OK || rc == Z_MEM_ERROR) {
        return err != SNAKEPIT_OK ? err : SNAKEPIT_NO_MEMORY;
    }
    return rc == Z_STREAM_END && unpacking->stream.avail_in == 0 ? SNAKEPIT_OK
                                                                 : SNAKEPIT_MALFORMED;
}

snakepit_err sp_grpc_gunzip(struct sp_slice packed,
                            size_t most,
                            struct sp_budget *budget,
                            struct sp_counted *out)
{
    struct unpacking unpacking = {
        .stream = {.next_in = packed.data, .avail_in = (uInt)packed.size},
        .most = most,
        .budget = budget,
        .out = out};
    if (packed.size > UINT_MAX) {
        return SNAKEPIT_QUOTA_EXCEEDED;
    }
    if (inflateInit2(&unpacking.stream, GZIP_WINDOW) != Z_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    out->bytes.size = 0;
    snakepit_err err = inflate_all(&unpacking);
    (void)inflateEnd(&unpacking.stream);
    return err;
}
