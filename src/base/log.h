// SPDX-License-Identifier: MIT
// One line per event: "worker.exit pool=text worker=7 signal=9". Never payloads.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>

enum sp_log_level {
    SP_LOG_DEBUG = 0,
    SP_LOG_INFO,
    SP_LOG_WARNING,
    SP_LOG_ERROR,
    SP_LOG_OFF
};

#define SP_LOG_LINE_MAX \
    4032u // with a zero; with a time in front it goes into a pipe at once

// Receives a finished line without its end-of-line. Called from any thread, also with
// locks held: it must not wait for anybody.
typedef void
sp_log_fn(void *user, enum sp_log_level level, const char *event, const char *line);

// Where lines go. Plain data, read-only once in use.
struct sp_log {
    sp_log_fn *write; // mostly sp_log_writer_put()
    void *user;
    enum sp_log_level level; // lines below it are not made
};

// Writes "EVENT key=value ..." if `level` is wanted. `format` makes the part behind the
// event; values that others have written are to go through sp_log_quote() or
// sp_log_value(), or they could add fields of their own. The whole line goes through
// sp_text_clean(), and what is longer than 4031 bytes is cut. `format` may be "". Any
// thread.
void sp_log(const struct sp_log *log,
            enum sp_log_level level,
            const char *event,
            const char *format,
            ...) __attribute__((format(printf, 4, 5)));

// Writes `text` in double quotes into `room`, quotes and backslashes escaped, cut to
// fit, with a zero behind it; returns `room`. `size` is at least 4.
const char *sp_log_quote(const char *text, char *room, size_t size);

// `text` itself if it is one word that needs no quotes, else as sp_log_quote() does it.
const char *sp_log_value(const char *text, char *room, size_t size);

// "DEBUG", "INFO", "WARN", "ERROR". `level` is not SP_LOG_OFF.
const char *sp_log_label(enum sp_log_level level);

// "debug", "info", "warning", "error", "off" to a level; -1 for any other text.
int sp_log_level_of(const char *name);

#endif
