// SPDX-License-Identifier: MIT
#include "protobuf/wire.h"

// ---- Reading ------------------------------------------------------------------------

// Bits beyond 64 are dropped, as others do.
bool sp_wire_long_varint(struct sp_wire *wire, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (wire->at == wire->end) {
            return false;
        }
        const uint8_t byte = *wire->at++;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = sum;
            return true;
        }
    }
    return false;
}

// One of at most 32 bits, in at most five bytes.
static bool short_varint(struct sp_wire *wire, uint64_t most, uint64_t *value)
{
    const uint8_t *start = wire->at;
    return sp_wire_varint(wire, value) && wire->at - start <= 5 && *value <= most;
}

bool sp_wire_tag(struct sp_wire *wire, uint32_t *number, enum sp_wire_type *type)
{
    uint64_t tag;
    if (!short_varint(wire, UINT32_MAX, &tag)) {
        return false;
    }
    *number = (uint32_t)(tag >> 3);
    *type = (enum sp_wire_type)(tag & 7);
    return *number != 0 && *type <= SP_WIRE_FIXED32;
}

static bool step(struct sp_wire *wire, size_t bytes)
{
    if (bytes > (size_t)(wire->end - wire->at)) {
        return false;
    }
    wire->at += bytes;
    return true;
}

bool sp_wire_bytes(struct sp_wire *wire, struct sp_slice *bytes)
{
    uint64_t size;
    if (!short_varint(wire, SP_WIRE_SIZE_MAX, &size)) {
        return false;
    }
    *bytes = (struct sp_slice){wire->at, (size_t)size};
    return step(wire, (size_t)size);
}

// The next `size` bytes as a number, the lowest first.
static bool fixed(struct sp_wire *wire, unsigned size, uint64_t *bits)
{
    const uint8_t *at = wire->at;
    *bits = 0;
    if (!step(wire, size)) {
        return false;
    }
    for (unsigned i = 0; i < size; i++) {
        *bits |= (uint64_t)at[i] << (8 * i);
    }
    return true;
}

bool sp_wire_double(struct sp_wire *wire, double *value)
{
    uint64_t bits;
    const bool read = fixed(wire, 8, &bits);
    if (read) {
        memcpy(value, &bits, sizeof *value);
    }
    return read;
}

bool sp_wire_float(struct sp_wire *wire, float *value)
{
    uint64_t bits;
    const bool read = fixed(wire, 4, &bits);
    const uint32_t low = (uint32_t)bits;
    if (read) {
        memcpy(value, &low, sizeof *value);
    }
    return read;
}

static bool skip_group(struct sp_wire *wire, uint32_t number, unsigned depth)
{
    uint32_t inner;
    enum sp_wire_type type;
    while (sp_wire_tag(wire, &inner, &type)) {
        if (type == SP_WIRE_GROUP_END) {
            return inner == number;
        }
        if (depth == 0 || !sp_wire_skip(wire, inner, type, depth - 1)) {
            return false;
        }
    }
    return false;
}

bool sp_wire_skip(struct sp_wire *wire,
                  uint32_t number,
                  enum sp_wire_type type,
                  unsigned depth)
{
    uint64_t value;
    struct sp_slice bytes;
    switch (type) {
    case SP_WIRE_VARINT:
        return sp_wire_varint(wire, &value);
    case SP_WIRE_FIXED64:
        return step(wire, 8);
    case SP_WIRE_BYTES:
        return sp_wire_bytes(wire, &bytes);
    case SP_WIRE_GROUP:
        return skip_group(wire, number, depth);
    case SP_WIRE_FIXED32:
        return step(wire, 4);
    default:
        return false; // the end of a group that none has begun
    }
}

// ---- Writing ------------------------------------------------------------------------

// Room for a tag and a number, and `more` behind them; NULL: without memory.
static uint8_t *room_for(struct sp_buf *buf, size_t more)
{
    return more > SP_WIRE_SIZE_MAX ||
                   sp_buf_reserve(buf, SP_WIRE_TAG_MAX + SP_WIRE_VARINT_MAX + more) !=
                       SNAKEPIT_OK
               ? NULL
               : buf->data + buf->size;
}

static void until(struct sp_buf *buf, const uint8_t *end)
{
    buf->size = (size_t)(end - buf->data);
}

snakepit_err sp_wire_add_varint(struct sp_buf *buf, uint32_t number, uint64_t value)
{
    uint8_t *out = room_for(buf, 0);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    until(buf, sp_wire_put_varint(sp_wire_put_tag(out, number, SP_WIRE_VARINT), value));
    return SNAKEPIT_OK;
}

static snakepit_err
add_fixed(struct sp_buf *buf, uint32_t number, enum sp_wire_type type, uint64_t bits)
{
    uint8_t *out = room_for(buf, 0);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    out = sp_wire_put_tag(out, number, type);
    for (unsigned i = 0; i < (type == SP_WIRE_FIXED64 ? 8u : 4u); i++) {
        *out++ = (uint8_t)(bits >> (8 * i));
    }
    until(buf, out);
    return SNAKEPIT_OK;
}

snakepit_err sp_wire_add_double(struct sp_buf *buf, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return add_fixed(buf, number, SP_WIRE_FIXED64, bits);
}

snakepit_err sp_wire_add_float(struct sp_buf *buf, uint32_t number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return add_fixed(buf, number, SP_WIRE_FIXED32, bits);
}

snakepit_err
sp_wire_add_bytes(struct sp_buf *buf, uint32_t number, struct sp_slice bytes)
{
    uint8_t *out = room_for(buf, bytes.size);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    out = sp_wire_put_varint(sp_wire_put_tag(out, number, SP_WIRE_BYTES), bytes.size);
    if (bytes.size != 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    until(buf, out + bytes.size);
    return SNAKEPIT_OK;
}

snakepit_err sp_wire_add_text(struct sp_buf *buf, uint32_t number, const char *text)
{
    return sp_wire_add_bytes(buf, number, sp_slice_of_text(text));
}

snakepit_err sp_wire_begin(struct sp_buf *buf, uint32_t number, size_t *start)
{
    uint8_t *out = room_for(buf, 0);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    out = sp_wire_put_tag(out, number, SP_WIRE_BYTES);
    *out++ = 0;
    until(buf, out);
    *start = buf->size;
    return SNAKEPIT_OK;
}

snakepit_err sp_wire_end(struct sp_buf *buf, size_t start, size_t more, size_t *gap)
{
    uint8_t length[SP_WIRE_VARINT_MAX];
    const size_t here = buf->size - start;
    if (here > SP_WIRE_SIZE_MAX || more > SP_WIRE_SIZE_MAX - here) {
        return SNAKEPIT_NO_MEMORY;
    }
    const size_t size = (size_t)(sp_wire_put_varint(length, here + more) - length);
    if (sp_buf_reserve(buf, size) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    *gap = size - 1;
    if (*gap != 0) {
        memmove(buf->data + start + *gap, buf->data + start, here);
        buf->size += *gap;
    }
    memcpy(buf->data + start - 1, length, size);
    return SNAKEPIT_OK;
}
