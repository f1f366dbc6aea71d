// SPDX-License-Identifier: MIT
// The inside of the JSON emitter. Errors stick in it, and once there is one nothing
// more is written. What is common is written without it, to where its text ends:
// sp_emit_end() says where that is, and sp_emit_until() how far it was written to.
#ifndef PAYLOAD_JSON_EMITTER_H
#define PAYLOAD_JSON_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <snakepit/payload.h>

#include "base/slice.h"

struct sp_emitter {
    struct sp_buf *out;
    char *brim;   // up to here the next item needs no other memory
    size_t limit; // the size that `out` must not exceed
    bool in_key;  // this text will be a key of another one
    unsigned depth;
    snakepit_err err;
    const uint8_t *begin;  // of the whole value
    const uint8_t *head;   // of the container that was begun last
    snakepit_message *why; // NULL: nobody asks
};

// Bytes that there are behind the brim: for the heads and ends of containers, a key and
// a value.
#define SP_EMIT_SLACK 512u

void sp_emit_fail(struct sp_emitter *emitter, snakepit_err err);

// Room for `bytes` bytes and the slack; NULL: refused.
char *sp_emit_room(struct sp_emitter *emitter, size_t bytes);

void sp_emit(struct sp_emitter *emitter, const char *text, size_t bytes);

// A text as it is.
void sp_emit_word(struct sp_emitter *emitter, const char *text);

// {"name": "base64"}
void sp_emit_bytes(struct sp_emitter *emitter, const char *name, snakepit_span bytes);
void sp_emit_tensor(struct sp_emitter *emitter, const snakepit_tensor *tensor);

// A text of `left` bytes in quotes, escaped; what is not UTF-8 becomes U+FFFD.
void sp_emit_text(struct sp_emitter *emitter, const uint8_t *at, size_t left);

static inline char *sp_emit_end(const struct sp_emitter *emitter)
{
    return (char *)emitter->out->data + emitter->out->size;
}

static inline void sp_emit_until(struct sp_emitter *emitter, const char *end)
{
    emitter->out->size = (size_t)(end - (char *)emitter->out->data);
}

#endif
