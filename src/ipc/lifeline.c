// SPDX-License-Identifier: MIT
// The one fact to know: glibc keeps the futex word in the mutex's first four bytes and
// the kernel defines its meaning (owner's thread id, FUTEX_WAITERS, FUTEX_OWNER_DIED).
#include "ipc/lifeline.h"

#include <linux/futex.h>

#include "base/check.h"

void sp_lifeline_init(pthread_mutex_t *lifeline)
{
    pthread_mutexattr_t attributes;
    SP_CHECK(pthread_mutexattr_init(&attributes) == 0);
    SP_CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    SP_CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    SP_CHECK(pthread_mutex_init(lifeline, &attributes) == 0);
    SP_CHECK(pthread_mutexattr_destroy(&attributes) == 0);
}

int sp_lifeline_hold(pthread_mutex_t *lifeline)
{
    return pthread_mutex_lock(lifeline);
}

enum sp_life sp_lifeline_judge(uint32_t word, int32_t tid)
{
    if ((word & FUTEX_OWNER_DIED) != 0) {
        return SP_LIFE_ENDED;
    }
    return (word & FUTEX_TID_MASK) == (uint32_t)tid ? SP_LIFE_HELD : SP_LIFE_FORGED;
}
