// SPDX-License-Identifier: MIT
// Any bytes as what the client of an HTTP/1.1 connection sends, with handlers that
// answer at once, later, in pieces or not at all: by the first letter of the path.
// However the bytes are split, the client is sent the same.
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "unit/http/fake_connection.h"

static struct sp_exchange *kept;

static void on_gone(void *user)
{
    SP_CHECK(user == &kept && kept != NULL);
    kept = NULL;
}

static const struct sp_exchange_listener listener = {.gone = on_gone};
static const struct sp_reply plain = {.status = 200, .type = "text/plain"};

static char letter_of(const struct sp_exchange *exchange)
{
    const struct sp_slice path = exchange->request.path;
    return path.size > 1 ? (char)path.data[1] : '\0';
}

static void echo(struct sp_exchange *exchange)
{
    const struct sp_request *request = &exchange->request;
    unsigned sum = 0;
    for (size_t i = 0; i < request->body.size; i++) {
        sum = sum * 31 + request->body.data[i];
    }
    for (size_t i = 0; i < request->field_count; i++) {
        const struct sp_field *field = &request->fields[i];
        sum += field->name.data[0] + (unsigned)field->value.size;
    }
    char text[64];
    int size = snprintf(text, sizeof text, "%zu %u", request->body.size, sum);
    const struct sp_field fields[] = {{sp_slice_of_text("x-path"), request->path}};
    const struct sp_reply reply = {
        .status = 200, .type = "text/plain", .fields = fields, .field_count = 1};
    sp_exchange_reply(
        exchange, &reply, (struct sp_slice){(const uint8_t *)text, (size_t)size});
}

static void answer(struct sp_exchange *exchange)
{
    switch (letter_of(exchange)) {
    case 'f':
        sp_exchange_fail(exchange);
        break;
    case 'b':
    case 'p':
        sp_exchange_begin(exchange, &plain);
        SP_CHECK(sp_exchange_send(exchange, sp_slice_of_text("a")) == SNAKEPIT_OK);
        SP_CHECK(sp_exchange_send(exchange, exchange->request.body) == SNAKEPIT_OK);
        sp_exchange_end(exchange);
        break;
    default:
        echo(exchange);
    }
}

static void handle(struct sp_exchange *exchange)
{
    char letter = letter_of(exchange);
    if (letter == 'k' || letter == 'p') {
        SP_CHECK(kept == NULL);
        exchange->listener = &listener;
        exchange->user = &kept;
        kept = exchange;
    } else {
        answer(exchange);
    }
}

static void answer_kept(void)
{
    while (kept != NULL) {
        struct sp_exchange *exchange = kept;
        kept = NULL;
        answer(exchange);
        fake_turn();
    }
}

// What the client was sent, without the interim answers: these depend on whether the
// body has come along with the header.
static void strike_out_interim_answers(char *text)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t size = strlen(interim);
    for (char *at = text; (at = strstr(at, interim)) != NULL;) {
        memmove(at, at + size, strlen(at + size) + 1);
    }
}

struct outcome {
    bool closing;
    bool lost;
    char text[FAKE_OUT + 1];
};

static void
converse(const uint8_t *bytes, size_t size, size_t step, struct outcome *out)
{
    SP_CHECK(fake_open(&sp_http1, handle) == SNAKEPIT_OK);
    fake.config.max_message = 1000;
    fake.config.max_header_size = 512;
    for (size_t at = 0; at < size && !fake_is_closed();) {
        at += fake_sends_bytes((const char *)bytes + at, size - at, step);
        answer_kept();
    }
    out->closing = fake.connection.closing;
    out->lost = fake.connection.lost;
    // A body that is echoed may have zeros, and the text ends there.
    strcpy(out->text, fake_takes_text());
    strike_out_interim_answers(out->text);
    if (size % 2 == 0 && !fake_is_closed()) {
        fake_ends();
    }
    fake_close();
    SP_CHECK(kept == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole;
    static struct outcome parts;
    if (size < 2 || size > 8192) {
        return 0;
    }
    converse(data + 1, size - 1, size - 1, &whole);
    const size_t steps[] = {1, (size_t)data[0] + 2};
    for (size_t i = 0; i < 2; i++) {
        converse(data + 1, size - 1, steps[i], &parts);
        SP_CHECK(parts.closing == whole.closing && parts.lost == whole.lost);
        SP_CHECK(strcmp(parts.text, whole.text) == 0);
    }
    return 0;
}
