// SPDX-License-Identifier: MIT
// Widths are counted in characters of UTF-8, as a terminal mostly shows them.
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "cli/output.h"

#define CELL_MAX   1100
#define FIRST_ROOM 32u

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0u) != 0x80u;
    }
    return width;
}

static snakepit_err make_room(struct sp_cli_table *table)
{
    size_t room = table->room == 0 ? FIRST_ROOM : 2 * table->room;
    if (table->count < table->room) {
        return SNAKEPIT_OK;
    }
    char **cells = (char **)sp_realloc((void *)table->cells, room * sizeof *cells);
    if (cells == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    table->cells = cells;
    table->room = room;
    return SNAKEPIT_OK;
}

void sp_cli_cell(struct sp_cli_table *table, const char *format, ...)
{
    char text[CELL_MAX];
    va_list args;
    SP_CHECK(table->columns > 0 && table->columns <= SP_CLI_COLUMNS_MAX);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table->err = table->err != SNAKEPIT_OK ? table->err : make_room(table);
    if (table->err != SNAKEPIT_OK) {
        return;
    }
    char *cell = sp_strdup(text);
    if (cell == NULL) {
        table->err = SNAKEPIT_NO_MEMORY;
        return;
    }
    size_t column = table->count % table->columns;
    size_t width = width_of(cell);
    table->cells[table->count++] = cell;
    table->widths[column] =
        width > table->widths[column] ? width : table->widths[column];
}

// The last cell of a row that has something in it is followed by nothing.
static bool is_last(const struct sp_cli_table *table, size_t index)
{
    for (size_t i = index + 1; i % table->columns != 0 && i < table->count; i++) {
        if (table->cells[i][0] != '\0') {
            return false;
        }
    }
    return true;
}

static void
print_cell(struct sp_cli *cli, const struct sp_cli_table *table, size_t index)
{
    const char *cell = table->cells[index];
    size_t column = index % table->columns;
    if (column > 0 && is_last(table, index) && cell[0] == '\0') {
        return;
    }
    sp_cli_print(cli, "  %s", cell);
    if (!is_last(table, index)) {
        sp_cli_print(cli, "%*s", (int)(table->widths[column] - width_of(cell)), "");
    }
}

void sp_cli_print_table(struct sp_cli *cli, struct sp_cli_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        print_cell(cli, table, i);
        if ((i + 1) % table->columns == 0 || i + 1 == table->count) {
            sp_cli_print(cli, "\n");
        }
    }
    sp_cli_table_free(table);
}

void sp_cli_table_free(struct sp_cli_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        sp_free(table->cells[i]);
    }
    sp_free((void *)table->cells);
    *table = (struct sp_cli_table){.columns = table->columns, .err = table->err};
}
