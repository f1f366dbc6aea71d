// SPDX-License-Identifier: MIT
// A ModelInferRequest. What is read of it is as long as its shape says, and becomes
// arguments; a large tensor of it can be taken out and put back.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "grpc/large_tensor.h"
#include "protobuf/message.h"
#include "services/inference.h"

#define SCRATCH_MOST ((size_t)1 << 20)

static void check_read(const struct sp_oip_request *message)
{
    snakepit_message why = {{0}};
    struct sp_inference_request request = {.args = snakepit_writer_new()};
    SP_CHECK(request.args != NULL);
    snakepit_err err = sp_inference_read_message(message, &request, &why);
    if (err == SNAKEPIT_OK) {
        for (size_t i = 0; i < request.input_count; i++) {
            SP_CHECK(sp_inference_check(&request.inputs[i], &why) == SNAKEPIT_OK);
        }
        sp_inference_write_arguments(&request);
        // Names of inputs need not be UTF-8 for nobody but protobuf, which has looked.
        SP_CHECK(snakepit_writer_error(request.args) == SNAKEPIT_OK);
    } else {
        SP_CHECK(err == SNAKEPIT_INVALID_ARGUMENT && why.text[0] != '\0');
    }
    sp_inference_request_fini(&request);
    snakepit_writer_free(request.args);
}

static void check_large(struct sp_slice bytes)
{
    snakepit_message why;
    struct sp_buf rest = {0};
    struct sp_large_tensor found;
    struct sp_scratch scratch = {.limit = SCRATCH_MOST};
    struct sp_oip_request message = {.which = 0};
    if (!sp_large_tensor_find(&sp_large_path_infer, bytes, bytes.size, 1, &found)) {
        return;
    }
    const uint8_t *tensor = bytes.data + found.at;
    const uint8_t *behind = tensor + found.size;
    SP_CHECK(sp_buf_append(&rest, bytes.data, found.at) == SNAKEPIT_OK);
    SP_CHECK(sp_buf_append(&rest, behind, (size_t)(bytes.data + bytes.size - behind)) ==
             SNAKEPIT_OK);
    sp_large_tensor_leave_out(&found, rest.data);
    const struct sp_slice left = {rest.data, rest.size};
    if (sp_proto_decode(&sp_type_oip_request, left, &scratch, &message, &why) ==
        SNAKEPIT_OK) {
        sp_large_tensor_put_back_raw(&found, rest.data, tensor, &message);
        bool back = false;
        for (size_t i = 0; i < message.raw_input_contents.count; i++) {
            const struct sp_slice raw = message.raw_input_contents.items[i];
            back = back || (raw.data == tensor && raw.size == found.size);
        }
        SP_CHECK(back);
        check_read(&message);
    }
    sp_scratch_fini(&scratch);
    sp_buf_fini(&rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snakepit_message why;
    const struct sp_slice bytes = {data, size};
    struct sp_scratch scratch = {.limit = SCRATCH_MOST};
    struct sp_oip_request message = {.which = 0};
    if (sp_proto_decode(&sp_type_oip_request, bytes, &scratch, &message, &why) ==
        SNAKEPIT_OK) {
        check_read(&message);
    }
    sp_scratch_fini(&scratch);
    check_large(bytes);
    return 0;
}
