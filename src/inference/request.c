// SPDX-License-Identifier: MIT
#include "inference/request.h"

#include <stdio.h>
#include <string.h>

bool sp_inference_is_text(struct sp_slice value, const char *text)
{
    return value.size == strlen(text) &&
           (value.size == 0 || memcmp(value.data, text, value.size) == 0);
}

void sp_inference_request_fini(struct sp_inference_request *request)
{
    sp_scratch_fini(&request->scratch);
    snakepit_writer_free(request->head);
    request->head = NULL;
}

static snakepit_err refuse_count(snakepit_message *why, const char *what, size_t count)
{
    (void)snprintf(why->text,
                   sizeof why->text,
                   "there are %zu %s, and there may be %u",
                   count,
                   what,
                   SP_INFERENCE_TENSORS_MOST);
    return SNAKEPIT_INVALID_ARGUMENT;
}

snakepit_err sp_inference_request_begin(struct sp_inference_request *request,
                                        size_t inputs,
                                        size_t outputs,
                                        snakepit_message *why)
{
    if (inputs > SP_INFERENCE_TENSORS_MOST) {
        return refuse_count(why, "inputs", inputs);
    }
    if (outputs > SP_INFERENCE_TENSORS_MOST) {
        return refuse_count(why, "outputs", outputs);
    }
    request->inputs =
        sp_scratch_take(&request->scratch, (inputs + 1) * sizeof *request->inputs);
    request->outputs =
        sp_scratch_take(&request->scratch, (outputs + 1) * sizeof *request->outputs);
    return request->inputs == NULL || request->outputs == NULL ? SNAKEPIT_NO_MEMORY
                                                               : SNAKEPIT_OK;
}

// ---- Parameters -------------------------------------------------------------------

static snakepit_err
refuse_parameter(snakepit_message *why, const char *name, const char *wanted)
{
    (void)snprintf(
        why->text, sizeof why->text, "the parameter \"%s\" %s", name, wanted);
    return SNAKEPIT_INVALID_ARGUMENT;
}

// A number that is not negative.
static bool take_number(const snakepit_value *value, uint64_t *number)
{
    if (value->kind == SNAKEPIT_UNSIGNED) {
        *number = value->as.unsigned_integer;
        return true;
    }
    *number = (uint64_t)value->as.integer;
    return value->kind == SNAKEPIT_INTEGER && value->as.integer >= 0;
}

static bool asks_for_a_sequence(struct sp_slice name)
{
    return sp_inference_is_text(name, "sequence_id") ||
           sp_inference_is_text(name, "sequence_start") ||
           sp_inference_is_text(name, "sequence_end");
}

static snakepit_err take_session(struct sp_inference_request *request,
                                 const snakepit_value *value,
                                 snakepit_message *why)
{
    if (value->kind != SNAKEPIT_TEXT) {
        return refuse_parameter(why, "session", "is a text, the name of a session");
    }
    request->settings.session =
        (struct sp_slice){(const uint8_t *)value->as.text.data, value->as.text.size};
    return SNAKEPIT_OK;
}

snakepit_err sp_inference_take_parameter(struct sp_inference_request *request,
                                         struct sp_slice name,
                                         const snakepit_value *value,
                                         snakepit_message *why)
{
    struct sp_inference_settings *settings = &request->settings;
    if (sp_inference_is_text(name, "timeout")) {
        return take_number(value, &settings->timeout_us)
                   ? SNAKEPIT_OK
                   : refuse_parameter(
                         why, "timeout", "is a number of microseconds, 0 or more");
    }
    if (sp_inference_is_text(name, "priority")) {
        settings->has_priority = take_number(value, &settings->priority);
        return settings->has_priority
                   ? SNAKEPIT_OK
                   : refuse_parameter(why, "priority", "is a number of 0 to 7");
    }
    if (sp_inference_is_text(name, "session")) {
        return take_session(request, value, why);
    }
    if (sp_inference_is_text(name, "binary_data_output")) {
        request->binary = value->kind == SNAKEPIT_BOOLEAN && value->as.boolean;
        return value->kind == SNAKEPIT_BOOLEAN
                   ? SNAKEPIT_OK
                   : refuse_parameter(why, "binary_data_output", "is true or false");
    }
    return asks_for_a_sequence(name)
               ? refuse_parameter(why,
                                  "sequence_id",
                                  "and its like are not served here: the parameter "
                                  "\"session\" names a session")
               : SNAKEPIT_OK;
}

snakepit_err sp_inference_take_tensor_parameter(const char *kind,
                                                struct sp_slice tensor,
                                                struct sp_slice name,
                                                snakepit_message *why)
{
    if (name.size >= 13 && memcmp(name.data, "shared_memory", 13) == 0) {
        return sp_inference_refuse(why,
                                   kind,
                                   tensor,
                                   "shared memory by name is not served here; send "
                                   "the data in the request");
    }
    return sp_inference_is_text(name, "classification")
               ? sp_inference_refuse(
                     why, kind, tensor, "classification is not served here")
               : SNAKEPIT_OK;
}

// ---- Whole ----------------------------------------------------------------------

static bool stands_before(const struct sp_inference_request *request, size_t index)
{
    const struct sp_slice name = request->inputs[index].name;
    for (size_t i = 0; i < index; i++) {
        if (request->inputs[i].name.size == name.size &&
            memcmp(request->inputs[i].name.data, name.data, name.size) == 0) {
            return true;
        }
    }
    return false;
}

snakepit_err sp_inference_request_check(const struct sp_inference_request *request,
                                        snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < request->input_count; i++) {
        const struct sp_inference_tensor *input = &request->inputs[i];
        if (input->name.size == 0) {
            (void)snprintf(why->text, sizeof why->text, "inputs[%zu] has no name", i);
            return SNAKEPIT_INVALID_ARGUMENT;
        }
        err = stands_before(request, i)
                  ? sp_inference_refuse(
                        why, "input", input->name, "there are two of that name")
                  : sp_inference_check(input, why);
    }
    return err;
}
