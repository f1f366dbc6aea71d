// SPDX-License-Identifier: MIT
// A message of MCP and the fields beside it. Whatever they are, what is read lies in
// the message, and an answer to it is JSON. The fields stand in lines before the
// message.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "http/body.h"
#include "mcp/content.h"
#include "payload/writer.h"

#define VALUES_MOST 10000u

static struct sp_slice take_line(struct sp_slice *rest)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    const size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    const struct sp_slice line = {rest->data, size};
    const size_t step = end == NULL ? size : size + 1;
    *rest = (struct sp_slice){rest->data + step, rest->size - step};
    return line;
}

static void check_json(const struct sp_mcp_out *out)
{
    snakepit_message why;
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    if (out->err == SNAKEPIT_OK) {
        SP_CHECK(snakepit_writer_json(
                     writer, (const char *)out->buf->data, out->buf->size, &why) ==
                 SNAKEPIT_OK);
    } else {
        SP_CHECK(out->err == SNAKEPIT_UNSERIALISABLE || out->err == SNAKEPIT_MALFORMED);
    }
    snakepit_writer_free(writer);
    sp_buf_fini(out->buf);
}

static void check_answers(const struct sp_mcp_message *message,
                          const struct sp_mcp_wrong *wrong,
                          enum sp_mcp_era era)
{
    struct sp_buf id = {0};
    struct sp_buf text = {0};
    struct sp_mcp_out its = {.buf = &id};
    struct sp_mcp_out out = {.buf = &text};
    if (sp_mcp_is_there(&message->id)) {
        sp_mcp_add_value(&its, &message->id);
        SP_CHECK(its.err == SNAKEPIT_OK);
    }
    const struct sp_mcp_address to = {{id.data, id.size}, era};
    if (wrong->code != 0) {
        sp_mcp_add_error(&out, &to, wrong, NULL);
        SP_CHECK(out.err == SNAKEPIT_OK);
        check_json(&out);
    } else if (sp_mcp_is_there(&message->params)) {
        sp_mcp_begin_result(&out, &to);
        sp_mcp_add_content(&out, &message->params, era);
        sp_mcp_end_result(&out, &to);
        check_json(&out);
    }
    sp_buf_fini(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_mcp_message message;
    enum sp_mcp_era era = SP_MCP_HANDSHAKE;
    snakepit_message why;
    snakepit_reader reader;
    struct sp_slice rest = {data, size};
    const struct sp_mcp_fields fields = {.wanted = true,
                                         .version = take_line(&rest),
                                         .method = take_line(&rest),
                                         .name = take_line(&rest)};
    const struct sp_body body = {rest, SP_MEDIA_JSON, VALUES_MOST};
    snakepit_writer *value = snakepit_writer_new();
    SP_CHECK(value != NULL);
    if (sp_body_read(&body, value, &why) == SNAKEPIT_OK) {
        snakepit_reader_init(&reader, value->buf.data, value->buf.size);
        struct sp_mcp_wrong wrong = sp_mcp_message_read(&reader, &message);
        if (wrong.code == 0) {
            wrong = sp_mcp_era_of(&message, &fields, &era);
        }
        check_answers(&message, &wrong, era);
    }
    snakepit_writer_free(value);
    return 0;
}
