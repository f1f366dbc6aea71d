// SPDX-License-Identifier: MIT
#include "trace.h"

#define TRACEPARENT_SIZE 55u // bytes of one of version 00

static PyObject *text_of(const uint8_t *bytes, uint32_t size)
{
    return PyUnicode_DecodeUTF8((const char *)bytes, size, "surrogateescape");
}

void sp_trace_texts(const uint8_t *name,
                    uint32_t size,
                    PyObject **traceparent,
                    PyObject **tracestate)
{
    const uint8_t *text = name + SP_PARCEL_BLOCK - size;
    const uint32_t parent = size < TRACEPARENT_SIZE ? size : TRACEPARENT_SIZE;
    *traceparent = text_of(text, parent);
    *tracestate = text_of(text + parent, size - parent);
}
