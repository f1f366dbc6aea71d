// SPDX-License-Identifier: MIT
// The numbers are those of google/protobuf/descriptor.proto.
#include "protobuf/descriptor.h"

#include <stdio.h>
#include <string.h>

#include "protobuf/wire.h"

struct describer {
    const struct sp_proto_file *file; // that is described
    const struct sp_proto_file *from; // whose rows it has: itself, or its twin
    struct sp_buf *out;
    snakepit_err err;
};

#define NAME_MAX_SIZE 512u

static bool add(struct describer *d, snakepit_err err)
{
    d->err = d->err == SNAKEPIT_OK ? err : d->err;
    return d->err == SNAKEPIT_OK;
}

static void text(struct describer *d, uint32_t number, const char *value)
{
    (void)add(d, sp_wire_add_text(d->out, number, value));
}

static void flag(struct describer *d, uint32_t number, uint64_t value)
{
    (void)add(d, sp_wire_add_varint(d->out, number, value));
}

static size_t begin(struct describer *d, uint32_t number)
{
    size_t start = 0;
    (void)add(d, sp_wire_begin(d->out, number, &start));
    return start;
}

static void end(struct describer *d, size_t start)
{
    size_t gap;
    if (d->err == SNAKEPIT_OK) {
        (void)add(d, sp_wire_end(d->out, start, 0, &gap));
    }
}

// ---- Names --------------------------------------------------------------------------

// ".package.Name"
static void reference(struct describer *d,
                      uint32_t number,
                      const struct sp_proto_file *file,
                      const char *name)
{
    char full[NAME_MAX_SIZE];
    const struct sp_proto_file *home = file == d->from ? d->file : file;
    (void)snprintf(full, sizeof full, ".%s.%s", home->package, name);
    text(d, number, full);
}

// "tool_name" as "toolName", or with `first` as "ToolName".
static void to_camel(const char *name, bool first, char *out, size_t size)
{
    size_t used = 0;
    bool upper = first;
    for (; *name != '\0' && used + 1 < size; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        const bool lower = *name >= 'a' && *name <= 'z';
        out[used++] = (char)(upper && lower ? *name - 'a' + 'A' : *name);
        upper = false;
    }
    out[used] = '\0';
}

static void entry_name(const struct sp_proto_field *field, char *out, size_t size)
{
    static const char behind[] = "Entry";
    to_camel(field->name, true, out, size - sizeof behind);
    memcpy(out + strlen(out), behind, sizeof behind);
}

// ---- Fields -------------------------------------------------------------------------

static uint64_t type_number(enum sp_proto_kind kind)
{
    static const uint8_t numbers[] = {
        [SP_PROTO_BOOL] = 8,
        [SP_PROTO_INT32] = 5,
        [SP_PROTO_INT64] = 3,
        [SP_PROTO_UINT32] = 13,
        [SP_PROTO_UINT64] = 4,
        [SP_PROTO_DOUBLE] = 1,
        [SP_PROTO_FIXED64] = 6,
        [SP_PROTO_FLOAT] = 2,
        [SP_PROTO_ENUM] = 14,
        [SP_PROTO_TEXT] = 9,
        [SP_PROTO_BYTES] = 12,
        [SP_PROTO_MESSAGE] = 11,
        [SP_PROTO_RAW] = 11,
    };
    return numbers[kind];
}

static void describe_type_name(struct describer *d,
                               const struct sp_proto_type *type,
                               const struct sp_proto_field *field)
{
    char name[NAME_MAX_SIZE / 2];
    char entry[NAME_MAX_SIZE / 4];
    if (field->kind == SP_PROTO_ENUM) {
        reference(d, 6, field->enumeration->file, field->enumeration->name);
    } else if (field->label == SP_PROTO_MAP) {
        entry_name(field, entry, sizeof entry);
        (void)snprintf(name, sizeof name, "%s.%s", type->name, entry);
        reference(d, 6, type->file, name);
    } else if (field->type != NULL) {
        reference(d, 6, field->type->file, field->type->name);
    }
}

// `oneof` is the index of the oneof that it belongs to.
static void describe_field(struct describer *d,
                           const struct sp_proto_type *type,
                           const struct sp_proto_field *field,
                           uint64_t oneof)
{
    char json[NAME_MAX_SIZE / 4];
    const size_t start = begin(d, 2);
    to_camel(field->name, false, json, sizeof json);
    text(d, 1, field->name);
    flag(d, 3, field->number);
    flag(d, 4, field->label >= SP_PROTO_MANY ? 3 : 1);
    flag(d, 5, type_number(field->kind));
    describe_type_name(d, type, field);
    if (field->label == SP_PROTO_CHOICE || field->label == SP_PROTO_OPTIONAL) {
        flag(d, 9, oneof);
    }
    text(d, 10, json);
    if (field->label == SP_PROTO_OPTIONAL) {
        flag(d, 17, 1);
    }
    end(d, start);
}

static void describe_fields(struct describer *d, const struct sp_proto_type *type)
{
    // The oneofs that `optional` makes come behind the one that was written.
    uint64_t made = type->oneof != NULL ? 1 : 0;
    for (size_t i = 0; i < type->count; i++) {
        const struct sp_proto_field *field = &type->fields[i];
        const bool optional = field->label == SP_PROTO_OPTIONAL;
        describe_field(d, type, field, optional ? made++ : 0);
    }
}

static void describe_oneof(struct describer *d, const char *before, const char *name)
{
    char full[NAME_MAX_SIZE / 4];
    const size_t start = begin(d, 8);
    (void)snprintf(full, sizeof full, "%s%s", before, name);
    text(d, 1, full);
    end(d, start);
}

static void describe_oneofs(struct describer *d, const struct sp_proto_type *type)
{
    if (type->oneof != NULL) {
        describe_oneof(d, "", type->oneof);
    }
    for (size_t i = 0; i < type->count; i++) {
        if (type->fields[i].label == SP_PROTO_OPTIONAL) {
            describe_oneof(d, "_", type->fields[i].name);
        }
    }
}

// ---- Messages and enums -------------------------------------------------------------

static void describe_entry(struct describer *d, const struct sp_proto_field *field)
{
    char name[NAME_MAX_SIZE / 4];
    const size_t start = begin(d, 3);
    entry_name(field, name, sizeof name);
    text(d, 1, name);
    describe_fields(d, field->type);
    const size_t options = begin(d, 7);
    flag(d, 7, 1);
    end(d, options);
    end(d, start);
}

static void describe_enum(struct describer *d,
                          uint32_t number,
                          const char *name,
                          const struct sp_proto_enum *row)
{
    const size_t start = begin(d, number);
    text(d, 1, name);
    for (size_t i = 0; i < row->count; i++) {
        const size_t value = begin(d, 2);
        text(d, 1, row->values[i].name);
        flag(d, 2, (uint64_t)(int64_t)row->values[i].number);
        end(d, value);
    }
    end(d, start);
}

// What stands in the message behind its name and the dot, or NULL.
static const char *inner_name(const char *name, const char *outer)
{
    const size_t size = strlen(outer);
    return strncmp(name, outer, size) == 0 && name[size] == '.' ? name + size + 1
                                                                : NULL;
}

static void describe_message(struct describer *d,
                             const struct sp_proto_type *type,
                             uint32_t number,
                             const char *its_name);

// Messages that stand in it; these have none in them.
static void describe_nested(struct describer *d, const struct sp_proto_type *type)
{
    const struct sp_proto_type *const *row = d->from->set->types;
    for (; *row != NULL; row++) {
        const char *name =
            (*row)->file == d->from ? inner_name((*row)->name, type->name) : NULL;
        if (name != NULL) {
            describe_message(d, *row, 3, name);
        }
    }
}

static void describe_message(struct describer *d,
                             const struct sp_proto_type *type,
                             uint32_t number,
                             const char *its_name)
{
    const size_t start = begin(d, number);
    text(d, 1, its_name);
    describe_fields(d, type);
    if (number == 4) {
        describe_nested(d, type);
    }
    for (size_t i = 0; i < type->count; i++) {
        if (type->fields[i].label == SP_PROTO_MAP) {
            describe_entry(d, &type->fields[i]);
        }
    }
    for (const struct sp_proto_enum *const *row = d->from->set->enums; *row != NULL;
         row++) {
        const char *name =
            (*row)->file == d->from ? inner_name((*row)->name, type->name) : NULL;
        if (name != NULL) {
            describe_enum(d, 4, name, *row);
        }
    }
    describe_oneofs(d, type);
    end(d, start);
}

// ---- Services -----------------------------------------------------------------------

static void describe_rpc(struct describer *d, const struct sp_proto_rpc *rpc)
{
    const size_t start = begin(d, 2);
    text(d, 1, rpc->name);
    reference(d, 2, rpc->request->file, rpc->request->name);
    reference(d, 3, rpc->response->file, rpc->response->name);
    if (rpc->client_streams) {
        flag(d, 5, 1);
    }
    if (rpc->server_streams) {
        flag(d, 6, 1);
    }
    end(d, start);
}

static void describe_services(struct describer *d)
{
    const struct sp_proto_rpc *rpc = d->from->set->rpcs;
    while (rpc->name != NULL) {
        if (rpc->file != d->from) {
            rpc++;
            continue;
        }
        const char *service = rpc->service;
        const size_t start = begin(d, 6);
        text(d, 1, service);
        for (; rpc->name != NULL && rpc->file == d->from &&
               strcmp(rpc->service, service) == 0;
             rpc++) {
            describe_rpc(d, rpc);
        }
        end(d, start);
    }
}

// ---- Files --------------------------------------------------------------------------

snakepit_err sp_proto_describe(const struct sp_proto_file *file, struct sp_buf *out)
{
    struct describer d = {
        file, file->twin != NULL ? file->twin : file, out, SNAKEPIT_OK};
    const struct sp_proto_set *set = d.from->set;
    text(&d, 1, file->path);
    text(&d, 2, file->package);
    for (size_t i = 0; file->imports != NULL && file->imports[i] != NULL; i++) {
        text(&d, 3, file->imports[i]->path);
    }
    for (const struct sp_proto_type *const *type = set->types; *type != NULL; type++) {
        if ((*type)->file == d.from && strchr((*type)->name, '.') == NULL) {
            describe_message(&d, *type, 4, (*type)->name);
        }
    }
    for (const struct sp_proto_enum *const *row = set->enums; *row != NULL; row++) {
        if ((*row)->file == d.from && strchr((*row)->name, '.') == NULL) {
            describe_enum(&d, 5, (*row)->name, *row);
        }
    }
    describe_services(&d);
    text(&d, 12, "proto3");
    return d.err;
}

// ---- Symbols ------------------------------------------------------------------------

// Takes `name` and a dot, if more follows, from the front of a symbol.
static bool take_name(struct sp_slice *symbol, const char *name)
{
    const size_t size = strlen(name);
    if (symbol->size < size || memcmp(symbol->data, name, size) != 0) {
        return false;
    }
    struct sp_slice rest = {symbol->data + size, symbol->size - size};
    if (rest.size != 0) {
        if (rest.data[0] != '.' || rest.size == 1) {
            return false;
        }
        rest = (struct sp_slice){rest.data + 1, rest.size - 1};
    }
    *symbol = rest;
    return true;
}

static bool is(struct sp_slice symbol, const char *name)
{
    return take_name(&symbol, name) && symbol.size == 0;
}

static bool type_declares(const struct sp_proto_type *type, struct sp_slice symbol)
{
    char entry[NAME_MAX_SIZE / 4];
    if (!take_name(&symbol, type->name)) {
        return false;
    }
    bool found = symbol.size == 0;
    for (size_t i = 0; i < type->count && !found; i++) {
        entry_name(&type->fields[i], entry, sizeof entry);
        found = is(symbol, type->fields[i].name) ||
                (type->fields[i].label == SP_PROTO_MAP && is(symbol, entry));
    }
    return found || (type->oneof != NULL && is(symbol, type->oneof));
}

static bool rpc_declares(const struct sp_proto_rpc *rpc, struct sp_slice symbol)
{
    return take_name(&symbol, rpc->service) &&
           (symbol.size == 0 || is(symbol, rpc->name));
}

bool sp_proto_file_declares(const struct sp_proto_file *file, struct sp_slice symbol)
{
    const struct sp_proto_file *from = file->twin != NULL ? file->twin : file;
    const struct sp_proto_set *set = from->set;
    bool found = false;
    if (!take_name(&symbol, file->package) || symbol.size == 0) {
        return false;
    }
    for (size_t i = 0; set->types[i] != NULL && !found; i++) {
        found = set->types[i]->file == from && type_declares(set->types[i], symbol);
    }
    for (size_t i = 0; set->enums[i] != NULL && !found; i++) {
        found = set->enums[i]->file == from && is(symbol, set->enums[i]->name);
    }
    for (size_t i = 0; set->rpcs[i].name != NULL && !found; i++) {
        found = set->rpcs[i].file == from && rpc_declares(&set->rpcs[i], symbol);
    }
    return found;
}
