// SPDX-License-Identifier: MIT
// What the files of JSON share. Nobody else includes this.
//
// The reader goes through the text once and writes MessagePack as it goes, without
// recursion. The head of
// a container is one byte at first; when its end is read, and so its count is known, a
// longer head makes itself room. Whatever JSON cannot say is an object of one pair,
// which is written like any other and rewritten at its end.
#ifndef PAYLOAD_JSON_INSIDE_H
#define PAYLOAD_JSON_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <snakepit/payload.h>

#include "payload/json.h"
#include "payload/writer.h"

// Objects and arrays that may be inside each other in a text: "$map" can double those
// of the value, and "$tensor" has two inside it.
#define SP_JSON_NESTED (2 * SP_DEPTH_MAX + 3)

// A container whose end was not read.
struct sp_json_frame {
    size_t head;     // where its head is in the writer's bytes
    size_t tensors;  // that were written before it
    size_t keys;     // of the containers around it, see sp_json_keys
    uint64_t seen;   // a bit for each key, by its digest
    uint32_t count;  // its items or pairs, so far
    uint32_t nested; // containers inside each other that its items are, at most
    bool map;
    bool twins; // two of its keys may be the same
};

// A key of an object that is open.
struct sp_json_key {
    const uint8_t *source; // in the text
    size_t at;             // its text in the writer's bytes
    size_t size;
    uint64_t digest; // equal for equal keys
};

struct sp_json_keys {
    struct sp_json_key *rows;
    size_t count;
    size_t room;
};

struct sp_json {
    const uint8_t *start;
    const uint8_t *end;
    snakepit_writer *writer;
    uint8_t *brim;                // behind it the writer lacks SP_JSON_ROOM
    struct sp_json_frame *frames; // the containers that are open
    size_t depth;
    size_t room;
    struct sp_json_keys keys; // of all open objects
    uint32_t around;          // containers of the writer that the value is inside of
    uint32_t nested;          // containers inside each other that the last one is
    const uint8_t *deepest;   // where more than SP_DEPTH_MAX began to be so, or NULL
    uint64_t left;            // items and pairs that there may still be
    const struct sp_json_limit *limit;
};

// How far it has come. Both are kept in registers, so the writer's size is behind what
// was written: whoever calls the writer says sp_json_commit() before. `at` is NULL
// after an error, which sticks in the writer.
struct sp_json_spot {
    const uint8_t *at; // the next byte of the text
    uint8_t *out;      // of the writer
};

// Bytes that there always are for the writer between two values, and behind a key.
#define SP_JSON_ROOM 64u

static inline void sp_json_commit(struct sp_json *json, const uint8_t *out)
{
    json->writer->buf.size = (size_t)(out - json->writer->buf.data);
}

// ---- json_place.c -------------------------------------------------------------

// Refuses the text, for what stands at `place`; the value that is wrong comes behind
// what was written.
struct sp_json_spot sp_json_refuse(struct sp_json *json,
                                   const uint8_t *out,
                                   const uint8_t *place,
                                   const char *format,
                                   ...) __attribute__((format(printf, 4, 5)));

struct sp_json_spot sp_json_fail(struct sp_json *json, snakepit_err err);

// So that the writer's bytes say how to get here: a container that is open gets a head
// that it cannot outgrow, and is open no longer. Without memory for that the place is
// not told.
void sp_json_show_frames(struct sp_json *json);

// Commits what was written, and makes room for `more` bytes and SP_JSON_ROOM behind it,
// maybe elsewhere. NO_MEMORY: it fails.
struct sp_json_spot
sp_json_grow(struct sp_json *json, struct sp_json_spot spot, size_t more);

// ---- json_string.c ------------------------------------------------------------

// The string whose quote is at the spot becomes a value.
struct sp_json_spot sp_json_string_read(struct sp_json *json, struct sp_json_spot spot);

// ---- json_keys.c --------------------------------------------------------------

// Equal for equal keys: of the first and the last eight bytes, and the size, which is
// enough to tell most apart. Eight bytes from the text's beginning can be read.
static inline uint64_t sp_json_digest(const uint8_t *text, size_t size)
{
    uint64_t first;
    uint64_t last;
    memcpy(&first, text, sizeof first);
    if (size < 8) {
        first &= (UINT64_C(1) << (8 * size)) - 1;
        last = first;
    } else {
        memcpy(&last, text + size - 8, sizeof last);
    }
    uint64_t mixed = first * UINT64_C(0x9e3779b97f4a7c15) + last;
    return (mixed ^ mixed >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + size;
}

// NO_MEMORY. `bytes` is what `at` counts from; the digest is made here.
snakepit_err sp_json_keys_put(struct sp_json_keys *keys,
                              const struct sp_json_key *key,
                              const uint8_t *bytes);

// Room for more rows. NO_MEMORY.
snakepit_err sp_json_keys_grow(struct sp_json_keys *keys);

bool sp_json_keys_has_digest(const struct sp_json_key *rows,
                             size_t count,
                             uint64_t digest);

// One of the rows from `first` on whose text is also that of one before it, or NULL.
// Their order is lost. `bytes` is what `at` counts from.
const struct sp_json_key *
sp_json_keys_find_twin(struct sp_json_keys *keys, size_t first, const uint8_t *bytes);

// ---- json_special.c -----------------------------------------------------------

// The object of one pair that begins at frame->head is whole. If it is what JSON cannot
// say, it becomes that: true. If it only looks so it is taken back: true, and `*wrong`
// says why it is malformed, or the writer has failed. Else it stays an object, whose
// key is no longer escaped: false.
bool sp_json_rewrite(snakepit_writer *writer,
                     const struct sp_json_frame *frame,
                     const char **wrong);

#endif
