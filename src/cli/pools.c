// SPDX-License-Identifier: MIT
// snakepit pools and snakepit workers: what there is, and how it does.
#include <inttypes.h>
#include <string.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/value.h"
#include "payload/writer.h"

// ---- Pools ------------------------------------------------------------------------

static void
number_cell(struct sp_cli_table *table, const snakepit_reader *map, const char *key)
{
    sp_cli_cell(table, "%" PRIu64, sp_cli_value_number(map, key));
}

static void
text_cell(struct sp_cli_table *table, const snakepit_reader *map, const char *key)
{
    snakepit_span text = sp_cli_value_text(map, key);
    sp_cli_cell(table, "%.*s", SP_CLI_SPAN(text));
}

// In MiB; empty: it is not known.
static void memory_cell(struct sp_cli_table *table, uint64_t bytes)
{
    sp_cli_cell(table, bytes == 0 ? "%s" : "%s%.1f", "", (double)bytes / 1048576);
}

static void headings(struct sp_cli_table *table, const char *const *titles)
{
    for (size_t i = 0; i < table->columns; i++) {
        sp_cli_cell(table, "%s", titles[i]);
    }
}

static void print_reasons(struct sp_cli *cli, const snakepit_reader *map)
{
    snakepit_reader at;
    uint32_t count = sp_cli_value_list(map, "pools", &at);
    for (uint32_t i = 0; i < count; i++) {
        snakepit_span name = sp_cli_value_text(&at, "name");
        snakepit_span reason = sp_cli_value_text(&at, "reason");
        if (reason.size > 0) {
            sp_cli_print(cli, "%.*s: %.*s\n", SP_CLI_SPAN(name), SP_CLI_SPAN(reason));
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

static void print_pools(struct sp_cli *cli, const snakepit_reader *map)
{
    static const char *const titles[] = {"pool",
                                         "profile",
                                         "state",
                                         "workers",
                                         "outdated",
                                         "running",
                                         "waiting",
                                         "calls",
                                         "failures",
                                         "free",
                                         "mib"};
    struct sp_cli_table table = {.columns = sizeof titles / sizeof titles[0]};
    snakepit_reader at;
    uint32_t count = sp_cli_value_list(map, "pools", &at);
    headings(&table, titles);
    for (uint32_t i = 0; i < count; i++) {
        if (sp_cli_value_text(&at, "name").size > 0) { // else it has just gone
            text_cell(&table, &at, "name");
            text_cell(&table, &at, "profile");
            text_cell(&table, &at, "state");
            sp_cli_cell(&table,
                        "%" PRIu64 " of %" PRIu64,
                        sp_cli_value_number(&at, "workers_ready"),
                        sp_cli_value_number(&at, "workers"));
            number_cell(&table, &at, "workers_outdated");
            number_cell(&table, &at, "running");
            number_cell(&table, &at, "waiting");
            number_cell(&table, &at, "calls");
            number_cell(&table, &at, "failures");
            number_cell(&table, &at, "available_capacity");
            memory_cell(&table, sp_cli_value_number(&at, "total_memory"));
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    sp_cli_print_table(cli, &table);
    print_reasons(cli, map);
}

int sp_cli_pools(struct sp_cli *cli)
{
    const bool json = cli->args.texts[SP_CLI_POOLS_JSON] != NULL;
    struct sp_cli_target *target = NULL;
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_target_open(cli, SP_CLI_POOLS_CONFIG, json, &target, &status)) {
        return status;
    }
    target->ops->pools(target, &result);
    status = sp_cli_result_show(cli, &result, json, print_pools);
    sp_cli_result_fini(&result);
    sp_cli_target_close(target);
    return status;
}

// ---- Workers ----------------------------------------------------------------------

// The workers of a pool, as rows of a table, and as they are in {"pools": [{"name",
// "workers"}]}.
struct listing {
    struct sp_cli *cli;
    struct sp_cli_target *target;
    bool json;
    bool named; // a pool that has just gone is an error
    struct sp_cli_table table;
    struct sp_buf pools; // elements of that list, one after the other
    snakepit_err err;    // sticks; NO_MEMORY
    uint32_t count;
};

// "3.5 s", "12 min", "2.0 h", "8.1 d".
static void age_cell(struct sp_cli_table *table, uint64_t ms)
{
    if (ms < 100000) {
        sp_cli_cell(table, "%.1f s", (double)ms / 1000);
    } else if (ms < 6000000) {
        sp_cli_cell(table, "%" PRIu64 " min", ms / 60000);
    } else if (ms < 172800000) {
        sp_cli_cell(table, "%.1f h", (double)ms / 3600000);
    } else {
        sp_cli_cell(table, "%.1f d", (double)ms / 86400000);
    }
}

// What it runs, of several the one that has run longest: "order 2.4 s".
static void runs_cell(struct sp_cli_table *table, const snakepit_reader *worker)
{
    snakepit_reader at;
    snakepit_span tool = {"", 0};
    uint64_t longest = 0;
    uint64_t running = 0;
    const uint32_t count = sp_cli_value_list(worker, "executors", &at);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t its = sp_cli_value_number(&at, "running_us");
        running += sp_cli_value_number(&at, "call") != 0 ? 1 : 0;
        if (sp_cli_value_number(&at, "call") != 0 && its >= longest) {
            longest = its;
            tool = sp_cli_value_text(&at, "tool");
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    if (running == 0) {
        sp_cli_cell(table, "%s", "");
        return;
    }
    sp_cli_cell(table, "%.*s %.1f s", SP_CLI_SPAN(tool), (double)longest / 1000000);
}

static void
add_worker(struct listing *listing, snakepit_span pool, const snakepit_reader *worker)
{
    struct sp_cli_table *table = &listing->table;
    snakepit_reader health;
    sp_cli_cell(table, "%.*s", SP_CLI_SPAN(pool));
    number_cell(table, worker, "id");
    number_cell(table, worker, "pid");
    sp_cli_cell(table,
                "%.*s%s",
                SP_CLI_SPAN(sp_cli_value_text(worker, "state")),
                sp_cli_value_truth(worker, "isolated") ? " (isolated)" : "");
    sp_cli_cell(table,
                "%" PRIu64 " of %" PRIu64,
                sp_cli_value_number(worker, "load"),
                sp_cli_value_number(worker, "capacity"));
    age_cell(table, sp_cli_value_number(worker, "age_ms"));
    number_cell(table, worker, "calls");
    memory_cell(table, sp_cli_value_number(worker, "rss_bytes"));
    memory_cell(table, sp_cli_value_number(worker, "pss_bytes"));
    if (sp_cli_value_find(worker, "health", &health)) {
        text_cell(table, &health, "status");
    } else {
        sp_cli_cell(table, "%s", "");
    }
    text_cell(table, worker, "device");
    runs_cell(table, worker);
}

static void add_rows(struct listing *listing, const snakepit_reader *pool)
{
    snakepit_reader at;
    uint32_t count = sp_cli_value_list(pool, "workers_now", &at);
    for (uint32_t i = 0; i < count; i++) {
        add_worker(listing, sp_cli_value_text(pool, "name"), &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

static void add_value(struct listing *listing, const snakepit_reader *pool)
{
    snakepit_reader workers;
    snakepit_span name = sp_cli_value_text(pool, "name");
    if (!sp_cli_value_find(pool, "workers_now", &workers)) {
        return;
    }
    snakepit_reader end = workers;
    if (snakepit_reader_skip(&end) != SNAKEPIT_OK) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "name");
    snakepit_writer_strn(writer, name.data, name.size);
    snakepit_writer_str(writer, "workers");
    sp_writer_value(writer,
                    (struct sp_slice){workers.at, (size_t)(end.at - workers.at)});
    snakepit_err err =
        writer == NULL ? SNAKEPIT_NO_MEMORY : snakepit_writer_error(writer);
    if (err == SNAKEPIT_OK) {
        err = sp_buf_append(&listing->pools, writer->buf.data, writer->buf.size);
    }
    snakepit_writer_free(writer);
    listing->err = err;
    listing->count++;
}

// Gives the exit code.
static int add_pool(struct listing *listing, const char *name)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    snakepit_reader pool;
    snakepit_writer *writer = snakepit_writer_new();
    int status = SP_CLI_EXIT_OK;
    listing->target->ops->pool(listing->target, name, &result);
    if (result.err == SNAKEPIT_OK) {
        result.err = writer == NULL ? SNAKEPIT_NO_MEMORY
                                    : sp_cli_value_read(result.json, writer, &pool);
    }
    if (result.err == SNAKEPIT_OK) {
        add_rows(listing, &pool);
        add_value(listing, &pool);
        result.err = listing->err;
        status = sp_cli_result_report(listing->cli, &result, listing->json);
    } else if (listing->named || result.err != SNAKEPIT_UNKNOWN_POOL) {
        status = sp_cli_result_report(listing->cli, &result, listing->json);
    }
    snakepit_writer_free(writer);
    sp_cli_result_fini(&result);
    return status;
}

static int add_all(struct listing *listing)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    snakepit_reader map;
    snakepit_reader at;
    snakepit_writer *writer = snakepit_writer_new();
    listing->target->ops->pools(listing->target, &result);
    if (result.err == SNAKEPIT_OK) {
        result.err = writer == NULL ? SNAKEPIT_NO_MEMORY
                                    : sp_cli_value_read(result.json, writer, &map);
    }
    int status = sp_cli_result_report(listing->cli, &result, listing->json);
    uint32_t count = 0;
    if (status == SP_CLI_EXIT_OK) {
        count = sp_cli_value_list(&map, "pools", &at);
    }
    for (uint32_t i = 0; i < count && status == SP_CLI_EXIT_OK; i++) {
        char name[256];
        snakepit_span span = sp_cli_value_text(&at, "name");
        if (span.size > 0 && span.size < sizeof name) {
            memcpy(name, span.data, span.size);
            name[span.size] = '\0';
            status = add_pool(listing, name);
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    snakepit_writer_free(writer);
    sp_cli_result_fini(&result);
    return status;
}

static int print_listing(struct listing *listing)
{
    if (!listing->json) {
        sp_cli_print_table(listing->cli, &listing->table);
        return SP_CLI_EXIT_OK;
    }
    snakepit_writer *whole = snakepit_writer_new();
    snakepit_writer_map(whole, 1);
    snakepit_writer_str(whole, "pools");
    snakepit_writer_array(whole, listing->count);
    snakepit_reader at;
    snakepit_reader_init(&at, listing->pools.data, listing->pools.size);
    for (uint32_t i = 0; i < listing->count; i++) {
        const uint8_t *begin = at.at;
        (void)snakepit_reader_skip(&at);
        sp_writer_value(whole, (struct sp_slice){begin, (size_t)(at.at - begin)});
    }
    snakepit_err err = sp_cli_print_json(listing->cli, whole);
    snakepit_writer_free(whole);
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK
                              : sp_cli_report(listing->cli, err, "", true);
}

int sp_cli_workers(struct sp_cli *cli)
{
    static const char *const titles[] = {"pool",
                                         "worker",
                                         "pid",
                                         "state",
                                         "load",
                                         "age",
                                         "calls",
                                         "rss_mib",
                                         "pss_mib",
                                         "health",
                                         "device",
                                         "runs"};
    const char *pool = cli->args.count > 0 ? cli->args.words[0] : NULL;
    struct listing listing = {
        .cli = cli,
        .json = cli->args.texts[SP_CLI_WORKERS_JSON] != NULL,
        .named = pool != NULL,
        .table = {.columns = sizeof titles / sizeof titles[0]},
    };
    int status = SP_CLI_EXIT_OK;
    headings(&listing.table, titles);
    if (sp_cli_target_open(
            cli, SP_CLI_WORKERS_CONFIG, listing.json, &listing.target, &status)) {
        status = pool != NULL ? add_pool(&listing, pool) : add_all(&listing);
        if (status == SP_CLI_EXIT_OK) {
            status = print_listing(&listing);
            sp_cli_flush(cli);
        }
        sp_cli_target_close(listing.target);
    }
    sp_cli_table_free(&listing.table);
    sp_buf_fini(&listing.pools);
    return status;
}
