// SPDX-License-Identifier: MIT
#include "mcp/heading.h"

#include <string.h>

#include "http/body.h"
#include "mcp/reply.h"
#include "payload/base64.h"
#include "payload/writer.h"

#define BEGIN       "=?base64?"
#define END         "?="
#define VALUES_MOST 1000000u // that the daemon counts by its own key

// ---- Fields -----------------------------------------------------------------------

// A value begins and ends with what can be seen.
static bool is_plain(struct sp_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return text.size > 0 && text.data[0] != ' ' && text.data[text.size - 1] != ' ' &&
           (text.size < strlen(BEGIN) || memcmp(text.data, BEGIN, strlen(BEGIN)) != 0);
}

void sp_mcp_field_write(struct sp_slice text, char value[SP_MCP_FIELD_SIZE])
{
    value[0] = '\0';
    if (is_plain(text) && text.size < SP_MCP_FIELD_SIZE) {
        memcpy(value, text.data, text.size);
        value[text.size] = '\0';
        return;
    }
    const size_t most = SP_MCP_FIELD_SIZE - 1 - strlen(BEGIN) - strlen(END);
    if (text.size > 0 && text.size < most && sp_base64_size(text.size) <= most) {
        const size_t size = sp_base64_size(text.size);
        memcpy(value, BEGIN, strlen(BEGIN));
        sp_base64_encode(text, value + strlen(BEGIN));
        memcpy(value + strlen(BEGIN) + size, END, sizeof END);
    }
}

// ---- Messages ---------------------------------------------------------------------

static snakepit_err write_json(const snakepit_reader *value, struct sp_buf *json)
{
    struct sp_mcp_out out = {.buf = json};
    sp_mcp_add_value(&out, value);
    return out.err;
}

static void write_fields(const struct sp_mcp_message *message,
                         struct sp_mcp_heading *heading)
{
    struct sp_slice name;
    if (sp_mcp_is_there(&message->version)) {
        heading->era = SP_MCP_STATELESS;
        sp_mcp_field_write(sp_mcp_text_at(&message->version), heading->version);
        sp_mcp_field_write(message->name, heading->name_of_method);
        if (message->method == SP_MCP_TOOLS_CALL &&
            sp_mcp_text(&message->params, "name", &name)) {
            sp_mcp_field_write(name, heading->name);
        }
    }
}

static snakepit_err read_message(const snakepit_reader *value,
                                 struct sp_mcp_heading *heading)
{
    snakepit_reader found;
    struct sp_mcp_message message;
    const struct sp_mcp_wrong wrong = sp_mcp_message_read(value, &message);
    heading->answered =
        message.kind == SP_MCP_REQUEST || (wrong.code != 0 && message.name.size == 0);
    heading->method = message.method;
    write_fields(&message, heading);
    snakepit_err err = SNAKEPIT_OK;
    if (sp_mcp_is_there(&message.id)) {
        err = write_json(&message.id, &heading->id);
    }
    if (err == SNAKEPIT_OK && message.method == SP_MCP_CANCELLED &&
        sp_mcp_is_there(&message.params) &&
        snakepit_reader_find(&message.params, "requestId", &found) == SNAKEPIT_OK) {
        err = write_json(&found, &heading->cancels);
    }
    return err;
}

snakepit_err sp_mcp_heading_read(struct sp_slice message,
                                 struct sp_mcp_heading *heading)
{
    snakepit_message why;
    snakepit_reader reader;
    const struct sp_body body = {message, SP_MEDIA_JSON, VALUES_MOST};
    snakepit_writer *value = snakepit_writer_new();
    snakepit_err err = SNAKEPIT_OK;
    heading->answered = true;
    if (value == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (sp_body_read(&body, value, &why) == SNAKEPIT_OK) {
        snakepit_reader_init(&reader, value->buf.data, value->buf.size);
        err = read_message(&reader, heading);
    }
    snakepit_writer_free(value);
    return err == SNAKEPIT_NO_MEMORY ? err : SNAKEPIT_OK;
}

void sp_mcp_heading_fini(struct sp_mcp_heading *heading)
{
    sp_buf_fini(&heading->id);
    sp_buf_fini(&heading->cancels);
}
