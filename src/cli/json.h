// SPDX-License-Identifier: MIT
// JSON for standard output. It is built as MessagePack, for the payload's own writer
// makes valid JSON of any text, whatever bytes an adapter put into it.
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <snakepit/payload.h>

#include "cli/command.h"

// A pair of a map. A text may be NULL, which is null.
void sp_cli_json_text(snakepit_writer *writer, const char *key, const char *value);
void sp_cli_json_number(snakepit_writer *writer, const char *key, uint64_t value);
void sp_cli_json_bool(snakepit_writer *writer, const char *key, bool value);

// Prints the value in `writer` as one line. NO_MEMORY; whatever the writer complains
// about.
snakepit_err sp_cli_print_json(struct sp_cli *cli, const snakepit_writer *writer);
// Prints JSON text as one line. What a terminal must not be shown (base/text.h) can
// only be inside of its texts and is escaped there, so the value stays the same.
void sp_cli_print_json_text(struct sp_cli *cli, const char *json, size_t size);
// Why a value of which no JSON text came has none; `why` says so.
snakepit_err sp_cli_explain_json(const snakepit_reader *value, snakepit_message *why);

#endif
