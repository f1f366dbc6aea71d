// SPDX-License-Identifier: MIT
// A value without tensors is said as it is. Of the others a copy is made that has names
// in the place of tensors, whose data is borrowed.
#include "grpc/proto_payload.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "grpc/proto_value.h"
#include "http/marks.h"
#include "payload/json.h"
#include "payload/writer.h"

struct writing {
    enum sp_v1_form form;
    struct sp_scratch *scratch;
    struct sp_v1_payload *payload;
    snakepit_writer *plain; // the value with names in the place of tensors
    struct sp_v1_tensor *tensors;
    size_t unnamed; // tensors that have a number for a name
    snakepit_err err;
};

static snakepit_err
explain(snakepit_message *why, snakepit_err err, const char *sentence)
{
    (void)snprintf(why->text, sizeof why->text, "%s", sentence);
    return err;
}

snakepit_err sp_payload_form(int32_t asked,
                             const struct sp_v1_payload *request,
                             enum sp_v1_form *form)
{
    const uint32_t which = request == NULL ? 0 : request->which;
    if (asked < 0 || asked > SP_V1_FORM_MSGPACK) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (asked != SP_V1_FORM_UNSPECIFIED) {
        *form = (enum sp_v1_form)asked;
    } else {
        *form = which == 0 ? SP_V1_FORM_STRUCT : (enum sp_v1_form)which;
    }
    return SNAKEPIT_OK;
}

// ---- Tensors ------------------------------------------------------------------------

// NULL: without memory.
static int64_t *copy_shape(struct writing *writing, const snakepit_tensor *tensor)
{
    int64_t *shape =
        sp_scratch_take(writing->scratch, sizeof *shape * SNAKEPIT_MAX_RANK);
    if (shape != NULL) {
        memcpy(shape, tensor->shape, sizeof *shape * tensor->rank);
    }
    return shape;
}

static bool
add_tensor(struct writing *writing, const snakepit_tensor *tensor, struct sp_slice name)
{
    size_t bytes = 0;
    const size_t index = writing->payload->tensors.count;
    struct sp_v1_tensor *message = &writing->tensors[index];
    (void)snakepit_tensor_bytes(tensor, &bytes);
    message->dtype = sp_slice_of_text(snakepit_dtype_name(tensor->dtype));
    message->shape.items = copy_shape(writing, tensor);
    message->shape.count = tensor->rank;
    message->data = (struct sp_slice){tensor->data, bytes};
    if (message->shape.items == NULL) {
        return false;
    }
    writing->payload->tensors.items[index] =
        (struct sp_text_to_v1_tensor){.key = name, .value = message};
    writing->payload->tensors.count = index + 1;
    return true;
}

// "/0", "/1" and so on. NULL data: without memory.
static struct sp_slice number_name(struct writing *writing)
{
    const size_t room = 24;
    char *text = sp_scratch_take(writing->scratch, room);
    if (text == NULL) {
        return (struct sp_slice){NULL, 0};
    }
    (void)snprintf(text, room, "/%zu", writing->unnamed++);
    return sp_slice_of_text(text);
}

// `name` NULL: it gets a number.
static void write_tensor(struct writing *writing,
                         const snakepit_tensor *tensor,
                         const struct sp_slice *name)
{
    const struct sp_slice given = name != NULL ? *name : number_name(writing);
    if (given.data == NULL || !add_tensor(writing, tensor, given)) {
        writing->err = SNAKEPIT_NO_MEMORY;
        return;
    }
    snakepit_writer_map(writing->plain, 1);
    snakepit_writer_str(writing->plain, SP_MARK_TENSOR);
    snakepit_writer_strn(writing->plain, (const char *)given.data, given.size);
}

// ---- Values with marks --------------------------------------------------------------

// Whether the map whose key `at` stands before would be taken for something else. What
// JSON and Value escape themselves is left to them.
static bool wants_escape(const struct writing *writing,
                         const snakepit_value *map,
                         snakepit_reader at,
                         snakepit_value *key)
{
    snakepit_value value;
    if (!sp_mark_is_next(map, at, key)) {
        return false;
    }
    if (writing->form == SP_V1_FORM_MSGPACK) {
        return true;
    }
    return sp_mark_is(key, SP_MARK_TENSOR) &&
           snakepit_reader_skip(&at) == SNAKEPIT_OK &&
           snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_TEXT;
}

static void write_ext(struct writing *writing,
                      const snakepit_value *value,
                      const snakepit_reader *before,
                      const snakepit_reader *behind)
{
    if (writing->form != SP_V1_FORM_MSGPACK) {
        sp_writer_value(
            writing->plain,
            (struct sp_slice){before->at, (size_t)(behind->at - before->at)});
        return;
    }
    snakepit_writer_map(writing->plain, 1);
    snakepit_writer_str(writing->plain, SP_MARK_EXT);
    snakepit_writer_bytes(writing->plain, value->as.bytes.data, value->as.bytes.size);
}

// One piece of the value, and of a map with a mark the key; `*added` pieces of it
// follow.
static void write_piece(struct writing *writing, snakepit_reader *at, uint64_t *added)
{
    snakepit_value key;
    snakepit_value value;
    const snakepit_reader before = *at;
    *added = 0;
    if (snakepit_reader_next(at, &value) != SNAKEPIT_OK) {
        writing->err = SNAKEPIT_MALFORMED;
    } else if (value.kind == SNAKEPIT_TENSOR) {
        write_tensor(writing, &value.as.tensor, NULL);
    } else if (value.kind == SNAKEPIT_EXTENSION) {
        write_ext(writing, &value, &before, at);
    } else if (wants_escape(writing, &value, *at, &key)) {
        (void)snakepit_reader_next(at, &key);
        snakepit_writer_map(writing->plain, 1);
        sp_mark_write(writing->plain, key.as.text, true);
        *added = 1;
    } else {
        sp_mark_copy(writing->plain, &value);
        *added = value.kind == SNAKEPIT_ARRAY ? value.as.count
                 : value.kind == SNAKEPIT_MAP ? 2 * (uint64_t)value.as.count
                                              : 0;
    }
}

static void write_whole(struct writing *writing, snakepit_reader *at)
{
    uint64_t added;
    for (uint64_t pending = 1; pending != 0 && writing->err == SNAKEPIT_OK;) {
        write_piece(writing, at, &added);
        pending = pending - 1 + added;
    }
}

// A member of the map that is the whole value: a tensor has its key for a name. A key
// that begins as a number does is left to be one.
static void write_member(struct writing *writing, snakepit_reader *at)
{
    snakepit_value key;
    snakepit_value value;
    snakepit_reader ahead = *at;
    if (snakepit_reader_next(&ahead, &key) == SNAKEPIT_OK &&
        key.kind == SNAKEPIT_TEXT &&
        (key.as.text.size == 0 || key.as.text.data[0] != '/') &&
        snakepit_reader_next(&ahead, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_TENSOR) {
        const struct sp_slice name = {(const uint8_t *)key.as.text.data,
                                      key.as.text.size};
        snakepit_writer_strn(writing->plain, key.as.text.data, key.as.text.size);
        write_tensor(writing, &value.as.tensor, &name);
        *at = ahead;
        return;
    }
    write_whole(writing, at); // the key
    write_whole(writing, at);
}

static void write_root(struct writing *writing, snakepit_reader *at)
{
    static const struct sp_slice whole = {(const uint8_t *)"", 0};
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_value key;
    snakepit_reader ahead = *at;
    (void)snakepit_reader_next(&ahead, &value);
    if (value.kind == SNAKEPIT_TENSOR) {
        write_tensor(writing, &value.as.tensor, &whole);
    } else if (value.kind == SNAKEPIT_MAP &&
               !wants_escape(writing, &value, ahead, &key)) {
        snakepit_writer_map(writing->plain, value.as.count);
        for (uint32_t i = 0; i < value.as.count && writing->err == SNAKEPIT_OK; i++) {
            write_member(writing, &ahead);
        }
    } else {
        write_whole(writing, at);
    }
}

// ---- Forms --------------------------------------------------------------------------

// As JSON and back, so that all keys are texts, no two alike. NULL: it has no JSON.
static snakepit_writer *
with_text_keys(const snakepit_reader *value, snakepit_message *why, snakepit_err *err)
{
    struct sp_buf text = {0};
    snakepit_reader reader = *value;
    snakepit_writer *writer = snakepit_writer_new();
    *err = writer == NULL ? SNAKEPIT_NO_MEMORY : sp_json_write(&reader, &text, why);
    if (*err == SNAKEPIT_OK) {
        *err = snakepit_writer_json(writer, (const char *)text.data, text.size, why);
    }
    sp_buf_fini(&text);
    if (*err != SNAKEPIT_OK) {
        snakepit_writer_free(writer);
        return NULL;
    }
    return writer;
}

static snakepit_err
write_struct(const snakepit_reader *value, struct sp_buf *out, snakepit_message *why)
{
    snakepit_err err = sp_proto_value_write(value, out, why);
    if (err != SNAKEPIT_UNSERIALISABLE || sp_proto_has_text_keys(value)) {
        return err;
    }
    snakepit_reader reader;
    snakepit_writer *texts = with_text_keys(value, why, &err);
    if (texts != NULL) {
        out->size = 0;
        snakepit_reader_init(&reader, texts->buf.data, texts->buf.size);
        err = sp_proto_value_write(&reader, out, why);
        snakepit_writer_free(texts);
    }
    return err;
}

// The value, which has no tensors any more, in its form.
static snakepit_err write_form(struct writing *writing,
                               const snakepit_reader *value,
                               struct sp_buf *out,
                               snakepit_message *why)
{
    snakepit_reader reader = *value;
    snakepit_err err;
    struct sp_v1_payload *payload = writing->payload;
    if (writing->form == SP_V1_FORM_JSON) {
        err = sp_json_write(&reader, out, why);
    } else {
        err = write_struct(&reader, out, why);
    }
    if (err == SNAKEPIT_OK) {
        err = sp_scratch_own(writing->scratch,
                             out,
                             writing->form == SP_V1_FORM_JSON ? &payload->json
                                                              : &payload->value);
    }
    return err;
}

static snakepit_err
finish(struct writing *writing, const snakepit_reader *value, snakepit_message *why)
{
    struct sp_buf out = {0};
    struct sp_v1_payload *payload = writing->payload;
    payload->which = (uint32_t)writing->form; // numbered alike
    if (writing->form == SP_V1_FORM_MSGPACK) {
        payload->msgpack =
            (struct sp_slice){value->at, (size_t)(value->end - value->at)};
        return SNAKEPIT_OK;
    }
    snakepit_err err = write_form(writing, value, &out, why);
    sp_buf_fini(&out);
    return err;
}

// ---- Whole --------------------------------------------------------------------------

// How many tensors the value holds; `*marked`: or ext types, or what may be marks.
static size_t count_tensors(snakepit_reader reader, bool *marked)
{
    size_t count = 0;
    snakepit_value value;
    *marked = sp_mark_may_be_in(
        (struct sp_slice){reader.at, (size_t)(reader.end - reader.at)});
    while (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        count += value.kind == SNAKEPIT_TENSOR;
        *marked |= value.kind == SNAKEPIT_EXTENSION;
    }
    return count;
}

static snakepit_err make_room(struct writing *writing, size_t count)
{
    struct sp_v1_payload *payload = writing->payload;
    payload->tensors.items =
        sp_scratch_take(writing->scratch, count * sizeof *payload->tensors.items);
    writing->tensors =
        sp_scratch_take(writing->scratch, count * sizeof *writing->tensors);
    writing->plain = snakepit_writer_new();
    return payload->tensors.items == NULL || writing->tensors == NULL ||
                   writing->plain == NULL
               ? SNAKEPIT_NO_MEMORY
               : SNAKEPIT_OK;
}

// The same value with names in the place of its tensors, in `scratch`.
static snakepit_err
take_tensors_out(struct writing *writing, snakepit_reader *value, size_t count)
{
    struct sp_slice bytes;
    snakepit_reader at = *value;
    snakepit_err err = make_room(writing, count);
    if (err == SNAKEPIT_OK) {
        write_root(writing, &at);
        err = writing->err != SNAKEPIT_OK ? writing->err
                                          : snakepit_writer_error(writing->plain);
    }
    if (err == SNAKEPIT_OK) {
        err = sp_scratch_own(writing->scratch, &writing->plain->buf, &bytes);
    }
    if (err == SNAKEPIT_OK) {
        snakepit_reader_init(value, bytes.data, bytes.size);
    }
    snakepit_writer_free(writing->plain);
    return err;
}

snakepit_err sp_payload_write(const snakepit_reader *value,
                              enum sp_v1_form form,
                              struct sp_scratch *scratch,
                              struct sp_v1_payload *payload,
                              snakepit_message *why)
{
    bool marked = false;
    snakepit_reader reader = *value;
    snakepit_reader end = *value;
    struct writing writing = {.form = form, .scratch = scratch, .payload = payload};
    *payload = (struct sp_v1_payload){0};
    why->text[0] = '\0';
    if (snakepit_reader_skip(&end) != SNAKEPIT_OK) {
        return explain(why, SNAKEPIT_MALFORMED, "the value is not MessagePack");
    }
    reader.end = end.at;
    const size_t count = count_tensors(reader, &marked);
    snakepit_err err = SNAKEPIT_OK;
    if (count != 0 || marked) {
        err = take_tensors_out(&writing, &reader, count);
    }
    err = err == SNAKEPIT_OK ? finish(&writing, &reader, why) : err;
    if (err != SNAKEPIT_OK && why->text[0] == '\0') {
        return explain(why, err, snakepit_err_text(err));
    }
    return err;
}
