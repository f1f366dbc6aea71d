// SPDX-License-Identifier: MIT
// Any text is an error or a whole value. Where it is a value without tensors, the JSON
// of that value is read back to the very same bytes.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "payload/json.h"
#include "payload/writer.h"

static void check_back(const snakepit_writer *writer)
{
    struct sp_buf out = {0};
    snakepit_reader reader;
    snakepit_message why;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    SP_CHECK(sp_json_write(&reader, &out) == SNAKEPIT_OK);
    SP_CHECK(reader.at == reader.end);
    snakepit_writer *again = snakepit_writer_new();
    SP_CHECK(again != NULL);
    snakepit_err err =
        snakepit_writer_json(again, (const char *)out.data, out.size, &why);
    // What jansson reads of a denormal, it may refuse as an underflow the second time.
    if (err == SNAKEPIT_OK) {
        SP_CHECK(again->buf.size == writer->buf.size);
        SP_CHECK(memcmp(again->buf.data, writer->buf.data, writer->buf.size) == 0);
    } else {
        SP_CHECK(strstr(why.text, "real number") != NULL);
    }
    snakepit_writer_free(again);
    sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // Kept, as callers keep theirs: nothing of one text may show in the next.
    static snakepit_writer *writer;
    snakepit_message why;
    writer = writer != NULL ? writer : snakepit_writer_new();
    SP_CHECK(writer != NULL);
    snakepit_writer_reset(writer);
    snakepit_err err = snakepit_writer_json(writer, (const char *)data, size, &why);
    SP_CHECK(snakepit_writer_error(writer) == err);
    SP_CHECK((why.text[0] == '\0') == (err == SNAKEPIT_OK));
    if (err == SNAKEPIT_OK && writer->tensor_count == 0) {
        check_back(writer);
    }
    return 0;
}
