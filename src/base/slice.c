// SPDX-License-Identifier: MIT
// Buffers that grow by doubling, so that appending n bytes costs O(n).
#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define SMALLEST 256u

struct sp_slice sp_slice_of_text(const char *text)
{
    return (struct sp_slice){(const uint8_t *)text, strlen(text)};
}

void sp_buf_fini(struct sp_buf *buf)
{
    sp_free(buf->data);
    *buf = (struct sp_buf){0};
}

snakepit_err sp_buf_reserve(struct sp_buf *buf, size_t more)
{
    if (more <= buf->capacity - buf->size) {
        return SNAKEPIT_OK;
    }
    // No object is larger than PTRDIFF_MAX, so below that bound doubling cannot
    // overflow.
    if (more > PTRDIFF_MAX - buf->size) {
        return SNAKEPIT_NO_MEMORY;
    }
    size_t wanted = buf->size + more;
    size_t capacity = buf->capacity < SMALLEST ? SMALLEST : buf->capacity * 2;
    capacity = capacity < wanted ? wanted : capacity;
    uint8_t *data = sp_realloc(buf->data, capacity);
    if (data == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    buf->data = data;
    buf->capacity = capacity;
    return SNAKEPIT_OK;
}

snakepit_err sp_buf_append(struct sp_buf *buf, const void *data, size_t bytes)
{
    snakepit_err err = sp_buf_reserve(buf, bytes);
    if (err == SNAKEPIT_OK && bytes != 0) {
        memcpy(buf->data + buf->size, data, bytes);
        buf->size += bytes;
    }
    return err;
}

snakepit_err sp_buf_printf(struct sp_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    // A negative length is a format that cannot be met; there is no shorter text to
    // offer.
    size_t bytes = length < 0 ? 0 : (size_t)length;
    snakepit_err err = length < 0 ? SNAKEPIT_NO_MEMORY : sp_buf_reserve(buf, bytes + 1);
    if (err == SNAKEPIT_OK) {
        (void)vsnprintf((char *)buf->data + buf->size, bytes + 1, format, again);
        buf->size += bytes;
    }
    va_end(again);
    va_end(args);
    return err;
}
