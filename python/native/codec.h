// SPDX-License-Identifier: MIT
// MessagePack to Python objects and back, without a step between. One decoder and one
// encoder belong to one executor; nothing here is shared between executors but the
// types.
//
// All functions need the calling thread attached to the interpreter. Those that can
// fail return NULL or -1 with a Python exception set; results are new references.
#ifndef NATIVE_CODEC_H
#define NATIVE_CODEC_H

#include "runtime.h"

#include <stdatomic.h>
#include <stddef.h>

#include "tensor.h"

struct sp_numpy;

// ---- What a module owns -------------------------------------------------------

// Interned names of attributes: number, text.
#define SP_CODEC_TEXTS(X) \
    X(BASE, "base")       \
    X(DTYPE, "dtype")     \
    X(GENERIC, "generic") \
    X(KIND, "kind")       \
    X(NUMPY, "numpy")     \
    X(OBJ, "obj")

#define SP_CODEC_TEXT_NUMBER(name, text) SP_TEXT_##name,
enum sp_codec_text { SP_CODEC_TEXTS(SP_CODEC_TEXT_NUMBER) SP_TEXTS };
#undef SP_CODEC_TEXT_NUMBER

// What becomes of a value that cannot be encoded: the pool's on_unserialisable.
enum sp_unserialisable {
    SP_UNSERIALISABLE_ERROR = 0, // fails the answer
    SP_UNSERIALISABLE_MARKER,    // {"$unserialisable": {"type": "module.Class"}}
    SP_UNSERIALISABLE_REPR,      // that, with "repr" cut to SP_REPR_MAX
};

#define SP_REPR_MAX 200 // characters

// As what tensors arrive: the pool's tensors.
enum sp_tensors {
    SP_TENSORS_VIEW = 0, // a Tensor, a read-only view of shared memory
    SP_TENSORS_COPY,     // a Tensor in memory of its own
    SP_TENSORS_NUMPY,    // an array of NumPy's, which is such a view
    SP_TENSORS_NUMPY_COPY,
};

// Owner: the module's state. Constant after sp_codec_init() but for the first four,
// which the module sets once, before the first executor starts, and for the last.
struct sp_codec {
    struct sp_runtime *runtime; // NULL: no tensors, neither way
    enum sp_unserialisable on_unserialisable;
    enum sp_tensors tensors;
    PyObject *as_array; // makes NumPy's array of a Tensor; set where `tensors` wants it
    PyTypeObject *tensor_type;
    PyObject *texts[SP_TEXTS];
    struct sp_numpy *_Atomic numpy; // NULL until empty() has made the first array
};

static inline const struct sp_numpy *sp_codec_numpy(const struct sp_codec *codec)
{
    return atomic_load_explicit(&codec->numpy, memory_order_acquire);
}

// Makes the types and adds them to the module. On failure call sp_codec_clear() as
// usual.
int sp_codec_init(struct sp_codec *codec, PyObject *module);
int sp_codec_traverse(struct sp_codec *codec, visitproc visit, void *arg);
void sp_codec_clear(struct sp_codec *codec);

// ---- MessagePack --------------------------------------------------------------

// Whether what begins with this byte is a list or a map.
static inline bool sp_head_is_container(uint8_t head)
{
    return (head & 0xe0) == 0x80 || (head >= 0xdc && head <= 0xdf);
}

// Whether it is an extension: a tensor.
static inline bool sp_head_is_extension(uint8_t head)
{
    return (head >= 0xc7 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8);
}

// ---- Decoding -----------------------------------------------------------------

#define SP_KEYS_CACHED  256u // short ASCII keys of maps, direct-mapped
#define SP_KEY_BYTES    64u  // longer keys are not kept
#define SP_NAMES_CACHED 16u  // tuples of argument names, direct-mapped
#define SP_NAMES_INTERNED \
    4096u // a decoder interns no more: Python may keep them for ever
#define SP_ARGUMENTS_INLINE 16u // more arguments than these cost an allocation

// The names of the arguments of a recent call.
struct sp_names {
    PyObject *tuple; // of exact str
    uint32_t uses;
};

// Owner: one executor.
struct sp_decoder {
    struct sp_codec *codec;
    PyObject *keys[SP_KEYS_CACHED];
    struct sp_names names[SP_NAMES_CACHED];
    uint32_t interned;
    uint32_t around; // as in the encoder
};

// Keeps the codec.
void sp_decoder_init(struct sp_decoder *decoder, struct sp_codec *codec);
void sp_decoder_fini(struct sp_decoder *decoder);

// The one value in `bytes`, borrowed: nil, bool, int, float, str, bytes, list, dict or
// Tensor, or as the codec's `tensors` says. Every one that is not a copy refers to
// `lease` and counts there until Python drops it; `lease` may be NULL, and tensors are
// then refused. ValueError: malformed, truncated, nested deeper than SP_DEPTH_MAX or
// followed by more bytes, with the position; a map with keys that are equal in Python
// (1, 1.0 and True; the same twice), with the place in "result". MemoryError.
PyObject *sp_decode(struct sp_decoder *decoder,
                    const uint8_t *bytes,
                    size_t size,
                    struct sp_lease *lease);

// Arguments as PyObject_Vectorcall() wants them, all by keyword:
//   PyObject_Vectorcall(tool, a->values, PY_VECTORCALL_ARGUMENTS_OFFSET, a->names)
// `values[-1]` is the callee's to use meanwhile. Must not be moved: it points into
// itself.
struct sp_arguments {
    PyObject **values;
    size_t count;
    PyObject *names; // tuple of `count` str; NULL: no arguments
    PyObject *room[1 + SP_ARGUMENTS_INLINE];
};

// Decodes the arguments of a call: a map with text keys, no two alike, or no bytes at
// all. Errors as sp_decode(), places are in "arguments". On success `out` needs
// sp_arguments_fini(); on failure it holds nothing.
int sp_decode_arguments(struct sp_decoder *decoder,
                        const uint8_t *bytes,
                        size_t size,
                        struct sp_lease *lease,
                        struct sp_arguments *out);
void sp_arguments_fini(struct sp_arguments *arguments);

// A new dict of the arguments, which stay as they are.
PyObject *sp_arguments_as_dict(const struct sp_arguments *arguments);

// ---- Encoding -----------------------------------------------------------------

#define SP_ENCODER_KEEPS 65536u // bytes of the private buffer that survive a call

// Classes whose values cross as something simpler: name, module, class, how.
#define SP_CODEC_KINDS(X)                               \
    X(DATE, "datetime", "date", ISO) /* datetime too */ \
    X(TIME, "datetime", "time", ISO)                    \
    X(TIMEDELTA, "datetime", "timedelta", SECONDS)      \
    X(DECIMAL, "decimal", "Decimal", TEXT)              \
    X(UUID, "uuid", "UUID", TEXT)                       \
    X(ENUM, "enum", "Enum", VALUE)                      \
    X(PATH, "pathlib", "PurePath", TEXT)                \
    X(DEQUE, "collections", "deque", LIST)              \
    X(BYTES_IO, "io", "BytesIO", BYTES)                 \
    X(ROW, "sqlite3", "Row", ROW)                       \
    X(MODEL, "pydantic", "BaseModel", MODEL)

#define SP_CODEC_KIND_NUMBER(name, module, class, way) SP_KIND_##name,
enum sp_codec_kind { SP_CODEC_KINDS(SP_CODEC_KIND_NUMBER) SP_KINDS };
#undef SP_CODEC_KIND_NUMBER

// What is written, and so how errors call it and what they advise.
enum sp_purpose {
    SP_FOR_RESULT = 0, // of a call: an answer, a chunk or a fault
    SP_FOR_ARGUMENTS,  // [name, arguments] of a tool of the host
    SP_FOR_SESSION,    // the same, whose "value" tools will read again
    SP_FOR_EVENT,      // as process/event.h describes it
    SP_PURPOSES
};

// Owner: one executor. Between sp_encode() and the next sp_encoder_begin() the runtime
// reads `blocks`; the other fields are the encoder's.
struct sp_encoder {
    struct sp_codec *codec;
    uint8_t *start; // the inline area or `heap`
    uint8_t *at;
    uint8_t *end;
    uint8_t *heap;
    size_t heap_size;
    uint32_t depth;
    enum sp_purpose purpose;
    // By the purpose: containers of ours around the value, which do not count, and
    // whether plain values alone are taken: no markers, no lists or maps as keys, no
    // arrays.
    uint32_t around;
    bool strict;
    // Blocks that the encoded tensors lie in; one reference to each is held. Whoever
    // moves them elsewhere sets `block_count` to 0; the others are dropped by the next
    // begin.
    struct sp_block **blocks;
    uint32_t block_count;
    uint32_t block_room;
    PyObject *numpy_generic;   // numpy.generic once user code has imported it, or NULL
    PyObject *kinds[SP_KINDS]; // as numpy_generic
};

// Keeps the codec.
void sp_encoder_init(struct sp_encoder *encoder, struct sp_codec *codec);
void sp_encoder_fini(struct sp_encoder *encoder);

// What is written from now on; at first results.
void sp_encoder_set_purpose(struct sp_encoder *encoder, enum sp_purpose purpose);

// Starts an answer. What is written goes into the inline area, kept until the next
// begin, and moves to memory of the encoder's own when that gets too small.
void sp_encoder_begin(struct sp_encoder *encoder,
                      uint8_t *inline_area,
                      size_t inline_size);

// Frees what only this answer needed: blocks not moved, a large buffer. Begin does it
// too.
void sp_encoder_end(struct sp_encoder *encoder);

// Appends one value. docs/values.md says what crosses, and as what. A tensor, or
// whatever exports a buffer of numbers, is copied into a block of the results arena,
// packed; one that lies in a block from sp_tensor_empty() already, packed and aligned
// to SP_TENSOR_ALIGN, is not. What cannot cross becomes a marker, or TypeError, with
// the place ("cannot encode object at result['a'][3]"), OverflowError: an integer
// beyond 64 bits, ValueError: text with surrogates; as the codec's `on_unserialisable`
// says, and always so where the encoder is strict; then a key that is a list or a map
// and an array are TypeErrors too. In any case ValueError: nested deeper than
// SP_DEPTH_MAX, more than SP_BODY_MAX bytes; RuntimeError: a container changed
// meanwhile; MemoryError: no heap, or no block; and what user code raises. After a
// failure nothing of the answer is of use, and no block is held.
int sp_encode(struct sp_encoder *encoder, PyObject *value);

// A new block that the answer keeps besides its tensors, for a body that is not inline.
// It is in `blocks`, which holds the reference. NULL, without an exception: memory or
// arena is exhausted. Needs no interpreter.
struct sp_block *sp_encoder_add_block(struct sp_encoder *encoder, uint64_t bytes);

// What was written since begin; borrowed until the next begin.
void sp_encoder_bytes(const struct sp_encoder *encoder,
                      const uint8_t **data,
                      size_t *size,
                      bool *is_inline);

#endif
