// SPDX-License-Identifier: MIT
// Time slices: how long a thread keeps a processor that others want as well. A thread
// that asks for a short one gets the processor back sooner.
//
// Free-threaded CPython 3.13 waits for a lock by calling sched_yield() forty times,
// also for a lock that its thread holds already. The start of an interpreter does that
// two thousand times. On a busy machine each call costs it the rest of its time slice,
// so that a start that takes 20 ms of processor time takes seconds or minutes.
//
// Linux 6.12 and later; before, these functions do nothing. They never fail, since a
// start works without them as well.
#ifndef BASE_TIMESLICE_H
#define BASE_TIMESLICE_H

#include <stdint.h>
#include <sys/types.h>

#define SP_TIMESLICE_SHORT UINT64_C(100000) // ns, the shortest that Linux gives

// Gives the first thread of a process of ours, and what that will start, a short one.
// 0: the calling thread.
void sp_timeslice_shorten(pid_t pid);
// Gives all threads of this process the system's usual one again.
void sp_timeslice_restore(void);
// A thread's time slice in ns; 0: it has none, or it cannot be known.
uint64_t sp_timeslice_of(pid_t tid);

#endif
