// SPDX-License-Identifier: MIT
// Any bytes as what the client of an HTTP/2 connection sends behind its preface, with
// handlers that answer at once, later, in pieces or not at all, by the first letter of
// the path, and bodies that stream for some. Each exchange that is kept is told once
// that it is over, or ended.
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "http/http2.h"
#include "http/http2_inside.h"
#include "unit/http/fake_connection.h"

#define MOST 256u // exchanges that are kept

// An exchange that a handler has not ended yet.
struct kept {
    struct sp_exchange *exchange; // NULL: free
    bool begun;
    size_t taken;
};

static struct kept all[MOST];
static size_t received_bytes;

static void on_gone(void *user)
{
    struct kept *kept = user;
    SP_CHECK(kept->exchange != NULL);
    kept->exchange = NULL;
}

static void on_received(void *user, struct sp_slice bytes)
{
    struct kept *kept = user;
    SP_CHECK(kept->exchange != NULL);
    received_bytes += bytes.size;
    if (received_bytes % 3 != 0) {
        sp_exchange_taken(kept->exchange, bytes.size);
    }
}

static void on_complete(void *user)
{
    struct kept *kept = user;
    SP_CHECK(kept->exchange != NULL);
}

static const struct sp_exchange_listener listener = {
    .gone = on_gone, .received = on_received, .complete = on_complete};
static const struct sp_reply plain = {.status = 200, .type = "text/plain"};

static char letter_of(const struct sp_exchange *exchange)
{
    const struct sp_slice path = exchange->request.path;
    return path.size > 1 ? (char)path.data[1] : '\0';
}

static void keep(struct sp_exchange *exchange)
{
    size_t i = 0;
    while (i < MOST && all[i].exchange != NULL) {
        i++;
    }
    SP_CHECK(i < MOST);
    all[i] = (struct kept){.exchange = exchange};
    exchange->listener = &listener;
    exchange->user = &all[i];
}

static void echo(struct sp_exchange *exchange)
{
    const struct sp_request *request = &exchange->request;
    const struct sp_field fields[] = {{sp_slice_of_text("x-path"), request->path}};
    const struct sp_reply reply = {
        .status = 200, .type = "text/plain", .fields = fields, .field_count = 1};
    for (size_t i = 0; i < request->field_count; i++) {
        SP_CHECK(request->fields[i].name.size > 0);
    }
    sp_exchange_reply(exchange, &reply, request->body);
}

static void handle(struct sp_exchange *exchange)
{
    switch (letter_of(exchange)) {
    case 'f':
        sp_exchange_fail(exchange);
        break;
    case 'k':
    case 's':
        keep(exchange);
        break;
    default:
        echo(exchange);
    }
}

static bool streams(const struct sp_exchange *exchange)
{
    return letter_of(exchange) == 's';
}

// The handlers that have kept theirs go on by a step.
static void go_on(void)
{
    static const struct sp_field trailers[] = {{{(const uint8_t *)"a", 1}, {NULL, 0}}};
    for (size_t i = 0; i < MOST; i++) {
        struct sp_exchange *exchange = all[i].exchange;
        if (exchange != NULL && !all[i].begun) {
            all[i].begun = true;
            sp_exchange_begin(exchange, &plain);
            (void)sp_exchange_room(exchange);
            SP_CHECK(sp_exchange_send(exchange, sp_slice_of_text("abc")) ==
                     SNAKEPIT_OK);
        } else if (exchange != NULL) {
            all[i].exchange = NULL;
            sp_exchange_end_with(exchange, trailers, i % 2);
        }
    }
    fake_turn();
}

static void send_bytes(const char *bytes, size_t size, size_t step)
{
    for (size_t at = 0; at < size && !fake_is_closed();) {
        at += fake_sends_bytes(bytes + at, size - at, step);
        fake.sent = 0;
    }
}

static void converse(const uint8_t *bytes, size_t size, size_t step, bool slow)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    received_bytes = 0;
    SP_CHECK(fake_open(&sp_http2, handle) == SNAKEPIT_OK);
    fake.config.max_message = 1000;
    fake.config.max_header_size = 512;
    fake.options.streams = streams;
    send_bytes(preface, sizeof preface - 1, sizeof preface);
    if (slow) {
        fake.room = 0;
    }
    send_bytes((const char *)bytes, size, step);
    for (int i = 0; i < 3 && !fake_is_closed(); i++) {
        go_on();
    }
    if (slow && !fake_is_closed()) {
        fake_takes(FAKE_ROOM);
        fake.sent = 0;
        (void)fake.connection.protocol->drain(&fake.connection);
        fake_turn();
    }
    if (size % 2 == 0 && !fake_is_closed()) {
        fake_ends();
    }
    fake_close();
    for (size_t i = 0; i < MOST; i++) {
        SP_CHECK(all[i].exchange == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 8192) {
        return 0;
    }
    converse(data + 1, size - 1, size - 1, false);
    converse(data + 1, size - 1, (size_t)data[0] + 1, false);
    converse(data + 1, size - 1, 64, true);
    return 0;
}
