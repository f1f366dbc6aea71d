// SPDX-License-Identifier: MIT
// Chains in a power of two of buckets. A table that cannot grow for lack of memory goes
// on with longer chains.
#include "base/names.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

#define ROOM_LEAST 16u

// ---- Hash ---------------------------------------------------------------------

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void stir(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v2 += sip->v3;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 = rotate(sip->v0, 32) + sip->v3;
    sip->v2 += sip->v1;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void absorb(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    stir(sip);
    sip->v0 ^= word;
}

uint64_t sp_hash(const struct sp_hash_key *key, const void *data, size_t size)
{
    // The start values are the algorithm's: "somepseudorandomlygeneratedbytes".
    struct sip sip = {
        key->words[0] ^ UINT64_C(0x736f6d6570736575),
        key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261),
        key->words[1] ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *at = data;
    uint64_t word;
    size_t left = size;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        absorb(&sip, word);
    }
    word = (uint64_t)size << 56;
    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t)at[i] << (8 * i);
    }
    absorb(&sip, word);
    sip.v2 ^= 0xff;
    stir(&sip);
    stir(&sip);
    stir(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

// ---- Table --------------------------------------------------------------------

void sp_names_init(struct sp_names *names, const struct sp_hash_key *key)
{
    *names = (struct sp_names){.key = *key};
}

void sp_names_fini(struct sp_names *names)
{
    sp_free((void *)names->buckets);
    names->buckets = NULL;
    names->room = 0;
    names->count = 0;
}

static struct sp_name **bucket_of(const struct sp_names *names, uint64_t hash)
{
    return &names->buckets[hash & (names->room - 1)];
}

static void put(struct sp_names *names, struct sp_name *name)
{
    struct sp_name **bucket = bucket_of(names, name->hash);
    name->next = *bucket;
    *bucket = name;
}

static bool resize(struct sp_names *names, size_t room)
{
    struct sp_names old = *names;
    struct sp_name **made = (struct sp_name **)sp_alloc_array(room, sizeof *made);
    if (made == NULL) {
        return false;
    }
    names->buckets = made;
    names->room = room;
    for (size_t i = 0; i < old.room; i++) {
        struct sp_name *next;
        for (struct sp_name *name = old.buckets[i]; name != NULL; name = next) {
            next = name->next;
            put(names, name);
        }
    }
    sp_free((void *)old.buckets);
    return true;
}

struct sp_name *
sp_names_find(const struct sp_names *names, const char *text, uint32_t size)
{
    if (names->count == 0) {
        return NULL;
    }
    uint64_t hash = sp_hash(&names->key, text, size);
    struct sp_name *name = *bucket_of(names, hash);
    while (name != NULL && (name->hash != hash || name->size != size ||
                            memcmp(name->text, text, size) != 0)) {
        name = name->next;
    }
    return name;
}

snakepit_err sp_names_add(struct sp_names *names, struct sp_name *name)
{
    if (names->room == 0 && !resize(names, ROOM_LEAST)) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (names->count >= names->room) {
        (void)resize(names, names->room * 2);
    }
    name->hash = sp_hash(&names->key, name->text, name->size);
    put(names, name);
    names->count++;
    return SNAKEPIT_OK;
}

void sp_names_remove(struct sp_names *names, struct sp_name *name)
{
    struct sp_name **at = bucket_of(names, name->hash);
    while (*at != name) {
        SP_CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = name->next;
    names->count--;
    if (names->room > ROOM_LEAST && names->count < names->room / 8) {
        (void)resize(names, names->room / 2);
    }
}
