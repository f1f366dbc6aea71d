// SPDX-License-Identifier: MIT
// A body of gRPC is the same messages however it is cut; each is a request, or an
// error, and so is what it unpacks to. The first byte says how it is cut.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "grpc/fields.h"
#include "grpc/frame.h"
#include "grpc/large_tensor.h"
#include "grpc/messages.h"
#include "grpc/proto_payload.h"
#include "payload/writer.h"
#include "protobuf/message.h"

#define MOST     ((size_t)1 << 16)
#define MESSAGES 64u

// What was read, in short.
struct seen {
    enum sp_grpc_read last;
    size_t count;
    size_t bytes;
    uint64_t sum;
    bool amid;
};

static void see(struct seen *seen, const struct sp_grpc_reader *reader)
{
    const struct sp_buf *message = &reader->message.bytes;
    SP_CHECK(message->size == reader->size && message->size <= MOST);
    seen->count++;
    seen->bytes += message->size;
    for (size_t i = 0; i < message->size; i++) {
        seen->sum = seen->sum * 31 + message->data[i] + reader->compressed;
    }
}

static void
read_call(struct sp_slice message, struct sp_scratch *scratch, snakepit_writer *writer)
{
    struct sp_v1_call_request request = {.which = 0};
    snakepit_message why = {{0}};
    enum sp_v1_form form;
    snakepit_err err =
        sp_proto_decode(&sp_type_v1_call_request, message, scratch, &request, &why);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED ||
             err == SNAKEPIT_NO_MEMORY);
    if (err != SNAKEPIT_OK) {
        return;
    }
    (void)sp_payload_form(request.result_form, request.arguments, &form);
    if (request.arguments != NULL) {
        err = sp_payload_read(request.arguments, true, UINT64_MAX, writer, &why);
        SP_CHECK(err != SNAKEPIT_OK || snakepit_writer_error(writer) == SNAKEPIT_OK);
    }
}

static snakepit_err decode_call(struct sp_slice message,
                                struct sp_scratch *scratch,
                                struct sp_v1_call_request *request)
{
    snakepit_message why;
    return sp_proto_decode(&sp_type_v1_call_request, message, scratch, request, &why);
}

static size_t bytes_of_tensors(const struct sp_v1_call_request *request)
{
    size_t bytes = 0;
    const size_t count =
        request->arguments == NULL ? 0 : request->arguments->tensors.count;
    for (size_t i = 0; i < count; i++) {
        const struct sp_v1_tensor *tensor = request->arguments->tensors.items[i].value;
        bytes += tensor == NULL ? 0 : tensor->data.size;
    }
    return bytes;
}

// A request whose tensor has its bytes elsewhere means what it meant.
static void leave_out(struct sp_slice message)
{
    struct sp_large_tensor found;
    struct sp_scratch scratch = {.used = 0};
    struct sp_buf rest = {0};
    struct sp_v1_call_request sent = {.which = 0};
    struct sp_v1_call_request got = {.which = 0};
    if (!sp_large_tensor_find(&sp_large_path_call, message, message.size, 1, &found)) {
        return;
    }
    const size_t behind = found.at + found.size;
    SP_CHECK(behind <= message.size && found.size > 0);
    SP_CHECK(sp_buf_append(&rest, message.data, found.at) == SNAKEPIT_OK);
    sp_large_tensor_leave_out(&found, rest.data);
    SP_CHECK(sp_buf_append(&rest, message.data + behind, message.size - behind) ==
             SNAKEPIT_OK);
    const snakepit_err err = decode_call(message, &scratch, &sent);
    SP_CHECK(decode_call((struct sp_slice){rest.data, rest.size}, &scratch, &got) ==
             err);
    if (err == SNAKEPIT_OK) {
        sp_large_tensor_put_back(&found, rest.data, message.data + found.at, &got);
        SP_CHECK(bytes_of_tensors(&sent) == bytes_of_tensors(&got));
    }
    sp_buf_fini(&rest);
    sp_scratch_fini(&scratch);
}

static void use(struct sp_slice message)
{
    struct sp_scratch scratch = {.limit = MOST};
    struct sp_reflection_request reflection = {.which = 0};
    struct sp_v1_put_value_request put = {.which = 0};
    snakepit_message why;
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    read_call(message, &scratch, writer);
    leave_out(message);
    (void)sp_proto_decode(
        &sp_type_reflection_request, message, &scratch, &reflection, &why);
    (void)sp_proto_decode(&sp_type_v1_put_value_request, message, &scratch, &put, &why);
    snakepit_writer_free(writer);
    sp_scratch_fini(&scratch);
}

static void use_packed(struct sp_slice packed)
{
    struct sp_counted plain = {.counted = 0};
    const struct sp_buf *bytes = &plain.bytes;
    snakepit_err err = sp_grpc_gunzip(packed, MOST, NULL, &plain);
    SP_CHECK(err == SNAKEPIT_OK || bytes->size <= MOST + 1);
    if (err == SNAKEPIT_OK) {
        SP_CHECK(bytes->size <= MOST);
        use((struct sp_slice){bytes->data, bytes->size});
    }
    sp_counted_forget(&plain, NULL, 0);
}

static void use_message(const struct sp_grpc_reader *reader)
{
    const struct sp_slice message = {reader->message.bytes.data,
                                     reader->message.bytes.size};
    if (reader->compressed) {
        use_packed(message);
    } else {
        use(message);
    }
}

// `step` 0: all at once.
static struct seen read_all(struct sp_slice body, size_t step, bool uses)
{
    struct sp_grpc_reader reader = {.most = MOST};
    struct seen seen = {.last = SP_GRPC_READ_MORE};
    while (body.size > 0 && seen.last <= SP_GRPC_READ_MESSAGE) {
        struct sp_slice piece = body;
        piece.size = step > 0 && step < body.size ? step : body.size;
        body = (struct sp_slice){body.data + piece.size, body.size - piece.size};
        while (piece.size > 0 && seen.last <= SP_GRPC_READ_MESSAGE) {
            seen.last = sp_grpc_reader_take(&reader, &piece);
            if (seen.last == SP_GRPC_READ_MESSAGE) {
                see(&seen, &reader);
                if (uses && seen.count < MESSAGES) {
                    use_message(&reader);
                }
            }
        }
    }
    seen.amid = sp_grpc_reader_is_amid(&reader);
    sp_grpc_reader_fini(&reader);
    return seen;
}

static void use_fields(struct sp_slice text)
{
    struct sp_buf out = {0};
    struct sp_buf back = {0};
    uint64_t ms = 0;
    size_t taken = 0;
    (void)sp_grpc_type_of(text);
    if (sp_grpc_timeout(text, &ms)) {
        SP_CHECK(text.size <= 9);
    }
    (void)sp_grpc_decode_bin(text, &out);
    out.size = 0;
    SP_CHECK(sp_grpc_encode_bin(text, &out) == SNAKEPIT_OK);
    SP_CHECK(sp_grpc_decode_bin((struct sp_slice){out.data, out.size}, &back) ==
             SNAKEPIT_OK);
    SP_CHECK(back.size == text.size &&
             (text.size == 0 || memcmp(back.data, text.data, text.size) == 0));
    out.size = 0;
    SP_CHECK(sp_grpc_encode_message(text, 100, &out, &taken) == SNAKEPIT_OK);
    SP_CHECK(out.size <= 100 && taken <= text.size);
    sp_buf_fini(&out);
    sp_buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct sp_slice body = {data + 1, size - 1};
    const struct seen whole = read_all(body, 0, true);
    const struct seen cut = read_all(body, 1 + (size_t)data[0] % 16, false);
    SP_CHECK(whole.last == cut.last && whole.count == cut.count &&
             whole.bytes == cut.bytes && whole.sum == cut.sum &&
             whole.amid == cut.amid);
    use_fields(body);
    return 0;
}
