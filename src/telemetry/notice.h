// SPDX-License-Identifier: MIT
// Events of the library's own, with their fields as values:
//
//     sp_log(log, worker_kill, .pool = pool, .worker = 7, .pid = pid, .because = why);
//     sp_log_at(log, SP_LOG_WARNING, worker_exit, .pool = pool, ...);
//
// The rows of telemetry/events.def say which there are, with which fields, and at which
// level sp_log() tells them. A text that is NULL and a number that is SP_UNTOLD are
// left out; a number that is not given is 0. Any thread; nothing waits. What is below
// the level of the log costs one comparison.
#ifndef TELEMETRY_NOTICE_H
#define TELEMETRY_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define SP_NOTICE_FIELDS_MOST 16u
#define SP_UNTOLD             (INT64_MIN)
#define SP_NOTICE_TEXTS_MAX \
    3840u // bytes of the texts of an event, each with a zero; cut to fit

enum sp_notice_field_kind {
    SP_NOTICE_FIELD_WORD, // texts
    SP_NOTICE_FIELD_TEXT,
    SP_NOTICE_FIELD_JSON,
    SP_NOTICE_FIELD_COUNT, // numbers
    SP_NOTICE_FIELD_NUMBER,
    SP_NOTICE_FIELD_RATIO,
    SP_NOTICE_FIELD_YES_NO,
};

struct sp_notice_field {
    const char *name;
    enum sp_notice_field_kind kind;
    const char *unit; // "" or "ms", "us", "bytes", "percent"
};

union sp_notice_value {
    const char *text; // clean, see base/text.h; NULL: left out
    uint64_t count;   // SP_UNTOLD: left out, as for the next one
    int64_t number;
    double ratio;
};

// A row.
struct sp_notice_kind {
    const char *name; // "worker.exit"
    enum sp_log_level level;
    const char *help;
    const struct sp_notice_field *fields;
    size_t count; // at most SP_NOTICE_FIELDS_MOST
};

// One event.
struct sp_notice {
    const struct sp_notice_kind *kind;
    enum sp_log_level level;
    uint64_t time_ns;                    // since 1970
    const union sp_notice_value *values; // as many as the kind has fields
};

// Every row, by the number that its id has.
#define SP_EVENT(id, name, level, help, fields) SP_NOTICE_##id,
enum sp_notice_id {
#include "telemetry/events.def"
    SP_NOTICES
};
#undef SP_EVENT
extern const struct sp_notice_kind sp_notice_kinds[SP_NOTICES];

// What sp_log() takes for each: struct sp_told_worker_exit and so on. All fields have
// the size of a union sp_notice_value.
#define WORD(name)    const char *name;
#define TEXT(name)    const char *name;
#define JSON(name)    const char *name;
#define COUNT(name)   uint64_t name;
#define NUMBER(name)  int64_t name;
#define MS(name)      uint64_t name;
#define US(name)      uint64_t name;
#define BYTES(name)   uint64_t name;
#define PERCENT(name) int64_t name;
#define RATIO(name)   double name;
#define YES_NO(name)  uint64_t name;
#define SP_EVENT(id, name, level, help, fields) \
    struct sp_told_##id {                       \
        fields                                  \
    };
#include "telemetry/events.def"
#undef SP_EVENT
#undef WORD
#undef TEXT
#undef JSON
#undef COUNT
#undef NUMBER
#undef MS
#undef US
#undef BYTES
#undef PERCENT
#undef RATIO
#undef YES_NO

// NOLINTBEGIN(readability-identifier-naming): they are called like functions
#define sp_log(log, id, ...) \
    sp_log_at((log), sp_notice_kinds[SP_NOTICE_##id].level, id, __VA_ARGS__)
#define sp_log_at(log, at_level, id, ...)            \
    sp_notice_tell((log),                            \
                   (at_level),                       \
                   &sp_notice_kinds[SP_NOTICE_##id], \
                   &(const struct sp_told_##id){__VA_ARGS__})

// NOLINTEND(readability-identifier-naming)

// What these macros call: `told` has the fields of `kind` one after the other. Texts
// are cleaned, as one line each, and cut.
void sp_notice_tell(const struct sp_log *log,
                    enum sp_log_level level,
                    const struct sp_notice_kind *kind,
                    const void *told);

static inline bool sp_notice_field_is_text(const struct sp_notice_field *field)
{
    return field->kind <= SP_NOTICE_FIELD_JSON;
}

// Whether the field was told.
bool sp_notice_field_is_told(const struct sp_notice_field *field,
                             union sp_notice_value value);

// The text of the field of that name; NULL: the event has none, or it was left out.
const char *sp_notice_text(const struct sp_notice *notice, const char *field);

#endif
