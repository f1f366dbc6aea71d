// SPDX-License-Identifier: MIT
// What is to be said of the memory of a pool's workers.
#include <inttypes.h>

#include "pit/saying.h"

#define MINUTE_MS UINT64_C(60000)

// What it had when it was warm, twice.
static void say_growth(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const struct sp_grown *grown = &facts->grown;
    const uint64_t mib = SP_MIB(grown->to - grown->from);
    const bool has_tool = facts->grown_tool[0] != '\0';
    struct sp_verdict *found = sp_verdict_find(
        verdicts, SP_VERDICT_MEMORY_GROWS, SP_VERDICT_WARNING, "worker_max_memory");
    SP_SAY(found->what,
           "worker %" PRIu64 " has grown by %" PRIu64 " MiB in %" PRIu64 " s, %" PRIu64
           " MiB a minute, to %" PRIu64 " MiB%s%s%s; %" PRIu32 " of %" PRIu32
           " workers grow",
           grown->worker,
           mib,
           grown->over_ms / 1000,
           grown->over_ms == 0 ? 0 : mib * MINUTE_MS / grown->over_ms,
           SP_MIB(grown->to),
           has_tool ? ", and runs " : "",
           facts->grown_tool,
           has_tool ? " now" : "",
           grown->workers,
           facts->stats.processes);
    SP_SAY(found->value, "%" PRIu64 "MiB", SP_MIB(grown->from * 2));
    SP_SAY(
        found->remedy,
        "a tool keeps what it makes; with a limit a worker above it is replaced, and "
        "its calls are not lost");
}

void sp_judge_memory(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    if (facts->memory > 0 &&
        stats->total_memory / SP_NEAR_PERCENT > facts->memory / SP_PERCENT) {
        struct sp_verdict *found = sp_verdict_find(
            verdicts, SP_VERDICT_MEMORY_MACHINE, SP_VERDICT_WARNING, "pool_size");
        const uint64_t each = stats->memory_per_process;
        SP_SAY(found->what,
               "its workers have %" PRIu64 " MiB of the %" PRIu64 " MiB there are",
               SP_MIB(stats->total_memory),
               SP_MIB(facts->memory));
        SP_SAY(found->value,
               "%" PRIu32,
               sp_at_least_one(each == 0 ? 1 : facts->memory / 2 / each));
        SP_SAY(
            found->remedy,
            "threads share what processes have each: worker_profile: thread, where the "
            "adapter allows it");
    }
    if (facts->recycled_for_memory > stats->workers &&
        facts->last.recycled_for_memory > 0) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_MEMORY_GROWS, SP_VERDICT_WARNING, "");
        SP_SAY(found->what,
               "%" PRIu64 " workers were replaced since they had grown above "
               "worker_max_memory, %" PRIu64 " MiB, %" PRIu64 " of them in the last %s",
               facts->recycled_for_memory,
               SP_MIB(facts->worker_max_memory),
               facts->last.recycled_for_memory,
               sp_verdict_span_of(facts).text);
        SP_SAY(
            found->remedy,
            "a tool keeps what it makes: `snakepit workers` shows how fast they grow, "
            "`snakepit top` which tools run");
    } else if (facts->worker_max_memory == 0 && facts->grown.worker != 0) {
        say_growth(facts, verdicts);
    } else if (facts->worker_max_memory > 0 &&
               facts->largest / SP_NEAR_PERCENT >
                   facts->worker_max_memory / SP_PERCENT) {
        struct sp_verdict *found = sp_verdict_find(
            verdicts, SP_VERDICT_MEMORY_LIMIT, SP_VERDICT_NOTE, "worker_max_memory");
        SP_SAY(found->what,
               "a worker has %" PRIu64 " MiB, and is replaced above %" PRIu64
               " MiB; %" PRIu64 " were recycled so far",
               SP_MIB(facts->largest),
               SP_MIB(facts->worker_max_memory),
               stats->worker_recycles);
        SP_SAY(found->value,
               "%" PRIu64 "MiB",
               SP_MIB(facts->worker_max_memory + facts->worker_max_memory / 2));
        SP_SAY(found->remedy, "or find what grows, if it should not");
    }
}
