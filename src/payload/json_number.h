// SPDX-License-Identifier: MIT
// The numbers of JSON.
#ifndef PAYLOAD_JSON_NUMBER_H
#define PAYLOAD_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "payload/digits.h"
#include "payload/real.h"

struct sp_json_number {
    bool real;
    bool negative; // an integer below zero
    union {
        double real;
        uint64_t magnitude; // of an integer; of a negative one at most 2^63
    } as;
};

// Bytes that sp_json_number_quick() may read.
#define SP_JSON_NUMBER_QUICK 64

// One run of digits of a number.
struct sp_json_digits {
    uint64_t value;
    unsigned count;
};

// The digits at `at`, behind those that `digits` has; where they are more than 19 in
// all, their value is anything.
static inline __attribute__((always_inline)) const uint8_t *
sp_json_digits_quick(const uint8_t *at, struct sp_json_digits *digits)
{
    static const uint32_t powers[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    uint64_t text = sp_digits_load(at);
    unsigned count = sp_digits_count(text);
    for (unsigned eights = 0; count == 8 && eights < 2; eights++) {
        digits->value = digits->value * 100000000 + sp_digits_eight(text);
        digits->count += 8;
        at += 8;
        text = sp_digits_load(at);
        count = sp_digits_count(text);
    }
    if (count == 8) {
        digits->count = UINT8_MAX;
        return at;
    }
    digits->value = digits->value * powers[count] + sp_digits_few(text, count);
    digits->count += count;
    return at + count;
}

// As sp_json_number_read(), for numbers of at most 19 digits without an exponent, of
// which SP_JSON_NUMBER_QUICK bytes are there. NULL: it does not know.
static inline __attribute__((always_inline)) const uint8_t *
sp_json_number_quick(const uint8_t *at, struct sp_json_number *number)
{
    struct sp_json_digits digits = {0};
    number->negative = *at == '-';
    at += number->negative;
    const uint8_t *first = at;
    if (at[1] == '.') {
        // As most reals are, of one digit; if it is one.
        digits = (struct sp_json_digits){(uint64_t)*at - '0', *at >= '0' && *at <= '9'};
        at++;
    } else {
        at = sp_json_digits_quick(at, &digits);
    }
    number->real = *at == '.';
    unsigned before = digits.count;
    if (number->real) {
        at = sp_json_digits_quick(at + 1, &digits);
    }
    bool wrong = before == 0 || (before > 1 && *first == '0') || digits.count > 19 ||
                 (number->real && digits.count == before) || (*at | 0x20) == 'e';
    if (wrong) {
        return NULL;
    }
    if (!number->real) {
        number->as.magnitude = digits.value;
        return number->negative && digits.value > INT64_MAX ? NULL : at;
    }
    bool known =
        sp_real_read(digits.value, -(int64_t)(digits.count - before), &number->as.real);
    // Whatever is in the union: a branch would be wrong half of the time.
    number->as.magnitude |= (uint64_t)number->negative << 63;
    return known ? at : NULL;
}

// Reads the number that `*at` begins with, a digit or a minus, and moves behind it. A
// real is the nearest double, whatever the locale. MALFORMED: `*wrong` says why, a
// constant. NO_MEMORY: a real of very many digits.
snakepit_err sp_json_number_read(const uint8_t **at,
                                 const uint8_t *end,
                                 struct sp_json_number *number,
                                 const char **wrong);

#endif
