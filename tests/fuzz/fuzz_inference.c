// SPDX-License-Identifier: MIT
// The body of an inference over HTTP, behind a line that says how much of it is JSON.
// What is read is as long as its shape says, and becomes arguments. Then the JSON as
// what a tool returned: outputs of it are written as JSON again, and as bytes.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "http/body.h"
#include "inference/outputs.h"
#include "payload/writer.h"

#define VALUES_MOST 10000u

static void check_json(struct sp_slice text)
{
    snakepit_message why;
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    SP_CHECK(snakepit_writer_json(writer, (const char *)text.data, text.size, &why) ==
             SNAKEPIT_OK);
    snakepit_writer_free(writer);
}

// An answer is a request of the same tensors, but for where their list is.
static void check_answer(const struct sp_inference_outputs *outputs,
                         const struct sp_inference_wanted *wanted)
{
    size_t head = 0;
    size_t binary = 0;
    snakepit_message why;
    struct sp_buf out = {0};
    snakepit_err err = sp_inference_write_json(wanted, outputs, &out, &head, &why);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_UNSERIALISABLE);
    for (size_t i = 0; i < outputs->count; i++) {
        SP_CHECK(sp_inference_check(&outputs->items[i].tensor, &why) == SNAKEPIT_OK);
        binary += outputs->items[i].binary ? outputs->items[i].tensor.data.size : 0;
    }
    if (err == SNAKEPIT_OK) {
        SP_CHECK(out.size == head + binary);
        check_json((struct sp_slice){out.data, head});
    }
    sp_buf_fini(&out);
}

static void check_outputs(struct sp_slice text, bool binary)
{
    snakepit_message why;
    snakepit_reader value;
    struct sp_inference_outputs outputs = {.count = 0};
    const struct sp_inference_wanted wanted = {.model = sp_slice_of_text("p.t"),
                                               .binary = binary};
    const struct sp_body body = {text, SP_MEDIA_JSON, VALUES_MOST};
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    if (sp_body_read(&body, writer, &why) == SNAKEPIT_OK) {
        snakepit_reader_init(&value, writer->buf.data, writer->buf.size);
        if (sp_inference_gather(&value, &wanted, &outputs, &why) == SNAKEPIT_OK) {
            check_answer(&outputs, &wanted);
        }
    }
    sp_inference_outputs_fini(&outputs);
    snakepit_writer_free(writer);
}

static void check_request(struct sp_slice body, size_t head)
{
    snakepit_message why = {{0}};
    struct sp_inference_request request = {.args = snakepit_writer_new()};
    struct sp_inference_wanted wanted = {.binary = false};
    SP_CHECK(request.args != NULL);
    if (sp_inference_read_json(&request, body, head, VALUES_MOST, &why) ==
        SNAKEPIT_OK) {
        for (size_t i = 0; i < request.input_count; i++) {
            SP_CHECK(sp_inference_check(&request.inputs[i], &why) == SNAKEPIT_OK);
        }
        SP_CHECK(sp_inference_want(&request, "p.t", &wanted) == SNAKEPIT_OK);
        sp_inference_write_arguments(&request);
        sp_inference_request_fini(&request);
        SP_CHECK(snakepit_writer_error(request.args) == SNAKEPIT_OK);
    }
    sp_inference_request_fini(&request);
    sp_inference_wanted_fini(&wanted);
    snakepit_writer_free(request.args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (end == NULL || end - data > 10) {
        return 0;
    }
    char line[16];
    memcpy(line, data, (size_t)(end - data));
    line[end - data] = '\0';
    const struct sp_slice body = {end + 1, size - (size_t)(end + 1 - data)};
    const size_t head = line[0] == '\0' ? body.size : strtoul(line, NULL, 10);
    check_request(body, head);
    check_outputs(body, head % 2 == 1);
    return 0;
}
