// SPDX-License-Identifier: MIT
#include "telemetry/notice.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

// ---- The table ----------------------------------------------------------------

#define WORD(name)    {#name, SP_NOTICE_FIELD_WORD, ""},
#define TEXT(name)    {#name, SP_NOTICE_FIELD_TEXT, ""},
#define JSON(name)    {#name, SP_NOTICE_FIELD_JSON, ""},
#define COUNT(name)   {#name, SP_NOTICE_FIELD_COUNT, ""},
#define NUMBER(name)  {#name, SP_NOTICE_FIELD_NUMBER, ""},
#define MS(name)      {#name, SP_NOTICE_FIELD_COUNT, "ms"},
#define US(name)      {#name, SP_NOTICE_FIELD_COUNT, "us"},
#define BYTES(name)   {#name, SP_NOTICE_FIELD_COUNT, "bytes"},
#define PERCENT(name) {#name, SP_NOTICE_FIELD_NUMBER, "percent"},
#define RATIO(name)   {#name, SP_NOTICE_FIELD_RATIO, ""},
#define YES_NO(name)  {#name, SP_NOTICE_FIELD_YES_NO, ""},

#define SP_EVENT(id, name, level, help, fields)                                        \
    static const struct sp_notice_field fields_of_##id[] = {fields};                   \
    _Static_assert(sizeof fields_of_##id / sizeof(struct sp_notice_field) <=           \
                       SP_NOTICE_FIELDS_MOST,                                          \
                   "too many fields: " #id);                                           \
    _Static_assert(sizeof(struct sp_told_##id) == sizeof fields_of_##id /              \
                                                      sizeof(struct sp_notice_field) * \
                                                      sizeof(union sp_notice_value),   \
                   "fields of other sizes: " #id);
#include "telemetry/events.def"
#undef SP_EVENT

#define SP_EVENT(id, name, level, help, fields) \
    {name,                                      \
     SP_LOG_##level,                            \
     help,                                      \
     fields_of_##id,                            \
     sizeof fields_of_##id / sizeof(struct sp_notice_field)},
const struct sp_notice_kind sp_notice_kinds[SP_NOTICES] = {
#include "telemetry/events.def"
};
#undef SP_EVENT

// ---- Telling ------------------------------------------------------------------

bool sp_notice_field_is_told(const struct sp_notice_field *field,
                             union sp_notice_value value)
{
    return sp_notice_field_is_text(field) ? value.text != NULL
                                          : value.number != SP_UNTOLD;
}

const char *sp_notice_text(const struct sp_notice *notice, const char *field)
{
    for (size_t i = 0; i < notice->kind->count; i++) {
        const struct sp_notice_field *its = &notice->kind->fields[i];
        if (sp_notice_field_is_text(its) && strcmp(its->name, field) == 0) {
            return notice->values[i].text;
        }
    }
    return NULL;
}

// A copy of `text` in `room`, of which `*used` bytes are used.
static const char *keep(const char *text, char room[SP_NOTICE_TEXTS_MAX], size_t *used)
{
    size_t left = SP_NOTICE_TEXTS_MAX - *used;
    if (left <= 1) {
        return "";
    }
    char *kept = room + *used;
    size_t size = strnlen(text, left - 1);
    memcpy(kept, text, size);
    kept[size] = '\0';
    // After the cut, which may have split a character.
    sp_text_clean(kept, size, SP_TEXT_LINE);
    *used += size + 1;
    return kept;
}

void sp_notice_tell(const struct sp_log *log,
                    enum sp_log_level level,
                    const struct sp_notice_kind *kind,
                    const void *told)
{
    union sp_notice_value values[SP_NOTICE_FIELDS_MOST];
    char room[SP_NOTICE_TEXTS_MAX];
    struct timespec now;
    size_t used = 0;
    if (level < log->level || level >= SP_LOG_OFF) {
        return;
    }
    memcpy(values, told, kind->count * sizeof *values);
    for (size_t i = 0; i < kind->count; i++) {
        if (sp_notice_field_is_text(&kind->fields[i]) && values[i].text != NULL) {
            values[i].text = keep(values[i].text, room, &used);
        }
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct sp_notice notice = {.kind = kind,
                                     .level = level,
                                     .time_ns = (uint64_t)now.tv_sec * SP_NS_PER_S +
                                                (uint64_t)now.tv_nsec,
                                     .values = values};
    log->write(log->user, &notice);
}
