// SPDX-License-Identifier: MIT
#include "process/event.h"

#include <stdio.h>
#include <string.h>

#include "base/callback.h"
#include "payload/json.h"
#include "telemetry/notice.h"

#define LOG_TEXT 1200u // bytes of a map as JSON in the log, with a zero

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
    return sink->event != NULL ||
           (sink->log->level <= SP_LOG_INFO && sink->log->adapters <= SP_LOG_INFO);
}

// The map as JSON, or why it has none; NULL without memory for it.
static const char *as_json(snakepit_reader map, char room[LOG_TEXT])
{
    struct sp_buf json = {0};
    snakepit_message why;
    snakepit_err err = sp_json_write(&map, &json, &why);
    const char *text = NULL;
    if (err == SNAKEPIT_UNSERIALISABLE) {
        (void)sp_log_quote(why.text, room, LOG_TEXT);
        text = room;
    } else if (err == SNAKEPIT_OK && json.size < LOG_TEXT) {
        (void)snprintf(room, LOG_TEXT, "%.*s", (int)json.size, (const char *)json.data);
        text = room;
    } else if (err == SNAKEPIT_OK) {
        text = "\"too long for the log\"";
    }
    sp_buf_fini(&json);
    return text;
}

static void write_to_log(const struct sp_log *log, const snakepit_event *event)
{
    char measurements[LOG_TEXT];
    char metadata[LOG_TEXT];
    sp_log(log,
           worker_event,
           .pool = event->pool,
           .worker = event->worker,
           .event = event->name,
           .call = event->call,
           .session = event->session_id,
           .correlation = event->correlation_id,
           .dropped = event->dropped,
           .measurements = as_json(event->measurements, measurements),
           .metadata = as_json(event->metadata, metadata));
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
