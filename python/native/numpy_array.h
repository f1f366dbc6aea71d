// SPDX-License-Identifier: MIT
// NumPy's arrays by its binary interface, which stays the same from one release to the
// next: the fields of an array, and two functions that make one. The headers of NumPy
// are not needed to build, nor NumPy to run. Where its interface has a version that is
// not known here, arrays are made by calling ndarray, and read as buffers.
#ifndef NATIVE_NUMPY_ARRAY_H
#define NATIVE_NUMPY_ARRAY_H

#include "runtime.h"

#include <stdbool.h>

#include "tensor.h"

struct sp_codec;

#define SP_NUMPY_TYPES (SNAKEPIT_BFLOAT16 + 1u)

// What is known of NumPy. Constant once it is made.
struct sp_numpy {
    PyObject *array_type;            // numpy.ndarray
    PyObject *types[SP_NUMPY_TYPES]; // dtypes by our numbers; NULL: there is none
    void *const *interface;          // NumPy's functions; NULL: not one that is known
};

// NumPy's, of its `ndarray` and `dtype`. NULL with an exception.
struct sp_numpy *sp_numpy_new(PyObject *ndarray, PyObject *dtype);
void sp_numpy_free(struct sp_numpy *numpy); // NULL is fine

static inline bool sp_numpy_is_array(const struct sp_numpy *numpy,
                                     const PyTypeObject *type)
{
    return numpy != NULL && type == (const PyTypeObject *)numpy->array_type;
}

// A writable array over a new tensor, which it keeps. `shape` is what the tensor was
// asked for with. NULL with an exception; NULL without one: NumPy has no type for it.
PyObject *
sp_numpy_array(const struct sp_numpy *numpy, struct sp_tensor *tensor, PyObject *shape);

// The Tensor whose memory an array shows, packed, with the array's facts in `head` and
// its memory in `data`. NULL, without an exception: it shows another one's, or not so;
// then it may still be read as a buffer. Borrowed from the array.
struct sp_tensor *sp_numpy_owner(const struct sp_numpy *numpy,
                                 const struct sp_codec *codec,
                                 PyObject *array,
                                 struct sp_tensor_head *head,
                                 const uint8_t **data);

#endif
