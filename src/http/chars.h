// SPDX-License-Identifier: MIT
// Which bytes may stand where in a request.
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum sp_char {
    SP_CHAR_TOKEN = 1,  // tchar: methods, names of fields
    SP_CHAR_PATH = 2,   // pchar, '/', and the '%' of an encoded byte
    SP_CHAR_QUERY = 4,  // the same, '?', and what programs send without encoding it
    SP_CHAR_HOST = 8,   // names of hosts, and the number of one by IPv4
    SP_CHAR_VALUE = 16, // of a field: blanks, tabs, what can be seen, and over 127
    SP_CHAR_DIGIT = 32,
};

extern const uint8_t sp_chars[256];

static inline bool sp_char_is(uint8_t byte, enum sp_char kind)
{
    return (sp_chars[byte] & (unsigned)kind) != 0;
}

static inline uint8_t sp_char_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20u) : byte;
}

// The value of a hexadecimal digit; -1: it is none.
static inline int sp_char_hex(uint8_t byte)
{
    uint8_t lower = sp_char_lower(byte);
    if (sp_char_is(byte, SP_CHAR_DIGIT)) {
        return byte - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool sp_chars_all(struct sp_slice text, enum sp_char kind);

// Reads digits as a decimal number; one that is larger than there can be is UINT64_MAX.
// False, and nothing is set: there are none, or something else.
bool sp_chars_number(struct sp_slice text, uint64_t *number);

#endif
