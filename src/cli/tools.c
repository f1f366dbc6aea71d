// SPDX-License-Identifier: MIT
// snakepit tools: what a pool can be asked for, for people or as JSON.
#include <string.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/target.h"
#include "cli/value.h"

// It comes from a worker: what is not as it should be is left out.

// ---- Types and defaults ---------------------------------------------------------

static void print_type(struct sp_cli *cli, const snakepit_reader *schema);

static void print_alternatives(struct sp_cli *cli, snakepit_reader at)
{
    snakepit_value list;
    if (!sp_cli_value_next(&at, SNAKEPIT_ARRAY, &list)) {
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
    if (!sp_cli_value_find(schema, "patternProperties", &properties)) {
        return NULL;
    }
    if (sp_cli_value_find(&properties, "^\\$tensor$", &found)) {
        return "tensor";
    }
    return sp_cli_value_find(&properties, "^\\$bytes$", &found) ? "bytes" : NULL;
}

// A schema in a word or three. One line of a tool is no place for more.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the reader goes
static void print_type(struct sp_cli *cli, const snakepit_reader *schema)
{
    snakepit_reader inner;
    const char *other = stands_for(schema);
    snakepit_span type = sp_cli_value_text(schema, "type");
    if (other != NULL) {
        sp_cli_print(cli, "%s", other);
    } else if (sp_cli_value_find(schema, "anyOf", &inner)) {
        print_alternatives(cli, inner);
    } else if (type.size == 0) {
        sp_cli_print(cli, sp_cli_value_find(schema, "enum", &inner) ? "choice" : "any");
    } else {
        sp_cli_print(cli, "%.*s", (int)type.size, type.data);
        if (sp_cli_span_is(type, "array") &&
            sp_cli_value_find(schema, "items", &inner)) {
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
    if (!sp_cli_value_find(parameters, "properties", &at) ||
        !sp_cli_value_next(&at, SNAKEPIT_MAP, &map)) {
        return;
    }
    for (size_t i = 0; i < map.as.count; i++) {
        if (!sp_cli_value_next(&at, SNAKEPIT_TEXT, &name)) {
            return;
        }
        sp_cli_print(cli,
                     "%s%.*s: ",
                     i == 0 ? "" : ", ",
                     (int)name.as.text.size,
                     name.as.text.data);
        print_type(cli, &at);
        snakepit_reader given;
        if (sp_cli_value_find(&at, "default", &given)) {
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
    snakepit_span name = sp_cli_value_text(tool, "name");
    snakepit_span description = sp_cli_value_text(tool, "description");
    snakepit_reader inner;
    sp_cli_print(cli, "%.*s(", (int)name.size, name.data);
    if (sp_cli_value_find(tool, "parameters", &inner)) {
        print_parameters(cli, &inner);
    }
    sp_cli_print(cli, ") -> ");
    if (sp_cli_value_find(tool, "result", &inner)) {
        print_type(cli, &inner);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (sp_cli_value_truth(tool, flags[i])) {
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
    if (!sp_cli_value_next(&at, SNAKEPIT_ARRAY, &list)) {
        return;
    }
    for (size_t i = 0; i < list.as.count; i++) {
        print_tool(cli, &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

static void print_table(struct sp_cli *cli, const snakepit_reader *table)
{
    snakepit_reader tools;
    if (sp_cli_value_find(table, "tools", &tools)) {
        print_tools(cli, tools);
    }
    if (sp_cli_value_truth(table, "answers_others")) {
        snakepit_span adapter = sp_cli_value_text(table, "adapter");
        sp_cli_print(cli, "%.*s also answers other names.\n", SP_CLI_SPAN(adapter));
    }
}

int sp_cli_tools(struct sp_cli *cli)
{
    const bool json = cli->args.texts[SP_CLI_TOOLS_JSON] != NULL;
    struct sp_cli_target *target = NULL;
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_target_open(cli, SP_CLI_TOOLS_CONFIG, json, &target, &status)) {
        return status;
    }
    target->ops->tools(target, cli->args.words[0], &result);
    status = sp_cli_result_show(cli, &result, json, print_table);
    sp_cli_result_fini(&result);
    sp_cli_target_close(target);
    return status;
}
