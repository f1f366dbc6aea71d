// SPDX-License-Identifier: MIT
#include "grpc/fields.h"

#include <string.h>
#include <strings.h>

#include "payload/base64.h"

#define TIMEOUT_DIGITS 8u
#define NS_PER_MS      UINT64_C(1000000)

// ---- Content types --------------------------------------------------------------

static bool ends(struct sp_slice rest)
{
    return rest.size == 0 || rest.data[0] == ';' || rest.data[0] == ' ' ||
           rest.data[0] == '\t';
}

static bool begins_with(struct sp_slice text, struct sp_slice prefix)
{
    return text.size >= prefix.size && strncasecmp((const char *)text.data,
                                                   (const char *)prefix.data,
                                                   prefix.size) == 0;
}

static struct sp_slice behind(struct sp_slice text, size_t bytes)
{
    return (struct sp_slice){text.data + bytes, text.size - bytes};
}

enum sp_grpc_type sp_grpc_type_of(struct sp_slice content_type)
{
    const struct sp_slice grpc = sp_slice_of_text("application/grpc");
    const struct sp_slice proto = sp_slice_of_text("+proto");
    if (!begins_with(content_type, grpc)) {
        return SP_GRPC_TYPE_NONE;
    }
    struct sp_slice rest = behind(content_type, grpc.size);
    if (begins_with(rest, proto)) {
        rest = behind(rest, proto.size);
    }
    return ends(rest) ? SP_GRPC_TYPE_PROTO : SP_GRPC_TYPE_OTHER;
}

// ---- Time -----------------------------------------------------------------------

// Nanoseconds of a unit; 0: it is not one.
static uint64_t unit_of(uint8_t letter)
{
    switch (letter) {
    case 'n':
        return 1;
    case 'u':
        return 1000;
    case 'm':
        return NS_PER_MS;
    case 'S':
        return 1000 * NS_PER_MS;
    case 'M':
        return 60000 * NS_PER_MS;
    case 'H':
        return 3600000 * NS_PER_MS;
    default:
        return 0;
    }
}

bool sp_grpc_timeout(struct sp_slice text, uint64_t *ms)
{
    uint64_t value = 0;
    if (text.size < 2 || text.size > TIMEOUT_DIGITS + 1) {
        return false;
    }
    for (size_t i = 0; i + 1 < text.size; i++) {
        const unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    const uint64_t unit = unit_of(text.data[text.size - 1]);
    if (unit == 0) {
        return false;
    }
    *ms = unit < NS_PER_MS ? (value * unit + NS_PER_MS - 1) / NS_PER_MS
                           : value * (unit / NS_PER_MS);
    return true;
}

// ---- Bytes ----------------------------------------------------------------------

snakepit_err sp_grpc_decode_bin(struct sp_slice text, struct sp_buf *out)
{
    struct sp_buf padded = {0};
    size_t size = 0;
    const size_t missing = (4 - text.size % 4) % 4;
    if (missing == 3) {
        return SNAKEPIT_MALFORMED;
    }
    snakepit_err err = sp_buf_append(&padded, text.data, text.size);
    err = err == SNAKEPIT_OK ? sp_buf_append(&padded, "==", missing) : err;
    err = err == SNAKEPIT_OK ? sp_buf_reserve(out, padded.size / 4 * 3) : err;
    if (err == SNAKEPIT_OK && padded.size > 0) {
        err = sp_base64_decode(
            (struct sp_slice){padded.data, padded.size}, out->data + out->size, &size);
    }
    out->size += size;
    sp_buf_fini(&padded);
    return err;
}

snakepit_err sp_grpc_encode_bin(struct sp_slice bytes, struct sp_buf *out)
{
    const size_t size = sp_base64_size(bytes.size);
    const size_t padding = (3 - bytes.size % 3) % 3;
    snakepit_err err = sp_buf_reserve(out, size);
    if (err == SNAKEPIT_OK && size > 0) {
        sp_base64_encode(bytes, (char *)out->data + out->size);
        out->size += size - padding;
    }
    return err;
}

// ---- Messages -------------------------------------------------------------------

static bool stands_for_itself(uint8_t byte)
{
    return byte >= ' ' && byte <= '~' && byte != '%';
}

static bool begins_character(uint8_t byte)
{
    return (byte & 0xc0u) != 0x80u;
}

// How many bytes of `text` fit into `most`, encoded, without a part of a character.
static size_t fitting(struct sp_slice text, size_t most)
{
    size_t whole = 0;
    size_t encoded = 0;
    for (size_t at = 0; at < text.size; at++) {
        if (begins_character(text.data[at])) {
            whole = at;
        }
        encoded += stands_for_itself(text.data[at]) ? 1 : 3;
        if (encoded > most) {
            return whole;
        }
    }
    return text.size;
}

snakepit_err sp_grpc_encode_message(struct sp_slice text,
                                    size_t most,
                                    struct sp_buf *out,
                                    size_t *taken)
{
    static const char digits[] = "0123456789ABCDEF";
    const size_t size = fitting(text, most);
    snakepit_err err = sp_buf_reserve(out, size * 3);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    for (size_t i = 0; i < size; i++) {
        const uint8_t byte = text.data[i];
        if (stands_for_itself(byte)) {
            out->data[out->size++] = byte;
        } else {
            out->data[out->size++] = '%';
            out->data[out->size++] = (uint8_t)digits[byte >> 4];
            out->data[out->size++] = (uint8_t)digits[byte & 15u];
        }
    }
    *taken = size;
    return SNAKEPIT_OK;
}
