// SPDX-License-Identifier: MIT
// What is to be said of a pool that runs: facts about it, and verdicts, which are a
// pure function of facts. Each verdict names the key to change and a value to try.
#ifndef PIT_VERDICTS_H
#define PIT_VERDICTS_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "pit/growth.h"
#include "process/worker.h"

// A tool whose calls end as they should not.
struct sp_tool_named {
    char name[64];   // empty: it is not known
    char error[256]; // of the last one
};

// A call whose tool has not ended.
struct sp_call_now {
    char tool[64]; // empty: it is not known
    uint64_t worker;
    uint64_t ms; // that it has run, or has been given up for; 0: there is no such call
    bool has_time; // it has a deadline
};

// What is known of a pool.
struct sp_pool_facts {
    snakepit_pool_stats stats;
    const char *reason; // why a worker is missing; or empty
    uint32_t cores;     // that its workers may use, quotas counted
    uint64_t memory;    // that all there is here may use, bytes; 0: not known

    // As it is configured.
    bool wants_threads;
    bool takes_turns; // its threads run under a GIL
    bool template_is_off;
    uint32_t size_most; // workers
    uint32_t max_queue;
    uint64_t worker_max_memory; // bytes; 0: no limit
    uint32_t library_threads;   // that BLAS and its like may have in each worker

    // As its workers are.
    uint64_t recycled_for_memory; // workers, since the pit was opened
    uint64_t largest;             // memory of the largest one, as `worker_max_memory`
                                  // counts it; 0: not known
    uint32_t threads;             // most that the kernel counts in one; 0: not known
    uint32_t computing; // most threads of one that are not Python's and compute
    uint32_t forked;    // workers that the template has made
    uint32_t stuck;     // calls
    struct sp_grown grown;
    char grown_tool[64]; // that its worker runs now; empty: none, or several

    // As its calls are now, but for streams, which may take as long as they like.
    uint32_t held;               // executors, by these calls
    uint64_t youngest_ms;        // that the one that began last has run; 0: none runs
    struct sp_call_now oldest;   // of those that run
    struct sp_call_now given_up; // the first one whose tool goes on all the same

    // What was measured in the last minutes; see pit/past.h.
    struct sp_pool_measured {
        uint64_t over_ms; // how long that is
        uint64_t calls;   // that have ended
        uint64_t refused; // of these, since the line was full
        uint64_t failed;  // of these, by their tools
        uint64_t late;    // of these, since their time was up while their tools ran,
        uint64_t left;    // and while they waited for a worker
        uint64_t killed;  // of tools that did not end: they did with their workers
        uint64_t deaths;  // of workers
        uint64_t failed_starts;
        uint64_t recycled_for_memory;
        uint64_t lived_ms; // all workers, times the calls that each can run at once
        uint64_t ran_ms;   // calls, in all
        uint64_t cpu_ms;   // processor time of all workers
        uint64_t runs;     // calls that tools have run, to their end or not
        uint64_t ran_p50_ns;
        uint64_t lines; // calls that were handed to a worker, or waited in vain
        uint64_t line_p99_ns;
    } last;

    const char *breaker; // the tool of one that is not closed; or empty
    const char *cause;   // of the last death of a worker; or empty
    // Of the calls that were told last.
    struct sp_tool_named fails; // the tool that fails most
    struct sp_tool_named late;  // the tool that is late most
    struct sp_tool_named dies;  // the tool that most calls ran whose workers died
};

enum sp_verdict_code {
#define SP_VERDICT(id, code) SP_VERDICT_##id,
#include "pit/verdicts.def"
#undef SP_VERDICT
    SP_VERDICTS
};

enum sp_verdict_severity {
    SP_VERDICT_NOTE,    // it could be better
    SP_VERDICT_WARNING, // calls suffer, or soon will
    SP_VERDICT_ERROR,   // calls fail
};

struct sp_verdict {
    enum sp_verdict_code code;
    enum sp_verdict_severity severity;
    char what[512];
    const char *key; // of the configuration; empty: there is none
    char value[96];  // to try; empty: there is none
    char remedy[256];
};

struct sp_verdicts {
    uint32_t count;
    struct sp_verdict items[SP_VERDICTS];
};

// "line.full". Constant.
const char *sp_verdict_code_name(enum sp_verdict_code code);
// "note", "warning", "error". Constant.
const char *sp_verdict_severity_name(enum sp_verdict_severity severity);

// How busy its executors were in the last minutes, in percent of the time that its
// workers have lived.
uint32_t sp_pool_facts_busy(const struct sp_pool_facts *facts);

// Judges, the worst first; each code once at most.
void sp_verdicts_judge(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts);

// Gathers the facts of a pool; texts live as long as `facts` and the pit. UNKNOWN_POOL,
// NO_MEMORY, INVALID_ARGUMENT. Any thread; it reads a few small files.
struct sp_pool_looked {
    struct sp_pool_facts facts;
    snakepit_message reason;
    snakepit_breaker_info breaker;
    char cause[SP_CAUSE_MAX];
};
snakepit_err
sp_pit_look_at_pool(snakepit *pit, const char *pool, struct sp_pool_looked *looked);

#endif
