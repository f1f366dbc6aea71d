// SPDX-License-Identifier: MIT
#include "telemetry/notice_write.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/utc.h"

#define VALUE_MAX (2 * SP_NOTICE_TEXTS_MAX + 8) // bytes of a field's value, quoted

// Text that is appended as far as there is room, always with a zero behind it.
struct out {
    char *at;
    size_t size; // at least 1
    size_t used;
    bool cut;
};

static void put(struct out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t left = out->size - out->used;
    int wanted = vsnprintf(out->at + out->used, left, format, args);
    va_end(args);
    size_t written = wanted < 0 ? 0 : (size_t)wanted;
    out->cut = out->cut || written >= left;
    out->used += written < left ? written : left - 1;
}

void sp_notice_time(uint64_t time_ns, char room[SP_NOTICE_TIME_SIZE])
{
    char second[SP_UTC_SIZE];
    sp_utc_write((int64_t)(time_ns / SP_NS_PER_S), second);
    (void)snprintf(room,
                   SP_NOTICE_TIME_SIZE,
                   "%.*s.%06uZ",
                   (int)strcspn(second, "Z"),
                   second,
                   (unsigned)(time_ns % SP_NS_PER_S / SP_NS_PER_US));
}

// ---- Lines --------------------------------------------------------------------

// JSON without a blank or '=', so that nothing in it can pass for a field of the line.
static void put_as_word(struct out *out, const char *json)
{
    for (; *json != '\0'; json++) {
        put(out, *json == ' ' || *json == '=' ? "\\u%04x" : "%c", *json);
    }
}

static void put_value(struct out *out,
                      const struct sp_notice_field *field,
                      union sp_notice_value value)
{
    char room[VALUE_MAX];
    switch (field->kind) {
    case SP_NOTICE_FIELD_WORD:
        put(out, "%s", sp_log_value(value.text, room, sizeof room));
        break;
    case SP_NOTICE_FIELD_TEXT:
        put(out, "%s", sp_log_quote(value.text, room, sizeof room));
        break;
    case SP_NOTICE_FIELD_JSON:
        put_as_word(out, value.text);
        break;
    case SP_NOTICE_FIELD_COUNT:
        put(out, "%" PRIu64, value.count);
        break;
    case SP_NOTICE_FIELD_NUMBER:
        put(out, "%" PRId64, value.number);
        break;
    case SP_NOTICE_FIELD_RATIO:
        put(out, "%.2f", value.ratio);
        break;
    case SP_NOTICE_FIELD_YES_NO:
        put(out, "%s", value.count != 0 ? "yes" : "no");
        break;
    }
}

size_t sp_notice_line(const struct sp_notice *notice, char *room, size_t size)
{
    struct out out = {.at = room, .size = size};
    put(&out, "%s", notice->kind->name);
    for (size_t i = 0; i < notice->kind->count; i++) {
        const struct sp_notice_field *field = &notice->kind->fields[i];
        if (sp_notice_field_is_told(field, notice->values[i])) {
            put(&out, " %s=", field->name);
            put_value(&out, field, notice->values[i]);
        }
    }
    sp_text_clean(room, out.used, SP_TEXT_LINE); // a cut may have split a character
    return out.used;
}

// ---- JSON ---------------------------------------------------------------------

// The longest part of `text` of at most `most` bytes that ends where a character does.
static size_t whole(const char *text, size_t most)
{
    size_t size = strnlen(text, most + 1);
    if (size <= most) {
        return size;
    }
    size = most;
    while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

// `text` has neither control codes nor bytes that are not UTF-8.
static void put_json_text(struct out *out, const char *text, size_t most)
{
    size_t size = whole(text, most);
    put(out, "\"");
    for (size_t i = 0; i < size; i++) {
        put(out, text[i] == '"' || text[i] == '\\' ? "\\%c" : "%c", text[i]);
    }
    put(out, "\"");
}

static void put_json(struct out *out,
                     const struct sp_notice_field *field,
                     union sp_notice_value value,
                     size_t most)
{
    if (field->kind == SP_NOTICE_FIELD_YES_NO) {
        put(out, "%s", value.count != 0 ? "true" : "false");
    } else if (field->kind == SP_NOTICE_FIELD_JSON) {
        put(out, "%s", strlen(value.text) <= most ? value.text : "null");
    } else if (sp_notice_field_is_text(field)) {
        put_json_text(out, value.text, most);
    } else {
        put_value(out, field, value);
    }
}

static void put_object(struct out *out, const struct sp_notice *notice, size_t most)
{
    char time[SP_NOTICE_TIME_SIZE];
    sp_notice_time(notice->time_ns, time);
    put(out,
        "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
        time,
        sp_log_level_name(notice->level),
        notice->kind->name);
    for (size_t i = 0; i < notice->kind->count; i++) {
        const struct sp_notice_field *field = &notice->kind->fields[i];
        if (sp_notice_field_is_told(field, notice->values[i])) {
            // An adapter's event has a name of its own, and "event" is taken.
            bool taken = strcmp(field->name, "event") == 0;
            put(out, ",\"%s\":", taken ? "name" : field->name);
            put_json(out, field, notice->values[i], most);
        }
    }
    put(out, "}");
}

size_t sp_notice_json(const struct sp_notice *notice, char *room, size_t size)
{
    struct out out = {.at = room, .size = size};
    size_t most = (size_t)2 * SP_NOTICE_TEXTS_MAX;
    do {
        most /= 2;
        out.used = 0;
        out.cut = false;
        put_object(&out, notice, most);
    } while (out.cut && most > 0);
    return out.used;
}

// ---- journald -----------------------------------------------------------------

// As of syslog(3): error, warning, info, debug.
static int priority(enum sp_log_level level)
{
    static const int priorities[] = {7, 6, 4, 3};
    return priorities[level];
}

static void put_journal_key(struct out *out, const char *name)
{
    put(out, "SNAKEPIT_");
    for (; *name != '\0'; name++) {
        bool small = *name >= 'a' && *name <= 'z';
        put(out, "%c", small ? *name - 'a' + 'A' : *name);
    }
    put(out, "=");
}

static void put_journal_field(struct out *out,
                              const struct sp_notice_field *field,
                              union sp_notice_value value)
{
    size_t before = out->used;
    put_journal_key(out, field->name);
    if (sp_notice_field_is_text(field)) {
        put(out, "%s", value.text);
    } else {
        put_value(out, field, value);
    }
    put(out, "\n");
    if (out->cut) {
        out->used = before;
        out->cut = false;
    }
}

size_t sp_notice_journal(const struct sp_notice *notice, char *room, size_t size)
{
    char line[SP_LOG_LINE_MAX];
    struct out out = {.at = room, .size = size};
    (void)sp_notice_line(notice, line, sizeof line);
    put(&out,
        "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=snakepit\nSNAKEPIT_EVENT=%s\n",
        line,
        priority(notice->level),
        notice->kind->name);
    for (size_t i = 0; i < notice->kind->count; i++) {
        const struct sp_notice_field *field = &notice->kind->fields[i];
        bool taken = strcmp(field->name, "event") == 0;
        if (!taken && sp_notice_field_is_told(field, notice->values[i])) {
            put_journal_field(&out, field, notice->values[i]);
        }
    }
    return out.used;
}
