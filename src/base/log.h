// SPDX-License-Identifier: MIT
// Where events go, and how they are written in a line: "worker.exit pool=text worker=7
// signal=9". Which events there are, and how one is told, is in telemetry/notice.h.
// Never payloads.
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

// How events are written to stderr.
enum sp_log_format {
    SP_LOG_TEXT,     // lines of key=value, with time and level
    SP_LOG_JSON,     // one object a line
    SP_LOG_JOURNALD, // to the journal instead; where there is none, as SP_LOG_TEXT
    SP_LOG_NOWHERE,
};

#define SP_LOG_LINE_MAX \
    4032u // with a zero; with a time in front it goes into a pipe at once

struct sp_notice; // telemetry/notice.h

// Receives an event, borrowed. Called from any thread, also with locks held: it must
// not wait for anybody.
typedef void sp_log_fn(void *user, const struct sp_notice *notice);

// Where events go. Plain data, read-only once in use.
struct sp_log {
    sp_log_fn *write; // mostly sp_log_writer_put()
    void *user;
    enum sp_log_level level;    // events below it are not told,
    enum sp_log_level adapters; // nor below this what adapters print and emit
};

// Writes `text` in double quotes into `room`, quotes and backslashes escaped, cut to
// fit, with a zero behind it; returns `room`. `size` is at least 4.
const char *sp_log_quote(const char *text, char *room, size_t size);

// `text` itself if it is one word that needs no quotes, else as sp_log_quote() does it.
const char *sp_log_value(const char *text, char *room, size_t size);

// "DEBUG", "INFO", "WARN", "ERROR". `level` is not SP_LOG_OFF.
const char *sp_log_label(enum sp_log_level level);

// "debug", "info", "warning", "error", "off".
const char *sp_log_level_name(enum sp_log_level level);

// "debug", "info", "warning", "error", "off" to a level; -1 for any other text.
int sp_log_level_of(const char *name);

#endif
