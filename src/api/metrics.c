// SPDX-License-Identifier: MIT
#include "api/metrics.h"

#include <inttypes.h>
#include <string.h>

enum kind { GAUGE, COUNTER };

// A row of metrics.def: a family, or a sample of the one above.
struct row {
    const char *family; // NULL: a sample
    enum kind kind;
    const char *help;
    const char *label;
    const char *value;
    size_t offset; // in snakepit_pool_stats
    size_t size;
    bool microseconds;
};

#define FIELD(field) \
    offsetof(snakepit_pool_stats, field), sizeof(((snakepit_pool_stats *)0)->field)
#define SP_METRIC(name, kind, help) {#name, kind, help, NULL, NULL, 0, 0, false},
#define SP_SAMPLE(label, value, field) \
    {NULL, GAUGE, NULL, label, value, FIELD(field), false},
#define SP_SECONDS(label, value, field) \
    {NULL, GAUGE, NULL, label, value, FIELD(field), true},
static const struct row rows[] = {
#include "api/metrics.def"
};
#undef SP_METRIC
#undef SP_SAMPLE
#undef SP_SECONDS
#define ROWS (sizeof rows / sizeof rows[0])

// Of a pool, one of these is 1.
static const char *const states[] = {
    "starting", "ready", "degraded", "down", "failed", "stopping", "removed"};

struct writing {
    struct sp_buf *buf;
    const snakepit_pool_stats *pools;
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
                       kind == COUNTER ? "counter" : "gauge"));
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

// "name{pool="p",label="value"} ", before the number.
static void write_name(struct writing *writing,
                       const struct row *family,
                       const snakepit_pool_stats *pool,
                       const char *label,
                       const char *value)
{
    keep(writing,
         sp_buf_printf(writing->buf,
                       "%s%s{pool=",
                       family->family,
                       family->kind == COUNTER ? "_total" : ""));
    write_quoted(writing, pool->name);
    if (label != NULL) {
        keep(writing, sp_buf_printf(writing->buf, ",%s=", label));
        write_quoted(writing, value);
    }
    keep(writing, sp_buf_append(writing->buf, "} ", 2));
}

static uint64_t number_of(const snakepit_pool_stats *pool, const struct row *row)
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
    for (size_t i = 0; i < writing->count; i++) {
        const uint64_t number = number_of(&writing->pools[i], row);
        write_name(writing, family, &writing->pools[i], row->label, row->value);
        keep(writing,
             row->microseconds ? sp_buf_printf(writing->buf,
                                               "%" PRIu64 ".%06" PRIu64 "\n",
                                               number / 1000000,
                                               number % 1000000)
                               : sp_buf_printf(writing->buf, "%" PRIu64 "\n", number));
    }
}

static void write_rows(struct writing *writing)
{
    const struct row *family = rows;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].family != NULL) {
            family = &rows[i];
            write_family(writing, family->family, family->kind, family->help);
        } else {
            write_samples(writing, family, &rows[i]);
        }
    }
}

static void write_states(struct writing *writing)
{
    static const struct row family = {.family = "snakepit_pool_state", .kind = GAUGE};
    write_family(
        writing, family.family, GAUGE, "1 for the state that the pool is in, else 0.");
    for (size_t i = 0; i < writing->count; i++) {
        for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
            const snakepit_pool_stats *pool = &writing->pools[i];
            write_name(writing, &family, pool, "state", states[s]);
            const bool is_it = strcmp(pool->state, states[s]) == 0;
            keep(writing, sp_buf_append(writing->buf, is_it ? "1\n" : "0\n", 2));
        }
    }
}

static void write_daemon(struct writing *writing,
                         const struct sp_metrics_daemon *daemon)
{
    write_family(writing,
                 "snakepit_build_info",
                 GAUGE,
                 "1; its label says which version this is.");
    keep(writing,
         sp_buf_printf(writing->buf,
                       "snakepit_build_info{version=\"%s\"} 1\n",
                       SNAKEPIT_VERSION));
    write_family(writing, "snakepit_connections", GAUGE, "Clients that are connected.");
    keep(
        writing,
        sp_buf_printf(writing->buf, "snakepit_connections %zu\n", daemon->connections));
    write_family(writing, "snakepit_draining", GAUGE, "1 while the daemon ends.");
    keep(writing,
         sp_buf_printf(
             writing->buf, "snakepit_draining %d\n", daemon->draining ? 1 : 0));
}

snakepit_err sp_metrics_write(struct sp_buf *buf,
                              const struct sp_metrics_daemon *daemon,
                              const snakepit_pool_stats *pools,
                              size_t count,
                              bool open)
{
    struct writing writing = {
        .buf = buf, .pools = pools, .count = count, .open = open, .err = SNAKEPIT_OK};
    write_daemon(&writing, daemon);
    if (count > 0) {
        write_states(&writing);
        write_rows(&writing);
    }
    if (open) {
        keep(&writing, sp_buf_append(buf, "# EOF\n", 6));
    }
    return writing.err;
}
