// SPDX-License-Identifier: MIT
#include "http/sse.h"

#include <stdbool.h>
#include <string.h>

static snakepit_err append_text(struct sp_buf *out, const char *text)
{
    return sp_buf_append(out, text, strlen(text));
}

// Where the first line of `text` ends.
static size_t line_size(struct sp_slice text)
{
    const uint8_t *end = memchr(text.data, '\n', text.size);
    const size_t size = end == NULL ? text.size : (size_t)(end - text.data);
    const uint8_t *carriage = memchr(text.data, '\r', size);
    return carriage == NULL ? size : (size_t)(carriage - text.data);
}

// How many bytes end a line: "\r\n" is one end, not two.
static size_t end_size(struct sp_slice rest)
{
    return rest.size > 1 && rest.data[0] == '\r' && rest.data[1] == '\n' ? 2 : 1;
}

static snakepit_err append_data(struct sp_buf *out, struct sp_slice data)
{
    bool more = true;
    snakepit_err err = SNAKEPIT_OK;
    while (more && err == SNAKEPIT_OK) {
        const size_t line = data.size == 0 ? 0 : line_size(data);
        err = append_text(out, "data: ");
        err = err == SNAKEPIT_OK ? sp_buf_append(out, data.data, line) : err;
        err = err == SNAKEPIT_OK ? append_text(out, "\n") : err;
        more = line < data.size;
        if (more) {
            const struct sp_slice rest = {data.data + line, data.size - line};
            const size_t end = end_size(rest);
            data = (struct sp_slice){rest.data + end, rest.size - end};
        }
    }
    return err;
}

snakepit_err sp_sse_event(struct sp_buf *out, const char *name, struct sp_slice data)
{
    const size_t before = out->size;
    snakepit_err err = SNAKEPIT_OK;
    if (name != NULL) {
        err = sp_buf_printf(out, "event: %s\n", name);
    }
    err = err == SNAKEPIT_OK ? append_data(out, data) : err;
    err = err == SNAKEPIT_OK ? append_text(out, "\n") : err;
    if (err != SNAKEPIT_OK) {
        out->size = before;
    }
    return err;
}

snakepit_err sp_sse_comment(struct sp_buf *out)
{
    return append_text(out, ": still here\n\n");
}
