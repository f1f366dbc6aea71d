// SPDX-License-Identifier: MIT
// Three bytes are four characters. Exactly one text stands for given bytes; no other is
// accepted.
#include "payload/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(char *out, uint32_t bits)
{
    out[0] = alphabet[bits >> 18 & 63];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = alphabet[bits >> 6 & 63];
    out[3] = alphabet[bits & 63];
}

void sp_base64_encode(struct sp_slice bytes, char *out)
{
    const uint8_t *in = bytes.data;
    size_t left = bytes.size;
    for (; left >= 3; left -= 3, in += 3, out += 4) {
        encode_group(out, (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2]);
    }
    if (left == 0) {
        return;
    }
    uint32_t second = left == 2 ? in[1] : 0;
    encode_group(out, (uint32_t)in[0] << 16 | second << 8);
    out[3] = '=';
    if (left == 1) {
        out[2] = '=';
    }
}

// The six bits of a character; 64 and more for one outside the alphabet.
static uint32_t bits_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - (uint32_t)'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - (uint32_t)'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - (uint32_t)'0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

// Decodes `count` characters (2 to 4) to count - 1 bytes.
static snakepit_err decode_group(const uint8_t *in, unsigned count, uint8_t *out)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t six = i < count ? bits_of(in[i]) : 0;
        if (six > 63) {
            return SNAKEPIT_MALFORMED;
        }
        bits = bits << 6 | six;
    }
    for (unsigned i = 0; i + 1 < count; i++) {
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return (bits & ((1u << (8 * (4 - count))) - 1)) != 0 ? SNAKEPIT_MALFORMED
                                                         : SNAKEPIT_OK;
}

static unsigned padding_of(struct sp_slice text)
{
    if (text.size == 0 || text.data[text.size - 1] != '=') {
        return 0;
    }
    return text.data[text.size - 2] == '=' ? 2 : 1;
}

snakepit_err sp_base64_decode(struct sp_slice text, uint8_t *out, size_t *size)
{
    if (text.size % 4 != 0) {
        return SNAKEPIT_MALFORMED;
    }
    unsigned padding = padding_of(text);
    for (size_t i = 0; i < text.size / 4; i++) {
        unsigned count = i + 1 == text.size / 4 ? 4 - padding : 4;
        if (decode_group(text.data + 4 * i, count, out + 3 * i) != SNAKEPIT_OK) {
            return SNAKEPIT_MALFORMED;
        }
    }
    *size = text.size / 4 * 3 - padding;
    return SNAKEPIT_OK;
}
