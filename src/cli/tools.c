// SPDX-License-Identifier: MIT
// snakepit tools: what a pool can be asked for, for people or as JSON.
#include <string.h>

#include "cli/call.h"
#include "cli/output.h"
#include "pit/tools.h"

// ---- Reading the table ----------------------------------------------------------
// It comes from a worker: what is not as it should be is left out.

static bool find(const snakepit_reader *map, const char *key, snakepit_reader *found)
{
    return snakepit_reader_find(map, key, found) == SNAKEPIT_OK;
}

static bool read_kind(snakepit_reader *at, snakepit_kind kind, snakepit_value *value)
{
    return snakepit_reader_next(at, value) == SNAKEPIT_OK && value->kind == kind;
}

static bool is_true(const snakepit_reader *map, const char *key)
{
    snakepit_reader at;
    snakepit_value value;
    return find(map, key, &at) && read_kind(&at, SNAKEPIT_BOOLEAN, &value) &&
           value.as.boolean;
}

static snakepit_span text_of(const snakepit_reader *map, const char *key)
{
    snakepit_reader at;
    snakepit_value value;
    if (find(map, key, &at) && read_kind(&at, SNAKEPIT_TEXT, &value)) {
        return value.as.text;
    }
    return (snakepit_span){.data = "", .size = 0};
}

static bool is_text(snakepit_span text, const char *other)
{
    return text.size == strlen(other) && memcmp(text.data, other, text.size) == 0;
}

// ---- Types and defaults ---------------------------------------------------------

static void print_type(struct sp_cli *cli, const snakepit_reader *schema);

static void print_alternatives(struct sp_cli *cli, snakepit_reader at)
{
    snakepit_value list;
    if (!read_kind(&at, SNAKEPIT_ARRAY, &list)) {
        return;
    }
    for (size_t i = 0; i < list.as.count; i++) {
        sp_cli_print(cli, "%s", i == 0 ? "" : " or ");
        print_type(cli, &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

// What an object stands for that JSON has no value of.
static const char *stands_for(const snakepit_reader *schema)
{
    snakepit_reader properties;
    snakepit_reader found;
    if (!find(schema, "patternProperties", &properties)) {
        return NULL;
    }
    if (find(&properties, "^\\$tensor$", &found)) {
        return "tensor";
    }
    return find(&properties, "^\\$bytes$", &found) ? "bytes" : NULL;
}

// A schema in a word or three. One line of a tool is no place for more.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the reader goes
static void print_type(struct sp_cli *cli, const snakepit_reader *schema)
{
    snakepit_reader inner;
    const char *other = stands_for(schema);
    snakepit_span type = text_of(schema, "type");
    if (other != NULL) {
        sp_cli_print(cli, "%s", other);
    } else if (find(schema, "anyOf", &inner)) {
        print_alternatives(cli, inner);
    } else if (type.size == 0) {
        sp_cli_print(cli, find(schema, "enum", &inner) ? "choice" : "any");
    } else {
        sp_cli_print(cli, "%.*s", (int)type.size, type.data);
        if (is_text(type, "array") && find(schema, "items", &inner)) {
            sp_cli_print(cli, " of ");
            print_type(cli, &inner);
        }
    }
}

static void print_default(struct sp_cli *cli, snakepit_reader at)
{
    snakepit_value value;
    if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK) {
        return;
    }
    switch (value.kind) {
    case SNAKEPIT_NIL:
        sp_cli_print(cli, " = null");
        break;
    case SNAKEPIT_BOOLEAN:
        sp_cli_print(cli, " = %s", value.as.boolean ? "true" : "false");
        break;
    case SNAKEPIT_INTEGER:
        sp_cli_print(cli, " = %lld", (long long)value.as.integer);
        break;
    case SNAKEPIT_REAL:
        sp_cli_print(cli, " = %g", value.as.real);
        break;
    case SNAKEPIT_TEXT:
        sp_cli_print(cli, " = \"%.*s\"", (int)value.as.text.size, value.as.text.data);
        break;
    default:
        break;
    }
}

// ---- One tool -------------------------------------------------------------------

static void print_parameters(struct sp_cli *cli, const snakepit_reader *parameters)
{
    snakepit_reader at;
    snakepit_value map;
    snakepit_value name;
    if (!find(parameters, "properties", &at) || !read_kind(&at, SNAKEPIT_MAP, &map)) {
        return;
    }
    for (size_t i = 0; i < map.as.count; i++) {
        if (!read_kind(&at, SNAKEPIT_TEXT, &name)) {
            return;
        }
        sp_cli_print(cli,
                     "%s%.*s: ",
                     i == 0 ? "" : ", ",
                     (int)name.as.text.size,
                     name.as.text.data);
        print_type(cli, &at);
        snakepit_reader given;
        if (find(&at, "default", &given)) {
            print_default(cli, given);
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

static void print_tool(struct sp_cli *cli, const snakepit_reader *tool)
{
    static const char *const flags[] = {"streams", "async", "idempotent", "batch"};
    snakepit_span name = text_of(tool, "name");
    snakepit_span description = text_of(tool, "description");
    snakepit_reader inner;
    sp_cli_print(cli, "%.*s(", (int)name.size, name.data);
    if (find(tool, "parameters", &inner)) {
        print_parameters(cli, &inner);
    }
    sp_cli_print(cli, ") -> ");
    if (find(tool, "result", &inner)) {
        print_type(cli, &inner);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (is_true(tool, flags[i])) {
            sp_cli_print(cli, ", %s", flags[i]);
        }
    }
    sp_cli_print(cli, "\n");
    if (description.size > 0) {
        sp_cli_print(cli, "    %.*s\n", (int)description.size, description.data);
    }
}

static void print_tools(struct sp_cli *cli, snakepit_reader at)
{
    snakepit_value list;
    if (!read_kind(&at, SNAKEPIT_ARRAY, &list)) {
        return;
    }
    for (size_t i = 0; i < list.as.count; i++) {
        print_tool(cli, &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

static int print_table(struct sp_cli *cli, snakepit_answer *answer)
{
    snakepit_reader table;
    snakepit_reader tools;
    snakepit_answer_reader(answer, &table);
    if (find(&table, "tools", &tools)) {
        print_tools(cli, tools);
    }
    if (is_true(&table, "answers_others")) {
        snakepit_span adapter = text_of(&table, "adapter");
        sp_cli_print(
            cli, "%.*s also answers other names.\n", (int)adapter.size, adapter.data);
    }
    sp_cli_flush(cli);
    return SP_CLI_EXIT_OK;
}

int sp_cli_tools(struct sp_cli *cli)
{
    bool json = cli->args.texts[SP_CLI_TOOLS_JSON] != NULL;
    const struct sp_cli_call call = {
        .config = cli->args.texts[SP_CLI_TOOLS_CONFIG],
        .tool = SP_PIT_TABLE_TOOL,
        .options = {.size = sizeof(call.options), .pool = cli->args.words[0]},
        .json = json,
        .print = json ? NULL : print_table};
    if (call.config == NULL) {
        return sp_cli_complain_usage(cli, "tools", "tools needs --config FILE");
    }
    return sp_cli_call_once(cli, &call);
}
