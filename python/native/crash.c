// SPDX-License-Identifier: MIT
// Arguments' tensors are mapped read-only. A library that takes no notice of that and
// writes to one kills the worker, and the signal alone does not tell why. The handler
// here runs in the thread that failed, on whatever stack it has: it takes no locks and
// allocates nothing.
#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>
#include <unistd.h>

#include "state.h"

// Constant once the handler is installed, but for `passing`.
static struct {
    struct sp_runtime *runtime;
    pid_t process;
    struct sigaction before;
    _Atomic pid_t passing; // the thread that is in the handler before ours, or 0
} watch;

#define PAGE_FAULT 14 // number of the processor's exception

// What a fault was about. A handler that ran before ours may have sent the signal again
// to let us see it, as faulthandler does: then the kernel still tells the address of
// the thread's last fault. 0: unknown.
static uintptr_t address_of(const siginfo_t *info, const void *context)
{
    if (info->si_code > 0) {
        return (uintptr_t)info->si_addr;
    }
#if defined(__x86_64__)
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    return registers[REG_TRAPNO] == PAGE_FAULT ? (uintptr_t)registers[REG_CR2] : 0;
#elif defined(__aarch64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.fault_address;
#else
    (void)context;
    return 0;
#endif
}

// Whether it was a write to the requests, for which there is no remedy; the host is
// told. All of them may be read.
static bool note(uintptr_t address)
{
    struct sp_runtime *runtime = watch.runtime;
    uintptr_t requests = (uintptr_t)runtime->requests.base;
    bool argument = address >= requests && address - requests < runtime->requests.size;
    atomic_store_explicit(&runtime->view.header->fault,
                          argument ? SP_FAULT_ARGUMENT : SP_FAULT_OTHER,
                          memory_order_release);
    return argument;
}

static bool has_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

// What handles the signal besides us, if it is not in the middle of doing so. True: it
// was called and has come back.
static bool pass_on(int number, siginfo_t *info, void *context)
{
    pid_t thread = gettid();
    if (!has_handler(&watch.before) || atomic_load(&watch.passing) == thread) {
        return false;
    }
    atomic_store(&watch.passing, thread);
    if ((watch.before.sa_flags & SA_SIGINFO) != 0) {
        watch.before.sa_sigaction(number, info, context);
    } else {
        watch.before.sa_handler(number);
    }
    atomic_store(&watch.passing, 0);
    return true;
}

// Afterwards a fault happens again, and is deadly; a signal that was sent must be sent
// again.
static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool hopeless = getpid() == watch.process && note(address_of(info, context));
    if (!pass_on(number, info, context) || hopeless) {
        (void)signal(number, SIG_DFL);
        if (info->si_code <= 0) {
            (void)raise(number);
        }
    }
    errno = saved;
}

int sp_crash_watch(struct sp_runtime *runtime)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    watch.runtime = runtime;
    watch.process = getpid();
    if (sigaction(SIGSEGV, NULL, &watch.before) != 0) {
        return errno;
    }
    return sigaction(SIGSEGV, &action, NULL) == 0 ? 0 : errno;
}
