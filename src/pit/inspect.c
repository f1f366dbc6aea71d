// SPDX-License-Identifier: MIT
// The facts about a pool that runs, gathered from what is counted and looked at anyway.
#include <string.h>

#include "base/machine.h"
#include "base/thread.h"
#include "interpreter/interpreter.h"
#include "pit/failure.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "pit/times.h"
#include "pit/verdicts.h"

#define PERCENT 100u

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
    const uint64_t memory = row->pss_bytes != 0 ? row->pss_bytes : row->rss_bytes;
    (void)index;
    facts->lived_ms += row->age_ms * row->capacity;
    facts->largest = memory > facts->largest ? memory : facts->largest;
    facts->threads = row->threads > facts->threads ? row->threads : facts->threads;
    facts->stuck += row->stuck;
}

static void look_at_times(struct sp_pool *pool, struct sp_pool_facts *facts)
{
    struct sp_histogram line;
    struct sp_histogram run;
    sp_pool_times(pool, &line, &run);
    facts->lines = sp_histogram_count(&line);
    facts->line_p99 = sp_histogram_quantile(&line, 0.99);
    facts->runs = sp_histogram_count(&run);
    facts->ran_ns = run.sum_ns;
    facts->ran_p50 = sp_histogram_quantile(&run, 0.5);
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
    facts->lived_ms = sp_fleet_lived_ms(&place->fleet);
    (void)sp_fleet_workers(&place->fleet, add_worker, facts);
    facts->recycled_for_memory = sp_pool_recycles(place->pool, SP_RECYCLE_BY_MEMORY);
    look_at_times(place->pool, facts);
    look_at_breakers(pit, looked);
    return SNAKEPIT_OK;
}
