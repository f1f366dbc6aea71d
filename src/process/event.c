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

static bool log_wants(const struct sp_event_sink *sink)
{
    return sink->log->level <= SP_LOG_INFO && sink->log->adapters <= SP_LOG_INFO;
}

bool sp_event_sink_wants(const struct sp_event_sink *sink)
{
    return sink->event != NULL || sink->also != NULL || sink->spans != NULL ||
           log_wants(sink);
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
    } else if (log_wants(sink)) {
        write_to_log(sink->log, event);
    }
    if (sink->also != NULL) {
        sink->also(sink->also_user, event);
    }
}

// ---- Spans --------------------------------------------------------------------

static void
add_value(struct sp_span *span, const char *key, const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_TEXT:
        sp_span_add_text(span,
                         key,
                         (struct sp_slice){(const uint8_t *)value->as.text.data,
                                           value->as.text.size});
        break;
    case SNAKEPIT_INTEGER:
        sp_span_add_integer(span, key, value->as.integer);
        break;
    case SNAKEPIT_REAL:
        sp_span_add_real(span, key, value->as.real);
        break;
    case SNAKEPIT_BOOLEAN:
        sp_span_add_boolean(span, key, value->as.boolean);
        break;
    default:
        break; // lists and maps are left out
    }
}

static void add_metadata(struct sp_span *span, snakepit_reader map)
{
    char key[SP_EVENT_TEXT_MAX + 1];
    snakepit_value value;
    (void)snakepit_reader_next(&map, &value);
    for (uint32_t left = value.as.count; left > 0 && read_text(&map, key); left--) {
        snakepit_reader at = map;
        if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
            snakepit_reader_skip(&map) != SNAKEPIT_OK) {
            return;
        }
        add_value(span, strcmp(key, "error_type") == 0 ? "error.type" : key, &value);
    }
}

// The name without what the end of a span has behind it. `*failed`: it was an
// exception.
static struct sp_slice name_of_span(const char *name, bool *failed)
{
    static const char stop[] = ".stop";
    static const char exception[] = ".exception";
    struct sp_slice text = sp_slice_of_text(name);
    *failed = text.size > strlen(exception) &&
              strcmp(name + text.size - strlen(exception), exception) == 0;
    text.size -= *failed                    ? strlen(exception)
                 : text.size > strlen(stop) ? strlen(stop)
                                            : 0;
    return text;
}

static uint64_t duration_of(const snakepit_event *event)
{
    snakepit_reader at;
    uint64_t duration = 0;
    if (snakepit_reader_find(&event->measurements, "duration", &at) == SNAKEPIT_OK) {
        (void)read_number(&at, &duration);
    }
    return duration < event->time_ns ? duration : 0;
}

void sp_event_tell_span(const struct sp_event_sink *sink, const struct sp_event *event)
{
    bool failed;
    if (sink->spans == NULL || !event->ends_span ||
        !sp_trace_is_sampled(&event->trace)) {
        return;
    }
    struct sp_span *span = sp_span_new(&event->trace, event->parent);
    sp_span_set_name(span, name_of_span(event->name, &failed));
    if (span != NULL) {
        span->told.end_ns = event->told.time_ns;
        span->told.start_ns = event->told.time_ns - duration_of(&event->told);
        span->told.err = failed ? SNAKEPIT_TOOL_FAILED : SNAKEPIT_OK;
    }
    sp_span_add_text(span, "snakepit.pool", sp_slice_of_text(event->told.pool));
    sp_span_add_integer(span, "snakepit.worker.id", (int64_t)event->told.worker);
    add_metadata(span, event->told.metadata);
    sp_span_end(sink->spans, span);
}
