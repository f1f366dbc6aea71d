// SPDX-License-Identifier: MIT
#include "api/inspection.h"

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/memory.h"
#include "payload/pairs.h"
#include "pit/refuse.h"
#include "pit/verdicts.h"
#include "server/server.h"

#define FACT_PAIRS    19u
#define VERDICT_PAIRS 6u

static void write_facts(snakepit_writer *writer, const struct sp_pool_facts *facts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    sp_pair_text(writer, "pool", stats->name);
    sp_pair_text(writer, "profile", stats->profile);
    sp_pair_text(writer, "state", stats->state);
    sp_pair_number(writer, "processes", stats->processes);
    sp_pair_number(writer, "threads_per_process", stats->threads_per_worker);
    sp_pair_number(writer, "total_capacity", stats->capacity);
    sp_pair_number(writer, "active_requests", stats->running);
    sp_pair_number(writer, "available_capacity", stats->available_capacity);
    sp_pair_number(writer, "waiting", stats->waiting);
    sp_pair_number(writer, "memory_per_process", stats->memory_per_process);
    sp_pair_number(writer, "total_memory", stats->total_memory);
    sp_pair_number(writer, "memory_there_is", facts->memory);
    sp_pair_number(writer, "cores", facts->cores);
    sp_pair_number(writer, "over_seconds", facts->last.over_ms / 1000);
    sp_pair_number(writer, "calls", facts->last.calls);
    sp_pair_number(writer, "busy_percent", sp_pool_facts_busy(facts));
    sp_pair_number(writer, "run_p50_us", facts->last.ran_p50_ns / SP_NS_PER_US);
    sp_pair_number(writer, "line_p99_us", facts->last.line_p99_ns / SP_NS_PER_US);
}

static void write_verdict(snakepit_writer *writer, const struct sp_verdict *verdict)
{
    snakepit_writer_map(writer, VERDICT_PAIRS);
    sp_pair_text(writer, "code", sp_verdict_code_name(verdict->code));
    sp_pair_text(writer, "severity", sp_verdict_severity_name(verdict->severity));
    sp_pair_text(writer, "what", verdict->what);
    sp_pair_text(writer, "key", verdict->key);
    sp_pair_text(writer, "value", verdict->value);
    sp_pair_text(writer, "remedy", verdict->remedy);
}

// A pool that was looked at and judged.
struct inspection {
    struct sp_pool_looked looked;
    struct sp_verdicts verdicts;
};

static void write_inspection(snakepit_writer *writer, const struct inspection *made)
{
    snakepit_writer_map(writer, FACT_PAIRS);
    write_facts(writer, &made->looked.facts);
    snakepit_writer_str(writer, "verdicts");
    snakepit_writer_array(writer, made->verdicts.count);
    for (uint32_t i = 0; i < made->verdicts.count; i++) {
        write_verdict(writer, &made->verdicts.items[i]);
    }
}

snakepit_err
sp_api_inspect_pool(snakepit *pit, const char *pool, snakepit_writer *writer)
{
    struct inspection *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = sp_pit_look_at_pool(pit, pool, &made->looked);
    if (err == SNAKEPIT_OK) {
        sp_verdicts_judge(&made->looked.facts, &made->verdicts);
        write_inspection(writer, made);
    }
    sp_free(made);
    return err;
}

// ---- Beside the loop --------------------------------------------------------------

// A request that is being answered: each worker is looked at in /proc, and the machine.
// Owner: the thread that looks, then the loop.
struct looking {
    struct sp_offload_work work;
    struct sp_exchange *exchange; // NULL: the client has gone; owner: the loop
    snakepit *pit;
    const char *pool; // lives as long as the pit
    snakepit_writer *value;
    snakepit_err err;
};

static struct looking *of_work(struct sp_offload_work *work)
{
    return SP_ENTRY(work, struct looking, work);
}

static void look(struct sp_offload_work *work)
{
    struct looking *looking = of_work(work);
    looking->err = sp_api_inspect_pool(looking->pit, looking->pool, looking->value);
}

static void looked(struct sp_offload_work *work)
{
    struct looking *looking = of_work(work);
    struct sp_exchange *exchange = looking->exchange;
    if (exchange != NULL) {
        exchange->listener = NULL;
    }
    if (exchange != NULL && looking->err == SNAKEPIT_OK) {
        sp_api_reply_value(exchange, looking->value);
    } else if (exchange != NULL) {
        sp_api_fail(exchange, looking->err, NULL);
    }
    snakepit_writer_free(looking->value);
    sp_free(looking);
}

static void on_gone(void *user)
{
    struct looking *looking = user;
    looking->exchange = NULL;
    sp_offload_give_up(&looking->work);
}

static void begin(struct sp_exchange *exchange, snakepit *pit, const char *pool)
{
    static const struct sp_exchange_listener listener = {.gone = on_gone};
    struct looking *looking = sp_alloc(sizeof *looking);
    snakepit_writer *value = snakepit_writer_new();
    if (looking == NULL || value == NULL) {
        sp_free(looking);
        snakepit_writer_free(value);
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    *looking = (struct looking){.work = {.run = look, .done = looked},
                                .exchange = exchange,
                                .pit = pit,
                                .pool = pool,
                                .value = value,
                                .err = SNAKEPIT_SHUTTING_DOWN}; // if it never runs
    exchange->user = looking;
    exchange->listener = &listener;
    sp_offload_do(exchange->loop, &looking->work);
}

void sp_api_inspection(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    const char *pool = sp_api_pool_name(params->of[0]);
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_message why = {{0}};
    if (snakepit_pool_get_stats(pit, pool, &stats) == SNAKEPIT_OK) {
        begin(exchange, pit, stats.name);
    } else {
        snakepit_err err = sp_refuse_pool(pit, pool, &why);
        sp_api_fail(exchange, err, why.text);
    }
}
