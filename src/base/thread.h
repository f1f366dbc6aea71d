// SPDX-License-Identifier: MIT
// Threads of ours, and threads of the program while they are inside the library.
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

// Starts a thread that gets no signals: those are the program's. 0 or an errno.
int sp_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

// pthread_cancel() must not end a thread inside the library, for locks would stay
// locked: SP_UNCANCELLED, first in a block, puts it off until the block is left. No
// system call.
#define SP_UNCANCELLED                                             \
    int sp_thread_cancel_state                                     \
        __attribute__((cleanup(sp_thread_allow_cancel), unused)) = \
            sp_thread_forbid_cancel()

static inline int sp_thread_forbid_cancel(void)
{
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void sp_thread_allow_cancel(const int *before)
{
    int disabled;
    (void)pthread_setcancelstate(*before, &disabled);
}

#endif
