// SPDX-License-Identifier: MIT
#include "protobuf/utf8.h"

#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"

#define BEYOND_ASCII UINT64_C(0x8080808080808080)

// How many bytes at its front are valid.
static size_t valid_prefix(struct sp_slice text)
{
    size_t i = 0;
    while (i < text.size) {
        if (text.size - i >= 8 && (sp_bytes_load8(text.data + i) & BEYOND_ASCII) == 0) {
            i += 8;
            continue;
        }
        const size_t length =
            text.data[i] < 0x80 ? 1 : sp_utf8_length(text.data + i, text.size - i);
        if (length == 0) {
            break;
        }
        i += length;
    }
    return i;
}

bool sp_utf8_is_valid(struct sp_slice text)
{
    return valid_prefix(text) == text.size;
}

snakepit_err sp_utf8_mend(struct sp_buf *out, struct sp_slice text)
{
    const size_t before = out->size;
    while (text.size != 0) {
        const size_t valid = valid_prefix(text);
        snakepit_err err = sp_buf_append(out, text.data, valid);
        text = (struct sp_slice){text.data + valid, text.size - valid};
        if (err == SNAKEPIT_OK && text.size != 0) {
            err = sp_buf_append(out, "\xef\xbf\xbd", 3);
            text = (struct sp_slice){text.data + 1, text.size - 1};
        }
        if (err != SNAKEPIT_OK) {
            out->size = before;
            return err;
        }
    }
    return SNAKEPIT_OK;
}
