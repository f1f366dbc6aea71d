// SPDX-License-Identifier: MIT
// JSON text to MessagePack, by way of jansson's tree. An object of exactly one pair
// whose key is
// "$bytes", "$tensor" or "$uint" is what payload/json.h makes of what JSON cannot say;
// "$uint" is of this file alone: jansson has no integers over INT64_MAX, so where a
// text holds one it is read a second time, with those integers as {"$uint":
// "18446744073709551615"}.
#include "payload/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "payload/base64.h"
#include "payload/tensor.h"
#include "payload/writer.h"

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

// The way to the value that is being written: from the root, one step for each object
// and array around it. It lies on the stack of those who write these.
struct step {
    const struct step *up; // NULL: the root
    const char *key;       // NULL in an array
    size_t index;          // in an array
};

struct walk {
    snakepit_writer *writer;
    snakepit_message *why; // may be NULL
    const struct step *at; // NULL: at the root
};

static void write_value(struct walk *walk, json_t *value);

static void explain(snakepit_message *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void explain(snakepit_message *why, const char *format, ...)
{
    if (why == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
}

#define SHOWN_STEPS 8 // of a way; what is nearer to the root is left out

// ".items[2].image"
static void show_way(const struct step *last, char *text, size_t size)
{
    const struct step *steps[SHOWN_STEPS];
    size_t count = 0;
    for (const struct step *step = last; step != NULL && count < SHOWN_STEPS;
         step = step->up) {
        steps[count++] = step;
    }
    const struct step *first = steps[count - 1];
    int used = snprintf(text, size, "%s", first->up != NULL ? "..." : "");
    while (count > 0 && used >= 0 && (size_t)used < size) {
        const struct step *step = steps[--count];
        char *end = text + used;
        size_t left = size - (size_t)used;
        used += step->key != NULL ? snprintf(end, left, ".%.40s", step->key)
                                  : snprintf(end, left, "[%zu]", step->index);
    }
}

static void refuse(struct walk *walk, const char *reason)
{
    char way[256];
    if (walk->at == NULL) {
        explain(walk->why, "%s", reason);
    } else {
        show_way(walk->at, way, sizeof way);
        explain(walk->why, "%s (at %s)", reason, way);
    }
    sp_writer_fail(walk->writer, SNAKEPIT_MALFORMED);
}

static struct sp_slice slice_of(json_t *text)
{
    return (struct sp_slice){(const uint8_t *)json_string_value(text),
                             json_string_length(text)};
}

// ---- What JSON cannot say -----------------------------------------------------

static void write_bytes(struct walk *walk, json_t *text)
{
    struct sp_slice source = slice_of(text);
    uint8_t *bytes = sp_alloc(source.size / 4 * 3);
    size_t size = 0;
    if (bytes == NULL) {
        sp_writer_fail(walk->writer, SNAKEPIT_NO_MEMORY);
    } else if (sp_base64_decode(source, bytes, &size) != SNAKEPIT_OK) {
        refuse(walk, "$bytes is not base64");
    } else {
        snakepit_writer_bytes(walk->writer, bytes, size);
    }
    sp_free(bytes);
}

static void write_uint(struct walk *walk, json_t *text)
{
    const char *digits = json_string_value(text);
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    // strtoull takes blanks and a sign, which no integer of JSON begins with.
    bool starts = *digits >= '0' && *digits <= '9';
    if (!starts || errno != 0 || end != digits + json_string_length(text)) {
        refuse(walk, "$uint is not an integer of 64 bits");
        return;
    }
    snakepit_writer_uint(walk->writer, value);
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

static void write_tensor(struct walk *walk, json_t *object)
{
    json_t *data = json_object_get(object, "data");
    snakepit_tensor tensor = {0};
    size_t bytes = 0;
    size_t size = 0;
    if (!read_dtype(json_object_get(object, "dtype"), &tensor) ||
        !read_shape(json_object_get(object, "shape"), &tensor) ||
        !json_is_string(data) ||
        snakepit_tensor_bytes(&tensor, &bytes) != SNAKEPIT_OK) {
        refuse(walk, "$tensor needs a dtype, a shape of integers, and data in base64");
        return;
    }
    struct sp_slice source = slice_of(data);
    uint8_t *elements = sp_writer_own(walk->writer, source.size / 4 * 3);
    if (elements == NULL) {
        sp_writer_fail(walk->writer, SNAKEPIT_NO_MEMORY);
    } else if (sp_base64_decode(source, elements, &size) != SNAKEPIT_OK ||
               size != bytes) {
        refuse(walk, "$tensor has data that is not base64 or not of its shape's size");
    } else {
        tensor.data = elements;
        snakepit_writer_tensor(walk->writer, &tensor);
    }
}

// True if the object is one of ours and was written, or refused.
static bool write_special(struct walk *walk, json_t *object)
{
    if (json_object_size(object) != 1) {
        return false;
    }
    void *pair = json_object_iter(object);
    const char *key = json_object_iter_key(pair);
    json_t *value = json_object_iter_value(pair);
    if (strcmp(key, "$bytes") == 0 && json_is_string(value)) {
        write_bytes(walk, value);
    } else if (strcmp(key, "$uint") == 0 && json_is_string(value)) {
        write_uint(walk, value);
    } else if (strcmp(key, "$tensor") == 0 && json_is_object(value)) {
        write_tensor(walk, value);
    } else {
        return false;
    }
    return true;
}

// ---- The tree -----------------------------------------------------------------

static void
write_inside(struct walk *walk, const char *key, size_t index, json_t *value)
{
    const struct step step = {walk->at, key, index};
    walk->at = &step;
    write_value(walk, value);
    walk->at = step.up;
}

static void write_object(struct walk *walk, json_t *object)
{
    const char *key;
    json_t *value;
    snakepit_writer_map(walk->writer, (uint32_t)json_object_size(object));
    json_object_foreach(object, key, value)
    {
        snakepit_writer_str(walk->writer, key);
        write_inside(walk, key, 0, value);
    }
}

static void write_array(struct walk *walk, json_t *array)
{
    size_t items = json_array_size(array);
    snakepit_writer_array(walk->writer, (uint32_t)items);
    for (size_t i = 0; i < items; i++) {
        write_inside(walk, NULL, i, json_array_get(array, i));
    }
}

static void write_container(struct walk *walk, json_t *value)
{
    if (json_is_object(value) && write_special(walk, value)) {
        return;
    }
    if (walk->writer->depth == SP_DEPTH_MAX) {
        refuse(walk, "more than 128 objects and arrays are inside each other");
    } else if (json_is_object(value)) {
        write_object(walk, value);
    } else {
        write_array(walk, value);
    }
}

// Recurses no deeper than SP_DEPTH_MAX, where write_container() refuses.
static void write_value(struct walk *walk, json_t *value)
{
    snakepit_writer *writer = walk->writer;
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
            write_container(walk, value);
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

static void read_json(struct walk *walk, const char *json, size_t bytes)
{
    json_error_t error = {0};
    json_t *root = NULL;
    snakepit_err err = load(json, bytes, &root, &error);
    if (err == SNAKEPIT_OK) {
        write_value(walk, root);
        json_decref(root);
        return;
    }
    sp_writer_fail(walk->writer, err);
    if (err == SNAKEPIT_MALFORMED) {
        explain(
            walk->why, "line %d, column %d: %s", error.line, error.column, error.text);
    }
}

snakepit_err snakepit_writer_json(snakepit_writer *writer,
                                  const char *json,
                                  size_t bytes,
                                  snakepit_message *why)
{
    struct walk walk = {writer, why, NULL};
    explain(why, "%s", "");
    if (json == NULL) {
        sp_writer_fail(writer, SNAKEPIT_INVALID_ARGUMENT);
    } else if (writer->err == SNAKEPIT_OK) {
        read_json(&walk, json, bytes);
    }
    if (writer->err != SNAKEPIT_OK && why != NULL && why->text[0] == '\0') {
        explain(why, "%s", snakepit_err_text(writer->err));
    }
    return writer->err;
}
