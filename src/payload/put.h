// SPDX-License-Identifier: MIT
// The heads and numbers of MessagePack, each in its shortest form. Each function writes
// to `out`, which has room for nine bytes, and returns how many it wrote.
#ifndef PAYLOAD_PUT_H
#define PAYLOAD_PUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sp_put_be() swaps");

static inline size_t sp_put_be(uint8_t *out, uint8_t head, uint64_t value, size_t width)
{
    uint64_t big = __builtin_bswap64(value << (64 - 8 * width));
    out[0] = head;
    memcpy(out + 1, &big, width);
    return 1 + width;
}

static inline size_t sp_put_uint(uint8_t *out, uint64_t value)
{
    if (value < 0x80) {
        *out = (uint8_t)value;
        return 1;
    }
    if (value <= UINT8_MAX) {
        return sp_put_be(out, 0xcc, value, 1);
    }
    if (value <= UINT16_MAX) {
        return sp_put_be(out, 0xcd, value, 2);
    }
    if (value <= UINT32_MAX) {
        return sp_put_be(out, 0xce, value, 4);
    }
    return sp_put_be(out, 0xcf, value, 8);
}

static inline size_t sp_put_negative(uint8_t *out, int64_t value)
{
    if (value >= -32) {
        *out = (uint8_t)value;
        return 1;
    }
    if (value >= INT8_MIN) {
        return sp_put_be(out, 0xd0, (uint64_t)value, 1);
    }
    if (value >= INT16_MIN) {
        return sp_put_be(out, 0xd1, (uint64_t)value, 2);
    }
    if (value >= INT32_MIN) {
        return sp_put_be(out, 0xd2, (uint64_t)value, 4);
    }
    return sp_put_be(out, 0xd3, (uint64_t)value, 8);
}

static inline size_t sp_put_double(uint8_t *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return sp_put_be(out, 0xcb, bits, 8);
}

// The three heads of one form, for lengths of 8, 16 and 32 bits.
struct sp_heads {
    uint8_t wide8;
    uint8_t wide16;
    uint8_t wide32;
};

static inline size_t sp_put_length(uint8_t *out, struct sp_heads heads, uint64_t length)
{
    if (length <= UINT8_MAX && heads.wide8 != 0) {
        return sp_put_be(out, heads.wide8, length, 1);
    }
    if (length <= UINT16_MAX) {
        return sp_put_be(out, heads.wide16, length, 2);
    }
    return sp_put_be(out, heads.wide32, length, 4);
}

// Of a text of at most UINT32_MAX bytes.
static inline size_t sp_put_text_head(uint8_t *out, uint64_t bytes)
{
    if (bytes < 32) {
        *out = (uint8_t)(0xa0 | bytes);
        return 1;
    }
    return sp_put_length(out, (struct sp_heads){0xd9, 0xda, 0xdb}, bytes);
}

#endif
