// SPDX-License-Identifier: MIT
// The table comes from a worker: what in it is not as it should be counts as unknown.
#include "inference/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inference/outputs.h"
#include "payload/tensor.h"

#define SHOWN      64 // bytes of a name in a sentence
#define NAME_SIZE  24u
#define DTYPE_SIZE 24u // bytes of NumPy's longest name, and more

const char *sp_inference_datatype_shown(int dtype)
{
    const char *name = sp_inference_datatype_name(dtype);
    return name == NULL ? SP_INFERENCE_UNKNOWN : name;
}

// ---- Schemas ----------------------------------------------------------------------

// The value under `key` if it is of that kind; `at` is behind its beginning.
static bool find(const snakepit_reader *map,
                 const char *key,
                 snakepit_kind kind,
                 snakepit_reader *at,
                 snakepit_value *value)
{
    return snakepit_reader_find(map, key, at) == SNAKEPIT_OK &&
           snakepit_reader_next(at, value) == SNAKEPIT_OK && value->kind == kind;
}

// The map under `key`.
static bool
find_map(const snakepit_reader *map, const char *key, snakepit_reader *found)
{
    snakepit_value value;
    snakepit_reader at;
    return find(map, key, SNAKEPIT_MAP, &at, &value) &&
           snakepit_reader_find(map, key, found) == SNAKEPIT_OK;
}

static bool is_text(const snakepit_span *text, const char *wanted)
{
    return text->size == strlen(wanted) && memcmp(text->data, wanted, text->size) == 0;
}

static bool has_type(const snakepit_reader *schema, const char *type)
{
    snakepit_reader at;
    snakepit_value value;
    return find(schema, "type", SNAKEPIT_TEXT, &at, &value) &&
           is_text(&value.as.text, type);
}

// What stands in an object under a name that begins with a dollar.
static bool
find_special(const snakepit_reader *schema, const char *pattern, snakepit_reader *found)
{
    return find_map(schema, "patternProperties", found) &&
           find_map(found, pattern, found);
}

static bool is_empty(snakepit_reader at)
{
    snakepit_value value;
    return snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_MAP && value.as.count == 0;
}

// Of elements of BYTES, of that or lists of it.
static bool read_bytes(const snakepit_reader *schema,
                       bool texts,
                       struct sp_inference_tensor *tensor)
{
    snakepit_reader found;
    snakepit_reader at = *schema;
    uint32_t rank = 0;
    while (rank < SNAKEPIT_MAX_RANK && has_type(&at, "array") &&
           find_map(&at, "items", &found)) {
        tensor->shape[rank++] = -1;
        at = found;
    }
    if (!find_special(&at, "^\\$bytes$", &found) &&
        !(texts && has_type(&at, "string"))) {
        return false;
    }
    tensor->dtype = SP_INFERENCE_BYTES;
    tensor->rank = rank;
    return true;
}

// An extent that stands in the schema; -1: it may be any.
static int64_t extent_of(snakepit_reader *at)
{
    snakepit_value value;
    snakepit_reader found;
    const bool fixed = find(at, "const", SNAKEPIT_INTEGER, &found, &value);
    (void)snakepit_reader_skip(at);
    return fixed && value.as.integer >= 0 ? value.as.integer : -1;
}

static void read_shape(const snakepit_reader *properties,
                       struct sp_inference_tensor *tensor)
{
    snakepit_reader at;
    snakepit_value value;
    tensor->rank = 1;
    tensor->shape[0] = -1;
    if (!find_map(properties, "shape", &at) ||
        !find(&at, "prefixItems", SNAKEPIT_ARRAY, &at, &value) ||
        value.as.count > SNAKEPIT_MAX_RANK) {
        return;
    }
    tensor->rank = value.as.count;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        tensor->shape[i] = extent_of(&at);
    }
}

static void read_dtype(const snakepit_reader *properties,
                       struct sp_inference_tensor *tensor)
{
    char name[DTYPE_SIZE];
    snakepit_reader at;
    snakepit_value value;
    if (find_map(properties, "dtype", &at) &&
        find(&at, "const", SNAKEPIT_TEXT, &at, &value) &&
        value.as.text.size < sizeof name) {
        memcpy(name, value.as.text.data, value.as.text.size);
        name[value.as.text.size] = '\0';
        tensor->dtype = sp_dtype_of(name);
    }
}

static bool read_array(const snakepit_reader *schema,
                       struct sp_inference_tensor *tensor)
{
    snakepit_reader found;
    if (!find_special(schema, "^\\$tensor$", &found)) {
        return false;
    }
    if (find_map(&found, "properties", &found)) {
        read_dtype(&found, tensor);
        read_shape(&found, tensor);
    }
    return true;
}

// ---- Inputs -----------------------------------------------------------------------

static bool is_required(const snakepit_reader *parameters, struct sp_slice name)
{
    snakepit_reader at;
    snakepit_value value;
    if (!find(parameters, "required", SNAKEPIT_ARRAY, &at, &value)) {
        return false;
    }
    const uint32_t count = value.as.count;
    for (uint32_t i = 0; i < count; i++) {
        if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK) {
            return false;
        }
        if (value.kind == SNAKEPIT_TEXT && value.as.text.size == name.size &&
            memcmp(value.as.text.data, name.data, name.size) == 0) {
            return true;
        }
    }
    return false;
}

static snakepit_err refuse(snakepit_message *why, const char *sentence)
{
    (void)snprintf(
        why->text, sizeof why->text, "the tool is not a model: %s", sentence);
    return SNAKEPIT_INVALID_ARGUMENT;
}

// `input` is one if its dtype or shape are set, or its parameter may be anything.
static snakepit_err read_input(const snakepit_reader *parameters,
                               const snakepit_reader *schema,
                               struct sp_inference_tensor *input,
                               bool *is_one,
                               snakepit_message *why)
{
    const bool required = is_required(parameters, input->name);
    input->rank = 1;
    input->shape[0] = -1;
    *is_one = read_array(schema, input) || read_bytes(schema, false, input) ||
              (required && is_empty(*schema));
    if (!*is_one && required) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the tool is not a model: its parameter \"%.*s\" is neither an "
                       "array nor a list of bytes, and has no default",
                       (int)(input->name.size < SHOWN ? input->name.size : SHOWN),
                       (const char *)input->name.data);
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    return SNAKEPIT_OK;
}

// The next pair of a map of schemas. False: it cannot be read.
static bool
next_pair(snakepit_reader *at, struct sp_slice *name, snakepit_reader *schema)
{
    snakepit_value key;
    if (snakepit_reader_next(at, &key) != SNAKEPIT_OK || key.kind != SNAKEPIT_TEXT) {
        return false;
    }
    *name = (struct sp_slice){(const uint8_t *)key.as.text.data, key.as.text.size};
    *schema = *at;
    return snakepit_reader_skip(at) == SNAKEPIT_OK;
}

static snakepit_err read_inputs(const snakepit_reader *tool,
                                struct sp_scratch *scratch,
                                struct sp_inference_model *model,
                                snakepit_message *why)
{
    snakepit_reader at;
    snakepit_reader schema;
    snakepit_reader parameters;
    snakepit_value value;
    bool is_one = false;
    if (!find_map(tool, "parameters", &parameters) ||
        !find(&parameters, "properties", SNAKEPIT_MAP, &at, &value)) {
        return refuse(why, "nothing is known of its parameters");
    }
    model->inputs =
        sp_scratch_take(scratch, ((size_t)value.as.count + 1) * sizeof *model->inputs);
    if (model->inputs == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (uint32_t i = 0; err == SNAKEPIT_OK && i < value.as.count; i++) {
        struct sp_inference_tensor input = {.dtype = 0};
        if (!next_pair(&at, &input.name, &schema)) {
            break;
        }
        err = read_input(&parameters, &schema, &input, &is_one, why);
        if (err == SNAKEPIT_OK && is_one) {
            model->inputs[model->input_count++] = input;
        }
    }
    return err == SNAKEPIT_OK && model->input_count == 0
               ? refuse(why, "none of its parameters is an array")
               : err;
}

// ---- Outputs ----------------------------------------------------------------------

// A number, a text, bytes, or lists of them, as sp_inference_gather() takes them.
static bool read_plain(const snakepit_reader *schema,
                       struct sp_inference_tensor *output)
{
    static const struct {
        const char *type;
        int dtype;
    } types[] = {{"boolean", SNAKEPIT_BOOL},
                 {"integer", SNAKEPIT_INT64},
                 {"number", SNAKEPIT_FLOAT64}};
    if (read_bytes(schema, true, output)) {
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (has_type(schema, types[i].type)) {
            output->dtype = types[i].dtype;
            output->rank = 0;
            return true;
        }
    }
    return false;
}

static void read_output(const snakepit_reader *schema,
                        struct sp_inference_tensor *output)
{
    output->rank = 1;
    output->shape[0] = -1;
    (void)(read_array(schema, output) || read_plain(schema, output));
}

static snakepit_err
take_outputs(struct sp_scratch *scratch, struct sp_inference_model *model, size_t count)
{
    model->outputs = sp_scratch_take(scratch, (count + 1) * sizeof *model->outputs);
    return model->outputs == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

static snakepit_err read_members(snakepit_reader at,
                                 uint32_t count,
                                 struct sp_scratch *scratch,
                                 struct sp_inference_model *model)
{
    snakepit_reader schema;
    snakepit_err err = take_outputs(scratch, model, count);
    while (err == SNAKEPIT_OK && model->output_count < count &&
           next_pair(&at, &model->outputs[model->output_count].name, &schema)) {
        read_output(&schema, &model->outputs[model->output_count++]);
    }
    return err;
}

static snakepit_err name_output(struct sp_scratch *scratch,
                                size_t index,
                                struct sp_inference_tensor *output)
{
    char *name = sp_scratch_take(scratch, NAME_SIZE);
    if (name == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (void)snprintf(name, NAME_SIZE, "output_%zu", index);
    output->name = sp_slice_of_text(name);
    return SNAKEPIT_OK;
}

static snakepit_err read_items(snakepit_reader at,
                               uint32_t count,
                               struct sp_scratch *scratch,
                               struct sp_inference_model *model)
{
    snakepit_err err = take_outputs(scratch, model, count);
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        err = name_output(scratch, i, &model->outputs[i]);
        if (err == SNAKEPIT_OK) {
            read_output(&at, &model->outputs[i]);
            model->output_count = i + 1;
            (void)snakepit_reader_skip(&at);
        }
    }
    return err;
}

static snakepit_err read_outputs(const snakepit_reader *tool,
                                 struct sp_scratch *scratch,
                                 struct sp_inference_model *model)
{
    snakepit_reader at;
    snakepit_reader result;
    snakepit_value value;
    if (!find_map(tool, "result", &result) || is_empty(result) ||
        has_type(&result, "null")) {
        return SNAKEPIT_OK;
    }
    if (find(&result, "prefixItems", SNAKEPIT_ARRAY, &at, &value)) {
        return read_items(at, value.as.count, scratch, model);
    }
    if (find(&result, "properties", SNAKEPIT_MAP, &at, &value)) {
        return read_members(at, value.as.count, scratch, model);
    }
    struct sp_inference_tensor output = {.name = sp_slice_of_text("output")};
    read_output(&result, &output);
    snakepit_reader found;
    const bool known =
        output.dtype != 0 || find_special(&result, "^\\$tensor$", &found);
    snakepit_err err = take_outputs(scratch, model, 1);
    if (err == SNAKEPIT_OK && known) {
        model->outputs[0] = output;
        model->output_count = 1;
    }
    return err;
}

snakepit_err sp_inference_model_read(const snakepit_reader *tool,
                                     struct sp_scratch *scratch,
                                     struct sp_inference_model *model,
                                     snakepit_message *why)
{
    snakepit_reader at;
    snakepit_value value;
    if (find(tool, "streams", SNAKEPIT_BOOLEAN, &at, &value) && value.as.boolean) {
        return refuse(why, "it streams");
    }
    snakepit_err err = read_inputs(tool, scratch, model, why);
    return err == SNAKEPIT_OK ? read_outputs(tool, scratch, model) : err;
}

// ---- JSON -------------------------------------------------------------------------

static snakepit_err
add_tensor(struct sp_buf *out, const struct sp_inference_tensor *tensor, bool first)
{
    snakepit_err err = sp_buf_printf(out, first ? "{\"name\":" : ",{\"name\":");
    err = err == SNAKEPIT_OK ? sp_inference_add_quoted(out, tensor->name) : err;
    if (err == SNAKEPIT_OK) {
        err = sp_buf_printf(out,
                            ",\"datatype\":\"%s\",\"shape\":[",
                            sp_inference_datatype_shown(tensor->dtype));
    }
    for (uint32_t i = 0; err == SNAKEPIT_OK && i < tensor->rank; i++) {
        err = sp_buf_printf(out, i == 0 ? "%" PRId64 : ",%" PRId64, tensor->shape[i]);
    }
    return err == SNAKEPIT_OK ? sp_buf_printf(out, "]}") : err;
}

static snakepit_err add_tensors(struct sp_buf *out,
                                const char *key,
                                const struct sp_inference_tensor *tensors,
                                size_t count)
{
    snakepit_err err = sp_buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        err = add_tensor(out, &tensors[i], i == 0);
    }
    return err == SNAKEPIT_OK ? sp_buf_printf(out, "]") : err;
}

snakepit_err sp_inference_model_write(const struct sp_inference_model *model,
                                      const char *name,
                                      struct sp_buf *out)
{
    snakepit_err err = sp_buf_printf(out, "{\"name\":");
    err =
        err == SNAKEPIT_OK ? sp_inference_add_quoted(out, sp_slice_of_text(name)) : err;
    if (err == SNAKEPIT_OK) {
        err = sp_buf_printf(out,
                            ",\"versions\":[\"" SP_INFERENCE_VERSION
                            "\"],\"platform\":\"" SP_INFERENCE_PLATFORM "\"");
    }
    err = err == SNAKEPIT_OK
              ? add_tensors(out, "inputs", model->inputs, model->input_count)
              : err;
    err = err == SNAKEPIT_OK
              ? add_tensors(out, "outputs", model->outputs, model->output_count)
              : err;
    return err == SNAKEPIT_OK ? sp_buf_printf(out, "}") : err;
}
