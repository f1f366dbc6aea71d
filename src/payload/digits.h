// SPDX-License-Identifier: MIT
// Decimal digits eight at a time, as the bytes of one word, the first digit in the
// lowest byte, as memory has it.
#ifndef PAYLOAD_DIGITS_H
#define PAYLOAD_DIGITS_H

#include <stdint.h>
#include <string.h>

#define SP_DIGIT_ZEROS UINT64_C(0x3030303030303030) // "00000000"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first byte is the lowest");

static inline uint64_t sp_digits_load(const uint8_t *at)
{
    uint64_t text;
    memcpy(&text, at, sizeof text);
    return text;
}

// How many bytes of the word are digits before the first that is none.
static inline unsigned sp_digits_count(uint64_t text)
{
    uint64_t values = text ^ SP_DIGIT_ZEROS;
    // Of the bytes above one that is no digit nothing is known: the sum carries.
    uint64_t others = (values | (values + UINT64_C(0x7676767676767676))) &
                      UINT64_C(0x8080808080808080);
    return others == 0 ? 8 : (unsigned)__builtin_ctzll(others) / 8;
}

// The value of eight digits.
static inline uint64_t sp_digits_eight(uint64_t text)
{
    uint64_t values = text & UINT64_C(0x0f0f0f0f0f0f0f0f);
    values = values * 10 + (values >> 8); // of two digits each, in every other byte
    const uint64_t pairs = UINT64_C(0x000000ff000000ff);
    return ((values & pairs) * UINT64_C(0x000f424000000064) +
            ((values >> 16) & pairs) * UINT64_C(0x0000271000000001)) >>
           32;
}

// The value of the first `count` digits of the word, 0 to 7.
static inline uint64_t sp_digits_few(uint64_t text, unsigned count)
{
    // What is shifted in counts as zeros before them.
    return sp_digits_eight(text << (56 - 8 * count) << 8);
}

// The eight digits of a value below 10 ** 8, as numbers 0 to 9: add SP_DIGIT_ZEROS.
static inline uint64_t sp_digits_of(uint64_t value)
{
    uint64_t fours = value / 10000 | (value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - tens * 10) << 8;
}

static inline void sp_digits_store(char *out, uint64_t digits)
{
    digits += SP_DIGIT_ZEROS;
    memcpy(out, &digits, sizeof digits);
}

#endif
