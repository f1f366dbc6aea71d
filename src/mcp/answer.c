// SPDX-License-Identifier: MIT
// The ends of requests: each of these answers the exchange.
#include <stdio.h>

#include "api/gate.h"
#include "api/reply.h"
#include "base/memory.h"
#include "mcp/content.h"
#include "mcp/inside.h"
#include "payload/json.h"

// ---- What is asked --------------------------------------------------------------

struct sp_mcp_asked *sp_mcp_asked_new(const struct sp_mcp_message *message,
                                      enum sp_mcp_era era)
{
    struct sp_mcp_asked *asked = sp_alloc(sizeof *asked);
    if (asked == NULL) {
        return NULL;
    }
    snakepit_reader id = message->id;
    asked->to.era = era;
    if (sp_mcp_is_there(&id) && sp_json_write(&id, &asked->id, NULL) != SNAKEPIT_OK) {
        sp_mcp_asked_free(asked);
        return NULL;
    }
    asked->to.id = (struct sp_slice){asked->id.data, asked->id.size};
    return asked;
}

void sp_mcp_asked_free(void *asked)
{
    struct sp_mcp_asked *its = asked;
    if (its != NULL) {
        sp_buf_fini(&its->id);
        sp_buf_fini(&its->token);
        sp_buf_fini(&its->tracestate);
        snakepit_writer_free(its->args);
        sp_free(its);
    }
}

bool sp_mcp_takes(const void *user, const char *pool, const char *tool)
{
    const struct sp_exchange *exchange = user;
    return sp_api_may(exchange, SP_ACCESS_CALL, pool) &&
           (tool == NULL || sp_grant_allows_tool(exchange->grant, pool, tool));
}

// ---- Answers --------------------------------------------------------------------

// HTTP tells errors of the protocol as well.
static unsigned status_of(const struct sp_mcp_address *to, int code)
{
    const bool stateless = to->era == SP_MCP_STATELESS;
    switch (code) {
    case SP_MCP_INTERNAL_ERROR:
        return stateless ? 500 : 200;
    case SP_MCP_NO_METHOD:
        return stateless ? 404 : 200;
    case SP_MCP_INVALID_PARAMS:
        return stateless ? 400 : 200;
    default:
        return 400;
    }
}

static void reply_text(struct sp_exchange *exchange,
                       unsigned status,
                       const struct sp_buf *text,
                       const char *call)
{
    const struct sp_api_answer answer = {.status = status,
                                         .type = "application/json",
                                         .body = {text->data, text->size},
                                         .call = call};
    sp_api_reply(exchange, &answer);
}

void sp_mcp_refuse(struct sp_exchange *exchange,
                   const struct sp_mcp_address *to,
                   const struct sp_mcp_wrong *wrong)
{
    static const struct sp_mcp_address nobody = {.era = SP_MCP_HANDSHAKE};
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    const bool versions = wrong->code == SP_MCP_UNSUPPORTED_VERSION;
    const struct sp_mcp_address *known = to == NULL ? &nobody : to;
    const struct sp_slice asked =
        sp_request_field(&exchange->request, "mcp-protocol-version");
    struct sp_buf data = {0};
    struct sp_mcp_out more = {.buf = &data};
    if (versions) {
        sp_mcp_add(&more,
                   "{\"supported\":[\"" SP_MCP_REVISION "\"," SP_MCP_HANDSHAKES_JSON
                   "],\"requested\":");
        sp_mcp_add_quoted(&more, asked);
        more.err = more.err == SNAKEPIT_OK ? sp_buf_append(&data, "}", 2) : more.err;
    }
    sp_mcp_add_error(&out, known, wrong, versions ? (const char *)data.data : NULL);
    if (out.err == SNAKEPIT_OK && more.err == SNAKEPIT_OK) {
        reply_text(exchange, status_of(known, wrong->code), &text, NULL);
    } else {
        sp_api_refuse(exchange, 500, "out of memory");
    }
    sp_buf_fini(&data);
    sp_buf_fini(&text);
}

static void reply_out(struct sp_exchange *exchange,
                      const struct sp_mcp_address *to,
                      struct sp_mcp_out *out,
                      unsigned status,
                      const char *call)
{
    static const struct sp_mcp_wrong failed = {SP_MCP_INTERNAL_ERROR, "out of memory"};
    if (out->err == SNAKEPIT_OK) {
        reply_text(exchange, status, out->buf, call);
    } else {
        sp_mcp_refuse(exchange, to, &failed);
    }
    sp_buf_fini(out->buf);
}

void sp_mcp_reply(struct sp_exchange *exchange,
                  const struct sp_mcp_address *to,
                  struct sp_mcp_out *out,
                  const char *call)
{
    reply_out(exchange, to, out, 200, call);
}

void sp_mcp_reply_error(struct sp_exchange *exchange,
                        const struct sp_mcp_address *to,
                        struct sp_mcp_out *out)
{
    reply_out(exchange, to, out, status_of(to, SP_MCP_INVALID_PARAMS), NULL);
}

// ---- Faults ---------------------------------------------------------------------

// What the client has asked wrongly is an error of the protocol; everything else is for
// the model to read.
static bool is_of_the_protocol(snakepit_err err)
{
    return err == SNAKEPIT_UNKNOWN_TOOL || err == SNAKEPIT_UNKNOWN_POOL ||
           err == SNAKEPIT_POOL_REMOVED || err == SNAKEPIT_INVALID_ARGUMENT ||
           err == SNAKEPIT_MALFORMED;
}

static void add_no_tool(struct sp_mcp_out *out, const struct sp_mcp_asked *asked)
{
    char why[2 * SP_PARAM_SIZE + 96];
    const struct sp_mcp_wrong wrong = {SP_MCP_INVALID_PARAMS, why};
    (void)snprintf(why,
                   sizeof why,
                   "there is no tool \"%s.%s\"; tools/list names those there are",
                   asked->callee.pool,
                   asked->callee.tool);
    sp_mcp_add_error(out, &asked->to, &wrong, NULL);
}

void sp_mcp_add_fault(struct sp_mcp_out *out,
                      const struct sp_mcp_asked *asked,
                      const snakepit_fault *fault)
{
    const struct sp_mcp_address *to = &asked->to;
    if (fault->err == SNAKEPIT_UNKNOWN_TOOL) {
        add_no_tool(out, asked);
        return;
    }
    if (is_of_the_protocol(fault->err)) {
        const char *said = fault->message;
        const struct sp_mcp_wrong wrong = {
            SP_MCP_INVALID_PARAMS,
            said == NULL || said[0] == '\0' ? snakepit_err_text(fault->err) : said};
        sp_mcp_add_error(out, to, &wrong, NULL);
        return;
    }
    sp_mcp_begin_result(out, to);
    sp_mcp_add_failure(out, fault);
    sp_mcp_end_result(out, to);
}

void sp_mcp_reply_fault(struct sp_exchange *exchange,
                        const struct sp_mcp_asked *asked,
                        const snakepit_fault *fault,
                        const char *call)
{
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    sp_mcp_add_fault(&out, asked, fault);
    exchange->tell_fault = NULL; // what goes wrong from here on is told by HTTP
    if (is_of_the_protocol(fault->err)) {
        sp_mcp_reply_error(exchange, &asked->to, &out);
    } else {
        sp_mcp_reply(exchange, &asked->to, &out, call);
    }
}
