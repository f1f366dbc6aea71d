// SPDX-License-Identifier: MIT
// A table of things that have a name. The entries are the owner's, who embeds a
// struct sp_name in them; the table only finds them. It grows and shrinks with what it
// holds. Names may come from strangers, so they are hashed with a key (SipHash-1-3)
// that those cannot know.
//
// No lock: the owner of the table is the owner of its entries.
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>

struct sp_hash_key {
    uint64_t words[2];
};

struct sp_name {
    struct sp_name *next; // in its bucket
    uint64_t hash;
    const char *text; // not terminated; lives as long as the entry
    uint32_t size;    // bytes
};

struct sp_names {
    struct sp_name **buckets; // NULL until the first name comes
    size_t room;              // buckets: a power of two
    size_t count;
    struct sp_hash_key key;
};

// Allocates nothing yet.
void sp_names_init(struct sp_names *names, const struct sp_hash_key *key);
// Frees the table, not the entries.
void sp_names_fini(struct sp_names *names);
// The entry of that name, or NULL.
struct sp_name *
sp_names_find(const struct sp_names *names, const char *text, uint32_t size);
// Adds an entry whose `text` and `size` are set and whose name is not there yet.
// NO_MEMORY: it was not added.
snakepit_err sp_names_add(struct sp_names *names, struct sp_name *name);
void sp_names_remove(struct sp_names *names, struct sp_name *name);

// One of 64 numbers, which tells most names apart; found without a hash.
static inline uint32_t sp_name_guess(const char *text, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    uint64_t mix = size;
    if (size > 0) {
        mix = mix << 24 | (uint64_t)bytes[0] << 16 | (uint64_t)bytes[size / 2] << 8 |
              bytes[size - 1];
    }
    return (uint32_t)(mix * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

// SipHash-1-3 of `size` bytes.
uint64_t sp_hash(const struct sp_hash_key *key, const void *data, size_t size);

#endif
