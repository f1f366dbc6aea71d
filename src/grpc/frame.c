// SPDX-License-Identifier: MIT
#include "grpc/frame.h"

#include <limits.h>
#include <string.h>

// Only its reader wants input that is not const.
#define ZLIB_CONST
#include <zlib.h>

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

static enum sp_grpc_read take_message(struct sp_grpc_reader *reader,
                                      struct sp_slice *bytes)
{
    struct sp_buf *message = &reader->message.bytes;
    const size_t taken = least(reader->size - message->size, bytes->size);
    snakepit_err err =
        sp_counted_grow(&reader->message, reader->budget, taken, reader->size);
    if (err != SNAKEPIT_OK) {
        return err == SNAKEPIT_AGAIN ? SP_GRPC_READ_SPENT : SP_GRPC_READ_NO_MEMORY;
    }
    if (taken > 0) {
        memcpy(message->data + message->size, bytes->data, taken);
        message->size += taken;
    }
    *bytes = behind(*bytes, taken);
    reader->whole = message->size == reader->size;
    return reader->whole ? SP_GRPC_READ_MESSAGE : SP_GRPC_READ_MORE;
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
    return take_message(reader, bytes);
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

// One step more into `out`, and one byte more than may come, to see that it does.
static int inflate_step(z_stream *stream, size_t most, struct sp_buf *out, size_t begin)
{
    const size_t room = least(STEP, most - (out->size - begin) + 1);
    if (sp_buf_reserve(out, room) != SNAKEPIT_OK) {
        return Z_MEM_ERROR;
    }
    stream->next_out = out->data + out->size;
    stream->avail_out = (uInt)room;
    const int rc = inflate(stream, Z_NO_FLUSH);
    out->size += room - stream->avail_out;
    return rc;
}

static snakepit_err inflate_all(z_stream *stream, size_t most, struct sp_buf *out)
{
    const size_t begin = out->size;
    int rc = Z_OK;
    while (rc == Z_OK) {
        rc = inflate_step(stream, most, out, begin);
        if (out->size - begin > most) {
            return SNAKEPIT_QUOTA_EXCEEDED;
        }
    }
    if (rc == Z_MEM_ERROR) {
        return SNAKEPIT_NO_MEMORY;
    }
    return rc == Z_STREAM_END && stream->avail_in == 0 ? SNAKEPIT_OK
                                                       : SNAKEPIT_MALFORMED;
}

snakepit_err sp_grpc_gunzip(struct sp_slice packed, size_t most, struct sp_buf *out)
{
    z_stream stream = {.next_in = packed.data, .avail_in = (uInt)packed.size};
    if (packed.size > UINT_MAX) {
        return SNAKEPIT_QUOTA_EXCEEDED;
    }
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = inflate_all(&stream, most, out);
    (void)inflateEnd(&stream);
    return err;
}
