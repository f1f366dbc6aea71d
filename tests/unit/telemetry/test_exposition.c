// SPDX-License-Identifier: MIT
#include "telemetry/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "telemetry/doors.h"

static const struct sp_figures two[] = {
    {.stats = {.name = "plain",
               .state = "ready",
               .workers = 4,
               .calls = 7,
               .stop_total_us = 1500002},
     .run = {.sum_ns = 3000002000,
             .counts = {[0] = 1, [SP_HISTOGRAM_CLASSES - 1] = 2}}},
    {.stats = {.name = "a \"b\"\\\n", .state = "down", .calls = UINT64_MAX}},
};

static char *text_of(size_t count, bool open)
{
    struct sp_buf out = {0};
    assert_int_equal(
        sp_exposition_gauge(
            &out, "snakepit_connections", "Clients that are connected.", 3),
        SNAKEPIT_OK);
    assert_int_equal(
        sp_exposition_gauge(&out, "snakepit_draining", "1 while the daemon ends.", 1),
        SNAKEPIT_OK);
    assert_int_equal(sp_doors_write(&out, NULL, 0, open), SNAKEPIT_OK);
    assert_int_equal(sp_exposition_write(&out, two, count, open), SNAKEPIT_OK);
    if (open) {
        assert_int_equal(sp_exposition_end(&out), SNAKEPIT_OK);
    }
    char *text = calloc(1, out.size + 1);
    assert_non_null(text);
    memcpy(text, out.data, out.size);
    sp_buf_fini(&out);
    return text;
}

static void assert_holds(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    if (at == NULL || (at != text && at[-1] != '\n')) {
        fail_msg("not there: %s", line);
    }
}

static void each_pool_has_a_sample_of_each_row(void **state)
{
    (void)state;
    char *text = text_of(2, false);
    assert_holds(text, "# TYPE snakepit_pool_calls_total counter\n");
    assert_holds(text,
                 "snakepit_pool_calls_total{pool=\"plain\"} 7\n"
                 "snakepit_pool_calls_total{pool=\"a \\\"b\\\"\\\\\\n\"} "
                 "18446744073709551615\n");
    assert_holds(text, "snakepit_pool_workers{pool=\"plain\",of=\"wanted\"} 4\n");
    assert_holds(text, "snakepit_pool_stop_seconds_total{pool=\"plain\"} 1.500002\n");
    assert_holds(text, "snakepit_pool_state{pool=\"plain\",state=\"ready\"} 1\n");
    assert_holds(text, "snakepit_pool_state{pool=\"plain\",state=\"down\"} 0\n");
    assert_holds(text, "snakepit_connections 3\n");
    assert_holds(text, "snakepit_draining 1\n");
    assert_null(strstr(text, "# EOF"));
    free(text);
}

static void times_are_told_by_powers_of_two(void **state)
{
    (void)state;
    char *text = text_of(1, false);
    assert_holds(text, "# TYPE snakepit_pool_run_seconds histogram\n");
    assert_holds(
        text,
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"1.024e-06\"} 1\n"
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"2.048e-06\"} 1\n");
    assert_holds(
        text,
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"137.438953472\"} 1\n"
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"+Inf\"} 3\n"
        "snakepit_pool_run_seconds_count{pool=\"plain\"} 3\n"
        "snakepit_pool_run_seconds_sum{pool=\"plain\"} 3.000002000\n");
    assert_holds(text, "snakepit_pool_line_seconds_count{pool=\"plain\"} 0\n");
    free(text);
}

static void openmetrics_names_families_otherwise(void **state)
{
    (void)state;
    char *text = text_of(1, true);
    assert_holds(text, "# TYPE snakepit_pool_calls counter\n");
    assert_holds(text, "snakepit_pool_calls_total{pool=\"plain\"} 7\n");
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
}

static void without_pools_the_daemon_is_left(void **state)
{
    (void)state;
    char *text = text_of(0, false);
    assert_null(strstr(text, "snakepit_pool"));
    assert_holds(text, "# TYPE snakepit_build_info gauge\n");
    free(text);
}

static void memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct sp_buf out = {0};
    sp_memory_fail_at(1);
    assert_int_equal(sp_exposition_write(&out, two, 2, false), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_buf_fini(&out);
}

// ---- docs/metrics.md ------------------------------------------------------------

static char *page(void)
{
    static char text[65536];
    FILE *file = fopen(SP_DOCS "/metrics.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

// A line for each family: its name, as it is in the text format, and what it says.
static void the_page_has_each_family(void **state)
{
    (void)state;
    char *text = text_of(1, false);
    const char *lines = page();
    for (char *at = text; (at = strstr(at, "# HELP ")) != NULL;) {
        char wanted[400];
        char name[100];
        char help[200];
        at += strlen("# HELP ");
        assert_int_equal(sscanf(at, "%99s %199[^\n]", name, help), 2);
        (void)snprintf(wanted, sizeof wanted, "| `%s` | %s |", name, help);
        if (strstr(lines, wanted) == NULL) {
            fail_msg("docs/metrics.md lacks %s", wanted);
        }
    }
    free(text);
}

// And no other line: each row of its table is a family.
static void the_page_has_nothing_else(void **state)
{
    (void)state;
    char *text = text_of(1, false);
    int rows = 0;
    for (const char *at = page(); (at = strstr(at, "\n| `")) != NULL;) {
        char family[120];
        char name[100];
        at += strlen("\n| `");
        assert_int_equal(sscanf(at, "%99[^`]", name), 1);
        (void)snprintf(family, sizeof family, "# HELP %s ", name);
        if (strstr(text, family) == NULL) {
            fail_msg("docs/metrics.md has `%s`, which is no metric", name);
        }
        rows++;
    }
    assert_true(rows > 20);
    free(text);
}

// ---- Grafana --------------------------------------------------------------------

// Each metric in a query of the board, with the suffix that its kind has there.
static void each_query_of_the_board_names_a_metric(void **state)
{
    static char board[262144];
    int names = 0;
    (void)state;
    FILE *file = fopen(SP_DOCS "/../packaging/grafana/snakepit.json", "r");
    assert_non_null(file);
    board[fread(board, 1, sizeof board - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    char *text = text_of(1, false);
    for (const char *at = board; (at = strstr(at, "snakepit_")) != NULL; names++) {
        char name[100];
        char family[120];
        assert_int_equal(sscanf(at, "%99[a-z_]", name), 1);
        at += strlen(name);
        const char *const suffixes[] = {"_bucket", "_sum", "_count"};
        for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
            char *end = strstr(name, suffixes[i]);
            if (end != NULL && end[strlen(suffixes[i])] == '\0') {
                *end = '\0';
            }
        }
        (void)snprintf(family, sizeof family, "# TYPE %s ", name);
        if (strstr(text, family) == NULL) {
            fail_msg("the board asks for %s, which is no metric", name);
        }
    }
    assert_true(names > 40);
    free(text);
}

// ---- Its size -------------------------------------------------------------------

#define POOLS   20u
#define TOOLS   4u
#define WORKERS 50u // each
#define MOST    (300u << 10)

static void fill(struct sp_figures *pool, struct sp_tool_figures *tools, uint32_t i)
{
    static char names[POOLS][16];
    (void)snprintf(names[i], sizeof names[i], "pool-number-%u", i);
    *pool = (struct sp_figures){.stats = {.name = names[i],
                                          .state = "ready",
                                          .workers = WORKERS,
                                          .workers_ready = WORKERS,
                                          .calls = 123456789,
                                          .total_memory = 40123456789},
                                .tools = tools,
                                .tool_count = TOOLS + 1};
    for (uint32_t class = 0; class < SP_HISTOGRAM_CLASSES; class ++) {
        pool->line.counts[class] = 1000003;
        pool->run.counts[class] = 1000003;
    }
    for (uint32_t tool = 0; tool <= TOOLS; tool++) {
        (void)snprintf(
            tools[tool].name, sizeof tools[tool].name, "tool_of_the_pool_%u", tool);
        tools[tool].ended[SNAKEPIT_OK] = 123456789;
        tools[tool].ended[SNAKEPIT_TOOL_FAILED] = 12345;
        tools[tool].ended[SNAKEPIT_DEADLINE_EXCEEDED] = 1234;
        tools[tool].ran_ns = UINT64_C(1234567890123456);
    }
}

// Its workers make it no larger: none has a line of its own.
static void twenty_pools_of_fifty_workers_fit_into_300_kib(void **state)
{
    static struct sp_figures pools[POOLS];
    static struct sp_tool_figures tools[POOLS][TOOLS + 1];
    struct sp_buf out = {0};
    (void)state;
    for (uint32_t i = 0; i < POOLS; i++) {
        fill(&pools[i], tools[i], i);
    }
    const uint64_t begun = sp_clock_now();
    assert_int_equal(sp_exposition_write(&out, pools, POOLS, true), SNAKEPIT_OK);
    const uint64_t took = sp_clock_now() - begun;
    print_message("%zu bytes in %.2f ms\n", out.size, (double)took / 1e6);
    assert_true(out.size <= MOST);
    sp_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pool_has_a_sample_of_each_row),
        cmocka_unit_test(times_are_told_by_powers_of_two),
        cmocka_unit_test(openmetrics_names_families_otherwise),
        cmocka_unit_test(without_pools_the_daemon_is_left),
        cmocka_unit_test(memory_that_runs_out_is_told),
        cmocka_unit_test(the_page_has_each_family),
        cmocka_unit_test(the_page_has_nothing_else),
        cmocka_unit_test(each_query_of_the_board_names_a_metric),
        cmocka_unit_test(twenty_pools_of_fifty_workers_fit_into_300_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
