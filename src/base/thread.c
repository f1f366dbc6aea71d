// SPDX-License-Identifier: MIT
#include "base/thread.h"

#include <signal.h>

#define LEAST_STACK (512u << 10)

// Where the process's limit of stacks is very small, ours are not: what a thread of
// ours needs is not the program's to know.
static void make_room(pthread_attr_t *attributes)
{
    size_t size = 0;
    (void)pthread_attr_getstacksize(attributes, &size);
    if (size < LEAST_STACK) {
        (void)pthread_attr_setstacksize(attributes, LEAST_STACK);
    }
}

int sp_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    int rc = pthread_attr_init(&attributes);
    if (rc != 0) {
        return rc;
    }
    make_room(&attributes);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, &attributes, run, argument);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return rc;
}
