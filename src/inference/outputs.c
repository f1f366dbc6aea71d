// SPDX-License-Identifier: MIT
// A result comes from a worker, whose bytes were checked when they were taken; what
// they say is judged here. Lists are looked through before there is room for their
// elements.
#include "inference/outputs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 24u // "output_1023"
#define SHOWN     300 // bytes of names in a sentence

void sp_inference_outputs_fini(struct sp_inference_outputs *outputs)
{
    sp_scratch_fini(&outputs->scratch);
    *outputs = (struct sp_inference_outputs){.count = 0};
}

static snakepit_err refuse(const struct sp_inference_tensor *output,
                           const char *what,
                           snakepit_message *why)
{
    (void)sp_inference_refuse(why, "output", output->name, "%s", what);
    return SNAKEPIT_UNSERIALISABLE;
}

// ---- Lists --------------------------------------------------------------------------

// What elements can be of. A list is of the widest that its elements are of.
enum kind {
    KIND_NONE = 0, // it has no elements
    KIND_BOOLEAN,
    KIND_INTEGER,
    KIND_UNSIGNED, // integers, some of them over INT64_MAX
    KIND_REAL,
    KIND_BYTES,
    KIND_WRONG,
};

static enum kind kind_of(const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_BOOLEAN:
        return KIND_BOOLEAN;
    case SNAKEPIT_INTEGER:
        return KIND_INTEGER;
    case SNAKEPIT_UNSIGNED:
        return KIND_UNSIGNED;
    case SNAKEPIT_REAL:
        return KIND_REAL;
    case SNAKEPIT_TEXT:
    case SNAKEPIT_BYTES:
        return KIND_BYTES;
    default:
        return KIND_WRONG;
    }
}

static bool is_number(enum kind kind)
{
    return kind >= KIND_INTEGER && kind <= KIND_REAL;
}

static enum kind widest(enum kind one, enum kind other)
{
    if (one == other || other == KIND_NONE) {
        return one;
    }
    if (one == KIND_NONE) {
        return other;
    }
    if (!is_number(one) || !is_number(other)) {
        return KIND_WRONG;
    }
    return one > other ? one : other;
}

// What is known of a list while it is walked.
struct walk {
    snakepit_reader at;
    struct sp_inference_tensor *output;
    enum kind kind;
    bool negative; // one of the integers is
    size_t bytes;  // of the elements, as those of BYTES
    size_t count;
    const char *wrong;
};

// The shape, by the first item of each list.
static snakepit_err find_shape(snakepit_reader at, struct sp_inference_tensor *output)
{
    snakepit_value value;
    while (snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_ARRAY) {
        if (output->rank == SNAKEPIT_MAX_RANK) {
            return SNAKEPIT_UNSERIALISABLE;
        }
        output->shape[output->rank++] = value.as.count;
        if (value.as.count == 0) {
            break;
        }
    }
    return SNAKEPIT_OK;
}

static void look_at(struct walk *walk, const snakepit_value *value)
{
    walk->kind = widest(walk->kind, kind_of(value));
    walk->negative =
        walk->negative || (value->kind == SNAKEPIT_INTEGER && value->as.integer < 0);
    walk->count++;
    walk->bytes += SP_INFERENCE_LENGTH_SIZE;
    if (kind_of(value) == KIND_BYTES) {
        walk->bytes += value->as.text.size;
    }
}

// Looks at a value at that depth. Each list is as long as the first one there.
static bool walk_value(struct walk *walk, uint32_t level)
{
    snakepit_value value;
    if (snakepit_reader_next(&walk->at, &value) != SNAKEPIT_OK) {
        walk->wrong = "it cannot be read";
        return false;
    }
    const bool list = value.kind == SNAKEPIT_ARRAY;
    if (list != (level < walk->output->rank) ||
        (list && value.as.count != walk->output->shape[level])) {
        walk->wrong = "its lists are not all of one length";
        return false;
    }
    if (!list) {
        look_at(walk, &value);
        return true;
    }
    bool fine = true;
    for (uint32_t i = 0; fine && i < value.as.count; i++) {
        fine = walk_value(walk, level + 1);
    }
    return fine;
}

static uint8_t *put(uint8_t *out, uint64_t number, size_t size)
{
    memcpy(out, &number, size);
    return out + size;
}

static uint8_t *put_real(uint8_t *out, const snakepit_value *value)
{
    double number = value->as.real;
    if (value->kind == SNAKEPIT_INTEGER) {
        number = (double)value->as.integer;
    } else if (value->kind == SNAKEPIT_UNSIGNED) {
        number = (double)value->as.unsigned_integer;
    }
    memcpy(out, &number, sizeof number);
    return out + sizeof number;
}

static uint8_t *put_bytes(uint8_t *out, snakepit_span bytes)
{
    out = put(out, bytes.size, SP_INFERENCE_LENGTH_SIZE);
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    return out + bytes.size;
}

static uint8_t *put_element(uint8_t *out, enum kind kind, const snakepit_value *value)
{
    switch (kind) {
    case KIND_BOOLEAN:
        return put(out, value->as.boolean ? 1 : 0, 1);
    case KIND_REAL:
        return put_real(out, value);
    case KIND_BYTES:
        return put_bytes(out, value->as.text);
    default:
        return put(out, value->as.unsigned_integer, sizeof(uint64_t));
    }
}

static int dtype_of(enum kind kind)
{
    switch (kind) {
    case KIND_BOOLEAN:
        return SNAKEPIT_BOOL;
    case KIND_INTEGER:
        return SNAKEPIT_INT64;
    case KIND_UNSIGNED:
        return SNAKEPIT_UINT64;
    case KIND_BYTES:
        return SP_INFERENCE_BYTES;
    default: // a list without elements, too, as NumPy has it
        return SNAKEPIT_FLOAT64;
    }
}

static snakepit_err
fill(snakepit_reader at, const struct walk *walk, struct sp_scratch *scratch)
{
    snakepit_value value;
    struct sp_inference_tensor *output = walk->output;
    const size_t size =
        output->dtype == SP_INFERENCE_BYTES
            ? walk->bytes
            : walk->count * snakepit_dtype_size((snakepit_dtype)output->dtype);
    uint8_t *out = sp_scratch_take(scratch, size + 1);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    output->data = (struct sp_slice){out, size};
    for (size_t filled = 0; filled < walk->count;) {
        if (snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
            value.kind != SNAKEPIT_ARRAY) {
            out = put_element(out, walk->kind, &value);
            filled++;
        }
    }
    return SNAKEPIT_OK;
}

// A number, a text, bytes, or a list of them.
static snakepit_err read_list(const snakepit_reader *value,
                              struct sp_scratch *scratch,
                              struct sp_inference_tensor *output,
                              snakepit_message *why)
{
    struct walk walk = {.at = *value, .output = output};
    if (find_shape(*value, output) != SNAKEPIT_OK) {
        return refuse(output, "it has more than 8 dimensions", why);
    }
    if (!walk_value(&walk, 0)) {
        return refuse(output, walk.wrong, why);
    }
    if (walk.kind == KIND_WRONG || (walk.kind == KIND_UNSIGNED && walk.negative)) {
        return refuse(output,
                      "it is neither an array of numbers nor a list of numbers, of "
                      "texts or of bytes",
                      why);
    }
    output->dtype = dtype_of(walk.kind);
    return fill(*value, &walk, scratch);
}

// ---- One output -----------------------------------------------------------------

static snakepit_err read_tensor(const snakepit_tensor *tensor,
                                struct sp_inference_tensor *output,
                                snakepit_message *why)
{
    size_t bytes = 0;
    if (sp_inference_datatype_name((int)tensor->dtype) == NULL ||
        snakepit_tensor_bytes(tensor, &bytes) != SNAKEPIT_OK) {
        const char *name = snakepit_dtype_name(tensor->dtype);
        (void)sp_inference_refuse(why,
                                  "output",
                                  output->name,
                                  "the protocol has no elements of %s",
                                  name == NULL ? "this kind" : name);
        return SNAKEPIT_UNSERIALISABLE;
    }
    output->dtype = (int)tensor->dtype;
    output->rank = tensor->rank;
    memcpy(output->shape, tensor->shape, sizeof output->shape);
    output->data = (struct sp_slice){tensor->data, bytes};
    return SNAKEPIT_OK;
}

// The value that comes next.
static snakepit_err read_output(snakepit_reader *at,
                                struct sp_scratch *scratch,
                                struct sp_inference_tensor *output,
                                snakepit_message *why)
{
    snakepit_value value;
    snakepit_reader peek = *at;
    if (snakepit_reader_next(&peek, &value) != SNAKEPIT_OK) {
        return refuse(output, "it cannot be read", why);
    }
    snakepit_err err = value.kind == SNAKEPIT_TENSOR
                           ? read_tensor(&value.as.tensor, output, why)
                           : read_list(at, scratch, output, why);
    return err == SNAKEPIT_OK ? snakepit_reader_skip(at) : err;
}

// ---- All of them ------------------------------------------------------------------

// Whether one of the items that come next is a tensor.
static bool has_tensor(snakepit_reader at, uint32_t count)
{
    snakepit_value value;
    for (uint32_t i = 0; i < count; i++) {
        snakepit_reader peek = at;
        if (snakepit_reader_next(&peek, &value) != SNAKEPIT_OK ||
            snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return false;
        }
        if (value.kind == SNAKEPIT_TENSOR) {
            return true;
        }
    }
    return false;
}

static snakepit_err
take_room(struct sp_inference_outputs *outputs, size_t count, snakepit_message *why)
{
    if (count > SP_INFERENCE_TENSORS_MOST) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the tool returned %zu outputs, and there may be %u",
                       count,
                       SP_INFERENCE_TENSORS_MOST);
        return SNAKEPIT_UNSERIALISABLE;
    }
    outputs->items =
        sp_scratch_take(&outputs->scratch, (count + 1) * sizeof *outputs->items);
    outputs->count = count;
    return outputs->items == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

// "output" of one that stands alone, "output_0" and so on of several.
static snakepit_err name_output(struct sp_inference_outputs *outputs, size_t index)
{
    const bool alone = outputs->count == 1 && index == SIZE_MAX;
    char *name = sp_scratch_take(&outputs->scratch, NAME_SIZE);
    if (name == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (void)snprintf(name, NAME_SIZE, alone ? "output" : "output_%zu", index);
    outputs->items[alone ? 0 : index].tensor.name = sp_slice_of_text(name);
    return SNAKEPIT_OK;
}

static snakepit_err read_map(snakepit_reader at,
                             struct sp_inference_outputs *outputs,
                             snakepit_message *why)
{
    snakepit_value key;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < outputs->count; i++) {
        struct sp_inference_tensor *output = &outputs->items[i].tensor;
        if (snakepit_reader_next(&at, &key) != SNAKEPIT_OK ||
            key.kind != SNAKEPIT_TEXT) {
            return refuse(
                output, "the keys of what the tool returned are not texts", why);
        }
        output->name =
            (struct sp_slice){(const uint8_t *)key.as.text.data, key.as.text.size};
        err = read_output(&at, &outputs->scratch, output, why);
    }
    return err;
}

static snakepit_err read_items(snakepit_reader at,
                               struct sp_inference_outputs *outputs,
                               snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < outputs->count; i++) {
        err = name_output(outputs, i);
        err = err == SNAKEPIT_OK
                  ? read_output(&at, &outputs->scratch, &outputs->items[i].tensor, why)
                  : err;
    }
    return err;
}

static snakepit_err read_all(const snakepit_reader *result,
                             struct sp_inference_outputs *outputs,
                             snakepit_message *why)
{
    snakepit_value value;
    snakepit_reader at = *result;
    if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK) {
        (void)snprintf(why->text, sizeof why->text, "the tool's answer cannot be read");
        return SNAKEPIT_UNSERIALISABLE;
    }
    if (value.kind == SNAKEPIT_NIL) {
        return take_room(outputs, 0, why);
    }
    const bool map = value.kind == SNAKEPIT_MAP;
    const bool several =
        map || (value.kind == SNAKEPIT_ARRAY && has_tensor(at, value.as.count));
    snakepit_err err = take_room(outputs, several ? value.as.count : 1, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (several) {
        return map ? read_map(at, outputs, why) : read_items(at, outputs, why);
    }
    at = *result;
    err = name_output(outputs, SIZE_MAX);
    return err == SNAKEPIT_OK
               ? read_output(&at, &outputs->scratch, &outputs->items[0].tensor, why)
               : err;
}

// ---- Those that are wanted ----------------------------------------------------------

static const struct sp_inference_output *
find(const struct sp_inference_outputs *outputs, struct sp_slice name)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const struct sp_slice its = outputs->items[i].tensor.name;
        if (its.size == name.size &&
            (name.size == 0 || memcmp(its.data, name.data, name.size) == 0)) {
            return &outputs->items[i];
        }
    }
    return NULL;
}

static snakepit_err refuse_wish(const struct sp_inference_outputs *outputs,
                                struct sp_slice name,
                                snakepit_message *why)
{
    char names[SHOWN] = "";
    size_t used = 0;
    for (size_t i = 0; i < outputs->count && used + 1 < sizeof names; i++) {
        const struct sp_slice its = outputs->items[i].tensor.name;
        used += (size_t)snprintf(names + used,
                                 sizeof names - used,
                                 "%s%.*s",
                                 i == 0 ? "" : ", ",
                                 (int)(its.size < 64 ? its.size : 64),
                                 (const char *)its.data);
    }
    return sp_inference_refuse(why,
                               "output",
                               name,
                               "the tool returned none of that name; there are: %s",
                               names);
}

snakepit_err sp_inference_gather(const snakepit_reader *value,
                                 const struct sp_inference_wanted *wanted,
                                 struct sp_inference_outputs *outputs,
                                 snakepit_message *why)
{
    snakepit_err err = read_all(value, outputs, why);
    if (err != SNAKEPIT_OK || wanted->output_count == 0) {
        for (size_t i = 0; err == SNAKEPIT_OK && i < outputs->count; i++) {
            outputs->items[i].binary = wanted->binary;
        }
        return err;
    }
    struct sp_inference_output *items =
        sp_scratch_take(&outputs->scratch, wanted->output_count * sizeof *items);
    if (items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < wanted->output_count; i++) {
        const struct sp_inference_wish *wish = &wanted->outputs[i];
        const struct sp_inference_output *found = find(outputs, wish->name);
        if (found == NULL) {
            return refuse_wish(outputs, wish->name, why);
        }
        items[i] = *found;
        items[i].binary = wish->form == SP_INFERENCE_AS_REQUESTED
                              ? wanted->binary
                              : wish->form == SP_INFERENCE_BINARY;
    }
    outputs->items = items;
    outputs->count = wanted->output_count;
    return SNAKEPIT_OK;
}
