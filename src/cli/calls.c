// SPDX-License-Identifier: MIT
// snakepit calls: the calls of a daemon that wait or run, or those that have ended
// last.
#include <inttypes.h>

#include "cli/operate.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/value.h"

static void
text_cell(struct sp_cli_table *table, const snakepit_reader *map, const char *key)
{
    sp_cli_cell(table, "%.*s", SP_CLI_SPAN(sp_cli_value_text(map, key)));
}

// Empty where there is none.
static void
id_cell(struct sp_cli_table *table, const snakepit_reader *map, const char *key)
{
    const uint64_t id = sp_cli_value_number(map, key);
    sp_cli_cell(table, id == 0 ? "%s" : "%s%" PRIu64, "", id);
}

static void
time_cell(struct sp_cli_table *table, const snakepit_reader *map, const char *key)
{
    sp_cli_cell(table, "%.3f ms", (double)sp_cli_value_number(map, key) / 1000);
}

static void begin_row(struct sp_cli_table *table, const snakepit_reader *call)
{
    id_cell(table, call, "call");
    text_cell(table, call, "pool");
    text_cell(table, call, "tool");
    id_cell(table, call, "worker");
}

// ---- Rows ---------------------------------------------------------------------

static void add_call(struct sp_cli_table *table, const snakepit_reader *call)
{
    begin_row(table, call);
    text_cell(table, call, "state");
    time_cell(table, call, "since_us");
    id_cell(table, call, "attempt");
    text_cell(table, call, "session");
}

static void add_ended(struct sp_cli_table *table, const snakepit_reader *call)
{
    begin_row(table, call);
    text_cell(table, call, "outcome");
    time_cell(table, call, "waited_us");
    time_cell(table, call, "ran_us");
    text_cell(table, call, "error");
}

typedef void add_fn(struct sp_cli_table *table, const snakepit_reader *call);

static void print_rows(struct sp_cli *cli,
                       const snakepit_reader *map,
                       const char *const titles[8],
                       add_fn *add)
{
    struct sp_cli_table table = {.columns = 8};
    snakepit_reader at;
    const uint32_t count = sp_cli_value_list(map, "calls", &at);
    for (size_t i = 0; i < table.columns; i++) {
        sp_cli_cell(&table, "%s", titles[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        add(&table, &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    sp_cli_print_table(cli, &table);
}

static void print_calls(struct sp_cli *cli, const snakepit_reader *map)
{
    static const char *const titles[8] = {
        "call", "pool", "tool", "worker", "state", "for", "attempt", "session"};
    print_rows(cli, map, titles, add_call);
}

static void print_ended(struct sp_cli *cli, const snakepit_reader *map)
{
    static const char *const titles[8] = {
        "call", "pool", "tool", "worker", "outcome", "waited", "ran", "error"};
    print_rows(cli, map, titles, add_ended);
}

// ---- Asking -------------------------------------------------------------------------

// What is asked for; with the name of a pool behind it where there is one.
static const char *path_of(const struct sp_cli_args *args, bool *ended)
{
    static const char *const paths[4][2] = {
        {"/v1/calls?limit=1000", "/v1/calls?limit=1000&pool={}"},
        {"/v1/calls/recent", "/v1/calls/recent?pool={}"},
        {"/v1/calls/recent?failed=true", "/v1/calls/recent?failed=true&pool={}"},
        {"/v1/calls/recent?slow=true", "/v1/calls/recent?slow=true&pool={}"}};
    size_t what = args->texts[SP_CLI_CALLS_RECENT] != NULL ? 1 : 0;
    what = args->texts[SP_CLI_CALLS_FAILED] != NULL ? 2 : what;
    what = args->texts[SP_CLI_CALLS_SLOW] != NULL ? 3 : what;
    *ended = what > 0;
    return paths[what][args->count > 0 ? 1 : 0];
}

int sp_cli_calls(struct sp_cli *cli)
{
    const struct sp_cli_args *args = &cli->args;
    const bool json = args->texts[SP_CLI_CALLS_JSON] != NULL;
    bool ended = false;
    struct sp_cli_remote *remote;
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_operate_open(cli, "calls", json, &remote, &status)) {
        return status;
    }
    const struct sp_cli_order order = {
        .method = "GET",
        .path = path_of(args, &ended),
        .names = {args->count > 0 ? args->words[0] : NULL, NULL}};
    sp_cli_remote_order(remote, &order, &result);
    status = sp_cli_result_show(cli, &result, json, ended ? print_ended : print_calls);
    sp_cli_result_fini(&result);
    sp_cli_target_close(sp_cli_remote_target(remote));
    return status;
}
