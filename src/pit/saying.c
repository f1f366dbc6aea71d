// SPDX-License-Identifier: MIT
#include "pit/saying.h"

#include <inttypes.h>
#include <stdio.h>

#define ENOUGH_BAD 5u

uint32_t sp_at_least_one(uint64_t number)
{
    return number == 0 ? 1 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

struct sp_verdict *sp_verdict_find(struct sp_verdicts *verdicts,
                                   enum sp_verdict_code code,
                                   enum sp_verdict_severity severity,
                                   const char *key)
{
    struct sp_verdict *verdict = &verdicts->items[verdicts->count++];
    *verdict = (struct sp_verdict){.code = code, .severity = severity, .key = key};
    return verdict;
}

bool sp_verdict_has(const struct sp_verdicts *verdicts, enum sp_verdict_code code)
{
    for (uint32_t i = 0; i < verdicts->count; i++) {
        if (verdicts->items[i].code == code) {
            return true;
        }
    }
    return false;
}

bool sp_is_often(uint64_t bad, uint64_t calls, uint32_t one_in)
{
    return bad >= ENOUGH_BAD && bad * one_in >= calls;
}

struct sp_verdict_span sp_verdict_span_of(const struct sp_pool_facts *facts)
{
    struct sp_verdict_span span;
    const uint64_t seconds = facts->last.over_ms / 1000;
    const bool minutes = seconds >= 120;
    SP_SAY(span.text,
           "%" PRIu64 " %s",
           minutes ? (seconds + 30) / 60 : seconds,
           minutes ? "min" : "s");
    return span;
}
