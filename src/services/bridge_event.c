// SPDX-License-Identifier: MIT
// An event has numbers that were measured and texts that say of what. The rows of
// telemetry/events.def have fields; what an adapter told has both already.
#include <string.h>

#include "payload/json.h"
#include "services/bridge.h"
#include "services/bridge_telemetry.h"

enum { INT = 1, FLOAT, STRING }; // members of the oneof of TelemetryValue

// One that is being filled; there is room for all entries.
struct told {
    struct sp_bridge_telemetry_event *event;
    struct sp_bridge_telemetry_value *values; // of the measurements
    struct sp_scratch *scratch;
    struct sp_slice name; // that an adapter gave
    bool adapters;
};

// A pair of a map.
struct pair {
    struct sp_slice key;
    snakepit_reader at; // the value
    snakepit_value value;
};

static struct sp_slice slice_of(snakepit_span span)
{
    return (struct sp_slice){(const uint8_t *)span.data, span.size};
}

static bool is(struct sp_slice key, const char *name)
{
    return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}

// ---- Entries ----------------------------------------------------------------------

static bool has_text(const struct told *told, struct sp_slice key)
{
    for (size_t i = 0; i < told->event->metadata.count; i++) {
        const struct sp_slice its = told->event->metadata.items[i].key;
        if (its.size == key.size && memcmp(its.data, key.data, key.size) == 0) {
            return true;
        }
    }
    return false;
}

// What an adapter calls as the daemon does is left out.
static void add_text(struct told *told, const struct pair *pair)
{
    if (!has_text(told, pair->key)) {
        told->event->metadata.items[told->event->metadata.count++] =
            (struct sp_text_to_text){.key = pair->key,
                                     .value =
                                         pair->value.kind == SNAKEPIT_TEXT
                                             ? slice_of(pair->value.as.text)
                                             : sp_bridge_json(pair->at, told->scratch)};
    }
}

static void add_measured(struct told *told, const struct pair *pair)
{
    const size_t index = told->event->measurements.count++;
    struct sp_bridge_telemetry_value *value = &told->values[index];
    switch (pair->value.kind) {
    case SNAKEPIT_BOOLEAN:
        value->which = INT;
        value->int_value = pair->value.as.boolean;
        break;
    case SNAKEPIT_INTEGER:
        value->which = INT;
        value->int_value = pair->value.as.integer;
        break;
    case SNAKEPIT_UNSIGNED:
        value->which = FLOAT;
        value->float_value = (double)pair->value.as.unsigned_integer;
        break;
    case SNAKEPIT_REAL:
        value->which = FLOAT;
        value->float_value = pair->value.as.real;
        break;
    default:
        value->which = STRING;
        value->string_value = pair->value.kind == SNAKEPIT_TEXT
                                  ? slice_of(pair->value.as.text)
                                  : sp_bridge_json(pair->at, told->scratch);
    }
    told->event->measurements.items[index] =
        (struct sp_text_to_bridge_telemetry_value){.key = pair->key, .value = value};
}

// ---- Fields -----------------------------------------------------------------------

// Whether a number says which one it is about, and not how much of something.
static bool is_name(struct sp_slice key)
{
    static const char *const names[] = {
        "call", "code", "fd", "group", "pid", "signal", "successor", "worker"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is(key, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_number(snakepit_kind kind)
{
    return kind == SNAKEPIT_INTEGER || kind == SNAKEPIT_UNSIGNED ||
           kind == SNAKEPIT_REAL;
}

static void add_field(struct told *told, const struct pair *pair)
{
    if (is_number(pair->value.kind) && !is_name(pair->key)) {
        add_measured(told, pair);
    } else {
        add_text(told, pair);
    }
}

static bool is_nothing(const snakepit_value *value)
{
    return (value->kind == SNAKEPIT_TEXT && value->as.text.size == 0) ||
           (value->kind == SNAKEPIT_INTEGER && value->as.integer == 0);
}

static void each_pair(struct told *told,
                      snakepit_reader map,
                      void (*add)(struct told *told, const struct pair *pair));

// Of an event that an adapter told: all but its measurements says of what it is.
static void add_adapters(struct told *told, const struct pair *pair)
{
    if (pair->value.kind == SNAKEPIT_MAP && is(pair->key, "measurements")) {
        each_pair(told, pair->at, add_measured);
    } else if (pair->value.kind == SNAKEPIT_MAP && is(pair->key, "metadata")) {
        each_pair(told, pair->at, add_text);
    } else if (pair->value.kind == SNAKEPIT_TEXT && is(pair->key, "name")) {
        told->name = slice_of(pair->value.as.text);
    } else if (pair->value.kind == SNAKEPIT_TEXT && is(pair->key, "correlation")) {
        told->event->correlation_id = slice_of(pair->value.as.text);
    } else if (!is_nothing(&pair->value)) {
        add_text(told, pair);
    }
}

static void add_any(struct told *told, const struct pair *pair)
{
    if (is(pair->key, "time") || is(pair->key, "event")) {
        return; // it has them elsewhere
    }
    if (told->adapters) {
        add_adapters(told, pair);
    } else {
        add_field(told, pair);
    }
}

static void each_pair(struct told *told,
                      snakepit_reader map,
                      void (*add)(struct told *told, const struct pair *pair))
{
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    (void)snakepit_reader_next(&map, &value);
    uint32_t left = value.kind == SNAKEPIT_MAP ? value.as.count : 0;
    for (; left > 0; left--) {
        struct pair pair;
        if (snakepit_reader_next(&map, &value) != SNAKEPIT_OK ||
            value.kind != SNAKEPIT_TEXT) {
            return;
        }
        pair.key = slice_of(value.as.text);
        pair.at = map;
        if (snakepit_reader_skip(&map) != SNAKEPIT_OK) {
            return;
        }
        snakepit_reader its = pair.at;
        (void)snakepit_reader_next(&its, &pair.value);
        add(told, &pair);
    }
}

// ---- The whole --------------------------------------------------------------------

static uint32_t pairs_of(snakepit_reader reader)
{
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    (void)snakepit_reader_next(&reader, &value);
    return value.kind == SNAKEPIT_MAP ? value.as.count : 0;
}

static uint32_t pairs_at(const snakepit_reader *map, const char *key)
{
    snakepit_reader found;
    return snakepit_reader_find(map, key, &found) == SNAKEPIT_OK ? pairs_of(found) : 0;
}

static bool make_room(struct told *told, const snakepit_reader *fields)
{
    const size_t room = (size_t)pairs_of(*fields) + pairs_at(fields, "measurements") +
                        pairs_at(fields, "metadata") + 1;
    struct sp_bridge_telemetry_event *event = told->event;
    told->values = sp_scratch_take(told->scratch, room * sizeof *told->values);
    event->measurements.items =
        sp_scratch_take(told->scratch, room * sizeof *event->measurements.items);
    event->metadata.items =
        sp_scratch_take(told->scratch, room * sizeof *event->metadata.items);
    return told->values != NULL && event->measurements.items != NULL &&
           event->metadata.items != NULL;
}

// Takes "worker.exit" apart.
static bool split(struct told *told)
{
    const struct sp_slice name = told->name;
    size_t count = 1;
    for (size_t i = 0; i < name.size; i++) {
        count += name.data[i] == '.';
    }
    struct sp_slice *parts = sp_scratch_take(told->scratch, count * sizeof *parts);
    if (parts == NULL) {
        return false;
    }
    size_t index = 0;
    parts[0].data = name.data;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '.') {
            parts[++index].data = name.data + i + 1;
        } else {
            parts[index].size++;
        }
    }
    told->event->event_parts.items = parts;
    told->event->event_parts.count = count;
    return true;
}

snakepit_err sp_bridge_tell(const struct sp_kept_event *event,
                            snakepit_writer *writer,
                            struct sp_scratch *scratch,
                            struct sp_bridge_told *told)
{
    snakepit_reader fields;
    *told = (struct sp_bridge_told){.event = {.timestamp_ns = (int64_t)event->time_ns}};
    struct told filled = {.event = &told->event,
                          .scratch = scratch,
                          .name = sp_slice_of_text(event->kind->name),
                          .adapters =
                              event->kind == &sp_notice_kinds[SP_NOTICE_worker_event]};
    snakepit_writer_reset(writer);
    const snakepit_err err =
        snakepit_writer_json(writer, event->json, event->json_size, NULL);
    if (err == SNAKEPIT_NO_MEMORY) {
        return err;
    }
    // One that is no JSON was cut, and is told by its name alone.
    const size_t size = err == SNAKEPIT_OK ? writer->buf.size : 0;
    snakepit_reader_init(&fields, writer->buf.data, size);
    if (!make_room(&filled, &fields)) {
        return SNAKEPIT_NO_MEMORY;
    }
    each_pair(&filled, fields, add_any);
    told->name = filled.name;
    return split(&filled) ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}
