// SPDX-License-Identifier: MIT
#include "http/marks.h"

#include <stdio.h>
#include <string.h>

#include "payload/writer.h"

bool sp_mark_is_text(const snakepit_value *value, const char *text)
{
    const size_t size = strlen(text);
    return value->kind == SNAKEPIT_TEXT && value->as.text.size == size &&
           memcmp(value->as.text.data, text, size) == 0;
}

// Whether a text is such a mark with one "$" or more before it.
bool sp_mark_is(const snakepit_value *value, const char *mark)
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
bool sp_mark_is_next(const snakepit_value *map,
                     snakepit_reader reader,
                     snakepit_value *key)
{
    return map->kind == SNAKEPIT_MAP && map->as.count == 1 &&
           snakepit_reader_next(&reader, key) == SNAKEPIT_OK &&
           (sp_mark_is(key, SP_MARK_TENSOR) || sp_mark_is(key, SP_MARK_EXT));
}

// ---- Any value but a marked one ---------------------------------------------------

void sp_mark_copy(snakepit_writer *writer, const snakepit_value *value)
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
void sp_mark_write(snakepit_writer *writer, snakepit_span text, bool more)
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
        if (sp_mark_is_text(&value, snakepit_dtype_name((snakepit_dtype)number))) {
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
snakepit_err sp_mark_read_tensor(const snakepit_reader *at, snakepit_tensor *tensor)
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

bool sp_mark_may_be_in(struct sp_slice bytes)
{
    return memmem(bytes.data, bytes.size, SP_MARK_TENSOR, strlen(SP_MARK_TENSOR)) !=
               NULL ||
           memmem(bytes.data, bytes.size, SP_MARK_EXT, strlen(SP_MARK_EXT)) != NULL;
}
