// SPDX-License-Identifier: MIT
// Which process this is. A forked child has a copy of everything but of the threads, so
// what belongs to one process remembers which, and is left alone in any other. A child
// that shares the memory of its parent (vfork) cannot be told apart; it may only exec.
#ifndef BASE_FORK_H
#define BASE_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// For sp_fork_is_here() alone. Lies in memory that the kernel clears at a fork.
extern _Atomic uint32_t *sp_fork_word;

// The number of this process, never 0: another one than that of every process that it
// was forked from. The first call makes sure that forks are noticed; 0: there is no
// memory for that. Any thread.
uint32_t sp_fork_here(void);

// On a thread of the library, after a callback of the program: a child that the
// callback has forked, and that returns from it, has no business in here, and ends
// (_exit(0)).
void sp_fork_leave(uint32_t process);

// Whether `process`, a result of sp_fork_here(), is this process. Costs two loads.
static inline bool sp_fork_is_here(uint32_t process)
{
    return atomic_load_explicit(sp_fork_word, memory_order_relaxed) == process;
}

#endif
