// SPDX-License-Identifier: MIT
// A body of MessagePack is an error, or a value; a value without tensors crosses to
// the client and back as the very same bytes.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "http/body.h"
#include "payload/writer.h"

static void check_back(const snakepit_writer *writer)
{
    struct sp_buf room = {0};
    struct sp_slice bytes;
    snakepit_reader reader;
    snakepit_message why;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    snakepit_err err = sp_body_msgpack(&reader, &room, &bytes);
    // A key of more "$" than anybody means.
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_INVALID_ARGUMENT);
    snakepit_writer *again = snakepit_writer_new();
    SP_CHECK(again != NULL);
    const struct sp_body body = {bytes, SP_MEDIA_MSGPACK, .most_values = UINT64_MAX};
    if (err == SNAKEPIT_OK && sp_body_read(&body, again, &why) == SNAKEPIT_OK) {
        snakepit_reader one;
        snakepit_reader other;
        snakepit_value value;
        snakepit_reader_init(&one, writer->buf.data, writer->buf.size);
        snakepit_reader_init(&other, again->buf.data, again->buf.size);
        while (snakepit_reader_next(&one, &value) == SNAKEPIT_OK) {
            const snakepit_kind kind = value.kind;
            SP_CHECK(snakepit_reader_next(&other, &value) == SNAKEPIT_OK);
            SP_CHECK(value.kind == kind);
        }
        SP_CHECK(snakepit_reader_next(&other, &value) == SNAKEPIT_END);
    }
    snakepit_writer_free(again);
    sp_buf_fini(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snakepit_message why;
    const struct sp_body body = {
        .bytes = {data, size}, .media = SP_MEDIA_MSGPACK, .most_values = 1000};
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    snakepit_err err = sp_body_read(&body, writer, &why);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED ||
             err == SNAKEPIT_INVALID_ARGUMENT);
    if (err == SNAKEPIT_OK && writer->tensor_count == 0) {
        check_back(writer);
    }
    snakepit_writer_free(writer);
    return 0;
}
