// SPDX-License-Identifier: MIT
// What makes a Tensor a sequence and an array: slots and methods of its type.
#ifndef NATIVE_TENSOR_ITEMS_H
#define NATIVE_TENSOR_ITEMS_H

#include "tensor.h"

// All need the calling thread attached; those that fail return NULL or -1 with an
// exception.

// The element at `at`, which is in the tensor: bool, int, float or complex.
PyObject *sp_tensor_element(const struct sp_tensor *tensor, const uint8_t *at);

// tensor[index] for an index that is not negative; IndexError ends an iteration.
PyObject *sp_tensor_item_at(PyObject *self, Py_ssize_t index);
// tensor[key]: an element or a part of the same memory for an integer, a part for a
// slice of step 1; what NumPy gives for other keys, TypeError without NumPy.
PyObject *sp_tensor_item(PyObject *self, PyObject *key);
// Over the first dimension. TypeError: rank 0.
PyObject *sp_tensor_iterator(PyObject *self);
int sp_tensor_contains(PyObject *self, PyObject *value);
// ==, <, ...: by element, as NumPy. TypeError without NumPy.
PyObject *sp_tensor_compare(PyObject *self, PyObject *other, int operation);
// `__array__(dtype=None, copy=None)`, as NumPy 2 has it.
PyObject *sp_tensor_array(PyObject *self, PyObject *arguments, PyObject *keywords);

// bool(), float(), int() and item() of a tensor of one element; an error of any other.
int sp_tensor_truth(PyObject *self);
PyObject *sp_tensor_float(PyObject *self);
PyObject *sp_tensor_int(PyObject *self);
PyObject *sp_tensor_only_item(PyObject *self, PyObject *unused);
// `tolist()`: the elements in nested lists; of rank 0 the element.
PyObject *sp_tensor_list(PyObject *self, PyObject *unused);

#endif
