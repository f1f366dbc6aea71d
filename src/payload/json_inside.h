// SPDX-License-Identifier: MIT
// What the files of JSON share. Nobody else includes this.
//
// The reader goes through the text once and writes MessagePack as it goes. The head of
// a container is one byte at first; when its end is read, and so its count is known, a
// longer head makes itself room. Whatever JSON cannot say is an object of one pair,
// which is written like any other and rewritten at its end.
#ifndef PAYLOAD_JSON_INSIDE_H
#define PAYLOAD_JSON_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// Objects and arrays that may be inside each other in a text: "$map" can double those
// of the value, and "$tensor" has two inside it.
#define SP_JSON_NESTED (2 * SP_DEPTH_MAX + 3)

// A container whose end was not read.
struct sp_json_frame {
    size_t head;     // where its head is in the writer's bytes
    size_t tensors;  // that were written before it
    size_t keys;     // of the containers around it, see sp_json_keys
    uint32_t count;  // its items or pairs, so far
    uint32_t nested; // containers inside each other that its items are, at most
    bool map;
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

// ---- json_keys.c --------------------------------------------------------------

// NO_MEMORY.
snakepit_err sp_json_keys_put(struct sp_json_keys *keys,
                              const struct sp_json_key *key,
                              const uint8_t *bytes);

// One of the rows from `first` on whose text is also that of one before it, or NULL.
// Their order is lost. `bytes` is what `at` counts from.
const struct sp_json_key *
sp_json_keys_find_twin(struct sp_json_keys *keys, size_t first, const uint8_t *bytes);

// ---- json_special.c -----------------------------------------------------------

// A pair that is what JSON cannot say, or is escaped so as not to be.
struct sp_json_special {
    const char *name; // "bytes", "uint" or "tensor"
    size_t dollars;   // that are before it in the key; more than one: it is escaped
};

// True if the key is dollars and one of the names, and the value is of its kind.
bool sp_json_is_special(const snakepit_value *key,
                        const snakepit_value *value,
                        struct sp_json_special *found);

// The object of one pair that begins at frame->head is whole. If it is what JSON cannot
// say, it becomes that: true. If it only looks so it is taken back: true, and `*wrong`
// says why it is malformed, or the writer has failed. Else it stays an object, whose
// key is no longer escaped: false.
bool sp_json_rewrite(snakepit_writer *writer,
                     const struct sp_json_frame *frame,
                     const char **wrong);

#endif
