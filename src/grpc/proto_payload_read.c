// SPDX-License-Identifier: MIT
// Most payloads have no tensors apart and become a value at once. The others are
// written anew, with their tensors in the places that ask for them.
#include "grpc/proto_payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "grpc/proto_value.h"
#include "http/body.h"
#include "http/marks.h"
#include "payload/json.h"
#include "payload/tensor.h"
#include "payload/writer.h"

enum { FORM_NONE = 0, FORM_VALUE = 1, FORM_JSON = 2, FORM_MSGPACK = 3 };

// A tensor that has a name.
struct named {
    struct sp_slice name;
    size_t order; // of several with one name the last one counts
    bool used;
    snakepit_tensor tensor;
};

// All that a payload has, by name, no two alike.
struct names {
    struct named *rows;
    size_t count;
};

struct reading {
    struct names names;
    snakepit_writer *writer;
    snakepit_writer *plain; // the value with names in the place of tensors
    struct sp_slice source; // its bytes; of MessagePack those that came
    snakepit_message *why;
    bool msgpack;  // marks are those of http/body.h; else what is left of JSON's
    size_t tensor; // the next tensor of `plain`
};

static snakepit_err
explain(snakepit_message *why, snakepit_err err, const char *sentence)
{
    (void)snprintf(why->text, sizeof why->text, "%s", sentence);
    return err;
}

static snakepit_err
explain_tensor(snakepit_message *why, struct sp_slice name, const char *what)
{
    const int shown = name.size < 100 ? (int)name.size : 100;
    (void)snprintf(why->text,
                   sizeof why->text,
                   "the tensor '%.*s' %s",
                   shown,
                   (const char *)name.data,
                   what);
    return SNAKEPIT_INVALID_ARGUMENT;
}

// ---- Tensors by name ----------------------------------------------------------------

static int compare_names(struct sp_slice one, struct sp_slice other)
{
    const size_t size = one.size < other.size ? one.size : other.size;
    const int order = size == 0 ? 0 : memcmp(one.data, other.data, size);
    return order != 0 ? order : (one.size > other.size) - (one.size < other.size);
}

// By name, the last one first.
static int compare_rows(const void *one, const void *other)
{
    const struct named *a = one;
    const struct named *b = other;
    const int order = compare_names(a->name, b->name);
    return order != 0 ? order : (a->order < b->order) - (a->order > b->order);
}

static int compare_to_name(const void *name, const void *row)
{
    return compare_names(*(const struct sp_slice *)name,
                         ((const struct named *)row)->name);
}

static struct named *find_name(const struct names *names, snakepit_span span)
{
    const struct sp_slice name = {(const uint8_t *)span.data, span.size};
    return names->count == 0 ? NULL
                             : bsearch(&name,
                                       names->rows,
                                       names->count,
                                       sizeof *names->rows,
                                       compare_to_name);
}

static int dtype_of(struct sp_slice name)
{
    char room[16];
    if (name.size >= sizeof room || memchr(name.data, 0, name.size) != NULL) {
        return 0;
    }
    (void)snprintf(room, sizeof room, "%.*s", (int)name.size, (const char *)name.data);
    return sp_dtype_of(room);
}

static snakepit_err read_tensor(const struct sp_v1_tensor *message,
                                struct named *row,
                                snakepit_message *why)
{
    size_t bytes = 0;
    const int dtype =
        message == NULL || message->dtype.size == 0 ? 0 : dtype_of(message->dtype);
    if (dtype == 0) {
        return explain_tensor(
            why, row->name, "has no dtype, or none of NumPy's names (\"float32\")");
    }
    row->tensor = (snakepit_tensor){.data = message->data.data,
                                    .dtype = (snakepit_dtype)dtype,
                                    .rank = (uint32_t)message->shape.count};
    if (message->shape.count > SNAKEPIT_MAX_RANK) {
        return explain_tensor(why, row->name, "has more than 8 extents in its shape");
    }
    for (size_t i = 0; i < message->shape.count; i++) {
        row->tensor.shape[i] = message->shape.items[i];
    }
    if (snakepit_tensor_bytes(&row->tensor, &bytes) != SNAKEPIT_OK ||
        bytes != message->data.size) {
        return explain_tensor(
            why,
            row->name,
            "has not as many bytes of data as its shape and dtype need");
    }
    return SNAKEPIT_OK;
}

static void keep_last_of_each(struct names *names)
{
    size_t kept = 0;
    qsort(names->rows, names->count, sizeof *names->rows, compare_rows);
    for (size_t i = 0; i < names->count; i++) {
        if (kept == 0 ||
            compare_names(names->rows[kept - 1].name, names->rows[i].name) != 0) {
            names->rows[kept++] = names->rows[i];
        }
    }
    names->count = kept;
}

static snakepit_err read_names(const struct sp_v1_payload *payload,
                               struct names *names,
                               snakepit_message *why)
{
    const size_t count = payload->tensors.count;
    snakepit_err err = SNAKEPIT_OK;
    names->rows = count == 0 ? NULL : sp_alloc_array(count, sizeof *names->rows);
    if (count != 0 && names->rows == NULL) {
        return explain(why, SNAKEPIT_NO_MEMORY, "the tensors do not fit into memory");
    }
    names->count = count;
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        const struct sp_text_to_v1_tensor *entry = &payload->tensors.items[i];
        names->rows[i].name = entry->key;
        names->rows[i].order = i;
        err = read_tensor(entry->value, &names->rows[i], why);
    }
    if (err == SNAKEPIT_OK && count > 1) {
        keep_last_of_each(names);
    }
    return err;
}

// ---- Values with marks --------------------------------------------------------------

// Whether a tensor of `plain` stands here, which no reader of bytes takes.
static bool is_tensor_of_plain(const struct reading *reading, const snakepit_reader *at)
{
    const snakepit_writer *plain = reading->plain;
    return reading->tensor < plain->tensor_count &&
           (size_t)(at->at - reading->source.data) + 3 ==
               plain->tensors[reading->tensor].at;
}

static void copy_tensor_of_plain(struct reading *reading, snakepit_reader *at)
{
    const struct sp_tensor_ref *ref = &reading->plain->tensors[reading->tensor++];
    snakepit_writer_tensor(reading->writer, &ref->tensor);
    at->at += 3 + SP_TENSOR_HEAD + 8 * (size_t)ref->tensor.rank;
}

// What a map of one pair says.
enum saying { PLAIN, NAME, TENSOR, ESCAPED };

// `map` was read, and `at` stands before its key.
static enum saying what_is_said(const struct reading *reading,
                                const snakepit_value *map,
                                snakepit_reader at,
                                snakepit_value *key,
                                snakepit_value *value)
{
    if (!sp_mark_is_next(map, at, key) ||
        (!reading->msgpack && !sp_mark_is(key, SP_MARK_TENSOR))) {
        return PLAIN;
    }
    (void)snakepit_reader_next(&at, value);
    const bool text =
        snakepit_reader_next(&at, value) == SNAKEPIT_OK && value->kind == SNAKEPIT_TEXT;
    if (!reading->msgpack && !text) {
        return PLAIN;
    }
    if (sp_mark_is_text(key, SP_MARK_TENSOR)) {
        return text ? NAME : TENSOR;
    }
    return sp_mark_is_text(key, SP_MARK_EXT) ? PLAIN : ESCAPED;
}

static snakepit_err write_named(struct reading *reading, snakepit_span name)
{
    struct named *row = find_name(&reading->names, name);
    const struct sp_slice shown = {(const uint8_t *)name.data, name.size};
    if (row == NULL) {
        return explain_tensor(reading->why, shown, "is not in `tensors`");
    }
    if (row->used) {
        return explain_tensor(
            reading->why, shown, "is asked for twice; send it twice, by two names");
    }
    row->used = true;
    snakepit_writer_tensor(reading->writer, &row->tensor);
    return SNAKEPIT_OK;
}

static snakepit_err write_inline(struct reading *reading, snakepit_reader *at)
{
    snakepit_value key;
    snakepit_tensor tensor;
    (void)snakepit_reader_next(at, &key);
    if (sp_mark_read_tensor(at, &tensor) != SNAKEPIT_OK) {
        return explain(reading->why,
                       SNAKEPIT_MALFORMED,
                       "a {\"" SP_MARK_TENSOR "\": ...} is neither the name of one of "
                       "`tensors` nor a map of dtype, shape and data");
    }
    snakepit_writer_tensor(reading->writer, &tensor);
    return snakepit_reader_skip(at);
}

// The value that was just read, whose rest `at` stands before.
static snakepit_err
write_one(struct reading *reading, const snakepit_value *value, snakepit_reader *at)
{
    snakepit_value key;
    snakepit_value inner;
    switch (what_is_said(reading, value, *at, &key, &inner)) {
    case NAME:
        (void)snakepit_reader_skip(at);
        (void)snakepit_reader_skip(at);
        return write_named(reading, inner.as.text);
    case TENSOR:
        return write_inline(reading, at);
    case ESCAPED:
        (void)snakepit_reader_next(at, &key);
        snakepit_writer_map(reading->writer, 1);
        sp_mark_write(reading->writer, key.as.text, false);
        return SNAKEPIT_OK;
    default:
        sp_mark_copy(reading->writer, value);
        return SNAKEPIT_OK;
    }
}

static snakepit_err write_rest(struct reading *reading, snakepit_reader *at)
{
    snakepit_value value;
    snakepit_err err = SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && at->at != at->end) {
        if (is_tensor_of_plain(reading, at)) {
            copy_tensor_of_plain(reading, at);
        } else if (snakepit_reader_next(at, &value) == SNAKEPIT_OK) {
            err = write_one(reading, &value, at);
        } else {
            err = explain(reading->why, SNAKEPIT_MALFORMED, "the value is malformed");
        }
    }
    return err;
}

// ---- Arguments ----------------------------------------------------------------------

// The name that a value which was just read asks for, or NULL.
static struct named *
name_said(struct reading *reading, const snakepit_value *value, snakepit_reader at)
{
    snakepit_value key;
    snakepit_value inner;
    return what_is_said(reading, value, at, &key, &inner) == NAME
               ? find_name(&reading->names, inner.as.text)
               : NULL;
}

static void skip_tensor_of_plain(struct reading *reading, snakepit_reader *at)
{
    const struct sp_tensor_ref *ref = &reading->plain->tensors[reading->tensor++];
    at->at += 3 + SP_TENSOR_HEAD + 8 * (size_t)ref->tensor.rank;
}

static void mark_placed(struct reading *reading)
{
    snakepit_value value;
    snakepit_reader at;
    snakepit_reader_init(&at, reading->source.data, reading->source.size);
    while (at.at != at.end) {
        if (is_tensor_of_plain(reading, &at)) {
            skip_tensor_of_plain(reading, &at);
            continue;
        }
        if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK) {
            break;
        }
        struct named *row = name_said(reading, &value, at);
        if (row != NULL) {
            row->used = true;
        }
    }
    reading->tensor = 0;
}

// Finds out which tensors have a place, and returns how many have none.
static size_t count_unplaced(struct reading *reading)
{
    size_t unplaced = 0;
    mark_placed(reading);
    for (size_t i = 0; i < reading->names.count; i++) {
        unplaced += !reading->names.rows[i].used;
    }
    return unplaced;
}

static void write_unplaced(struct reading *reading)
{
    for (size_t i = 0; i < reading->names.count; i++) {
        struct named *row = &reading->names.rows[i];
        if (!row->used) {
            snakepit_writer_strn(
                reading->writer, (const char *)row->name.data, row->name.size);
            snakepit_writer_tensor(reading->writer, &row->tensor);
        }
        row->used = false; // those that have a place are used by that
    }
}

// The map of the arguments, with the tensors that have no other place in front.
static snakepit_err write_arguments(struct reading *reading, snakepit_reader *at)
{
    snakepit_value map;
    snakepit_value key;
    snakepit_value inner;
    const size_t unplaced = count_unplaced(reading);
    if (snakepit_reader_next(at, &map) != SNAKEPIT_OK || map.kind != SNAKEPIT_MAP ||
        what_is_said(reading, &map, *at, &key, &inner) > PLAIN) {
        return explain(
            reading->why, SNAKEPIT_INVALID_ARGUMENT, "the arguments are not a map");
    }
    if (unplaced > UINT32_MAX - map.as.count) {
        return explain(reading->why, SNAKEPIT_INVALID_ARGUMENT, "too many arguments");
    }
    snakepit_writer_map(reading->writer, map.as.count + (uint32_t)unplaced);
    write_unplaced(reading);
    return SNAKEPIT_OK;
}

// ---- Whole --------------------------------------------------------------------------

// Into `plain`: what is JSON or a Value, with inline tensors; or MessagePack as it is.
static snakepit_err read_plain(const struct sp_v1_payload *payload,
                               uint64_t most_values,
                               snakepit_writer *plain,
                               snakepit_message *why)
{
    const struct sp_json_limit limit = {.values = most_values,
                                        .name = SP_BODY_LIMIT_NAME};
    snakepit_reader reader;
    snakepit_err err;
    switch (payload->which) {
    case FORM_VALUE:
        sp_proto_value_read(payload->value, plain);
        err = snakepit_writer_explain(plain, why);
        snakepit_reader_init(&reader, plain->buf.data, plain->buf.size);
        return err == SNAKEPIT_OK ? sp_body_count(reader, most_values, why) : err;
    case FORM_JSON:
        return sp_json_read(plain, payload->json, &limit, why);
    case FORM_MSGPACK:
        snakepit_reader_init(&reader, payload->msgpack.data, payload->msgpack.size);
        err = sp_body_check(&reader, most_values, why);
        if (err == SNAKEPIT_OK) {
            sp_writer_value(plain, payload->msgpack);
        }
        return err;
    default:
        snakepit_writer_map(plain, 0);
        return snakepit_writer_error(plain);
    }
}

// The value in `writer` becomes one with its tensors.
static snakepit_err place_tensors(const struct sp_v1_payload *payload,
                                  bool arguments,
                                  struct reading *reading)
{
    snakepit_reader at;
    snakepit_err err = read_names(payload, &reading->names, reading->why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    snakepit_reader_init(&at, reading->source.data, reading->source.size);
    if (arguments) {
        err = write_arguments(reading, &at);
    }
    err = err == SNAKEPIT_OK ? write_rest(reading, &at) : err;
    for (size_t i = 0; i < reading->names.count && err == SNAKEPIT_OK && !arguments;
         i++) {
        if (!reading->names.rows[i].used) {
            err = explain_tensor(
                reading->why, reading->names.rows[i].name, "has no place in the value");
        }
    }
    return err == SNAKEPIT_OK ? snakepit_writer_explain(reading->writer, reading->why)
                              : err;
}

// What one writer holds, the other one does.
static void swap(snakepit_writer *one, snakepit_writer *other)
{
    const snakepit_writer kept = *one;
    *one = *other;
    *other = kept;
}

static snakepit_err write_anew(const struct sp_v1_payload *payload,
                               bool arguments,
                               snakepit_writer *writer,
                               snakepit_message *why)
{
    struct reading reading = {.writer = writer,
                              .plain = snakepit_writer_new(),
                              .why = why,
                              .msgpack = payload->which == FORM_MSGPACK};
    if (reading.plain == NULL) {
        return explain(why, SNAKEPIT_NO_MEMORY, "the value does not fit into memory");
    }
    swap(reading.plain, writer);
    reading.source = reading.msgpack ? payload->msgpack
                                     : (struct sp_slice){reading.plain->buf.data,
                                                         reading.plain->buf.size};
    snakepit_err err = place_tensors(payload, arguments, &reading);
    // The elements of inline tensors go on living with the writer.
    writer->blocks = reading.plain->blocks;
    reading.plain->blocks = NULL;
    snakepit_writer_free(reading.plain);
    sp_free(reading.names.rows);
    return err;
}

static bool holds_a_map(const snakepit_writer *writer)
{
    const uint8_t first = writer->buf.data[0];
    return (first >= 0x80 && first < 0x90) || first == 0xde || first == 0xdf;
}

snakepit_err sp_payload_read(const struct sp_v1_payload *payload,
                             bool arguments,
                             uint64_t most_values,
                             snakepit_writer *writer,
                             snakepit_message *why)
{
    static const struct sp_v1_payload nothing;
    payload = payload == NULL ? &nothing : payload;
    why->text[0] = '\0';
    if (payload->which == FORM_NONE && !arguments) {
        return explain(why, SNAKEPIT_INVALID_ARGUMENT, "the payload has no value");
    }
    snakepit_err err = read_plain(payload, most_values, writer, why);
    if (err == SNAKEPIT_OK &&
        (payload->tensors.count != 0 ||
         sp_mark_may_be_in((struct sp_slice){writer->buf.data, writer->buf.size}))) {
        err = write_anew(payload, arguments, writer, why);
    }
    if (err == SNAKEPIT_OK && arguments && !holds_a_map(writer)) {
        err = explain(why, SNAKEPIT_INVALID_ARGUMENT, "the arguments are not a map");
    }
    if (err != SNAKEPIT_OK && why->text[0] == '\0') {
        return explain(why, err, snakepit_err_text(err));
    }
    return err;
}
