// SPDX-License-Identifier: MIT
// The numbers of JSON.
#ifndef PAYLOAD_JSON_NUMBER_H
#define PAYLOAD_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

struct sp_json_number {
    bool real;
    bool negative; // an integer below zero
    union {
        double real;
        uint64_t magnitude; // of an integer; of a negative one at most 2^63
    } as;
};

// Reads the number that `*at` begins with, a digit or a minus, and moves behind it. A
// real is the nearest double, whatever the locale. MALFORMED: `*wrong` says why, a
// constant. NO_MEMORY: a real of very many digits.
snakepit_err sp_json_number_read(const uint8_t **at,
                                 const uint8_t *end,
                                 struct sp_json_number *number,
                                 const char **wrong);

#endif
