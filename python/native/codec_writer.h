// SPDX-License-Identifier: MIT
// Pieces of an answer being written, for encode.c (values), codec_array.c (tensors),
// codec_kinds.c (values that cross as simpler ones) and codec_refusals.c (those that do
// not cross).
// What fails returns NULL or -1 with an exception.
#ifndef NATIVE_CODEC_WRITER_H
#define NATIVE_CODEC_WRITER_H

#include "codec.h"

#include <endian.h>
#include <string.h>

#include "payload/wire.h"

// Where in the result a value stands: an item of what stands at `outer`. Made on the
// stack as containers are entered; read only when an error must name the place.
struct sp_place {
    const struct sp_place *outer; // NULL: the result itself
    PyObject *key;                // of a map, or NULL
    Py_ssize_t index;             // of a list; -1: it is one of the map's keys
};

// "result['a'][3]", or as the purpose calls it: "arguments['a'][3]", a session's
// "value[3]", an event's "metadata['a']". After a dozen steps it is cut. A new
// reference.
PyObject *sp_encoder_path(const struct sp_encoder *encoder,
                          const struct sp_place *place);
// Sets `type`: "`what` at result['a'][3]".
int sp_encoder_fail(const struct sp_encoder *encoder,
                    const struct sp_place *place,
                    PyObject *type,
                    const char *what);
// RuntimeError: a container changed while it was encoded.
int sp_encoder_changed(const struct sp_encoder *encoder, const struct sp_place *place);

// Why a value cannot cross, and what its author can do about it.
struct sp_refusal {
    PyObject **error;                // the exception's class
    const char *what;                // NULL: "cannot encode" and the value's type
    const char *advice[SP_PURPOSES]; // follows the place; NULL: as for a result
};

// What to hand over instead, for sp_refusal.advice.
#define SP_ADVICE(instead)                    \
    {                                         \
        [SP_FOR_RESULT] = "return " instead,  \
        [SP_FOR_ARGUMENTS] = "pass " instead, \
        [SP_FOR_SESSION] = "pass " instead,   \
        [SP_FOR_EVENT] = "give " instead,     \
    }

extern const struct sp_refusal sp_no_plain_value;
// As sp_no_plain_value, with the conversion to write where the class is a known one.
// With an exception where memory is exhausted: sp_encoder_refuse() passes that on.
const struct sp_refusal *sp_refusal_of(PyObject *value);
extern const struct sp_refusal sp_no_array_of_numbers;
extern const struct sp_refusal sp_too_many_dimensions;

// Nothing of `value` was written: writes a marker in its place where the pool wants
// markers, else fails: "`what` at result['a'][3]; `advice`". No marker stands in a key,
// nor deeper than a reader goes. An exception is forgotten, but for MemoryError.
int sp_encoder_refuse(struct sp_encoder *encoder,
                      PyObject *value,
                      const struct sp_place *place,
                      const struct sp_refusal *why);

// Writes any value.
int sp_encoder_value(struct sp_encoder *encoder,
                     PyObject *value,
                     const struct sp_place *place);
// Writes a map of pairs, a list of tuples, which it takes; NULL with an exception is
// passed on. `distinct`: no two keys that stay what they are can be alike.
int sp_encoder_pairs(struct sp_encoder *encoder,
                     PyObject *pairs,
                     bool distinct,
                     const struct sp_place *place);
// Whether a value is of a class that crosses as something simpler.
bool sp_encoder_knows(struct sp_encoder *encoder, PyObject *value);
// Writes what is none of MessagePack's kinds, nor an array, but crosses as one of them:
// see docs/values.md. Refuses the rest.
int sp_encoder_kind(struct sp_encoder *encoder,
                    PyObject *value,
                    const struct sp_place *place);

// Whether a key arrives as what it is. Of such keys no two are alike in a dict.
static inline bool sp_key_stays(PyObject *key)
{
    return PyUnicode_CheckExact(key) || PyLong_CheckExact(key) ||
           PyFloat_CheckExact(key) || PyBytes_CheckExact(key) || PyBool_Check(key) ||
           key == Py_None;
}

// Takes down in `seen`, a set that is made at the first, how a key arrives that does
// not stay what it is. It was written at `begin`, as the last thing. ValueError: as
// another one of them.
int sp_keys_note(struct sp_encoder *encoder,
                 PyObject **seen,
                 size_t begin,
                 const struct sp_place *map);
// ValueError if one of these arrives as a key of `items`, a list of pairs, that stays.
int sp_keys_check(const struct sp_encoder *encoder,
                  PyObject *seen,
                  PyObject *items,
                  const struct sp_place *map);
// ValueError if two keys of `items` that stay what they are are equal in Python.
int sp_keys_differ(const struct sp_encoder *encoder,
                   PyObject *items,
                   const struct sp_place *map);

// Whether `more` containers fit inside of those that are open.
static inline bool sp_encoder_may_nest(const struct sp_encoder *encoder, uint32_t more)
{
    return encoder->depth + more <= SP_DEPTH_MAX + encoder->around;
}

// Moves to a private buffer that has room for `more` bytes.
int sp_encoder_grow(struct sp_encoder *encoder, size_t more);

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

// A big-endian number of 0, 1, 2, 4 or 8 bytes.
static inline void sp_store(uint8_t *at, uint64_t value, size_t bytes)
{
    uint16_t two = htobe16((uint16_t)value);
    uint32_t four = htobe32((uint32_t)value);
    uint64_t eight = htobe64(value);
    switch (bytes) {
    case 0:
        break;
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        memcpy(at, &two, sizeof two);
        break;
    case 4:
        memcpy(at, &four, sizeof four);
        break;
    default:
        memcpy(at, &eight, sizeof eight);
        break;
    }
}

// ---- Pieces -------------------------------------------------------------------

// Inline, since each value needs one.
static inline int sp_encoder_byte(struct sp_encoder *encoder, uint8_t byte)
{
    uint8_t *at = sp_encoder_room(encoder, 1);
    if (at == NULL) {
        return -1;
    }
    *at = byte;
    return 0;
}

// A tag and a number of `bytes` bytes.
static inline int
sp_encoder_tag(struct sp_encoder *encoder, uint8_t tag, uint64_t number, size_t bytes)
{
    uint8_t *at = sp_encoder_room(encoder, 1 + bytes);
    if (at == NULL) {
        return -1;
    }
    *at = tag;
    sp_store(at + 1, number, bytes);
    return 0;
}

// Writes the head of a text of `size` bytes and returns where these go.
static inline uint8_t *sp_encoder_text_head(struct sp_encoder *encoder, size_t size)
{
    size_t field = size < 32 ? 0 : size <= UINT8_MAX ? 1 : size <= UINT16_MAX ? 2 : 4;
    uint8_t *at = sp_encoder_room(encoder, 1 + field + size);
    if (at == NULL) {
        return NULL;
    }
    *at = field == 0 ? (uint8_t)(0xa0 | size) : (uint8_t)(0xd9 + field / 2);
    sp_store(at + 1, size, field);
    return at + 1 + field;
}

// Writes text that need not be an object.
static inline int
sp_encoder_text(struct sp_encoder *encoder, const char *text, size_t size)
{
    uint8_t *at = sp_encoder_text_head(encoder, size);
    if (at == NULL) {
        return -1;
    }
    sp_copy(at, text, size);
    return 0;
}

// Writes the head of a bin of `size` bytes and returns where these go.
static inline uint8_t *sp_encoder_bin(struct sp_encoder *encoder, size_t size)
{
    size_t field = size <= UINT8_MAX ? 1 : size <= UINT16_MAX ? 2 : 4;
    uint8_t *at = sp_encoder_room(encoder, 1 + field + size);
    if (at == NULL) {
        return NULL;
    }
    *at = (uint8_t)(0xc4 + field / 2);
    sp_store(at + 1, size, field);
    return at + 1 + field;
}

struct sp_container {
    uint8_t fixed; // the head of a short one, less its size
    uint8_t tag;   // of one with a size of two bytes; the next is that of four
};

// Writes the head of a container of `size` items or pairs and goes one level down;
// `depth` is the caller's to take down again.
static inline int sp_encoder_open(struct sp_encoder *encoder,
                                  struct sp_container kind,
                                  Py_ssize_t size,
                                  const struct sp_place *place)
{
    if (!sp_encoder_may_nest(encoder, 1)) {
        return sp_encoder_fail(
            encoder, place, PyExc_ValueError, "nesting too deep, or a cycle,");
    }
    if (size > (Py_ssize_t)SP_BODY_MAX) {
        return sp_encoder_fail(encoder, place, PyExc_ValueError, "too many items");
    }
    encoder->depth++;
    if (size < 16) {
        return sp_encoder_byte(encoder, (uint8_t)(kind.fixed | size));
    }
    return size <= UINT16_MAX
               ? sp_encoder_tag(encoder, kind.tag, (uint64_t)size, 2)
               : sp_encoder_tag(encoder, kind.tag + 1, (uint64_t)size, 4);
}

static inline int sp_encoder_open_list(struct sp_encoder *encoder,
                                       Py_ssize_t size,
                                       const struct sp_place *place)
{
    return sp_encoder_open(encoder, (struct sp_container){0x90, 0xdc}, size, place);
}

static inline int sp_encoder_open_map(struct sp_encoder *encoder,
                                      Py_ssize_t size,
                                      const struct sp_place *place)
{
    return sp_encoder_open(encoder, (struct sp_container){0x80, 0xde}, size, place);
}

#endif
