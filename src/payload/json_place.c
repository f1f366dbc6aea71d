// SPDX-License-Identifier: MIT
// How the reader of JSON ends early, and gets memory.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "payload/json_inside.h"
#include "payload/writer.h"

void sp_json_show_frames(struct sp_json *json)
{
    struct sp_buf *buf = &json->writer->buf;
    if (sp_buf_reserve(buf, 4 * json->depth) != SNAKEPIT_OK) {
        return;
    }
    for (size_t i = json->depth; i-- > 0;) {
        uint8_t *head = buf->data + json->frames[i].head;
        size_t behind = buf->size - json->frames[i].head - 1;
        memmove(head + 5, head + 1, behind);
        memset(head + 1, 0xff, 4);
        *head = json->frames[i].map ? 0xdf : 0xdd;
        buf->size += 4;
    }
    json->depth = 0;
}

struct sp_json_spot sp_json_refuse(struct sp_json *json,
                                   const uint8_t *out,
                                   const uint8_t *place,
                                   const char *format,
                                   ...)
{
    char wrong[256];
    va_list args;
    unsigned line = 1;
    unsigned column = 1;
    for (const uint8_t *at = json->start; at < place; at++) {
        line += *at == '\n';
        column = *at == '\n' ? 1 : column + !sp_utf8_is_tail(*at);
    }
    va_start(args, format);
    (void)vsnprintf(wrong, sizeof wrong, format, args);
    va_end(args);
    sp_json_commit(json, out);
    sp_json_show_frames(json);
    sp_writer_refuse(json->writer,
                     SNAKEPIT_MALFORMED,
                     "line %u, column %u: %s",
                     line,
                     column,
                     wrong);
    return (struct sp_json_spot){NULL, NULL};
}

struct sp_json_spot sp_json_fail(struct sp_json *json, snakepit_err err)
{
    sp_writer_fail(json->writer, err);
    return (struct sp_json_spot){NULL, NULL};
}

struct sp_json_spot
sp_json_grow(struct sp_json *json, struct sp_json_spot spot, size_t more)
{
    struct sp_buf *buf = &json->writer->buf;
    sp_json_commit(json, spot.out);
    if (more > PTRDIFF_MAX - SP_JSON_ROOM ||
        sp_buf_reserve(buf, more + SP_JSON_ROOM) != SNAKEPIT_OK) {
        return sp_json_fail(json, SNAKEPIT_NO_MEMORY);
    }
    json->brim = buf->data + buf->capacity - SP_JSON_ROOM;
    return (struct sp_json_spot){spot.at, buf->data + buf->size};
}
