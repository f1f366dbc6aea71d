// SPDX-License-Identifier: MIT
// Arrays of numbers in shared memory: blocks of the results arena, and the Python type
// `Tensor` through which user code sees them and the tensors of a call's arguments.
#ifndef NATIVE_TENSOR_H
#define NATIVE_TENSOR_H

#include "runtime.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <snakepit/payload.h>

#include "base/bytes.h"

struct sp_codec;

// ---- Element types ------------------------------------------------------------

struct sp_dtype {
    snakepit_dtype number;
    uint32_t size;    // bytes of one element
    const char *name; // NumPy's: "float32"; the short one is its first letter and size
    const char *format; // the buffer protocol's: "f"; NULL: it has none for this one
};

// NULL: the number or name is not a dtype. Names are NumPy's, long ("float32") or short
// ("f4", "<f4", "?"), and those of Python's types.
const struct sp_dtype *sp_dtype_of_number(uint32_t number);
const struct sp_dtype *sp_dtype_of_name(const char *name);
// All of NumPy's long names, for people.
const char *sp_dtype_names(void);
// By a buffer's format and item size; `swapped` says whether the numbers are in the
// other byte order. NULL: not numbers, or no such dtype.
const struct sp_dtype *
sp_dtype_of_format(const char *format, Py_ssize_t item_size, bool *swapped);

// ---- Blocks -------------------------------------------------------------------

// A range of the results arena. Both Python (a Tensor from sp_tensor_empty()) and an
// answer that the host still reads hold references; the last one gives the range back.
// Counted atomically.
struct sp_block {
    _Atomic uint64_t refs;
    struct sp_runtime *runtime;
    uint64_t offset; // in the results segment
    uint64_t bytes;
};

// With one reference, content unset. NULL: memory or arena is exhausted; no exception
// is set. Any thread, attached or not, as the two below.
struct sp_block *sp_block_new(struct sp_runtime *runtime, uint64_t bytes);
void sp_block_ref(struct sp_block *block);
void sp_block_unref(struct sp_block *block);

// ---- Copies -------------------------------------------------------------------

#define SP_DETACH_FROM (UINT64_C(1) << 20) // bytes; shorter copies stay attached

// Copies with the interpreter left to others while that takes long. The caller holds
// what owns the memory.
static inline void sp_copy(uint8_t *to, const void *from, size_t bytes)
{
    if (bytes < SP_DETACH_FROM) {
        sp_bytes_copy(to, from, bytes);
        return;
    }
    Py_BEGIN_ALLOW_THREADS;
    memcpy(to, from, bytes);
    Py_END_ALLOW_THREADS;
}

// Memory of Python's own, for tensors that tools may write to. Counted atomically.
struct sp_copy {
    _Atomic uint64_t refs;
    uint8_t *data; // aligned to a cache line
};

// With one reference. NULL, without an exception: memory is exhausted. Attached; long
// copies detach meanwhile.
struct sp_copy *sp_copy_new(const uint8_t *data, uint64_t bytes);
// Any thread, attached or not.
void sp_copy_ref(struct sp_copy *copy);
void sp_copy_unref(struct sp_copy *copy);

// ---- The type -----------------------------------------------------------------

// Packed in C order. Constant after it is made. It lies in the requests (`lease`
// counts, read only), in the results (`block` counts) or in memory of Python's own
// (`copy` counts); an empty one may have none of them.
struct sp_tensor {
    PyObject_HEAD const struct sp_dtype *dtype;
    uint8_t *data;
    uint64_t bytes;
    struct sp_lease *lease;
    struct sp_block *block;
    struct sp_copy *copy;
    bool readonly;
    int rank;
    Py_ssize_t shape[SNAKEPIT_MAX_RANK];
    Py_ssize_t strides[SNAKEPIT_MAX_RANK]; // bytes
};

// What a tensor is, before there is one.
struct sp_tensor_head {
    const struct sp_dtype *dtype;
    int rank;
    Py_ssize_t shape[SNAKEPIT_MAX_RANK];
    uint64_t bytes; // packed; see sp_tensor_measure()
};

// Sets `bytes`. -1, without an exception: a negative extent, or a size beyond
// Py_ssize_t.
int sp_tensor_measure(struct sp_tensor_head *head);

// The type, added to the module as "Tensor". NULL with an exception.
PyTypeObject *sp_tensor_type_new(PyObject *module);

// A read-only view of `data` in the requests segment; takes a reference to `lease` of
// its own.
PyObject *sp_tensor_view(struct sp_codec *codec,
                         const struct sp_tensor_head *head,
                         const uint8_t *data,
                         struct sp_lease *lease);

// A writable copy of `data` in memory of its own.
PyObject *sp_tensor_copy(struct sp_codec *codec,
                         const struct sp_tensor_head *head,
                         const uint8_t *data);

// A tensor over a part of another one's memory, which it keeps as well.
PyObject *sp_tensor_part(struct sp_tensor *whole,
                         const struct sp_tensor_head *head,
                         const uint8_t *data);

// A writable tensor in a block of its own, content unset: the module's
// `empty(shape, dtype="float32")`. `shape` is an int or a sequence of at most
// SNAKEPIT_MAX_RANK; `dtype` may be NULL, a name, or something with a name such as
// numpy.float32. TypeError, ValueError, MemoryError; RuntimeError: the process is no
// worker.
PyObject *sp_tensor_empty(struct sp_codec *codec, PyObject *shape, PyObject *dtype);

// ---- DLPack -------------------------------------------------------------------

// Methods of a Tensor: `__dlpack__(*, stream=None, max_version=None, dl_device=None,
// copy=None)` and `__dlpack_device__()`. The capsule keeps the memory, not the Tensor,
// so its consumer may drop it on any thread. A read-only tensor is refused
// (BufferError) to consumers from before DLPack 1.0, which could not be told, unless
// they take a copy.
PyObject *sp_tensor_dlpack(PyObject *self, PyObject *arguments, PyObject *keywords);
PyObject *sp_tensor_dlpack_device(PyObject *self, PyObject *unused);

#endif
