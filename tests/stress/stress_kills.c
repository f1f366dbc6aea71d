// SPDX-License-Identifier: MIT
// Real Python workers are killed at random under load. No call may be lost or answered
// twice, every answer is right or a typed fault, and in the end the pool is whole
// again.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "support/census.h"
#include "support/load.h"

#define WORKERS    4
#define TIMEOUT_MS 20000

static const char *python(void)
{
    const char *path = getenv("SNAKEPIT_PYTHON_SYSTEM");
    return path != NULL && path[0] != 0 ? path : SP_PYTHON_SYSTEM;
}

static void
quiet(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user;
    (void)event;
    if (level >= SNAKEPIT_LOG_ERROR) {
        (void)fprintf(stderr, "%s\n", line);
    }
}

static snakepit *open_pit(void)
{
    char yaml[1024];
    snakepit *pit = NULL;
    snakepit_message why = {0};
    const snakepit_open_options options = {
        .size = sizeof options, .log = quiet, .log_level = SNAKEPIT_LOG_WARNING};
    (void)snprintf(yaml,
                   sizeof yaml,
                   "python_version_detection: 'off'\n"
                   "pools:\n"
                   "  - name: default\n"
                   "    pool_size: %d\n"
                   "    python: %s\n"
                   "    max_queue: 10000\n"
                   "    restart_limit: 1000\n"
                   "    restart_backoff_ms: 1\n"
                   "    restart_backoff_max_ms: 5\n",
                   WORKERS,
                   python());
    snakepit_err err = snakepit_open_memory(yaml, strlen(yaml), &options, &pit, &why);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    return pit;
}

static void pause_us(uint32_t us)
{
    const struct timespec pause = {.tv_sec = us / 1000000,
                                   .tv_nsec = us % 1000000 * 1000L};
    (void)nanosleep(&pause, NULL);
}

// A child that the pool does not show: its template, or one that is being born. 0:
// none.
static pid_t find_unseen(const snakepit_worker_info *rows, size_t count)
{
    pid_t children[2 * WORKERS];
    uint32_t born = census_children(children, 2 * WORKERS);
    for (uint32_t i = 0; i < born; i++) {
        bool seen = false;
        for (size_t row = 0; row < count; row++) {
            seen = seen || rows[row].pid == children[i];
        }
        if (!seen) {
            return children[i];
        }
    }
    return 0;
}

static uint32_t kill_unseen(const snakepit_worker_info *rows, size_t count)
{
    pid_t pid = find_unseen(rows, count);
    return pid != 0 && census_signal_child(pid, SIGKILL) ? 1 : 0;
}

// Kills workers, most often one that takes calls, else one in whatever state it is;
// sometimes two at once, and sometimes what they are forked from.
static uint32_t kill_some(snakepit *pit, unsigned *seed)
{
    snakepit_worker_info rows[WORKERS] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    uint32_t killed = 0;
    assert_int_equal(snakepit_pool_workers(pit, NULL, rows, WORKERS, &count),
                     SNAKEPIT_OK);
    assert_true(count <= WORKERS);
    bool any_state = rand_r(seed) % 8 == 0;
    uint32_t wanted = rand_r(seed) % 8 == 0 ? 2 : 1;
    if (rand_r(seed) % 16 == 0) {
        killed += kill_unseen(rows, count);
    }
    for (uint32_t i = 0; i < wanted && count > 0; i++) {
        const snakepit_worker_info *victim = &rows[(uint32_t)rand_r(seed) % count];
        if (any_state || strcmp(victim->state, "READY") == 0) {
            killed += census_signal_child(victim->pid, SIGKILL) ? 1 : 0;
        }
    }
    return killed;
}

static void kill_under_load(snakepit *pit, uint32_t wanted)
{
    unsigned seed = census_variable("SNAKEPIT_STRESS_SEED", 1);
    for (uint32_t killed = 0; killed < wanted;) {
        killed += kill_some(pit, &seed);
        // Long enough, now and then, for all of them to be up again.
        pause_us((uint32_t)rand_r(&seed) %
                 (rand_r(&seed) % 16 == 0 ? 300000u : 60000u));
    }
}

static void assert_pool_is_whole(snakepit *pit)
{
    snakepit_message why = {0};
    snakepit_worker_info rows[2 * WORKERS] = {{.size = sizeof rows[0]}};
    snakepit_pool_stats stats = {.size = sizeof stats};
    size_t count = 0;
    if (snakepit_await_ready(pit, NULL, 30000, &why) != SNAKEPIT_OK) {
        assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
        fail_msg("%s: state=%s workers_ready=%u of %u",
                 why.text,
                 stats.state,
                 stats.workers_ready,
                 stats.workers);
    }
    assert_int_equal(snakepit_pool_workers(pit, NULL, rows, 2 * WORKERS, &count),
                     SNAKEPIT_OK);
    assert_int_equal(count, WORKERS);
    // Its template is the only other process, and no worker that was left.
    pid_t other = find_unseen(rows, count);
    assert_int_equal(census_take().children, WORKERS + (other != 0 ? 1 : 0));
    assert_true(other == 0 || census_mappings_of(other) == 0);
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    assert_int_equal(stats.workers_ready, WORKERS);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.waiting, 0);
}

// The sum of all lines of /metrics that count calls of tools with this outcome; NULL:
// with any.
static uint64_t told_by_tools(const char *text, const char *outcome)
{
    static const char family[] = "snakepit_tool_calls_total{";
    uint64_t sum = 0;
    for (const char *at = text; (at = strstr(at, family)) != NULL; at++) {
        char labels[400];
        unsigned long long count = 0;
        assert_int_equal(sscanf(at, "%399[^}]} %llu", labels, &count), 2);
        const char *its = strstr(labels, "outcome=\"");
        assert_non_null(its);
        its += strlen("outcome=\"");
        bool is_it = outcome == NULL || (strncmp(its, outcome, strlen(outcome)) == 0 &&
                                         its[strlen(outcome)] == '"');
        sum += is_it ? count : 0;
    }
    return sum;
}

// However many workers have died, what is counted for all tools is what callers have
// counted for themselves.
static void assert_tools_tell_the_same(snakepit *pit, const struct load_counts *counts)
{
    char *text = NULL;
    size_t size;
    assert_int_equal(snakepit_metrics(pit, NULL, &text, &size), SNAKEPIT_OK);
    for (int err = 0; err < LOAD_ERRS; err++) {
        const char *outcome = err == 0 ? "ok" : snakepit_err_name((snakepit_err)err);
        assert_int_equal(told_by_tools(text, outcome), counts->by_err[err]);
    }
    assert_int_equal(told_by_tools(text, NULL), counts->ended);
    snakepit_metrics_free(text);
}

static void killed_workers_lose_no_call_and_answer_none_twice(void **state)
{
    (void)state;
    uint32_t wanted = census_variable("SNAKEPIT_STRESS_KILLS", 100);
    struct census before = census_take();
    snakepit *pit = open_pit();
    snakepit_message why = {0};
    assert_int_equal(snakepit_await_ready(pit, NULL, 60000, &why), SNAKEPIT_OK);
    const struct load_options options = {.pit = pit,
                                         .sync_threads = 6,
                                         .async_threads = 2,
                                         .window = 24,
                                         .timeout_ms = TIMEOUT_MS,
                                         .late_ms = 1000,
                                         .computes = true,
                                         .cause = "killed by signal 9 (SIGKILL)"};
    uint64_t begun = sp_clock_now();
    struct load *load = load_start(&options);
    assert_non_null(load);
    kill_under_load(pit, wanted);
    struct load_counts counts = load_stop(load);
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    load_print("kills", &counts);
    (void)printf(
        "kills: killed=%u seconds=%.1f starts=%llu deaths=%llu violations=%llu\n",
        wanted,
        (double)(sp_clock_now() - begun) / 1e9,
        (unsigned long long)stats.worker_starts,
        (unsigned long long)stats.worker_deaths,
        (unsigned long long)stats.violations);
    (void)fflush(stdout);
    assert_null(load_fault(&counts));
    assert_true(counts.by_err[SNAKEPIT_WORKER_DIED] > 0);
    assert_tools_tell_the_same(pit, &counts);
    assert_pool_is_whole(pit);
    // A killed worker has broken nothing.
    assert_int_equal(stats.violations, 0);
    snakepit_close(pit, 2000);
    struct census after = census_take();
    assert_int_equal(after.children, 0);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.mappings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_workers_lose_no_call_and_answer_none_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
