// SPDX-License-Identifier: MIT
// JSON for standard output; see payload/pairs.h.
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <snakepit/payload.h>

#include "cli/command.h"
#include "payload/pairs.h"

// Prints the value in `writer` as one line. NO_MEMORY; whatever the writer complains
// about.
snakepit_err sp_cli_print_json(struct sp_cli *cli, const snakepit_writer *writer);
// Prints JSON text as one line. What a terminal must not be shown (base/text.h) can
// only be inside of its texts and is escaped there, so the value stays the same.
void sp_cli_print_json_text(struct sp_cli *cli, const char *json, size_t size);
// Why a value of which no JSON text came has none; `why` says so.
snakepit_err sp_cli_explain_json(const snakepit_reader *value, snakepit_message *why);

#endif
