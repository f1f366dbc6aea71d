// SPDX-License-Identifier: MIT
// Bytes are an error, or a message, whichever of the types of the gRPC door the first
// byte names; what is written of it is read as the same, in parts or in one piece.
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "fuzz.h"
#include "grpc/messages.h"
#include "protobuf/message.h"

#define MEMORY_MAX ((size_t)1 << 20)

static const struct sp_proto_type *choose(uint8_t number)
{
    size_t count = 0;
    while (sp_file_v1.set->types[count] != NULL) {
        count++;
    }
    return sp_file_v1.set->types[number % count];
}

// NULL: it was refused.
static void *decode(const struct sp_proto_type *type,
                    struct sp_slice bytes,
                    struct sp_scratch *scratch)
{
    snakepit_message why;
    void *message = sp_alloc(type->size);
    SP_CHECK(message != NULL);
    snakepit_err err = sp_proto_decode(type, bytes, scratch, message, &why);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED ||
             err == SNAKEPIT_NO_MEMORY);
    SP_CHECK((why.text[0] == '\0') == (err == SNAKEPIT_OK));
    SP_CHECK(scratch->used <= MEMORY_MAX + 16);
    if (err != SNAKEPIT_OK) {
        sp_free(message);
        return NULL;
    }
    return message;
}

static void
check_parts(const struct sp_proto_type *type, const void *message, struct sp_slice flat)
{
    struct sp_proto_out out = {0};
    struct sp_slice part;
    size_t at = 0;
    SP_CHECK(sp_proto_encode(type, message, &out) == SNAKEPIT_OK);
    SP_CHECK(sp_proto_out_size(&out) == flat.size);
    for (size_t i = 0; sp_proto_out_part(&out, i, &part); i++) {
        SP_CHECK(part.size <= flat.size - at);
        SP_CHECK(part.size == 0 || memcmp(part.data, flat.data + at, part.size) == 0);
        at += part.size;
    }
    SP_CHECK(at == flat.size);
    sp_proto_out_fini(&out);
}

static void check_again(const struct sp_proto_type *type, const void *message)
{
    struct sp_buf flat = {0};
    struct sp_buf again = {0};
    struct sp_scratch scratch = {0};
    SP_CHECK(sp_proto_encode_flat(type, message, &flat) == SNAKEPIT_OK);
    const struct sp_slice bytes = {flat.data, flat.size};
    check_parts(type, message, bytes);
    void *second = decode(type, bytes, &scratch);
    SP_CHECK(second != NULL);
    SP_CHECK(sp_proto_encode_flat(type, second, &again) == SNAKEPIT_OK);
    SP_CHECK(again.size == flat.size &&
             (flat.size == 0 || memcmp(again.data, flat.data, flat.size) == 0));
    sp_free(second);
    sp_scratch_fini(&scratch);
    sp_buf_fini(&flat);
    sp_buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_scratch scratch = {.limit = MEMORY_MAX};
    if (size == 0) {
        return 0;
    }
    const struct sp_proto_type *type = choose(data[0]);
    void *message = decode(type, (struct sp_slice){data + 1, size - 1}, &scratch);
    if (message != NULL) {
        check_again(type, message);
        sp_free(message);
    }
    sp_scratch_fini(&scratch);
    return 0;
}
