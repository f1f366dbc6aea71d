// SPDX-License-Identifier: MIT
// A pool under load that grows and shrinks and is reloaded, of whose workers now one is
// killed, now one recycled for any of the reasons there are, now one hangs, while
// another pool comes and goes. No call may be lost, answered twice or wrongly; in the
// end the pool has exactly its workers, and the host no more memory than before.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/census.h"
#include "support/load.h"

#define EXECUTORS  8
#define MOST_ROWS  (4 * EXECUTORS)
#define TIMEOUT_MS 60000
#define SETTLE_NS  (120 * SP_NS_PER_S)
#define SAMPLES    3
#define STEADY     1000 // events after which memory must not grow any more

struct kind {
    const char *name;
    const char *python;
    const char *profile;
    uint32_t workers;
    uint32_t pause_us; // between two events, at most; now and then four times as long
    const char *more;  // keys of its pool, a line each
};

struct storm {
    const struct kind *kind;
    snakepit *pit;
    unsigned seed;
    _Atomic uint32_t open; // calls of the storm itself
    _Atomic uint32_t wrong;
    uint32_t kills;
    uint32_t by_hand;
    uint32_t hangs;
    uint32_t growths;
    uint32_t resizes;
    uint32_t reloads;
    bool struck; // since there was a worker that serves
};

// What a reload changes; each pit begins with none of it.
#define NEW_WORKERS  1u // they are told something else
#define NEW_RULES    2u
#define ANOTHER_POOL 4u // there is one

static const char *yaml_of(const struct kind *kind, uint32_t edition)
{
    static char yaml[4096];
    int used =
        snprintf(yaml,
                 sizeof yaml,
                 "python_version_detection: 'off'\n"
                 "pools:\n"
                 "  - name: default\n"
                 "    worker_profile: %s\n"
                 "    pool_size: {min: %u, max: %u}\n"
                 "    shrink_after_ms: 200\n"
                 "    threads_per_worker: %u\n"
                 "    python: %s\n"
                 "    adapter: storm_adapter.Storm\n"
                 "    adapter_env: {PYTHONPATH: \"%s\"}\n"
                 "    max_queue: 10000\n"
                 "    restart_limit: 1000\n"
                 "    restart_backoff_ms: 1\n"
                 "    restart_backoff_max_ms: 5\n"
                 "    cancel_grace_ms: 100\n"
                 "    worker_ttl: 3s\n"
                 "    worker_max_requests: 20000\n"
                 "    worker_max_memory: 200MiB\n"
                 "    worker_max_memory_hard: 300MiB\n"
                 "    memory_check_interval_ms: 50\n"
                 "    recycle_jitter: 100\n"
                 "    recycle_at_once: 2\n"
                 "    recycle_delay_ms: 0\n"
                 "    retry: {max_attempts: 5, backoff_ms: 1, max_tokens: 1000}\n"
                 "    adapter_config: {edition: %u}\n"
                 "    grow_after_ms: %u\n"
                 "%s",
                 kind->profile,
                 kind->workers / 2,
                 kind->workers,
                 EXECUTORS / kind->workers,
                 kind->python,
                 SP_STORM_FOLDER,
                 edition & NEW_WORKERS,
                 20 + (edition & NEW_RULES),
                 kind->more);
    if ((edition & ANOTHER_POOL) != 0) {
        (void)snprintf(yaml + used,
                       sizeof yaml - (size_t)used,
                       "  - name: another\n"
                       "    template: 'off'\n"
                       "    pool_size: 1\n"
                       "    python: %s\n"
                       "    adapter: storm_adapter.Storm\n"
                       "    adapter_env: {PYTHONPATH: \"%s\"}\n",
                       kind->python,
                       SP_STORM_FOLDER);
    }
    return yaml;
}

static snakepit *open_pit(const struct kind *kind)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    const char *yaml = yaml_of(kind, 0);
    const snakepit_open_options options = {
        .size = sizeof options, .log = load_no_log, .log_level = SNAKEPIT_LOG_ERROR};
    snakepit_err err = snakepit_open_memory(yaml, strlen(yaml), &options, &pit, &why);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(snakepit_await_ready(pit, NULL, TIMEOUT_MS, &why), SNAKEPIT_OK);
    return pit;
}

// ---- Events -------------------------------------------------------------------

static uint32_t below(struct storm *storm, uint32_t limit)
{
    return (uint32_t)rand_r(&storm->seed) % limit;
}

// A worker; id 0: there is none.
static snakepit_worker_info choose(struct storm *storm)
{
    snakepit_worker_info rows[MOST_ROWS] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    assert_int_equal(snakepit_pool_workers(storm->pit, NULL, rows, MOST_ROWS, &count),
                     SNAKEPIT_OK);
    assert_true(count <= MOST_ROWS);
    return count == 0 ? (snakepit_worker_info){.id = 0}
                      : rows[below(storm, (uint32_t)count)];
}

static void kill_one(struct storm *storm)
{
    snakepit_worker_info victim = choose(storm);
    storm->kills += victim.id != 0 && census_signal_child(victim.pid, SIGKILL);
}

static void recycle_one(struct storm *storm)
{
    snakepit_worker_info worker = choose(storm);
    snakepit_message why = {0};
    snakepit_err err = snakepit_worker_recycle(storm->pit, "default", worker.id, &why);
    assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NOT_FOUND);
    storm->by_hand += err == SNAKEPIT_OK;
}

static void recycle_all(struct storm *storm)
{
    snakepit_message why = {0};
    assert_int_equal(snakepit_pool_recycle(storm->pit, "default", &why), SNAKEPIT_OK);
    storm->by_hand++;
}

static void ended(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct storm *storm = user;
    bool expected = err == SNAKEPIT_OK || err == SNAKEPIT_DEADLINE_EXCEEDED ||
                    err == SNAKEPIT_WORKER_DIED || err == SNAKEPIT_WORKER_LOST;
    if (!expected || answer == NULL) {
        (void)fprintf(stderr, "storm: %s\n", snakepit_err_name(err));
        atomic_fetch_add(&storm->wrong, 1);
    }
    snakepit_answer_free(answer);
    atomic_fetch_sub(&storm->open, 1);
}

static void submit(struct storm *storm, const char *tool, const char *json, uint32_t ms)
{
    snakepit_message why = {0};
    const snakepit_call_options options = {
        .size = sizeof options, .timeout_ms = ms, .why = &why};
    atomic_fetch_add(&storm->open, 1);
    snakepit_err err =
        snakepit_submit_json(storm->pit, tool, json, &options, ended, storm, NULL);
    if (err == SNAKEPIT_DEADLINE_EXCEEDED) {
        atomic_fetch_sub(&storm->open, 1); // reading its JSON took all of its time
    } else if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
}

static void hang(struct storm *storm)
{
    bool in_c = below(storm, 4) == 0;
    submit(storm, "hang", in_c ? "{\"in_c\": true}" : NULL, 10 + below(storm, 40));
    storm->hangs++;
}

static void grow(struct storm *storm)
{
    bool too_much = below(storm, 2) == 0;
    submit(storm,
           "grow",
           too_much ? "{\"mebibytes\": 310}" : "{\"mebibytes\": 210}",
           TIMEOUT_MS);
    storm->growths++;
}

// Between half of them and all.
static void resize(struct storm *storm)
{
    snakepit_message why = {0};
    uint32_t least = storm->kind->workers / 2;
    uint32_t workers = least + below(storm, storm->kind->workers - least + 1);
    assert_int_equal(snakepit_pool_resize(storm->pit, "default", workers, &why),
                     SNAKEPIT_OK);
    storm->resizes++;
}

static void reload_as(struct storm *storm, uint32_t edition)
{
    static const snakepit_reload_options options = {.size = sizeof options,
                                                    .grace_ms = 1};
    snakepit_message why = {0};
    const char *yaml = yaml_of(storm->kind, edition);
    snakepit_err err =
        snakepit_reload_memory(storm->pit, yaml, strlen(yaml), &options, &why);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
}

// Calls to the other pool may end with it.
static void other_ended(void *user, snakepit_err err, snakepit_answer *answer)
{
    bool expected = err == SNAKEPIT_POOL_REMOVED;
    ended(user, expected ? SNAKEPIT_OK : err, answer);
}

static void reload(struct storm *storm)
{
    uint32_t edition = below(storm, 8);
    reload_as(storm, edition);
    storm->reloads++;
    const snakepit_call_options options = {
        .size = sizeof options, .pool = "another", .timeout_ms = TIMEOUT_MS};
    if ((edition & ANOTHER_POOL) != 0) {
        atomic_fetch_add(&storm->open, 1);
        assert_int_equal(
            snakepit_submit_json(
                storm->pit, "ping", NULL, &options, other_ended, storm, NULL),
            SNAKEPIT_OK);
    }
}

static void happen(struct storm *storm)
{
    static void (*const events[])(struct storm *) = {kill_one,
                                                     kill_one,
                                                     kill_one,
                                                     kill_one,
                                                     recycle_one,
                                                     recycle_one,
                                                     recycle_one,
                                                     recycle_all,
                                                     hang,
                                                     hang,
                                                     hang,
                                                     resize,
                                                     resize,
                                                     reload,
                                                     reload,
                                                     grow};
    events[below(storm, sizeof events / sizeof events[0])](storm);
}

// One event while nobody serves; then a worker has all the time that it needs to start.
// On a busy machine that is longer than from one event to the next.
static bool may_happen(struct storm *storm)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(storm->pit, NULL, &stats), SNAKEPIT_OK);
    bool may = stats.workers_ready > 0 || !storm->struck;
    storm->struck = stats.workers_ready == 0;
    return may;
}

// ---- What must hold -----------------------------------------------------------

// Bytes of the host's own memory, without what it shares with workers.
static uint64_t memory_here(void)
{
    char status[4096];
    assert_true(sp_file_read("/proc/self/status", status, sizeof status) > 0);
    const char *at = strstr(status, "\nRssAnon:");
    assert_non_null(at);
    return strtoull(at + strlen("\nRssAnon:"), NULL, 10) << 10;
}

static bool is_settled(const struct storm *storm, snakepit_pool_stats *stats)
{
    snakepit_worker_info rows[MOST_ROWS] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    assert_int_equal(snakepit_pool_workers(storm->pit, NULL, rows, MOST_ROWS, &count),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_pool_get_stats(storm->pit, NULL, stats), SNAKEPIT_OK);
    return atomic_load(&storm->open) == 0 && stats->waiting == 0 &&
           stats->running == 0 && count == stats->workers &&
           stats->workers_ready == stats->workers && stats->workers_outdated == 0;
}

static void pause_us(uint32_t us)
{
    const struct timespec pause = {.tv_nsec = us * 1000L};
    (void)nanosleep(&pause, NULL);
}

// Exactly its workers, and nothing else of it.
static void assert_pool_is_whole(const struct storm *storm)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    uint64_t begun = sp_clock_now();
    // It is idle now, and has as few as it may have; and a template.
    uint32_t least = storm->kind->workers / 2;
    uint32_t most = least + 1;
    while (!is_settled(storm, &stats) || stats.workers != least ||
           census_take().children > most) {
        if (sp_clock_now() - begun > SETTLE_NS) {
            fail_msg(
                "state=%s ready=%u of %u running=%u waiting=%u open=%u children=%u",
                stats.state,
                stats.workers_ready,
                stats.workers,
                stats.running,
                stats.waiting,
                atomic_load(&storm->open),
                census_take().children);
        }
        pause_us(10000);
    }
    assert_string_equal(stats.state, "ready");
    assert_int_equal(stats.violations, 0);
    assert_int_equal(atomic_load(&storm->wrong), 0);
    (void)printf("storm %s: starts=%llu deaths=%llu recycles=%llu kills=%u by_hand=%u "
                 "hangs=%u isolations=%llu growths=%u resizes=%u reloads=%u "
                 "retries=%llu\n",
                 storm->kind->name,
                 (unsigned long long)stats.worker_starts,
                 (unsigned long long)stats.worker_deaths,
                 (unsigned long long)stats.worker_recycles,
                 storm->kills,
                 storm->by_hand,
                 storm->hangs,
                 (unsigned long long)stats.worker_isolations,
                 storm->growths,
                 storm->resizes,
                 storm->reloads,
                 (unsigned long long)stats.retries);
}

static void assert_memory_is_flat(const struct storm *storm,
                                  const uint64_t samples[SAMPLES],
                                  uint32_t events)
{
    (void)printf("storm %s: events=%u memory_mib=%.1f %.1f %.1f\n",
                 storm->kind->name,
                 events,
                 (double)samples[0] / (1 << 20),
                 (double)samples[1] / (1 << 20),
                 (double)samples[2] / (1 << 20));
    (void)fflush(stdout);
    if (events >= STEADY) {
        assert_true(samples[2] < samples[0] + samples[0] / 5 + (2u << 20));
    }
}

// So many events, or as many as there are in so many seconds.
static uint32_t
rage(struct storm *storm, uint32_t events, uint32_t seconds, uint64_t samples[SAMPLES])
{
    uint64_t begun = sp_clock_now();
    uint64_t length = seconds * SP_NS_PER_S;
    uint32_t done = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        uint64_t until = begun + length * (sample + 1) / SAMPLES;
        uint32_t to = events * (sample + 1) / SAMPLES;
        while (seconds > 0 ? sp_clock_now() < until : done < to) {
            if (may_happen(storm)) {
                happen(storm);
                done++;
            }
            uint32_t most = storm->kind->pause_us;
            pause_us(below(storm, below(storm, 16) == 0 ? 4 * most : most));
        }
        samples[sample] = memory_here();
    }
    return done;
}

static void weather(const struct kind *kind, uint32_t events, uint32_t seconds)
{
    struct census before = census_take();
    struct storm storm = {.kind = kind,
                          .pit = open_pit(kind),
                          .seed = census_variable("SNAKEPIT_STRESS_SEED", 1)};
    const struct load_options options = {.pit = storm.pit,
                                         .sync_threads = 4,
                                         .async_threads = 2,
                                         .window = 16,
                                         .timeout_ms = TIMEOUT_MS,
                                         .late_ms = 1000,
                                         .computes = true,
                                         .idempotent = true};
    struct load *load = load_start(&options);
    uint64_t samples[SAMPLES];
    assert_non_null(load);
    uint32_t done = rage(&storm, events, seconds, samples);
    struct load_counts counts = load_stop(load);
    load_print("storm", &counts);
    assert_null(load_fault(&counts));
    reload_as(&storm, 0);
    assert_pool_is_whole(&storm);
    assert_memory_is_flat(&storm, samples, done);
    snakepit_close(storm.pit, 2000);
    struct census after = census_take();
    assert_int_equal(after.children, 0);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.mappings, 0);
}

static void processes_weather_it(void **state)
{
    (void)state;
    static const struct kind kind = {
        "process", SP_PYTHON_SYSTEM, "process", EXECUTORS, 50000, ""};
    weather(&kind,
            census_variable("SNAKEPIT_STRESS_EVENTS", 60),
            census_variable("SNAKEPIT_STRESS_SECONDS", 0));
}

#ifdef SP_PYTHON_FT
static void threads_weather_it(void **state)
{
    (void)state;
    static const struct kind kind = {"thread",
                                     SP_PYTHON_FT,
                                     "thread",
                                     2,
                                     250000,
                                     "    on_stuck: isolate\n"
                                     "    stuck_grace_ms: 1000\n"};
    weather(&kind,
            census_variable("SNAKEPIT_STRESS_EVENTS", 20),
            census_variable("SNAKEPIT_STRESS_SECONDS", 0));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_weather_it),
#ifdef SP_PYTHON_FT
        cmocka_unit_test(threads_weather_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
