// SPDX-License-Identifier: MIT
// Bytes as hexadecimal digits in lower case, and back, sixteen digits at a time.
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first byte is the lowest");

// The value of a digit; more than 15: it is none.
static inline unsigned sp_hex_digit(uint8_t digit)
{
    const unsigned decimal = (unsigned)digit - '0';
    const unsigned letter = (unsigned)digit - 'a';
    return decimal < 10 ? decimal : letter < 6 ? letter + 10 : 16;
}

// The byte of two digits; more than 255: they are none.
static inline unsigned sp_hex_two(const uint8_t digits[2])
{
    const unsigned high = sp_hex_digit(digits[0]);
    const unsigned low = sp_hex_digit(digits[1]);
    return high << 4 | low | (low & 16) << 4;
}

// The four bytes of eight digits that are the bytes of one word. Adds to `wrong` where
// one is none.
static inline uint32_t sp_hex_eight(uint64_t digits, uint64_t *wrong)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    const uint64_t top = 0x80 * each;
    const uint64_t low = digits & ~top; // so that no sum carries
    const uint64_t letter = low + (0x80 - 'a') * each;
    const uint64_t decimal = (low + (0x80 - '0') * each) & ~(low + (0x7f - '9') * each);
    const uint64_t either = decimal | (letter & ~(low + (0x7f - 'f') * each));
    *wrong |= (digits | ~either) & top;
    uint64_t values = (low & 0x0f * each) + ((letter & top) >> 7) * 9;
    values = (values << 4 | values >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    values = (values | values >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(values | values >> 16);
}

// The eight bytes of sixteen digits. Adds to `wrong` where one is none.
static inline uint64_t sp_hex_sixteen(const uint8_t digits[16], uint64_t *wrong)
{
#if defined(__SSE2__)
    // Each byte as a decimal digit and as a letter, above 15 where it is not such a
    // one; it is what is less.
    const __m128i text = _mm_loadu_si128((const __m128i *)(const void *)digits);
    const __m128i above_9 = _mm_add_epi8(text, _mm_set1_epi8((char)(0xff - '9')));
    const __m128i decimal = _mm_sub_epi8(_mm_subs_epu8(above_9, _mm_set1_epi8(6)),
                                         _mm_set1_epi8((char)0xf0));
    const __m128i letter =
        _mm_adds_epu8(_mm_sub_epi8(text, _mm_set1_epi8('a')), _mm_set1_epi8(10));
    const __m128i values = _mm_min_epu8(decimal, letter);
    const __m128i top = _mm_adds_epu8(values, _mm_set1_epi8(0x70));
    const __m128i pairs =
        _mm_or_si128(_mm_slli_epi16(values, 4), _mm_srli_epi16(values, 8));
    const __m128i bytes = _mm_and_si128(pairs, _mm_set1_epi16(0xff));
    *wrong |= (unsigned)_mm_movemask_epi8(top);
    return (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(bytes, bytes));
#else
    uint64_t words[2];
    memcpy(words, digits, sizeof words);
    const uint64_t first = sp_hex_eight(words[0], wrong);
    return first | (uint64_t)sp_hex_eight(words[1], wrong) << 32;
#endif
}

// `count` bytes as twice as many digits.
static inline void sp_hex_write(const uint8_t *bytes, size_t count, uint8_t *digits)
{
    static const char of[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        digits[2 * i] = (uint8_t)of[bytes[i] >> 4];
        digits[2 * i + 1] = (uint8_t)of[bytes[i] & 15];
    }
}

#endif
