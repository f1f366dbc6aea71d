// SPDX-License-Identifier: MIT
#include "http/percent.h"

#include <string.h>

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that is encoded at `at`; -1: none is, and 0 is not wanted either.
static int decode_one(struct sp_slice text, size_t at)
{
    if (text.size - at < 3) {
        return -1;
    }
    int high = digit_of(text.data[at + 1]);
    int low = digit_of(text.data[at + 2]);
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

bool sp_percent_decode(struct sp_slice text, char *room, size_t size)
{
    size_t written = 0;
    for (size_t at = 0; at < text.size; written++) {
        int byte = text.data[at] == '%' ? decode_one(text, at) : text.data[at];
        if (byte <= 0 || written + 1 >= size) {
            return false;
        }
        room[written] = (char)byte;
        at += text.data[at] == '%' ? 3 : 1;
    }
    room[written] = '\0';
    return true;
}

// RFC 3986: what never needs to be encoded.
static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("-._~", byte) != NULL);
}

snakepit_err sp_percent_encode(struct sp_buf *out, const char *text)
{
    snakepit_err err = SNAKEPIT_OK;
    for (; *text != '\0' && err == SNAKEPIT_OK; text++) {
        err = is_unreserved(*text) ? sp_buf_append(out, text, 1)
                                   : sp_buf_printf(out, "%%%02X", (uint8_t)*text);
    }
    return err;
}

// What is behind the name in one pair; NULL data: the pair has another name.
static struct sp_slice value_in(struct sp_slice pair, const char *name)
{
    const size_t size = strlen(name);
    if (pair.size < size || memcmp(pair.data, name, size) != 0) {
        return (struct sp_slice){NULL, 0};
    }
    if (pair.size == size) {
        return (struct sp_slice){pair.data + size, 0};
    }
    return pair.data[size] == '='
               ? (struct sp_slice){pair.data + size + 1, pair.size - size - 1}
               : (struct sp_slice){NULL, 0};
}

struct sp_slice sp_query_find(struct sp_slice query, const char *name)
{
    struct sp_slice value = {NULL, 0};
    while (query.size > 0 && value.data == NULL) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        const size_t pair = end == NULL ? query.size : (size_t)(end - query.data);
        const size_t step = end == NULL ? pair : pair + 1;
        value = value_in((struct sp_slice){query.data, pair}, name);
        query = (struct sp_slice){query.data + step, query.size - step};
    }
    return value;
}
