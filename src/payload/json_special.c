// SPDX-License-Identifier: MIT
// What JSON cannot say, as payload/json.h writes it: an object of one pair whose key is
// "$bytes", "$uint" or "$tensor". The pair is there as MessagePack already.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "payload/base64.h"
#include "payload/json_inside.h"
#include "payload/tensor.h"
#include "payload/writer.h"

static struct sp_slice text_of(const snakepit_value *value)
{
    return (struct sp_slice){(const uint8_t *)value->as.text.data, value->as.text.size};
}

// The object was never written. Its bytes stay where they are until something is.
static void take_back(snakepit_writer *writer, const struct sp_json_frame *frame)
{
    writer->buf.size = frame->head;
    writer->tensor_count = frame->tensors;
}

// ---- Bytes and integers -------------------------------------------------------

// Each of these returns what is wrong, or NULL.
static const char *write_bytes(snakepit_writer *writer,
                               const struct sp_json_frame *frame,
                               struct sp_slice text)
{
    uint8_t *bytes = sp_alloc(text.size / 4 * 3);
    size_t size = 0;
    bool fine = bytes != NULL && sp_base64_decode(text, bytes, &size) == SNAKEPIT_OK;
    take_back(writer, frame);
    if (fine) {
        snakepit_writer_bytes(writer, bytes, size);
    } else if (bytes == NULL) {
        sp_writer_fail(writer, SNAKEPIT_NO_MEMORY);
    }
    sp_free(bytes);
    return fine ? NULL : "$bytes is not base64";
}

static bool read_uint(struct sp_slice digits, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)digits.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, digit, value)) {
            return false;
        }
    }
    return digits.size != 0;
}

static const char *write_uint(snakepit_writer *writer,
                              const struct sp_json_frame *frame,
                              struct sp_slice digits)
{
    uint64_t value;
    bool fine = read_uint(digits, &value);
    take_back(writer, frame);
    if (!fine) {
        return "$uint is not an integer of 64 bits";
    }
    snakepit_writer_uint(writer, value);
    return NULL;
}

// ---- Tensors ------------------------------------------------------------------

static bool
find_text(const snakepit_reader *map, const char *key, struct sp_slice *text)
{
    snakepit_reader found;
    snakepit_value value;
    if (snakepit_reader_find(map, key, &found) != SNAKEPIT_OK ||
        snakepit_reader_next(&found, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    *text = text_of(&value);
    return true;
}

static bool find_dtype(const snakepit_reader *map, snakepit_tensor *tensor)
{
    struct sp_slice text;
    char name[16];
    if (!find_text(map, "dtype", &text) || text.size >= sizeof(name) ||
        memchr(text.data, 0, text.size) != NULL) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)text.size, (const char *)text.data);
    int number = sp_dtype_of(name);
    tensor->dtype = number != 0 ? (snakepit_dtype)number : tensor->dtype;
    return number != 0;
}

static bool find_shape(const snakepit_reader *map, snakepit_tensor *tensor)
{
    snakepit_reader found;
    snakepit_value value;
    if (snakepit_reader_find(map, "shape", &found) != SNAKEPIT_OK ||
        snakepit_reader_next(&found, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count > SNAKEPIT_MAX_RANK) {
        return false;
    }
    tensor->rank = value.as.count;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (snakepit_reader_next(&found, &value) != SNAKEPIT_OK ||
            value.kind != SNAKEPIT_INTEGER) {
            return false;
        }
        tensor->shape[i] = value.as.integer;
    }
    return true;
}

// The tensor's elements, which the writer then owns.
static const char *
decode_elements(snakepit_writer *writer, struct sp_slice text, snakepit_tensor *tensor)
{
    size_t bytes;
    size_t size;
    uint8_t *elements = sp_writer_own(writer, text.size / 4 * 3);
    tensor->data = elements;
    if (elements == NULL) {
        sp_writer_fail(writer, SNAKEPIT_NO_MEMORY);
    } else if (sp_base64_decode(text, elements, &size) == SNAKEPIT_OK &&
               snakepit_tensor_bytes(tensor, &bytes) == SNAKEPIT_OK && bytes == size) {
        return NULL;
    }
    return "$tensor has data that is not base64 or not of its shape's size";
}

static const char *write_tensor(snakepit_writer *writer,
                                const struct sp_json_frame *frame,
                                const snakepit_reader *map)
{
    snakepit_tensor tensor = {.dtype = SNAKEPIT_BOOL};
    struct sp_slice text;
    size_t bytes;
    const char *wrong =
        "$tensor needs a dtype, a shape of integers, and data in base64";
    if (find_dtype(map, &tensor) && find_shape(map, &tensor) &&
        find_text(map, "data", &text) &&
        snakepit_tensor_bytes(&tensor, &bytes) == SNAKEPIT_OK) {
        wrong = decode_elements(writer, text, &tensor);
    }
    take_back(writer, frame);
    if (wrong == NULL) {
        snakepit_writer_tensor(writer, &tensor);
    }
    return wrong;
}

// ---- Which of them ------------------------------------------------------------

bool sp_json_is_special(const snakepit_value *key,
                        const snakepit_value *value,
                        struct sp_json_special *found)
{
    static const struct {
        const char *name;
        snakepit_kind kind;
    } rows[] = {
        {"bytes", SNAKEPIT_TEXT}, {"uint", SNAKEPIT_TEXT}, {"tensor", SNAKEPIT_MAP}};
    const snakepit_span text = key->as.text;
    size_t dollars = 0;
    if (key->kind != SNAKEPIT_TEXT) {
        return false;
    }
    while (dollars < text.size && text.data[dollars] == '$') {
        dollars++;
    }
    for (size_t i = 0; dollars > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (value->kind == rows[i].kind &&
            text.size - dollars == strlen(rows[i].name) &&
            memcmp(text.data + dollars, rows[i].name, text.size - dollars) == 0) {
            *found = (struct sp_json_special){rows[i].name, dollars};
            return true;
        }
    }
    return false;
}

// Takes the first byte from a key that was written.
static void unescape(snakepit_writer *writer,
                     const struct sp_json_frame *frame,
                     const snakepit_value *key)
{
    uint8_t *text =
        writer->buf.data + ((const uint8_t *)key->as.text.data - writer->buf.data);
    const uint8_t *end = writer->buf.data + writer->buf.size;
    memmove(text, text + 1, (size_t)(end - text) - 1);
    writer->buf.size--;
    // Its length, big-endian, is what comes before; a short one shares its byte.
    for (uint8_t *length = text - 1; (*length)-- == 0; length--) {
    }
    for (size_t i = frame->tensors; i < writer->tensor_count; i++) {
        writer->tensors[i].at--;
    }
}

bool sp_json_rewrite(snakepit_writer *writer,
                     const struct sp_json_frame *frame,
                     const char **wrong)
{
    snakepit_reader reader;
    snakepit_value key;
    snakepit_value value;
    struct sp_json_special found;
    const uint8_t *pair = writer->buf.data + frame->head + 1;
    snakepit_reader_init(
        &reader, pair, (size_t)(writer->buf.data + writer->buf.size - pair));
    if (snakepit_reader_next(&reader, &key) != SNAKEPIT_OK) {
        return false;
    }
    const snakepit_reader behind = reader;
    // A value that is a tensor is MALFORMED to this reader, and none of ours.
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        !sp_json_is_special(&key, &value, &found)) {
        return false;
    }
    if (found.dollars > 1) {
        unescape(writer, frame, &key);
        return false;
    }
    if (value.kind == SNAKEPIT_MAP) {
        *wrong = write_tensor(writer, frame, &behind);
    } else if (found.name[0] == 'b') {
        *wrong = write_bytes(writer, frame, text_of(&value));
    } else {
        *wrong = write_uint(writer, frame, text_of(&value));
    }
    return true;
}

void sp_json_take_special(snakepit_writer *writer,
                          const struct sp_writer_hold *hold,
                          size_t tensors)
{
    const char *wrong = NULL;
    const struct sp_json_frame frame = {.head = hold->start, .tensors = tensors};
    if (writer->err == SNAKEPIT_OK) {
        (void)sp_json_rewrite(writer, &frame, &wrong);
    }
    if (wrong != NULL) {
        sp_writer_refuse(writer, SNAKEPIT_MALFORMED, "%s", wrong);
    }
    sp_writer_release(writer, hold);
}
