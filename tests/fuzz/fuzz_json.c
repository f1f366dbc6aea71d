// SPDX-License-Identifier: MIT
// Any text is an error or a whole value, and jansson is of the same opinion. Where it
// is a value without tensors, the JSON of that value is read back to the very same
// bytes.
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

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
    SP_CHECK(sp_json_write(&reader, &out, NULL) == SNAKEPIT_OK);
    SP_CHECK(reader.at == reader.end);
    snakepit_writer *again = snakepit_writer_new();
    SP_CHECK(again != NULL);
    snakepit_err err =
        snakepit_writer_json(again, (const char *)out.data, out.size, &why);
    SP_CHECK(err == SNAKEPIT_OK);
    SP_CHECK(again->buf.size == writer->buf.size);
    SP_CHECK(memcmp(again->buf.data, writer->buf.data, writer->buf.size) == 0);
    snakepit_writer_free(again);
    sp_buf_fini(&out);
}

// What may be wrong with a text that is JSON: the values it names, or its depth.
static bool is_ours(const char *why)
{
    static const char *const reasons[] = {
        "$", "more than 128", "over 1.8e308", "64 bits"};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strstr(why, reasons[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void compare(const uint8_t *data, size_t size, snakepit_err err, const char *why)
{
    json_error_t error;
    if (memchr(data, 0, size) != NULL) {
        return; // which jansson overlooks behind a number
    }
    json_t *root = json_loadb((const char *)data,
                              size,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL |
                                  JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
                              &error);
    enum json_error_code code = json_error_code(&error);
    if (root != NULL) {
        SP_CHECK(err == SNAKEPIT_OK || is_ours(why));
    } else {
        // jansson has no zero in a key, and takes the smallest doubles for nothing.
        SP_CHECK(err != SNAKEPIT_OK || code == json_error_null_byte_in_key ||
                 code == json_error_numeric_overflow);
    }
    json_decref(root);
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
    compare(data, size, err, why.text);
    if (err == SNAKEPIT_OK && writer->tensor_count == 0) {
        check_back(writer);
    }
    return 0;
}
