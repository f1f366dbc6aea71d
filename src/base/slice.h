// SPDX-License-Identifier: MIT
// Bytes: foreign ones are a slice, our own a growing buffer.
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>

// Borrowed bytes.
struct sp_slice {
    const uint8_t *data;
    size_t size;
};

// Owned bytes. Zero-initialised is empty. Owner: whoever embeds it; no lock.
struct sp_buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

struct sp_slice sp_slice_of_text(const char *text);

// Frees the bytes; the buffer is empty and usable again.
void sp_buf_fini(struct sp_buf *buf);
// Makes room for `more` bytes behind `size`. NO_MEMORY: the buffer is unchanged.
snakepit_err sp_buf_reserve(struct sp_buf *buf, size_t more);
// NO_MEMORY: the buffer is unchanged.
snakepit_err sp_buf_append(struct sp_buf *buf, const void *data, size_t bytes);
// Appends formatted text and keeps a zero behind `size`. NO_MEMORY.
snakepit_err sp_buf_printf(struct sp_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
