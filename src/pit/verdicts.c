// SPDX-License-Identifier: MIT
#include "pit/verdicts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define PERCENT       UINT64_C(100)
#define BUSY_PERCENT  80u
#define IDLE_PERCENT  10u
#define CALLS_ENOUGH  100u // to say something of how they are
#define LIVED_MS      UINT64_C(60000)
#define NEAR_PERCENT  80u
#define LINE_NS       (10 * SP_NS_PER_MS) // a wait that nobody notices
#define OWN_THREADS   4u                  // that a worker has beside its executors
#define MIB(bytes)    ((bytes) >> 20)
#define DEATHS_A_CALL 100u // one death in so many calls is too many

const char *sp_verdict_code_name(enum sp_verdict_code code)
{
    static const char *const names[] = {
#define SP_VERDICT(id, code) code,
#include "pit/verdicts.def"
#undef SP_VERDICT
    };
    return names[code];
}

const char *sp_verdict_severity_name(enum sp_verdict_severity severity)
{
    static const char *const names[] = {"note", "warning", "error"};
    return names[severity];
}

static uint32_t at_least_one(uint64_t number)
{
    return number == 0 ? 1 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

uint32_t sp_pool_facts_busy(const struct sp_pool_facts *facts)
{
    if (facts->lived_ms == 0) {
        return 0;
    }
    const uint64_t busy = facts->ran_ns / SP_NS_PER_MS * PERCENT / facts->lived_ms;
    return busy > PERCENT ? (uint32_t)PERCENT : (uint32_t)busy;
}

// ---- Saying it ------------------------------------------------------------------

static struct sp_verdict *find(struct sp_verdicts *verdicts,
                               enum sp_verdict_code code,
                               enum sp_verdict_severity severity,
                               const char *key)
{
    struct sp_verdict *verdict = &verdicts->items[verdicts->count++];
    *verdict = (struct sp_verdict){.code = code, .severity = severity, .key = key};
    return verdict;
}

#define SAY(room, ...) (void)snprintf((room), sizeof(room), __VA_ARGS__)

static void suggest_size(const struct sp_pool_facts *facts,
                         uint64_t size,
                         struct sp_verdict *verdict)
{
    SAY(verdict->value, "%" PRIu32, at_least_one(size));
    if (size > facts->cores) {
        SAY(verdict->remedy,
            "more workers help where tools wait; those that compute need more than the "
            "%" PRIu32 " cores there are",
            facts->cores);
    }
}

// ---- Workers and their calls ----------------------------------------------------

static void judge_workers(const struct sp_pool_facts *facts,
                          struct sp_verdicts *verdicts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    const bool missing = stats->workers_ready < stats->workers;
    if (missing && stats->worker_start_failures > 0) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_CRASH_LOOP, SP_VERDICT_ERROR, "");
        SAY(found->what,
            "%" PRIu64 " starts of workers have failed, and %" PRIu32 " of %" PRIu32
            " workers serve%s%.120s",
            stats->worker_start_failures,
            stats->workers_ready,
            stats->workers,
            facts->reason[0] != '\0' ? ": " : "",
            facts->reason);
        SAY(found->remedy,
            "worker.start_failed in the log says why; once that is mended, "
            "`snakepit retry %.64s`",
            stats->name);
    } else if (stats->workers_ready == 0) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_NOT_SERVING, SP_VERDICT_ERROR, "");
        SAY(found->what, "the pool is %s: no worker serves", stats->state);
        SAY(found->remedy, "see docs/operating.md, what a state means");
    }
    if (stats->worker_deaths > 0 &&
        stats->worker_deaths * DEATHS_A_CALL >= stats->calls) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_DEATHS, SP_VERDICT_WARNING, "");
        SAY(found->what,
            "%" PRIu64 " workers have died in %" PRIu64 " calls",
            stats->worker_deaths,
            stats->calls);
        SAY(found->remedy,
            "worker.exit and worker.crash in the log say of what; the faults of their "
            "calls have the stack");
    }
}

static void judge_calls(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    if (facts->stuck > 0) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_STUCK, SP_VERDICT_WARNING, "on_stuck");
        SAY(found->what,
            "%" PRIu32 " call%s did not end when %s cancelled",
            facts->stuck,
            facts->stuck == 1 ? "" : "s",
            facts->stuck == 1 ? "it was" : "they were");
        SAY(found->remedy,
            "`snakepit stacks %.64s` shows where; tools that run long should look at "
            "current_call().cancelled",
            facts->stats.name);
    }
    if (facts->stats.breakers_open > 0) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_BREAKER, SP_VERDICT_WARNING, "breaker");
        SAY(found->what,
            "%" PRIu64 " breaker%s not closed, of tool %.64s%s: %" PRIu64
            " calls were refused",
            facts->stats.breakers_open,
            facts->stats.breakers_open == 1 ? " is" : "s are",
            facts->breaker,
            facts->stats.breakers_open == 1 ? "" : " and others",
            facts->stats.breaker_refused);
        SAY(found->remedy, "mend what the tool fails at; it closes by itself then");
    }
}

// ---- The line ---------------------------------------------------------------------

static void judge_line(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    const uint64_t limit = facts->ran_p50 > LINE_NS ? facts->ran_p50 : LINE_NS;
    if (stats->saturated > 0) {
        const bool busy = sp_pool_facts_busy(facts) >= BUSY_PERCENT / 2;
        struct sp_verdict *found = find(verdicts,
                                        SP_VERDICT_LINE_FULL,
                                        SP_VERDICT_ERROR,
                                        busy ? "pool_size" : "max_queue");
        SAY(found->what,
            "%" PRIu64 " calls were refused: the line of %" PRIu32 " was full",
            stats->saturated,
            facts->max_queue);
        if (busy) {
            suggest_size(facts, (uint64_t)stats->workers * 2, found);
        } else {
            SAY(found->value, "%" PRIu64, (uint64_t)facts->max_queue * 2 + 1);
            SAY(found->remedy, "its workers are not busy: calls come in bursts");
        }
    } else if (facts->lines >= CALLS_ENOUGH && facts->line_p99 > limit) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_LINE_LONG, SP_VERDICT_WARNING, "pool_size");
        SAY(found->what,
            "one call in a hundred waits %" PRIu64
            " ms or longer for a worker; half of "
            "them run no longer than %" PRIu64 ".%02" PRIu64 " ms",
            facts->line_p99 / SP_NS_PER_MS,
            facts->ran_p50 / SP_NS_PER_MS,
            facts->ran_p50 % SP_NS_PER_MS / 10000);
        suggest_size(facts, stats->workers + (stats->workers + 1) / 2, found);
    }
}

// ---- Memory -----------------------------------------------------------------------

static void judge_memory(const struct sp_pool_facts *facts,
                         struct sp_verdicts *verdicts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    if (facts->memory > 0 &&
        stats->total_memory / NEAR_PERCENT > facts->memory / PERCENT) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_MEMORY_MACHINE, SP_VERDICT_WARNING, "pool_size");
        const uint64_t each = stats->memory_per_process;
        SAY(found->what,
            "its workers have %" PRIu64 " MiB of the %" PRIu64 " MiB there are",
            MIB(stats->total_memory),
            MIB(facts->memory));
        SAY(found->value,
            "%" PRIu32,
            at_least_one(each == 0 ? 1 : facts->memory / 2 / each));
        SAY(found->remedy,
            "threads share what processes have each: worker_profile: thread, where the "
            "adapter allows it");
    }
    if (facts->recycled_for_memory > stats->workers) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_MEMORY_GROWS, SP_VERDICT_WARNING, "");
        SAY(found->what,
            "%" PRIu64 " workers were replaced since they had grown above "
            "worker_max_memory, %" PRIu64 " MiB",
            facts->recycled_for_memory,
            MIB(facts->worker_max_memory));
        SAY(found->remedy,
            "a tool keeps what it makes: `snakepit workers` shows how fast they grow, "
            "`snakepit top` which tools run");
    } else if (facts->worker_max_memory > 0 &&
               facts->largest / NEAR_PERCENT > facts->worker_max_memory / PERCENT) {
        struct sp_verdict *found = find(
            verdicts, SP_VERDICT_MEMORY_LIMIT, SP_VERDICT_NOTE, "worker_max_memory");
        SAY(found->what,
            "a worker has %" PRIu64 " MiB, and is replaced above %" PRIu64
            " MiB; %" PRIu64 " were recycled so far",
            MIB(facts->largest),
            MIB(facts->worker_max_memory),
            stats->worker_recycles);
        SAY(found->value,
            "%" PRIu64 "MiB",
            MIB(facts->worker_max_memory + facts->worker_max_memory / 2));
        SAY(found->remedy, "or find what grows, if it should not");
    }
}

// ---- Shape ------------------------------------------------------------------------

static void judge_threads(const struct sp_pool_facts *facts,
                          struct sp_verdicts *verdicts)
{
    const uint64_t calls = facts->stats.capacity;
    const uint32_t executors = facts->stats.threads_per_worker;
    const bool has_library = facts->threads > executors + OWN_THREADS;
    if (!has_library || facts->library_threads <= 1 || calls == 0 ||
        calls * facts->library_threads <= facts->cores) {
        return;
    }
    struct sp_verdict *found =
        find(verdicts, SP_VERDICT_OVERSUBSCRIBED, SP_VERDICT_WARNING, "adapter_env");
    SAY(found->what,
        "%" PRIu64 " calls at once x %" PRIu32 " threads of a library are %" PRIu64
        " threads that compute, on %" PRIu32 " cores; a worker has %" PRIu32,
        calls,
        facts->library_threads,
        calls * facts->library_threads,
        facts->cores,
        facts->threads);
    SAY(found->value,
        "{OMP_NUM_THREADS: \"%" PRIu32 "\", OPENBLAS_NUM_THREADS: \"%" PRIu32 "\"}",
        at_least_one(facts->cores / calls),
        at_least_one(facts->cores / calls));
}

static void judge_profile(const struct sp_pool_facts *facts,
                          struct sp_verdicts *verdicts)
{
    const bool threads = strcmp(facts->stats.profile, "process") != 0;
    if (facts->wants_threads && !threads) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_FELL_BACK, SP_VERDICT_NOTE, "python");
        SAY(found->what, "it is to run threads, and runs processes instead");
        SAY(found->value, "python3.13t");
        SAY(found->remedy,
            "a free-threaded Python, and an adapter that is thread-safe; `snakepit "
            "doctor` "
            "says which is missing");
    } else if (facts->takes_turns && facts->stats.threads_per_worker > 1 &&
               sp_pool_facts_busy(facts) >= IDLE_PERCENT) {
        struct sp_verdict *found = find(
            verdicts, SP_VERDICT_TAKES_TURNS, SP_VERDICT_WARNING, "worker_profile");
        SAY(found->what, "its threads run Python in turns, under the GIL");
        SAY(found->value, "process");
        SAY(found->remedy, "or `python:` a free-threaded one");
    }
}

static void judge_template(const struct sp_pool_facts *facts,
                           struct sp_verdicts *verdicts)
{
    const bool processes = strcmp(facts->stats.profile, "process") == 0;
    if (!processes || facts->stats.processes < 2 || facts->forked > 0) {
        return;
    }
    struct sp_verdict *found =
        find(verdicts, SP_VERDICT_TEMPLATE, SP_VERDICT_NOTE, "template");
    SAY(found->what,
        "none of %" PRIu32 " workers was forked by a template, so they share no memory "
        "and each start imports everything",
        facts->stats.processes);
    if (facts->template_is_off) {
        SAY(found->value, "auto");
    }
    SAY(found->remedy,
        "%s",
        facts->template_is_off ? "" : "template.unused in the log says why");
}

static void judge_use(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const uint32_t busy = sp_pool_facts_busy(facts);
    const uint32_t workers = facts->stats.workers;
    if (facts->runs < CALLS_ENOUGH || facts->lived_ms < LIVED_MS) {
        return;
    }
    if (busy >= BUSY_PERCENT) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_BUSY, SP_VERDICT_NOTE, "pool_size");
        SAY(found->what,
            "its executors were busy for %" PRIu32 " %% of the time",
            busy);
        suggest_size(facts, workers + (workers + 1) / 2, found);
    } else if (busy < IDLE_PERCENT && workers > 1) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_IDLE, SP_VERDICT_NOTE, "pool_size");
        const uint64_t enough = (uint64_t)workers * (busy + 1) * 2 / PERCENT + 1;
        SAY(found->what,
            "its executors were busy for %" PRIu32 " %% of the time",
            busy);
        SAY(found->value,
            "{min: %" PRIu32 ", max: %" PRIu32 "}",
            at_least_one(enough < workers ? enough : workers - 1),
            workers);
        SAY(found->remedy, "a range follows the work");
    }
}

// ---- All of it --------------------------------------------------------------------

static void sort(struct sp_verdicts *verdicts)
{
    for (uint32_t i = 1; i < verdicts->count; i++) {
        for (uint32_t j = i;
             j > 0 && verdicts->items[j].severity > verdicts->items[j - 1].severity;
             j--) {
            const struct sp_verdict other = verdicts->items[j - 1];
            verdicts->items[j - 1] = verdicts->items[j];
            verdicts->items[j] = other;
        }
    }
}

void sp_verdicts_judge(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    verdicts->count = 0;
    judge_workers(facts, verdicts);
    judge_calls(facts, verdicts);
    judge_line(facts, verdicts);
    judge_memory(facts, verdicts);
    judge_threads(facts, verdicts);
    judge_profile(facts, verdicts);
    judge_template(facts, verdicts);
    judge_use(facts, verdicts);
    sort(verdicts);
}
