// SPDX-License-Identifier: MIT
// Lines are made on the stack and leave in one write, so lines of several threads, and
// of several processes with one stderr, never mix.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES \
    4032u // what is longer is cut; with a time it goes into a pipe at once

static const char *const labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const names[] = {"debug", "info", "warning", "error", "off"};

// A value that holds an end-of-line must not look like another event.
static void flatten(char *line)
{
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < ' ' || *line == 0x7f) {
            *line = ' ';
        }
    }
}

static void write_stderr(enum sp_log_level level, const char *line)
{
    struct timespec now;
    struct tm local;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &local);
    char out[LINE_MAX_BYTES + 64];
    int length = snprintf(out,
                          sizeof(out),
                          "%02d:%02d:%02d.%03d %s %s\n",
                          local.tm_hour,
                          local.tm_min,
                          local.tm_sec,
                          (int)(now.tv_nsec / 1000000),
                          labels[level],
                          line);
    // There is nowhere left to report that stderr is gone.
    ssize_t written = write(STDERR_FILENO, out, (size_t)length);
    (void)written;
}

void sp_log(const struct sp_log *log,
            enum sp_log_level level,
            const char *event,
            const char *format,
            ...)
{
    if (level < log->level || level >= SP_LOG_OFF) {
        return;
    }
    char line[LINE_MAX_BYTES];
    int head = snprintf(line, sizeof(line), "%s%s", event, *format != '\0' ? " " : "");
    if (head >= 0 && (size_t)head < sizeof(line)) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(line + head, sizeof(line) - (size_t)head, format, args);
        va_end(args);
    }
    flatten(line);
    if (log->write != NULL) {
        log->write(log->user, level, event, line);
    } else {
        write_stderr(level, line);
    }
}

const char *sp_log_quote(const char *text, char *room, size_t size)
{
    size_t at = 0;
    room[at++] = '"';
    // Three bytes stay free for what one turn may write behind the end: a pair, and the
    // zero.
    for (; *text != '\0' && at + 4 <= size; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            room[at++] = '\\';
        }
        room[at++] = (char)(byte < ' ' || byte == 0x7f ? ' ' : byte);
    }
    room[at++] = '"';
    room[at] = '\0';
    return room;
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
