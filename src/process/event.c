// SPDX-License-Identifier: MIT
#include "process/event.h"

#include <stdio.h>
#include <string.h>

#include "base/callback.h"
#include "payload/json.h"

#define LOG_NAME 270u // bytes of a name in a line of the log
#define LOG_TEXT 600u // bytes of a map as JSON there

// ---- Reading ------------------------------------------------------------------

static bool read_text(snakepit_reader *reader, char room[SP_EVENT_TEXT_MAX + 1])
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT || value.as.text.size > SP_EVENT_TEXT_MAX) {
        return false;
    }
    memcpy(room, value.as.text.data, value.as.text.size);
    room[value.as.text.size] = 0;
    return true;
}

static bool read_number(snakepit_reader *reader, uint64_t *number)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK) {
        return false;
    }
    if (value.kind == SNAKEPIT_UNSIGNED) {
        *number = value.as.unsigned_integer;
        return true;
    }
    *number = (uint64_t)value.as.integer;
    return value.kind == SNAKEPIT_INTEGER && value.as.integer >= 0;
}

// Whoever gets the reader can go through the whole map: it was gone through here.
static bool read_map(snakepit_reader *reader, snakepit_reader *map)
{
    snakepit_value value;
    *map = *reader;
    snakepit_reader first = *reader;
    return snakepit_reader_next(&first, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_MAP && snakepit_reader_skip(reader) == SNAKEPIT_OK;
}

static bool read_slice(snakepit_reader *reader, struct sp_slice *text)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    *text = (struct sp_slice){(const uint8_t *)value.as.text.data, value.as.text.size};
    return true;
}

static bool read_trace(snakepit_reader *reader, struct sp_event *event)
{
    struct sp_slice trace;
    struct sp_slice parent;
    if (!read_slice(reader, &trace) || !read_slice(reader, &parent) ||
        !sp_traceparent_read(trace, &event->trace)) {
        return false;
    }
    event->ends_span = parent.size > 0;
    return !event->ends_span || sp_span_read(parent, event->parent);
}

snakepit_err sp_event_parse(struct sp_event *event, const uint8_t *bytes, size_t size)
{
    snakepit_reader reader;
    snakepit_value all;
    snakepit_event *told = &event->told;
    *told = (snakepit_event){.size = sizeof *told};
    snakepit_reader_init(&reader, bytes, size);
    event->trace = (struct sp_trace_context){0};
    event->ends_span = false;
    bool sound =
        snakepit_reader_next(&reader, &all) == SNAKEPIT_OK &&
        all.kind == SNAKEPIT_ARRAY && (all.as.count == 7 || all.as.count == 9) &&
        read_text(&reader, event->name) && event->name[0] != 0 &&
        read_number(&reader, &told->call) && read_text(&reader, event->session) &&
        read_text(&reader, event->correlation) &&
        read_number(&reader, &told->time_ns) &&
        read_map(&reader, &told->measurements) && read_map(&reader, &told->metadata) &&
        (all.as.count == 7 || read_trace(&reader, event)) && reader.at == reader.end;
    told->name = event->name;
    told->session_id = event->session;
    told->correlation_id = event->correlation;
    return sound ? SNAKEPIT_OK : SNAKEPIT_PROTOCOL;
}

// ---- Telling ------------------------------------------------------------------

bool sp_event_sink_wants(const struct sp_event_sink *sink)
{
    return sink->event != NULL || sink->log->level <= SP_LOG_INFO;
}

// JSON without a blank or '=' in its texts, so that none can pass for a field of the
// line; cut to fit.
static void write_word(const char *json, char room[LOG_TEXT])
{
    size_t at = 0;
    for (; *json != 0 && at + sizeof "\\u0020" <= LOG_TEXT; json++) {
        if (*json == ' ' || *json == '=') {
            at += (size_t)snprintf(room + at, LOG_TEXT - at, "\\u%04x", *json);
        } else {
            room[at++] = *json;
        }
    }
    room[at] = 0;
}

// The map as JSON, or why it has none; without memory for it, nothing.
static const char *as_json(snakepit_reader map, char room[LOG_TEXT])
{
    struct sp_buf json = {0};
    snakepit_message why;
    snakepit_err err = sp_json_write(&map, &json, &why);
    bool made = err == SNAKEPIT_OK && sp_buf_append(&json, "", 1) == SNAKEPIT_OK;
    const char *instead = err == SNAKEPIT_UNSERIALISABLE ? why.text : "";
    write_word(made ? (const char *)json.data : instead, room);
    sp_buf_fini(&json);
    return room;
}

static void write_to_log(const struct sp_log *log, const snakepit_event *event)
{
    char name[LOG_NAME];
    char session[LOG_NAME];
    char correlation[LOG_NAME];
    char measurements[LOG_TEXT];
    char metadata[LOG_TEXT];
    sp_log(log,
           SP_LOG_INFO,
           "worker.event",
           "pool=%s worker=%llu event=%s call=%llu session=%s correlation=%s "
           "dropped=%llu measurements=%s metadata=%s",
           event->pool,
           (unsigned long long)event->worker,
           sp_log_quote(event->name, name, sizeof name),
           (unsigned long long)event->call,
           sp_log_quote(event->session_id, session, sizeof session),
           sp_log_quote(event->correlation_id, correlation, sizeof correlation),
           (unsigned long long)event->dropped,
           as_json(event->measurements, measurements),
           as_json(event->metadata, metadata));
}

void sp_event_tell(const struct sp_event_sink *sink, const snakepit_event *event)
{
    if (sink->event != NULL) {
        SP_CALLBACK("the callback `event`");
        sink->event(sink->user, event);
        SP_CALLBACK_RETURNED;
    } else {
        write_to_log(sink->log, event);
    }
}
