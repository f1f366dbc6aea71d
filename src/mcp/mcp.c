// SPDX-License-Identifier: MIT
// Each request stands for itself. What a handshake agrees on is said again by each
// request that follows it (MCP-Protocol-Version), so nothing of it is kept; the session
// that it gives only keeps the numbers of one client's requests from another's.
#include "mcp/mcp.h"

#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/large.h"
#include "api/reply.h"
#include "base/memory.h"
#include "mcp/inside.h"
#include "mcp/list.h"
#include "payload/writer.h"

#define CURSOR_MOST  UINT64_C(1000000000)
#define CAPABILITIES "\"capabilities\":{\"tools\":{\"listChanged\":true}},"
#define CACHE        "\"ttlMs\":5000,\"cacheScope\":\"private\","

// ---- Answers --------------------------------------------------------------------

static void refuse_asked(const struct sp_mcp_read *read, int code, const char *why)
{
    const struct sp_mcp_wrong wrong = {code, why};
    sp_mcp_refuse(read->exchange, &read->asked->to, &wrong);
    sp_mcp_asked_free(read->asked);
}

// ---- Handshake and discovery ------------------------------------------------------

static void reply_session(struct sp_exchange *exchange, const struct sp_buf *text)
{
    char session[SP_MCP_SESSION_SIZE];
    sp_mcp_new_session(session);
    const struct sp_api_answer answer = {.status = 200,
                                         .type = "application/json",
                                         .body = {text->data, text->size},
                                         .mcp_session =
                                             session[0] == '\0' ? NULL : session};
    sp_api_reply(exchange, &answer);
}

static void initialize(const struct sp_mcp_read *read)
{
    struct sp_slice revision = {NULL, 0};
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    const struct sp_mcp_address *to = &read->asked->to;
    if (!sp_mcp_text(&read->message.params, "protocolVersion", &revision) ||
        !sp_mcp_is_handshake(revision)) {
        revision = sp_slice_of_text(SP_MCP_LAST_HANDSHAKE);
    }
    sp_mcp_begin_result(&out, to);
    sp_mcp_add(&out, "\"protocolVersion\":\"");
    sp_mcp_add_bytes(&out, revision);
    sp_mcp_add(&out, "\"," CAPABILITIES "\"serverInfo\":");
    sp_mcp_add_server(&out);
    sp_mcp_add(&out, ",");
    sp_mcp_end_result(&out, to);
    if (out.err == SNAKEPIT_OK) {
        reply_session(read->exchange, &text);
        sp_buf_fini(&text);
    } else {
        sp_mcp_reply(read->exchange, to, &out, NULL);
    }
    sp_mcp_asked_free(read->asked);
}

static void reply_members(const struct sp_mcp_read *read, const char *members)
{
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    const struct sp_mcp_address *to = &read->asked->to;
    sp_mcp_begin_result(&out, to);
    sp_mcp_add(&out, members);
    sp_mcp_end_result(&out, to);
    sp_mcp_reply(read->exchange, to, &out, NULL);
    sp_mcp_asked_free(read->asked);
}

// ---- tools/list -----------------------------------------------------------------

static void on_tables(struct sp_api_tables_waiter *waiter, struct sp_api_tables *tables)
{
    static const struct sp_mcp_wrong ended = {SP_MCP_INVALID_REQUEST,
                                              "the token has ended meanwhile"};
    static const struct sp_mcp_wrong beyond = {
        SP_MCP_INVALID_PARAMS, "there are no tools behind this cursor; begin anew"};
    struct sp_mcp_asked *asked = SP_ENTRY(waiter, struct sp_mcp_asked, waiter);
    struct sp_exchange *exchange = waiter->exchange;
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    const struct sp_mcp_choice choice = {sp_mcp_takes, exchange};
    exchange->grant = sp_grant_of(exchange);
    if (exchange->grant == NULL) {
        sp_mcp_refuse(exchange, &asked->to, &ended);
        sp_mcp_asked_free(asked);
        return;
    }
    sp_mcp_begin_result(&out, &asked->to);
    const bool there =
        sp_mcp_add_tools(&out, tables, &choice, asked->first, asked->to.era);
    sp_mcp_add(&out, asked->to.era == SP_MCP_STATELESS ? CACHE : "");
    sp_mcp_end_result(&out, &asked->to);
    if (there) {
        sp_mcp_reply(exchange, &asked->to, &out, NULL);
    } else {
        sp_buf_fini(&text);
        sp_mcp_refuse(exchange, &asked->to, &beyond);
    }
    sp_mcp_asked_free(asked);
}

static void on_tables_gone(struct sp_api_tables_waiter *waiter)
{
    sp_mcp_asked_free(SP_ENTRY(waiter, struct sp_mcp_asked, waiter));
}

static bool read_cursor(const struct sp_mcp_read *read)
{
    uint64_t first = 0;
    snakepit_reader found;
    const snakepit_reader *params = &read->message.params;
    if (!sp_mcp_is_there(params) ||
        snakepit_reader_find(params, "cursor", &found) != SNAKEPIT_OK) {
        return true;
    }
    const bool good = sp_api_number(sp_mcp_text_at(&found), 0, CURSOR_MOST, &first);
    read->asked->first = (size_t)first;
    return good;
}

static void list_tools(const struct sp_mcp_read *read)
{
    struct sp_mcp_asked *asked = read->asked;
    if (!read_cursor(read)) {
        refuse_asked(
            read, SP_MCP_INVALID_PARAMS, "cursor is none that tools/list has given");
        return;
    }
    asked->waiter = (struct sp_api_tables_waiter){
        .exchange = read->exchange, .told = on_tables, .gone = on_tables_gone};
    if (sp_api_tables_get(&asked->waiter, SP_MCP_TABLES_MS) != SNAKEPIT_OK) {
        refuse_asked(read, SP_MCP_INTERNAL_ERROR, "out of memory");
    }
}

// ---- Messages -------------------------------------------------------------------

static void serve_request(const struct sp_mcp_read *read)
{
    const bool stateless = read->asked->to.era == SP_MCP_STATELESS;
    switch (read->message.method) {
    case SP_MCP_TOOLS_LIST:
        list_tools(read);
        return;
    case SP_MCP_TOOLS_CALL:
        sp_mcp_call(read);
        return;
    case SP_MCP_INITIALIZE:
        if (read->batch) {
            refuse_asked(
                read, SP_MCP_INVALID_REQUEST, "initialize is no part of a batch");
            return;
        }
        if (!stateless) {
            initialize(read);
            return;
        }
        break;
    case SP_MCP_PING:
        if (!stateless) {
            reply_members(read, "");
            return;
        }
        break;
    case SP_MCP_DISCOVER:
        if (stateless) {
            reply_members(read,
                          "\"supportedVersions\":[\"" SP_MCP_REVISION
                          "\"," SP_MCP_HANDSHAKES_JSON "]," CAPABILITIES CACHE);
            return;
        }
        break;
    case SP_MCP_LISTEN:
        if (stateless) {
            sp_mcp_subscribe(read);
            return;
        }
        break;
    default:
        break;
    }
    refuse_asked(read, SP_MCP_NO_METHOD, "there is no such method in this revision");
}

static struct sp_mcp_fields fields_of(const struct sp_request *request)
{
    return (struct sp_mcp_fields){.wanted = true,
                                  .version =
                                      sp_request_field(request, "mcp-protocol-version"),
                                  .method = sp_request_field(request, "mcp-method"),
                                  .name = sp_request_field(request, "mcp-name")};
}

// Refused as far as it was understood.
static void
refuse_message(struct sp_mcp_read *read, enum sp_mcp_era era, struct sp_mcp_wrong wrong)
{
    struct sp_mcp_asked *asked = sp_mcp_asked_new(&read->message, era);
    sp_mcp_refuse(read->exchange, asked == NULL ? NULL : &asked->to, &wrong);
    sp_mcp_asked_free(asked);
}

static void serve_message(struct sp_exchange *exchange,
                          const struct sp_mcp_whole *whole,
                          const snakepit_reader *value)
{
    struct sp_mcp_read read = {.exchange = exchange,
                               .value = whole->value,
                               .large = whole->large,
                               .batch = whole->batch};
    const struct sp_mcp_fields fields = fields_of(&exchange->request);
    enum sp_mcp_era era = SP_MCP_HANDSHAKE;
    struct sp_mcp_wrong wrong = sp_mcp_message_read(value, &read.message);
    if (wrong.code == 0) {
        wrong = sp_mcp_era_of(&read.message, &fields, &era);
    }
    if (wrong.code != 0) {
        refuse_message(&read, era, wrong);
        return;
    }
    if (read.message.kind != SP_MCP_REQUEST) {
        if (read.message.method == SP_MCP_CANCELLED) {
            sp_mcp_cancel(&read);
        }
        sp_api_accepted(exchange);
        return;
    }
    read.asked = sp_mcp_asked_new(&read.message, era);
    if (read.asked == NULL) {
        sp_api_refuse(exchange, 500, "out of memory");
        return;
    }
    serve_request(&read);
}

// A body that was read as one value.
static void
serve(struct sp_exchange *exchange, const snakepit_writer *value, bool large)
{
    snakepit_value first;
    snakepit_reader reader;
    struct sp_mcp_whole whole = {.value = value, .large = large};
    snakepit_reader_init(&reader, value->buf.data, value->buf.size);
    snakepit_reader look = reader;
    whole.batch = snakepit_reader_next(&look, &first) == SNAKEPIT_OK &&
                  first.kind == SNAKEPIT_ARRAY;
    if (whole.batch) {
        sp_mcp_batch(exchange, &whole, &reader, serve_message);
    } else {
        serve_message(exchange, &whole, &reader);
    }
}

// ---- Bodies ---------------------------------------------------------------------

struct large_message {
    struct sp_api_large large;
    snakepit_writer *value;
};

static struct large_message *large_of(struct sp_api_large *large)
{
    return SP_ENTRY(large, struct large_message, large);
}

static snakepit_err take_value(struct sp_api_large *large)
{
    large_of(large)->value = large->value;
    large->value = NULL;
    return SNAKEPIT_OK;
}

static void refuse_bytes(struct sp_exchange *exchange, const snakepit_message *why)
{
    const struct sp_mcp_wrong wrong = {SP_MCP_PARSE_ERROR, why->text};
    sp_mcp_refuse(exchange, NULL, &wrong);
}

// Its token may have been taken back meanwhile.
static void large_is_read(struct sp_api_large *large)
{
    struct large_message *message = large_of(large);
    struct sp_exchange *exchange = large->exchange;
    if (exchange != NULL && large->err != SNAKEPIT_OK) {
        refuse_bytes(exchange, &large->why);
    } else if (exchange != NULL) {
        exchange->grant = sp_grant_of(exchange);
        if (exchange->grant == NULL) {
            sp_api_refuse(exchange, 401, "the token is not good any more");
        } else {
            serve(exchange, message->value, true);
        }
    }
    snakepit_writer_free(message->value);
    sp_free(message);
}

static const struct sp_api_large_ops large_ops = {
    .what = "the message", .use = take_value, .done = large_is_read};

static void read_large(struct sp_exchange *exchange)
{
    struct large_message *message = sp_alloc(sizeof *message);
    if (message == NULL) {
        sp_api_refuse(exchange, 500, "out of memory");
        return;
    }
    sp_api_large_begin(&message->large, exchange, &large_ops);
}

static void handle(struct sp_exchange *exchange)
{
    snakepit_message why = {{0}};
    if (sp_media_of_body(&exchange->request) != SP_MEDIA_JSON) {
        sp_api_refuse(exchange, 415, "a message has the Content-Type application/json");
        return;
    }
    if (sp_api_is_large(exchange)) {
        read_large(exchange);
        return;
    }
    const struct sp_body body = sp_api_body_of(exchange);
    snakepit_writer *value = snakepit_writer_new();
    if (value == NULL) {
        sp_api_refuse(exchange, 500, "out of memory");
    } else if (sp_body_read(&body, value, &why) != SNAKEPIT_OK) {
        refuse_bytes(exchange, &why);
    } else {
        serve(exchange, value, false);
    }
    snakepit_writer_free(value);
}

const struct sp_api_mcp sp_mcp = {.handle = handle, .listen = sp_mcp_listen};
