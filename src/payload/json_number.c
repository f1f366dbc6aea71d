// SPDX-License-Identifier: MIT
// Numbers of JSON one digit at a time, and what is wrong with those that are none.
// Reals whose digits are more than 64 bits are left to strtod(), in the locale "C".
#include "payload/json_number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

// What the digits say.
struct parts {
    uint64_t digits; // of integer and fraction, as one integer
    bool lost;       // they are more than 64 bits
    bool negative;
    bool real;
    int fraction; // digits behind the point; MANY stands for more
    int exponent; // likewise
};

#define MANY (1 << 28)

static bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const uint8_t *
read_digits(const uint8_t *at, const uint8_t *end, struct parts *parts)
{
    for (; is_digit(at, end); at++) {
        parts->lost |=
            __builtin_mul_overflow(parts->digits, 10, &parts->digits) ||
            __builtin_add_overflow(parts->digits, (uint64_t)*at - '0', &parts->digits);
    }
    return at;
}

static const uint8_t *
read_exponent(const uint8_t *at, const uint8_t *end, struct parts *parts)
{
    bool minus = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (!is_digit(at, end)) {
        return NULL;
    }
    for (; is_digit(at, end); at++) {
        parts->exponent =
            parts->exponent < MANY / 16 ? parts->exponent * 10 + (*at - '0') : MANY;
    }
    parts->exponent = minus ? -parts->exponent : parts->exponent;
    return at;
}

// Returns where the number ends; NULL: `*wrong` is the matter with it.
static const uint8_t *read_parts(const uint8_t *at,
                                 const uint8_t *end,
                                 struct parts *parts,
                                 const char **wrong)
{
    parts->negative = *at == '-';
    at += parts->negative;
    if (!is_digit(at, end)) {
        *wrong = "a digit should be behind the minus";
        return NULL;
    }
    if (*at == '0' && is_digit(at + 1, end)) {
        *wrong = "a number does not begin with a zero";
        return NULL;
    }
    at = read_digits(at, end, parts);
    if (at < end && *at == '.') {
        const uint8_t *fraction = ++at;
        at = read_digits(at, end, parts);
        parts->real = true;
        parts->fraction = at - fraction < MANY ? (int)(at - fraction) : MANY;
        if (at == fraction) {
            *wrong = "a digit should be behind the point";
            return NULL;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        parts->real = true;
        at = read_exponent(at + 1, end, parts);
        *wrong = "a number should be behind the e";
    }
    return at;
}

static snakepit_err set_integer(const struct parts *parts,
                                struct sp_json_number *number,
                                const char **wrong)
{
    uint64_t most = parts->negative ? UINT64_C(1) << 63 : UINT64_MAX;
    if (parts->lost || parts->digits > most) {
        *wrong = "an integer of more than 64 bits; write it as text, or with a point";
        return SNAKEPIT_MALFORMED;
    }
    *number = (struct sp_json_number){.negative = parts->negative,
                                      .as = {.magnitude = parts->digits}};
    return SNAKEPIT_OK;
}

// True if the value is known.
static bool is_short(const struct parts *parts, double *value)
{
    if (parts->lost || parts->fraction == MANY ||
        !sp_real_read(parts->digits, parts->exponent - parts->fraction, value)) {
        return false;
    }
    *value = parts->negative ? -*value : *value;
    return true;
}

// NO_MEMORY.
static snakepit_err read_long(const uint8_t *from, size_t size, double *value)
{
    char few[128];
    char *text = size < sizeof few ? few : sp_alloc(size + 1);
    if (text == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy(text, from, size);
    text[size] = '\0';
    // That of "C" is static: this allocates nothing, and need not be freed.
    *value = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", NULL));
    if (text != few) {
        sp_free(text);
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_json_number_read(const uint8_t **at,
                                 const uint8_t *end,
                                 struct sp_json_number *number,
                                 const char **wrong)
{
    struct parts parts = {0};
    double value;
    const uint8_t *from = *at;
    const uint8_t *behind = read_parts(from, end, &parts, wrong);
    if (behind == NULL) {
        return SNAKEPIT_MALFORMED;
    }
    *at = behind;
    if (!parts.real) {
        return set_integer(&parts, number, wrong);
    }
    snakepit_err err = is_short(&parts, &value)
                           ? SNAKEPIT_OK
                           : read_long(from, (size_t)(behind - from), &value);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (!isfinite(value)) {
        *wrong = "a number over 1.8e308, the largest of a double";
        return SNAKEPIT_MALFORMED;
    }
    *number = (struct sp_json_number){.real = true, .as = {.real = value}};
    return SNAKEPIT_OK;
}
