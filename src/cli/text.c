// SPDX-License-Identifier: MIT
// A text that is cut is still the best there is to show, so nothing here fails.
#include "cli/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *sp_cli_format(char *room, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(room, size, format, args);
    va_end(args);
    return room;
}

void sp_cli_explain(snakepit_message *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
}

void sp_cli_split(const char *text, snakepit_message *what, snakepit_message *remedy)
{
    const char *end = strstr(text, "; ");
    size_t size = end != NULL ? (size_t)(end - text) : strlen(text);
    sp_cli_explain(what, "%.*s", (int)size, text);
    sp_cli_explain(remedy, "%s", end != NULL ? end + 2 : "");
}
