// SPDX-License-Identifier: MIT
// Any bits of a double come back from their text; any digits are the double that the C
// library makes of them; and what looks like a number is the same, whether all its
// bytes are there to be read at once or not.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "payload/json_number.h"

static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void write_and_read(double value)
{
    char text[SP_REAL_ROOM];
    struct sp_json_number number;
    const char *wrong;
    char *end = sp_real_write(value, text);
    const uint8_t *at = (const uint8_t *)text;
    SP_CHECK(end < text + sizeof text);
    *end = '\0';
    SP_CHECK(is_same(strtod(text, NULL), value));
    snakepit_err err = sp_json_number_read(&at, (uint8_t *)end, &number, &wrong);
    SP_CHECK(err == SNAKEPIT_OK && number.real && is_same(number.as.real, value));
}

static void read_digits(uint64_t digits, int power)
{
    char text[64];
    double value;
    (void)snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, power);
    SP_CHECK(!sp_real_read(digits, power, &value) ||
             is_same(value, strtod(text, NULL)));
}

static void read_both_ways(const uint8_t *data, size_t size)
{
    uint8_t padded[2 * SP_JSON_NUMBER_QUICK] = {0};
    struct sp_json_number quick;
    struct sp_json_number thorough;
    const char *wrong;
    size = size < SP_JSON_NUMBER_QUICK ? size : SP_JSON_NUMBER_QUICK;
    for (size_t i = 0; i < size; i++) {
        padded[i] = (uint8_t)"0123456789012345678900000.-eE+ ,"[data[i] % 32];
    }
    const uint8_t *at = padded;
    const uint8_t *end = sp_json_number_quick(padded, &quick);
    snakepit_err err = sp_json_number_read(&at, padded + size, &thorough, &wrong);
    if (end != NULL) {
        SP_CHECK(err == SNAKEPIT_OK && at == end && quick.real == thorough.real);
        SP_CHECK(quick.as.magnitude == thorough.as.magnitude);
    }
    if (err == SNAKEPIT_OK && thorough.real) {
        SP_CHECK(is_same(thorough.as.real, strtod((const char *)padded, NULL)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_both_ways(data, size);
    for (; size >= 8; data += 8, size -= 8) {
        double value;
        uint64_t digits;
        memcpy(&value, data, 8);
        memcpy(&digits, data, 8);
        if (isfinite(value)) {
            write_and_read(value);
        }
        read_digits(digits >> digits % 61, (int)(digits % 700) - 350);
    }
    return 0;
}
