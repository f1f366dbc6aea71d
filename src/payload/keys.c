// SPDX-License-Identifier: MIT
// A reader steps into containers, so one pass over all values meets the head of every
// map. The keys of each are brought to one form for what is equal to Python, and
// sorted: those that are one stand side by side then.
#include "payload/keys.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "payload/place.h"
#include "payload/reader.h"
#include "payload/wire.h"

#define SHOWN_KEY 40 // bytes of one

// A key as it is on the wire: the small members of a snakepit_value.
struct key {
    snakepit_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        snakepit_span text; // or bytes
    } as;
};

struct keys {
    struct key *items;
    size_t room;
};

// ---- What Python compares -----------------------------------------------------

// The same number as an integer, if it is one of 64 bits.
static struct key number(double real)
{
    if (real != floor(real) || real < -0x1p63 || real >= 0x1p64) {
        return (struct key){.kind = SNAKEPIT_REAL, .as.real = real};
    }
    if (real < 0x1p63) {
        return (struct key){.kind = SNAKEPIT_INTEGER, .as.integer = (int64_t)real};
    }
    return (struct key){.kind = SNAKEPIT_UNSIGNED,
                        .as.unsigned_integer = (uint64_t)real};
}

static struct key plain(const struct key *key)
{
    switch (key->kind) {
    case SNAKEPIT_BOOLEAN:
        return (struct key){.kind = SNAKEPIT_INTEGER, .as.integer = key->as.boolean};
    case SNAKEPIT_REAL:
        return number(key->as.real);
    default:
        return *key;
    }
}

static int compare_spans(const snakepit_span *a, const snakepit_span *b)
{
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return a->size == 0 ? 0 : memcmp(a->data, b->data, a->size);
}

// Of two that plain() has made.
static int compare_plain(const struct key *a, const struct key *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    switch (a->kind) {
    case SNAKEPIT_INTEGER:
        return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    case SNAKEPIT_UNSIGNED:
        return (a->as.unsigned_integer > b->as.unsigned_integer) -
               (a->as.unsigned_integer < b->as.unsigned_integer);
    case SNAKEPIT_REAL:
        return (a->as.real > b->as.real) - (a->as.real < b->as.real);
    case SNAKEPIT_TEXT:
    case SNAKEPIT_BYTES:
        return compare_spans(&a->as.text, &b->as.text);
    default:
        return 0;
    }
}

static int compare(const void *left, const void *right)
{
    const struct key a = plain(left);
    const struct key b = plain(right);
    return compare_plain(&a, &b);
}

// What Python never finds equal to another, or what is refused elsewhere.
static bool is_alone(const struct key *key)
{
    return (key->kind == SNAKEPIT_REAL && isnan(key->as.real)) ||
           key->kind > SNAKEPIT_BYTES;
}

static struct key key_of(const snakepit_value *value)
{
    struct key key = {.kind = value->kind};
    switch (value->kind) {
    case SNAKEPIT_BOOLEAN:
        key.as.boolean = value->as.boolean;
        break;
    case SNAKEPIT_INTEGER:
        key.as.integer = value->as.integer;
        break;
    case SNAKEPIT_UNSIGNED:
        key.as.unsigned_integer = value->as.unsigned_integer;
        break;
    case SNAKEPIT_REAL:
        key.as.real = value->as.real;
        break;
    case SNAKEPIT_TEXT:
    case SNAKEPIT_BYTES:
        key.as.text = value->as.text;
        break;
    default:
        break;
    }
    return key;
}

// ---- One map ------------------------------------------------------------------

static snakepit_err reserve(struct keys *keys, size_t count)
{
    if (count <= keys->room) {
        return SNAKEPIT_OK;
    }
    sp_free(keys->items);
    keys->items = sp_alloc_array(count, sizeof *keys->items);
    keys->room = keys->items == NULL ? 0 : count;
    return keys->items == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

// Takes the keys of `pairs` pairs, of which `*count` are compared.
static snakepit_err
collect(snakepit_reader at, uint32_t pairs, struct keys *keys, size_t *count)
{
    snakepit_err err = reserve(keys, pairs);
    *count = 0;
    for (uint32_t i = 0; err == SNAKEPIT_OK && i < pairs; i++) {
        snakepit_reader first = at;
        snakepit_value value;
        err = snakepit_reader_next(&first, &value);
        if (err == SNAKEPIT_OK) {
            keys->items[*count] = key_of(&value);
            *count += is_alone(&keys->items[*count]) ? 0 : 1;
            err = snakepit_reader_skip(&at);
        }
        err = err == SNAKEPIT_OK ? snakepit_reader_skip(&at) : err;
    }
    return err;
}

static void show_key(const struct key *key, char *text, size_t size)
{
    bool is_text = key->kind == SNAKEPIT_TEXT;
    int shown =
        is_text && key->as.text.size < SHOWN_KEY ? (int)key->as.text.size : SHOWN_KEY;
    switch (key->kind) {
    case SNAKEPIT_BOOLEAN:
        (void)snprintf(text, size, "%s", key->as.boolean ? "true" : "false");
        break;
    case SNAKEPIT_INTEGER:
        (void)snprintf(text, size, "%" PRId64, key->as.integer);
        break;
    case SNAKEPIT_UNSIGNED:
        (void)snprintf(text, size, "%" PRIu64, key->as.unsigned_integer);
        break;
    case SNAKEPIT_REAL:
        (void)snprintf(text, size, "%#.17g", key->as.real);
        break;
    case SNAKEPIT_TEXT:
        (void)snprintf(text, size, "\"%.*s\"", shown, key->as.text.data);
        break;
    case SNAKEPIT_BYTES:
        (void)snprintf(text, size, "the same bytes");
        break;
    default:
        (void)snprintf(text, size, "nil");
    }
}

// `before` are the bytes in front of the map.
static void tell(const struct key *two, struct sp_slice before, snakepit_message *wrong)
{
    char first[64];
    char second[64];
    char place[256];
    show_key(&two[0], first, sizeof first);
    show_key(&two[1], second, sizeof second);
    sp_place_behind(before, place, sizeof place);
    bool inside = place[0] != '\0';
    (void)snprintf(wrong->text,
                   sizeof wrong->text,
                   "the keys %s and %s are equal in Python, which would lose a "
                   "value%s%s%s; make them differ",
                   first,
                   second,
                   inside ? " (at " : "",
                   place,
                   inside ? ")" : "");
}

// `at` stands before the first key of a map.
static snakepit_err check_map(snakepit_reader at,
                              uint32_t pairs,
                              struct sp_slice before,
                              struct keys *keys,
                              snakepit_message *wrong)
{
    size_t count;
    snakepit_err err = collect(at, pairs, keys, &count);
    if (err != SNAKEPIT_OK || count < 2) {
        return err;
    }
    qsort(keys->items, count, sizeof *keys->items, compare);
    for (size_t i = 1; i < count; i++) {
        if (compare(&keys->items[i - 1], &keys->items[i]) == 0) {
            tell(&keys->items[i - 1], before, wrong);
            return SNAKEPIT_INVALID_ARGUMENT;
        }
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_keys_check(struct sp_slice value, snakepit_message *wrong)
{
    static _Alignas(SP_TENSOR_ALIGN) const uint8_t nowhere[1];
    const struct sp_slice memory = {nowhere, SIZE_MAX};
    struct keys keys = {0};
    snakepit_err err = SNAKEPIT_OK;
    snakepit_reader at;
    sp_reader_init(&at, value, memory);
    while (err == SNAKEPIT_OK && at.at != at.end) {
        const struct sp_slice before = {value.data, (size_t)(at.at - value.data)};
        snakepit_value item;
        err = snakepit_reader_next(&at, &item);
        if (err == SNAKEPIT_OK && item.kind == SNAKEPIT_MAP && item.as.count > 1) {
            err = check_map(at, item.as.count, before, &keys, wrong);
        }
    }
    sp_free(keys.items);
    return err;
}
