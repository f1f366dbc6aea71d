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
     .workers = {.lives = {[SP_WORKERS_READY] = 3}, .oldest_ms = 61001},
     .traffic = {.chunks = 12, .pieces = 4},
     .chunk = {.sum_ns = 5000000,
               .counts = {[0] = 1, [1 + 16 * 12] = 2, [1 + 16 * 14] = 4}},
     .traced =
         {.of = {{.trace = {0xab, [15] = 0x01}, .ns = 1024, .at_ms = 1700000000123},
                 {.ns = 7},
                 {.trace = {2}, .ns = UINT64_C(1) << 36, .at_ms = 1}}},
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
    const struct sp_all_figures all = {
        .pools = two, .count = count, .sessions = {.open = 3, .ended = {1, 2, 3, 4}}};
    assert_int_equal(sp_exposition_write(&out, &all, open), SNAKEPIT_OK);
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
    assert_holds(text,
                 "snakepit_pool_worker_states{pool=\"plain\",state=\"ready\"} 3\n");
    assert_holds(text,
                 "snakepit_pool_worker_age_seconds{pool=\"plain\",of=\"oldest\"} "
                 "61.001\n");
    assert_holds(
        text, "snakepit_pool_payload_bytes_total{pool=\"plain\",of=\"chunks\"} 12\n");
    assert_holds(text, "snakepit_pool_chunks_total{pool=\"plain\"} 4\n");
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
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"68.719476736\"} 1\n"
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"+Inf\"} 3\n"
        "snakepit_pool_run_seconds_count{pool=\"plain\"} 3\n"
        "snakepit_pool_run_seconds_sum{pool=\"plain\"} 3.000002000\n");
    assert_holds(text, "snakepit_pool_line_seconds_count{pool=\"plain\"} 0\n");
    free(text);
}

// 2^20 to 2^21 ns belongs to the first limit behind 2^20, which is 2^22.
static void times_may_be_told_by_powers_of_four(void **state)
{
    (void)state;
    char *text = text_of(1, false);
    assert_holds(text,
                 "snakepit_pool_first_chunk_seconds_bucket{pool=\"plain\",le=\"0."
                 "000262144\"} 1\n"
                 "snakepit_pool_first_chunk_seconds_bucket{pool=\"plain\",le=\"0."
                 "001048576\"} 1\n"
                 "snakepit_pool_first_chunk_seconds_bucket{pool=\"plain\",le=\"0."
                 "004194304\"} 3\n"
                 "snakepit_pool_first_chunk_seconds_bucket{pool=\"plain\",le=\"0."
                 "016777216\"} 7\n");
    assert_holds(
        text,
        "snakepit_pool_first_chunk_seconds_bucket{pool=\"plain\",le=\"17.179869184\"} "
        "7\n"
        "snakepit_pool_first_chunk_seconds_bucket{pool=\"plain\",le=\"+Inf\"} 7\n"
        "snakepit_pool_first_chunk_seconds_count{pool=\"plain\"} 7\n");
    free(text);
}

// A bucket has one whose time is in it: below its limit, and not below the one before.
static void only_openmetrics_has_examples(void **state)
{
    (void)state;
    char *text = text_of(2, false);
    assert_null(strstr(text, "trace_id"));
    free(text);
    text = text_of(2, true);
    assert_holds(
        text,
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"1.024e-06\"} 1\n"
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"2.048e-06\"} 1 # "
        "{trace_id=\"ab000000000000000000000000000001\"} 0.000001024 "
        "1700000000.123\n"
        "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"4.096e-06\"} 1\n");
    assert_holds(text,
                 "snakepit_pool_run_seconds_bucket{pool=\"plain\",le=\"+Inf\"} 3 # "
                 "{trace_id=\"02000000000000000000000000000000\"} 68.719476736 "
                 "0.001\n"
                 "snakepit_pool_run_seconds_count{pool=\"plain\"} 3\n");
    int examples = 0;
    for (const char *at = text; (at = strstr(at, "trace_id")) != NULL; at++) {
        examples++;
    }
    assert_int_equal(examples, 2);
    free(text);
}

static void sessions_are_told_once_whatever_pools_there_are(void **state)
{
    (void)state;
    for (size_t pools = 0; pools <= 2; pools += 2) {
        char *text = text_of(pools, false);
        assert_holds(text, "snakepit_sessions 3\n");
        assert_holds(text,
                     "# TYPE snakepit_session_ends_total counter\n"
                     "snakepit_session_ends_total{by=\"hand\"} 1\n"
                     "snakepit_session_ends_total{by=\"session_ttl_ms\"} 2\n"
                     "snakepit_session_ends_total{by=\"max_sessions\"} 3\n"
                     "snakepit_session_ends_total{by=\"session_memory\"} 4\n");
        free(text);
    }
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
    const struct sp_all_figures all = {.pools = two, .count = 2};
    sp_memory_fail_at(1);
    assert_int_equal(sp_exposition_write(&out, &all, false), SNAKEPIT_NO_MEMORY);
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
        pool->handover.counts[class] = 1000003;
        pool->chunk.counts[class] = 1000003;
    }
    for (uint32_t place = 0; place < SP_EXEMPLARS; place++) {
        pool->traced.of[place] = (struct sp_exemplar){
            .trace = {1}, .ns = UINT64_C(10000) << 10 * place, .at_ms = 1764500000123};
    }
    pool->traffic = (struct sp_traffic){.arguments = 123456789012,
                                        .tensors = 1234567890123,
                                        .results = 123456789012,
                                        .chunks = 123456789012,
                                        .pieces = 1234567890};
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
    const struct sp_all_figures all = {.pools = pools, .count = POOLS};
    assert_int_equal(sp_exposition_write(&out, &all, true), SNAKEPIT_OK);
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
        cmocka_unit_test(times_may_be_told_by_powers_of_four),
        cmocka_unit_test(only_openmetrics_has_examples),
        cmocka_unit_test(sessions_are_told_once_whatever_pools_there_are),
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
