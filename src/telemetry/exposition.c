// SPDX-License-Identifier: MIT
#include "telemetry/exposition.h"

#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>
#include <snakepit/version.h>

#include "base/memory.h"
#include "telemetry/lines.h"

struct writing {
    struct sp_lines lines;
    const struct sp_all_figures *all;
    struct sp_buf *labels; // of each pool
};

struct row;
typedef void write_fn(struct writing *writing, const struct row *family, size_t pool);

// A row of metrics.def: a family, or a sample of the one above.
struct row {
    const char *family; // NULL: a sample
    enum sp_metric_kind kind;
    const char *help;
    const char *label;
    const char *value;
    size_t offset; // in struct sp_figures; of sessions, in theirs
    size_t size;
    uint32_t digits; // of what is behind the point
    bool once;       // not for each pool
    write_fn *write; // of a family: what is no sample of its own
    size_t traced;   // of a histogram, in struct sp_figures; 0: it has no examples
    struct sp_limits limits;
};

static write_fn write_times, write_states, write_tool_calls, write_tool_times;

#define FIELD(field) \
    offsetof(struct sp_figures, field), sizeof(((struct sp_figures *)0)->field)
#define OF_SESSIONS(field)                      \
    offsetof(struct sp_session_figures, field), \
        sizeof(((struct sp_session_figures *)0)->field)
#define NO_TIMES 0, {0, 0, 0}
#define SP_METRIC(name, kind, help) \
    {#name, SP_##kind, help, NULL, NULL, 0, 0, 0, false, NULL, NO_TIMES},
#define SP_SAMPLE(label, value, field) \
    {NULL, SP_GAUGE, NULL, label, value, FIELD(stats.field), 0, false, NULL, NO_TIMES},
#define SP_SECONDS(label, value, field) \
    {NULL, SP_GAUGE, NULL, label, value, FIELD(stats.field), 6, false, NULL, NO_TIMES},
#define SP_FIGURE(label, value, field) \
    {NULL, SP_GAUGE, NULL, label, value, FIELD(field), 0, false, NULL, NO_TIMES},
#define SP_MILLISECONDS(label, value, field) \
    {NULL, SP_GAUGE, NULL, label, value, FIELD(field), 3, false, NULL, NO_TIMES},
#define SP_SESSION_METRIC(name, kind, help) \
    {#name, SP_##kind, help, NULL, NULL, 0, 0, 0, true, NULL, NO_TIMES},
#define SP_SESSION_SAMPLE(label, value, field) \
    {NULL, SP_GAUGE, NULL, label, value, OF_SESSIONS(field), 0, true, NULL, NO_TIMES},
#define SP_WRITTEN(name, kind, labels, write, help) \
    {#name, SP_##kind, help, NULL, NULL, 0, 0, 0, false, write, NO_TIMES},
#define SP_TIMES(name, field, first, step, last, help) \
    {#name,                                            \
     SP_HISTOGRAM,                                     \
     help,                                             \
     NULL,                                             \
     NULL,                                             \
     FIELD(field),                                     \
     0,                                                \
     false,                                            \
     write_times,                                      \
     0,                                                \
     {first, step, last}},
#define SP_TRACED_TIMES(name, field, traced, first, step, last, help) \
    {#name,                                                           \
     SP_HISTOGRAM,                                                    \
     help,                                                            \
     NULL,                                                            \
     NULL,                                                            \
     FIELD(field),                                                    \
     0,                                                               \
     false,                                                           \
     write_times,                                                     \
     offsetof(struct sp_figures, traced),                             \
     {first, step, last}},
static const struct row rows[] = {
#include "telemetry/metrics.def"
};
#undef SP_METRIC
#undef SP_SAMPLE
#undef SP_SECONDS
#undef SP_FIGURE
#undef SP_MILLISECONDS
#undef SP_SESSION_METRIC
#undef SP_SESSION_SAMPLE
#undef SP_WRITTEN
#undef SP_TIMES
#undef SP_TRACED_TIMES
#define ROWS (sizeof rows / sizeof rows[0])

static const char *labels_of(const struct writing *writing, size_t pool)
{
    return (const char *)writing->labels[pool].data;
}

static const void *field_of(const struct writing *writing, size_t pool, size_t offset)
{
    return (const uint8_t *)&writing->all->pools[pool] + offset;
}

// ---- Samples --------------------------------------------------------------------

static uint64_t
number_of(const struct writing *writing, size_t pool, const struct row *row)
{
    const void *at = row->once ? (const uint8_t *)&writing->all->sessions + row->offset
                               : field_of(writing, pool, row->offset);
    uint32_t small;
    uint64_t large;
    if (row->size == sizeof small) {
        memcpy(&small, at, sizeof small);
        return small;
    }
    memcpy(&large, at, sizeof large);
    return large;
}

static void write_sample(struct writing *writing,
                         const struct row *family,
                         const struct row *row,
                         size_t pool)
{
    const struct sp_sample sample = {
        .family = family->family,
        .suffix = family->kind == SP_COUNTER ? "_total" : "",
        .labels = row->once ? "" : labels_of(writing, pool),
        .label = row->label,
        .value = row->value};
    const uint64_t number = number_of(writing, pool, row);
    if (row->digits == 0) {
        sp_lines_count(&writing->lines, &sample, number);
    } else {
        sp_lines_decimal(&writing->lines, &sample, number, row->digits);
    }
}

// ---- Families that have more than samples ---------------------------------------

static void write_times(struct writing *writing, const struct row *family, size_t pool)
{
    const struct sp_sample sample = {.family = family->family,
                                     .labels = labels_of(writing, pool)};
    sp_lines_times(&writing->lines,
                   &sample,
                   &family->limits,
                   field_of(writing, pool, family->offset),
                   family->traced == 0 ? NULL
                                       : field_of(writing, pool, family->traced));
}

static void write_states(struct writing *writing, const struct row *family, size_t pool)
{
    static const char *const states[] = {
        "starting", "ready", "degraded", "down", "failed", "stopping", "removed"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        const struct sp_sample sample = {.family = family->family,
                                         .suffix = "",
                                         .labels = labels_of(writing, pool),
                                         .label = "state",
                                         .value = states[i]};
        bool is_it = strcmp(writing->all->pools[pool].stats.state, states[i]) == 0;
        sp_lines_count(&writing->lines, &sample, is_it);
    }
}

typedef void tool_fn(struct sp_lines *lines,
                     struct sp_sample *sample,
                     const struct sp_tool_figures *tool);

// Writes what there is to say of each tool; `sample` has its labels.
static void write_tools(struct writing *writing,
                        const struct row *family,
                        const struct sp_figures *pool,
                        tool_fn *write)
{
    struct sp_lines *lines = &writing->lines;
    struct sp_buf labels = {0};
    for (uint32_t i = 0; i < pool->tool_count && lines->err == SNAKEPIT_OK; i++) {
        labels.size = 0;
        lines->err = sp_lines_label(&labels, "pool", pool->stats.name);
        if (lines->err == SNAKEPIT_OK) {
            lines->err = sp_lines_label(&labels, "tool", pool->tools[i].name);
        }
        if (lines->err == SNAKEPIT_OK) {
            struct sp_sample sample = {.family = family->family,
                                       .labels = (const char *)labels.data};
            write(lines, &sample, &pool->tools[i]);
        }
    }
    sp_buf_fini(&labels);
}

// A line for calls that ended well, and for each error that it has seen.
static void write_outcomes(struct sp_lines *lines,
                           struct sp_sample *sample,
                           const struct sp_tool_figures *tool)
{
    sample->suffix = "_total";
    sample->label = "outcome";
    for (uint32_t err = 0; err < SP_ERRORS; err++) {
        sample->value =
            err == SNAKEPIT_OK ? "ok" : snakepit_err_name((snakepit_err)err);
        if (err == SNAKEPIT_OK || tool->ended[err] > 0) {
            sp_lines_count(lines, sample, tool->ended[err]);
        }
    }
}

static void
write_tool_calls(struct writing *writing, const struct row *family, size_t pool)
{
    write_tools(writing, family, &writing->all->pools[pool], write_outcomes);
}

static void write_run(struct sp_lines *lines,
                      struct sp_sample *sample,
                      const struct sp_tool_figures *tool)
{
    sample->suffix = "_count";
    sp_lines_count(lines, sample, tool->ran);
    sample->suffix = "_sum";
    sp_lines_decimal(lines, sample, tool->ran_ns, 9);
}

static void
write_tool_times(struct writing *writing, const struct row *family, size_t pool)
{
    write_tools(writing, family, &writing->all->pools[pool], write_run);
}

// ---- The text -------------------------------------------------------------------

static void
write_row(struct writing *writing, const struct row *family, const struct row *row)
{
    const size_t count = row->once ? 1 : writing->all->count;
    if (row == family && count > 0) {
        sp_lines_family(&writing->lines, row->family, row->kind, row->help);
    }
    for (size_t pool = 0; pool < count; pool++) {
        if (row != family) {
            write_sample(writing, family, row, pool);
        } else if (row->write != NULL) {
            row->write(writing, row, pool);
        }
    }
}

static void write_rows(struct writing *writing)
{
    const struct row *family = rows;
    for (size_t i = 0; i < ROWS; i++) {
        family = rows[i].family != NULL ? &rows[i] : family;
        write_row(writing, family, &rows[i]);
    }
}

static void write_version(struct sp_lines *lines)
{
    const struct sp_sample sample = {
        "snakepit_build_info", "", "", "version", SNAKEPIT_VERSION};
    sp_lines_family(
        lines, sample.family, SP_GAUGE, "1; its label says which version this is.");
    sp_lines_count(lines, &sample, 1);
}

static snakepit_err make_labels(const struct writing *writing)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < writing->all->count && err == SNAKEPIT_OK; i++) {
        err = sp_lines_label(
            &writing->labels[i], "pool", writing->all->pools[i].stats.name);
    }
    return err;
}

static snakepit_err write_all(struct writing *writing)
{
    writing->labels = sp_alloc_array(writing->all->count + 1, sizeof *writing->labels);
    if (writing->labels == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = make_labels(writing);
    if (err == SNAKEPIT_OK) {
        write_rows(writing);
        err = writing->lines.err;
    }
    for (size_t i = 0; i < writing->all->count; i++) {
        sp_buf_fini(&writing->labels[i]);
    }
    sp_free(writing->labels);
    return err;
}

snakepit_err
sp_exposition_write(struct sp_buf *buf, const struct sp_all_figures *all, bool open)
{
    struct writing writing = {.lines = {.buf = buf, .open = open}, .all = all};
    write_version(&writing.lines);
    return writing.lines.err == SNAKEPIT_OK ? write_all(&writing) : writing.lines.err;
}

snakepit_err sp_exposition_gauge(struct sp_buf *buf,
                                 const char *name,
                                 const char *help,
                                 uint64_t value)
{
    struct sp_lines lines = {.buf = buf};
    const struct sp_sample sample = {.family = name, .suffix = "", .labels = ""};
    sp_lines_family(&lines, name, SP_GAUGE, help);
    sp_lines_count(&lines, &sample, value);
    return lines.err;
}

snakepit_err sp_exposition_end(struct sp_buf *buf)
{
    return sp_buf_append(buf, "# EOF\n", 6);
}
