// SPDX-License-Identifier: MIT
// A handler that writes to an eventfd, rather than a blocked mask and a signalfd: a
// mask would be inherited by every thread and every worker.
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/eventfd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

// Written by the handler, on any thread. The descriptor is set before there is a
// handler.
static atomic_int noted;
static int event_fd = -1;

static void note(int number)
{
    int saved = errno;
    uint64_t one = 1;
    // Nothing is published through it: who reads it does not read anything else.
    atomic_store_explicit(&noted, number, memory_order_relaxed);
    ssize_t written = write(event_fd, &one, sizeof(one));
    (void)written; // fails only if there is no descriptor: the callers look at `noted`
                   // as well
    errno = saved;
}

void sp_cli_interrupts_init(void)
{
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction action = {.sa_handler = note,
                                   .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
        struct sigaction before;
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
}

int sp_cli_interrupted(void)
{
    return atomic_load_explicit(&noted, memory_order_relaxed);
}

int sp_cli_interrupt_fd(void)
{
    return event_fd;
}
