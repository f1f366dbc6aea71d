// SPDX-License-Identifier: MIT
// As https://html.spec.whatwg.org/multipage/server-sent-events.html reads them. A line
// is looked at when it is whole; only one that is split is copied. An event without its
// empty line is not one.
#include "cli/events.h"

#include <string.h>

// ---- One event --------------------------------------------------------------------

static void forget(struct sp_cli_events *events)
{
    events->data.size = 0;
    events->name[0] = '\0';
}

static snakepit_err dispatch(struct sp_cli_events *events)
{
    if (events->data.size == 0) {
        forget(events);
        return SNAKEPIT_OK;
    }
    const struct sp_slice data = {events->data.data, events->data.size - 1};
    const char *name = events->name[0] == '\0' ? "message" : events->name;
    const bool goes_on = events->put(events->user, name, data);
    forget(events);
    return goes_on ? SNAKEPIT_OK : SNAKEPIT_CANCELLED;
}

static bool is_text(struct sp_slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

static snakepit_err add_data(struct sp_cli_events *events, struct sp_slice value)
{
    if (value.size >= events->limit - events->data.size) {
        return SNAKEPIT_MALFORMED;
    }
    snakepit_err err = sp_buf_append(&events->data, value.data, value.size);
    return err == SNAKEPIT_OK ? sp_buf_append(&events->data, "\n", 1) : err;
}

// A name that is too long is none that anybody asks for, and is cut.
static void set_name(struct sp_cli_events *events, struct sp_slice value)
{
    const size_t most = sizeof events->name - 1;
    const size_t size = value.size < most ? value.size : most;
    memcpy(events->name, value.data, size);
    events->name[size] = '\0';
}

// ---- Lines ------------------------------------------------------------------------

static snakepit_err take_line(struct sp_cli_events *events, struct sp_slice line)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (!events->begun && line.size >= sizeof mark &&
        memcmp(line.data, mark, sizeof mark) == 0) {
        line = (struct sp_slice){line.data + sizeof mark, line.size - sizeof mark};
    }
    events->begun = true;
    if (line.size == 0) {
        return dispatch(events);
    }
    const uint8_t *colon = memchr(line.data, ':', line.size);
    const size_t named = colon == NULL ? line.size : (size_t)(colon - line.data);
    size_t from = colon == NULL ? line.size : named + 1;
    from += from < line.size && line.data[from] == ' ' ? 1 : 0;
    const struct sp_slice field = {line.data, named};
    const struct sp_slice value = {line.data + from, line.size - from};
    if (is_text(field, "data")) {
        return add_data(events, value);
    }
    if (is_text(field, "event")) {
        set_name(events, value);
    }
    return SNAKEPIT_OK; // a comment, or a field that nothing here asks for
}

static size_t size_of_line(struct sp_slice bytes)
{
    const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
    const size_t size = end == NULL ? bytes.size : (size_t)(end - bytes.data);
    const uint8_t *carriage = memchr(bytes.data, '\r', size);
    return carriage == NULL ? size : (size_t)(carriage - bytes.data);
}

// `size` bytes are a line, or its end.
static snakepit_err
end_line(struct sp_cli_events *events, const uint8_t *bytes, size_t size)
{
    if (events->line.size == 0) {
        return take_line(events, (struct sp_slice){bytes, size});
    }
    snakepit_err err = sp_buf_append(&events->line, bytes, size);
    if (err == SNAKEPIT_OK) {
        err =
            take_line(events, (struct sp_slice){events->line.data, events->line.size});
    }
    events->line.size = 0;
    return err;
}

static snakepit_err
keep(struct sp_cli_events *events, const uint8_t *bytes, size_t size)
{
    if (size >= events->limit - events->line.size) {
        return SNAKEPIT_MALFORMED;
    }
    return sp_buf_append(&events->line, bytes, size);
}

snakepit_err sp_cli_events_feed(struct sp_cli_events *events, struct sp_slice bytes)
{
    snakepit_err err = SNAKEPIT_OK;
    while (bytes.size > 0 && err == SNAKEPIT_OK) {
        if (events->carriage && bytes.data[0] == '\n') {
            bytes = (struct sp_slice){bytes.data + 1, bytes.size - 1};
            events->carriage = false;
            continue;
        }
        events->carriage = false;
        const size_t size = size_of_line(bytes);
        if (size == bytes.size) {
            return keep(events, bytes.data, size);
        }
        events->carriage = bytes.data[size] == '\r';
        err = end_line(events, bytes.data, size);
        bytes = (struct sp_slice){bytes.data + size + 1, bytes.size - size - 1};
    }
    return err;
}

void sp_cli_events_fini(struct sp_cli_events *events)
{
    sp_buf_fini(&events->line);
    sp_buf_fini(&events->data);
}
