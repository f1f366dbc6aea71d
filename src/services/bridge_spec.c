// SPDX-License-Identifier: MIT
// The table of a pool's tools as the original's ToolSpec, and faults as its JSON.
#include <stdio.h>
#include <string.h>

#include "http/problem.h"
#include "payload/json.h"
#include "payload/pairs.h"
#include "payload/writer.h"
#include "services/bridge.h"

#define SENTENCE_MOST 200u // bytes of the message where the whole is too long
#define TYPE_URL      "type.googleapis.com/google.protobuf.StringValue"

struct sp_pb_any sp_bridge_any(struct sp_slice json)
{
    return (struct sp_pb_any){.type_url = sp_slice_of_text(TYPE_URL), .value = json};
}

struct sp_slice sp_bridge_correlation(const struct sp_exchange *exchange)
{
    return sp_request_field(&exchange->request, "x-snakepit-correlation-id");
}

// ---- Parameters -----------------------------------------------------------------

static struct sp_slice text_at(const snakepit_reader *map, const char *key)
{
    snakepit_reader found;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    if (snakepit_reader_find(map, key, &found) == SNAKEPIT_OK) {
        (void)snakepit_reader_next(&found, &value);
    }
    return value.kind == SNAKEPIT_TEXT
               ? (struct sp_slice){(const uint8_t *)value.as.text.data,
                                   value.as.text.size}
               : (struct sp_slice){NULL, 0};
}

static bool is_true_at(const snakepit_reader *map, const char *key)
{
    snakepit_reader found;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    return snakepit_reader_find(map, key, &found) == SNAKEPIT_OK &&
           snakepit_reader_next(&found, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_BOOLEAN && value.as.boolean;
}

struct sp_slice sp_bridge_json(snakepit_reader reader, struct sp_scratch *scratch)
{
    struct sp_buf text = {0};
    struct sp_slice slice = {NULL, 0};
    if (sp_json_write(&reader, &text, NULL) == SNAKEPIT_OK) {
        (void)sp_scratch_own(scratch, &text, &slice);
    }
    sp_buf_fini(&text);
    return slice;
}

static bool is_listed(const snakepit_reader *schema, snakepit_span name)
{
    snakepit_reader list;
    snakepit_value value;
    if (snakepit_reader_find(schema, "required", &list) != SNAKEPIT_OK ||
        snakepit_reader_next(&list, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return false;
    }
    for (uint32_t left = value.as.count; left > 0; left--) {
        if (snakepit_reader_next(&list, &value) != SNAKEPIT_OK) {
            return false;
        }
        if (value.kind == SNAKEPIT_TEXT && value.as.text.size == name.size &&
            memcmp(value.as.text.data, name.data, name.size) == 0) {
            return true;
        }
    }
    return false;
}

static struct sp_pb_any *default_of(const snakepit_reader *schema,
                                    struct sp_scratch *scratch)
{
    snakepit_reader found;
    if (snakepit_reader_find(schema, "default", &found) != SNAKEPIT_OK) {
        return NULL;
    }
    struct sp_pb_any *any = sp_scratch_take(scratch, sizeof *any);
    if (any != NULL) {
        *any = sp_bridge_any(sp_bridge_json(found, scratch));
    }
    return any;
}

// `schema` is that of all parameters, `property` that of this one.
static void read_parameter(const snakepit_reader *schema,
                           const snakepit_reader *property,
                           snakepit_span name,
                           struct sp_scratch *scratch,
                           struct sp_bridge_parameter_spec *spec)
{
    const struct sp_slice type = text_at(property, "type");
    spec->name = (struct sp_slice){(const uint8_t *)name.data, name.size};
    spec->type = type.size == 0 ? sp_slice_of_text("any") : type;
    spec->description = text_at(property, "description");
    spec->required = is_listed(schema, name);
    spec->default_value = default_of(property, scratch);
    spec->validation_json = sp_bridge_json(*property, scratch);
}

static snakepit_err read_parameters(const snakepit_reader *schema,
                                    struct sp_scratch *scratch,
                                    struct sp_bridge_tool_spec *spec)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(schema, "properties", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_MAP) {
        return SNAKEPIT_OK; // it takes anything
    }
    const uint32_t count = value.as.count;
    spec->parameters.items =
        sp_scratch_take(scratch, (count + 1) * sizeof *spec->parameters.items);
    if (spec->parameters.items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
            value.kind != SNAKEPIT_TEXT) {
            return SNAKEPIT_MALFORMED;
        }
        read_parameter(schema, &at, value.as.text, scratch, &spec->parameters.items[i]);
        spec->parameters.count = i + 1;
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return SNAKEPIT_MALFORMED;
        }
    }
    return SNAKEPIT_OK;
}

// ---- Tools ----------------------------------------------------------------------

static snakepit_err read_tool(const snakepit_reader *row,
                              struct sp_scratch *scratch,
                              struct sp_bridge_tool_spec *spec)
{
    snakepit_reader schema;
    spec->name = text_at(row, "name");
    spec->description = text_at(row, "description");
    spec->supports_streaming = is_true_at(row, "streams");
    return snakepit_reader_find(row, "parameters", &schema) == SNAKEPIT_OK
               ? read_parameters(&schema, scratch, spec)
               : SNAKEPIT_OK;
}

snakepit_err sp_bridge_tools_read(const snakepit_reader *table,
                                  struct sp_scratch *scratch,
                                  struct sp_bridge_tools *tools)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(table, "tools", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return SNAKEPIT_MALFORMED;
    }
    const uint32_t count = value.as.count;
    struct sp_bridge_tool_spec *items =
        sp_scratch_take(scratch, (count + 1) * sizeof *items);
    if (items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        snakepit_err err = read_tool(&at, scratch, &items[i]);
        err = err == SNAKEPIT_OK ? snakepit_reader_skip(&at) : err;
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    *tools = (struct sp_bridge_tools){items, count};
    return SNAKEPIT_OK;
}

// ---- Faults ---------------------------------------------------------------------

static void write_lines(snakepit_writer *writer, const char *text)
{
    uint32_t count = 0;
    for (const char *at = text; *at != '\0'; count++) {
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    snakepit_writer_str(writer, "stacktrace");
    snakepit_writer_array(writer, count);
    while (*text != '\0') {
        const size_t size = strcspn(text, "\n");
        snakepit_writer_strn(writer, text, size);
        text += size + (text[size] == '\n');
    }
}

static snakepit_err
write_fault(const snakepit_fault *fault, bool insight, struct sp_buf *text)
{
    snakepit_writer *writer = snakepit_writer_new();
    const char *traceback = insight ? fault->traceback : "";
    snakepit_writer_map(writer, 5);
    sp_pair_text(writer,
                 "type",
                 fault->type[0] != '\0' ? fault->type : snakepit_err_name(fault->err));
    sp_pair_text(writer, "message", fault->message);
    write_lines(writer, traceback);
    sp_pair_text(writer, "traceback", traceback);
    snakepit_writer_str(writer, "context");
    sp_fault_write(writer, fault, insight);
    snakepit_err err = sp_writer_to_json(writer, text);
    snakepit_writer_free(writer);
    return err;
}

struct sp_slice sp_bridge_fault(const snakepit_fault *fault,
                                bool insight,
                                size_t most,
                                struct sp_scratch *scratch)
{
    struct sp_buf text = {0};
    struct sp_slice slice = {NULL, 0};
    char sentence[SENTENCE_MOST + 1];
    snakepit_fault shown = *fault;
    snakepit_err err = write_fault(&shown, insight, &text);
    if (err == SNAKEPIT_OK && text.size > most) {
        text.size = 0;
        shown.traceback = "";
        shown.crash_stack = "";
        shown.late_stack = "";
        shown.last_output = "";
        err = write_fault(&shown, insight, &text);
    }
    if (err == SNAKEPIT_OK && text.size > most) {
        text.size = 0;
        (void)snprintf(sentence, sizeof sentence, "%s", fault->message);
        shown.message = sentence;
        shown.arguments = "";
        err = write_fault(&shown, insight, &text);
    }
    if (err == SNAKEPIT_OK) {
        (void)sp_scratch_own(scratch, &text, &slice);
    }
    sp_buf_fini(&text);
    return slice;
}
