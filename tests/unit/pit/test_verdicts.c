// SPDX-License-Identifier: MIT
// What is said of a pool: a table of facts, each with the verdicts that they lead to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pit/verdicts.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

// A pool of four processes that does well, on eight cores.
static struct sp_pool_facts well(void)
{
    return (struct sp_pool_facts){
        .stats = {.name = "text",
                  .profile = "process",
                  .state = "ready",
                  .workers = 4,
                  .workers_ready = 4,
                  .threads_per_worker = 1,
                  .capacity = 4,
                  .processes = 4,
                  .calls = 1000,
                  .memory_per_process = 100 * MIB,
                  .total_memory = 400 * MIB},
        .reason = "",
        .cores = 8,
        .memory = 16 * GIB,
        .size_most = 4,
        .max_queue = 100,
        .library_threads = 2,
        .largest = 110 * MIB,
        .threads = 4,
        .forked = 4,
        .last = {.over_ms = 300000,
                 .calls = 1000,
                 .lived_ms = 400000,
                 .ran_ms = 160000, // busy for 40 %
                 .runs = 1000,
                 .ran_p50_ns = 160 * SP_NS_PER_MS,
                 .lines = 1000,
                 .line_p99_ns = SP_NS_PER_MS},
        .breaker = "",
        .cause = "",
    };
}

// "error line.full pool_size=8; ..."
static const char *judged(const struct sp_pool_facts *facts)
{
    static char text[2048];
    static struct sp_verdicts verdicts;
    size_t size = 0;
    text[0] = '\0';
    sp_verdicts_judge(facts, &verdicts);
    for (uint32_t i = 0; i < verdicts.count; i++) {
        const struct sp_verdict *found = &verdicts.items[i];
        assert_string_not_equal(found->what, "");
        // There is always something to do.
        assert_true(found->value[0] != '\0' || found->remedy[0] != '\0');
        const int more = snprintf(text + size,
                                  sizeof text - size,
                                  "%s%s %s %s=%s",
                                  i > 0 ? "; " : "",
                                  sp_verdict_severity_name(found->severity),
                                  sp_verdict_code_name(found->code),
                                  found->key,
                                  found->value);
        assert_true(more > 0 && (size_t)more < sizeof text - size);
        size += (size_t)more;
    }
    return text;
}

#define ROW(change, expected)                          \
    do {                                               \
        struct sp_pool_facts facts = well();           \
        change;                                        \
        assert_string_equal(judged(&facts), expected); \
    } while (0)

static void a_pool_that_does_well_is_not_talked_about(void **state)
{
    (void)state;
    ROW((void)0, "");
    ROW(facts.last.runs = 0; facts.last.ran_ms = 0;
        facts.last.lines = 0, ""); // nobody has called it
}

static void workers_that_do_not_start_or_stay_are_told(void **state)
{
    (void)state;
    ROW(facts.stats.workers_ready = 0; facts.stats.worker_start_failures = 3;
        facts.reason = "no module named shop", "error workers.crash_loop =");
    ROW(facts.stats.workers_ready = 0;
        facts.stats.state = "down", "error workers.none =");
    ROW(facts.stats.worker_start_failures = 3, ""); // it has got over it
    ROW(facts.stats.worker_start_failures = 3; facts.stats.workers_ready = 3, "");
    ROW(facts.stats.worker_start_failures = 3; facts.stats.workers_ready = 3;
        facts.last.failed_starts = 1, "error workers.crash_loop =");
    ROW(facts.last.deaths = 10, "warning workers.die =");
    ROW(facts.last.deaths = 9, "");
}

static void calls_that_suffer_are_told(void **state)
{
    (void)state;
    ROW(facts.stuck = 1, "warning calls.stuck on_stuck=");
    ROW(facts.last.killed = 1, "warning calls.stuck on_stuck="); // it is no more
    ROW(facts.last.late = 10, "warning calls.time_out call_timeout_ms=");
    ROW(facts.last.late = 9, "");
    ROW(facts.last.late = 4; facts.last.calls = 4, ""); // that may be chance
    ROW(facts.last.failed = 50, "warning calls.fail =");
    ROW(facts.last.failed = 49, "");
    ROW(facts.last.failed = 4; facts.last.calls = 4, "");
    ROW(facts.stats.breakers_open = 2;
        facts.breaker = "order", "warning breaker.open breaker=");
}

// A tool that has run in worker 12 for so long.
static struct sp_call_now runs_for(uint64_t seconds)
{
    return (struct sp_call_now){
        .tool = "spin", .worker = 12, .ms = seconds * 1000, .has_time = true};
}

static void a_call_that_runs_far_longer_than_others_is_told(void **state)
{
    (void)state;
    ROW(facts.oldest = runs_for(13), "warning calls.long =");
    ROW(facts.oldest = runs_for(13);
        facts.oldest.has_time = false, "warning calls.long call_timeout_ms=30000");
    ROW(facts.oldest = runs_for(9), "");
    ROW(facts.oldest = runs_for(13); facts.last.runs = 0;
        facts.last.ran_ms = 0, "warning calls.long ="); // nothing else is known
    ROW(facts.oldest = runs_for(13);
        facts.last.ran_p50_ns = 2000 * SP_NS_PER_MS, ""); // they take long here
    ROW(facts.oldest = runs_for(20);
        facts.last.ran_p50_ns = 2000 * SP_NS_PER_MS, "warning calls.long =");
    // They hold all that there is.
    ROW(facts.oldest = runs_for(13); facts.held = 4; facts.youngest_ms = 12000;
        facts.stats.waiting = 1, "error calls.long =");
    ROW(facts.oldest = runs_for(13); facts.held = 4;
        facts.youngest_ms = 12000, "warning calls.long ="); // nobody waits
    ROW(facts.oldest = runs_for(13); facts.held = 3; facts.youngest_ms = 12000;
        facts.stats.waiting = 1, "warning calls.long =");
    ROW(facts.oldest = runs_for(13); facts.held = 4; facts.youngest_ms = 20;
        facts.stats.waiting = 1, "warning calls.long =");
    ROW(facts.stuck = 4; facts.held = 4;
        facts.stats.waiting = 1, "error calls.stuck on_stuck=");
}

static void a_line_that_is_too_short_or_too_long_is_told(void **state)
{
    (void)state;
    ROW(facts.last.refused = 1, "error line.full pool_size=8");
    ROW(facts.last.refused = 1;
        facts.last.ran_ms = 60000,
        "error line.full max_queue=201"); // it is idle, but for bursts
    ROW(facts.last.line_p99_ns = 200 * SP_NS_PER_MS, "warning line.long pool_size=6");
    ROW(facts.last.line_p99_ns = 200 * SP_NS_PER_MS; facts.last.lines = 50, "");
    ROW(facts.last.line_p99_ns = 150 * SP_NS_PER_MS, ""); // as long as a call
    // However few they are.
    ROW(facts.last.left = 18; facts.last.calls = 36;
        facts.last.lines = 36, "warning line.long pool_size=6");
    ROW(facts.last.left = 9, "");
}

// What one verdict proposes no other one speaks against, or says anew.
static void one_answer_has_one_remedy(void **state)
{
    (void)state;
    const uint64_t long_ns = 200 * SP_NS_PER_MS;
    // It is busy, and its line is long or full.
    ROW(facts.last.line_p99_ns = long_ns;
        facts.last.ran_ms = 390000, "warning line.long pool_size=6");
    ROW(facts.last.refused = 1;
        facts.last.ran_ms = 390000, "error line.full pool_size=8");
    // It is not, and yet its line is.
    ROW(facts.last.line_p99_ns = long_ns;
        facts.last.ran_ms = 4000, "warning line.long =");
    ROW(facts.last.refused = 1;
        facts.last.ran_ms = 4000, "error line.full max_queue=201");
    // Workers are missing, or run what does not end, or there is no room for more.
    ROW(facts.last.line_p99_ns = long_ns; facts.last.ran_ms = 4000;
        facts.last.deaths = 10, "warning workers.die =; warning line.long =");
    ROW(facts.last.refused = 1;
        facts.last.deaths = 10, "error line.full =; warning workers.die =");
    ROW(facts.last.late = 18; facts.last.left = 18; facts.last.calls = 36;
        facts.last.ran_ms = 390000,
        "warning calls.time_out call_timeout_ms=; warning line.long =");
    ROW(facts.last.refused = 1; facts.stats.total_memory = 14 * GIB;
        facts.stats.memory_per_process = 7 * GIB,
        "error line.full =; warning memory.machine pool_size=1");
    ROW(facts.last.ran_ms = 390000; facts.stats.total_memory = 14 * GIB;
        facts.stats.memory_per_process = 7 * GIB, "warning memory.machine pool_size=1");
    ROW(facts.last.ran_ms = 4000; facts.stats.total_memory = 14 * GIB;
        facts.stats.memory_per_process = 7 * GIB, "warning memory.machine pool_size=1");
}

// Threads or tools hold the workers, and those that are added likewise.
static void workers_are_not_added_to_what_holds_them(void **state)
{
    (void)state;
    const uint64_t long_ns = 200 * SP_NS_PER_MS;
    ROW(facts.last.line_p99_ns = long_ns; facts.computing = 4;
        facts.last.ran_ms = 390000,
        "warning threads.oversubscribed adapter_env={OMP_NUM_THREADS: \"2\", "
        "OPENBLAS_NUM_THREADS: \"2\"}; warning line.long =");
    ROW(facts.computing = 4;
        facts.last.ran_ms = 390000,
        "warning threads.oversubscribed adapter_env={OMP_NUM_THREADS: \"2\", "
        "OPENBLAS_NUM_THREADS: \"2\"}");
    ROW(facts.last.line_p99_ns = long_ns; facts.oldest = runs_for(13); facts.held = 4;
        facts.youngest_ms = 12000;
        facts.stats.waiting = 1;
        facts.last.ran_ms = 390000, "error calls.long =; warning line.long =");
}

static void what_is_told_says_over_which_time(void **state)
{
    (void)state;
    static struct sp_verdicts verdicts;
    struct sp_pool_facts facts = well();
    facts.last.deaths = 12;
    sp_verdicts_judge(&facts, &verdicts);
    assert_string_equal(verdicts.items[0].what,
                        "in the last 5 min 12 workers have died, in 1000 calls");
    facts.last.over_ms = 43999;
    sp_verdicts_judge(&facts, &verdicts);
    assert_string_equal(verdicts.items[0].what,
                        "in the last 43 s 12 workers have died, in 1000 calls");
}

static const char *what_of(const struct sp_pool_facts *facts, enum sp_verdict_code code)
{
    static struct sp_verdicts verdicts;
    sp_verdicts_judge(facts, &verdicts);
    for (uint32_t i = 0; i < verdicts.count; i++) {
        if (verdicts.items[i].code == code) {
            return verdicts.items[i].what;
        }
    }
    fail_msg("it is not told");
    return "";
}

static void what_is_told_names_tools_and_causes(void **state)
{
    (void)state;
    struct sp_pool_facts facts = well();
    facts.last.deaths = 12;
    facts.cause = "killed by signal 11 (SIGSEGV)";
    assert_string_equal(what_of(&facts, SP_VERDICT_DEATHS),
                        "in the last 5 min 12 workers have died, in 1000 calls; the "
                        "last one: killed by signal 11 (SIGSEGV)");
    facts.dies = (struct sp_tool_named){.name = "crash"};
    assert_string_equal(what_of(&facts, SP_VERDICT_DEATHS),
                        "in the last 5 min 12 workers have died, in 1000 calls; most "
                        "of them ran crash; the last one: killed by signal 11 "
                        "(SIGSEGV)");
    facts.last.late = 18;
    facts.late = (struct sp_tool_named){.name = "sleep"};
    assert_string_equal(what_of(&facts, SP_VERDICT_LATE),
                        "in the last 5 min 18 of 1000 calls ran out of time while "
                        "their tools ran, most of them in sleep");
    facts.last.failed = 500;
    facts.fails =
        (struct sp_tool_named){.name = "order", .error = "ValueError: no order"};
    assert_string_equal(what_of(&facts, SP_VERDICT_FAIL),
                        "in the last 5 min 500 of 1000 calls failed, most of them in "
                        "order; the last one: ValueError: no order");
    facts.last.left = 36;
    assert_string_equal(what_of(&facts, SP_VERDICT_LINE_LONG),
                        "in the last 5 min 36 of 1000 calls ran out of time before a "
                        "worker had them");
}

static void calls_that_do_not_end_are_named_with_their_worker(void **state)
{
    (void)state;
    struct sp_pool_facts facts = well();
    facts.oldest = runs_for(13);
    facts.held = 4;
    facts.youngest_ms = 12000;
    facts.stats.waiting = 3;
    assert_string_equal(what_of(&facts, SP_VERDICT_LONG),
                        "spin has run for 13 s in worker 12; half of the calls run no "
                        "longer than 160.00 ms; such calls hold all that can run at "
                        "once, and 3 wait");
    facts.stuck = 1;
    assert_string_equal(what_of(&facts, SP_VERDICT_STUCK),
                        "1 call did not end when it was cancelled");
    facts.given_up = runs_for(7);
    assert_string_equal(what_of(&facts, SP_VERDICT_STUCK),
                        "1 call did not end when it was cancelled: spin runs on in "
                        "worker 12 since 7 s");
    facts.stuck = 0;
    facts.last.killed = 2;
    facts.late = (struct sp_tool_named){.name = "spin"};
    assert_string_equal(what_of(&facts, SP_VERDICT_STUCK),
                        "in the last 5 min 2 calls did not end when given up, but with "
                        "the worker; most that ran out of time ran spin");
}

static void a_worker_that_grows_is_named_with_its_rate(void **state)
{
    (void)state;
    struct sp_pool_facts facts = well();
    facts.grown = (struct sp_grown){.worker = 12,
                                    .from = 100 * MIB,
                                    .to = 600 * MIB,
                                    .over_ms = 100000,
                                    .workers = 2};
    assert_string_equal(judged(&facts),
                        "warning memory.grows worker_max_memory=200MiB");
    assert_string_equal(what_of(&facts, SP_VERDICT_MEMORY_GROWS),
                        "worker 12 has grown by 500 MiB in 100 s, 300 MiB a minute, to "
                        "600 MiB; 2 of 4 workers grow");
    (void)snprintf(facts.grown_tool, sizeof facts.grown_tool, "keep");
    assert_string_equal(what_of(&facts, SP_VERDICT_MEMORY_GROWS),
                        "worker 12 has grown by 500 MiB in 100 s, 300 MiB a minute, to "
                        "600 MiB, and runs keep now; 2 of 4 workers grow");
    facts.worker_max_memory = GIB; // which replaces it
    assert_string_equal(judged(&facts), "");
}

static void a_reason_is_not_cut_within_a_word(void **state)
{
    (void)state;
    static const char told[] = "3 starts of workers have failed, and 0 of 4 workers "
                               "serve: ";
    char reason[1000];
    struct sp_pool_facts facts = well();
    facts.stats.workers_ready = 0;
    facts.stats.worker_start_failures = 3;
    facts.reason = "pool \"text\": no worker could be started: no module named shop";
    const char *what = what_of(&facts, SP_VERDICT_CRASH_LOOP);
    assert_memory_equal(what, told, sizeof told - 1);
    assert_string_equal(what + sizeof told - 1, "no module named shop");
    // Of what has more lines those of the error, on one.
    facts.reason = "RuntimeError: the model\nis not here\nTraceback (most recent call "
                   "last):\n  File \"shop.py\"\nRuntimeError: the model\nis not here";
    what = what_of(&facts, SP_VERDICT_CRASH_LOOP);
    assert_string_equal(what + sizeof told - 1, "RuntimeError: the model is not here");
    for (size_t i = 0; i + 7 < sizeof reason; i += 7) {
        memcpy(reason + i, "python ", sizeof "python ");
    }
    facts.reason = reason;
    what = what_of(&facts, SP_VERDICT_CRASH_LOOP);
    assert_true(strlen(what) > 400);
    assert_string_equal(what + strlen(what) - strlen("python ..."), "python ...");
    memset(reason, 'x', sizeof reason - 1); // one word
    reason[sizeof reason - 1] = '\0';
    what = what_of(&facts, SP_VERDICT_CRASH_LOOP);
    assert_true(strlen(what) > 400);
}

static void memory_is_told_before_it_is_used_up(void **state)
{
    (void)state;
    ROW(facts.stats.total_memory = 14 * GIB;
        facts.stats.memory_per_process = GIB, "warning memory.machine pool_size=8");
    ROW(facts.memory = 0; facts.stats.total_memory = 14 * GIB, ""); // it is not known
    ROW(facts.worker_max_memory = 128 * MIB,
        "note memory.limit worker_max_memory=192MiB");
    ROW(facts.worker_max_memory = 512 * MIB, "");
    ROW(facts.worker_max_memory = 512 * MIB; facts.recycled_for_memory = 4;
        facts.last.recycled_for_memory = 4, "");
    ROW(facts.worker_max_memory = 512 * MIB; facts.recycled_for_memory = 5;
        facts.last.recycled_for_memory = 1, "warning memory.grows =");
    ROW(facts.worker_max_memory = 512 * MIB; facts.recycled_for_memory = 5, "");
}

static void too_many_threads_that_compute_are_told(void **state)
{
    (void)state;
    ROW(facts.threads = 11;
        facts.library_threads = 8,
        "warning threads.oversubscribed adapter_env={OMP_NUM_THREADS: \"2\", "
        "OPENBLAS_NUM_THREADS: \"2\"}");
    ROW(facts.library_threads = 8, ""); // no worker has such a library
    ROW(facts.threads = 11, "");        // as many threads as there are cores
    // Few threads on few cores count when they have been seen to compute.
    ROW(facts.threads = 3; facts.cores = 2, "");
    ROW(facts.threads = 3; facts.cores = 2;
        facts.computing = 1,
        "warning threads.oversubscribed adapter_env={OMP_NUM_THREADS: \"1\", "
        "OPENBLAS_NUM_THREADS: \"1\"}");
    ROW(facts.threads = 3; facts.computing = 1, ""); // eight, on eight cores
}

static void a_profile_or_a_start_that_could_be_better_is_told(void **state)
{
    (void)state;
    ROW(facts.wants_threads = true, "note profile.fell_back python=python3.13t");
    ROW(facts.stats.profile = "thread (GIL)"; facts.takes_turns = true;
        facts.wants_threads = true;
        facts.stats.threads_per_worker = 4;
        facts.last.cpu_ms = 50000, // half of the time that its workers were there
        "warning profile.takes_turns worker_profile=process");
    ROW(facts.stats.profile = "thread (GIL)"; facts.takes_turns = true;
        facts.stats.threads_per_worker = 4;
        facts.last.cpu_ms = 49000, ""); // its tools wait
    ROW(facts.stats.profile = "thread (GIL)"; facts.takes_turns = true;
        facts.stats.threads_per_worker = 4;
        facts.last.cpu_ms = 90000;
        facts.last.ran_ms = 390000,
        "warning profile.takes_turns worker_profile=process");
    ROW(facts.forked = 0;
        facts.template_is_off = true, "note template.unused template=auto");
    ROW(facts.forked = 0, "note template.unused template=");
    ROW(facts.forked = 0; facts.stats.processes = 1, "");
}

static void a_pool_that_is_too_small_or_too_large_is_told(void **state)
{
    (void)state;
    ROW(facts.last.ran_ms = 390000, "note utilisation.high pool_size=6");
    ROW(facts.last.ran_ms = 4000, "note utilisation.low pool_size={min: 1, max: 4}");
    ROW(facts.last.ran_ms = 4000; facts.last.lived_ms = 50000, "");
}

static void the_worst_is_told_first(void **state)
{
    (void)state;
    ROW(facts.forked = 0; facts.stuck = 1;
        facts.last.refused = 1,
        "error line.full pool_size=8; warning calls.stuck on_stuck=; note "
        "template.unused template=");
}

static void a_busy_pool_is_not_busier_than_it_can_be(void **state)
{
    (void)state;
    struct sp_pool_facts facts = well();
    assert_int_equal(sp_pool_facts_busy(&facts), 40);
    facts.last.ran_ms *= 100; // workers that are gone have run this
    assert_int_equal(sp_pool_facts_busy(&facts), 100);
    facts.last.lived_ms = 0;
    assert_int_equal(sp_pool_facts_busy(&facts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_that_does_well_is_not_talked_about),
        cmocka_unit_test(workers_that_do_not_start_or_stay_are_told),
        cmocka_unit_test(calls_that_suffer_are_told),
        cmocka_unit_test(a_call_that_runs_far_longer_than_others_is_told),
        cmocka_unit_test(a_line_that_is_too_short_or_too_long_is_told),
        cmocka_unit_test(one_answer_has_one_remedy),
        cmocka_unit_test(workers_are_not_added_to_what_holds_them),
        cmocka_unit_test(what_is_told_says_over_which_time),
        cmocka_unit_test(what_is_told_names_tools_and_causes),
        cmocka_unit_test(calls_that_do_not_end_are_named_with_their_worker),
        cmocka_unit_test(a_worker_that_grows_is_named_with_its_rate),
        cmocka_unit_test(a_reason_is_not_cut_within_a_word),
        cmocka_unit_test(memory_is_told_before_it_is_used_up),
        cmocka_unit_test(too_many_threads_that_compute_are_told),
        cmocka_unit_test(a_profile_or_a_start_that_could_be_better_is_told),
        cmocka_unit_test(a_pool_that_is_too_small_or_too_large_is_told),
        cmocka_unit_test(the_worst_is_told_first),
        cmocka_unit_test(a_busy_pool_is_not_busier_than_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
