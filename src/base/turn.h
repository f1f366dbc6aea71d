// SPDX-License-Identifier: MIT
// How long a process keeps a processor that others want as well: its turn. One that
// asks for short turns gets them sooner.
//
// Free-threaded CPython 3.13 waits for a lock by giving its turn away forty times
// (sched_yield), also for one that it holds already. The start of an interpreter, which
// takes 20 ms of work, does that two thousand times, an import of NumPy more often; on
// a busy machine each costs it the turns of all the others, and a worker's start takes
// minutes. With short turns it is back soon.
//
// Linux 6.12 and later; before, these functions do nothing. They never fail: what they
// ask for is a favour.
#ifndef BASE_TURN_H
#define BASE_TURN_H

#include <stdint.h>
#include <sys/types.h>

#define SP_TURN_SHORT UINT64_C(100000) // ns, the shortest that Linux gives

// For the first thread of a process of ours, and what that will start. 0: the calling
// thread.
void sp_turn_shorten(pid_t pid);
// Turns as the system gives them, for all threads of this process.
void sp_turn_restore(void);
// A thread's turn in ns; 0: it has none, or it cannot be known.
uint64_t sp_turn_of(pid_t tid);

#endif
