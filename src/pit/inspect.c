// SPDX-License-Identifier: MIT
// The facts about a pool that runs, gathered from what is counted and looked at anyway.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "interpreter/interpreter.h"
#include "pit/failure.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "pit/saying.h"
#include "pit/verdicts.h"

#define PERCENT 100u

// ---- What was done so far -----------------------------------------------------

static void add_life(void *user, size_t index, const snakepit_worker_info *row)
{
    struct sp_past_look *look = user;
    (void)index;
    look->lived_ms += row->age_ms * row->capacity;
}

// What runs now has run already.
static void add_run(void *user, size_t index, const struct sp_executor_row *row)
{
    struct sp_past_look *look = user;
    (void)index;
    look->ran_ms += row->running_us / 1000;
}

// Their time was up while their tools ran; whoever cancels a call is not counted.
static uint64_t late_in_tools(const struct sp_pool_counters *counters)
{
    const uint64_t late = counters->ended[SNAKEPIT_DEADLINE_EXCEEDED];
    const uint64_t others = counters->stopped[SNAKEPIT_STOP_IN_LINE] +
                            counters->stopped[SNAKEPIT_STOP_UNSTARTED];
    return late > others ? late - others : 0;
}

static void look_at_all(struct sp_pit_pool *place, struct sp_past_look *look)
{
    struct sp_pool_view view;
    sp_pool_look(place->pool, &view, NULL);
    sp_pool_times(place->pool, &look->line, &look->run);
    look->left = sp_pool_join_lost(place->pool, &look->line, &look->run);
    const struct sp_pool_counters *counters = &view.counters;
    look->at_ms = sp_clock_now() / SP_NS_PER_MS;
    look->calls = 0;
    for (uint32_t err = 0; err < SP_ERRORS; err++) {
        look->calls += counters->ended[err];
    }
    look->refused = counters->ended[SNAKEPIT_SATURATED];
    look->failed = counters->ended[SNAKEPIT_TOOL_FAILED];
    look->late = late_in_tools(counters);
    look->killed = counters->stopped[SNAKEPIT_STOP_KILLED];
    look->deaths = counters->workers[SP_COUNTED_DEATHS];
    look->failed_starts = counters->workers[SP_COUNTED_FAILED_STARTS];
    look->recycled_for_memory = counters->recycles[SP_RECYCLE_BY_MEMORY];
    look->lived_ms = sp_fleet_lived_ms(&place->fleet);
    look->ran_ms = look->run.sum_ns / SP_NS_PER_MS;
    look->cpu_ms = sp_fleet_cpu_ms(&place->fleet);
    (void)sp_fleet_workers(&place->fleet, add_life, look);
    (void)sp_pool_executors(place->pool, 0, add_run, look);
}

void sp_pit_note_past(struct sp_pit_pool *place)
{
    const bool is_due = sp_past_is_due(&place->past, sp_clock_now() / SP_NS_PER_MS);
    struct sp_past_look *look = is_due ? sp_alloc(sizeof *look) : NULL;
    if (look != NULL) {
        look_at_all(place, look);
        sp_past_note(&place->past, look);
        sp_free(look);
    }
}

static snakepit_err look_at_last(struct sp_pit_pool *place,
                                 struct sp_pool_measured *last)
{
    struct sp_past_look *look = sp_alloc(sizeof *look);
    if (look == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    look_at_all(place, look);
    sp_past_since(&place->past, look);
    *last = (struct sp_pool_measured){
        .over_ms = look->at_ms,
        .calls = look->calls,
        .refused = look->refused,
        .failed = look->failed,
        .late = look->late,
        .left = look->left,
        .killed = look->killed,
        .deaths = look->deaths,
        .failed_starts = look->failed_starts,
        .recycled_for_memory = look->recycled_for_memory,
        .lived_ms = look->lived_ms,
        .ran_ms = look->ran_ms,
        .cpu_ms = look->cpu_ms,
        .runs = sp_histogram_count(&look->run),
        .ran_p50_ns = sp_histogram_quantile(&look->run, 0.5),
        .lines = sp_histogram_count(&look->line),
        .line_p99_ns = sp_histogram_quantile(&look->line, 0.99),
    };
    sp_free(look);
    return SNAKEPIT_OK;
}

// ---- The facts ----------------------------------------------------------------

static void look_at_machine(struct sp_pool_facts *facts)
{
    struct sp_machine machine;
    sp_machine_look(sp_config_cores(), &machine);
    facts->cores = (machine.cpu_percent + PERCENT - 1) / PERCENT;
    facts->memory = machine.memory;
}

// The most that any of the variables allows; 0: none says a number.
static uint32_t library_threads(const struct sp_config *config,
                                const struct sp_pool_config *pool,
                                const struct sp_pool_facts *facts)
{
    uint32_t most = 0;
    uint32_t threads[SP_THREAD_VARIABLES];
    const struct sp_thread_env wanted = {
        .profile = strcmp(facts->stats.profile, "process") == 0 ? SP_PROFILE_PROCESS
                                                                : SP_PROFILE_THREAD,
        .threads_per_worker = facts->stats.threads_per_worker,
        .workers = facts->stats.workers,
        .cores = sp_config_cores(),
        .user = &pool->adapter_env,
        .inherited = config->environment,
    };
    if (wanted.threads_per_worker == 0 || wanted.workers == 0 ||
        sp_interpreter_library_threads(&wanted, threads) != SNAKEPIT_OK) {
        return 0;
    }
    for (size_t i = 0; i < SP_THREAD_VARIABLES; i++) {
        most = threads[i] > most ? threads[i] : most;
    }
    return most;
}

// While the configuration is read anew nothing is known of it.
static void look_at_config(snakepit *pit, struct sp_pool_facts *facts)
{
    if (pthread_mutex_trylock(&pit->reload_lock) != 0) {
        return;
    }
    const struct sp_pool_config *pool = sp_config_pool(pit->config, facts->stats.name);
    if (pool != NULL) {
        facts->wants_threads = pool->worker_profile == SP_PROFILE_THREAD;
        facts->template_is_off = pool->template == SP_TEMPLATE_OFF;
        facts->size_most = pool->pool_size.max;
        facts->max_queue = pool->max_queue;
        facts->worker_max_memory = pool->worker_max_memory;
        facts->library_threads = library_threads(pit->config, pool, facts);
    }
    pthread_mutex_unlock(&pit->reload_lock);
}

static void add_worker(void *user, size_t index, const snakepit_worker_info *row)
{
    struct sp_pool_facts *facts = user;
    (void)index;
    facts->largest = row->rss_bytes > facts->largest ? row->rss_bytes : facts->largest;
    facts->threads = row->threads > facts->threads ? row->threads : facts->threads;
    facts->stuck += row->stuck;
}

// ---- What goes on now ---------------------------------------------------------

static void add_growth(void *user, size_t index, const snakepit_worker_info *row)
{
    struct sp_growth_look *look = user;
    (void)index;
    if (look->count < SP_GROWTH_WORKERS) {
        look->rows[look->count++] = (struct sp_growth_row){
            .worker = row->id, .age_ms = row->age_ms, .bytes = row->rss_bytes};
    }
}

static void look_at_growth(struct sp_pit_pool *place, struct sp_growth_look *look)
{
    *look = (struct sp_growth_look){.at_ms = sp_clock_now() / SP_NS_PER_MS};
    (void)sp_fleet_workers(&place->fleet, add_growth, look);
}

void sp_pit_note_growth(struct sp_pit_pool *place)
{
    if (sp_growth_is_due(&place->growth, sp_clock_now() / SP_NS_PER_MS)) {
        struct sp_growth_look look;
        look_at_growth(place, &look);
        sp_growth_note(&place->growth, &look);
    }
}

static void keep_longest(const struct sp_call_row *row, struct sp_call_now *longest)
{
    if (row->since_us / 1000 > longest->ms) {
        *longest = (struct sp_call_now){.worker = row->worker,
                                        .ms = row->since_us / 1000,
                                        .has_time = row->deadline != SP_NEVER};
        SP_SAY(longest->tool, "%.63s", row->tool);
    }
}

static void add_running(const struct sp_call_row *row, struct sp_pool_facts *facts)
{
    const uint64_t ms = row->since_us / 1000;
    keep_longest(row, &facts->oldest);
    facts->youngest_ms =
        facts->youngest_ms == 0 || ms < facts->youngest_ms ? ms : facts->youngest_ms;
    if (row->worker == facts->grown.worker) {
        const bool other =
            facts->grown_tool[0] != '\0' &&
            strncmp(facts->grown_tool, row->tool, sizeof facts->grown_tool - 1) != 0;
        SP_SAY(facts->grown_tool, "%.63s", other ? "" : row->tool);
    }
}

static snakepit_err look_at_calls(struct sp_pit_pool *place,
                                  struct sp_pool_facts *facts)
{
    // Those that run come first.
    const size_t room = (size_t)facts->stats.capacity * 2 + 1;
    struct sp_call_row *rows = sp_alloc_array(room, sizeof *rows);
    if (rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const size_t count = sp_pool_calls(place->pool, rows, room);
    for (size_t i = 0; i < count && i < room; i++) {
        if (rows[i].stage == SP_STAGE_STOPPING) {
            facts->held++;
            keep_longest(&rows[i], &facts->given_up);
        } else if (rows[i].stage == SP_STAGE_RUNNING && !rows[i].streams) {
            facts->held++;
            add_running(&rows[i], facts);
        }
    }
    sp_free(rows);
    return SNAKEPIT_OK;
}

// ---- What went wrong last -----------------------------------------------------

// The newest one first.
static void take_cause(void *user,
                       size_t index,
                       uint64_t number,
                       const struct sp_fleet_death *death)
{
    struct sp_pool_looked *looked = user;
    (void)index;
    (void)number;
    if (!death->expected && looked->cause[0] == '\0') {
        (void)snprintf(looked->cause, sizeof looked->cause, "%s", death->cause);
    }
}

enum bad_end { ENDS_FAILED, ENDS_LATE, ENDS_DEAD };

// What its tool has ended, or should have.
static bool
is_of_tool(const struct sp_kept_call *kept, enum bad_end how, uint64_t since_us)
{
    const snakepit_err err = (snakepit_err)kept->row.err;
    enum bad_end end = ENDS_FAILED;
    if (kept->row.executor == SP_EXECUTOR_NONE || kept->row.ended_us < since_us ||
        err == SNAKEPIT_OK || err == SNAKEPIT_CANCELLED ||
        err == SNAKEPIT_WORKER_LOST || err == SNAKEPIT_PROTOCOL) {
        return false;
    }
    if (err == SNAKEPIT_DEADLINE_EXCEEDED || err == SNAKEPIT_WORKER_DIED) {
        end = err == SNAKEPIT_WORKER_DIED ? ENDS_DEAD : ENDS_LATE;
    }
    return end == how;
}

static bool have_one_tool(const struct sp_kept_call *a, const struct sp_kept_call *b)
{
    return a->row.tool_size == b->row.tool_size &&
           memcmp(a->row.text, b->row.text, a->row.tool_size) == 0;
}

// The newest call of the tool that most of them are of; NULL: there is none.
static const struct sp_kept_call *most_of(const struct sp_kept_call *rows,
                                          size_t count,
                                          enum bad_end how,
                                          uint64_t since_us)
{
    const struct sp_kept_call *found = NULL;
    uint32_t most = 0;
    for (size_t i = count; i > 0; i--) {
        const struct sp_kept_call *row = &rows[i - 1];
        uint32_t same = 0;
        for (size_t j = 0; j < i && is_of_tool(row, how, since_us); j++) {
            same += have_one_tool(row, &rows[j]) && is_of_tool(&rows[j], how, since_us);
        }
        found = same > most ? row : found;
        most = same > most ? same : most;
    }
    return found;
}

static void name_tool(const struct sp_kept_call *kept, struct sp_tool_named *named)
{
    if (kept != NULL) {
        memcpy(named->name, kept->row.text, kept->row.tool_size);
        sp_text_clean(named->name, kept->row.tool_size, SP_TEXT_LINE);
        (void)snprintf(named->error, sizeof named->error, "%s", kept->error);
    }
}

static snakepit_err look_at_tools(struct sp_pit_pool *place,
                                  struct sp_pool_looked *looked)
{
    struct timespec now;
    struct sp_kept_call *rows = sp_alloc_array(SP_RECENT_KEPT, sizeof *rows);
    if (rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t now_us =
        (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / SP_NS_PER_US;
    const uint64_t since_us = now_us - looked->facts.last.over_ms * 1000;
    const size_t count = sp_pool_kept(place->pool, 0, rows, SP_RECENT_KEPT);
    name_tool(most_of(rows, count, ENDS_FAILED, since_us), &looked->facts.fails);
    name_tool(most_of(rows, count, ENDS_LATE, since_us), &looked->facts.late);
    name_tool(most_of(rows, count, ENDS_DEAD, since_us), &looked->facts.dies);
    sp_free(rows);
    return SNAKEPIT_OK;
}

static void look_at_breakers(snakepit *pit, struct sp_pool_looked *looked)
{
    size_t count = 0;
    looked->breaker = (snakepit_breaker_info){.size = sizeof looked->breaker};
    (void)snakepit_pool_breakers(
        pit, looked->facts.stats.name, &looked->breaker, 1, &count);
    looked->facts.breaker = looked->breaker.tool;
}

snakepit_err
sp_pit_look_at_pool(snakepit *pit, const char *pool, struct sp_pool_looked *looked)
{
    SP_UNCANCELLED;
    struct sp_pool_facts *facts = &looked->facts;
    *looked =
        (struct sp_pool_looked){.facts = {.stats = {.size = sizeof facts->stats}}};
    snakepit_err err = snakepit_pool_get_stats(pit, pool, &facts->stats);
    struct sp_pit_pool *place = err == SNAKEPIT_OK ? sp_pit_find(pit, pool) : NULL;
    if (place == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_UNKNOWN_POOL : err;
    }
    facts->reason = sp_pit_failure(pit, pool, &looked->reason);
    facts->takes_turns = strcmp(facts->stats.profile, "thread (GIL)") == 0;
    facts->forked = sp_fleet_memory_now(&place->fleet).forked;
    look_at_machine(facts);
    look_at_config(pit, facts);
    (void)sp_fleet_workers(&place->fleet, add_worker, facts);
    facts->recycled_for_memory = sp_pool_recycles(place->pool, SP_RECYCLE_BY_MEMORY);
    struct sp_growth_look growth;
    look_at_growth(place, &growth);
    facts->grown = sp_growth_find(&place->growth, &growth);
    err = look_at_last(place, &facts->last);
    if (err == SNAKEPIT_OK) {
        err = look_at_calls(place, facts);
    }
    if (err == SNAKEPIT_OK) {
        err = look_at_tools(place, looked);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    (void)sp_fleet_deaths(&place->fleet, take_cause, looked);
    facts->cause = looked->cause;
    facts->computing = sp_fleet_computing(&place->fleet);
    look_at_breakers(pit, looked);
    return SNAKEPIT_OK;
}
