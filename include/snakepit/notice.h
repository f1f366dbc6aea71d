// SPDX-License-Identifier: MIT
// What happens to pools and workers, as values: workers that start, end or are
// replaced, lines that are full, files that were read again. docs/events.md has a row
// for each. The lines of the log say the same. Include snakepit.h for everything.
#ifndef SNAKEPIT_NOTICE_H
#define SNAKEPIT_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "payload.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum snakepit_log_level {
    SNAKEPIT_LOG_DEBUG = 0,
    SNAKEPIT_LOG_INFO,
    SNAKEPIT_LOG_WARNING,
    SNAKEPIT_LOG_ERROR,
    SNAKEPIT_LOG_OFF
} snakepit_log_level;

typedef enum snakepit_field_kind {
    SNAKEPIT_FIELD_TEXT = 0,
    SNAKEPIT_FIELD_JSON,     // a text that is JSON
    SNAKEPIT_FIELD_UNSIGNED, // also of what has a number as its name, as workers do
    SNAKEPIT_FIELD_INTEGER,
    SNAKEPIT_FIELD_REAL,
    SNAKEPIT_FIELD_BOOLEAN
} snakepit_field_kind;

// Its size stays as it is.
typedef struct snakepit_field {
    const char *name; // "start_ms"
    const char *unit; // "ms", "us", "bytes", "percent", or ""
    snakepit_field_kind kind;
    union {
        const char *text; // UTF-8 without control codes, one line
        uint64_t unsigned_integer;
        int64_t integer;
        double real;
        bool boolean;
    } as;
} snakepit_field;

// One event. Everything that it leads to is borrowed.
typedef struct snakepit_notice {
    size_t size;              // of the struct as the library knows it
    const char *name;         // "worker.exit"
    const char *pool;         // what it is about; "": no pool
    snakepit_log_level level; // how bad it is
    uint64_t time_ns;         // when, in nanoseconds since 1970
    const snakepit_field *fields;
    size_t field_count; // what is not known is not there
} snakepit_notice;

// Called for each event, in order, one at a time, on a thread of the library; it must
// not call the library. Nothing waits for it but snakepit_close(), after which it is
// not called any more: where it is slow events are dropped, and "log.dropped" says how
// many.
typedef void snakepit_notice_fn(void *user,
                                const snakepit_notice *notice) SNAKEPIT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
