// SPDX-License-Identifier: MIT
#include "mcp/message.h"

#include <string.h>

#include "base/memory.h"
#include "payload/base64.h"

#define META_VERSION      "io.modelcontextprotocol/protocolVersion"
#define META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define ENCODED_BEGIN     "=?base64?" // how a field says what no field can hold
#define ENCODED_END       "?="
#define FIELD_MOST        1024u

static const struct sp_mcp_wrong right = {0, NULL};

static struct sp_mcp_wrong wrong(int code, const char *why)
{
    return (struct sp_mcp_wrong){code, why};
}

// ---- Values -----------------------------------------------------------------------

bool sp_mcp_is_there(const snakepit_reader *reader)
{
    return reader->at != reader->end;
}

static snakepit_kind kind_at(const snakepit_reader *reader)
{
    snakepit_value value;
    snakepit_reader look = *reader;
    return snakepit_reader_next(&look, &value) == SNAKEPIT_OK ? value.kind
                                                              : SNAKEPIT_EXTENSION;
}

bool sp_mcp_member(const snakepit_reader *map,
                   const char *key,
                   snakepit_kind kind,
                   snakepit_reader *found)
{
    snakepit_reader at;
    if (!sp_mcp_is_there(map) || snakepit_reader_find(map, key, &at) != SNAKEPIT_OK ||
        kind_at(&at) != kind) {
        return false;
    }
    *found = at;
    return true;
}

struct sp_slice sp_mcp_text_at(const snakepit_reader *reader)
{
    snakepit_value value;
    snakepit_reader look = *reader;
    if (snakepit_reader_next(&look, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return (struct sp_slice){NULL, 0};
    }
    return (struct sp_slice){(const uint8_t *)value.as.text.data, value.as.text.size};
}

bool sp_mcp_text(const snakepit_reader *map, const char *key, struct sp_slice *text)
{
    snakepit_reader at;
    if (!sp_mcp_member(map, key, SNAKEPIT_TEXT, &at)) {
        return false;
    }
    *text = sp_mcp_text_at(&at);
    return true;
}

bool sp_mcp_is(struct sp_slice text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0;
}

static bool is_same(struct sp_slice one, struct sp_slice other)
{
    return one.size == other.size &&
           (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

// What a request or its progress is known by. False: it is not there, or `reader` is
// of something else, which stands there too.
static bool read_token(const snakepit_reader *map,
                       const char *key,
                       snakepit_reader *reader,
                       bool *is_there)
{
    snakepit_reader at;
    *is_there =
        sp_mcp_is_there(map) && snakepit_reader_find(map, key, &at) == SNAKEPIT_OK;
    if (!*is_there) {
        return false;
    }
    const snakepit_kind kind = kind_at(&at);
    if ((kind != SNAKEPIT_TEXT && kind != SNAKEPIT_INTEGER &&
         kind != SNAKEPIT_UNSIGNED) ||
        (kind == SNAKEPIT_TEXT && sp_mcp_text_at(&at).size > SP_MCP_ID_MOST)) {
        return false;
    }
    *reader = at;
    return true;
}

// ---- Messages ---------------------------------------------------------------------

static enum sp_mcp_method method_of(struct sp_slice name)
{
    static const struct {
        const char *name;
        enum sp_mcp_method method;
    } methods[] = {{"initialize", SP_MCP_INITIALIZE},
                   {"ping", SP_MCP_PING},
                   {"server/discover", SP_MCP_DISCOVER},
                   {"tools/list", SP_MCP_TOOLS_LIST},
                   {"tools/call", SP_MCP_TOOLS_CALL},
                   {"subscriptions/listen", SP_MCP_LISTEN},
                   {"notifications/cancelled", SP_MCP_CANCELLED}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (sp_mcp_is(name, methods[i].name)) {
            return methods[i].method;
        }
    }
    return SP_MCP_OTHER;
}

static struct sp_mcp_wrong read_params(const snakepit_reader *value,
                                       struct sp_mcp_message *message)
{
    snakepit_reader meta;
    bool is_there;
    if (snakepit_reader_find(value, "params", &message->params) != SNAKEPIT_OK) {
        return right;
    }
    if (kind_at(&message->params) != SNAKEPIT_MAP) {
        message->params = (snakepit_reader){.at = NULL};
        return wrong(SP_MCP_INVALID_PARAMS, "params must be an object");
    }
    if (snakepit_reader_find(&message->params, "_meta", &meta) != SNAKEPIT_OK) {
        return right;
    }
    if (kind_at(&meta) != SNAKEPIT_MAP) {
        return wrong(SP_MCP_INVALID_PARAMS, "params._meta must be an object");
    }
    if (!read_token(&meta, "progressToken", &message->token, &is_there) && is_there) {
        return wrong(SP_MCP_INVALID_PARAMS,
                     "progressToken must be a whole number, or a text of at most 256 "
                     "bytes");
    }
    (void)sp_mcp_text(&meta, "traceparent", &message->parent);
    (void)sp_mcp_text(&meta, "tracestate", &message->state);
    (void)snakepit_reader_find(&meta, META_VERSION, &message->version);
    snakepit_reader capabilities;
    message->has_capabilities =
        sp_mcp_member(&meta, META_CAPABILITIES, SNAKEPIT_MAP, &capabilities);
    return right;
}

static struct sp_mcp_wrong read_id(const snakepit_reader *value,
                                   struct sp_mcp_message *message)
{
    bool is_there;
    if (read_token(value, "id", &message->id, &is_there)) {
        return right;
    }
    message->kind = is_there ? SP_MCP_REQUEST : SP_MCP_NOTIFICATION;
    return is_there ? wrong(SP_MCP_INVALID_REQUEST,
                            "id must be a whole number, or a text of at most 256 bytes")
                    : right;
}

struct sp_mcp_wrong sp_mcp_message_read(const snakepit_reader *value,
                                        struct sp_mcp_message *message)
{
    struct sp_slice text;
    snakepit_reader found;
    *message = (struct sp_mcp_message){.kind = SP_MCP_REQUEST};
    if (kind_at(value) == SNAKEPIT_ARRAY) {
        return wrong(SP_MCP_INVALID_REQUEST, "a batch is no message of a batch");
    }
    if (kind_at(value) != SNAKEPIT_MAP) {
        return wrong(SP_MCP_INVALID_REQUEST, "a message is an object");
    }
    struct sp_mcp_wrong found_wrong = read_id(value, message);
    if (found_wrong.code != 0) {
        return found_wrong;
    }
    if (!sp_mcp_text(value, "jsonrpc", &text) || !sp_mcp_is(text, "2.0")) {
        return wrong(SP_MCP_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
    }
    if (!sp_mcp_text(value, "method", &message->name)) {
        const bool answers =
            snakepit_reader_find(value, "result", &found) == SNAKEPIT_OK ||
            snakepit_reader_find(value, "error", &found) == SNAKEPIT_OK;
        message->kind = answers ? SP_MCP_RESPONSE : message->kind;
        return answers ? right : wrong(SP_MCP_INVALID_REQUEST, "method must be a text");
    }
    message->method = method_of(message->name);
    return read_params(value, message);
}

// ---- Revisions --------------------------------------------------------------------

bool sp_mcp_is_handshake(struct sp_slice revision)
{
    return sp_mcp_is(revision, "2025-11-25") || sp_mcp_is(revision, "2025-06-18") ||
           sp_mcp_is(revision, "2025-03-26");
}

static bool begins_with(struct sp_slice text, const char *with)
{
    return text.size >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

// Whether a field says `text`: as it is, or in base64 where no field could.
static bool says(struct sp_slice field, struct sp_slice text)
{
    const size_t around = strlen(ENCODED_BEGIN) + strlen(ENCODED_END);
    uint8_t decoded[FIELD_MOST];
    size_t size = 0;
    if (field.size < around || field.size > FIELD_MOST ||
        !begins_with(field, ENCODED_BEGIN) ||
        memcmp(field.data + field.size - strlen(ENCODED_END),
               ENCODED_END,
               strlen(ENCODED_END)) != 0) {
        return field.data != NULL && is_same(field, text);
    }
    const struct sp_slice inner = {field.data + strlen(ENCODED_BEGIN),
                                   field.size - around};
    return sp_base64_decode(inner, decoded, &size) == SNAKEPIT_OK &&
           is_same((struct sp_slice){decoded, size}, text);
}

static struct sp_mcp_wrong match_fields(const struct sp_mcp_message *message,
                                        const struct sp_mcp_fields *fields)
{
    struct sp_slice name;
    if (!is_same(fields->version, sp_mcp_text_at(&message->version))) {
        return wrong(SP_MCP_HEADER_MISMATCH,
                     "MCP-Protocol-Version is not the protocolVersion of params._meta");
    }
    if (!says(fields->method, message->name)) {
        return wrong(SP_MCP_HEADER_MISMATCH, "Mcp-Method is not the message's method");
    }
    if (message->method == SP_MCP_TOOLS_CALL &&
        sp_mcp_text(&message->params, "name", &name) && !says(fields->name, name)) {
        return wrong(SP_MCP_HEADER_MISMATCH, "Mcp-Name is not the tool's name");
    }
    return right;
}

// A client that sends no revision in its body, with those fields.
static struct sp_mcp_wrong judge_handshake(const struct sp_mcp_message *message,
                                           const struct sp_mcp_fields *fields)
{
    if (fields->version.size == 0 || sp_mcp_is_handshake(fields->version) ||
        message->kind != SP_MCP_REQUEST) {
        return right;
    }
    return sp_mcp_is(fields->version, SP_MCP_REVISION)
               ? wrong(SP_MCP_INVALID_PARAMS,
                       "params._meta lacks " META_VERSION " or " META_CAPABILITIES)
               : wrong(SP_MCP_UNSUPPORTED_VERSION,
                       "this revision of the protocol is not served");
}

struct sp_mcp_wrong sp_mcp_era_of(const struct sp_mcp_message *message,
                                  const struct sp_mcp_fields *fields,
                                  enum sp_mcp_era *era)
{
    const bool stateless = sp_mcp_is(fields->version, SP_MCP_REVISION);
    *era = stateless ? SP_MCP_STATELESS : SP_MCP_HANDSHAKE;
    if (!sp_mcp_is_there(&message->version)) {
        return judge_handshake(message, fields);
    }
    *era = SP_MCP_STATELESS;
    const struct sp_slice version = sp_mcp_text_at(&message->version);
    if (version.data == NULL || !message->has_capabilities) {
        return wrong(SP_MCP_INVALID_PARAMS,
                     "params._meta needs " META_VERSION
                     ", a text, and " META_CAPABILITIES ", an object");
    }
    if (fields->wanted) {
        const struct sp_mcp_wrong mismatch = match_fields(message, fields);
        if (mismatch.code != 0) {
            return mismatch;
        }
    }
    return sp_mcp_is(version, SP_MCP_REVISION)
               ? right
               : wrong(SP_MCP_UNSUPPORTED_VERSION,
                       "this revision of the protocol is not served");
}
