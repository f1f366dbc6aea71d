// SPDX-License-Identifier: MIT
// A Payload is an error, or a value, with tensors; without tensors it comes back the
// same from each of its forms.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "grpc/messages.h"
#include "grpc/proto_payload.h"
#include "grpc/proto_value.h"
#include "payload/reader.h"
#include "payload/writer.h"
#include "protobuf/message.h"

static bool same_real(double one, double other)
{
    return memcmp(&one, &other, sizeof one) == 0 || (one != one && other != other) ||
           one == other;
}

// Whether two values are the same, but for how a number is kept.
static bool
same_value(const snakepit_value *one, const snakepit_value *other, bool lossy)
{
    if (one->kind != other->kind) {
        return lossy; // a real that is whole, or NaN in JSON
    }
    switch (one->kind) {
    case SNAKEPIT_REAL:
        return same_real(one->as.real, other->as.real);
    case SNAKEPIT_INTEGER:
        return one->as.integer == other->as.integer;
    case SNAKEPIT_TEXT:
        // What is not UTF-8 is mended.
        return lossy || (one->as.text.size == other->as.text.size &&
                         (one->as.text.size == 0 || memcmp(one->as.text.data,
                                                           other->as.text.data,
                                                           one->as.text.size) == 0));
    case SNAKEPIT_ARRAY:
    case SNAKEPIT_MAP:
        return one->as.count == other->as.count;
    default:
        return true;
    }
}

static void
check_same(const snakepit_writer *one, const snakepit_writer *other, bool lossy)
{
    snakepit_reader a;
    snakepit_reader b;
    snakepit_value value;
    snakepit_value again;
    snakepit_reader_init(&a, one->buf.data, one->buf.size);
    snakepit_reader_init(&b, other->buf.data, other->buf.size);
    while (snakepit_reader_next(&a, &value) == SNAKEPIT_OK) {
        SP_CHECK(snakepit_reader_next(&b, &again) == SNAKEPIT_OK);
        SP_CHECK(same_value(&value, &again, lossy));
    }
    SP_CHECK(snakepit_reader_next(&b, &again) == SNAKEPIT_END);
}

static void check_form(const snakepit_writer *writer, enum sp_v1_form form)
{
    snakepit_reader reader;
    snakepit_message why;
    struct sp_v1_payload payload;
    struct sp_scratch scratch = {0};
    snakepit_writer *again = snakepit_writer_new();
    SP_CHECK(again != NULL);
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    snakepit_err err = sp_payload_write(&reader, form, &scratch, &payload, &why);
    // MALFORMED: a key twice; INVALID_ARGUMENT: a key of more "$" than anybody means.
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_UNSERIALISABLE ||
             err == SNAKEPIT_MALFORMED || err == SNAKEPIT_INVALID_ARGUMENT);
    SP_CHECK((why.text[0] == '\0') == (err == SNAKEPIT_OK));
    if (err == SNAKEPIT_OK) {
        err = sp_payload_read(&payload, false, UINT64_MAX, again, &why);
        // Keys that are equal only once they are mended, or in Python.
        SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_INVALID_ARGUMENT ||
                 err == SNAKEPIT_MALFORMED);
        // A key that is not a text becomes one, with all that it holds.
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        if (err == SNAKEPIT_OK &&
            (form == SP_V1_FORM_MSGPACK || sp_proto_has_text_keys(&reader))) {
            check_same(writer, again, form != SP_V1_FORM_MSGPACK);
        }
    }
    snakepit_writer_free(again);
    sp_scratch_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snakepit_message why;
    struct sp_v1_payload payload = {0};
    struct sp_scratch scratch = {.limit = (size_t)1 << 20};
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    const bool arguments = size != 0 && data[0] % 2 == 1;
    const struct sp_slice bytes = {data + (size != 0), size - (size != 0)};
    if (sp_proto_decode(&sp_type_v1_payload, bytes, &scratch, &payload, &why) ==
        SNAKEPIT_OK) {
        snakepit_err err =
            sp_payload_read(&payload, arguments, UINT64_MAX, writer, &why);
        SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED ||
                 err == SNAKEPIT_INVALID_ARGUMENT);
        SP_CHECK((why.text[0] == '\0') == (err == SNAKEPIT_OK));
        if (err == SNAKEPIT_OK && writer->tensor_count == 0) {
            check_form(writer, SP_V1_FORM_STRUCT);
            check_form(writer, SP_V1_FORM_JSON);
            check_form(writer, SP_V1_FORM_MSGPACK);
        }
    }
    snakepit_writer_free(writer);
    sp_scratch_fini(&scratch);
    return 0;
}
