// SPDX-License-Identifier: MIT
#include "api/tool_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "payload/json.h"

// ---- One tool -------------------------------------------------------------------

bool sp_tool_member(const snakepit_reader *tool,
                    const char *key,
                    snakepit_kind kind,
                    snakepit_reader *found)
{
    snakepit_value value;
    if (snakepit_reader_find(tool, key, found) != SNAKEPIT_OK) {
        return false;
    }
    snakepit_reader look = *found;
    return snakepit_reader_next(&look, &value) == SNAKEPIT_OK && value.kind == kind;
}

bool sp_tool_flag(const snakepit_reader *tool, const char *key)
{
    snakepit_reader reader;
    snakepit_value value;
    return sp_tool_member(tool, key, SNAKEPIT_BOOLEAN, &reader) &&
           snakepit_reader_next(&reader, &value) == SNAKEPIT_OK && value.as.boolean;
}

bool sp_tool_name(const snakepit_reader *tool, char name[SP_TOOL_NAME_MOST + 1])
{
    snakepit_reader reader;
    snakepit_value value;
    if (!sp_tool_member(tool, "name", SNAKEPIT_TEXT, &reader) ||
        snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.as.text.size == 0 || value.as.text.size > SP_TOOL_NAME_MOST ||
        memchr(value.as.text.data, 0, value.as.text.size) != NULL) {
        return false;
    }
    memcpy(name, value.as.text.data, value.as.text.size);
    name[value.as.text.size] = '\0';
    return true;
}

snakepit_err sp_tool_write_member(const snakepit_reader *tool,
                                  const char *key,
                                  snakepit_kind kind,
                                  const char *instead,
                                  struct sp_buf *out)
{
    snakepit_reader found;
    snakepit_err err = SNAKEPIT_UNSERIALISABLE;
    if (sp_tool_member(tool, key, kind, &found)) {
        err = sp_json_write(&found, out, NULL);
    }
    return err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY
               ? err
               : sp_buf_append(out, instead, strlen(instead));
}

// ---- All of them ----------------------------------------------------------------

static int compare_names(const void *left, const void *right)
{
    const struct sp_tool *a = left;
    const struct sp_tool *b = right;
    const size_t shared = a->name.size < b->name.size ? a->name.size : b->name.size;
    const int order = shared == 0 ? 0 : memcmp(a->name.data, b->name.data, shared);
    if (order != 0) {
        return order;
    }
    return a->name.size == b->name.size ? 0 : a->name.size < b->name.size ? -1 : 1;
}

static int compare_tools(const void *left, const void *right)
{
    const struct sp_tool *a = left;
    const struct sp_tool *b = right;
    const int order = compare_names(a, b);
    return order != 0 ? order : a->row < b->row ? -1 : 1;
}

static int compare_rows(const void *left, const void *right)
{
    const struct sp_tool *a = left;
    const struct sp_tool *b = right;
    return a->row < b->row ? -1 : a->row > b->row;
}

// Reads at most `count` of them. Returns how many there are.
static size_t read_tools(snakepit_reader at, size_t count, struct sp_tool *tools)
{
    size_t row = 0;
    for (; row < count; row++) {
        snakepit_reader name;
        snakepit_value value;
        tools[row] = (struct sp_tool){.row = row, .at = at};
        if (sp_tool_member(&at, "name", SNAKEPIT_TEXT, &name) &&
            snakepit_reader_next(&name, &value) == SNAKEPIT_OK) {
            tools[row].name = value.as.text;
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    return row;
}

// Returns how many are left.
static size_t leave_one_of_each(struct sp_tool *tools, size_t count)
{
    size_t kept = 0;
    qsort(tools, count, sizeof *tools, compare_tools);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_names(&tools[kept - 1], &tools[i]) != 0) {
            tools[kept++] = tools[i];
        }
    }
    qsort(tools, kept, sizeof *tools, compare_rows);
    return kept;
}

snakepit_err sp_tool_table_read(const snakepit_reader *table,
                                struct sp_tool_table *tools)
{
    snakepit_reader at;
    snakepit_value value;
    *tools = (struct sp_tool_table){.count = 0};
    if (snakepit_reader_find(table, "tools", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count == 0) {
        return SNAKEPIT_OK;
    }
    tools->tools = sp_alloc_array(value.as.count, sizeof *tools->tools);
    if (tools->tools == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const size_t count = read_tools(at, value.as.count, tools->tools);
    tools->count = leave_one_of_each(tools->tools, count);
    return SNAKEPIT_OK;
}

void sp_tool_table_fini(struct sp_tool_table *tools)
{
    sp_free(tools->tools);
    *tools = (struct sp_tool_table){.count = 0};
}
