// SPDX-License-Identifier: MIT
// A signal is noted by Python and handled by the main thread later; an executor that is
// about to sleep would not see that. So our handler comes before Python's, and does at
// once what does not need the interpreter.
#include "leaving.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/timeslice.h"
#include "cancel.h"
#include "descriptors.h"
#include "fault.h"
#include "module.h"

// Constant once the handler is installed.
static struct {
    struct sp_runtime *runtime;
    pid_t process;
    struct sigaction before; // Python's own
    PyObject *exception;
} handled;

// ---- Requests -----------------------------------------------------------------

static void stop_executors(struct sp_runtime *runtime)
{
    struct sp_control *header = runtime->view.header;
    atomic_store_explicit(&runtime->leaving.begun, true, memory_order_release);
    atomic_store_explicit(&header->stop, 1, memory_order_release);
    sp_bell_ring_all(&header->bell);
}

// Nobody waits for its end, which takes milliseconds: whoever serves goes first. The
// last thread to go, main or service, frees the memory of all.
static void give_way(void)
{
#ifndef Py_GIL_DISABLED // which yields so often that it would take seconds: timeslice.h
    sp_timeslice_lengthen(getpid());
    sp_timeslice_lengthen(0);
#endif
}

void sp_leaving_begin(struct sp_runtime *runtime)
{
    uint32_t none = 0;
    give_way();
    (void)atomic_compare_exchange_strong(&runtime->leaving.requests, &none, 1);
    stop_executors(runtime);
}

static bool send_leaving(const struct sp_runtime *runtime)
{
    return sp_descriptors_are_ours(runtime) &&
           sp_channel_send(runtime->channel, SP_MESSAGE_LEAVING, NULL, 0) ==
               SNAKEPIT_OK;
}

void sp_leaving_tell(struct sp_runtime *runtime)
{
    while (atomic_load(&runtime->leaving.untold) > 0 && send_leaving(runtime)) {
        atomic_fetch_sub(&runtime->leaving.untold, 1);
    }
}

// In a signal handler, on any thread.
static void note_signal(struct sp_runtime *runtime)
{
    uint32_t none = SP_FAULT_NONE;
    // Should it end by this signal, the host can say why.
    (void)atomic_compare_exchange_strong(
        &runtime->view.header->fault, &none, SP_FAULT_TOLD);
    stop_executors(runtime);
    if (!send_leaving(runtime)) {
        atomic_fetch_add(&runtime->leaving.untold, 1);
    }
}

// A child that user code has forked shares our memory and has no host to wait for: it
// ends as if nobody had handled the signal.
static void on_signal(int number)
{
    int saved = errno;
    if (getpid() == handled.process) {
        // Counted before Python's handlers run, and noted for them before an executor
        // leaves.
        atomic_fetch_add(&handled.runtime->leaving.requests, 1);
        handled.before.sa_handler(number);
        note_signal(handled.runtime);
        sp_signals_note(&handled.runtime->signals);
    } else {
        (void)signal(number, SIG_DFL);
        (void)raise(number); // when this handler has returned
    }
    errno = saved;
}

// 0 or an errno; EINVAL: nobody handles the signal.
static int install(struct sp_runtime *runtime, int number, PyObject *exception)
{
    if (sigaction(number, NULL, &handled.before) != 0) {
        return errno;
    }
    if (handled.before.sa_handler == SIG_DFL || handled.before.sa_handler == SIG_IGN) {
        return EINVAL;
    }
    handled.runtime = runtime;
    handled.process = getpid();
    handled.exception = Py_NewRef(exception);
    struct sigaction action = handled.before;
    action.sa_handler = on_signal;
    return sigaction(number, &action, NULL) == 0 ? 0 : errno;
}

PyObject *
sp_leaving_stop_at(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime == NULL) {
        return NULL;
    }
    if (count != 2 || !PyExceptionClass_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "stop_at() takes a signal and an exception");
        return NULL;
    }
    long number = PyLong_AsLong(arguments[0]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    int rc = install(runtime, (int)number, arguments[1]);
    if (rc != 0) {
        errno = rc;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

PyObject *sp_leaving_requests(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct sp_runtime *runtime = sp_module_runtime(module);
    return runtime == NULL
               ? NULL
               : PyLong_FromUnsignedLong(atomic_load(&runtime->leaving.requests));
}

// ---- Interruptions ------------------------------------------------------------

// A thread that waits in the interpreter meets the exception when it goes on. One that
// waits for a coroutine goes on when that has ended, and one that waits for the host
// must be woken.
static void interrupt(struct sp_runtime *runtime, struct sp_executor *executor)
{
    uint64_t call = atomic_load(&executor->current.mark);
    if (call != 0 && (call & (SP_CANCEL_ARMING | SP_CANCEL_ARMED)) == 0 &&
        sp_cancel_arm(executor, call, handled.exception)) {
        sp_cancel_tell(runtime, call);
        sp_signals_note(&executor->own_signals);
    }
}

PyObject *sp_leaving_interrupt(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < runtime->view.shape.executors; i++) {
        interrupt(runtime, &runtime->executors[i]);
    }
    Py_RETURN_NONE;
}

bool sp_leaving_has_interrupted(void)
{
    return handled.exception != NULL && PyErr_ExceptionMatches(handled.exception);
}

// Sets the exception in an executor that was woken for it, unless its call is shielded.
// 0, or -1 with the exception.
static int raise_here(struct sp_executor *executor)
{
    if (atomic_load(&executor->current.mark) == 0) {
        return 0;
    }
    sp_cancel_shield(executor);
    PyErr_SetString(handled.exception, "the worker was told to end, by SIGTERM");
    return -1;
}

int sp_leaving_run_handlers(struct sp_executor *executor)
{
    uint32_t heard = executor->signals_heard;
    // What comes from here on interrupts the next wait.
    executor->signals_heard = atomic_load(&executor->signals->count);
    if (executor->signals == &executor->own_signals) {
        return executor->signals_heard == heard ? 0 : raise_here(executor);
    }
    executor->pauses = true;
    int rc = PyErr_CheckSignals();
    executor->pauses = false;
    return rc;
}
