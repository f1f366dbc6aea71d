// SPDX-License-Identifier: MIT
// The wire format: tags, varints and lengths, both ways.
#ifndef PROTOBUF_WIRE_H
#define PROTOBUF_WIRE_H

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"

enum sp_wire_type {
    SP_WIRE_VARINT = 0,
    SP_WIRE_FIXED64 = 1,
    SP_WIRE_BYTES = 2,
    SP_WIRE_GROUP = 3,
    SP_WIRE_GROUP_END = 4,
    SP_WIRE_FIXED32 = 5,
};

#define SP_WIRE_VARINT_MAX 10u // bytes of the longest
#define SP_WIRE_TAG_MAX    5u
#define SP_WIRE_SIZE_MAX   INT32_MAX // bytes of a message, a text or a list

// ---- Reading ------------------------------------------------------------------------

// A place in foreign bytes. Plain data.
struct sp_wire {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct sp_wire sp_wire_of(struct sp_slice bytes)
{
    return (struct sp_wire){bytes.data, bytes.data + bytes.size};
}

static inline bool sp_wire_ends(const struct sp_wire *wire)
{
    return wire->at == wire->end;
}

// These return false where the bytes are none of it; the place is anywhere then.
bool sp_wire_long_varint(struct sp_wire *wire, uint64_t *value);

static inline bool sp_wire_varint(struct sp_wire *wire, uint64_t *value)
{
    if (wire->at < wire->end && *wire->at < 0x80) {
        *value = *wire->at++;
        return true;
    }
    return sp_wire_long_varint(wire, value);
}

// A field's number, 1 to 2^29 - 1, and its type.
bool sp_wire_tag(struct sp_wire *wire, uint32_t *number, enum sp_wire_type *type);
bool sp_wire_bytes(struct sp_wire *wire, struct sp_slice *bytes);
bool sp_wire_double(struct sp_wire *wire, double *value);
bool sp_wire_float(struct sp_wire *wire, float *value);
// Steps over the value of a field that `number` and `type` have begun; groups are at
// most `depth` deep.
bool sp_wire_skip(struct sp_wire *wire,
                  uint32_t number,
                  enum sp_wire_type type,
                  unsigned depth);

// ---- Writing ------------------------------------------------------------------------

// Without a check: there is room.
static inline uint8_t *sp_wire_put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static inline uint8_t *
sp_wire_put_tag(uint8_t *out, uint32_t number, enum sp_wire_type type)
{
    return sp_wire_put_varint(out, (uint64_t)number << 3 | type);
}

// These append a whole field. NO_MEMORY.
snakepit_err sp_wire_add_varint(struct sp_buf *buf, uint32_t number, uint64_t value);
snakepit_err sp_wire_add_double(struct sp_buf *buf, uint32_t number, double value);
snakepit_err sp_wire_add_float(struct sp_buf *buf, uint32_t number, float value);
snakepit_err
sp_wire_add_bytes(struct sp_buf *buf, uint32_t number, struct sp_slice bytes);
snakepit_err sp_wire_add_text(struct sp_buf *buf, uint32_t number, const char *text);

// Begins a field that has a length, which is known when it ends. `*start` is where its
// content begins. NO_MEMORY.
snakepit_err sp_wire_begin(struct sp_buf *buf, uint32_t number, size_t *start);
// Ends it; `more` are bytes that belong to it and are elsewhere. A length of several
// bytes makes itself room: `*gap` says by how many bytes the content has moved.
// NO_MEMORY: also over SP_WIRE_SIZE_MAX.
snakepit_err sp_wire_end(struct sp_buf *buf, size_t start, size_t more, size_t *gap);

#endif
