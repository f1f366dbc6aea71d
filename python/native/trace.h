// SPDX-License-Identifier: MIT
// The trace that a call belongs to, as it lies at the end of its SP_PARCEL_BLOCK bytes,
// which begin with its tool's name.
#ifndef NATIVE_TRACE_H
#define NATIVE_TRACE_H

#include "runtime.h"

// Its `size` bytes as two texts, empty ones for none; NULL with an exception. New
// references.
void sp_trace_texts(const uint8_t *name,
                    uint32_t size,
                    PyObject **traceparent,
                    PyObject **tracestate);

#endif
