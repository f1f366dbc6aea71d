// SPDX-License-Identifier: MIT
// An exception as what crosses to the host: the map that payload/wire.h describes.
#ifndef NATIVE_FAULT_H
#define NATIVE_FAULT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#include <snakepit/errors.h>

struct sp_arguments; // codec.h
struct sp_codec;

// The exception that is set, normalised and not set any more, as a new reference; NULL:
// none is.
PyObject *sp_fault_take(void);
// Sets what that gave, which it takes; NULL sets nothing.
void sp_fault_put_back(PyObject *exception);

// An exception that is set stays: what a tool was called with, by name, type and
// shape and never by value ("data: float32[3,4], n: int"), as new text. NULL: there is
// no memory.
PyObject *sp_fault_shapes(const struct sp_codec *codec,
                          const struct sp_arguments *arguments);

// Takes the exception that is set and gives a dict that describes it, or NULL (nothing
// is set then). `formatter` may be NULL; it is called with the exception and returns
// its type, message and traceback as text, and the number of an error or 0. A Cancelled
// exception changes `err` to CANCELLED in the dict, an UnknownTool to UNKNOWN_TOOL.
// Takes `*shapes` too, which may be NULL, and leaves NULL there.
PyObject *sp_fault_describe(PyObject *formatter, snakepit_err err, PyObject **shapes);

// Writes the smallest fault there is, for when even describing failed; returns its
// bytes.
uint32_t sp_fault_bare(uint8_t *area, uint32_t size, snakepit_err err);

// snakepit_bridge.Cancelled: derives from BaseException, so that `except
// Exception` in a tool does not swallow it. Borrowed; made on first use. NULL with an
// exception.
PyObject *sp_fault_cancelled_type(void);

// snakepit_bridge.errors.UnknownTool, a LookupError: for the runtime and for adapters
// that look up names themselves. Borrowed; made on first use. NULL with an exception.
PyObject *sp_fault_unknown_tool_type(void);

#endif
