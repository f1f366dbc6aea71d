// SPDX-License-Identifier: MIT
// A position in foreign MessagePack, for decode.c (values) and codec_arguments.c.
#ifndef NATIVE_CODEC_READER_H
#define NATIVE_CODEC_READER_H

#include "codec.h"

#include <endian.h>
#include <string.h>

#include "base/bytes.h"

// Owner: the call of sp_decode() that has it on its stack.
struct sp_reader {
    struct sp_decoder *decoder;
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    struct sp_lease *lease;
    size_t owed; // values that open containers still want; each takes a byte at least
    uint32_t depth;
    // Set once a map has two keys that are equal in Python, see codec_twins.c.
    PyObject *twins; // what is wrong with them
    PyObject *place; // of that map, from the value that is being left; made inside out
};

static inline struct sp_reader sp_reader_of(struct sp_decoder *decoder,
                                            const uint8_t *bytes,
                                            size_t size,
                                            struct sp_lease *lease)
{
    return (struct sp_reader){.decoder = decoder,
                              .start = bytes,
                              .at = bytes,
                              .end = bytes + size,
                              .lease = lease};
}

// ---- Values -------------------------------------------------------------------

// Those that fail return NULL or -1 with an exception.

// The next value, stepping over it. New reference.
PyObject *sp_read_value(struct sp_reader *reader);
// As sp_read_value(); what it returns can be hashed.
PyObject *sp_read_key(struct sp_reader *reader);
// Enters a container of `values` values; a pair is two.
int sp_reader_enter(struct sp_reader *reader, size_t values);
// Fails if bytes are left.
int sp_reader_finish(const struct sp_reader *reader);
// Sets a ValueError that says where and `what`; returns NULL.
PyObject *sp_reader_malformed(const struct sp_reader *reader, const char *what);

// ---- Keys that are equal in Python ----------------------------------------------

// Where a map begins, in case its keys must be read once more.
struct sp_map_start {
    const uint8_t *at; // its first key
    size_t owed;
    size_t pairs;
};

// The map that was just read has more pairs than its dict: names two of its keys, which
// `next_key` reads again, each with its value. Always -1.
int sp_twins_refuse(struct sp_reader *reader,
                    const struct sp_map_start *map,
                    PyObject *(*next_key)(struct sp_reader *));
// A value could not be read: if for keys in it, the place gets one step more. `key` is
// of a map, or NULL: the value is an item of a list, at `index`.
void sp_twins_within(struct sp_reader *reader, PyObject *key, size_t index);
// Reading has failed: if for such keys, the exception says so; `root` is the name of
// the whole value.
void sp_twins_tell(struct sp_reader *reader, const char *root);

static inline bool sp_reader_has(const struct sp_reader *reader, size_t bytes)
{
    return (size_t)(reader->end - reader->at) >= bytes;
}

// A big-endian number of 0, 1, 2, 4 or 8 bytes.
static inline uint64_t sp_load(const uint8_t *at, size_t bytes)
{
    uint16_t two;
    switch (bytes) {
    case 0:
        return 0;
    case 1:
        return *at;
    case 2:
        memcpy(&two, at, sizeof two);
        return be16toh(two);
    case 4:
        return be32toh(sp_bytes_load4(at));
    default:
        return be64toh(sp_bytes_load8(at));
    }
}

// The next `bytes` bytes, stepped over; NULL with an exception if there are fewer.
static inline const uint8_t *sp_reader_take(struct sp_reader *reader, size_t bytes)
{
    if (!sp_reader_has(reader, bytes)) {
        sp_reader_malformed(reader, "it ends inside a value");
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += bytes;
    return taken;
}

// ---- Names --------------------------------------------------------------------

// Text of at most SP_KEY_BYTES bytes, if such comes next; nothing is stepped over.
// `head` is how many bytes stand before it; 0: something else comes, or the bytes end.
struct sp_short_text {
    size_t head;
    size_t size;
};

static inline struct sp_short_text sp_reader_peek(const struct sp_reader *reader)
{
    struct sp_short_text text = {0};
    if (sp_reader_has(reader, 1) && (reader->at[0] & 0xe0) == 0xa0) {
        text = (struct sp_short_text){1, reader->at[0] & 0x1f};
    } else if (sp_reader_has(reader, 2) && reader->at[0] == 0xd9 &&
               reader->at[1] <= SP_KEY_BYTES) {
        text = (struct sp_short_text){2, reader->at[1]};
    }
    return sp_reader_has(reader, text.head + text.size) ? text
                                                        : (struct sp_short_text){0};
}

// Whether a name that is cacheable has these bytes.
static inline bool sp_name_is(PyObject *name, const uint8_t *bytes, size_t size)
{
    return (size_t)PyUnicode_GET_LENGTH(name) == size &&
           sp_bytes_equal(PyUnicode_1BYTE_DATA(name), bytes, size);
}

// ASCII is its own UTF-8, so it can be compared where it lies.
static inline bool sp_name_cacheable(PyObject *name)
{
    return PyUnicode_CheckExact(name) && PyUnicode_IS_COMPACT_ASCII(name) &&
           (size_t)PyUnicode_GET_LENGTH(name) <= SP_KEY_BYTES;
}

// Of the first and the last eight bytes and the size: enough for names. A clash only
// costs.
static inline uint32_t sp_name_hash(const uint8_t *bytes, size_t size)
{
    uint64_t first = 0;
    uint64_t last = 0;
    if (size >= 8) {
        first = sp_bytes_load8(bytes);
        last = sp_bytes_load8(bytes + size - 8);
    } else if (size >= 4) {
        first = sp_bytes_load4(bytes);
        last = sp_bytes_load4(bytes + size - 4);
    } else if (size > 0) {
        first =
            (uint64_t)bytes[0] << 16 | (uint64_t)bytes[size / 2] << 8 | bytes[size - 1];
    }
    uint64_t mixed =
        (first ^ (last << 29 | last >> 35) ^ size) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 40);
}

#endif
