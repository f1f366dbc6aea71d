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

void sp_api_inspection(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_message why = {{0}};
    snakepit *pit = sp_api_of(exchange)->pit;
    const char *pool = sp_api_pool_name(params->of[0]);
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err = sp_api_inspect_pool(pit, pool, writer);
    if (err == SNAKEPIT_UNKNOWN_POOL) {
        (void)sp_refuse_pool(pit, pool, &why);
    }
    if (err == SNAKEPIT_OK) {
        sp_api_reply_value(exchange, writer);
    } else {
        sp_api_fail(exchange, err, why.text[0] != '\0' ? why.text : NULL);
    }
    snakepit_writer_free(writer);
}
