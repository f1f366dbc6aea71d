// SPDX-License-Identifier: MIT
// A call whose items are told as progress while they come, in an answer of events. The
// last event is the result, as without progress: the list of the items. So they are
// kept until then, within `serve: max_message`.
#include <stdio.h>
#include <string.h>

#include "api/reply.h"
#include "api/stream.h"
#include "api/tool_table.h"
#include "base/memory.h"
#include "http/problem.h"
#include "http/sse.h"
#include "mcp/content.h"
#include "mcp/inside.h"
#include "server/server.h"

#define MESSAGE_MOST 1000u // bytes of an item that is told as it is

// Owner: the stream that it is the form of.
struct progress {
    struct sp_api_stream_form form;
    struct sp_mcp_asked *asked;
    uint64_t most;        // bytes that are kept
    uint64_t count;       // of items
    bool bytes;           // some are bytes
    struct sp_buf items;  // JSON of each, with commas between
    struct sp_buf blocks; // the same as content
};

static bool streams_in(const snakepit_answer *answer, const char *wanted)
{
    bool streams = false;
    snakepit_reader reader;
    struct sp_tool_table tools;
    snakepit_answer_reader(answer, &reader);
    if (sp_tool_table_read(&reader, &tools) != SNAKEPIT_OK) {
        return false;
    }
    for (size_t i = 0; i < tools.count; i++) {
        char name[SP_TOOL_NAME_MOST + 1];
        const snakepit_reader *tool = &tools.tools[i].at;
        if (sp_tool_name(tool, name) && strcmp(name, wanted) == 0) {
            streams = sp_tool_flag(tool, "streams");
        }
    }
    sp_tool_table_fini(&tools);
    return streams;
}

bool sp_mcp_streams(const struct sp_mcp_asked *asked,
                    const struct sp_api_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        const struct sp_api_table *table = &tables->tables[i];
        if (table->answer != NULL && strcmp(table->pool, asked->callee.pool) == 0) {
            return streams_in(table->answer, asked->callee.tool);
        }
    }
    return false;
}

static struct progress *progress_of(const struct sp_api_stream_form *form)
{
    return form->own;
}

static snakepit_err add_event(struct sp_buf *out, struct sp_mcp_out *made)
{
    snakepit_err err = made->err;
    if (err == SNAKEPIT_OK) {
        err = sp_sse_event(
            out, NULL, (struct sp_slice){made->buf->data, made->buf->size});
    }
    sp_buf_fini(made->buf);
    return err;
}

static void begin(struct sp_exchange *exchange, const char *call)
{
    exchange->tell_fault = NULL;
    sp_api_begin(exchange,
                 &(const struct sp_api_answer){
                     .status = 200, .type = "text/event-stream", .call = call});
}

// ---- Items ----------------------------------------------------------------------

static snakepit_err
keep(struct progress *progress, const snakepit_reader *chunk, size_t *start)
{
    snakepit_value value;
    snakepit_reader look = *chunk;
    struct sp_mcp_out items = {.buf = &progress->items};
    struct sp_mcp_out blocks = {.buf = &progress->blocks};
    sp_mcp_add(&items, progress->count > 0 ? "," : "");
    sp_mcp_add(&blocks, progress->count > 0 ? "," : "");
    *start = progress->items.size;
    sp_mcp_add_value(&items, chunk);
    sp_mcp_add_block(&blocks, chunk);
    progress->bytes =
        progress->bytes || (snakepit_reader_next(&look, &value) == SNAKEPIT_OK &&
                            value.kind == SNAKEPIT_BYTES);
    progress->count++;
    if (progress->items.size + progress->blocks.size > progress->most) {
        return SNAKEPIT_UNSERIALISABLE;
    }
    return items.err != SNAKEPIT_OK ? items.err : blocks.err;
}

// Told as it is where that is short: a text, or its JSON.
static void
add_message(struct sp_mcp_out *out, const snakepit_reader *chunk, struct sp_slice json)
{
    const struct sp_slice text = sp_mcp_text_at(chunk);
    if (json.size <= MESSAGE_MOST) {
        sp_mcp_add(out, ",\"message\":");
        sp_mcp_add_quoted(out, text.data != NULL ? text : json);
    }
}

static snakepit_err add_chunk(struct sp_buf *out,
                              snakepit_stream *chunks,
                              const snakepit_reader *chunk,
                              const struct sp_api_stream_form *form)
{
    size_t start = 0;
    struct sp_buf text = {0};
    struct sp_mcp_out made = {.buf = &text};
    struct progress *progress = progress_of(form);
    const struct sp_buf *token = &progress->asked->token;
    (void)chunks;
    snakepit_err err = keep(progress, chunk, &start);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    sp_mcp_add(&made,
               "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
               "\"params\":{\"progressToken\":");
    sp_mcp_add_bytes(&made, (struct sp_slice){token->data, token->size});
    sp_mcp_add(&made, ",\"progress\":");
    sp_mcp_add_number(&made, progress->count);
    add_message(
        &made,
        chunk,
        (struct sp_slice){progress->items.data + start, progress->items.size - start});
    sp_mcp_add(&made, "}}");
    return add_event(out, &made);
}

static snakepit_fault
cannot_be_told(const snakepit_reader *value, unsigned as, snakepit_message *why)
{
    (void)as;
    const snakepit_fault fault = sp_fault_no_json(value, why);
    if (snakepit_reader_explain_json(value, NULL) != SNAKEPIT_OK) {
        return fault;
    }
    (void)snprintf(why->text,
                   sizeof why->text,
                   "the items of this tool are more than `serve: max_message` allows");
    return sp_fault_of(SNAKEPIT_UNSERIALISABLE, why->text);
}

// ---- Ends -----------------------------------------------------------------------

static struct sp_slice slice_of(const struct sp_buf *buf)
{
    return (struct sp_slice){buf->data, buf->size};
}

static void add_list(struct sp_mcp_out *out, const struct sp_buf *items)
{
    sp_mcp_add(out, "[");
    sp_mcp_add_bytes(out, slice_of(items));
    sp_mcp_add(out, "]");
}

static void add_items(struct sp_mcp_out *out, const struct progress *progress)
{
    const bool wrapped = progress->asked->to.era == SP_MCP_HANDSHAKE;
    struct sp_buf list = {0};
    struct sp_mcp_out json = {.buf = &list, .err = out->err};
    add_list(&json, &progress->items);
    out->err = json.err;
    sp_mcp_add(out, "\"content\":");
    if (progress->bytes) {
        add_list(out, &progress->blocks);
    } else {
        sp_mcp_add(out, "[{\"type\":\"text\",\"text\":");
        sp_mcp_add_quoted(out, slice_of(&list));
        sp_mcp_add(out, "}]");
    }
    sp_mcp_add(out,
               wrapped ? ",\"structuredContent\":{\"result\":"
                       : ",\"structuredContent\":");
    sp_mcp_add_bytes(out, slice_of(&list));
    sp_mcp_add(out, wrapped ? "},\"isError\":false," : ",\"isError\":false,");
    sp_buf_fini(&list);
}

static snakepit_err add_result(struct sp_buf *out,
                               snakepit_answer *answer,
                               const struct sp_api_stream_form *form)
{
    struct sp_buf text = {0};
    struct sp_mcp_out made = {.buf = &text};
    const struct progress *progress = progress_of(form);
    (void)answer; // what the tool returned at its end is no item
    sp_mcp_begin_result(&made, &progress->asked->to);
    add_items(&made, progress);
    sp_mcp_end_result(&made, &progress->asked->to);
    return add_event(out, &made);
}

static snakepit_err add_fault(struct sp_buf *out,
                              const struct sp_exchange *exchange,
                              const snakepit_fault *fault)
{
    struct sp_buf text = {0};
    struct sp_mcp_out made = {.buf = &text};
    const struct sp_mcp_asked *asked = exchange->own;
    sp_mcp_add_fault(&made, asked, fault);
    return add_event(out, &made);
}

static void
end(struct sp_exchange *exchange, const snakepit_fault *fault, uint32_t retry_after_ms)
{
    (void)fault; // is an event
    (void)retry_after_ms;
    sp_exchange_end(exchange);
}

static void refuse(struct sp_exchange *exchange, const snakepit_fault *fault)
{
    const struct sp_mcp_asked *asked = exchange->own;
    sp_mcp_reply_fault(exchange, asked, fault, NULL);
}

// Frees its own form, and what was asked.
static void over(const struct sp_api_stream_form *form)
{
    struct progress *progress = progress_of(form);
    sp_mcp_asked_free(progress->asked);
    sp_buf_fini(&progress->items);
    sp_buf_fini(&progress->blocks);
    sp_free(progress);
}

void sp_mcp_stream(struct sp_exchange *exchange,
                   struct sp_mcp_asked *asked,
                   struct sp_api_ask *ask)
{
    struct progress *progress = sp_alloc(sizeof *progress);
    if (progress == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        sp_mcp_asked_free(asked);
        return;
    }
    progress->form = (struct sp_api_stream_form){.begin = begin,
                                                 .chunk = add_chunk,
                                                 .unwritable = cannot_be_told,
                                                 .result = add_result,
                                                 .fault = add_fault,
                                                 .silence = sp_sse_comment,
                                                 .end = end,
                                                 .refuse = refuse,
                                                 .over = over,
                                                 .own = progress};
    progress->asked = asked;
    progress->most = sp_serve_loop_config(exchange->loop)->max_message;
    sp_api_stream(exchange, ask, &progress->form);
}
