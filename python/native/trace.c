// SPDX-License-Identifier: MIT
#include "trace.h"

#include "base/hex.h"

#define SIZE 55u // of a traceparent of version 00

static PyObject *traceparent_of(const uint8_t *context)
{
    uint8_t text[SIZE] = {'0', '0', '-'};
    sp_hex_write(context, 16, text + 3);
    text[35] = '-';
    sp_hex_write(context + 16, 8, text + 36);
    text[52] = '-';
    sp_hex_write(context + 24, 1, text + 53);
    return PyUnicode_FromStringAndSize((const char *)text, SIZE);
}

void sp_trace_texts(const uint8_t *name,
                    uint32_t size,
                    PyObject **traceparent,
                    PyObject **tracestate)
{
    if (size < SP_TRACE_CONTEXT) {
        *traceparent = PyUnicode_New(0, 0);
        *tracestate = PyUnicode_New(0, 0);
        return;
    }
    const uint8_t *context = name + SP_PARCEL_BLOCK - size;
    const uint8_t *state = context + SP_TRACE_CONTEXT;
    *traceparent = traceparent_of(context);
    *tracestate = PyUnicode_DecodeUTF8(
        (const char *)state, size - SP_TRACE_CONTEXT, "surrogateescape");
}
