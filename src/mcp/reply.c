// SPDX-License-Identifier: MIT
#include "mcp/reply.h"

#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "payload/json.h"
#include "payload/pairs.h"
#include "payload/writer.h"

void sp_mcp_add_bytes(struct sp_mcp_out *out, struct sp_slice bytes)
{
    if (out->err == SNAKEPIT_OK) {
        out->err = sp_buf_append(out->buf, bytes.data, bytes.size);
    }
}

void sp_mcp_add(struct sp_mcp_out *out, const char *text)
{
    sp_mcp_add_bytes(out, sp_slice_of_text(text));
}

void sp_mcp_add_number(struct sp_mcp_out *out, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    sp_mcp_add(out, text);
}

void sp_mcp_add_quoted(struct sp_mcp_out *out, struct sp_slice text)
{
    if (out->err != SNAKEPIT_OK) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_strn(
        writer, text.data == NULL ? "" : (const char *)text.data, text.size);
    out->err = sp_writer_to_json(writer, out->buf);
    snakepit_writer_free(writer);
}

void sp_mcp_add_value(struct sp_mcp_out *out, const snakepit_reader *value)
{
    snakepit_reader at = *value;
    if (out->err == SNAKEPIT_OK) {
        out->err = sp_json_write(&at, out->buf, NULL);
    }
}

void sp_mcp_add_server(struct sp_mcp_out *out)
{
    sp_mcp_add(out,
               "{\"name\":\"snakepit\",\"title\":\"Snakepit\","
               "\"version\":\"" SNAKEPIT_VERSION "\"}");
}

static void begin(struct sp_mcp_out *out, const struct sp_mcp_address *to)
{
    sp_mcp_add(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (to->id.size > 0) {
        sp_mcp_add_bytes(out, to->id);
    } else {
        sp_mcp_add(out, "null");
    }
}

void sp_mcp_begin_result(struct sp_mcp_out *out, const struct sp_mcp_address *to)
{
    begin(out, to);
    sp_mcp_add(out, ",\"result\":{");
}

void sp_mcp_end_result(struct sp_mcp_out *out, const struct sp_mcp_address *to)
{
    if (to->era == SP_MCP_STATELESS) {
        sp_mcp_add(out,
                   "\"resultType\":\"complete\",\"_meta\":{"
                   "\"io.modelcontextprotocol/serverInfo\":");
        sp_mcp_add_server(out);
        sp_mcp_add(out, "}}}");
        return;
    }
    const struct sp_buf *made = out->buf;
    const bool empty = made->size > 0 && made->data[made->size - 1] == '{';
    sp_mcp_add(out, empty ? "}}" : "\"_meta\":{}}}"); // that of ping is empty
}

void sp_mcp_add_error(struct sp_mcp_out *out,
                      const struct sp_mcp_address *to,
                      const struct sp_mcp_wrong *wrong,
                      const char *data)
{
    char code[24];
    (void)snprintf(code, sizeof code, "%d", wrong->code);
    begin(out, to);
    sp_mcp_add(out, ",\"error\":{\"code\":");
    sp_mcp_add(out, code);
    sp_mcp_add(out, ",\"message\":");
    sp_mcp_add_quoted(out, sp_slice_of_text(wrong->why));
    if (data != NULL) {
        sp_mcp_add(out, ",\"data\":");
        sp_mcp_add(out, data);
    }
    sp_mcp_add(out, "}}");
}
