// SPDX-License-Identifier: MIT
// Time slices: how long a thread keeps a processor that others want as well. A thread
// that asks for a short one gets the processor back sooner.
//
// Free-threaded CPython 3.13 waits for a lock by calling sched_yield() forty times,
// also for a lock that its thread holds already. The start of an interpreter does that
// two thousand times. On a busy machine each call costs it the rest of its time slice,
// so that a start that takes 20 ms of processor time takes seconds or minutes.
//
// One that asks for a long one lets others go first: whoever wakes with a shorter one
// gets the processor at once, and not only at the next tick, which is 4 ms away on many
// kernels. It has its share of a busy processor all the same, only later.
//
// Linux 6.12 and later; before, these functions do nothing. They never fail, since a
// start works without them as well.
#ifndef BASE_TIMESLICE_H
#define BASE_TIMESLICE_H

#include <stdint.h>
#include <sys/types.h>

#define SP_TIMESLICE_SHORT UINT64_C(100000)   // ns, the shortest that Linux gives
#define SP_TIMESLICE_LONG  UINT64_C(10000000) // several times the usual one

// Gives the first thread of a process of ours, and what that will start, a short one.
// 0: the calling thread.
void sp_timeslice_shorten(pid_t pid);
// The same with a long one.
void sp_timeslice_lengthen(pid_t pid);
// Gives all threads of this process the system's usual one again. `other` is one
// besides the calling one, or 0: where there are no more, they are not looked for.
void sp_timeslice_restore(pid_t other);
// A thread's time slice in ns; 0: it has none, or it cannot be known.
uint64_t sp_timeslice_of(pid_t tid);

#endif
