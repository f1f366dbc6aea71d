// SPDX-License-Identifier: MIT
// A head is put together on the stack, with the body behind it where that is small, so
// that most answers are handed to the connection in one piece.
#include "http/http1_answer.h"

#include <string.h>

#include "http/chars.h"
#include "http/date.h"
#include "http/problem.h"

#define SCRATCH 1024u

// Bytes on their way to the connection. The first error is kept.
struct outlet {
    struct sp_connection *connection;
    snakepit_err err;
    size_t size;
    uint8_t bytes[SCRATCH];
};

static void send(struct outlet *outlet, struct sp_slice bytes)
{
    if (outlet->err == SNAKEPIT_OK && bytes.size != 0) {
        outlet->err = sp_connection_send(outlet->connection, bytes);
    }
}

static void flush(struct outlet *outlet)
{
    send(outlet, (struct sp_slice){outlet->bytes, outlet->size});
    outlet->size = 0;
}

static void put(struct outlet *outlet, struct sp_slice bytes)
{
    if (bytes.size > SCRATCH - outlet->size) {
        flush(outlet);
    }
    if (bytes.size > SCRATCH) {
        send(outlet, bytes);
    } else if (bytes.size != 0) {
        memcpy(outlet->bytes + outlet->size, bytes.data, bytes.size);
        outlet->size += bytes.size;
    }
}

static void put_text(struct outlet *outlet, const char *text)
{
    put(outlet, sp_slice_of_text(text));
}

static void put_number(struct outlet *outlet, uint64_t number, unsigned base)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)"0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    put(outlet, (struct sp_slice){digits + at, sizeof digits - at});
}

static void put_field(struct outlet *outlet, const struct sp_field *field)
{
    if (sp_chars_all(field->value, SP_CHAR_VALUE)) {
        put(outlet, field->name);
        put_text(outlet, ": ");
        put(outlet, field->value);
        put_text(outlet, "\r\n");
    }
}

static void put_status(struct outlet *outlet, unsigned status)
{
    put_text(outlet, "HTTP/1.1 ");
    put_number(outlet, status, 10);
    put_text(outlet, " ");
    put_text(outlet, sp_http_phrase(status));
    put_text(outlet, "\r\nDate: ");
    put_text(outlet, sp_http_date_now());
    put_text(outlet, "\r\n");
}

// Of these there is never a body, nor a word about one.
static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

static void put_framing(struct outlet *outlet, const struct sp_http1_answer *answer)
{
    if (answer->framing == SP_HTTP1_BODY_CHUNKED) {
        put_text(outlet, "Transfer-Encoding: chunked\r\n");
    } else if (answer->framing == SP_HTTP1_BODY_LENGTH &&
               !has_no_body(answer->reply->status)) {
        put_text(outlet, "Content-Length: ");
        put_number(outlet, answer->length, 10);
        put_text(outlet, "\r\n");
    }
    if (!answer->keep_alive) {
        put_text(outlet, "Connection: close\r\n");
    } else if (answer->says_so) {
        put_text(outlet, "Connection: keep-alive\r\n");
    }
}

snakepit_err sp_http1_send_answer(struct sp_connection *connection,
                                  const struct sp_http1_answer *answer,
                                  struct sp_slice body)
{
    const struct sp_reply *reply = answer->reply;
    struct outlet outlet;
    outlet.connection = connection;
    outlet.err = SNAKEPIT_OK;
    outlet.size = 0;
    put_status(&outlet, reply->status);
    if (reply->type != NULL) {
        put_text(&outlet, "Content-Type: ");
        put_text(&outlet, reply->type);
        put_text(&outlet, "\r\n");
    }
    put_framing(&outlet, answer);
    for (size_t i = 0; i < reply->field_count; i++) {
        put_field(&outlet, &reply->fields[i]);
    }
    put_text(&outlet, "\r\n");
    put(&outlet, body);
    flush(&outlet);
    return outlet.err;
}

snakepit_err sp_http1_send_chunk(struct sp_connection *connection,
                                 struct sp_slice piece)
{
    struct outlet outlet;
    outlet.connection = connection;
    outlet.err = SNAKEPIT_OK;
    outlet.size = 0;
    if (piece.size != 0) {
        put_number(&outlet, piece.size, 16);
        put_text(&outlet, "\r\n");
        put(&outlet, piece);
        put_text(&outlet, "\r\n");
        flush(&outlet);
    }
    return outlet.err;
}

snakepit_err sp_http1_send_last_chunk(struct sp_connection *connection)
{
    return sp_connection_send(connection, sp_slice_of_text("0\r\n\r\n"));
}

snakepit_err sp_http1_send_continue(struct sp_connection *connection)
{
    return sp_connection_send(connection,
                              sp_slice_of_text("HTTP/1.1 100 Continue\r\n\r\n"));
}
