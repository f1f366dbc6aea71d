// SPDX-License-Identifier: MIT
#include "mcp/list.h"

#include <string.h>

#include "api/tool_table.h"
#include "base/names.h"

struct walk {
    struct sp_mcp_out *out;
    const struct sp_mcp_choice *choice;
    enum sp_mcp_era era;
    size_t first;
    size_t seen; // that the client gets
    snakepit_err err;
};

// ---- One tool -------------------------------------------------------------------

static void add_flag(struct sp_mcp_out *out, const char *hint, bool flag)
{
    sp_mcp_add(out, hint);
    sp_mcp_add(out, flag ? "true" : "false");
}

// A worker that does not say what a tool does may have one that deletes.
static bool is_destructive(const snakepit_reader *tool)
{
    snakepit_reader found;
    return !sp_tool_member(tool, "destructive", SNAKEPIT_BOOLEAN, &found) ||
           sp_tool_flag(tool, "destructive");
}

static void add_annotations(struct sp_mcp_out *out, const snakepit_reader *tool)
{
    sp_mcp_add(out, ",\"annotations\":{");
    add_flag(out, "\"readOnlyHint\":", sp_tool_flag(tool, "read_only"));
    add_flag(out, ",\"destructiveHint\":", is_destructive(tool));
    add_flag(out, ",\"idempotentHint\":", sp_tool_flag(tool, "idempotent"));
    sp_mcp_add(out, "}");
}

// Bytes alone have no structured content, so a result that may be bytes, or anything,
// has no schema either.
static bool says_something(const struct sp_buf *schema)
{
    return schema->size > 2 && memmem(schema->data, schema->size, "$bytes", 6) == NULL;
}

static void
add_output(struct sp_mcp_out *out, const snakepit_reader *tool, enum sp_mcp_era era)
{
    struct sp_buf schema = {0};
    if (out->err == SNAKEPIT_OK) {
        out->err = sp_tool_write_member(tool, "result", SNAKEPIT_MAP, "{}", &schema);
    }
    if (out->err == SNAKEPIT_OK && says_something(&schema)) {
        const bool wrapped = era == SP_MCP_HANDSHAKE;
        sp_mcp_add(out,
                   wrapped ? ",\"outputSchema\":{\"type\":\"object\",\"properties\":{"
                             "\"result\":"
                           : ",\"outputSchema\":");
        sp_mcp_add_bytes(out, (struct sp_slice){schema.data, schema.size});
        sp_mcp_add(out, wrapped ? "},\"required\":[\"result\"]}" : "");
    }
    sp_buf_fini(&schema);
}

static void add_member(struct sp_mcp_out *out,
                       const snakepit_reader *tool,
                       const char *key,
                       snakepit_kind kind,
                       const char *instead)
{
    if (out->err == SNAKEPIT_OK) {
        out->err = sp_tool_write_member(tool, key, kind, instead, out->buf);
    }
}

static void add_tool(struct sp_mcp_out *out,
                     const char *pool,
                     const snakepit_reader *tool,
                     enum sp_mcp_era era)
{
    char name[SP_TOOL_NAME_MOST + 1];
    struct sp_buf whole = {0};
    (void)sp_tool_name(tool, name);
    if (out->err == SNAKEPIT_OK) {
        out->err = sp_buf_printf(&whole, "%s.%s", pool, name);
    }
    sp_mcp_add(out, "{\"name\":");
    sp_mcp_add_quoted(out, (struct sp_slice){whole.data, whole.size});
    sp_mcp_add(out, ",\"description\":");
    add_member(out, tool, "description", SNAKEPIT_TEXT, "\"\"");
    sp_mcp_add(out, ",\"inputSchema\":");
    add_member(out, tool, "parameters", SNAKEPIT_MAP, "{\"type\":\"object\"}");
    add_output(out, tool, era);
    add_annotations(out, tool);
    sp_mcp_add(out, "}");
    sp_buf_fini(&whole);
}

// ---- All of them ----------------------------------------------------------------

static void see_tool(struct walk *walk, const char *pool, const snakepit_reader *tool)
{
    char name[SP_TOOL_NAME_MOST + 1];
    if (!sp_tool_name(tool, name) ||
        !walk->choice->takes(walk->choice->user, pool, name)) {
        return;
    }
    const size_t at = walk->seen++;
    if (at >= walk->first && at - walk->first < SP_MCP_PAGE) {
        sp_mcp_add(walk->out, at > walk->first ? "," : "");
        add_tool(walk->out, pool, tool, walk->era);
    }
}

static void see_pool(struct walk *walk, const struct sp_api_table *table)
{
    snakepit_reader reader;
    struct sp_tool_table tools;
    if (table->answer == NULL || walk->out->err != SNAKEPIT_OK) {
        return;
    }
    snakepit_answer_reader(table->answer, &reader);
    walk->out->err = sp_tool_table_read(&reader, &tools);
    for (size_t i = 0; walk->out->err == SNAKEPIT_OK && i < tools.count; i++) {
        see_tool(walk, table->pool, &tools.tools[i].at);
    }
    sp_tool_table_fini(&tools);
}

bool sp_mcp_add_tools(struct sp_mcp_out *out,
                      const struct sp_api_tables *tables,
                      const struct sp_mcp_choice *choice,
                      size_t first,
                      enum sp_mcp_era era)
{
    struct walk walk = {.out = out, .choice = choice, .era = era, .first = first};
    const size_t before = out->buf->size;
    sp_mcp_add(out, "\"tools\":[");
    for (size_t i = 0; i < tables->count; i++) {
        see_pool(&walk, &tables->tables[i]);
    }
    sp_mcp_add(out, "],");
    if (first > walk.seen) {
        out->buf->size = before;
        return false;
    }
    if (walk.seen - first > SP_MCP_PAGE) {
        sp_mcp_add(out, "\"nextCursor\":\"");
        sp_mcp_add_number(out, first + SP_MCP_PAGE);
        sp_mcp_add(out, "\",");
    }
    return true;
}

uint64_t sp_mcp_tables_print(const struct sp_api_tables *tables,
                             const struct sp_mcp_choice *choice)
{
    static const struct sp_hash_key key = {{0}}; // nobody gains by two that are alike
    uint64_t print = 0;
    for (size_t i = 0; i < tables->count; i++) {
        snakepit_reader reader = {.at = NULL};
        const struct sp_api_table *table = &tables->tables[i];
        if (!choice->takes(choice->user, table->pool, NULL)) {
            continue;
        }
        if (table->answer != NULL) {
            snakepit_answer_reader(table->answer, &reader);
        }
        print = print * 1000003 + sp_hash(&key, table->pool, strlen(table->pool));
        print = print * 1000003 +
                sp_hash(&key, reader.at, (size_t)(reader.end - reader.at));
    }
    return print;
}
