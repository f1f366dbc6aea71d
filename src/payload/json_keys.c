// SPDX-License-Identifier: MIT
// The keys of the objects that are open, so that none stands twice in one. Where two
// may be the same, few are compared with each other and many are sorted: no choice of
// keys makes that slow.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "payload/json_inside.h"

#define FEW 12u

snakepit_err sp_json_keys_grow(struct sp_json_keys *keys)
{
    size_t room = keys->room == 0 ? 16 : keys->room * 2;
    void *grown = sp_realloc(keys->rows, room * sizeof(*keys->rows));
    if (grown == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    keys->rows = grown;
    keys->room = room;
    return SNAKEPIT_OK;
}

snakepit_err sp_json_keys_put(struct sp_json_keys *keys,
                              const struct sp_json_key *key,
                              const uint8_t *bytes)
{
    if (keys->count == keys->room && sp_json_keys_grow(keys) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    keys->rows[keys->count] = *key;
    keys->rows[keys->count++].digest = sp_json_digest(bytes + key->at, key->size);
    return SNAKEPIT_OK;
}

bool sp_json_keys_has_digest(const struct sp_json_key *rows,
                             size_t count,
                             uint64_t digest)
{
    size_t i = 0;
    while (i < count && rows[i].digest != digest) {
        i++;
    }
    return i < count;
}

static int order(const void *left, const void *right, void *bytes)
{
    const struct sp_json_key *a = left;
    const struct sp_json_key *b = right;
    const uint8_t *base = bytes;
    if (a->digest != b->digest) {
        return a->digest < b->digest ? -1 : 1;
    }
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return memcmp(base + a->at, base + b->at, a->size);
}

// Whichever of two stands further behind in the text.
static const struct sp_json_key *later(const struct sp_json_key *a,
                                       const struct sp_json_key *b)
{
    return a->source < b->source ? b : a;
}

// True if one of the first `count` rows is the same key.
static bool stands_before(const struct sp_json_key *key,
                          const struct sp_json_key *rows,
                          size_t count,
                          uint8_t *bytes)
{
    size_t i = 0;
    while (i < count && order(key, &rows[i], bytes) != 0) {
        i++;
    }
    return i < count;
}

static const struct sp_json_key *
compare_each(struct sp_json_key *rows, size_t count, uint8_t *bytes)
{
    for (size_t i = 1; i < count; i++) {
        if (stands_before(&rows[i], rows, i, bytes)) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct sp_json_key *
sp_json_keys_find_twin(struct sp_json_keys *keys, size_t first, const uint8_t *bytes)
{
    struct sp_json_key *rows = keys->rows + first;
    size_t count = keys->count - first;
    uint8_t *base = (uint8_t *)(uintptr_t)bytes; // qsort_r() takes no const
    if (count <= FEW) {
        return compare_each(rows, count, base);
    }
    qsort_r(rows, count, sizeof(*rows), order, base);
    for (size_t i = 1; i < count; i++) {
        if (order(&rows[i - 1], &rows[i], base) == 0) {
            return later(&rows[i - 1], &rows[i]);
        }
    }
    return NULL;
}
