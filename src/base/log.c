// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *const labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const names[] = {"debug", "info", "warning", "error", "off"};

const char *sp_log_label(enum sp_log_level level)
{
    return labels[level];
}

const char *sp_log_level_name(enum sp_log_level level)
{
    return names[level];
}

const char *sp_log_quote(const char *text, char *room, size_t size)
{
    size_t at = 0;
    room[at++] = '"';
    // Three bytes stay free for what one turn may write behind the end: a pair, and the
    // zero.
    for (; *text != '\0' && at + 4 <= size; text++) {
        if (*text == '"' || *text == '\\') {
            room[at++] = '\\';
        }
        room[at++] = *text;
    }
    room[at++] = '"';
    room[at] = '\0';
    return room;
}

static bool is_of_words(char byte)
{
    return byte > ' ' && byte < 0x7f && byte != '"' && byte != '\\' && byte != '=';
}

const char *sp_log_value(const char *text, char *room, size_t size)
{
    const char *at = text;
    while (is_of_words(*at)) {
        at++;
    }
    return at > text && *at == '\0' ? text : sp_log_quote(text, room, size);
}

int sp_log_level_of(const char *name)
{
    for (int level = 0; level <= SP_LOG_OFF; level++) {
        if (strcasecmp(name, names[level]) == 0) {
            return level;
        }
    }
    return -1;
}
