// SPDX-License-Identifier: MIT
// Most bodies hold no tensor, and cross as they are. The others are written anew, value
// by value: containers need no stack for that, since the writer counts what they want.
#include "http/body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/marks.h"
#include "payload/json.h"
#include "payload/writer.h"

static snakepit_err
explain(snakepit_message *why, snakepit_err err, const char *sentence)
{
    (void)snprintf(why->text, sizeof why->text, "%s", sentence);
    return err;
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
    if (sp_mark_is_text(key, SP_MARK_TENSOR)) {
        if (sp_mark_read_tensor(reader, &tensor) != SNAKEPIT_OK) {
            return explain(why,
                           SNAKEPIT_MALFORMED,
                           "the body's " SP_MARK_TENSOR
                           " is not {\"dtype\": a name of NumPy's, \"shape\": "
                           "integers, \"data\": as many bytes as these need}");
        }
        snakepit_writer_tensor(writer, &tensor);
        return snakepit_reader_skip(reader);
    }
    snakepit_writer_map(writer, 1);
    if (sp_mark_is_text(key, SP_MARK_EXT)) {
        snakepit_writer_str(writer, SP_MARK_EXT); // nothing that a tool could take
    } else {
        sp_mark_write(writer, key->as.text, false);
    }
    return SNAKEPIT_OK;
}

static snakepit_err
read_anew(snakepit_reader reader, snakepit_writer *writer, snakepit_message *why)
{
    snakepit_value value;
    snakepit_value key;
    while (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        if (!sp_mark_is_next(&value, reader, &key)) {
            sp_mark_copy(writer, &value);
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

// How many values there may still be.
struct allowance {
    uint64_t most;
    uint64_t left;
};

static snakepit_err count_in(struct allowance *allowance,
                             const snakepit_value *value,
                             snakepit_message *why)
{
    const bool holds = value->kind == SNAKEPIT_ARRAY || value->kind == SNAKEPIT_MAP;
    const uint64_t count = holds ? value->as.count : 0;
    if (count > allowance->left) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the body holds more than the %" PRIu64
                       " values that `" SP_BODY_LIMIT_NAME "` allows",
                       allowance->most);
        return SNAKEPIT_MALFORMED;
    }
    allowance->left -= count;
    return SNAKEPIT_OK;
}

snakepit_err
sp_body_count(snakepit_reader value, uint64_t most_values, snakepit_message *why)
{
    struct allowance allowance = {.most = most_values, .left = most_values};
    snakepit_value next;
    snakepit_err err = SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && snakepit_reader_next(&value, &next) == SNAKEPIT_OK) {
        err = count_in(&allowance, &next, why);
    }
    return err;
}

static snakepit_err
check_values(snakepit_reader reader, uint64_t most, snakepit_message *why)
{
    struct allowance allowance = {.most = most, .left = most};
    snakepit_value value;
    snakepit_err err;
    while ((err = snakepit_reader_next(&reader, &value)) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_EXTENSION) {
            return explain(why,
                           SNAKEPIT_MALFORMED,
                           "the body holds an ext type of MessagePack, which no tool "
                           "takes; a tensor is a map {\"" SP_MARK_TENSOR "\": ...}");
        }
        err = count_in(&allowance, &value, why);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    return err == SNAKEPIT_END ? SNAKEPIT_OK : SNAKEPIT_MALFORMED;
}

snakepit_err
sp_body_check(const snakepit_reader *body, uint64_t most, snakepit_message *why)
{
    snakepit_reader end = *body;
    if (snakepit_reader_skip(&end) != SNAKEPIT_OK || end.at != end.end) {
        return explain(
            why, SNAKEPIT_MALFORMED, "the body is not one value of MessagePack");
    }
    return check_values(*body, most, why);
}

static snakepit_err
read_msgpack(const struct sp_body *body, snakepit_writer *writer, snakepit_message *why)
{
    snakepit_reader reader;
    snakepit_reader_init(&reader, body->bytes.data, body->bytes.size);
    snakepit_err err = sp_body_check(&reader, body->most_values, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (sp_mark_may_be_in(body->bytes)) {
        return read_anew(reader, writer, why);
    }
    sp_writer_value(writer, body->bytes);
    return snakepit_writer_error(writer);
}

snakepit_err
sp_body_read(const struct sp_body *body, snakepit_writer *writer, snakepit_message *why)
{
    const struct sp_json_limit limit = {.values = body->most_values,
                                        .name = SP_BODY_LIMIT_NAME};
    why->text[0] = '\0';
    return body->media == SP_MEDIA_MSGPACK
               ? read_msgpack(body, writer, why)
               : sp_json_read(writer, body->bytes, &limit, why);
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
    snakepit_writer_str(writer, SP_MARK_TENSOR);
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
    snakepit_writer_str(writer, SP_MARK_EXT);
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
        } else if (sp_mark_is_next(&value, *reader, &key)) {
            (void)snakepit_reader_next(reader, &key);
            snakepit_writer_map(writer, 1);
            sp_mark_write(writer, key.as.text, true);
        } else {
            sp_mark_copy(writer, &value);
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
    if (!sp_mark_may_be_in(raw) && !holds_ext(reader)) {
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
