// SPDX-License-Identifier: MIT
// A Value holds one of six fields; the last one that it has counts, and structs and
// lists that come in several parts are merged. MessagePack says the count of a
// container first, so children are counted, and then read.
#include "grpc/proto_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "payload/base64.h"
#include "payload/json.h"
#include "payload/wire.h"
#include "payload/writer.h"
#include "protobuf/utf8.h"
#include "protobuf/wire.h"

enum {
    KIND_NONE,
    KIND_NULL,
    KIND_NUMBER,
    KIND_TEXT,
    KIND_BOOL,
    KIND_STRUCT,
    KIND_LIST
};
enum { ENTRY = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2 };

// Of each field of a Value.
static const enum sp_wire_type wire_types[] = {
    [KIND_NULL] = SP_WIRE_VARINT,
    [KIND_NUMBER] = SP_WIRE_FIXED64,
    [KIND_TEXT] = SP_WIRE_BYTES,
    [KIND_BOOL] = SP_WIRE_VARINT,
    [KIND_STRUCT] = SP_WIRE_BYTES,
    [KIND_LIST] = SP_WIRE_BYTES,
};

#define GROUPS_MAX 100u

// ---- Reading: fields ----------------------------------------------------------------

static void refuse(snakepit_writer *writer)
{
    sp_writer_refuse(
        writer, SNAKEPIT_MALFORMED, "the bytes are not a google.protobuf.Value");
}

// What a Value holds.
struct held {
    unsigned kind;
    struct sp_wire last; // the value of the last field of that kind
    struct sp_wire rest; // from the first of these on
};

static bool find_held(struct sp_slice value, struct held *held)
{
    uint32_t number;
    enum sp_wire_type type;
    struct sp_wire wire = sp_wire_of(value);
    *held = (struct held){.kind = KIND_NONE};
    while (!sp_wire_ends(&wire)) {
        const struct sp_wire field = wire;
        if (!sp_wire_tag(&wire, &number, &type)) {
            return false;
        }
        if (number <= KIND_LIST && type == wire_types[number]) {
            held->rest = number == held->kind ? held->rest : field;
            held->kind = number;
            held->last = wire;
        }
        if (!sp_wire_skip(&wire, number, type, GROUPS_MAX)) {
            return false;
        }
    }
    return true;
}

// The next field of that number that has bytes; none: data is NULL. False: what should
// be a field is none.
static bool next_bytes(struct sp_wire *wire, uint32_t wanted, struct sp_slice *bytes)
{
    uint32_t number;
    enum sp_wire_type type;
    while (!sp_wire_ends(wire)) {
        if (!sp_wire_tag(wire, &number, &type)) {
            return false;
        }
        if (number == wanted && type == SP_WIRE_BYTES) {
            return sp_wire_bytes(wire, bytes);
        }
        if (!sp_wire_skip(wire, number, type, GROUPS_MAX)) {
            return false;
        }
    }
    bytes->data = NULL;
    return true;
}

// The entries of a struct, or the items of a list, that may be in several parts.
struct children {
    unsigned kind;
    struct sp_wire parts;
    struct sp_wire part;
    bool malformed;
};

static struct children children_of(const struct held *held)
{
    return (struct children){.kind = held->kind, .parts = held->rest};
}

static bool next_child(struct children *children, struct sp_slice *child)
{
    struct sp_slice part;
    while (next_bytes(&children->part, ENTRY, child)) {
        if (child->data != NULL) {
            return true;
        }
        if (!next_bytes(&children->parts, children->kind, &part)) {
            break;
        }
        if (part.data == NULL) {
            return false;
        }
        children->part = sp_wire_of(part);
    }
    children->malformed = true;
    return false;
}

static bool count_children(const struct held *held, uint32_t *count)
{
    struct sp_slice child;
    struct children children = children_of(held);
    *count = 0;
    while (next_child(&children, &child)) {
        ++*count;
    }
    return !children.malformed;
}

// The last key and the last value of an entry.
static bool
read_entry(struct sp_slice entry, struct sp_slice *key, struct sp_slice *value)
{
    uint32_t number;
    enum sp_wire_type type;
    struct sp_wire wire = sp_wire_of(entry);
    *key = (struct sp_slice){(const uint8_t *)"", 0};
    *value = *key;
    while (!sp_wire_ends(&wire)) {
        if (!sp_wire_tag(&wire, &number, &type)) {
            return false;
        }
        const bool known = type == SP_WIRE_BYTES && number <= ENTRY_VALUE;
        if (known ? !sp_wire_bytes(&wire, number == ENTRY_KEY ? key : value)
                  : !sp_wire_skip(&wire, number, type, GROUPS_MAX)) {
            return false;
        }
    }
    return true;
}

// ---- Reading: values ----------------------------------------------------------------

static void read_number(struct sp_wire wire, snakepit_writer *writer)
{
    double number = 0;
    (void)sp_wire_double(&wire, &number);
    if (number == trunc(number) && fabs(number) <= (double)SP_PROTO_WHOLE_MAX &&
        !(number == 0 && signbit(number))) {
        snakepit_writer_int(writer, (int64_t)number);
    } else {
        snakepit_writer_double(writer, number);
    }
}

static void read_text(struct sp_slice text, snakepit_writer *writer)
{
    if (!sp_utf8_is_valid(text)) {
        sp_writer_refuse(writer, SNAKEPIT_MALFORMED, "a text is not UTF-8");
        return;
    }
    snakepit_writer_strn(writer, (const char *)text.data, text.size);
}

static void read_list(const struct held *held, snakepit_writer *writer)
{
    uint32_t count;
    struct sp_slice child;
    struct children children = children_of(held);
    if (!count_children(held, &count)) {
        refuse(writer);
        return;
    }
    snakepit_writer_array(writer, count);
    while (writer->err == SNAKEPIT_OK && next_child(&children, &child)) {
        sp_proto_value_read(child, writer);
    }
}

static void read_pair(struct sp_slice entry, snakepit_writer *writer)
{
    struct sp_slice key;
    struct sp_slice value;
    if (!read_entry(entry, &key, &value)) {
        refuse(writer);
        return;
    }
    read_text(key, writer);
    if (writer->err == SNAKEPIT_OK) {
        sp_proto_value_read(value, writer);
    }
}

// A map of one pair may say what Value cannot.
static void read_only_pair(struct sp_slice entry, snakepit_writer *writer)
{
    struct sp_slice key;
    struct sp_slice value;
    struct sp_writer_hold hold;
    const size_t tensors = writer->tensor_count;
    const bool special = read_entry(entry, &key, &value) && key.size != 0 &&
                         key.data[0] == '$' && writer->depth + 4 < SP_DEPTH_MAX;
    if (special && !sp_writer_hold(writer, &hold)) {
        return;
    }
    snakepit_writer_map(writer, 1);
    read_pair(entry, writer);
    if (special) {
        sp_json_take_special(writer, &hold, tensors);
    }
}

static void read_struct(const struct held *held, snakepit_writer *writer)
{
    uint32_t count;
    struct sp_slice child;
    struct children children = children_of(held);
    if (!count_children(held, &count)) {
        refuse(writer);
    } else if (count == 1 && next_child(&children, &child)) {
        read_only_pair(child, writer);
    } else {
        snakepit_writer_map(writer, count);
        while (writer->err == SNAKEPIT_OK && next_child(&children, &child)) {
            read_pair(child, writer);
        }
    }
}

// Recurses at most SP_DEPTH_MAX times: the writer refuses what is deeper.
void sp_proto_value_read(struct sp_slice value, snakepit_writer *writer)
{
    struct held held;
    struct sp_slice text = {0};
    uint64_t number = 0;
    if (!find_held(value, &held)) {
        refuse(writer);
        return;
    }
    switch (held.kind) {
    case KIND_NUMBER:
        read_number(held.last, writer);
        break;
    case KIND_TEXT:
        (void)sp_wire_bytes(&held.last, &text);
        read_text(text, writer);
        break;
    case KIND_BOOL:
        (void)sp_wire_varint(&held.last, &number);
        snakepit_writer_bool(writer, number != 0);
        break;
    case KIND_STRUCT:
        read_struct(&held, writer);
        break;
    case KIND_LIST:
        read_list(&held, writer);
        break;
    default:
        snakepit_writer_nil(writer);
        break;
    }
}

// ---- Writing ------------------------------------------------------------------------

struct out {
    struct sp_buf *buf;
    snakepit_message *why;
    snakepit_err err;
    unsigned depth;
};

static void write_value(struct out *out, snakepit_reader *reader);

static bool add(struct out *out, snakepit_err err)
{
    out->err = out->err == SNAKEPIT_OK ? err : out->err;
    return out->err == SNAKEPIT_OK;
}

static void fail(struct out *out, snakepit_err err, const char *sentence)
{
    if (add(out, err)) {
        return;
    }
    (void)snprintf(out->why->text, sizeof out->why->text, "%s", sentence);
}

static size_t begin(struct out *out, uint32_t number)
{
    size_t start = 0;
    (void)add(out, sp_wire_begin(out->buf, number, &start));
    return start;
}

static void end(struct out *out, size_t start)
{
    size_t gap;
    if (out->err == SNAKEPIT_OK) {
        (void)add(out, sp_wire_end(out->buf, start, 0, &gap));
    }
}

// What is behind `start` becomes UTF-8.
static snakepit_err mend(struct sp_buf *buf, size_t start)
{
    struct sp_buf copy = {0};
    snakepit_err err = sp_buf_append(&copy, buf->data + start, buf->size - start);
    if (err == SNAKEPIT_OK) {
        buf->size = start;
        err = sp_utf8_mend(buf, (struct sp_slice){copy.data, copy.size});
    }
    sp_buf_fini(&copy);
    return err;
}

// Copied first and judged then: the text may change at any time.
static void write_text(struct out *out, uint32_t number, snakepit_span text)
{
    const size_t start = begin(out, number);
    if (add(out, sp_buf_append(out->buf, text.data, text.size)) &&
        !sp_utf8_is_valid(
            (struct sp_slice){out->buf->data + start, out->buf->size - start})) {
        (void)add(out, mend(out->buf, start));
    }
    end(out, start);
}

static void write_number(struct out *out, double number)
{
    (void)add(out, sp_wire_add_double(out->buf, KIND_NUMBER, number));
}

// Begins a struct of one entry, `key` with a text; returns where that begins.
static size_t begin_special(struct out *out, const char *key, size_t starts[3])
{
    starts[0] = begin(out, KIND_STRUCT);
    starts[1] = begin(out, ENTRY);
    (void)add(out, sp_wire_add_text(out->buf, ENTRY_KEY, key));
    starts[2] = begin(out, ENTRY_VALUE);
    return begin(out, KIND_TEXT);
}

static void end_special(struct out *out, size_t text, const size_t starts[3])
{
    end(out, text);
    for (int i = 2; i >= 0; i--) {
        end(out, starts[i]);
    }
}

static void write_bytes(struct out *out, const char *key, snakepit_span bytes)
{
    size_t starts[3];
    const size_t text = begin_special(out, key, starts);
    const size_t size = sp_base64_size(bytes.size);
    if (add(out, sp_buf_reserve(out->buf, size))) {
        sp_base64_encode((struct sp_slice){(const uint8_t *)bytes.data, bytes.size},
                         (char *)out->buf->data + out->buf->size);
        out->buf->size += size;
    }
    end_special(out, text, starts);
}

static void write_large(struct out *out, uint64_t value)
{
    size_t starts[3];
    char digits[24];
    const int size = snprintf(digits, sizeof digits, "%" PRIu64, value);
    const size_t text = begin_special(out, "$uint", starts);
    (void)add(out, sp_buf_append(out->buf, digits, (size_t)size));
    end_special(out, text, starts);
}

static void write_integer(struct out *out, int64_t value)
{
    if (value > SP_PROTO_WHOLE_MAX) {
        write_large(out, (uint64_t)value);
    } else if (value >= -SP_PROTO_WHOLE_MAX) {
        write_number(out, (double)value);
    } else {
        fail(out,
             SNAKEPIT_UNSERIALISABLE,
             "google.protobuf.Value has no integers below -2^53; ask for FORM_JSON or "
             "FORM_MSGPACK");
    }
}

// The key of the only pair of a map, with one more "$" if the pair would say something
// else.
static void
write_only_key(struct out *out, const snakepit_value *key, snakepit_reader at)
{
    struct sp_json_special found;
    snakepit_value value;
    if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        !sp_json_is_special(key, &value, &found)) {
        write_text(out, ENTRY_KEY, key->as.text);
        return;
    }
    const size_t start = begin(out, ENTRY_KEY);
    (void)add(out, sp_buf_append(out->buf, "$", 1));
    (void)add(out, sp_buf_append(out->buf, key->as.text.data, key->as.text.size));
    end(out, start);
}

static void write_pair(struct out *out, snakepit_reader *reader, bool only)
{
    snakepit_value key;
    if (snakepit_reader_next(reader, &key) != SNAKEPIT_OK) {
        fail(out, SNAKEPIT_MALFORMED, "the value is not MessagePack");
        return;
    }
    if (key.kind != SNAKEPIT_TEXT) {
        fail(out,
             SNAKEPIT_UNSERIALISABLE,
             "google.protobuf.Struct has texts as keys alone; ask for FORM_MSGPACK");
        return;
    }
    const size_t start = begin(out, ENTRY);
    if (only) {
        write_only_key(out, &key, *reader);
    } else {
        write_text(out, ENTRY_KEY, key.as.text);
    }
    const size_t value = begin(out, ENTRY_VALUE);
    write_value(out, reader);
    end(out, value);
    end(out, start);
}

static void write_item(struct out *out, snakepit_reader *reader)
{
    const size_t start = begin(out, ENTRY);
    write_value(out, reader);
    end(out, start);
}

static void
write_container(struct out *out, snakepit_reader *reader, const snakepit_value *value)
{
    const bool map = value->kind == SNAKEPIT_MAP;
    if (out->depth == SP_DEPTH_MAX) {
        fail(out, SNAKEPIT_MALFORMED, "too many containers are inside each other");
        return;
    }
    out->depth++;
    const size_t start = begin(out, map ? KIND_STRUCT : KIND_LIST);
    for (uint32_t i = 0; i < value->as.count && out->err == SNAKEPIT_OK; i++) {
        if (map) {
            write_pair(out, reader, value->as.count == 1);
        } else {
            write_item(out, reader);
        }
    }
    end(out, start);
    out->depth--;
}

static void write_value(struct out *out, snakepit_reader *reader)
{
    snakepit_value value;
    if (out->err != SNAKEPIT_OK) {
        return;
    }
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK) {
        fail(out, SNAKEPIT_MALFORMED, "the value is not MessagePack");
        return;
    }
    switch (value.kind) {
    case SNAKEPIT_NIL:
        (void)add(out, sp_wire_add_varint(out->buf, KIND_NULL, 0));
        break;
    case SNAKEPIT_BOOLEAN:
        (void)add(out, sp_wire_add_varint(out->buf, KIND_BOOL, value.as.boolean));
        break;
    case SNAKEPIT_INTEGER:
        write_integer(out, value.as.integer);
        break;
    case SNAKEPIT_UNSIGNED:
        write_large(out, value.as.unsigned_integer);
        break;
    case SNAKEPIT_REAL:
        write_number(out, value.as.real);
        break;
    case SNAKEPIT_TEXT:
        write_text(out, KIND_TEXT, value.as.text);
        break;
    case SNAKEPIT_BYTES:
        write_bytes(out, "$bytes", value.as.bytes);
        break;
    case SNAKEPIT_EXTENSION:
        write_bytes(out, "$ext", value.as.bytes);
        break;
    case SNAKEPIT_ARRAY:
    case SNAKEPIT_MAP:
        write_container(out, reader, &value);
        break;
    default:
        fail(out, SNAKEPIT_UNSERIALISABLE, "a tensor stands where none may");
        break;
    }
}

snakepit_err sp_proto_value_write(const snakepit_reader *value,
                                  struct sp_buf *buf,
                                  snakepit_message *why)
{
    snakepit_reader reader = *value;
    struct out out = {.buf = buf, .why = why, .err = SNAKEPIT_OK};
    why->text[0] = '\0';
    write_value(&out, &reader);
    if (out.err != SNAKEPIT_OK && why->text[0] == '\0') {
        (void)snprintf(why->text, sizeof why->text, "%s", snakepit_err_text(out.err));
    }
    return out.err;
}

static bool keys_are_texts(snakepit_reader reader, uint32_t count)
{
    snakepit_value key;
    for (uint32_t i = 0; i < count; i++) {
        if (snakepit_reader_next(&reader, &key) != SNAKEPIT_OK ||
            key.kind != SNAKEPIT_TEXT || snakepit_reader_skip(&reader) != SNAKEPIT_OK) {
            return false;
        }
    }
    return true;
}

bool sp_proto_has_text_keys(const snakepit_reader *at)
{
    snakepit_value value;
    snakepit_reader reader = *at;
    while (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_MAP && !keys_are_texts(reader, value.as.count)) {
            return false;
        }
    }
    return true;
}
