// SPDX-License-Identifier: MIT
// Workers that write random bytes over all that they share with their host, under load.
// The host neither crashes, nor hangs, nor returns a wrong answer as right; and when
// they behave again, the pool is whole again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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
#define TIMEOUT_MS 400
#define SLOTS      64 // of a worker: the least that there are

static _Atomic uint64_t errors_logged;
static _Atomic uint64_t confused; // questions that nobody has asked so

// Whatever a liar reports, it can be gone through.
static void go_through(void *user, const snakepit_event *event)
{
    (void)user;
    snakepit_reader measurements = event->measurements;
    snakepit_reader metadata = event->metadata;
    assert_int_equal(snakepit_reader_skip(&measurements), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_skip(&metadata), SNAKEPIT_OK);
}

static void
count_errors(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user;
    (void)event;
    if (level >= SNAKEPIT_LOG_ERROR) {
        errors_logged++;
        (void)fprintf(stderr, "%s\n", line);
    }
}

// What workers ask for, also with questions that were never whole. Some of it calls
// back into the pool whose worker asks.
static snakepit_err answer_question(void *user,
                                    const snakepit_tool_info *info,
                                    const snakepit_reader *arguments,
                                    snakepit_writer *result,
                                    snakepit_message *why)
{
    static _Atomic uint32_t times;
    snakepit *pit = user;
    snakepit_reader at = *arguments;
    snakepit_value value;
    (void)why;
    if (strcmp(info->name, "echo") != 0 ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_MAP) {
        atomic_fetch_add(&confused, 1);
    }
    if (atomic_fetch_add(&times, 1) % 16 == 0) {
        const snakepit_call_options options = {.size = sizeof options,
                                               .timeout_ms = 100};
        snakepit_answer *answer = NULL;
        snakepit_err err =
            snakepit_call_json(pit, "echo", "{\"nonce\": 5}", &options, &answer);
        if (err == SNAKEPIT_OK &&
            strcmp(snakepit_answer_json(answer), "{\"nonce\":5}") != 0) {
            atomic_fetch_add(&confused, 1);
        }
        snakepit_answer_free(answer);
    }
    snakepit_writer_nil(result);
    return SNAKEPIT_OK;
}

static snakepit *open_pit(void)
{
    static const char yaml[] = "python_version_detection: 'off'\n"
                               "pools:\n"
                               "  - name: default\n"
                               "    worker_profile: thread\n"
                               "    threads_per_worker: 2\n"
                               "    pool_size: 4\n"
                               "    python: " SP_HOSTILE_WORKER "\n"
                               "    shared_memory_size: 64MiB\n"
                               "    max_queue: 10000\n"
                               "    cancel_grace_ms: 50\n"
                               "    start_timeout_ms: 5000\n"
                               "    stop_grace_ms: 200\n"
                               "    heartbeat_interval_ms: 100\n"
                               "    heartbeat_max_missed: 5\n"
                               "    restart_limit: 1000\n"
                               "    restart_backoff_ms: 0\n"
                               "    restart_backoff_max_ms: 5\n";
    snakepit *pit = NULL;
    snakepit_message why = {0};
    const snakepit_open_options options = {.size = sizeof options,
                                           .log = count_errors,
                                           .log_level = SNAKEPIT_LOG_WARNING,
                                           .event = go_through};
    snakepit_err err =
        snakepit_open_memory(yaml, sizeof yaml - 1, &options, &pit, &why);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(snakepit_tool_register(pit, "echo", answer_question, pit, NULL),
                     SNAKEPIT_OK);
    return pit;
}

static void wait_until(uint64_t at)
{
    const struct timespec time = {(time_t)(at / SP_NS_PER_S), (long)(at % SP_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0) {
    }
}

static void export_number(const char *name, uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    (void)setenv(name, text, 1);
}

static struct load *start_load(snakepit *pit, uint64_t last_mortal)
{
    const struct load_options options = {.pit = pit,
                                         .sync_threads = 4,
                                         .async_threads = 2,
                                         .window = 16,
                                         .timeout_ms = TIMEOUT_MS,
                                         .late_ms = 1000,
                                         .streams = true,
                                         .cancels = true,
                                         .last_mortal = last_mortal};
    return load_start(&options);
}

static void assert_nothing_was_confused(const struct load_counts *counts)
{
    assert_int_equal(counts->wrong, 0);
    assert_int_equal(counts->twice, 0);
    assert_int_equal(counts->lost, 0);
    assert_int_equal(counts->late, 0);
    assert_int_equal(counts->untyped, 0);
    assert_int_equal(counts->misjudged, 0);
    assert_int_equal(counts->ended, counts->started);
}

// The worker that was started last; ids rise.
static uint64_t newest_worker(snakepit *pit)
{
    snakepit_worker_info rows[WORKERS] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    uint64_t newest = 0;
    assert_int_equal(snakepit_pool_workers(pit, NULL, rows, WORKERS, &count),
                     SNAKEPIT_OK);
    for (size_t i = 0; i < count; i++) {
        newest = rows[i].id > newest ? rows[i].id : newest;
    }
    return newest;
}

// Workers after `last_hostile` were born in peace, so they have no reason to die.
static void assert_pool_recovers(snakepit *pit, uint64_t last_hostile)
{
    snakepit_message why = {0};
    snakepit_pool_stats stats = {.size = sizeof stats};
    // One that has frozen itself is found by its heartbeats.
    wait_until(sp_clock_now() + 3 * SP_NS_PER_S / 2);
    uint64_t until = sp_clock_now() + 15 * SP_NS_PER_S;
    for (;;) {
        snakepit_err err = snakepit_await_ready(pit, NULL, 1000, &why);
        assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
        if (err == SNAKEPIT_OK && stats.workers_ready == WORKERS &&
            census_take().children == WORKERS) {
            break;
        }
        if (sp_clock_now() > until) {
            fail_msg("%s: state=%s workers_ready=%u children=%u",
                     why.text,
                     stats.state,
                     stats.workers_ready,
                     census_take().children);
        }
        wait_until(sp_clock_now() + 10 * SP_NS_PER_MS);
    }
    struct load *load = start_load(pit, last_hostile);
    wait_until(sp_clock_now() + SP_NS_PER_S);
    struct load_counts counts = load_stop(load);
    load_print("peace", &counts);
    assert_nothing_was_confused(&counts);
    // What an older one did before the peace may still be found out, once for each of
    // those that live, and takes no more calls with it than it has slots.
    uint64_t late = counts.by_err[SNAKEPIT_WORKER_DIED] +
                    counts.by_err[SNAKEPIT_WORKER_LOST] +
                    counts.by_err[SNAKEPIT_PROTOCOL];
    assert_int_equal(counts.ended,
                     counts.by_err[SNAKEPIT_OK] + counts.by_err[SNAKEPIT_CANCELLED] +
                         late);
    assert_true(late <= WORKERS * SLOTS);
}

static void hostile_workers_cannot_crash_hang_or_confuse_the_host(void **state)
{
    (void)state;
    uint32_t seconds = census_variable("SNAKEPIT_STRESS_SECONDS", 6);
    uint32_t seed = census_variable("SNAKEPIT_STRESS_SEED", (uint32_t)time(NULL));
    uint64_t until = sp_clock_now() + seconds * SP_NS_PER_S;
    export_number("SNAKEPIT_HOSTILE_SEED", seed);
    export_number("SNAKEPIT_HOSTILE_UNTIL_MS", until / SP_NS_PER_MS);
    (void)printf("hostile: SNAKEPIT_STRESS_SEED=%u\n", seed);
    (void)fflush(stdout);
    struct census before = census_take();
    snakepit *pit = open_pit();
    struct load *load = start_load(pit, 0);
    assert_non_null(load);
    wait_until(until);
    uint64_t last_hostile = newest_worker(pit);
    struct load_counts counts = load_stop(load);
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    load_print("hostile", &counts);
    (void)printf("hostile: starts=%llu deaths=%llu violations=%llu\n",
                 (unsigned long long)stats.worker_starts,
                 (unsigned long long)stats.worker_deaths,
                 (unsigned long long)stats.violations);
    (void)fflush(stdout);
    assert_nothing_was_confused(&counts);
    assert_true(counts.by_err[SNAKEPIT_OK] > 100 * seconds);
    assert_true(stats.violations > seconds);
    assert_pool_recovers(pit, last_hostile);
    snakepit_close(pit, 1000);
    assert_int_equal(errors_logged, 0);
    assert_int_equal(confused, 0);
    struct census after = census_take();
    assert_int_equal(after.children, 0);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.mappings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_workers_cannot_crash_hang_or_confuse_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
