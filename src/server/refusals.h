// SPDX-License-Identifier: MIT
// Peers that are refused are not to fill the log: one line each second is written, and
// the others are counted.
#ifndef FRONT_REFUSALS_H
#define FRONT_REFUSALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Zeroed: none yet. Any thread.
struct sp_refusals {
    _Atomic uint64_t told; // ns, when one was logged
    atomic_uint untold;    // that came since
};

// One more, at `now` ns of sp_clock_now(): whether it is to be logged. `others` becomes
// how many were not since the last one.
bool sp_refusals_tell(struct sp_refusals *refusals, uint64_t now, unsigned *others);

#endif
