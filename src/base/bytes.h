// SPDX-License-Identifier: MIT
// Names and small values have a few bytes, and a call of memcpy() or memcmp() costs
// more than these. From four bytes on two loads that overlap are all of up to twice
// their size.
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t sp_bytes_load4(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t sp_bytes_load8(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

// As memcpy(); `from` may be NULL where `size` is 0.
static inline void sp_bytes_copy(uint8_t *to, const void *from, size_t size)
{
    const uint8_t *at = (const uint8_t *)from;
    if (size > 16) {
        memcpy(to, at, size);
    } else if (size >= 8) {
        uint64_t first = sp_bytes_load8(at);
        uint64_t last = sp_bytes_load8(at + size - 8);
        memcpy(to, &first, sizeof first);
        memcpy(to + size - 8, &last, sizeof last);
    } else if (size >= 4) {
        uint32_t first = sp_bytes_load4(at);
        uint32_t last = sp_bytes_load4(at + size - 4);
        memcpy(to, &first, sizeof first);
        memcpy(to + size - 4, &last, sizeof last);
    } else if (size > 0) {
        uint8_t middle = at[size / 2];
        uint8_t last = at[size - 1];
        to[0] = at[0];
        to[size / 2] = middle;
        to[size - 1] = last;
    }
}

// Whether both have the same bytes.
static inline bool sp_bytes_equal(const void *one, const void *other, size_t size)
{
    const uint8_t *a = (const uint8_t *)one;
    const uint8_t *b = (const uint8_t *)other;
    if (size > 16) {
        return memcmp(a, b, size) == 0;
    }
    if (size >= 8) {
        return ((sp_bytes_load8(a) ^ sp_bytes_load8(b)) |
                (sp_bytes_load8(a + size - 8) ^ sp_bytes_load8(b + size - 8))) == 0;
    }
    if (size >= 4) {
        return ((sp_bytes_load4(a) ^ sp_bytes_load4(b)) |
                (sp_bytes_load4(a + size - 4) ^ sp_bytes_load4(b + size - 4))) == 0;
    }
    return size == 0 ||
           (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

#endif
