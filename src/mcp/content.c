// SPDX-License-Identifier: MIT
#include "mcp/content.h"

#include <string.h>

#include <snakepit/snakepit.h>

#include "payload/base64.h"

#define RESOURCE_URI "snakepit:result" // of bytes, which have no address of their own

// ---- Bytes ----------------------------------------------------------------------

const char *sp_mcp_media_of(struct sp_slice bytes)
{
    static const struct {
        const char *begins;
        size_t size;
        size_t at; // where `inner` is; 0: there is none
        const char *inner;
        const char *type;
    } kinds[] = {{"\x89PNG\r\n\x1a\n", 8, 0, "", "image/png"},
                 {"\xff\xd8\xff", 3, 0, "", "image/jpeg"},
                 {"GIF87a", 6, 0, "", "image/gif"},
                 {"GIF89a", 6, 0, "", "image/gif"},
                 {"RIFF", 4, 8, "WEBP", "image/webp"},
                 {"RIFF", 4, 8, "WAVE", "audio/wav"},
                 {"OggS", 4, 0, "", "audio/ogg"},
                 {"fLaC", 4, 0, "", "audio/flac"},
                 {"ID3", 3, 0, "", "audio/mpeg"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t inner = strlen(kinds[i].inner);
        if (bytes.size >= kinds[i].size && bytes.size >= kinds[i].at + inner &&
            memcmp(bytes.data, kinds[i].begins, kinds[i].size) == 0 &&
            memcmp(bytes.data + kinds[i].at, kinds[i].inner, inner) == 0) {
            return kinds[i].type;
        }
    }
    return NULL;
}

static void add_base64(struct sp_mcp_out *out, struct sp_slice bytes)
{
    const size_t size = sp_base64_size(bytes.size);
    if (out->err == SNAKEPIT_OK) {
        out->err = sp_buf_reserve(out->buf, size);
    }
    if (out->err == SNAKEPIT_OK) {
        sp_base64_encode(bytes, (char *)out->buf->data + out->buf->size);
        out->buf->size += size;
    }
}

static void add_blob(struct sp_mcp_out *out, struct sp_slice bytes)
{
    const char *type = sp_mcp_media_of(bytes);
    if (type == NULL) {
        sp_mcp_add(out,
                   "{\"type\":\"resource\",\"resource\":{\"uri\":\"" RESOURCE_URI
                   "\",\"mimeType\":\"application/octet-stream\",\"blob\":\"");
        add_base64(out, bytes);
        sp_mcp_add(out, "\"}}");
        return;
    }
    sp_mcp_add(out,
               type[0] == 'i' ? "{\"type\":\"image\",\"mimeType\":\""
                              : "{\"type\":\"audio\",\"mimeType\":\"");
    sp_mcp_add(out, type);
    sp_mcp_add(out, "\",\"data\":\"");
    add_base64(out, bytes);
    sp_mcp_add(out, "\"}");
}

// ---- Values -----------------------------------------------------------------------

static void add_text(struct sp_mcp_out *out, struct sp_slice text)
{
    sp_mcp_add(out, "{\"type\":\"text\",\"text\":");
    sp_mcp_add_quoted(out, text);
    sp_mcp_add(out, "}");
}

// The JSON of a value, which was written before.
static void add_json(struct sp_mcp_out *out, const snakepit_reader *value)
{
    struct sp_buf json = {0};
    struct sp_mcp_out made = {.buf = &json, .err = out->err};
    sp_mcp_add_value(&made, value);
    out->err = made.err;
    add_text(out, (struct sp_slice){json.data, json.size});
    sp_buf_fini(&json);
}

static struct sp_slice slice_of(snakepit_span span)
{
    return (struct sp_slice){(const uint8_t *)span.data, span.size};
}

// One value, which `reader` steps over.
static void add_block(struct sp_mcp_out *out, snakepit_reader *reader)
{
    snakepit_value value;
    snakepit_reader look = *reader;
    if (snakepit_reader_next(&look, &value) != SNAKEPIT_OK) {
        out->err = out->err == SNAKEPIT_OK ? SNAKEPIT_UNSERIALISABLE : out->err;
        return;
    }
    if (value.kind == SNAKEPIT_TEXT) {
        add_text(out, slice_of(value.as.text));
    } else if (value.kind == SNAKEPIT_BYTES) {
        add_blob(out, slice_of(value.as.bytes));
    } else {
        add_json(out, reader);
    }
    (void)snakepit_reader_skip(reader);
}

void sp_mcp_add_block(struct sp_mcp_out *out, const snakepit_reader *value)
{
    snakepit_reader at = *value;
    add_block(out, &at);
}

// How many items a list has of which some are bytes; 0: it is none.
static uint32_t items_with_bytes(snakepit_reader reader)
{
    snakepit_value value;
    bool bytes = false;
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return 0;
    }
    const uint32_t count = value.as.count;
    for (uint32_t i = 0; i < count && !bytes; i++) {
        snakepit_reader look = reader;
        bytes = snakepit_reader_next(&look, &value) == SNAKEPIT_OK &&
                value.kind == SNAKEPIT_BYTES;
        if (snakepit_reader_skip(&reader) != SNAKEPIT_OK) {
            return 0;
        }
    }
    return bytes ? count : 0;
}

static void add_blocks(struct sp_mcp_out *out, const snakepit_reader *value)
{
    snakepit_value list;
    snakepit_reader at = *value;
    const uint32_t count = items_with_bytes(at);
    if (count == 0) {
        add_block(out, &at);
        return;
    }
    (void)snakepit_reader_next(&at, &list);
    for (uint32_t i = 0; i < count && out->err == SNAKEPIT_OK; i++) {
        sp_mcp_add(out, i == 0 ? "" : ",");
        add_block(out, &at);
    }
}

static bool is_bytes(snakepit_reader reader)
{
    snakepit_value value;
    return snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_BYTES;
}

void sp_mcp_add_content(struct sp_mcp_out *out,
                        const snakepit_reader *value,
                        enum sp_mcp_era era)
{
    const bool wrapped = era == SP_MCP_HANDSHAKE;
    sp_mcp_add(out, "\"content\":[");
    add_blocks(out, value);
    sp_mcp_add(out, "],");
    if (!is_bytes(*value)) {
        sp_mcp_add(out,
                   wrapped ? "\"structuredContent\":{\"result\":"
                           : "\"structuredContent\":");
        sp_mcp_add_value(out, value);
        sp_mcp_add(out, wrapped ? "}," : ",");
    }
    sp_mcp_add(out, "\"isError\":false,");
}

// ---- Failures -----------------------------------------------------------------------

void sp_mcp_add_failure(struct sp_mcp_out *out, const snakepit_fault *fault)
{
    struct sp_buf text = {0};
    const char *type = fault->type != NULL ? fault->type : "";
    const char *name = type[0] != '\0' ? type : snakepit_err_name(fault->err);
    const char *message = fault->message != NULL ? fault->message : "";
    if (out->err == SNAKEPIT_OK) {
        out->err =
            sp_buf_printf(&text,
                          "%s: %s",
                          name,
                          message[0] != '\0' ? message : snakepit_err_text(fault->err));
    }
    sp_mcp_add(out, "\"content\":[");
    add_text(out, (struct sp_slice){text.data, text.size});
    sp_mcp_add(out, "],\"isError\":true,");
    sp_buf_fini(&text);
}
