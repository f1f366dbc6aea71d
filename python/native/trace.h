// SPDX-License-Identifier: MIT
// The trace that a call belongs to, as it lies behind its session's id.
#ifndef NATIVE_TRACE_H
#define NATIVE_TRACE_H

#include "runtime.h"

// Its `size` bytes as two texts, empty ones
// for none; NULL with an exception. New references.
void sp_trace_texts(const uint8_t *text,
                    uint32_t size,
                    PyObject **traceparent,
                    PyObject **tracestate);

#endif
