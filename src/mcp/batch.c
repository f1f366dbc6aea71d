// SPDX-License-Identifier: MIT
// A batch of JSON-RPC, which revision 2025-03-26 alone has. Each of its messages is
// served by an exchange of its own, which has what the request of the batch has; their
// answers are collected in the order in which they come, and sent as one.
#include <string.h>

#include "api/reply.h"
#include "base/memory.h"
#include "mcp/inside.h"
#include "server/server.h"

#define MESSAGES_MOST 100u

struct batch;

// One message. Owner: the loop.
struct part {
    struct sp_exchange exchange;
    struct batch *batch;
    struct sp_buf id; // of a request, as JSON
    bool answered;
};

// Freed when all are answered, or their client has gone.
struct batch {
    struct sp_exchange *exchange;
    size_t left; // that are not answered, and one more while they are begun
    size_t most; // bytes of the answers
    struct sp_buf answers;
    snakepit_err err; // NO_MEMORY: they are not whole
    size_t count;
    struct part parts[];
};

static struct part *part_of(struct sp_exchange *exchange)
{
    return SP_ENTRY(exchange, struct part, exchange);
}

static void free_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        sp_buf_fini(&batch->parts[i].id);
    }
    sp_buf_fini(&batch->answers);
    sp_free(batch);
}

// ---- Answers --------------------------------------------------------------------

static void add_answer(struct batch *batch, struct sp_slice answer)
{
    struct sp_mcp_out out = {.buf = &batch->answers, .err = batch->err};
    sp_mcp_add(&out, batch->answers.size == 0 ? "[" : ",");
    sp_mcp_add_bytes(&out, answer);
    batch->err = out.err;
}

static void add_refusal(const struct part *part, const char *why)
{
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    const struct sp_mcp_wrong wrong = {SP_MCP_INTERNAL_ERROR, why};
    const struct sp_mcp_address to = {.id = {part->id.data, part->id.size},
                                      .era = SP_MCP_HANDSHAKE};
    sp_mcp_add_error(&out, &to, &wrong, NULL);
    if (out.err == SNAKEPIT_OK) {
        add_answer(part->batch, (struct sp_slice){text.data, text.size});
    } else {
        part->batch->err = out.err;
    }
    sp_buf_fini(&text);
}

static void send_answers(struct batch *batch)
{
    struct sp_exchange *exchange = batch->exchange;
    struct sp_mcp_out out = {.buf = &batch->answers, .err = batch->err};
    if (batch->answers.size == 0 && batch->err == SNAKEPIT_OK) {
        sp_api_accepted(exchange); // nothing but notifications
        return;
    }
    sp_mcp_add(&out, "]");
    if (out.err != SNAKEPIT_OK) {
        sp_api_refuse(exchange, 500, "out of memory");
        return;
    }
    const struct sp_api_answer answer = {
        .status = 200,
        .type = "application/json",
        .body = {batch->answers.data, batch->answers.size}};
    sp_api_reply(exchange, &answer);
}

// One less to wait for.
static void count_down(struct batch *batch)
{
    if (--batch->left == 0) {
        batch->exchange->listener = NULL;
        send_answers(batch);
        free_batch(batch);
    }
}

static void finish(struct part *part)
{
    part->answered = true;
    count_down(part->batch);
}

static bool has_room(const struct batch *batch, size_t bytes)
{
    return batch->answers.size < batch->most &&
           bytes < batch->most - batch->answers.size;
}

// ---- What a message's exchange does
// ---------------------------------------------------

static void on_reply(struct sp_exchange *exchange,
                     const struct sp_reply *reply,
                     struct sp_slice body)
{
    struct part *part = part_of(exchange);
    const bool message =
        reply->type != NULL && strcmp(reply->type, "application/json") == 0;
    if (message && !has_room(part->batch, body.size)) {
        add_refusal(part,
                    "the answers of this batch are more than `serve: max_message` "
                    "allows");
    } else if (message) {
        add_answer(part->batch, body);
    } else if (reply->status >= 400) {
        add_refusal(part, "the daemon refuses this; ask by itself to hear why");
    }
    finish(part);
}

// No message of this revision is answered piece by piece here.
static void on_begin(struct sp_exchange *exchange, const struct sp_reply *reply)
{
    (void)exchange;
    (void)reply;
}

static snakepit_err on_send(struct sp_exchange *exchange, struct sp_slice bytes)
{
    (void)exchange;
    (void)bytes;
    return SNAKEPIT_OK;
}

static void on_fail(struct sp_exchange *exchange)
{
    add_refusal(part_of(exchange), "it failed");
    finish(part_of(exchange));
}

static void
on_end(struct sp_exchange *exchange, const struct sp_field *trailers, size_t count)
{
    (void)trailers;
    (void)count;
    on_fail(exchange);
}

static size_t room(const struct sp_exchange *exchange)
{
    (void)exchange;
    return SIZE_MAX;
}

static const struct sp_exchange_ops ops = {.reply = on_reply,
                                           .begin = on_begin,
                                           .send = on_send,
                                           .end = on_end,
                                           .fail = on_fail,
                                           .room = room};

// Each message that is under way is given up.
static void on_gone(void *user)
{
    struct batch *batch = user;
    for (size_t i = 0; i < batch->count; i++) {
        const struct part *part = &batch->parts[i];
        if (!part->answered && part->exchange.listener != NULL) {
            part->exchange.listener->gone(part->exchange.user);
        }
    }
    free_batch(batch);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// ---- Beginning ------------------------------------------------------------------

static void read_id(const snakepit_reader *value, struct sp_buf *id)
{
    struct sp_mcp_message message;
    struct sp_mcp_out out = {.buf = id};
    (void)sp_mcp_message_read(value, &message);
    if (sp_mcp_is_there(&message.id)) {
        sp_mcp_add_value(&out, &message.id);
    }
}

// Its exchange; `at` steps over it.
static struct sp_exchange *begin(struct batch *batch, size_t index, snakepit_reader *at)
{
    struct part *part = &batch->parts[index];
    part->batch = batch;
    part->exchange = *batch->exchange;
    part->exchange.ops = &ops;
    part->exchange.listener = NULL;
    part->exchange.user = NULL;
    part->exchange.request.body_buf = NULL;
    read_id(at, &part->id);
    batch->count = index + 1;
    batch->left++;
    (void)snakepit_reader_skip(at);
    return &part->exchange;
}

static void refuse(struct sp_exchange *exchange, const char *why)
{
    const struct sp_mcp_wrong wrong = {SP_MCP_INVALID_REQUEST, why};
    sp_mcp_refuse(exchange, NULL, &wrong);
}

void sp_mcp_batch(struct sp_exchange *exchange,
                  const struct sp_mcp_whole *whole,
                  const snakepit_reader *value,
                  sp_mcp_serve_fn *serve)
{
    snakepit_value list;
    snakepit_reader at = *value;
    const struct sp_slice revision =
        sp_request_field(&exchange->request, "mcp-protocol-version");
    (void)snakepit_reader_next(&at, &list);
    if (revision.size > 0 && !sp_mcp_is(revision, SP_MCP_WITH_BATCHES)) {
        refuse(exchange, "this revision has no batches; send each message by itself");
        return;
    }
    if (list.as.count == 0 || list.as.count > MESSAGES_MOST) {
        refuse(exchange, "a batch has 1 to 100 messages");
        return;
    }
    struct batch *batch =
        sp_alloc(sizeof *batch + list.as.count * sizeof batch->parts[0]);
    if (batch == NULL) {
        sp_api_refuse(exchange, 500, "out of memory");
        return;
    }
    batch->exchange = exchange;
    batch->most = sp_serve_loop_config(exchange->loop)->max_message;
    batch->left = 1;
    exchange->user = batch;
    exchange->listener = &listener;
    for (uint32_t i = 0; i < list.as.count; i++) {
        const snakepit_reader message = at;
        serve(begin(batch, i, &at), whole, &message);
    }
    count_down(batch);
}
