// SPDX-License-Identifier: MIT
// Workers and templates that are only memory: they stand in for the module process (and
// for the machine), note what a fleet does to them, and do what the test says.
#ifndef UNIT_FLEET_FAKES_H
#define UNIT_FLEET_FAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"
#include "process/worker.h"

#define FAKES_MOST 64u

struct fake_life {
    struct sp_worker worker;
    uint32_t stops;
    uint32_t kills;
    const char *why;     // of the last kill
    bool blamed;         // for what it ran
    enum sp_death death; // that the last kill is counted as
    bool told;           // what sp_worker_was_told() says
    uint64_t memory;     // what sp_worker_memory() and sp_worker_share() say
    uint64_t cpu_ns;     // what sp_worker_cpu() says
};

// What has been started, in that order; NULL: it was freed.
struct fakes {
    struct fake_life *lives[FAKES_MOST];
    uint32_t starts;
    struct sp_template *template; // NULL: there is none
    uint32_t template_starts;
    uint32_t template_stops;
    uint32_t refusals;         // of the next starts
    int refuses;               // their errno
    const char *where;         // where each late start is; NULL: there is none
    struct sp_machine machine; // what sp_machine_look() says
    struct sp_loop *loop;      // is stopped by each start and stop; NULL: it is not
};

extern struct fakes fakes;

// Forgets what was.
void fakes_init(void);
// The template has made the process.
void fake_is_born(uint32_t number);
// Its first call was answered; `info` as the test has set it.
void fake_is_ready(uint32_t number);
// Its exit was observed.
void fake_exits(uint32_t number);
// Nothing of it is left.
void fake_is_gone(uint32_t number);
// The same at once.
void fake_dies(uint32_t number);
void fake_template_is_ready(void);
void fake_template_is_gone(void);

#endif
