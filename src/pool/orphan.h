// SPDX-License-Identifier: MIT
// A call that was given up while it ran: its slot and its parcel are the worker's until
// it ends, and its answer can tell what has become of it.
#ifndef POOL_ORPHAN_H
#define POOL_ORPHAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"

struct sp_parcel;

// Moments are CLOCK_MONOTONIC ns. Guarded by the pool's lock, but for what is atomic.
struct sp_orphan {
    struct sp_link link; // in seat->orphans
    struct sp_parcel *parcel;
    uint64_t call;
    uint64_t since; // when it was given up, or the others of its batch were
    uint64_t due;   // its deadline, or when it was given up; constant
    uint64_t began; // to run, as far as that is known, in sp_clock_ticks()
    uint32_t slot;
    uint32_t lease;
    bool told;   // the worker was asked to cancel it
    bool stuck;  // it has not ended in the time that it had for that
    bool served; // in the middle of another call, so it adds no load
    bool counts; // in the pool's counters: it was a program's call, and given up
    bool checks; // its worker's health

    _Atomic uint32_t refs;     // the seat's, and the answer's
    _Atomic uint32_t stop;     // enum snakepit_stop: the last step, or what ended it
    _Atomic uint64_t ended_at; // 0: it runs
};

// It has ended. Lock held.
void sp_orphan_end(struct sp_orphan *orphan, snakepit_stop stop, uint64_t now);
// How long it has run since it was due, in microseconds. Any thread, like the rest.
uint64_t sp_orphan_after_us(const struct sp_orphan *orphan, uint64_t until);
// What has become of it; all but `size`.
void sp_orphan_look(const struct sp_orphan *orphan, snakepit_stop_info *info);
// NULL is fine.
void sp_orphan_unref(struct sp_orphan *orphan);

#endif
