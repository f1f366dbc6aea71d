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
#define LATE_A_CALL   100u // likewise one that runs out of time,
#define FAILED_A_CALL 20u  // and one that its tool fails,
#define ENOUGH_BAD    5u   // where they are so many
#define TURNS_PERCENT 50u  // of a core that a worker takes
#define REASON_MOST   400u

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
    const struct sp_pool_measured *last = &facts->last;
    if (last->lived_ms == 0) {
        return 0;
    }
    const uint64_t busy = last->ran_ms * PERCENT / last->lived_ms;
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

static bool has(const struct sp_verdicts *verdicts, enum sp_verdict_code code)
{
    for (uint32_t i = 0; i < verdicts->count; i++) {
        if (verdicts->items[i].code == code) {
            return true;
        }
    }
    return false;
}

static bool is_often(uint64_t bad, uint64_t calls, uint32_t one_in)
{
    return bad >= ENOUGH_BAD && bad * one_in >= calls;
}

// "5 min", or "43 s" of a pit that was opened just now.
struct span {
    char text[24];
};

static struct span span_of(const struct sp_pool_facts *facts)
{
    struct span span;
    const uint64_t seconds = facts->last.over_ms / 1000;
    const bool minutes = seconds >= 120;
    SAY(span.text,
        "%" PRIu64 " %s",
        minutes ? (seconds + 30) / 60 : seconds,
        minutes ? "min" : "s");
    return span;
}

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

// Without what the verdict says itself, and cut between two words where it is long.
static void say_reason(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    static const char told[] = "no worker could be started: ";
    const char *at = strstr(facts->reason, told);
    const char *reason = at == NULL ? facts->reason : at + sizeof told - 1;
    const size_t used = strlen(found->what);
    size_t size = strlen(reason);
    const bool cut = size > REASON_MOST;
    for (size = cut ? REASON_MOST : size; cut && size > 1 && reason[size] != ' ';) {
        size--;
    }
    size = size > 1 || !cut ? size : REASON_MOST; // it is one word
    if (size > 0) {
        (void)snprintf(found->what + used,
                       sizeof found->what - used,
                       ": %.*s%s",
                       (int)size,
                       reason,
                       cut ? " ..." : "");
    }
}

static void judge_workers(const struct sp_pool_facts *facts,
                          struct sp_verdicts *verdicts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    const struct sp_pool_measured *last = &facts->last;
    const bool missing = stats->workers_ready < stats->workers;
    const bool fails = last->failed_starts > 0 || facts->reason[0] != '\0';
    if (missing && stats->worker_start_failures > 0 && fails) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_CRASH_LOOP, SP_VERDICT_ERROR, "");
        SAY(found->what,
            "%" PRIu64 " starts of workers have failed, and %" PRIu32 " of %" PRIu32
            " workers serve",
            stats->worker_start_failures,
            stats->workers_ready,
            stats->workers);
        say_reason(facts, found);
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
    if (last->deaths > 0 && last->deaths * DEATHS_A_CALL >= last->calls) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_DEATHS, SP_VERDICT_WARNING, "");
        SAY(found->what,
            "in the last %s %" PRIu64 " workers have died, in %" PRIu64
            " calls%s%s%s%s",
            span_of(facts).text,
            last->deaths,
            last->calls,
            facts->dies.name[0] != '\0' ? "; most of them ran " : "",
            facts->dies.name,
            facts->cause[0] != '\0' ? "; the last one: " : "",
            facts->cause);
        SAY(found->remedy,
            "worker.exit and worker.crash in the log say of what; the faults of their "
            "calls have the stack");
    }
}

// Those that are stuck now can be looked at; of those that were there is what was told.
static void judge_stuck(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    if (facts->stuck == 0 && facts->last.killed == 0) {
        return;
    }
    struct sp_verdict *found =
        find(verdicts, SP_VERDICT_STUCK, SP_VERDICT_WARNING, "on_stuck");
    if (facts->stuck == 0) {
        SAY(found->what,
            "in the last %s %" PRIu64 " call%s did not end when given up, but with the "
            "worker",
            span_of(facts).text,
            facts->last.killed,
            facts->last.killed == 1 ? "" : "s");
        SAY(found->remedy,
            "worker.stuck in the log and `late_stack` in the faults say where; tools "
            "that run long should look at current_call().cancelled");
    } else {
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
}

static void judge_ends(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const struct sp_pool_measured *last = &facts->last;
    if (is_often(last->late, last->calls, LATE_A_CALL)) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_LATE, SP_VERDICT_WARNING, "call_timeout_ms");
        SAY(found->what,
            "in the last %s %" PRIu64 " of %" PRIu64 " calls ran out of time while "
            "their tools ran%s%s",
            span_of(facts).text,
            last->late,
            last->calls,
            facts->late.name[0] != '\0' ? ", most of them in " : "",
            facts->late.name);
        SAY(found->remedy,
            "`snakepit stacks %.64s` shows where a tool is, and `late_stack` in a "
            "fault "
            "where it was; more time helps those that only take long",
            facts->stats.name);
    }
    if (is_often(last->failed, last->calls, FAILED_A_CALL)) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_FAIL, SP_VERDICT_WARNING, "");
        SAY(found->what,
            "in the last %s %" PRIu64 " of %" PRIu64 " calls failed%s%s%s%s",
            span_of(facts).text,
            last->failed,
            last->calls,
            facts->fails.name[0] != '\0' ? ", most of them in " : "",
            facts->fails.name,
            facts->fails.error[0] != '\0' ? "; the last one: " : "",
            facts->fails.error);
        SAY(found->remedy, "`snakepit calls --failed` has the last ones");
    }
}

static void judge_calls(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    judge_stuck(facts, verdicts);
    judge_ends(facts, verdicts);
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

// Where more workers do not help, or not first: what does. NULL: they do.
static const char *instead_of_workers(const struct sp_verdicts *verdicts)
{
    if (has(verdicts, SP_VERDICT_CRASH_LOOP) || has(verdicts, SP_VERDICT_NOT_SERVING)) {
        return "workers are missing: that comes first";
    }
    if (has(verdicts, SP_VERDICT_LATE)) {
        return "its workers run what runs out of time: that comes first";
    }
    if (has(verdicts, SP_VERDICT_DEATHS)) {
        return "workers die, and are missing until others have started: that comes "
               "first";
    }
    return has(verdicts, SP_VERDICT_MEMORY_MACHINE)
               ? "there is no memory for more workers"
               : NULL;
}

static void judge_full_line(const struct sp_pool_facts *facts,
                            struct sp_verdicts *verdicts)
{
    const bool busy = sp_pool_facts_busy(facts) >= BUSY_PERCENT / 2;
    const char *instead = instead_of_workers(verdicts);
    const char *key = busy ? "pool_size" : "max_queue";
    struct sp_verdict *found = find(
        verdicts, SP_VERDICT_LINE_FULL, SP_VERDICT_ERROR, instead == NULL ? key : "");
    SAY(found->what,
        "in the last %s %" PRIu64 " of %" PRIu64
        " calls were refused: the line of %" PRIu32 " was full",
        span_of(facts).text,
        facts->last.refused,
        facts->last.calls,
        facts->max_queue);
    if (instead != NULL) {
        SAY(found->remedy, "%s", instead);
    } else if (busy) {
        suggest_size(facts, (uint64_t)facts->stats.workers * 2, found);
    } else {
        SAY(found->value, "%" PRIu64, (uint64_t)facts->max_queue * 2 + 1);
        SAY(found->remedy, "its workers are not busy: calls come in bursts");
    }
}

static void say_long_line(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    const struct sp_pool_measured *last = &facts->last;
    if (is_often(last->left, last->calls, LATE_A_CALL)) {
        SAY(found->what,
            "in the last %s %" PRIu64 " of %" PRIu64
            " calls ran out of time before a worker had them",
            span_of(facts).text,
            last->left,
            last->calls);
    } else {
        SAY(found->what,
            "in the last %s one call in a hundred waited %" PRIu64
            " ms or longer for a worker; half of them ran no longer than %" PRIu64
            ".%02" PRIu64 " ms",
            span_of(facts).text,
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
        find(verdicts, SP_VERDICT_LINE_LONG, SP_VERDICT_WARNING, key);
    say_long_line(facts, found);
    if (instead != NULL) {
        SAY(found->remedy, "%s", instead);
    } else if (idle) {
        SAY(found->remedy,
            "its executors were busy for %" PRIu32 " %% only: calls come in bursts, or "
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
               is_often(last->left, last->calls, LATE_A_CALL)) {
        judge_long_line(facts, verdicts);
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
    if (facts->recycled_for_memory > stats->workers &&
        facts->last.recycled_for_memory > 0) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_MEMORY_GROWS, SP_VERDICT_WARNING, "");
        SAY(found->what,
            "%" PRIu64 " workers were replaced since they had grown above "
            "worker_max_memory, %" PRIu64 " MiB, %" PRIu64 " of them in the last %s",
            facts->recycled_for_memory,
            MIB(facts->worker_max_memory),
            facts->last.recycled_for_memory,
            span_of(facts).text);
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
    const uint32_t share = at_least_one(facts->cores / calls);
    struct sp_verdict *found =
        find(verdicts, SP_VERDICT_OVERSUBSCRIBED, SP_VERDICT_WARNING, "adapter_env");
    SAY(found->what,
        "%" PRIu64
        " calls at once and the threads of a library such as BLAS are %" PRIu64
        " threads that compute, on %" PRIu32 " cores",
        calls,
        threads,
        facts->cores);
    SAY(found->value,
        "{OMP_NUM_THREADS: \"%" PRIu32 "\", OPENBLAS_NUM_THREADS: \"%" PRIu32 "\"}",
        share,
        share);
    if (facts->library_threads > 0 && facts->library_threads <= share) {
        SAY(found->remedy,
            "the pool allows %" PRIu32 " a call already, so the adapter raises it or a "
            "library does not heed it: see threadpoolctl",
            facts->library_threads);
    }
}

// How much of a core a worker with threads took. Tools that wait hardly take turns.
static uint64_t turns_percent(const struct sp_pool_facts *facts)
{
    const uint32_t threads = facts->stats.threads_per_worker;
    const uint64_t lived_ms = threads > 1 ? facts->last.lived_ms / threads : 0;
    return lived_ms == 0 ? 0 : facts->last.cpu_ms * PERCENT / lived_ms;
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
    } else if (facts->takes_turns && turns_percent(facts) >= TURNS_PERCENT) {
        struct sp_verdict *found = find(
            verdicts, SP_VERDICT_TAKES_TURNS, SP_VERDICT_WARNING, "worker_profile");
        SAY(found->what,
            "its threads run Python in turns, under the GIL, and compute for %" PRIu64
            " %% of the time",
            turns_percent(facts));
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
    const bool too_few =
        facts->last.runs < CALLS_ENOUGH || facts->last.lived_ms < LIVED_MS;
    const bool told = // of what it comes from, or what helps
        has(verdicts, SP_VERDICT_LINE_FULL) || has(verdicts, SP_VERDICT_LINE_LONG) ||
        has(verdicts, SP_VERDICT_TAKES_TURNS) || instead_of_workers(verdicts) != NULL;
    if (too_few || told) {
        return;
    }
    if (busy >= BUSY_PERCENT) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_BUSY, SP_VERDICT_NOTE, "pool_size");
        SAY(found->what,
            "its executors were busy for %" PRIu32 " %% of the last %s",
            busy,
            span_of(facts).text);
        suggest_size(facts, workers + (workers + 1) / 2, found);
    } else if (busy < IDLE_PERCENT && workers > 1) {
        struct sp_verdict *found =
            find(verdicts, SP_VERDICT_IDLE, SP_VERDICT_NOTE, "pool_size");
        const uint64_t enough = (uint64_t)workers * (busy + 1) * 2 / PERCENT + 1;
        SAY(found->what,
            "its executors were busy for %" PRIu32 " %% of the last %s",
            busy,
            span_of(facts).text);
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
    judge_threads(facts, verdicts); // before what more workers are proposed for
    judge_memory(facts, verdicts);
    judge_line(facts, verdicts);
    judge_profile(facts, verdicts);
    judge_template(facts, verdicts);
    judge_use(facts, verdicts);
    sort(verdicts);
}
