// SPDX-License-Identifier: MIT
// For each byte the sum of its kinds, sixteen in a row. tests/unit/http/test_chars.c
// has the kinds as RFC 9110, 9112 and 3986 write them.
#include "http/chars.h"

// clang-format off
const uint8_t sp_chars[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    16, 23, 16, 17, 23, 23, 23, 23, 22, 22, 23, 23, 22, 31, 31, 22,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 22, 22, 16, 22, 16, 20,
    22, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 20, 16, 20, 21, 31,
    21, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 20, 21, 20, 31, 0,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
};
// clang-format on

bool sp_chars_all(struct sp_slice text, enum sp_char kind)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!sp_char_is(text.data[i], kind)) {
            return false;
        }
    }
    return true;
}

bool sp_chars_number(struct sp_slice text, uint64_t *number)
{
    uint64_t value = 0;
    if (text.size == 0 || !sp_chars_all(text, SP_CHAR_DIGIT)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *number = value;
    return true;
}
