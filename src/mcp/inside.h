// SPDX-License-Identifier: MIT
// What the files of MCP share. Everything here runs on the loop of its exchange.
#ifndef MCP_INSIDE_H
#define MCP_INSIDE_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "api/ask.h"
#include "api/inside.h"
#include "api/tables.h"
#include "mcp/message.h"
#include "mcp/reply.h"
#include "mcp/session.h"
#include "server/exchange.h"
#include "telemetry/trace_context.h"

// How long a pool may take to tell its tools: one that starts is waited for.
#define SP_MCP_TABLES_MS 20000u

// Which tool of which pool.
struct sp_mcp_callee {
    const char *pool; // lives as long as the pit; NULL: there is none
    char tool[SP_PARAM_SIZE];
};

// A request that is under way, apart from the bytes that it came in.
struct sp_mcp_asked {
    struct sp_api_tables_waiter waiter; // for the tools of all pools
    struct sp_mcp_address to;
    struct sp_buf id; // JSON, that `to` borrows
    size_t first;     // tools/list: how many the client has

    // Of tools/call.
    struct sp_mcp_callee callee;
    snakepit_writer *args;         // NULL: none
    struct sp_buf token;           // JSON of progressToken; empty: nobody wants to know
    struct sp_trace_context trace; // that its message names
    struct sp_buf tracestate;      // with it; empty: none
};

// The value of a body, of which a message is all, or one of a batch.
struct sp_mcp_whole {
    const snakepit_writer *value;
    bool large; // api/large.h has read it
    bool batch;
};

// A message whose bytes are read. `value` holds them as long as the function runs.
struct sp_mcp_read {
    struct sp_exchange *exchange;
    const snakepit_writer *value;
    bool large; // api/large.h has read it
    bool batch; // it is one of several
    struct sp_mcp_message message;
    struct sp_mcp_asked *asked; // NULL: it is no request
};

// ---- batch.c --------------------------------------------------------------------

// Serves a message, which `value` stands before: answers the exchange, now or later.
typedef void sp_mcp_serve_fn(struct sp_exchange *exchange,
                             const struct sp_mcp_whole *whole,
                             const snakepit_reader *value);
// The same of a list of messages, each by `serve`.
void sp_mcp_batch(struct sp_exchange *exchange,
                  const struct sp_mcp_whole *whole,
                  const snakepit_reader *value,
                  sp_mcp_serve_fn *serve);

// ---- answer.c -------------------------------------------------------------------

struct sp_mcp_asked *sp_mcp_asked_new(const struct sp_mcp_message *message,
                                      enum sp_mcp_era era);
void sp_mcp_asked_free(void *asked);

// Each answers the exchange. `to` NULL: the request is not known.
void sp_mcp_refuse(struct sp_exchange *exchange,
                   const struct sp_mcp_address *to,
                   const struct sp_mcp_wrong *wrong);
// With what was written, unless it failed. Frees it.
void sp_mcp_reply(struct sp_exchange *exchange,
                  const struct sp_mcp_address *to,
                  struct sp_mcp_out *out,
                  const char *call);

// The same with an error of wrong parameters.
void sp_mcp_reply_error(struct sp_exchange *exchange,
                        const struct sp_mcp_address *to,
                        struct sp_mcp_out *out);

// Whether the client may call that tool (NULL: the pool); `exchange` is what stands
// behind `user`.
bool sp_mcp_takes(const void *user, const char *pool, const char *tool);

// Answers a call that has failed. `call` as of sp_mcp_reply().
void sp_mcp_reply_fault(struct sp_exchange *exchange,
                        const struct sp_mcp_asked *asked,
                        const snakepit_fault *fault,
                        const char *call);
// The same as text.
void sp_mcp_add_fault(struct sp_mcp_out *out,
                      const struct sp_mcp_asked *asked,
                      const snakepit_fault *fault);

// ---- call.c ---------------------------------------------------------------------

// tools/call. Takes what was asked.
void sp_mcp_call(const struct sp_mcp_read *read);
// notifications/cancelled.
void sp_mcp_cancel(const struct sp_mcp_read *read);

// ---- stream.c -------------------------------------------------------------------

// Whether the tool that is asked for gives its items while it runs.
bool sp_mcp_streams(const struct sp_mcp_asked *asked,
                    const struct sp_api_tables *tables);
// Calls it, and tells each item as progress. Takes what was asked.
void sp_mcp_stream(struct sp_exchange *exchange,
                   struct sp_mcp_asked *asked,
                   struct sp_api_ask *ask);

// ---- listen.c -------------------------------------------------------------------

// GET /mcp: events of that the tools have changed, until the client goes.
void sp_mcp_listen(struct sp_exchange *exchange);
// subscriptions/listen: the same, for what the request wants. Takes what was asked.
void sp_mcp_subscribe(const struct sp_mcp_read *read);

#endif
