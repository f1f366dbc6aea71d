// SPDX-License-Identifier: MIT
// What a client of a daemon knows of each pool before it calls.
#ifndef PIT_GLANCE_H
#define PIT_GLANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

struct sp_pit_glance {
    const char *name;         // lives as long as the pit
    const char *state;        // as in snakepit_pool_stats
    snakepit_message reason;  // as sp_pit_failure() has it
    uint32_t call_timeout_ms; // 0: none
    bool standard;            // the default pool
    bool serving;             // at least one worker takes calls
    bool whole;               // each worker that it is to have does
};

// Looks at pool `index`, as snakepit_pool_name() counts. False: there is none. Any
// thread.
bool sp_pit_glance(snakepit *pit, size_t index, struct sp_pit_glance *glance);

// How long the tool of an answer ran, in sp_clock_ticks(), as far as that is known.
uint64_t sp_pit_answer_ran(const snakepit_answer *answer);

#endif
