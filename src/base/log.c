// SPDX-License-Identifier: MIT
// Lines are made on the stack of whoever has something to say, and handed on whole.
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *const labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const names[] = {"debug", "info", "warning", "error", "off"};

void sp_log(const struct sp_log *log,
            enum sp_log_level level,
            const char *event,
            const char *format,
            ...)
{
    if (level < log->level || level >= SP_LOG_OFF) {
        return;
    }
    char line[SP_LOG_LINE_MAX];
    int head = snprintf(line, sizeof(line), "%s%s", event, *format != '\0' ? " " : "");
    if (head >= 0 && (size_t)head < sizeof(line)) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(line + head, sizeof(line) - (size_t)head, format, args);
        va_end(args);
    }
    // After the cut, which may have split a character.
    sp_text_clean(line, strlen(line), SP_TEXT_LINE);
    log->write(log->user, level, event, line);
}

const char *sp_log_label(enum sp_log_level level)
{
    return labels[level];
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
