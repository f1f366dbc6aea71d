// SPDX-License-Identifier: MIT
// Pieces of an answer being written, for encode.c (values) and codec_array.c (tensors).
// What fails returns NULL or -1 with an exception.
#ifndef NATIVE_CODEC_WRITER_H
#define NATIVE_CODEC_WRITER_H

#include "codec.h"

#include <string.h>

#define SP_DETACH_FROM (UINT64_C(1) << 20) // bytes; shorter copies stay attached

// Where in the result a value stands: an item of what stands at `outer`. Made on the
// stack as containers are entered; read only when an error must name the place.
struct sp_place {
    const struct sp_place *outer; // NULL: the result itself
    PyObject *key;                // of a map, or NULL
    Py_ssize_t index;             // of a list; -1: it is one of the map's keys
};

// Sets `type`: "`what` at result['a'][3]".
int sp_encoder_fail(const struct sp_place *place, PyObject *type, const char *what);
// TypeError: "cannot encode TYPE at result['a'][3]".
int sp_encoder_refuse(const struct sp_place *place, PyObject *value);

// Moves to a private buffer that has room for `more` bytes.
int sp_encoder_grow(struct sp_encoder *encoder, size_t more);
// Writes the head of a bin of `size` bytes and returns where these go.
uint8_t *sp_encoder_bin(struct sp_encoder *encoder, size_t size);

// Writes a Tensor, or whatever exports a buffer of numbers, as an ext; a bytearray or a
// memoryview of bytes as a bin.
int sp_encoder_tensor(struct sp_encoder *encoder,
                      struct sp_tensor *tensor,
                      const struct sp_place *place);
int sp_encoder_buffer(struct sp_encoder *encoder,
                      PyObject *value,
                      const struct sp_place *place);

// Room for `bytes` bytes, stepped over.
static inline uint8_t *sp_encoder_room(struct sp_encoder *encoder, size_t bytes)
{
    if ((size_t)(encoder->end - encoder->at) < bytes &&
        sp_encoder_grow(encoder, bytes) != 0) {
        return NULL;
    }
    uint8_t *room = encoder->at;
    encoder->at += bytes;
    return room;
}

// A big-endian number of 1, 2, 4 or 8 bytes.
static inline void sp_store(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--) {
        at[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

// Copies with the interpreter left to others while that takes long. The caller holds
// what owns the memory.
static inline void sp_copy(uint8_t *to, const void *from, size_t bytes)
{
    if (bytes < SP_DETACH_FROM) {
        memcpy(to, from, bytes);
        return;
    }
    Py_BEGIN_ALLOW_THREADS;
    memcpy(to, from, bytes);
    Py_END_ALLOW_THREADS;
}

#endif
