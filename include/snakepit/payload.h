// SPDX-License-Identifier: MIT
// Arguments and results: MessagePack written and read piece by piece, and tensors.
//
// A writer builds the arguments of a call; a reader walks the value of an answer.
// Neither locks: one writer or reader belongs to one thread at a time.
#ifndef SNAKEPIT_PAYLOAD_H
#define SNAKEPIT_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SNAKEPIT_API __attribute__((visibility("default")))
#else
#define SNAKEPIT_API
#endif

// A function of the program that the library calls may neither throw nor longjmp()
// out of it: the library's own work on that thread would never be finished. So its type
// says noexcept where C++ can say it of a type, from C++17 on.
#if defined(__cplusplus) && __cplusplus >= 201703L
#define SNAKEPIT_NOEXCEPT noexcept
#else
#define SNAKEPIT_NOEXCEPT
#endif

// A text that the library writes for people: what was wrong, where, and the remedy.
typedef struct snakepit_message {
    char text[1024];
} snakepit_message;

// ---- Tensors ------------------------------------------------------------------

#define SNAKEPIT_MAX_RANK 8

// Element types of a tensor: name, number on the wire, bytes an element, NumPy's name
// for it. For bfloat16, the upper half of a float32, it is the name in the package
// ml_dtypes.
// clang-format off
#define SNAKEPIT_DTYPES(X)                                                                      \
    X(BOOL, 1, 1, "bool")                                                                       \
    X(INT8, 2, 1, "int8")       X(INT16, 3, 2, "int16")                                         \
    X(INT32, 4, 4, "int32")     X(INT64, 5, 8, "int64")                                         \
    X(UINT8, 6, 1, "uint8")     X(UINT16, 7, 2, "uint16")                                       \
    X(UINT32, 8, 4, "uint32")   X(UINT64, 9, 8, "uint64")                                       \
    X(FLOAT16, 10, 2, "float16") X(FLOAT32, 11, 4, "float32")                                   \
    X(FLOAT64, 12, 8, "float64") X(COMPLEX64, 13, 8, "complex64")                               \
    X(COMPLEX128, 14, 16, "complex128") X(BFLOAT16, 15, 2, "bfloat16")
// clang-format on

#define SNAKEPIT_DTYPE_ENUM(name, number, size, numpy) SNAKEPIT_##name = (number),
typedef enum snakepit_dtype { SNAKEPIT_DTYPES(SNAKEPIT_DTYPE_ENUM) } snakepit_dtype;
#undef SNAKEPIT_DTYPE_ENUM

// An array of numbers. `shape` counts elements; `strides` counts bytes from one index
// to the next and may be left all zero for a packed C-order array. So an array whose
// strides really are zero, such as one element broadcast to a shape, must be packed
// first. Rank 0 is one element.
//
// As an argument, `data` is borrowed until the call that takes the writer returns, and
// is copied once, packed, into shared memory; or not at all where `data` came from
// snakepit_tensor_new() of the same pool. In a result, `data` points into shared
// memory, packed in C order, is read-only, and is valid until the answer is freed.
typedef struct snakepit_tensor {
    const void *data;
    snakepit_dtype dtype;
    uint32_t rank;
    int64_t shape[SNAKEPIT_MAX_RANK];
    int64_t strides[SNAKEPIT_MAX_RANK];
} snakepit_tensor;

// Bytes of one element; 0 for a number that is not a dtype. Any thread.
SNAKEPIT_API size_t snakepit_dtype_size(snakepit_dtype dtype);

// NumPy's name of a dtype ("float32"); NULL for a number that is not one. Any thread.
SNAKEPIT_API const char *snakepit_dtype_name(snakepit_dtype dtype);

// Bytes of the packed tensor. INVALID_ARGUMENT: NULL, an unknown dtype, rank over
// SNAKEPIT_MAX_RANK, a negative extent, or a size that does not fit into size_t.
SNAKEPIT_API snakepit_err snakepit_tensor_bytes(const snakepit_tensor *tensor,
                                                size_t *bytes);

// ---- Writer -------------------------------------------------------------------

// Builds one MessagePack value. Errors stick: after the first one every function does
// nothing, and whoever takes the writer reports it. A writer can be reset and used
// again; it then reuses the memory that it has. With a NULL writer every function does
// nothing, and those that return an error say INVALID_ARGUMENT.
typedef struct snakepit_writer snakepit_writer;

// NULL when memory is exhausted. Free with snakepit_writer_free().
SNAKEPIT_API snakepit_writer *snakepit_writer_new(void);
SNAKEPIT_API void snakepit_writer_free(snakepit_writer *writer);
SNAKEPIT_API void snakepit_writer_reset(snakepit_writer *writer);

// A map of `pairs` pairs: the next 2 * pairs values are key, value, key, value. Keys
// are texts, numbers, booleans, nil or bytes.
SNAKEPIT_API void snakepit_writer_map(snakepit_writer *writer, uint32_t pairs);
// An array of the next `items` values.
SNAKEPIT_API void snakepit_writer_array(snakepit_writer *writer, uint32_t items);
SNAKEPIT_API void snakepit_writer_nil(snakepit_writer *writer);
SNAKEPIT_API void snakepit_writer_bool(snakepit_writer *writer, bool value);
SNAKEPIT_API void snakepit_writer_int(snakepit_writer *writer, int64_t value);
SNAKEPIT_API void snakepit_writer_uint(snakepit_writer *writer, uint64_t value);
SNAKEPIT_API void snakepit_writer_double(snakepit_writer *writer, double value);
// Text is UTF-8, borrowed until the function returns. Also writes the keys of maps.
SNAKEPIT_API void snakepit_writer_str(snakepit_writer *writer, const char *text);
SNAKEPIT_API void
snakepit_writer_strn(snakepit_writer *writer, const char *text, size_t bytes);
SNAKEPIT_API void
snakepit_writer_bytes(snakepit_writer *writer, const void *data, size_t bytes);
// Keeps `tensor->data` until the call that takes the writer returns; the struct is
// copied.
SNAKEPIT_API void snakepit_writer_tensor(snakepit_writer *writer,
                                         const snakepit_tensor *tensor);
// One value from JSON text. MALFORMED: `why`, where not NULL, names line and column.
SNAKEPIT_API snakepit_err snakepit_writer_json(snakepit_writer *writer,
                                               const char *json,
                                               size_t bytes,
                                               snakepit_message *why);
// The first error: NO_MEMORY, INVALID_ARGUMENT (an invalid tensor, a null text, a text
// or bytes of 4 GiB, containers nested more than 128 deep, a container or a tensor as a
// key), or MALFORMED (no value, a container that still wants values, more than one
// value, or what snakepit_writer_json() refused).
SNAKEPIT_API snakepit_err snakepit_writer_error(const snakepit_writer *writer);
// The same, and says in `why` what is wrong, where in the value, and the remedy; if the
// writer has no error, `why` is empty. Unlike the function above it also looks for keys
// of one map that are equal in Python (1, 1.0 and true; the same twice):
// INVALID_ARGUMENT. A tool refuses arguments with such keys.
SNAKEPIT_API snakepit_err snakepit_writer_explain(const snakepit_writer *writer,
                                                  snakepit_message *why);

// ---- Reader -------------------------------------------------------------------

typedef enum snakepit_kind {
    SNAKEPIT_NIL = 0,
    SNAKEPIT_BOOLEAN,
    SNAKEPIT_INTEGER,  // fits int64_t
    SNAKEPIT_UNSIGNED, // over INT64_MAX
    SNAKEPIT_REAL,
    SNAKEPIT_TEXT,
    SNAKEPIT_BYTES,
    SNAKEPIT_ARRAY,
    SNAKEPIT_MAP,
    SNAKEPIT_TENSOR,
    SNAKEPIT_EXTENSION // an ext type this library does not know; `as.bytes` is its
                       // payload
} snakepit_kind;

typedef struct snakepit_span {
    const char *data; // not terminated by a zero
    size_t size;      // bytes
} snakepit_span;

// One value. An ARRAY's items and a MAP's pairs follow in the reader it came from;
// `as.count` says how many. TEXT and BYTES point into the answer and live as long as it
// does.
typedef struct snakepit_value {
    snakepit_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        snakepit_span text;
        snakepit_span bytes;
        uint32_t count;
        snakepit_tensor tensor;
    } as;
} snakepit_value;

// A position in MessagePack bytes. Plain data: copy it to remember a place. The fields
// are private to the library. A pointer that is NULL is INVALID_ARGUMENT to all of
// these.
typedef struct snakepit_reader {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *tensors; // where tensors of these bytes lie, or NULL
    uint64_t tensors_size;
} snakepit_reader;

// Reads `bytes` bytes at `data`, borrowed while the reader is used. Tensors need
// snakepit_answer_reader(): in foreign bytes they are MALFORMED.
SNAKEPIT_API void
snakepit_reader_init(snakepit_reader *reader, const void *data, size_t bytes);

// The next value, stepping into containers. END: nothing is left. MALFORMED: the bytes
// are not MessagePack; the reader stays where it was.
SNAKEPIT_API snakepit_err snakepit_reader_next(snakepit_reader *reader,
                                               snakepit_value *value);

// Steps over one value with all it contains. END, MALFORMED.
SNAKEPIT_API snakepit_err snakepit_reader_skip(snakepit_reader *reader);

// Why the next value has no JSON, as for a program that got NULL from
// snakepit_answer_json() or snakepit_stream_json(). UNSERIALISABLE: `why`, where not
// NULL, says what cannot be written in JSON, and where: two keys of a map that become
// the same text, or a key that is a map with keys that are not texts. OK: it has JSON,
// and `why` is empty. END, MALFORMED, NO_MEMORY. The reader does not move.
SNAKEPIT_API snakepit_err snakepit_reader_explain_json(const snakepit_reader *reader,
                                                       snakepit_message *why);

// Looks up `key` in the map that comes next. On success `found` stands before the key's
// value; `reader` does not move; they may be the same. TYPE_MISMATCH: what comes next
// is not a map. NOT_FOUND. MALFORMED.
SNAKEPIT_API snakepit_err snakepit_reader_find(const snakepit_reader *reader,
                                               const char *key,
                                               snakepit_reader *found);

#ifdef __cplusplus
}
#endif

#endif
