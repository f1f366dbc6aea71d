// SPDX-License-Identifier: MIT
#include "pit/verdicts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pit/saying.h"

#define BUSY_PERCENT  80u
#define IDLE_PERCENT  10u
#define CALLS_ENOUGH  100u // to say something of how they are
#define LIVED_MS      UINT64_C(60000)
#define LINE_NS       (10 * SP_NS_PER_MS) // a wait that nobody notices
#define OWN_THREADS   4u                  // that a worker has beside its executors
#define TURNS_PERCENT 50u                 // of a core that a worker takes

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

uint32_t sp_pool_facts_busy(const struct sp_pool_facts *facts)
{
    const struct sp_pool_measured *last = &facts->last;
    if (last->lived_ms == 0) {
        return 0;
    }
    const uint64_t busy = last->ran_ms * SP_PERCENT / last->lived_ms;
    return busy > SP_PERCENT ? (uint32_t)SP_PERCENT : (uint32_t)busy;
}

static void suggest_size(const struct sp_pool_facts *facts,
                         uint64_t size,
                         struct sp_verdict *verdict)
{
    SP_SAY(verdict->value, "%" PRIu32, sp_at_least_one(size));
    if (size > facts->cores) {
        SP_SAY(
            verdict->remedy,
            "more workers help where tools wait; those that compute need more than the "
            "%" PRIu32 " cores there are",
            facts->cores);
    }
}

// ---- The line ---------------------------------------------------------------------

static bool has_error(const struct sp_verdicts *verdicts, enum sp_verdict_code code)
{
    for (uint32_t i = 0; i < verdicts->count; i++) {
        if (verdicts->items[i].code == code) {
            return verdicts->items[i].severity == SP_VERDICT_ERROR;
        }
    }
    return false;
}

// Where more workers do not help, or not first: what does. NULL: they do.
static const char *instead_of_workers(const struct sp_verdicts *verdicts)
{
    if (sp_verdict_has(verdicts, SP_VERDICT_CRASH_LOOP) ||
        sp_verdict_has(verdicts, SP_VERDICT_NOT_SERVING)) {
        return "workers are missing: that comes first";
    }
    if (has_error(verdicts, SP_VERDICT_LONG) || has_error(verdicts, SP_VERDICT_STUCK)) {
        return "tools that do not end hold its workers: that comes first";
    }
    if (sp_verdict_has(verdicts, SP_VERDICT_OVERSUBSCRIBED)) {
        return "more threads compute than there are cores: that comes first";
    }
    if (sp_verdict_has(verdicts, SP_VERDICT_LATE)) {
        return "its workers run what runs out of time: that comes first";
    }
    if (sp_verdict_has(verdicts, SP_VERDICT_DEATHS)) {
        return "workers die, and are missing until others have started: that comes "
               "first";
    }
    return sp_verdict_has(verdicts, SP_VERDICT_MEMORY_MACHINE)
               ? "there is no memory for more workers"
               : NULL;
}

static void judge_full_line(const struct sp_pool_facts *facts,
                            struct sp_verdicts *verdicts)
{
    const bool busy = sp_pool_facts_busy(facts) >= BUSY_PERCENT / 2;
    const char *instead = instead_of_workers(verdicts);
    const char *key = busy ? "pool_size" : "max_queue";
    struct sp_verdict *found = sp_verdict_find(
        verdicts, SP_VERDICT_LINE_FULL, SP_VERDICT_ERROR, instead == NULL ? key : "");
    SP_SAY(found->what,
           "in the last %s %" PRIu64 " of %" PRIu64
           " calls were refused: the line of %" PRIu32 " was full",
           sp_verdict_span_of(facts).text,
           facts->last.refused,
           facts->last.calls,
           facts->max_queue);
    if (instead != NULL) {
        SP_SAY(found->remedy, "%s", instead);
    } else if (busy) {
        suggest_size(facts, (uint64_t)facts->stats.workers * 2, found);
    } else {
        SP_SAY(found->value, "%" PRIu64, (uint64_t)facts->max_queue * 2 + 1);
        SP_SAY(found->remedy, "its workers are not busy: calls come in bursts");
    }
}

static void say_long_line(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    const struct sp_pool_measured *last = &facts->last;
    if (sp_is_often(last->left, last->calls, SP_LATE_A_CALL)) {
        SP_SAY(found->what,
               "in the last %s %" PRIu64 " of %" PRIu64
               " calls ran out of time before a worker had them",
               sp_verdict_span_of(facts).text,
               last->left,
               last->calls);
    } else {
        SP_SAY(found->what,
               "in the last %s one call in a hundred waited %" PRIu64
               " ms or longer for a worker; half of them ran no longer than %" PRIu64
               ".%02" PRIu64 " ms",
               sp_verdict_span_of(facts).text,
               last->line_p99_ns / SP_NS_PER_MS,
               last->ran_p50_ns / SP_NS_PER_MS,
               last->ran_p50_ns % SP_NS_PER_MS / 10000);
    }
}

static void judge_long_line(const struct sp_pool_facts *facts,
                            struct sp_verdicts *verdicts)
{
    const uint64_t workers = facts->stats.workers;
    const uint32_t busy = sp_pool_facts_busy(facts);
    const bool idle = busy < BUSY_PERCENT / 2;
    const char *instead = instead_of_workers(verdicts);
    const char *key = instead == NULL && !idle ? "pool_size" : "";
    struct sp_verdict *found =
        sp_verdict_find(verdicts, SP_VERDICT_LINE_LONG, SP_VERDICT_WARNING, key);
    say_long_line(facts, found);
    if (instead != NULL) {
        SP_SAY(found->remedy, "%s", instead);
    } else if (idle) {
        SP_SAY(found->remedy,
               "its executors were busy for %" PRIu32
               " %% only: calls come in bursts, or "
               "wait for a worker of their own",
               busy);
    } else {
        suggest_size(facts, workers + (workers + 1) / 2, found);
    }
}

static void judge_line(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const struct sp_pool_measured *last = &facts->last;
    const uint64_t limit = last->ran_p50_ns > LINE_NS ? last->ran_p50_ns : LINE_NS;
    if (last->refused > 0) {
        judge_full_line(facts, verdicts);
    } else if ((last->lines >= CALLS_ENOUGH && last->line_p99_ns > limit) ||
               sp_is_often(last->left, last->calls, SP_LATE_A_CALL)) {
        judge_long_line(facts, verdicts);
    }
}

// ---- Shape ------------------------------------------------------------------------

// Threads that compute at once, as seen; where no library's was seen, as its variables
// allow, if a worker has so many that there must be one.
static uint64_t threads_at_once(const struct sp_pool_facts *facts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    const uint32_t executors = stats->threads_per_worker;
    const uint32_t allowed = facts->library_threads;
    if (facts->computing > 0) {
        return (uint64_t)stats->processes * (executors + facts->computing);
    }
    const bool has_library = facts->threads > executors + OWN_THREADS;
    return has_library && allowed > 1 ? stats->capacity * (uint64_t)allowed : 0;
}

static void judge_threads(const struct sp_pool_facts *facts,
                          struct sp_verdicts *verdicts)
{
    const uint64_t calls = facts->stats.capacity;
    const uint64_t threads = threads_at_once(facts);
    if (calls == 0 || threads <= facts->cores) {
        return;
    }
    const uint32_t share = sp_at_least_one(facts->cores / calls);
    struct sp_verdict *found = sp_verdict_find(
        verdicts, SP_VERDICT_OVERSUBSCRIBED, SP_VERDICT_WARNING, "adapter_env");
    SP_SAY(found->what,
           "%" PRIu64
           " calls at once and the threads of a library such as BLAS are %" PRIu64
           " threads that compute, on %" PRIu32 " cores",
           calls,
           threads,
           facts->cores);
    SP_SAY(found->value,
           "{OMP_NUM_THREADS: \"%" PRIu32 "\", OPENBLAS_NUM_THREADS: \"%" PRIu32 "\"}",
           share,
           share);
    if (facts->library_threads > 0 && facts->library_threads <= share) {
        SP_SAY(found->remedy,
               "the pool allows %" PRIu32
               " a call already, so the adapter raises it or a "
               "library does not heed it: see threadpoolctl",
               facts->library_threads);
    }
}

// How much of a core a worker with threads took. Tools that wait hardly take turns.
static uint64_t turns_percent(const struct sp_pool_facts *facts)
{
    const uint32_t threads = facts->stats.threads_per_worker;
    const uint64_t lived_ms = threads > 1 ? facts->last.lived_ms / threads : 0;
    return lived_ms == 0 ? 0 : facts->last.cpu_ms * SP_PERCENT / lived_ms;
}

static void judge_profile(const struct sp_pool_facts *facts,
                          struct sp_verdicts *verdicts)
{
    const bool threads = strcmp(facts->stats.profile, "process") != 0;
    if (facts->wants_threads && !threads) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_FELL_BACK, SP_VERDICT_NOTE, "python");
        SP_SAY(found->what, "it is to run threads, and runs processes instead");
        SP_SAY(found->value, "python3.13t");
        SP_SAY(found->remedy,
               "a free-threaded Python, and an adapter that is thread-safe; `snakepit "
               "doctor` "
               "says which is missing");
    } else if (facts->takes_turns && turns_percent(facts) >= TURNS_PERCENT) {
        struct sp_verdict *found = sp_verdict_find(
            verdicts, SP_VERDICT_TAKES_TURNS, SP_VERDICT_WARNING, "worker_profile");
        SP_SAY(
            found->what,
            "its threads run Python in turns, under the GIL, and compute for %" PRIu64
            " %% of the time",
            turns_percent(facts));
        SP_SAY(found->value, "process");
        SP_SAY(found->remedy, "or `python:` a free-threaded one");
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
        sp_verdict_find(verdicts, SP_VERDICT_TEMPLATE, SP_VERDICT_NOTE, "template");
    SP_SAY(found->what,
           "none of %" PRIu32
           " workers was forked by a template, so they share no memory "
           "and each start imports everything",
           facts->stats.processes);
    if (facts->template_is_off) {
        SP_SAY(found->value, "auto");
    }
    SP_SAY(found->remedy,
           "%s",
           facts->template_is_off
               ? ""
               : "template.unused in the log says why, with SNAKEPIT_LOG=info");
}

static void judge_use(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const uint32_t busy = sp_pool_facts_busy(facts);
    const uint32_t workers = facts->stats.workers;
    const bool too_few =
        facts->last.runs < CALLS_ENOUGH || facts->last.lived_ms < LIVED_MS;
    const bool told = // of what it comes from, or what helps
        sp_verdict_has(verdicts, SP_VERDICT_LINE_FULL) ||
        sp_verdict_has(verdicts, SP_VERDICT_LINE_LONG) ||
        sp_verdict_has(verdicts, SP_VERDICT_TAKES_TURNS) ||
        instead_of_workers(verdicts) != NULL;
    if (too_few || told) {
        return;
    }
    if (busy >= BUSY_PERCENT) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_BUSY, SP_VERDICT_NOTE, "pool_size");
        SP_SAY(found->what,
               "its executors were busy for %" PRIu32 " %% of the last %s",
               busy,
               sp_verdict_span_of(facts).text);
        suggest_size(facts, workers + (workers + 1) / 2, found);
    } else if (busy < IDLE_PERCENT && workers > 1) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_IDLE, SP_VERDICT_NOTE, "pool_size");
        const uint64_t enough = (uint64_t)workers * (busy + 1) * 2 / SP_PERCENT + 1;
        SP_SAY(found->what,
               "its executors were busy for %" PRIu32 " %% of the last %s",
               busy,
               sp_verdict_span_of(facts).text);
        SP_SAY(found->value,
               "{min: %" PRIu32 ", max: %" PRIu32 "}",
               sp_at_least_one(enough < workers ? enough : workers - 1),
               workers);
        SP_SAY(found->remedy, "a range follows the work");
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
    sp_judge_workers(facts, verdicts);
    sp_judge_calls(facts, verdicts);
    judge_threads(facts, verdicts); // before what more workers are proposed for
    sp_judge_memory(facts, verdicts);
    judge_line(facts, verdicts);
    judge_profile(facts, verdicts);
    judge_template(facts, verdicts);
    judge_use(facts, verdicts);
    sort(verdicts);
}
