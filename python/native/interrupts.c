// SPDX-License-Identifier: MIT
// The one thing to know: a signal that is ignored stays ignored in every program that
// is executed, and one that is handled does not. So it is handled, by doing nothing.
#include "interrupts.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

// Owner: main thread; constant once `installed`.
static struct {
    bool installed;
    struct sigaction before; // Python's
} interrupts;

static void on_interrupt(int number)
{
    (void)number;
}

// Not for what user code has made of it since.
static void restore_in_child(void)
{
    struct sigaction now;
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_interrupt) {
        (void)sigaction(SIGINT, &interrupts.before, NULL);
    }
}

static int install(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (interrupts.installed) {
        return 0;
    }
    int rc = pthread_atfork(NULL, NULL, restore_in_child);
    if (rc == 0 && sigaction(SIGINT, &action, &interrupts.before) != 0) {
        rc = errno;
    }
    interrupts.installed = rc == 0;
    return rc;
}

PyObject *sp_interrupts_leave_to_host(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    errno = install();
    if (errno != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}
