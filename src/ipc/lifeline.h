// SPDX-License-Identifier: MIT
// A robust mutex that a worker's service thread holds for as long as the worker lives.
// The kernel marks its word when the holder dies, long before the process has given
// back its memory.
#ifndef IPC_LIFELINE_H
#define IPC_LIFELINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum sp_life {
    SP_LIFE_HELD,   // by the thread that was expected
    SP_LIFE_ENDED,  // its holder has died
    SP_LIFE_FORGED, // anything else: the word was written to
};

// Makes the mutex ready in shared memory. Host, before the worker starts.
void sp_lifeline_init(pthread_mutex_t *lifeline);
// Takes it for the calling thread, which must not end before its process. Worker. 0 or
// an errno.
int sp_lifeline_hold(pthread_mutex_t *lifeline);

// The futex word behind the mutex. Its layout is the kernel's robust-futex ABI.
static inline _Atomic uint32_t *sp_lifeline_word(pthread_mutex_t *lifeline)
{
    return (_Atomic uint32_t *)(void *)lifeline;
}

// Judges a word that was read once, for a worker whose service thread is `tid`.
enum sp_life sp_lifeline_judge(uint32_t word, int32_t tid);

#endif
