// SPDX-License-Identifier: MIT
// JSON text to MessagePack, by way of jansson's tree. An object of exactly one pair
// whose key is
// "$bytes", "$tensor" or "$uint" is what payload/json.h makes of what JSON cannot say;
// "$uint" is of this file alone: jansson has no integers over INT64_MAX, so where a
// text holds one it is read a second time, with those integers as {"$uint":
// "18446744073709551615"}.
#include "payload/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "payload/base64.h"
#include "payload/tensor.h"
#include "payload/writer.h"

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

static void write_value(snakepit_writer *writer, json_t *value);

static struct sp_slice slice_of(json_t *text)
{
    return (struct sp_slice){(const uint8_t *)json_string_value(text),
                             json_string_length(text)};
}

// ---- What JSON cannot say -----------------------------------------------------

static void write_bytes(snakepit_writer *writer, json_t *text)
{
    struct sp_slice source = slice_of(text);
    uint8_t *bytes = sp_alloc(source.size / 4 * 3);
    size_t size = 0;
    if (bytes == NULL) {
        sp_writer_fail(writer, SNAKEPIT_NO_MEMORY);
    } else if (sp_base64_decode(source, bytes, &size) != SNAKEPIT_OK) {
        sp_writer_refuse(writer, SNAKEPIT_MALFORMED, "$bytes is not base64");
    } else {
        snakepit_writer_bytes(writer, bytes, size);
    }
    sp_free(bytes);
}

static void write_uint(snakepit_writer *writer, json_t *text)
{
    const char *digits = json_string_value(text);
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    // strtoull takes blanks and a sign, which no integer of JSON begins with.
    bool starts = *digits >= '0' && *digits <= '9';
    if (!starts || errno != 0 || end != digits + json_string_length(text)) {
        sp_writer_refuse(
            writer, SNAKEPIT_MALFORMED, "$uint is not an integer of 64 bits");
        return;
    }
    snakepit_writer_uint(writer, value);
}

static bool read_dtype(json_t *dtype, snakepit_tensor *tensor)
{
    int number = json_is_string(dtype) ? sp_dtype_of(json_string_value(dtype)) : 0;
    if (number != 0) {
        tensor->dtype = (snakepit_dtype)number;
    }
    return number != 0;
}

static bool read_shape(json_t *shape, snakepit_tensor *tensor)
{
    size_t rank = json_array_size(shape); // 0 also for what is no array
    if (!json_is_array(shape) || rank > SNAKEPIT_MAX_RANK) {
        return false;
    }
    tensor->rank = (uint32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        json_t *extent = json_array_get(shape, i);
        if (!json_is_integer(extent)) {
            return false;
        }
        tensor->shape[i] = json_integer_value(extent);
    }
    return true;
}

static void write_tensor(snakepit_writer *writer, json_t *object)
{
    json_t *data = json_object_get(object, "data");
    snakepit_tensor tensor = {0};
    size_t bytes = 0;
    size_t size = 0;
    if (!read_dtype(json_object_get(object, "dtype"), &tensor) ||
        !read_shape(json_object_get(object, "shape"), &tensor) ||
        !json_is_string(data) ||
        snakepit_tensor_bytes(&tensor, &bytes) != SNAKEPIT_OK) {
        sp_writer_refuse(
            writer,
            SNAKEPIT_MALFORMED,
            "$tensor needs a dtype, a shape of integers, and data in base64");
        return;
    }
    struct sp_slice source = slice_of(data);
    uint8_t *elements = sp_writer_own(writer, source.size / 4 * 3);
    if (elements == NULL) {
        sp_writer_fail(writer, SNAKEPIT_NO_MEMORY);
    } else if (sp_base64_decode(source, elements, &size) != SNAKEPIT_OK ||
               size != bytes) {
        sp_writer_refuse(
            writer,
            SNAKEPIT_MALFORMED,
            "$tensor has data that is not base64 or not of its shape's size");
    } else {
        tensor.data = elements;
        snakepit_writer_tensor(writer, &tensor);
    }
}

// True if the object is one of ours and was written, or refused.
static bool write_special(snakepit_writer *writer, json_t *object)
{
    if (json_object_size(object) != 1) {
        return false;
    }
    void *pair = json_object_iter(object);
    const char *key = json_object_iter_key(pair);
    json_t *value = json_object_iter_value(pair);
    if (strcmp(key, "$bytes") == 0 && json_is_string(value)) {
        write_bytes(writer, value);
    } else if (strcmp(key, "$uint") == 0 && json_is_string(value)) {
        write_uint(writer, value);
    } else if (strcmp(key, "$tensor") == 0 && json_is_object(value)) {
        write_tensor(writer, value);
    } else {
        return false;
    }
    return true;
}

// ---- The tree -----------------------------------------------------------------

static void write_object(snakepit_writer *writer, json_t *object)
{
    const char *key;
    json_t *value;
    snakepit_writer_map(writer, (uint32_t)json_object_size(object));
    json_object_foreach(object, key, value)
    {
        snakepit_writer_str(writer, key);
        write_value(writer, value);
    }
}

static void write_array(snakepit_writer *writer, json_t *array)
{
    size_t items = json_array_size(array);
    snakepit_writer_array(writer, (uint32_t)items);
    for (size_t i = 0; i < items; i++) {
        write_value(writer, json_array_get(array, i));
    }
}

static void write_container(snakepit_writer *writer, json_t *value)
{
    if (json_is_object(value) && write_special(writer, value)) {
        return;
    }
    if (writer->depth == SP_DEPTH_MAX) {
        sp_writer_refuse(writer,
                         SNAKEPIT_MALFORMED,
                         "more than 128 objects and arrays are inside each other");
    } else if (json_is_object(value)) {
        write_object(writer, value);
    } else {
        write_array(writer, value);
    }
}

// Recurses no deeper than SP_DEPTH_MAX, where write_container() refuses.
static void write_value(snakepit_writer *writer, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        snakepit_writer_nil(writer);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snakepit_writer_bool(writer, json_is_true(value));
        break;
    case JSON_INTEGER:
        snakepit_writer_int(writer, json_integer_value(value));
        break;
    case JSON_REAL:
        snakepit_writer_double(writer, json_real_value(value));
        break;
    case JSON_STRING:
        snakepit_writer_strn(
            writer, json_string_value(value), json_string_length(value));
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        // After an error nothing is written, so depth no longer rises and would not
        // stop this.
        if (writer->err == SNAKEPIT_OK) {
            write_container(writer, value);
        }
        break;
    }
}

// ---- Integers over INT64_MAX --------------------------------------------------

static bool is_wide(const char *digits, size_t size)
{
    char copy[24];
    if (size < 19 || size > 20 || *digits == '0') {
        return false;
    }
    memcpy(copy, digits, size);
    copy[size] = '\0';
    errno = 0;
    return strtoull(copy, NULL, 10) > INT64_MAX && errno == 0;
}

// Bytes of the token that `json` begins with: a string, what looks like a number, or
// one byte.
static size_t token_size(const char *json, size_t left, size_t *digits)
{
    size_t size = 0;
    *digits = 0;
    if (*json == '"') {
        for (size = 1; size < left && json[size] != '"'; size++) {
            size += json[size] == '\\';
        }
        return size < left ? size + 1 : left;
    }
    for (; size < left && json[size] != '\0' && strchr("0123456789+-.eE", json[size]);
         size++) {
        *digits += json[size] >= '0' && json[size] <= '9';
    }
    return size != 0 ? size : 1;
}

static snakepit_err widen(const char *json, size_t bytes, struct sp_buf *out)
{
    snakepit_err err = SNAKEPIT_OK;
    while (bytes != 0 && err == SNAKEPIT_OK) {
        size_t digits = 0;
        size_t size = token_size(json, bytes, &digits);
        if (digits == size && is_wide(json, size)) {
            err = sp_buf_printf(out, "{\"$uint\":\"%.*s\"}", (int)size, json);
        } else {
            err = sp_buf_append(out, json, size);
        }
        json += size;
        bytes -= size;
    }
    return err;
}

// NO_MEMORY and MALFORMED leave their reason in `error`. The columns of a text with
// such integers are those of the text that widen() made.
static snakepit_err
load(const char *json, size_t bytes, json_t **root, json_error_t *error)
{
    *root = json_loadb(json, bytes, FLAGS, error);
    if (*root == NULL && json_error_code(error) == json_error_numeric_overflow) {
        struct sp_buf text = {0};
        snakepit_err err = widen(json, bytes, &text);
        if (err == SNAKEPIT_OK) {
            *root = json_loadb((const char *)text.data, text.size, FLAGS, error);
        }
        sp_buf_fini(&text);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    if (*root != NULL) {
        return SNAKEPIT_OK;
    }
    bool full = json_error_code(error) == json_error_out_of_memory;
    return full ? SNAKEPIT_NO_MEMORY : SNAKEPIT_MALFORMED;
}

static void read_json(snakepit_writer *writer, const char *json, size_t bytes)
{
    json_error_t error = {0};
    json_t *root = NULL;
    snakepit_err err = load(json, bytes, &root, &error);
    if (err == SNAKEPIT_OK) {
        write_value(writer, root);
        json_decref(root);
        return;
    }
    if (err == SNAKEPIT_NO_MEMORY) {
        sp_writer_fail(writer, err);
    } else {
        sp_writer_refuse(writer,
                         err,
                         "line %d, column %d: %s",
                         error.line,
                         error.column,
                         error.text);
    }
}

snakepit_err snakepit_writer_json(snakepit_writer *writer,
                                  const char *json,
                                  size_t bytes,
                                  snakepit_message *why)
{
    if (json == NULL) {
        sp_writer_refuse(writer,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the JSON text is NULL; give its address, or write nil");
    } else if (writer->err == SNAKEPIT_OK) {
        read_json(writer, json, bytes);
    }
    if (why != NULL) {
        why->text[0] = '\0';
    }
    if (writer->err != SNAKEPIT_OK && why != NULL) {
        (void)snakepit_writer_explain(writer, why);
    }
    return writer->err;
}
