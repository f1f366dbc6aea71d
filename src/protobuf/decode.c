// SPDX-License-Identifier: MIT
// One pass over the bytes. Each message inside another one is one more call, so the
// depth is bounded; the path to the present field is kept for whoever asks what is
// wrong.
#include "protobuf/message.h"

#include <stdio.h>
#include <string.h>

#include "protobuf/utf8.h"
#include "protobuf/wire.h"

struct decoder {
    struct sp_scratch *scratch;
    unsigned depth;
    const struct sp_proto_field *path[SP_PROTO_DEPTH_MAX];
    const char *wrong; // the first thing that is
    snakepit_err err;
};

static bool decode_message(struct decoder *d,
                           const struct sp_proto_type *type,
                           struct sp_slice bytes,
                           void *message);

static bool refuse(struct decoder *d, const char *wrong)
{
    d->err = SNAKEPIT_MALFORMED;
    d->wrong = wrong;
    return false;
}

static void *take(struct decoder *d, size_t bytes)
{
    void *taken = sp_scratch_take(d->scratch, bytes);
    if (taken == NULL) {
        d->err = SNAKEPIT_NO_MEMORY;
        d->wrong = "the message takes more memory than it may";
    }
    return taken;
}

// ---- What tables say ----------------------------------------------------------------

// Numbers ascend, and mostly without a gap.
static const struct sp_proto_field *field_of(const struct sp_proto_type *type,
                                             uint32_t number)
{
    if (number <= type->count && type->fields[number - 1].number == number) {
        return &type->fields[number - 1];
    }
    for (size_t i = 0; i < type->count; i++) {
        if (type->fields[i].number == number) {
            return &type->fields[i];
        }
    }
    return NULL;
}

static enum sp_wire_type wire_type_of(enum sp_proto_kind kind)
{
    if (sp_proto_is_eight_bytes(kind)) {
        return SP_WIRE_FIXED64;
    }
    if (kind == SP_PROTO_FLOAT) {
        return SP_WIRE_FIXED32;
    }
    return kind >= SP_PROTO_TEXT ? SP_WIRE_BYTES : SP_WIRE_VARINT;
}

static size_t item_size(const struct sp_proto_field *field)
{
    switch (field->kind) {
    case SP_PROTO_BOOL:
        return sizeof(bool);
    case SP_PROTO_INT32:
    case SP_PROTO_UINT32:
    case SP_PROTO_ENUM:
    case SP_PROTO_FLOAT:
        return sizeof(uint32_t);
    case SP_PROTO_INT64:
    case SP_PROTO_UINT64:
    case SP_PROTO_DOUBLE:
    case SP_PROTO_FIXED64:
        return sizeof(uint64_t);
    case SP_PROTO_MESSAGE:
        return field->type->size;
    default:
        return sizeof(struct sp_slice);
    }
}

// ---- Values -------------------------------------------------------------------------

// A number, whose wire type was right, into memory of its kind.
static bool
read_number(struct decoder *d, struct sp_wire *wire, enum sp_proto_kind kind, void *out)
{
    uint64_t value = 0;
    if (sp_proto_is_eight_bytes(kind)) {
        return sp_wire_double(wire, out) || refuse(d, "a number is cut off");
    }
    if (kind == SP_PROTO_FLOAT) {
        return sp_wire_float(wire, out) || refuse(d, "a number is cut off");
    }
    if (!sp_wire_varint(wire, &value)) {
        return refuse(d, "a number is cut off, or has more than ten bytes");
    }
    const uint32_t low = (uint32_t)value;
    const bool truth = value != 0;
    if (kind == SP_PROTO_BOOL) {
        memcpy(out, &truth, sizeof truth);
    } else if (kind == SP_PROTO_INT64 || kind == SP_PROTO_UINT64) {
        memcpy(out, &value, sizeof value);
    } else {
        memcpy(out, &low, sizeof low);
    }
    return true;
}

// The bytes of a raw message, behind those that are there already.
static bool append_raw(struct decoder *d, struct sp_slice more, struct sp_slice *raw)
{
    if (raw->size == 0 || more.size == 0) {
        *raw = raw->size == 0 ? more : *raw;
        return true;
    }
    uint8_t *both = take(d, raw->size + more.size);
    if (both == NULL) {
        return false;
    }
    memcpy(both, raw->data, raw->size);
    memcpy(both + raw->size, more.data, more.size);
    *raw = (struct sp_slice){both, raw->size + more.size};
    return true;
}

// Text, bytes or a raw message. `fresh`: what was there does not count.
static bool read_slice(struct decoder *d,
                       const struct sp_proto_field *field,
                       struct sp_slice bytes,
                       bool fresh,
                       struct sp_slice *slice)
{
    if (field->kind == SP_PROTO_TEXT && !sp_utf8_is_valid(bytes)) {
        return refuse(d, "the text is not UTF-8");
    }
    if (field->kind == SP_PROTO_RAW && !fresh) {
        return append_raw(d, bytes, slice);
    }
    *slice = bytes;
    return true;
}

static bool read_message(struct decoder *d,
                         const struct sp_proto_field *field,
                         struct sp_slice bytes,
                         bool fresh,
                         void **message)
{
    if (*message == NULL || fresh) {
        *message = take(d, field->type->size);
    }
    return *message != NULL && decode_message(d, field->type, bytes, *message);
}

// ---- Lists --------------------------------------------------------------------------

// Room for one more item at the end of a list; NULL: without memory. A list has room
// for as many items as the next power of two.
static void *add_item(struct decoder *d, const struct sp_proto_field *field, void *at)
{
    struct sp_proto_list list;
    const size_t size = item_size(field);
    memcpy(&list, at, sizeof list);
    if ((list.count & (list.count - 1)) == 0 && list.count != 1) {
        const size_t room = list.count == 0 ? 2 : 2 * list.count;
        void *items = take(d, room * size);
        if (items == NULL) {
            return NULL;
        }
        if (list.count != 0) {
            memcpy(items, list.items, list.count * size);
        }
        list.items = items;
    }
    void *item = (uint8_t *)list.items + list.count++ * size;
    memcpy(at, &list, sizeof list);
    return item;
}

static bool read_packed(struct decoder *d,
                        const struct sp_proto_field *field,
                        struct sp_slice bytes,
                        void *at)
{
    struct sp_wire wire = sp_wire_of(bytes);
    while (!sp_wire_ends(&wire)) {
        void *item = add_item(d, field, at);
        if (item == NULL || !read_number(d, &wire, field->kind, item)) {
            return false;
        }
    }
    return true;
}

static bool read_item(struct decoder *d,
                      const struct sp_proto_field *field,
                      struct sp_wire *wire,
                      void *at)
{
    struct sp_slice bytes;
    void *item = add_item(d, field, at);
    if (item == NULL) {
        return false;
    }
    if (field->kind < SP_PROTO_TEXT) {
        return read_number(d, wire, field->kind, item);
    }
    if (!sp_wire_bytes(wire, &bytes)) {
        return refuse(d, "it is longer than what was sent");
    }
    return field->kind == SP_PROTO_MESSAGE ? decode_message(d, field->type, bytes, item)
                                           : read_slice(d, field, bytes, true, item);
}

// ---- Fields -------------------------------------------------------------------------

// That the field is there; true: what was there of it before does not count.
static bool mark_present(const struct sp_proto_field *field, uint8_t *message)
{
    struct sp_proto_head head;
    if (field->label == SP_PROTO_OPTIONAL) {
        message[field->has] = true;
    } else if (field->label == SP_PROTO_CHOICE) {
        memcpy(&head, message, sizeof head);
        const bool fresh = head.which != field->number;
        head.which = field->number;
        memcpy(message, &head, sizeof head);
        return fresh;
    }
    return false;
}

static bool read_single(struct decoder *d,
                        const struct sp_proto_field *field,
                        struct sp_wire *wire,
                        uint8_t *message)
{
    struct sp_slice bytes;
    void *at = message + field->offset;
    const bool fresh = mark_present(field, message);
    if (field->kind < SP_PROTO_TEXT) {
        return read_number(d, wire, field->kind, at);
    }
    if (!sp_wire_bytes(wire, &bytes)) {
        return refuse(d, "it is longer than what was sent");
    }
    return field->kind == SP_PROTO_MESSAGE
               ? read_message(d, field, bytes, fresh, (void **)at)
               : read_slice(d, field, bytes, fresh, at);
}

static bool read_list(struct decoder *d,
                      const struct sp_proto_field *field,
                      enum sp_wire_type type,
                      struct sp_wire *wire,
                      uint8_t *message)
{
    struct sp_slice bytes;
    if (type == wire_type_of(field->kind)) {
        return read_item(d, field, wire, message + field->offset);
    }
    if (!sp_wire_bytes(wire, &bytes)) {
        return refuse(d, "it is longer than what was sent");
    }
    return read_packed(d, field, bytes, message + field->offset);
}

// How a field begins.
struct tag {
    uint32_t number;
    enum sp_wire_type type;
};

// One field; what is unknown, or has a type that it should not have, is skipped.
static bool read_field(struct decoder *d,
                       const struct sp_proto_field *field,
                       struct tag tag,
                       struct sp_wire *wire,
                       uint8_t *message)
{
    const enum sp_wire_type type = tag.type;
    const bool listed = field != NULL && field->label >= SP_PROTO_MANY;
    const bool packed = listed && field->kind < SP_PROTO_TEXT && type == SP_WIRE_BYTES;
    if (field == NULL || (type != wire_type_of(field->kind) && !packed)) {
        return sp_wire_skip(wire, tag.number, type, SP_PROTO_DEPTH_MAX - d->depth) ||
               refuse(d, "a field that is not known here is cut off, or no field");
    }
    return listed ? read_list(d, field, type, wire, message)
                  : read_single(d, field, wire, message);
}

static bool decode_message(struct decoder *d,
                           const struct sp_proto_type *type,
                           struct sp_slice bytes,
                           void *message)
{
    struct tag tag;
    struct sp_wire wire = sp_wire_of(bytes);
    if (d->depth == SP_PROTO_DEPTH_MAX) {
        return refuse(d, "too many messages are inside each other");
    }
    const unsigned depth = d->depth++;
    while (!sp_wire_ends(&wire)) {
        d->path[depth] = NULL;
        if (!sp_wire_tag(&wire, &tag.number, &tag.type)) {
            return refuse(d, "what should be a field is none");
        }
        d->path[depth] = field_of(type, tag.number);
        if (!read_field(d, d->path[depth], tag, &wire, message)) {
            return false;
        }
    }
    d->depth--;
    return true;
}

// ---- Whole --------------------------------------------------------------------------

// "CallRequest.arguments.tensors: the text is not UTF-8"
static void explain(const struct decoder *d,
                    const struct sp_proto_type *type,
                    snakepit_message *why)
{
    size_t used = (size_t)snprintf(why->text, sizeof why->text, "%s", type->name);
    for (unsigned i = 0; i < d->depth && d->path[i] != NULL; i++) {
        if (used < sizeof why->text / 2) {
            used += (size_t)snprintf(
                why->text + used, sizeof why->text - used, ".%s", d->path[i]->name);
        }
    }
    (void)snprintf(why->text + used, sizeof why->text - used, ": %s", d->wrong);
}

snakepit_err sp_proto_decode(const struct sp_proto_type *type,
                             struct sp_slice bytes,
                             struct sp_scratch *scratch,
                             void *message,
                             snakepit_message *why)
{
    struct decoder d = {.scratch = scratch, .err = SNAKEPIT_OK};
    why->text[0] = '\0';
    if (bytes.size != 0 && !decode_message(&d, type, bytes, message)) {
        explain(&d, type, why);
    }
    return d.err;
}
