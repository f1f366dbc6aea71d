// SPDX-License-Identifier: MIT
// The JSON emitter's memory, and texts of any kind.
#include "payload/json_emitter.h"

#include "payload/base64.h"
#include "payload/json_common.h"
#include "payload/plain.h"

void sp_emit_fail(struct sp_emitter *emitter, snakepit_err err)
{
    if (emitter->err == SNAKEPIT_OK) {
        emitter->err = err;
    }
}

char *sp_emit_room(struct sp_emitter *emitter, size_t bytes)
{
    struct sp_buf *out = emitter->out;
    if (emitter->err != SNAKEPIT_OK) {
        return NULL;
    }
    if (out->size > emitter->limit || bytes > emitter->limit - out->size ||
        sp_buf_reserve(out, bytes + SP_EMIT_SLACK) != SNAKEPIT_OK) {
        sp_emit_fail(emitter, SNAKEPIT_NO_MEMORY);
        return NULL;
    }
    emitter->brim = (char *)out->data + out->capacity - SP_EMIT_SLACK;
    return sp_emit_end(emitter);
}

void sp_emit(struct sp_emitter *emitter, const char *text, size_t bytes)
{
    char *room = sp_emit_room(emitter, bytes);
    if (room != NULL) {
        memcpy(room, text, bytes);
        sp_emit_until(emitter, room + bytes);
    }
}

void sp_emit_word(struct sp_emitter *emitter, const char *text)
{
    sp_emit(emitter, text, strlen(text));
}

// ---- Text ---------------------------------------------------------------------

static size_t escape_ascii(uint8_t byte, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] = {['"'] = '"',
                                   ['\\'] = '\\',
                                   ['\b'] = 'b',
                                   ['\f'] = 'f',
                                   ['\n'] = 'n',
                                   ['\r'] = 'r',
                                   ['\t'] = 't'};
    if (sp_plain_is(byte)) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    if (byte < sizeof letters && letters[byte] != 0) {
        out[1] = letters[byte];
        return 2;
    }
    out[1] = 'u';
    out[2] = '0';
    out[3] = '0';
    out[4] = digits[byte >> 4];
    out[5] = digits[byte & 15];
    return 6;
}

// Writes one character, of at most 6 bytes, and says in *used how much of `at` it took.
static size_t escape(const uint8_t *at, size_t left, char *out, size_t *used)
{
    // Judged and written from a copy: the text may change at any time.
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}; // U+FFFD
    uint8_t window[4] = {0};
    memcpy(window, at, left < 4 ? left : 4);
    __asm__ volatile("" : : "r"(window) : "memory");
    *used = 1;
    if (window[0] < 0x80) {
        return escape_ascii(window[0], out);
    }
    size_t length = sp_utf8_length(window, left);
    if (length == 0) {
        memcpy(out, replacement, sizeof(replacement));
        return sizeof(replacement);
    }
    memcpy(out, window, length);
    *used = length;
    return length;
}

// Of a text that has something to escape in each piece, that much is copied in vain.
#define PIECE 256u

// Writes what of the text needs no escape, at most a piece of it, and returns how much
// that is.
static size_t emit_plain(struct sp_emitter *emitter, const uint8_t *at, size_t left)
{
    size_t bytes = left < PIECE ? left : PIECE;
    char *room = sp_emit_room(emitter, bytes);
    if (room == NULL) {
        return 0;
    }
    // Copied first and judged then: the text may change at any time.
    memcpy(room, at, bytes);
    __asm__ volatile("" : : "r"(room) : "memory");
    const uint8_t *copy = (const uint8_t *)room;
    bytes = (size_t)(sp_plain_skip_text(copy, copy + bytes) - copy);
    sp_emit_until(emitter, room + bytes);
    return bytes;
}

void sp_emit_text(struct sp_emitter *emitter, const uint8_t *at, size_t left)
{
    sp_emit(emitter, "\"", 1);
    while (left != 0) {
        size_t used = emit_plain(emitter, at, left);
        at += used;
        left -= used;
        char *room = sp_emit_room(emitter, 6);
        if (room == NULL) {
            return;
        }
        if (left != 0) {
            sp_emit_until(emitter, room + escape(at, left, room, &used));
            at += used;
            left -= used;
        }
    }
    sp_emit(emitter, "\"", 1);
}

// ---- Bytes and tensors --------------------------------------------------------

static void emit_integer(struct sp_emitter *emitter, int64_t value)
{
    char *out = sp_emit_room(emitter, 0);
    if (out != NULL) {
        sp_emit_until(emitter, sp_common_signed(out, value));
    }
}

static void emit_base64(struct sp_emitter *emitter, const void *data, size_t bytes)
{
    size_t size = sp_base64_size(bytes);
    sp_emit(emitter, "\"", 1);
    char *room = sp_emit_room(emitter, size);
    if (room != NULL) {
        sp_base64_encode((struct sp_slice){data, bytes}, room);
        sp_emit_until(emitter, room + size);
    }
    sp_emit(emitter, "\"", 1);
}

void sp_emit_bytes(struct sp_emitter *emitter, const char *name, snakepit_span bytes)
{
    sp_emit_word(emitter, "{\"");
    sp_emit_word(emitter, name);
    sp_emit_word(emitter, "\":");
    emit_base64(emitter, bytes.data, bytes.size);
    sp_emit(emitter, "}", 1);
}

void sp_emit_tensor(struct sp_emitter *emitter, const snakepit_tensor *tensor)
{
    size_t bytes = 0;
    if (snakepit_tensor_bytes(tensor, &bytes) != SNAKEPIT_OK) {
        sp_emit_fail(emitter, SNAKEPIT_MALFORMED);
        return;
    }
    sp_emit_word(emitter, "{\"$tensor\":{\"dtype\":\"");
    sp_emit_word(emitter, snakepit_dtype_name(tensor->dtype));
    sp_emit_word(emitter, "\",\"shape\":[");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        sp_emit(emitter, ",", i != 0);
        emit_integer(emitter, tensor->shape[i]);
    }
    sp_emit_word(emitter, "],\"data\":");
    emit_base64(emitter, tensor->data, bytes);
    sp_emit_word(emitter, "}}");
}
