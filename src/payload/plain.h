// SPDX-License-Identifier: MIT
// Text of JSON, sixteen bytes at a time. A byte is plain that stands for itself between
// quotes, and is ASCII: no quote, backslash or control character.
#ifndef PAYLOAD_PLAIN_H
#define PAYLOAD_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "base/utf8.h"

#define SP_PLAIN_BLOCK ((size_t)16)

static inline bool sp_plain_is(uint8_t byte)
{
    return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

// How many of the bytes of a block, which are all there, come before the first that is
// not plain; SP_PLAIN_BLOCK if all are.
static inline unsigned sp_plain_count(const uint8_t *at)
{
#if defined(__SSE2__)
    __m128i block;
    memcpy(&block, at, sizeof block);
    // Compared with a sign, what is beyond ASCII is below a blank too.
    __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                            _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))),
                               _mm_cmplt_epi8(block, _mm_set1_epi8(' ')));
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(odd) | 1u << 16);
#elif defined(__ARM_NEON)
    uint8x16_t block = vld1q_u8(at);
    uint8x16_t odd = vorrq_u8(
        vorrq_u8(vceqq_u8(block, vdupq_n_u8('"')), vceqq_u8(block, vdupq_n_u8('\\'))),
        vcltq_s8(vreinterpretq_s8_u8(block), vdupq_n_s8(' ')));
    // Four bits of each byte.
    uint64_t bits = vget_lane_u64(
        vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(odd), 4)), 0);
    return bits == 0 ? SP_PLAIN_BLOCK : (unsigned)__builtin_ctzll(bits) / 4;
#else
    unsigned count = 0;
    while (count < SP_PLAIN_BLOCK && sp_plain_is(at[count])) {
        count++;
    }
    return count;
#endif
}

static inline const uint8_t *sp_plain_skip(const uint8_t *at, const uint8_t *end)
{
    while ((size_t)(end - at) >= SP_PLAIN_BLOCK) {
        unsigned count = sp_plain_count(at);
        at += count;
        if (count < SP_PLAIN_BLOCK) {
            return at;
        }
    }
    while (at < end && sp_plain_is(*at)) {
        at++;
    }
    return at;
}

// Goes over whole characters beyond ASCII.
static inline const uint8_t *sp_plain_skip_wide(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at >= 0x80) {
        size_t size = sp_utf8_length(at, (size_t)(end - at));
        if (size == 0) {
            break;
        }
        at += size;
    }
    return at;
}

// Goes over plain bytes and whole characters beyond ASCII: stops at a quote, a
// backslash, a control character, what is not UTF-8, or the end.
static inline const uint8_t *sp_plain_skip_text(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *before;
    do {
        before = sp_plain_skip(at, end);
        at = sp_plain_skip_wide(before, end);
    } while (at != before);
    return at;
}

#endif
