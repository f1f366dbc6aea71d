// SPDX-License-Identifier: MIT
#include "telemetry/doors.h"

#include <stdio.h>

#include "telemetry/lines.h"

typedef void write_fn(struct sp_lines *lines,
                      const struct sp_sample *sample,
                      const struct sp_door_figures *door);

// A row of doors.def: a family, or a sample of the one above.
struct row {
    const char *family; // NULL: a sample
    enum sp_metric_kind kind;
    const char *help;
    const char *label;
    const char *value;
    enum sp_door_count count;
    write_fn *write; // of a family that has no samples
};

static write_fn write_statuses, write_grpc;

#define SP_DOOR_METRIC(name, kind, help) \
    {#name, SP_##kind, help, NULL, NULL, SP_DOOR_COUNTS, NULL},
#define SP_DOOR_SAMPLE(label, value, count) \
    {NULL, SP_GAUGE, NULL, label, value, SP_DOOR_##count, NULL},
#define SP_DOOR_WRITTEN(name, kind, labels, write, help) \
    {#name, SP_##kind, help, NULL, NULL, SP_DOOR_COUNTS, write},
static const struct row rows[] = {
#include "telemetry/doors.def"
};
#undef SP_DOOR_METRIC
#undef SP_DOOR_SAMPLE
#undef SP_DOOR_WRITTEN
#define ROWS (sizeof rows / sizeof rows[0])

// Of HTTP there are always those with 200.
static void write_statuses(struct sp_lines *lines,
                           const struct sp_sample *sample,
                           const struct sp_door_figures *door)
{
    char number[12];
    struct sp_sample line = *sample;
    line.label = "code";
    line.value = number;
    for (unsigned status = 0; status < SP_DOOR_STATUSES; status++) {
        if (door->statuses[status] > 0 || status == 200) {
            (void)snprintf(number, sizeof number, "%u", status);
            sp_lines_count(lines, &line, door->statuses[status]);
        }
    }
}

static void write_grpc(struct sp_lines *lines,
                       const struct sp_sample *sample,
                       const struct sp_door_figures *door)
{
    static const char *const names[SP_DOOR_CODES] = {"OK",
                                                     "CANCELLED",
                                                     "UNKNOWN",
                                                     "INVALID_ARGUMENT",
                                                     "DEADLINE_EXCEEDED",
                                                     "NOT_FOUND",
                                                     "ALREADY_EXISTS",
                                                     "PERMISSION_DENIED",
                                                     "RESOURCE_EXHAUSTED",
                                                     "FAILED_PRECONDITION",
                                                     "ABORTED",
                                                     "OUT_OF_RANGE",
                                                     "UNIMPLEMENTED",
                                                     "INTERNAL",
                                                     "UNAVAILABLE",
                                                     "DATA_LOSS",
                                                     "UNAUTHENTICATED"};
    struct sp_sample line = *sample;
    line.label = "code";
    for (unsigned code = 0; code < SP_DOOR_CODES; code++) {
        line.value = names[code];
        if (door->codes[code] > 0 || code == 0) {
            sp_lines_count(lines, &line, door->codes[code]);
        }
    }
}

static void write_row(struct sp_lines *lines,
                      const struct row *family,
                      const struct row *row,
                      const struct sp_door_figures *door)
{
    struct sp_buf labels = {0};
    snakepit_err err = sp_lines_label(&labels, "door", door->address);
    if (err == SNAKEPIT_OK) {
        const struct sp_sample sample = {.family = family->family,
                                         .suffix =
                                             family->kind == SP_COUNTER ? "_total" : "",
                                         .labels = (const char *)labels.data,
                                         .label = row->label,
                                         .value = row->value};
        if (row->write != NULL) {
            row->write(lines, &sample, door);
        } else if (row != family) {
            sp_lines_count(lines, &sample, door->of[row->count]);
        }
    } else {
        lines->err = err;
    }
    sp_buf_fini(&labels);
}

snakepit_err sp_doors_write(struct sp_buf *buf,
                            const struct sp_door_figures *doors,
                            size_t count,
                            bool open)
{
    struct sp_lines lines = {.buf = buf, .open = open};
    const struct row *family = rows;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].family != NULL) {
            family = &rows[i];
            sp_lines_family(&lines, family->family, family->kind, family->help);
        }
        for (size_t door = 0; door < count; door++) {
            write_row(&lines, family, &rows[i], &doors[door]);
        }
    }
    return lines.err;
}
