// SPDX-License-Identifier: MIT
#include "cli/top_once.h"

#include "cli/json.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/top_table.h"
#include "payload/writer.h"

#define PAIRS      8u
#define ENDED_MOST 20u // calls: those under way, which come first, stay in sight

// ---- Tables -----------------------------------------------------------------------

// How many rows are printed: all but calls that have ended long ago.
static size_t rows_of(const struct sp_top_table *table)
{
    size_t ended = 0;
    size_t rows = 0;
    while (rows < table->count && ended < ENDED_MOST) {
        const struct sp_top_line *line = sp_top_table_line(table, rows);
        ended += table->view == SP_TOP_CALLS && !line->about.runs;
        rows++;
    }
    return rows;
}

static snakepit_err
print_view(struct sp_cli *cli, const struct sp_top_model *model, enum sp_top_view view)
{
    struct sp_top_table table = {.count = 0};
    const struct sp_top_choice choice = {.view = view,
                                         .pool = "",
                                         .tool = "",
                                         .filter = "",
                                         .sort = SP_TOP_UNSORTED,
                                         .now_ms = model->time_ms};
    struct sp_cli_table printed = {.columns = 0};
    const struct sp_top_column *columns = sp_top_columns(view, &printed.columns);
    snakepit_err err = sp_top_table_make(&table, model, &choice);
    for (size_t i = 0; i < printed.columns; i++) {
        sp_cli_cell(&printed, "%s", columns[i].title);
    }
    const size_t rows = rows_of(&table);
    for (size_t at = 0; at < rows; at++) {
        const struct sp_top_line *line = sp_top_table_line(&table, at);
        for (size_t i = 0; i < printed.columns; i++) {
            const char *text = sp_top_cell_text(&table, &line->cells[i]);
            sp_cli_cell(&printed, "%s", text[0] != '\0' ? text : "-");
        }
    }
    sp_cli_print_table(cli, &printed);
    if (rows < table.count) {
        sp_cli_print(
            cli, "%zu more have ended; --json tells all\n", table.count - rows);
    }
    sp_top_table_fini(&table);
    return err != SNAKEPIT_OK ? err : printed.err;
}

static snakepit_err print_tables(struct sp_cli *cli, const struct sp_top_model *model)
{
    static const enum sp_top_view views[] = {
        SP_TOP_POOLS, SP_TOP_WORKERS, SP_TOP_CALLS};
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < sizeof views / sizeof views[0] && err == SNAKEPIT_OK; i++) {
        sp_cli_print(cli, i > 0 ? "\n" : "");
        err = print_view(cli, model, views[i]);
    }
    return err;
}

// ---- JSON -------------------------------------------------------------------------

static void
write_list(snakepit_writer *writer, const char *key, const struct sp_top_list *list)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_array(writer, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct sp_buf *map = &list->rows[i].map;
        sp_writer_value(writer, (struct sp_slice){map->data, map->size});
    }
}

static snakepit_err print_object(struct sp_cli *cli, const struct sp_top_model *model)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, PAIRS);
    sp_pair_number(writer, "time_ms", model->time_ms);
    sp_pair_number(writer, "uptime_ms", model->uptime_ms);
    sp_pair_text(writer, "version", model->version);
    write_list(writer, "pools", &model->pools);
    write_list(writer, "workers", &model->workers);
    write_list(writer, "calls", &model->ended);
    write_list(writer, "waiting", &model->waiting);
    write_list(writer, "deaths", &model->deaths);
    snakepit_err err = sp_cli_print_json(cli, writer);
    snakepit_writer_free(writer);
    return err;
}

snakepit_err
sp_top_print_once(struct sp_cli *cli, const struct sp_top_model *model, bool json)
{
    return json ? print_object(cli, model) : print_tables(cli, model);
}
