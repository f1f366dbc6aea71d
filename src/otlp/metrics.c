// SPDX-License-Identifier: MIT
// Figures are told once, as text; here that is read back. The one thing to know: as
// many of each part as there are lines, or labels, is enough for all of them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/common.h"
#include "protobuf/message.h"

#define CUMULATIVE 2

// A sample: `name{labels} value`.
struct sample {
    struct sp_slice name;
    struct sp_slice labels; // what stands between the braces
    double value;
};

// Room for all that a text may hold, and how much of it is used.
struct room {
    struct sp_scratch *scratch;
    struct sp_otlp_times times;
    struct sp_otlp_metric *metrics;
    struct sp_otlp_number *numbers;
    struct sp_otlp_buckets *buckets;
    struct sp_otlp_summary_point *summaries;
    struct sp_otlp_quantile *quantiles;
    uint64_t *counts;
    double *bounds;
    struct sp_otlp_pair *pairs;
    struct sp_otlp_value *values;
    size_t metric_count;
    size_t number_count;
    size_t bucket_count;
    size_t summary_count;
    size_t quantile_count;
    size_t count_count;
    size_t bound_count;
    size_t pair_count;
    // A point of several samples has begun, and has these already.
    bool open;
    bool has_sum;
    bool has_count;
};

// ---- Reading ------------------------------------------------------------------

static bool starts_with(struct sp_slice text, const char *with)
{
    const size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

static bool ends_with(struct sp_slice text, const char *with)
{
    const size_t size = strlen(with);
    return text.size >= size && memcmp(text.data + text.size - size, with, size) == 0;
}

static struct sp_slice from(struct sp_slice text, size_t at)
{
    return (struct sp_slice){text.data + at, text.size - at};
}

// Up to the next byte `end`, which is taken as well.
static struct sp_slice take_until(struct sp_slice *text, uint8_t end)
{
    const uint8_t *at = memchr(text->data, end, text->size);
    const size_t size = at == NULL ? text->size : (size_t)(at - text->data);
    const struct sp_slice taken = {text->data, size};
    *text = from(*text, at == NULL ? size : size + 1);
    return taken;
}

static bool read_number(struct sp_slice text, double *value)
{
    char room[64];
    char *end;
    if (text.size == 0 || text.size >= sizeof room) {
        return false;
    }
    memcpy(room, text.data, text.size);
    room[text.size] = '\0';
    *value = strtod(room, &end);
    return *end == '\0';
}

static bool read_sample(struct sp_slice line, struct sample *sample)
{
    size_t size = 0;
    while (size < line.size && line.data[size] != '{' && line.data[size] != ' ') {
        size++;
    }
    sample->name = (struct sp_slice){line.data, size};
    sample->labels = (struct sp_slice){line.data, 0};
    line = from(line, size);
    if (line.size > 0 && line.data[0] == '{') {
        const uint8_t *end = memrchr(line.data, '}', line.size);
        if (end == NULL) {
            return false;
        }
        sample->labels =
            (struct sp_slice){line.data + 1, (size_t)(end - line.data) - 1};
        line = from(line, (size_t)(end - line.data) + 1);
    }
    return line.size > 1 && line.data[0] == ' ' &&
           read_number(from(line, 1), &sample->value);
}

// The next of `name="value",`. A value keeps its backslashes but for those that the
// format has put there. False: there is none.
static bool take_label(struct room *room,
                       struct sp_slice *labels,
                       struct sp_slice *key,
                       struct sp_slice *value)
{
    *key = take_until(labels, '=');
    uint8_t *text = sp_scratch_take(room->scratch, labels->size + 1);
    size_t size = 0;
    size_t at = 1;
    if (key->size == 0 || labels->size == 0 || text == NULL) {
        return false;
    }
    for (; at < labels->size && labels->data[at] != '"'; at++) {
        const bool escaped = labels->data[at] == '\\' && at + 1 < labels->size;
        at += escaped ? 1 : 0;
        text[size++] = escaped && labels->data[at] == 'n' ? '\n' : labels->data[at];
    }
    *value = (struct sp_slice){text, size};
    at += at + 1 < labels->size ? 2 : 1; // the quote, and a comma
    *labels = from(*labels, at < labels->size ? at : labels->size);
    return true;
}

// ---- Points -------------------------------------------------------------------

// A label that is a number of the sample, and none of its point; NULL: there is none.
struct number_label {
    const char *key;
    double value;
};

// All labels but that one.
static void set_attributes(struct room *room,
                           struct sp_slice labels,
                           struct sp_otlp_pair **items,
                           size_t *count,
                           struct number_label *number)
{
    struct sp_slice key;
    struct sp_slice value;
    const size_t first = room->pair_count;
    while (take_label(room, &labels, &key, &value)) {
        if (number != NULL && key.size == strlen(number->key) &&
            memcmp(key.data, number->key, key.size) == 0) {
            (void)read_number(value, &number->value);
            continue;
        }
        struct sp_otlp_value *text = &room->values[room->pair_count];
        *text = (struct sp_otlp_value){.which = 1, .string_value = value};
        room->pairs[room->pair_count++] =
            (struct sp_otlp_pair){.key = key, .value = text};
    }
    *items = &room->pairs[first];
    *count = room->pair_count - first;
}

static void add_number(struct room *room, const struct sample *sample)
{
    struct sp_otlp_number *number = &room->numbers[room->number_count++];
    *number = (struct sp_otlp_number){.which = 4,
                                      .as_double = sample->value,
                                      .start_time_unix_nano = room->times.start_ns,
                                      .time_unix_nano = room->times.now_ns};
    set_attributes(room,
                   sample->labels,
                   &number->attributes.items,
                   &number->attributes.count,
                   NULL);
}

// Sum and count end a point, in whatever order they come.
static bool is_of_another(struct room *room, const struct sample *sample)
{
    const bool is_sum = ends_with(sample->name, "_sum");
    const bool is_count = ends_with(sample->name, "_count");
    const bool another = !room->open || (is_sum     ? room->has_sum
                                         : is_count ? room->has_count
                                                    : room->has_sum || room->has_count);
    room->has_sum = is_sum || (room->has_sum && !another);
    room->has_count = is_count || (room->has_count && !another);
    room->open = true;
    return another;
}

static void begin_point(struct room *room)
{
    struct sp_otlp_buckets *point = &room->buckets[room->bucket_count++];
    *point = (struct sp_otlp_buckets){
        .start_time_unix_nano = room->times.start_ns,
        .time_unix_nano = room->times.now_ns,
        .bucket_counts = {&room->counts[room->count_count], 0},
        .explicit_bounds = {&room->bounds[room->bound_count], 0}};
}

// Counts come as of all below; they are told of each class alone.
static void add_class(struct room *room, const struct sample *sample)
{
    struct number_label bound = {"le", HUGE_VAL};
    struct sp_otlp_buckets *point = &room->buckets[room->bucket_count - 1];
    const size_t pairs = room->pair_count;
    set_attributes(room,
                   sample->labels,
                   &point->attributes.items,
                   &point->attributes.count,
                   &bound);
    if (point->bucket_counts.count > 0) {
        room->pair_count = pairs; // they are those of the first one
        point->attributes.items = &room->pairs[pairs - point->attributes.count];
    }
    const uint64_t all = (uint64_t)sample->value;
    room->counts[room->count_count++] = all - point->count;
    point->count = all;
    point->bucket_counts.count++;
    if (isfinite(bound.value)) {
        room->bounds[room->bound_count++] = bound.value;
        point->explicit_bounds.count++;
    }
}

static void add_to_histogram(struct room *room, const struct sample *sample)
{
    if (is_of_another(room, sample)) {
        begin_point(room);
    }
    struct sp_otlp_buckets *point = &room->buckets[room->bucket_count - 1];
    if (ends_with(sample->name, "_bucket")) {
        add_class(room, sample);
    } else if (ends_with(sample->name, "_sum")) {
        point->sum = sample->value;
        point->has_sum = true;
    }
}

static struct sp_otlp_summary_point *open_summary(struct room *room,
                                                  const struct sample *sample,
                                                  struct number_label *quantile)
{
    struct sp_otlp_summary_point *point = &room->summaries[room->summary_count];
    struct sp_otlp_pair *pairs;
    size_t count;
    const size_t first = room->pair_count;
    set_attributes(room, sample->labels, &pairs, &count, quantile);
    if (!is_of_another(room, sample)) {
        room->pair_count = first; // they are those of the first one
        return point - 1;
    }
    room->summary_count++;
    *point = (struct sp_otlp_summary_point){
        .start_time_unix_nano = room->times.start_ns,
        .time_unix_nano = room->times.now_ns,
        .quantile_values = {&room->quantiles[room->quantile_count], 0},
        .attributes = {pairs, count}};
    return point;
}

static void add_to_summary(struct room *room, const struct sample *sample)
{
    struct number_label quantile = {"quantile", 0};
    struct sp_otlp_summary_point *point = open_summary(room, sample, &quantile);
    if (ends_with(sample->name, "_sum")) {
        point->sum = sample->value;
    } else if (ends_with(sample->name, "_count")) {
        point->count = (uint64_t)sample->value;
    } else {
        room->quantiles[room->quantile_count++] = (struct sp_otlp_quantile){
            .quantile = quantile.value, .value = sample->value};
        point->quantile_values.count++;
    }
}

// ---- Metrics ------------------------------------------------------------------

static void end_metric(struct room *room)
{
    if (room->metric_count == 0) {
        return;
    }
    const struct sp_otlp_metric *metric = &room->metrics[room->metric_count - 1];
    if (metric->which == 5) {
        metric->gauge->data_points.count = (size_t)(&room->numbers[room->number_count] -
                                                    metric->gauge->data_points.items);
    } else if (metric->which == 7) {
        metric->sum->data_points.count = (size_t)(&room->numbers[room->number_count] -
                                                  metric->sum->data_points.items);
    } else if (metric->which == 11) {
        metric->summary->data_points.count =
            (size_t)(&room->summaries[room->summary_count] -
                     metric->summary->data_points.items);
    } else {
        metric->histogram->data_points.count =
            (size_t)(&room->buckets[room->bucket_count] -
                     metric->histogram->data_points.items);
    }
}

static bool
set_kind(struct room *room, struct sp_otlp_metric *metric, struct sp_slice kind)
{
    struct sp_otlp_number *numbers = &room->numbers[room->number_count];
    if (starts_with(kind, "histogram")) {
        metric->which = 9;
        metric->histogram = sp_scratch_take(room->scratch, sizeof *metric->histogram);
        if (metric->histogram != NULL) {
            metric->histogram->aggregation_temporality = CUMULATIVE;
            metric->histogram->data_points.items = &room->buckets[room->bucket_count];
        }
        return metric->histogram != NULL;
    }
    if (starts_with(kind, "summary")) {
        metric->which = 11;
        metric->summary = sp_scratch_take(room->scratch, sizeof *metric->summary);
        if (metric->summary != NULL) {
            metric->summary->data_points.items = &room->summaries[room->summary_count];
        }
        return metric->summary != NULL;
    }
    if (starts_with(kind, "counter")) {
        metric->which = 7;
        metric->sum = sp_scratch_take(room->scratch, sizeof *metric->sum);
        if (metric->sum != NULL) {
            metric->sum->aggregation_temporality = CUMULATIVE;
            metric->sum->is_monotonic = true;
            metric->sum->data_points.items = numbers;
        }
        return metric->sum != NULL;
    }
    metric->which = 5;
    metric->gauge = sp_scratch_take(room->scratch, sizeof *metric->gauge);
    if (metric->gauge != NULL) {
        metric->gauge->data_points.items = numbers;
    }
    return metric->gauge != NULL;
}

static struct sp_slice unit_of(struct sp_slice name)
{
    const char *unit =
        ends_with(name, "_seconds") || ends_with(name, "_seconds_total") ? "s"
        : ends_with(name, "_bytes") || ends_with(name, "_bytes_total")   ? "By"
                                                                         : "1";
    return sp_slice_of_text(unit);
}

static snakepit_err
read_line(struct room *room, struct sp_slice line, struct sp_slice *help)
{
    struct sample sample;
    if (starts_with(line, "# HELP ")) {
        line = from(line, 7);
        (void)take_until(&line, ' ');
        *help = line;
        return SNAKEPIT_OK;
    }
    if (starts_with(line, "# TYPE ")) {
        line = from(line, 7);
        end_metric(room);
        struct sp_otlp_metric *metric = &room->metrics[room->metric_count++];
        metric->name = take_until(&line, ' ');
        metric->description = *help;
        metric->unit = unit_of(metric->name);
        room->open = false;
        return set_kind(room, metric, line) ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    }
    if (line.size == 0 || line.data[0] == '#') {
        return SNAKEPIT_OK;
    }
    if (room->metric_count == 0 || !read_sample(line, &sample)) {
        return SNAKEPIT_MALFORMED;
    }
    const uint32_t which = room->metrics[room->metric_count - 1].which;
    if (which == 9) {
        add_to_histogram(room, &sample);
    } else if (which == 11) {
        add_to_summary(room, &sample);
    } else {
        add_number(room, &sample);
    }
    return SNAKEPIT_OK;
}

static size_t count_of(struct sp_slice text, uint8_t byte)
{
    size_t count = 1;
    for (size_t i = 0; i < text.size; i++) {
        count += text.data[i] == byte;
    }
    return count;
}

static bool make_room(struct room *room, struct sp_slice text)
{
    const size_t lines = count_of(text, '\n');
    const size_t labels = count_of(text, '=');
    struct sp_scratch *scratch = room->scratch;
    room->metrics = sp_scratch_take(scratch, lines * sizeof *room->metrics);
    room->numbers = sp_scratch_take(scratch, lines * sizeof *room->numbers);
    room->buckets = sp_scratch_take(scratch, lines * sizeof *room->buckets);
    room->summaries = sp_scratch_take(scratch, lines * sizeof *room->summaries);
    room->quantiles = sp_scratch_take(scratch, lines * sizeof *room->quantiles);
    room->counts = sp_scratch_take(scratch, lines * sizeof *room->counts);
    room->bounds = sp_scratch_take(scratch, lines * sizeof *room->bounds);
    room->pairs = sp_scratch_take(scratch, labels * sizeof *room->pairs);
    room->values = sp_scratch_take(scratch, labels * sizeof *room->values);
    return room->metrics != NULL && room->numbers != NULL && room->buckets != NULL &&
           room->summaries != NULL && room->quantiles != NULL && room->counts != NULL &&
           room->bounds != NULL && room->pairs != NULL && room->values != NULL;
}

static snakepit_err write_metrics(const struct sp_otlp_teller *teller,
                                  struct sp_slice text,
                                  struct room *room,
                                  struct sp_buf *out)
{
    struct sp_otlp_scope scope = sp_otlp_scope_of_ours();
    struct sp_otlp_resource *resource = sp_otlp_resource_of(teller, room->scratch);
    struct sp_slice help = {text.data, 0};
    snakepit_err err =
        resource == NULL || !make_room(room, text) ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && text.size > 0) {
        err = read_line(room, take_until(&text, '\n'), &help);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    end_metric(room);
    struct sp_otlp_scope_metrics of_scope = {
        .scope = &scope, .metrics = {room->metrics, room->metric_count}};
    struct sp_otlp_resource_metrics all = {.resource = resource,
                                           .scope_metrics = {&of_scope, 1}};
    const struct sp_otlp_all_metrics request = {.resource_metrics = {&all, 1}};
    return sp_proto_encode_flat(&sp_type_otlp_all_metrics, &request, out);
}

snakepit_err sp_otlp_write_metrics(const struct sp_otlp_teller *teller,
                                   struct sp_slice text,
                                   struct sp_otlp_times times,
                                   struct sp_buf *out)
{
    struct sp_scratch scratch = {0};
    struct room room = {.scratch = &scratch, .times = times};
    snakepit_err err = write_metrics(teller, text, &room, out);
    sp_scratch_fini(&scratch);
    return err;
}
