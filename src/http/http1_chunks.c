// SPDX-License-Identifier: MIT
// A byte at a time but for the data. Blanks behind a size, a bare CR or LF, a size of
// more digits than a number has: all that others have read in two ways is refused.
#include "http/http1_chunks.h"

#include "base/check.h"
#include "http/chars.h"

#define DIGITS_MAX 16u

// What a byte leads to: another state, or nothing that may be there.
enum { WRONG = SP_HTTP1_CHUNK_END + 1 };

static unsigned expect(uint8_t byte, uint8_t wanted, enum sp_http1_chunk next)
{
    return byte == wanted ? (unsigned)next : WRONG;
}

static unsigned in_size(struct sp_http1_chunks *chunks, uint8_t byte)
{
    int digit = sp_char_hex(byte);
    if (digit >= 0 && chunks->digits < DIGITS_MAX) {
        chunks->digits++;
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        return SP_HTTP1_CHUNK_SIZE;
    }
    if (chunks->digits == 0) {
        return WRONG;
    }
    return byte == ';' ? SP_HTTP1_CHUNK_EXTENSION
                       : expect(byte, '\r', SP_HTTP1_CHUNK_SIZE_LF);
}

// Of an extension or a trailer, up to its CR.
static unsigned
in_extra(struct sp_http1_chunks *chunks, uint8_t byte, enum sp_http1_chunk next)
{
    return sp_char_is(byte, SP_CHAR_VALUE) ? (unsigned)chunks->state
                                           : expect(byte, '\r', next);
}

static unsigned in_name(uint8_t byte)
{
    return sp_char_is(byte, SP_CHAR_TOKEN)
               ? (unsigned)SP_HTTP1_CHUNK_TRAILER_NAME
               : expect(byte, ':', SP_HTTP1_CHUNK_TRAILER_VALUE);
}

static unsigned begin_trailer(uint8_t byte)
{
    return sp_char_is(byte, SP_CHAR_TOKEN) ? (unsigned)SP_HTTP1_CHUNK_TRAILER_NAME
                                           : expect(byte, '\r', SP_HTTP1_CHUNK_LAST_LF);
}

// Behind a size.
static unsigned begin_data(const struct sp_http1_chunks *chunks, uint8_t byte)
{
    return expect(
        byte, '\n', chunks->left != 0 ? SP_HTTP1_CHUNK_DATA : SP_HTTP1_CHUNK_TRAILER);
}

// Behind the data.
static unsigned begin_size(struct sp_http1_chunks *chunks, uint8_t byte)
{
    chunks->digits = 0;
    return expect(byte, '\n', SP_HTTP1_CHUNK_BEGIN);
}

static unsigned next_state(struct sp_http1_chunks *chunks, uint8_t byte)
{
    switch (chunks->state) {
    case SP_HTTP1_CHUNK_BEGIN:
    case SP_HTTP1_CHUNK_SIZE:
        return in_size(chunks, byte);
    case SP_HTTP1_CHUNK_EXTENSION:
        return in_extra(chunks, byte, SP_HTTP1_CHUNK_SIZE_LF);
    case SP_HTTP1_CHUNK_SIZE_LF:
        return begin_data(chunks, byte);
    case SP_HTTP1_CHUNK_DATA_CR:
        return expect(byte, '\r', SP_HTTP1_CHUNK_DATA_LF);
    case SP_HTTP1_CHUNK_DATA_LF:
        return begin_size(chunks, byte);
    case SP_HTTP1_CHUNK_TRAILER:
        return begin_trailer(byte);
    case SP_HTTP1_CHUNK_TRAILER_NAME:
        return in_name(byte);
    case SP_HTTP1_CHUNK_TRAILER_VALUE:
        return in_extra(chunks, byte, SP_HTTP1_CHUNK_TRAILER_LF);
    case SP_HTTP1_CHUNK_TRAILER_LF:
        return expect(byte, '\n', SP_HTTP1_CHUNK_TRAILER);
    case SP_HTTP1_CHUNK_LAST_LF:
        return expect(byte, '\n', SP_HTTP1_CHUNK_END);
    case SP_HTTP1_CHUNK_DATA:
    case SP_HTTP1_CHUNK_END:
        break;
    }
    return WRONG;
}

static bool counts(enum sp_http1_chunk state)
{
    return state == SP_HTTP1_CHUNK_EXTENSION || state == SP_HTTP1_CHUNK_TRAILER_NAME ||
           state == SP_HTTP1_CHUNK_TRAILER_VALUE;
}

static struct sp_refusal step(struct sp_http1_chunks *chunks, uint8_t byte)
{
    unsigned next = next_state(chunks, byte);
    if (next == WRONG) {
        return (struct sp_refusal){400, "a chunk of the body is malformed"};
    }
    chunks->state = (enum sp_http1_chunk)next;
    if (counts(chunks->state) && ++chunks->extras > SP_HTTP1_EXTRAS) {
        return (struct sp_refusal){431,
                                   "extensions or trailers of the body are too large"};
    }
    return (struct sp_refusal){0, NULL};
}

void sp_http1_chunks_skip(struct sp_http1_chunks *chunks, size_t bytes)
{
    SP_CHECK(chunks->state == SP_HTTP1_CHUNK_DATA && bytes <= chunks->left);
    chunks->left -= bytes;
    if (chunks->left == 0) {
        chunks->state = SP_HTTP1_CHUNK_DATA_CR;
    }
}

static size_t
take_data(struct sp_http1_chunks *chunks, struct sp_slice bytes, struct sp_slice *piece)
{
    size_t size = chunks->left < bytes.size ? (size_t)chunks->left : bytes.size;
    *piece = (struct sp_slice){bytes.data, size};
    sp_http1_chunks_skip(chunks, size);
    return size;
}

struct sp_refusal sp_http1_chunks_next(struct sp_http1_chunks *chunks,
                                       struct sp_slice *bytes,
                                       struct sp_slice *piece)
{
    struct sp_refusal refusal = {0, NULL};
    *piece = (struct sp_slice){NULL, 0};
    while (bytes->size != 0 && refusal.status == 0 && piece->size == 0 &&
           chunks->state != SP_HTTP1_CHUNK_END) {
        size_t used = 1;
        if (chunks->state == SP_HTTP1_CHUNK_DATA) {
            used = take_data(chunks, *bytes, piece);
        } else {
            refusal = step(chunks, bytes->data[0]);
        }
        bytes->data += used;
        bytes->size -= used;
    }
    return refusal;
}
