// SPDX-License-Identifier: MIT
// Short texts of fixed room.
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>

#include <snakepit/payload.h>

// Writes formatted text into `room`, cut to fit, with a zero behind it; returns `room`.
const char *sp_cli_format(char *room, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same into a message.
void sp_cli_explain(snakepit_message *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Splits a sentence of the library, "what is wrong; the remedy", at its first "; ".
void sp_cli_split(const char *text, snakepit_message *what, snakepit_message *remedy);

#endif
