// SPDX-License-Identifier: MIT
// Most bodies hold no tensor, and cross as they are. The others are written anew, value
// by value: containers need no stack for that, since the writer counts what they want.
#include "front/body.h"

#include <stdio.h>
#include <string.h>

#include "payload/writer.h"

#define MARK_TENSOR "$tensor"
#define MARK_EXT    "$ext"

static snakepit_err
explain(snakepit_message *why, snakepit_err err, const char *sentence)
{
    (void)snprintf(why->text, sizeof why->text, "%s", sentence);
    return err;
}

static bool is_text(const snakepit_value *value, const char *text)
{
    const size_t size = strlen(text);
    return value->kind == SNAKEPIT_TEXT && value->as.text.size == size &&
           memcmp(value->as.text.data, text, size) == 0;
}

// Whether a text is such a mark with one "$" or more before it.
static bool is_escaped(const snakepit_value *value, const char *mark)
{
    const size_t size = strlen(mark);
    if (value->kind != SNAKEPIT_TEXT || value->as.text.size < size) {
        return false;
    }
    const size_t more = value->as.text.size - size;
    for (size_t i = 0; i < more; i++) {
        if (value->as.text.data[i] != '$') {
            return false;
        }
    }
    return memcmp(value->as.text.data + more, mark, size) == 0;
}

// The only key of a map of one pair; false: it is another map, or the key not a mark.
static bool
next_is_marked(const snakepit_value *map, snakepit_reader reader, snakepit_value *key)
{
    return map->kind == SNAKEPIT_MAP && map->as.count == 1 &&
           snakepit_reader_next(&reader, key) == SNAKEPIT_OK &&
           (is_escaped(key, MARK_TENSOR) || is_escaped(key, MARK_EXT));
}

// ---- Any value but a marked one ---------------------------------------------------

static void write_value(snakepit_writer *writer, const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_NIL:
        snakepit_writer_nil(writer);
        break;
    case SNAKEPIT_BOOLEAN:
        snakepit_writer_bool(writer, value->as.boolean);
        break;
    case SNAKEPIT_INTEGER:
        snakepit_writer_int(writer, value->as.integer);
        break;
    case SNAKEPIT_UNSIGNED:
        snakepit_writer_uint(writer, value->as.unsigned_integer);
        break;
    case SNAKEPIT_REAL:
        snakepit_writer_double(writer, value->as.real);
        break;
    case SNAKEPIT_TEXT:
        snakepit_writer_strn(writer, value->as.text.data, value->as.text.size);
        break;
    case SNAKEPIT_ARRAY:
        snakepit_writer_array(writer, value->as.count);
        break;
    case SNAKEPIT_MAP:
        snakepit_writer_map(writer, value->as.count);
        break;
    case SNAKEPIT_TENSOR:
        snakepit_writer_tensor(writer, &value->as.tensor);
        break;
    default:
        snakepit_writer_bytes(writer, value->as.bytes.data, value->as.bytes.size);
        break;
    }
}

// A key with `more` more "$" in front, or with one less.
static void write_mark(snakepit_writer *writer, snakepit_span text, bool more)
{
    char room[64];
    const int size = (int)text.size - (more ? 0 : 1);
    if (text.size >= sizeof room - 1) {
        sp_writer_fail(writer, SNAKEPIT_INVALID_ARGUMENT);
        return;
    }
    (void)snprintf(
        room, sizeof room, "%s%.*s", more ? "$" : "", size, text.data + (more ? 0 : 1));
    snakepit_writer_str(writer, room);
}

// ---- Tensors of a body --------------------------------------------------------------

static snakepit_err dtype_of(snakepit_reader *reader, snakepit_dtype *dtype)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK) {
        return SNAKEPIT_MALFORMED;
    }
    for (int number = 1; snakepit_dtype_name((snakepit_dtype)number) != NULL;
         number++) {
        if (is_text(&value, snakepit_dtype_name((snakepit_dtype)number))) {
            *dtype = (snakepit_dtype)number;
            return SNAKEPIT_OK;
        }
    }
    return SNAKEPIT_MALFORMED;
}

static snakepit_err shape_of(snakepit_reader *reader, snakepit_tensor *tensor)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count > SNAKEPIT_MAX_RANK) {
        return SNAKEPIT_MALFORMED;
    }
    tensor->rank = value.as.count;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
            value.kind != SNAKEPIT_INTEGER || value.as.integer < 0) {
            return SNAKEPIT_MALFORMED;
        }
        tensor->shape[i] = value.as.integer;
    }
    return SNAKEPIT_OK;
}

// What stands behind the mark.
static snakepit_err read_tensor(const snakepit_reader *at, snakepit_tensor *tensor)
{
    size_t bytes = 0;
    snakepit_value value;
    snakepit_reader reader = *at;
    *tensor = (snakepit_tensor){0};
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_MAP || value.as.count != 3 ||
        snakepit_reader_find(at, "dtype", &reader) != SNAKEPIT_OK ||
        dtype_of(&reader, &tensor->dtype) != SNAKEPIT_OK ||
        snakepit_reader_find(at, "shape", &reader) != SNAKEPIT_OK ||
        shape_of(&reader, tensor) != SNAKEPIT_OK ||
        snakepit_reader_find(at, "data", &reader) != SNAKEPIT_OK ||
        snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_BYTES ||
        snakepit_tensor_bytes(tensor, &bytes) != SNAKEPIT_OK ||
        bytes != value.as.bytes.size) {
        return SNAKEPIT_MALFORMED;
    }
    tensor->data = value.as.bytes.data;
    return SNAKEPIT_OK;
}

// A map with a mark begins before `reader`, at its key.
static snakepit_err read_marked(snakepit_reader *reader,
                                const snakepit_value *key,
                                snakepit_writer *writer,
                                snakepit_message *why)
{
    snakepit_value skipped;
    snakepit_tensor tensor;
    (void)snakepit_reader_next(reader, &skipped);
    if (is_text(key, MARK_TENSOR)) {
        if (read_tensor(reader, &tensor) != SNAKEPIT_OK) {
            return explain(why,
                           SNAKEPIT_MALFORMED,
                           "the body's " MARK_TENSOR
                           " is not {\"dtype\": a name of NumPy's, \"shape\": "
                           "integers, \"data\": as many bytes as these need}");
        }
        snakepit_writer_tensor(writer, &tensor);
        return snakepit_reader_skip(reader);
    }
    snakepit_writer_map(writer, 1);
    if (is_text(key, MARK_EXT)) {
        snakepit_writer_str(writer, MARK_EXT); // nothing that a tool could take
    } else {
        write_mark(writer, key->as.text, false);
    }
    return SNAKEPIT_OK;
}

static snakepit_err
read_anew(snakepit_reader reader, snakepit_writer *writer, snakepit_message *why)
{
    snakepit_value value;
    snakepit_value key;
    while (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        if (!next_is_marked(&value, reader, &key)) {
            write_value(writer, &value);
            continue;
        }
        snakepit_err err = read_marked(&reader, &key, writer, why);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    return snakepit_writer_explain(writer, why);
}

// ---- Bodies -------------------------------------------------------------------------

// One whole value, without ext types: none is ours to take from a stranger.
static snakepit_err check_msgpack(const snakepit_reader *body, snakepit_message *why)
{
    snakepit_reader end = *body;
    snakepit_reader reader = *body;
    snakepit_value value;
    if (snakepit_reader_skip(&end) != SNAKEPIT_OK || end.at != end.end) {
        return explain(
            why, SNAKEPIT_MALFORMED, "the body is not one value of MessagePack");
    }
    snakepit_err err;
    while ((err = snakepit_reader_next(&reader, &value)) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_EXTENSION) {
            break;
        }
    }
    return err == SNAKEPIT_END
               ? SNAKEPIT_OK
               : explain(why,
                         SNAKEPIT_MALFORMED,
                         "the body holds an ext type of MessagePack, which no tool "
                         "takes; a tensor is a map {\"" MARK_TENSOR "\": ...}");
}

static bool may_be_marked(struct sp_slice bytes)
{
    return memmem(bytes.data, bytes.size, MARK_TENSOR, strlen(MARK_TENSOR)) != NULL ||
           memmem(bytes.data, bytes.size, MARK_EXT, strlen(MARK_EXT)) != NULL;
}

static snakepit_err
read_msgpack(struct sp_slice body, snakepit_writer *writer, snakepit_message *why)
{
    snakepit_reader reader;
    snakepit_reader_init(&reader, body.data, body.size);
    snakepit_err err = check_msgpack(&reader, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (may_be_marked(body)) {
        return read_anew(reader, writer, why);
    }
    sp_writer_value(writer, body);
    return snakepit_writer_error(writer);
}

snakepit_err sp_body_read(struct sp_slice body,
                          enum sp_media media,
                          snakepit_writer *writer,
                          snakepit_message *why)
{
    why->text[0] = '\0';
    return media == SP_MEDIA_MSGPACK
               ? read_msgpack(body, writer, why)
               : snakepit_writer_json(writer, (const char *)body.data, body.size, why);
}

// ---- Answers ------------------------------------------------------------------------

static void write_shape(snakepit_writer *writer, const snakepit_tensor *tensor)
{
    snakepit_writer_array(writer, tensor->rank);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        snakepit_writer_int(writer, tensor->shape[i]);
    }
}

static void write_tensor(snakepit_writer *writer, const snakepit_tensor *tensor)
{
    size_t bytes = 0;
    (void)snakepit_tensor_bytes(tensor, &bytes);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, MARK_TENSOR);
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "dtype");
    snakepit_writer_str(writer, snakepit_dtype_name(tensor->dtype));
    snakepit_writer_str(writer, "shape");
    write_shape(writer, tensor);
    snakepit_writer_str(writer, "data");
    snakepit_writer_bytes(writer, tensor->data, bytes);
}

static void write_ext(snakepit_writer *writer, snakepit_span bytes)
{
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, MARK_EXT);
    snakepit_writer_bytes(writer, bytes.data, bytes.size);
}

static void write_anew(snakepit_reader *reader, snakepit_writer *writer)
{
    snakepit_value value;
    snakepit_value key;
    while (snakepit_reader_next(reader, &value) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_TENSOR) {
            write_tensor(writer, &value.as.tensor);
        } else if (value.kind == SNAKEPIT_EXTENSION) {
            write_ext(writer, value.as.bytes);
        } else if (next_is_marked(&value, *reader, &key)) {
            (void)snakepit_reader_next(reader, &key);
            snakepit_writer_map(writer, 1);
            write_mark(writer, key.as.text, true);
        } else {
            write_value(writer, &value);
        }
    }
}

static bool holds_ext(snakepit_reader reader)
{
    snakepit_value value;
    while (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_TENSOR || value.kind == SNAKEPIT_EXTENSION) {
            return true;
        }
    }
    return false;
}

snakepit_err sp_body_msgpack(const snakepit_reader *value,
                             struct sp_buf *room,
                             struct sp_slice *bytes)
{
    snakepit_reader end = *value;
    if (snakepit_reader_skip(&end) != SNAKEPIT_OK) {
        return SNAKEPIT_MALFORMED;
    }
    const struct sp_slice raw = {value->at, (size_t)(end.at - value->at)};
    snakepit_reader reader = *value;
    reader.end = end.at;
    if (!may_be_marked(raw) && !holds_ext(reader)) {
        *bytes = raw;
        return SNAKEPIT_OK;
    }
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    write_anew(&reader, writer);
    snakepit_err err = snakepit_writer_error(writer);
    if (err == SNAKEPIT_OK) {
        sp_buf_fini(room);
        *room = writer->buf;
        writer->buf = (struct sp_buf){0};
        *bytes = (struct sp_slice){room->data, room->size};
    }
    snakepit_writer_free(writer);
    return err;
}
