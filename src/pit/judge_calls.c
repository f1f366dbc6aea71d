// SPDX-License-Identifier: MIT
// What is to be said of a pool's workers and their calls.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pit/saying.h"

#define DEATHS_A_CALL 100u // one death in so many calls is too many
#define FAILED_A_CALL 20u  // and one that its tool fails
#define REASON_MOST   400u
#define DEADLINE_MS   30000u          // as `call_timeout_ms` is unless it is set
#define LONG_MS       UINT64_C(10000) // however short the others are
#define LONG_TIMES    10u             // as long as half of them run

// Without what the verdict says itself, nor the traceback, which ends with the same
// again; on one line, and cut between two words where it is long.
static void say_reason(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    static const char told[] = "no worker could be started: ";
    const char *at = strstr(facts->reason, told);
    const char *reason = at == NULL ? facts->reason : at + sizeof told - 1;
    const char *traceback = strstr(reason, "\nTraceback (most recent call last)");
    const size_t used = strlen(found->what);
    size_t size = traceback != NULL && traceback > reason ? (size_t)(traceback - reason)
                                                          : strlen(reason);
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
        sp_text_clean(found->what, strlen(found->what), SP_TEXT_LINE);
    }
}

void sp_judge_workers(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const snakepit_pool_stats *stats = &facts->stats;
    const struct sp_pool_measured *last = &facts->last;
    const bool missing = stats->workers_ready < stats->workers;
    const bool fails = last->failed_starts > 0 || facts->reason[0] != '\0';
    if (missing && stats->worker_start_failures > 0 && fails) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_CRASH_LOOP, SP_VERDICT_ERROR, "");
        SP_SAY(found->what,
               "%" PRIu64 " starts of workers have failed, and %" PRIu32 " of %" PRIu32
               " workers serve",
               stats->worker_start_failures,
               stats->workers_ready,
               stats->workers);
        say_reason(facts, found);
        SP_SAY(found->remedy,
               "worker.start_failed in the log says why; once that is mended, "
               "`snakepit retry %.64s`",
               stats->name);
    } else if (stats->workers_ready == 0) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_NOT_SERVING, SP_VERDICT_ERROR, "");
        SP_SAY(found->what, "the pool is %s: no worker serves", stats->state);
        SP_SAY(found->remedy, "see docs/operating.md, what a state means");
    }
    if (last->deaths > 0 && last->deaths * DEATHS_A_CALL >= last->calls) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_DEATHS, SP_VERDICT_WARNING, "");
        SP_SAY(found->what,
               "in the last %s %" PRIu64 " workers have died, in %" PRIu64
               " calls%s%s%s%s",
               sp_verdict_span_of(facts).text,
               last->deaths,
               last->calls,
               facts->dies.name[0] != '\0' ? "; most of them ran " : "",
               facts->dies.name,
               facts->cause[0] != '\0' ? "; the last one: " : "",
               facts->cause);
        SP_SAY(
            found->remedy,
            "worker.exit and worker.crash in the log say of what; the faults of their "
            "calls have the stack");
    }
}

// ---- Calls that do not end ------------------------------------------------------

// Whether these calls hold all executors while others wait for one.
static bool hold_all(const struct sp_pool_facts *facts)
{
    return facts->held >= facts->stats.capacity && facts->stats.waiting > 0;
}

static void say_killed(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    SP_SAY(found->what,
           "in the last %s %" PRIu64
           " call%s did not end when given up, but with the worker%s%s",
           sp_verdict_span_of(facts).text,
           facts->last.killed,
           facts->last.killed == 1 ? "" : "s",
           facts->late.name[0] != '\0' ? "; most that ran out of time ran " : "",
           facts->late.name);
    SP_SAY(found->remedy,
           "worker.stuck in the log and `late_stack` in the faults say where; tools "
           "that run long should look at current_call().cancelled");
}

static void say_stuck(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    const struct sp_call_now *first = &facts->given_up;
    const bool one = facts->stuck == 1;
    const size_t used = (size_t)snprintf(found->what,
                                         sizeof found->what,
                                         "%" PRIu32 " call%s did not end when %s "
                                         "cancelled",
                                         facts->stuck,
                                         one ? "" : "s",
                                         one ? "it was" : "they were");
    if (first->worker != 0) {
        (void)snprintf(found->what + used,
                       sizeof found->what - used,
                       "%s%s runs on in worker %" PRIu64 " since %" PRIu64 " s",
                       one ? ": " : "; the first one: ",
                       first->tool[0] != '\0' ? first->tool : "its tool",
                       first->worker,
                       first->ms / 1000);
        SP_SAY(found->remedy,
               "`snakepit stacks %" PRIu64 "` shows where; tools that run long should "
               "look at current_call().cancelled",
               first->worker);
    } else {
        SP_SAY(found->remedy,
               "`snakepit stacks %.64s` shows where; tools that run long should look "
               "at current_call().cancelled",
               facts->stats.name);
    }
}

// Those that are stuck now can be looked at; of those that were there is what was told.
static void judge_stuck(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    if (facts->stuck == 0 && facts->last.killed == 0) {
        return;
    }
    struct sp_verdict *found = sp_verdict_find(
        verdicts,
        SP_VERDICT_STUCK,
        facts->stuck > 0 && facts->stuck >= facts->stats.capacity && hold_all(facts)
            ? SP_VERDICT_ERROR
            : SP_VERDICT_WARNING,
        "on_stuck");
    if (facts->stuck == 0) {
        say_killed(facts, found);
    } else {
        say_stuck(facts, found);
    }
}

// How long is long in this pool, in milliseconds.
static uint64_t long_ms(const struct sp_pool_measured *last)
{
    uint64_t ms = LONG_MS;
    if (last->runs > 0) {
        const uint64_t half = last->ran_p50_ns / SP_NS_PER_MS * LONG_TIMES;
        ms = half > ms ? half : ms;
    }
    return ms;
}

static void say_long(const struct sp_pool_facts *facts, struct sp_verdict *found)
{
    const struct sp_call_now *oldest = &facts->oldest;
    size_t used = (size_t)snprintf(found->what,
                                   sizeof found->what,
                                   "%s has run for %" PRIu64 " s in worker %" PRIu64,
                                   oldest->tool[0] != '\0' ? oldest->tool : "a tool",
                                   oldest->ms / 1000,
                                   oldest->worker);
    if (facts->last.runs > 0) {
        used += (size_t)snprintf(found->what + used,
                                 sizeof found->what - used,
                                 "; half of the calls run no longer than %" PRIu64
                                 ".%02" PRIu64 " ms",
                                 facts->last.ran_p50_ns / SP_NS_PER_MS,
                                 facts->last.ran_p50_ns % SP_NS_PER_MS / 10000);
    }
    if (found->severity == SP_VERDICT_ERROR) {
        (void)snprintf(found->what + used,
                       sizeof found->what - used,
                       "; such calls hold all that can run at once, and %" PRIu32
                       " wait",
                       facts->stats.waiting);
    }
    SP_SAY(found->remedy,
           "`snakepit stacks %" PRIu64 "` shows where it is%s",
           oldest->worker,
           oldest->has_time ? "; its deadline ends it"
                            : "; a call without a deadline may never end");
}

static void judge_long(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const struct sp_call_now *oldest = &facts->oldest;
    const uint64_t limit_ms = long_ms(&facts->last);
    if (oldest->ms < limit_ms) {
        return;
    }
    const bool all = hold_all(facts) && facts->youngest_ms >= limit_ms;
    struct sp_verdict *found =
        sp_verdict_find(verdicts,
                        SP_VERDICT_LONG,
                        all ? SP_VERDICT_ERROR : SP_VERDICT_WARNING,
                        oldest->has_time ? "" : "call_timeout_ms");
    if (!oldest->has_time) {
        SP_SAY(found->value, "%u", DEADLINE_MS);
    }
    say_long(facts, found);
}

// ---- How calls end --------------------------------------------------------------

static void judge_ends(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    const struct sp_pool_measured *last = &facts->last;
    if (sp_is_often(last->late, last->calls, SP_LATE_A_CALL)) {
        struct sp_verdict *found = sp_verdict_find(
            verdicts, SP_VERDICT_LATE, SP_VERDICT_WARNING, "call_timeout_ms");
        SP_SAY(found->what,
               "in the last %s %" PRIu64 " of %" PRIu64 " calls ran out of time while "
               "their tools ran%s%s",
               sp_verdict_span_of(facts).text,
               last->late,
               last->calls,
               facts->late.name[0] != '\0' ? ", most of them in " : "",
               facts->late.name);
        SP_SAY(found->remedy,
               "`snakepit stacks %.64s` shows where a tool is, and `late_stack` in a "
               "fault "
               "where it was; more time helps those that only take long",
               facts->stats.name);
    }
    if (sp_is_often(last->failed, last->calls, FAILED_A_CALL)) {
        struct sp_verdict *found =
            sp_verdict_find(verdicts, SP_VERDICT_FAIL, SP_VERDICT_WARNING, "");
        SP_SAY(found->what,
               "in the last %s %" PRIu64 " of %" PRIu64 " calls failed%s%s%s%s",
               sp_verdict_span_of(facts).text,
               last->failed,
               last->calls,
               facts->fails.name[0] != '\0' ? ", most of them in " : "",
               facts->fails.name,
               facts->fails.error[0] != '\0' ? "; the last one: " : "",
               facts->fails.error);
        SP_SAY(found->remedy, "`snakepit calls --failed` has the last ones");
    }
}

void sp_judge_calls(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts)
{
    judge_stuck(facts, verdicts);
    judge_long(facts, verdicts);
    judge_ends(facts, verdicts);
    if (facts->stats.breakers_open > 0) {
        struct sp_verdict *found = sp_verdict_find(
            verdicts, SP_VERDICT_BREAKER, SP_VERDICT_WARNING, "breaker");
        SP_SAY(found->what,
               "%" PRIu64 " breaker%s not closed, of tool %.64s%s: %" PRIu64
               " calls were refused",
               facts->stats.breakers_open,
               facts->stats.breakers_open == 1 ? " is" : "s are",
               facts->breaker,
               facts->stats.breakers_open == 1 ? "" : " and others",
               facts->stats.breaker_refused);
        SP_SAY(found->remedy, "mend what the tool fails at; it closes by itself then");
    }
}
