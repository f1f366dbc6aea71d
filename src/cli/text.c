// SPDX-License-Identifier: MIT
// A text that is cut is still the best there is to show, so nothing here fails.
#include "cli/text.h"

#include <stdarg.h>
#include <stdio.h>

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
