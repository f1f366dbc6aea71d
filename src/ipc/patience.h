// SPDX-License-Identifier: MIT
// What waits that were over teach about the next one: for how long it may spin, and
// when it is to look for the first time. Numbers alone; see wait.h for who waits.
#ifndef IPC_PATIENCE_H
#define IPC_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define SP_SHORT_US 100u // a sleep up to this means dense traffic

// What one thread has learned about its waits. Zero-initialised: it does not spin.
// Owner: the thread, no lock.
struct sp_patience {
    uint64_t budget;    // ticks that the next wait may spin
    uint32_t same_core; // short sleeps in a row with the other side on this core
    uint64_t next_move; // ticks before which the thread does not move again
    uint64_t pause;     // ticks between two moves; grows while they do not help
    uint64_t came;      // worker: ticks when a spin last took a number, or just before
    uint64_t usual;     // host: ticks that spins of late have taken to their end
    uint64_t deviation; // host: from that, on average
    uint32_t at_once;   // host: first looks in a row that have found it
};

// A spin that ended in time after `waited` ticks.
void sp_patience_hit(struct sp_patience *patience, uint64_t waited);
// A sleep of so many ticks.
void sp_patience_miss(struct sp_patience *patience, uint64_t slept);

// Ticks for which a spin is not to look, because it will hardly be over sooner; 0: it
// is to look at once.
uint64_t sp_patience_quiet(const struct sp_patience *patience);
// What a spin of `waited` ticks teaches about that. `at_once`: it was not to look, and
// the first look found what it waited for.
void sp_patience_note(struct sp_patience *patience, uint64_t waited, bool at_once);

#endif
