// SPDX-License-Identifier: MIT
// What the files that judge a pool say things with.
#ifndef PIT_SAYING_H
#define PIT_SAYING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pit/verdicts.h"

#define SP_PERCENT      UINT64_C(100)
#define SP_NEAR_PERCENT 80u
#define SP_LATE_A_CALL  100u // one in so many that runs out of time is too many
#define SP_MIB(bytes)   ((bytes) >> 20)
// Into an array.
#define SP_SAY(room, ...) (void)snprintf((room), sizeof(room), __VA_ARGS__)

// Adds one; the caller says what.
struct sp_verdict *sp_verdict_find(struct sp_verdicts *verdicts,
                                   enum sp_verdict_code code,
                                   enum sp_verdict_severity severity,
                                   const char *key);
bool sp_verdict_has(const struct sp_verdicts *verdicts, enum sp_verdict_code code);
// Whether one in so many calls is bad, and they are not so few that it may be chance.
bool sp_is_often(uint64_t bad, uint64_t calls, uint32_t one_in);
uint32_t sp_at_least_one(uint64_t number);

// "5 min", or "43 s" of a pit that was opened just now.
struct sp_verdict_span {
    char text[24];
};
struct sp_verdict_span sp_verdict_span_of(const struct sp_pool_facts *facts);

// What is to be said of workers, calls and memory.
void sp_judge_workers(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts);
void sp_judge_calls(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts);
void sp_judge_memory(const struct sp_pool_facts *facts, struct sp_verdicts *verdicts);

#endif
