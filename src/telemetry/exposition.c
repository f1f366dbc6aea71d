// SPDX-License-Identifier: MIT
#include "telemetry/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <snakepit/version.h>

#include "base/clock.h"

// 1 us to 137 s
#define FIRST_POWER 10u
#define LAST_POWER  37u

enum kind { GAUGE, COUNTER, HISTOGRAM };

// A row of metrics.def: a family, or a sample of the one above.
struct row {
    const char *family; // NULL: a sample
    enum kind kind;
    const char *help;
    const char *label;
    const char *value;
    size_t offset; // in struct sp_figures
    size_t size;
    bool microseconds;
};

#define FIELD(field) \
    offsetof(struct sp_figures, field), sizeof(((struct sp_figures *)0)->field)
#define SP_METRIC(name, kind, help) {#name, kind, help, NULL, NULL, 0, 0, false},
#define SP_SAMPLE(label, value, field) \
    {NULL, GAUGE, NULL, label, value, FIELD(stats.field), false},
#define SP_SECONDS(label, value, field) \
    {NULL, GAUGE, NULL, label, value, FIELD(stats.field), true},
#define SP_TIMES(name, field, help) \
    {#name, HISTOGRAM, help, NULL, NULL, FIELD(field), false},
static const struct row rows[] = {
#include "telemetry/metrics.def"
};
#undef SP_METRIC
#undef SP_SAMPLE
#undef SP_SECONDS
#undef SP_TIMES
#define ROWS (sizeof rows / sizeof rows[0])

// Of a pool, one of these is 1.
static const char *const states[] = {
    "starting", "ready", "degraded", "down", "failed", "stopping", "removed"};

struct writing {
    struct sp_buf *buf;
    const struct sp_figures *pools;
    size_t count;
    bool open;
    snakepit_err err; // the first one
};

static void keep(struct writing *writing, snakepit_err err)
{
    writing->err = writing->err != SNAKEPIT_OK ? writing->err : err;
}

static void write_family(struct writing *writing,
                         const char *name,
                         enum kind kind,
                         const char *help)
{
    static const char *const types[] = {"gauge", "counter", "histogram"};
    // Only OpenMetrics calls a family by another name than its samples.
    const char *total = kind == COUNTER && !writing->open ? "_total" : "";
    keep(writing,
         sp_buf_printf(writing->buf,
                       "# HELP %s%s %s\n# TYPE %s%s %s\n",
                       name,
                       total,
                       help,
                       name,
                       total,
                       types[kind]));
}

// A value of a label, in quotes. What the format cannot have as it is is escaped.
static void write_quoted(struct writing *writing, const char *text)
{
    keep(writing, sp_buf_append(writing->buf, "\"", 1));
    for (; *text != '\0'; text++) {
        const char *shown = *text == '\n'   ? "\\n"
                            : *text == '"'  ? "\\\""
                            : *text == '\\' ? "\\\\"
                                            : NULL;
        keep(writing,
             shown != NULL ? sp_buf_append(writing->buf, shown, 2)
                           : sp_buf_append(writing->buf, text, 1));
    }
    keep(writing, sp_buf_append(writing->buf, "\"", 1));
}

// What a line is called, but for its pool.
struct name {
    const char *family;
    const char *suffix;
    const char *label; // NULL: none
    const char *value;
};

// "family_suffix{pool="p",label="value"} ", before the number.
static void write_name(struct writing *writing,
                       const struct name *name,
                       const struct sp_figures *pool)
{
    keep(writing,
         sp_buf_printf(writing->buf, "%s%s{pool=", name->family, name->suffix));
    write_quoted(writing, pool->stats.name);
    if (name->label != NULL) {
        keep(writing, sp_buf_printf(writing->buf, ",%s=", name->label));
        write_quoted(writing, name->value);
    }
    keep(writing, sp_buf_append(writing->buf, "} ", 2));
}

static void write_count(struct writing *writing,
                        const struct name *name,
                        const struct sp_figures *pool,
                        uint64_t count)
{
    write_name(writing, name, pool);
    keep(writing, sp_buf_printf(writing->buf, "%" PRIu64 "\n", count));
}

static uint64_t number_of(const struct sp_figures *pool, const struct row *row)
{
    const uint8_t *at = (const uint8_t *)pool + row->offset;
    uint32_t small;
    uint64_t large;
    if (row->size == sizeof small) {
        memcpy(&small, at, sizeof small);
        return small;
    }
    memcpy(&large, at, sizeof large);
    return large;
}

static void
write_samples(struct writing *writing, const struct row *family, const struct row *row)
{
    const struct name name = {.family = family->family,
                              .suffix = family->kind == COUNTER ? "_total" : "",
                              .label = row->label,
                              .value = row->value};
    for (size_t i = 0; i < writing->count; i++) {
        const struct sp_figures *pool = &writing->pools[i];
        const uint64_t number = number_of(pool, row);
        if (!row->microseconds) {
            write_count(writing, &name, pool, number);
            continue;
        }
        write_name(writing, &name, pool);
        keep(writing,
             sp_buf_printf(writing->buf,
                           "%" PRIu64 ".%06" PRIu64 "\n",
                           number / 1000000,
                           number % 1000000));
    }
}

// Its classes are many more than anybody asks for: of these each power of two.
static void write_times(struct writing *writing,
                        const struct row *family,
                        const struct sp_figures *pool)
{
    const struct sp_histogram *times =
        (const void *)((const uint8_t *)pool + family->offset);
    const uint64_t count = sp_histogram_count(times);
    char limit[32];
    const struct name below = {family->family, "_bucket", "le", limit};
    for (uint32_t i = FIRST_POWER; i <= LAST_POWER; i++) {
        (void)snprintf(limit, sizeof limit, "%.12g", (double)(UINT64_C(1) << i) / 1e9);
        write_count(writing, &below, pool, sp_histogram_below(times, i));
    }
    (void)snprintf(limit, sizeof limit, "+Inf");
    write_count(writing, &below, pool, count);
    write_count(writing,
                &(struct name){.family = family->family, .suffix = "_count"},
                pool,
                count);
    write_name(
        writing, &(struct name){.family = family->family, .suffix = "_sum"}, pool);
    keep(writing,
         sp_buf_printf(writing->buf,
                       "%" PRIu64 ".%09" PRIu64 "\n",
                       times->sum_ns / SP_NS_PER_S,
                       times->sum_ns % SP_NS_PER_S));
}

static void begin_family(struct writing *writing, const struct row *family)
{
    write_family(writing, family->family, family->kind, family->help);
    for (size_t i = 0; family->kind == HISTOGRAM && i < writing->count; i++) {
        write_times(writing, family, &writing->pools[i]);
    }
}

static void write_rows(struct writing *writing)
{
    const struct row *family = rows;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].family != NULL) {
            family = &rows[i];
            begin_family(writing, family);
        } else {
            write_samples(writing, family, &rows[i]);
        }
    }
}

static void write_states(struct writing *writing)
{
    static const char family[] = "snakepit_pool_state";
    write_family(
        writing, family, GAUGE, "1 for the state that the pool is in, else 0.");
    for (size_t i = 0; i < writing->count; i++) {
        const struct sp_figures *pool = &writing->pools[i];
        for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
            const struct name name = {family, "", "state", states[s]};
            write_count(
                writing, &name, pool, strcmp(pool->stats.state, states[s]) == 0);
        }
    }
}

static void write_version(struct writing *writing)
{
    write_family(writing,
                 "snakepit_build_info",
                 GAUGE,
                 "1; its label says which version this is.");
    keep(writing,
         sp_buf_printf(writing->buf,
                       "snakepit_build_info{version=\"%s\"} 1\n",
                       SNAKEPIT_VERSION));
}

snakepit_err sp_exposition_write(struct sp_buf *buf,
                                 const struct sp_figures *pools,
                                 size_t count,
                                 bool open)
{
    struct writing writing = {
        .buf = buf, .pools = pools, .count = count, .open = open, .err = SNAKEPIT_OK};
    write_version(&writing);
    if (count > 0) {
        write_states(&writing);
        write_rows(&writing);
    }
    return writing.err;
}

snakepit_err sp_exposition_gauge(struct sp_buf *buf,
                                 const char *name,
                                 const char *help,
                                 uint64_t value)
{
    struct writing writing = {.buf = buf, .err = SNAKEPIT_OK};
    write_family(&writing, name, GAUGE, help);
    keep(&writing, sp_buf_printf(buf, "%s %" PRIu64 "\n", name, value));
    return writing.err;
}

snakepit_err sp_exposition_end(struct sp_buf *buf)
{
    return sp_buf_append(buf, "# EOF\n", 6);
}
