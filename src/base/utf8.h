// SPDX-License-Identifier: MIT
// UTF-8, one character at a time.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool sp_utf8_is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

// Bytes of the character beyond ASCII that `at` begins with, of which `left` bytes are
// there; 0 for what is none: stray, cut, overlong, a surrogate, or over U+10FFFF.
static inline size_t sp_utf8_length(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (left < 2 || first < 0xc2 || first > 0xf4 || !sp_utf8_is_tail(at[1])) {
        return 0;
    }
    if (first < 0xe0) {
        return 2;
    }
    if (left < 3 || !sp_utf8_is_tail(at[2])) {
        return 0;
    }
    if (first < 0xf0) {
        bool overlong = first == 0xe0 && at[1] < 0xa0;
        bool surrogate = first == 0xed && at[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    bool overlong = first == 0xf0 && at[1] < 0x90;
    bool beyond = first == 0xf4 && at[1] >= 0x90;
    return left < 4 || !sp_utf8_is_tail(at[3]) || overlong || beyond ? 0 : 4;
}

#endif
