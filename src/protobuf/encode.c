// SPDX-License-Identifier: MIT
// One pass over the structs. A length stands before what it counts: it has one byte
// until the end is known, and what needs more makes itself room, which moves few bytes
// since large ones are never copied here.
#include "protobuf/message.h"

#include <string.h>

#include "protobuf/wire.h"

struct encoder {
    struct sp_proto_out *out;
    bool flat; // everything is copied
    snakepit_err err;
};

static void
put_message(struct encoder *e, const struct sp_proto_type *type, const void *message);

static bool done(struct encoder *e, snakepit_err err)
{
    e->err = e->err == SNAKEPIT_OK ? err : e->err;
    return e->err == SNAKEPIT_OK;
}

// ---- Foreign bytes ------------------------------------------------------------------

// Those from `first` on stand behind bytes that have moved.
static void move_foreign(struct sp_proto_out *out, size_t first, size_t gap)
{
    for (size_t i = first; i < out->foreign.size;
         i += sizeof(struct sp_proto_foreign)) {
        struct sp_proto_foreign row;
        memcpy(&row, out->foreign.data + i, sizeof row);
        row.at += gap;
        memcpy(out->foreign.data + i, &row, sizeof row);
    }
}

static void put_foreign(struct encoder *e, uint32_t number, struct sp_slice bytes)
{
    struct sp_proto_out *out = e->out;
    if (bytes.size > SP_WIRE_SIZE_MAX ||
        !done(e, sp_buf_reserve(&out->bytes, SP_WIRE_TAG_MAX + SP_WIRE_VARINT_MAX))) {
        (void)done(e, SNAKEPIT_NO_MEMORY);
        return;
    }
    uint8_t *at = out->bytes.data + out->bytes.size;
    at = sp_wire_put_tag(at, number, SP_WIRE_BYTES);
    at = sp_wire_put_varint(at, bytes.size);
    out->bytes.size = (size_t)(at - out->bytes.data);
    const struct sp_proto_foreign row = {out->bytes.size, bytes};
    if (done(e, sp_buf_append(&out->foreign, &row, sizeof row))) {
        out->foreign_bytes += bytes.size;
    }
}

static void put_slice(struct encoder *e, uint32_t number, struct sp_slice bytes)
{
    if (bytes.size >= SP_PROTO_FOREIGN_MIN && !e->flat) {
        put_foreign(e, number, bytes);
    } else {
        (void)done(e, sp_wire_add_bytes(&e->out->bytes, number, bytes));
    }
}

// ---- Values -------------------------------------------------------------------------

// What a varint has of a number in memory.
static uint64_t varint_of(enum sp_proto_kind kind, const void *at)
{
    int32_t low;
    uint64_t value;
    if (kind == SP_PROTO_BOOL) {
        return *(const bool *)at;
    }
    if (kind == SP_PROTO_INT64 || kind == SP_PROTO_UINT64) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&low, at, sizeof low);
    return kind == SP_PROTO_UINT32 ? (uint32_t)low : (uint64_t)(int64_t)low;
}

static double double_of(const void *at)
{
    double value;
    memcpy(&value, at, sizeof value);
    return value;
}

static float float_of(const void *at)
{
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

static struct sp_slice slice_of(const void *at)
{
    struct sp_slice slice;
    memcpy(&slice, at, sizeof slice);
    return slice;
}

static void put_nested(struct encoder *e,
                       uint32_t number,
                       const struct sp_proto_type *type,
                       const void *message)
{
    size_t start = 0;
    size_t gap = 0;
    struct sp_proto_out *out = e->out;
    const size_t first = out->foreign.size;
    const size_t before = out->foreign_bytes;
    if (!done(e, sp_wire_begin(&out->bytes, number, &start))) {
        return;
    }
    if (message != NULL) {
        put_message(e, type, message);
    }
    if (e->err == SNAKEPIT_OK &&
        done(e, sp_wire_end(&out->bytes, start, out->foreign_bytes - before, &gap)) &&
        gap != 0) {
        move_foreign(out, first, gap);
    }
}

// Whatever it is.
static void
put_value(struct encoder *e, const struct sp_proto_field *field, const void *at)
{
    const void *message;
    if (sp_proto_is_eight_bytes(field->kind)) {
        (void)done(e, sp_wire_add_double(&e->out->bytes, field->number, double_of(at)));
    } else if (field->kind == SP_PROTO_FLOAT) {
        (void)done(e, sp_wire_add_float(&e->out->bytes, field->number, float_of(at)));
    } else if (field->kind < SP_PROTO_TEXT) {
        (void)done(e,
                   sp_wire_add_varint(
                       &e->out->bytes, field->number, varint_of(field->kind, at)));
    } else if (field->kind == SP_PROTO_MESSAGE) {
        memcpy((void *)&message, at, sizeof message);
        put_nested(e, field->number, field->type, message);
    } else {
        put_slice(e, field->number, slice_of(at));
    }
}

// ---- Lists --------------------------------------------------------------------------

static size_t number_size(enum sp_proto_kind kind)
{
    if (kind == SP_PROTO_BOOL) {
        return sizeof(bool);
    }
    return kind == SP_PROTO_INT64 || kind == SP_PROTO_UINT64 ||
                   sp_proto_is_eight_bytes(kind)
               ? sizeof(uint64_t)
               : sizeof(uint32_t);
}

static snakepit_err
add_packed(struct sp_buf *buf, enum sp_proto_kind kind, const void *item)
{
    uint64_t value = 0;
    if (sp_buf_reserve(buf, SP_WIRE_VARINT_MAX) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    uint8_t *out = buf->data + buf->size;
    if (sp_proto_is_eight_bytes(kind) || kind == SP_PROTO_FLOAT) {
        const size_t size = number_size(kind);
        memcpy(&value, item, size);
        for (unsigned i = 0; i < size; i++) {
            *out++ = (uint8_t)(value >> (8 * i));
        }
    } else {
        out = sp_wire_put_varint(out, varint_of(kind, item));
    }
    buf->size = (size_t)(out - buf->data);
    return SNAKEPIT_OK;
}

static void put_packed(struct encoder *e,
                       const struct sp_proto_field *field,
                       const struct sp_proto_list *list)
{
    size_t start = 0;
    size_t gap;
    const uint8_t *item = list->items;
    struct sp_buf *buf = &e->out->bytes;
    if (!done(e, sp_wire_begin(buf, field->number, &start))) {
        return;
    }
    for (size_t i = 0; i < list->count && e->err == SNAKEPIT_OK; i++) {
        (void)done(e, add_packed(buf, field->kind, item));
        item += number_size(field->kind);
    }
    if (e->err == SNAKEPIT_OK) {
        (void)done(e, sp_wire_end(buf, start, 0, &gap));
    }
}

static void
put_list(struct encoder *e, const struct sp_proto_field *field, const void *at)
{
    struct sp_proto_list list;
    memcpy(&list, at, sizeof list);
    if (list.count != 0 && field->kind < SP_PROTO_TEXT) {
        put_packed(e, field, &list);
        return;
    }
    const uint8_t *item = list.items;
    for (size_t i = 0; i < list.count && e->err == SNAKEPIT_OK; i++) {
        if (field->kind == SP_PROTO_MESSAGE) {
            put_nested(e, field->number, field->type, item);
            item += field->type->size;
        } else {
            put_slice(e, field->number, slice_of(item));
            item += sizeof(struct sp_slice);
        }
    }
}

// ---- Messages -----------------------------------------------------------------------

// Whether a field without presence has another value than its default.
static bool is_set(const struct sp_proto_field *field, const void *at)
{
    const void *message;
    uint64_t bits;
    switch (field->kind) {
    case SP_PROTO_MESSAGE:
        memcpy((void *)&message, at, sizeof message);
        return message != NULL;
    case SP_PROTO_RAW:
        return slice_of(at).data != NULL;
    case SP_PROTO_TEXT:
    case SP_PROTO_BYTES:
        return slice_of(at).size != 0;
    case SP_PROTO_DOUBLE:
    case SP_PROTO_FIXED64:
        memcpy(&bits, at, sizeof bits);
        return bits != 0; // -0.0 is not the default
    case SP_PROTO_FLOAT:
        return varint_of(SP_PROTO_UINT32, at) != 0;
    default:
        return varint_of(field->kind, at) != 0;
    }
}

static bool is_there(const struct sp_proto_type *type,
                     const struct sp_proto_field *field,
                     const uint8_t *message)
{
    struct sp_proto_head head;
    switch (field->label) {
    case SP_PROTO_OPTIONAL:
        return message[field->has] != 0;
    case SP_PROTO_CHOICE:
        memcpy(&head, message, sizeof head);
        return head.which == field->number;
    default:
        // Entries of maps have both members, as others write them.
        return type->file == NULL || is_set(field, message + field->offset);
    }
}

static void
put_message(struct encoder *e, const struct sp_proto_type *type, const void *message)
{
    const uint8_t *at = message;
    for (size_t i = 0; i < type->count && e->err == SNAKEPIT_OK; i++) {
        const struct sp_proto_field *field = &type->fields[i];
        if (field->label >= SP_PROTO_MANY) {
            put_list(e, field, at + field->offset);
        } else if (is_there(type, field, at)) {
            put_value(e, field, at + field->offset);
        }
    }
}

static snakepit_err encode(struct sp_proto_out *out,
                           const struct sp_proto_type *type,
                           const void *message,
                           bool flat)
{
    struct encoder e = {.out = out, .flat = flat, .err = SNAKEPIT_OK};
    const size_t bytes = out->bytes.size;
    const size_t foreign = out->foreign.size;
    const size_t foreign_bytes = out->foreign_bytes;
    put_message(&e, type, message);
    if (e.err == SNAKEPIT_OK &&
        sp_proto_out_size(out) - bytes - foreign_bytes > SP_WIRE_SIZE_MAX) {
        e.err = SNAKEPIT_NO_MEMORY;
    }
    if (e.err != SNAKEPIT_OK) {
        out->bytes.size = bytes;
        out->foreign.size = foreign;
        out->foreign_bytes = foreign_bytes;
    }
    return e.err;
}

snakepit_err sp_proto_encode(const struct sp_proto_type *type,
                             const void *message,
                             struct sp_proto_out *out)
{
    return encode(out, type, message, false);
}

snakepit_err sp_proto_encode_flat(const struct sp_proto_type *type,
                                  const void *message,
                                  struct sp_buf *buf)
{
    struct sp_proto_out out = {.bytes = *buf};
    snakepit_err err = encode(&out, type, message, true);
    *buf = out.bytes;
    return err;
}

// ---- What came of it ----------------------------------------------------------------

void sp_proto_out_fini(struct sp_proto_out *out)
{
    sp_buf_fini(&out->bytes);
    sp_buf_fini(&out->foreign);
    out->foreign_bytes = 0;
}

size_t sp_proto_out_size(const struct sp_proto_out *out)
{
    return out->bytes.size + out->foreign_bytes;
}

static struct sp_proto_foreign foreign_at(const struct sp_proto_out *out, size_t index)
{
    struct sp_proto_foreign row;
    memcpy(&row, out->foreign.data + index * sizeof row, sizeof row);
    return row;
}

bool sp_proto_out_part(const struct sp_proto_out *out,
                       size_t index,
                       struct sp_slice *part)
{
    const size_t count = out->foreign.size / sizeof(struct sp_proto_foreign);
    if (index > 2 * count) {
        return false;
    }
    if (index % 2 == 1) {
        *part = foreign_at(out, index / 2).bytes;
        return true;
    }
    const size_t from = index == 0 ? 0 : foreign_at(out, index / 2 - 1).at;
    const size_t to =
        index / 2 == count ? out->bytes.size : foreign_at(out, index / 2).at;
    *part = (struct sp_slice){out->bytes.data == NULL ? NULL : out->bytes.data + from,
                              to - from};
    return true;
}
