// SPDX-License-Identifier: MIT
// What most values of MessagePack are, as JSON: short plain texts, numbers and words.
// Each function writes to where there are SP_COMMON_ROOM bytes, and returns where the
// text ends. The bytes that are read may change at any time.
#ifndef PAYLOAD_JSON_COMMON_H
#define PAYLOAD_JSON_COMMON_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <snakepit/payload.h>

#include "payload/digits.h"
#include "payload/plain.h"
#include "payload/real.h"

#define SP_COMMON_ROOM SP_REAL_ROOM

// ---- Numbers and words --------------------------------------------------------

// Its digits begin with those of a value below 10 ** 8, without zeros before them.
static inline char *sp_common_first(char *out, uint64_t value)
{
    uint64_t digits = sp_digits_of(value);
    unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;
    digits = (digits + SP_DIGIT_ZEROS) >> (8 * zeros);
    memcpy(out, &digits, sizeof digits);
    return out + 8 - zeros;
}

static inline char *sp_common_eight(char *out, uint64_t value)
{
    sp_digits_store(out, sp_digits_of(value));
    return out + 8;
}

#define SP_COMMON_EIGHT UINT64_C(100000000)

static inline char *sp_common_integer(char *out, uint64_t magnitude)
{
    if (magnitude < SP_COMMON_EIGHT) {
        return sp_common_first(out, magnitude);
    }
    uint64_t upper = magnitude / SP_COMMON_EIGHT;
    out = upper < SP_COMMON_EIGHT
              ? sp_common_first(out, upper)
              : sp_common_eight(sp_common_first(out, upper / SP_COMMON_EIGHT),
                                upper % SP_COMMON_EIGHT);
    return sp_common_eight(out, magnitude % SP_COMMON_EIGHT);
}

static inline char *sp_common_signed(char *out, int64_t value)
{
    *out = '-';
    return sp_common_integer(out + (value < 0),
                             value < 0 ? -(uint64_t)value : (uint64_t)value);
}

// The words of JSON, by where they are in a text of them.
enum sp_common_word { SP_COMMON_NULL = 0, SP_COMMON_TRUE = 8, SP_COMMON_FALSE = 16 };

static inline char *sp_common_word(char *out, enum sp_common_word word)
{
    static const char words[] = "null    true    false   ";
    memcpy(out, words + word, 8);
    return out + 4 + (word == SP_COMMON_FALSE);
}

static inline char *sp_common_double(char *out, double value)
{
    if (isfinite(value)) {
        return sp_real_write(value, out);
    }
    return sp_common_word(out, SP_COMMON_NULL);
}

// ---- As MessagePack has them --------------------------------------------------

// NULL, from here on: the value is left to others, and `reader` is where it was.

// Hides from the compiler where a value came from, so that it cannot load it again.
static inline uint64_t sp_common_once(uint64_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

// The text of less than 32 bytes at reader->at, whose first byte is `head`.
static inline char *sp_common_text(snakepit_reader *reader, uint8_t head, char *out)
{
    const uint8_t *text = reader->at + 1;
    size_t size = head & 31;
    if (reader->end - text < (ptrdiff_t)(2 * SP_PLAIN_BLOCK)) {
        return NULL;
    }
    // Copied first and judged then, with what comes behind it: the text may change at
    // any time.
    uint8_t *copy = (uint8_t *)out + 1;
    memcpy(copy, text, 2 * SP_PLAIN_BLOCK);
    __asm__ volatile("" : : "r"(copy) : "memory");
    unsigned plain = sp_plain_count(copy);
    if (plain == SP_PLAIN_BLOCK && size > SP_PLAIN_BLOCK) {
        plain += sp_plain_count(copy + SP_PLAIN_BLOCK);
    }
    if (plain < size) {
        return NULL;
    }
    reader->at = text + size;
    out[0] = '"';
    out[1 + size] = '"';
    return out + 2 + size;
}

// Of the heads 0xc0 to 0xd3.
static inline char *sp_common_scalar(snakepit_reader *reader, uint8_t head, char *out)
{
    uint64_t bits;
    double value;
    if (reader->end - reader->at < 9) {
        return NULL;
    }
    memcpy(&bits, reader->at + 1, sizeof bits);
    bits = __builtin_bswap64(sp_common_once(bits));
    switch (head) {
    case 0xcb:
        memcpy(&value, &bits, sizeof value);
        reader->at += 9;
        return sp_common_double(out, value);
    case 0xcc:
        reader->at += 2;
        return sp_common_first(out, bits >> 56);
    case 0xcd:
        reader->at += 3;
        return sp_common_first(out, bits >> 48);
    case 0xce:
        reader->at += 5;
        return sp_common_integer(out, bits >> 32);
    case 0xc0:
        reader->at++;
        return sp_common_word(out, SP_COMMON_NULL);
    case 0xc2:
        reader->at++;
        return sp_common_word(out, SP_COMMON_FALSE);
    case 0xc3:
        reader->at++;
        return sp_common_word(out, SP_COMMON_TRUE);
    default:
        return NULL;
    }
}

static inline char *sp_common_value(snakepit_reader *reader, uint8_t head, char *out)
{
    if (head >= 0xa0 && head < 0xc0) {
        return sp_common_text(reader, head, out);
    }
    if (head < 0x80) {
        reader->at++;
        return sp_common_first(out, head);
    }
    return head >= 0xc0 ? sp_common_scalar(reader, head, out) : NULL;
}

// The first byte of the next value; 0xc1, which begins none, at the end.
static inline uint8_t sp_common_peek(const snakepit_reader *reader)
{
    return reader->at < reader->end ? (uint8_t)sp_common_once(*reader->at) : 0xc1;
}

#endif
