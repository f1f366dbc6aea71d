// SPDX-License-Identifier: MIT
// Rows whose columns are as wide as their widest cell.
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#include <snakepit/errors.h>

#include "cli/command.h"

#define SP_CLI_COLUMNS_MAX 20u

// Zero-initialised but for `columns` is empty. Owner: the main thread.
struct sp_cli_table {
    size_t columns; // at most SP_CLI_COLUMNS_MAX
    char **cells;   // row by row
    size_t count;
    size_t room;
    size_t widths[SP_CLI_COLUMNS_MAX]; // in characters
    snakepit_err err;                  // sticks; NO_MEMORY
};

// Adds the next cell.
void sp_cli_cell(struct sp_cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Prints the rows, two blanks before and between the columns, and frees them; the table
// is empty again. What there was no memory for is missing, and `err` says so.
void sp_cli_print_table(struct sp_cli *cli, struct sp_cli_table *table);
// Frees what was not printed; the table is empty again.
void sp_cli_table_free(struct sp_cli_table *table);

#endif
