// SPDX-License-Identifier: MIT
// Pseudo-random values: the same seed writes the same value and checks that it was
// read.
#ifndef TESTS_PAYLOAD_VALUES_H
#define TESTS_PAYLOAD_VALUES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <snakepit/payload.h>

struct chance {
    uint64_t state;
};

// splitmix64: no seed is a bad one.
static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t chance_below(struct chance *chance, uint64_t limit)
{
    return chance_next(chance) % limit;
}

// A number whose width is as likely to be one bit as 64.
static inline uint64_t chance_wide(struct chance *chance)
{
    return chance_next(chance) >> chance_below(chance, 64);
}

struct blob {
    char data[70000];
    size_t size;
};

// Sizes around the places where the form of a length changes.
static inline void chance_blob(struct chance *chance, struct blob *blob)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    bool edge = chance_below(chance, 64) == 0;
    blob->size = edge ? sizes[chance_below(chance, 8)] : chance_below(chance, 40);
    for (size_t i = 0; i < blob->size; i++) {
        blob->data[i] = (char)('a' + chance_below(chance, 26));
    }
}

static inline double chance_double(struct chance *chance)
{
    return (double)(int64_t)chance_next(chance) /
           (double)(1 + chance_below(chance, 1000));
}

enum { CHANCE_SCALARS = 7, CHANCE_KINDS = 9 };

static inline unsigned chance_kind(struct chance *chance, unsigned depth)
{
    return (unsigned)chance_below(chance, depth == 0 ? CHANCE_SCALARS : CHANCE_KINDS);
}

// How deep the i-th value of a container may be: a key holds no container.
static inline unsigned chance_depth(unsigned kind, uint64_t i, unsigned depth)
{
    return kind == 8 && i % 2 == 0 ? 0 : depth - 1;
}

// Writes one value of at most `depth` containers inside each other.
static inline void
write_chance(struct chance *chance, snakepit_writer *writer, unsigned depth)
{
    static struct blob blob;
    unsigned kind = chance_kind(chance, depth);
    uint64_t count;
    switch (kind) {
    case 0:
        snakepit_writer_nil(writer);
        break;
    case 1:
        snakepit_writer_bool(writer, chance_below(chance, 2) != 0);
        break;
    case 2:
        snakepit_writer_int(writer, (int64_t)chance_wide(chance));
        break;
    case 3:
        snakepit_writer_uint(writer, chance_wide(chance));
        break;
    case 4:
        snakepit_writer_double(writer, chance_double(chance));
        break;
    case 5:
        chance_blob(chance, &blob);
        snakepit_writer_strn(writer, blob.data, blob.size);
        break;
    case 6:
        chance_blob(chance, &blob);
        snakepit_writer_bytes(writer, blob.data, blob.size);
        break;
    default:
        count = chance_below(chance, 20);
        if (kind == 7) {
            snakepit_writer_array(writer, (uint32_t)count);
        } else {
            snakepit_writer_map(writer, (uint32_t)count);
        }
        for (uint64_t i = 0; i < count * (kind == 7 ? 1 : 2); i++) {
            write_chance(chance, writer, chance_depth(kind, i, depth));
        }
    }
}

static inline void check_blob(struct chance *chance, const snakepit_span *span)
{
    static struct blob blob;
    chance_blob(chance, &blob);
    assert_int_equal(span->size, blob.size);
    assert_memory_equal(span->data, blob.data, blob.size);
}

static inline void
check_number(uint64_t expected, bool negative, const snakepit_value *value)
{
    bool wide = !negative && expected > INT64_MAX;
    assert_int_equal(value->kind, wide ? SNAKEPIT_UNSIGNED : SNAKEPIT_INTEGER);
    assert_int_equal(value->as.unsigned_integer, expected);
}

// Reads what write_chance() wrote from the same state.
static inline void
check_chance(struct chance *chance, snakepit_reader *reader, unsigned depth)
{
    snakepit_value value;
    unsigned kind = chance_kind(chance, depth);
    uint64_t number;
    assert_int_equal(snakepit_reader_next(reader, &value), SNAKEPIT_OK);
    switch (kind) {
    case 0:
        assert_int_equal(value.kind, SNAKEPIT_NIL);
        break;
    case 1:
        assert_int_equal(value.kind, SNAKEPIT_BOOLEAN);
        assert_int_equal(value.as.boolean, chance_below(chance, 2) != 0);
        break;
    case 2:
        number = chance_wide(chance);
        check_number(number, number > INT64_MAX, &value);
        break;
    case 3:
        check_number(chance_wide(chance), false, &value);
        break;
    case 4:
        assert_int_equal(value.kind, SNAKEPIT_REAL);
        assert_true(value.as.real == chance_double(chance));
        break;
    case 5:
    case 6:
        assert_int_equal(value.kind, kind == 5 ? SNAKEPIT_TEXT : SNAKEPIT_BYTES);
        check_blob(chance, &value.as.bytes);
        break;
    default:
        number = chance_below(chance, 20);
        assert_int_equal(value.kind, kind == 7 ? SNAKEPIT_ARRAY : SNAKEPIT_MAP);
        assert_int_equal(value.as.count, number);
        for (uint64_t i = 0; i < number * (kind == 7 ? 1 : 2); i++) {
            check_chance(chance, reader, chance_depth(kind, i, depth));
        }
    }
}

#endif
