// SPDX-License-Identifier: MIT
// Values of others, read leniently: what is of another kind than it should be is not
// there.
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <stdbool.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// Reads JSON text into an empty writer; `reader` stands before the value, and lives as
// long as the writer. MALFORMED: it is not JSON, or not a map. NO_MEMORY.
snakepit_err sp_cli_value_read(struct sp_slice json,
                               snakepit_writer *writer,
                               snakepit_reader *reader);

// The member of that name. False: there is none.
bool sp_cli_value_find(const snakepit_reader *map,
                       const char *key,
                       snakepit_reader *found);
// The next value, if it is of that kind. `at` moves on in any case.
bool sp_cli_value_next(snakepit_reader *at, snakepit_kind kind, snakepit_value *value);

// Members by their names; "", 0, false: there is none.
snakepit_span sp_cli_value_text(const snakepit_reader *map, const char *key);
uint64_t sp_cli_value_number(const snakepit_reader *map, const char *key);
bool sp_cli_value_truth(const snakepit_reader *map, const char *key);
// The elements of the list of that name come next; their number, 0: there is none.
uint32_t
sp_cli_value_list(const snakepit_reader *map, const char *key, snakepit_reader *at);

bool sp_cli_span_is(snakepit_span span, const char *text);

// For "%.*s".
#define SP_CLI_SPAN(span) (int)(span).size, (const char *)(span).data

#endif
