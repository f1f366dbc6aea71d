// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inference/outputs.h"
#include "payload/pairs.h"
#include "payload/real.h"
#include "protobuf/utf8.h"

#define NUMBER_ROOM 64u // bytes of one, and of what is between two

static snakepit_err add(struct sp_buf *out, const char *text)
{
    return sp_buf_append(out, text, strlen(text));
}

snakepit_err sp_inference_add_quoted(struct sp_buf *out, struct sp_slice text)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_strn(
        writer, text.data == NULL ? "" : (const char *)text.data, text.size);
    snakepit_err err = sp_writer_to_json(writer, out);
    snakepit_writer_free(writer);
    return err;
}

// ---- Elements ---------------------------------------------------------------------

static char *put_text(char *out, const char *text)
{
    return stpcpy(out, text);
}

static char *put_real(int dtype, const uint8_t *at, char *out)
{
    float low;
    double value;
    if (dtype == SNAKEPIT_FLOAT32) {
        memcpy(&low, at, sizeof low);
        value = (double)low;
    } else {
        memcpy(&value, at, sizeof value);
    }
    return isfinite(value) ? sp_real_write(value, out) : put_text(out, "null");
}

static char *put_integer(int dtype, const uint8_t *at, size_t size, char *out)
{
    uint64_t value = 0;
    memcpy(&value, at, size);
    const bool is_signed = dtype >= SNAKEPIT_INT8 && dtype <= SNAKEPIT_INT64;
    const unsigned above = 64 - 8 * (unsigned)size;
    const int used =
        is_signed
            ? snprintf(out, NUMBER_ROOM, "%" PRId64, (int64_t)(value << above) >> above)
            : snprintf(out, NUMBER_ROOM, "%" PRIu64, value);
    return out + used;
}

static char *put_element(int dtype, const uint8_t *at, size_t size, char *out)
{
    switch (dtype) {
    case SNAKEPIT_BOOL:
        return put_text(out, *at != 0 ? "true" : "false");
    case SNAKEPIT_FLOAT32:
    case SNAKEPIT_FLOAT64:
        return put_real(dtype, at, out);
    default:
        return put_integer(dtype, at, size, out);
    }
}

static snakepit_err add_numbers(struct sp_buf *out,
                                const struct sp_inference_tensor *output)
{
    const size_t size = snakepit_dtype_size((snakepit_dtype)output->dtype);
    for (size_t i = 0; i < output->data.size; i += size) {
        if (sp_buf_reserve(out, NUMBER_ROOM) != SNAKEPIT_OK) {
            return SNAKEPIT_NO_MEMORY;
        }
        char *at = (char *)out->data + out->size;
        char *end = i == 0 ? at : put_text(at, ",");
        end = put_element(output->dtype, output->data.data + i, size, end);
        out->size += (size_t)(end - at);
    }
    return SNAKEPIT_OK;
}

static snakepit_err refuse(const struct sp_inference_tensor *output,
                           const char *what,
                           snakepit_message *why)
{
    (void)sp_inference_refuse(
        why,
        "output",
        output->name,
        "%s has no form in JSON; ask for it with the parameter binary_data",
        what);
    return SNAKEPIT_UNSERIALISABLE;
}

static snakepit_err add_texts(struct sp_buf *out,
                              const struct sp_inference_tensor *output,
                              snakepit_message *why)
{
    struct sp_slice element;
    struct sp_slice left = output->data;
    bool first = true;
    snakepit_err err = SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && sp_inference_next_element(&left, &element)) {
        if (!sp_utf8_is_valid(element)) {
            return refuse(output, "what is not UTF-8", why);
        }
        err = first ? SNAKEPIT_OK : add(out, ",");
        err = err == SNAKEPIT_OK ? sp_inference_add_quoted(out, element) : err;
        first = false;
    }
    return err;
}

static snakepit_err add_data(struct sp_buf *out,
                             const struct sp_inference_tensor *output,
                             snakepit_message *why)
{
    if (output->dtype == SNAKEPIT_FLOAT16 || output->dtype == SNAKEPIT_BFLOAT16) {
        return refuse(output, sp_inference_datatype_name(output->dtype), why);
    }
    snakepit_err err = add(out, ",\"data\":[");
    if (err == SNAKEPIT_OK) {
        err = output->dtype == SP_INFERENCE_BYTES ? add_texts(out, output, why)
                                                  : add_numbers(out, output);
    }
    return err == SNAKEPIT_OK ? add(out, "]") : err;
}

// ---- Outputs ----------------------------------------------------------------------

static snakepit_err add_output(struct sp_buf *out,
                               const struct sp_inference_output *output,
                               snakepit_message *why)
{
    const struct sp_inference_tensor *tensor = &output->tensor;
    snakepit_err err = add(out, "{\"name\":");
    err = err == SNAKEPIT_OK ? sp_inference_add_quoted(out, tensor->name) : err;
    if (err == SNAKEPIT_OK) {
        err = sp_buf_printf(out,
                            ",\"datatype\":\"%s\",\"shape\":[",
                            sp_inference_datatype_name(tensor->dtype));
    }
    for (uint32_t i = 0; err == SNAKEPIT_OK && i < tensor->rank; i++) {
        err = sp_buf_printf(out, i == 0 ? "%" PRId64 : ",%" PRId64, tensor->shape[i]);
    }
    err = err == SNAKEPIT_OK ? add(out, "]") : err;
    if (err == SNAKEPIT_OK) {
        err = output->binary
                  ? sp_buf_printf(out,
                                  ",\"parameters\":{\"binary_data_size\":%zu}",
                                  tensor->data.size)
                  : add_data(out, tensor, why);
    }
    return err == SNAKEPIT_OK ? add(out, "}") : err;
}

static snakepit_err add_head(struct sp_buf *out,
                             const struct sp_inference_wanted *wanted)
{
    snakepit_err err = add(out, "{\"model_name\":");
    err = err == SNAKEPIT_OK ? sp_inference_add_quoted(out, wanted->model) : err;
    err = err == SNAKEPIT_OK ? add(out, ",\"model_version\":\"1\"") : err;
    if (err == SNAKEPIT_OK && wanted->id.size > 0) {
        err = add(out, ",\"id\":");
        err = err == SNAKEPIT_OK ? sp_inference_add_quoted(out, wanted->id) : err;
    }
    return err == SNAKEPIT_OK ? add(out, ",\"outputs\":[") : err;
}

bool sp_inference_has_binary(const struct sp_inference_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->items[i].binary) {
            return true;
        }
    }
    return false;
}

static snakepit_err add_binary(struct sp_buf *out,
                               const struct sp_inference_outputs *outputs)
{
    size_t size = 0;
    for (size_t i = 0; i < outputs->count; i++) {
        size += outputs->items[i].binary ? outputs->items[i].tensor.data.size : 0;
    }
    snakepit_err err = sp_buf_reserve(out, size);
    for (size_t i = 0; err == SNAKEPIT_OK && i < outputs->count; i++) {
        const struct sp_slice data = outputs->items[i].tensor.data;
        if (outputs->items[i].binary && data.size > 0) {
            err = sp_buf_append(out, data.data, data.size);
        }
    }
    return err;
}

snakepit_err sp_inference_write_json(const struct sp_inference_wanted *wanted,
                                     const struct sp_inference_outputs *outputs,
                                     struct sp_buf *out,
                                     size_t *head,
                                     snakepit_message *why)
{
    const size_t before = out->size;
    snakepit_err err = add_head(out, wanted);
    for (size_t i = 0; err == SNAKEPIT_OK && i < outputs->count; i++) {
        err = i == 0 ? SNAKEPIT_OK : add(out, ",");
        err = err == SNAKEPIT_OK ? add_output(out, &outputs->items[i], why) : err;
    }
    err = err == SNAKEPIT_OK ? add(out, "]}") : err;
    *head = out->size - before;
    return err == SNAKEPIT_OK ? add_binary(out, outputs) : err;
}
