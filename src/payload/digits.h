// SPDX-License-Identifier: MIT
// Decimal digits eight at a time, as the bytes of one word, the first digit in the
// lowest byte, as memory has it.
#ifndef PAYLOAD_DIGITS_H
#define PAYLOAD_DIGITS_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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
    // Of the bytes above one that is not a digit nothing is known: the sum carries.
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

// Those of two values.
static inline void sp_digits_of_two(const uint64_t values[2], uint64_t digits[2])
{
#if defined(__SSE2__)
    // Not by way of memory, which would have to join two stores.
    __m128i value = _mm_set_epi64x((int64_t)values[1], (int64_t)values[0]);
    // As above: by 10000, and the rest beside it; then by 100, and by 10.
    __m128i fours =
        _mm_srli_epi64(_mm_mul_epu32(value, _mm_set1_epi64x(109951163)), 40);
    __m128i rest = _mm_sub_epi64(value, _mm_mul_epu32(fours, _mm_set1_epi64x(10000)));
    fours = _mm_or_si128(fours, _mm_slli_epi64(rest, 32));
    __m128i twos = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi32(5243)), 3);
    rest = _mm_sub_epi16(fours, _mm_mullo_epi16(twos, _mm_set1_epi32(100)));
    twos = _mm_or_si128(twos, _mm_slli_epi32(rest, 16));
    __m128i ones = _mm_mulhi_epu16(twos, _mm_set1_epi16(6554));
    rest = _mm_sub_epi16(twos, _mm_mullo_epi16(ones, _mm_set1_epi16(10)));
    ones = _mm_or_si128(ones, _mm_slli_epi16(rest, 8));
    digits[0] = (uint64_t)_mm_cvtsi128_si64(ones);
    digits[1] = (uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(ones, 8));
#else
    digits[0] = sp_digits_of(values[0]);
    digits[1] = sp_digits_of(values[1]);
#endif
}

static inline void sp_digits_store(char *out, uint64_t digits)
{
    digits += SP_DIGIT_ZEROS;
    memcpy(out, &digits, sizeof digits);
}

#endif
