// SPDX-License-Identifier: MIT
// The thread that speaks for the worker. It never touches the interpreter, so a busy or
// stuck tool cannot keep it from answering; and it holds the lifeline, so the host
// knows the moment the process ends. A second thread, made when it is first needed,
// delivers cancellations, for those must wait for the interpreter.
#include "state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/system.h"
#include "descriptors.h"
#include "fault.h"
#include "ipc/lifeline.h"

// Guarded by lock.
struct sp_canceller {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    uint32_t count;
    uint32_t room;            // one for each slot: the host cancels a call once
    struct sp_cancel queue[]; // further ones are dropped
};

// ---- Cancelling ---------------------------------------------------------------

// Sets the exception on the thread if it still runs the call. While the mark says
// ARMING the executor does not go on to its next call, so the exception cannot hit that
// one.
static void arm(struct sp_executor *executor, uint64_t call, PyObject *type)
{
    uint64_t mark = call;
    if (atomic_compare_exchange_strong(
            &executor->current.mark, &mark, call | SP_CANCEL_ARMING)) {
        (void)PyThreadState_SetAsyncExc(executor->thread, type);
        atomic_store(&executor->current.mark, call | SP_CANCEL_ARMED);
    }
}

// An executor that waits for a coroutine is deaf to exceptions: whoever runs the
// coroutine is told.
static void tell(struct sp_runtime *runtime, uint64_t call)
{
    if (runtime->on_cancel == NULL) {
        return;
    }
    PyObject *told =
        PyObject_CallFunction(runtime->on_cancel, "K", (unsigned long long)call);
    if (told == NULL) {
        PyErr_WriteUnraisable(runtime->on_cancel);
    }
    Py_XDECREF(told);
}

static void deliver(struct sp_runtime *runtime, const struct sp_cancel *cancel)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *type = sp_fault_cancelled_type();
    for (uint32_t i = 0; type != NULL && i < runtime->view.shape.executors; i++) {
        arm(&runtime->executors[i], cancel->call, type);
    }
    PyErr_Clear();
    tell(runtime, cancel->call);
    PyGILState_Release(state);
}

static void *cancel_loop(void *argument)
{
    struct sp_runtime *runtime = argument;
    struct sp_canceller *canceller = runtime->canceller;
    for (;;) {
        pthread_mutex_lock(&canceller->lock);
        while (canceller->count == 0) {
            pthread_cond_wait(&canceller->wanted, &canceller->lock);
        }
        struct sp_cancel cancel = canceller->queue[--canceller->count];
        pthread_mutex_unlock(&canceller->lock);
        deliver(runtime, &cancel);
    }
    return NULL;
}

static bool ensure_canceller(struct sp_runtime *runtime)
{
    if (runtime->canceller != NULL) {
        return true;
    }
    uint32_t room = runtime->view.shape.slots;
    struct sp_canceller *made = calloc(1, sizeof *made + room * sizeof made->queue[0]);
    if (made == NULL) {
        return false;
    }
    made->room = room;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wanted, NULL);
    runtime->canceller = made;
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, cancel_loop, runtime);
    if (rc != 0) {
        // The next cancel tries again; a call that does not end is killed meanwhile.
        snakepit_message why;
        errno = rc;
        (void)sp_system_failed(
            &why, "pthread_create", NULL, "of the thread that cancels calls");
        (void)dprintf(STDERR_FILENO, "snakepit: %s\n", why.text);
        runtime->canceller = NULL;
        free(made);
        return false;
    }
    pthread_detach(thread);
    return true;
}

static void queue_cancel(struct sp_runtime *runtime, const uint8_t *body, uint32_t size)
{
    struct sp_cancel cancel;
    if (size != sizeof cancel || !ensure_canceller(runtime)) {
        return;
    }
    memcpy(&cancel, body, sizeof cancel);
    pthread_mutex_lock(&runtime->canceller->lock);
    if (runtime->canceller->count < runtime->canceller->room) {
        runtime->canceller->queue[runtime->canceller->count++] = cancel;
        pthread_cond_signal(&runtime->canceller->wanted);
    }
    pthread_mutex_unlock(&runtime->canceller->lock);
}

// ---- The channel --------------------------------------------------------------

// The host is gone: so are we, with every process that user code has started.
static _Noreturn void die_with_host(void)
{
    if (getpgrp() == getpid()) {
        (void)kill(0, SIGKILL);
    }
    (void)kill(getpid(), SIGKILL);
    _exit(1);
}

#define HOST_DIES_MS 50 // between its last descriptor and the end of the process

// Whether the host lives. It closes its end of the channel a moment before it is gone.
static bool host_lives(const struct sp_runtime *runtime)
{
    struct pollfd host = {.fd = (int)syscall(SYS_pidfd_open, runtime->host, 0),
                          .events = POLLIN};
    bool lives =
        host.fd >= 0 && poll(&host, 1, HOST_DIES_MS) == 0 && getppid() == runtime->host;
    if (host.fd >= 0) {
        close(host.fd);
    }
    return lives;
}

_Noreturn void sp_service_lost_channel(struct sp_runtime *runtime)
{
    if (host_lives(runtime)) {
        sp_descriptors_tell_shutdown(runtime);
    }
    die_with_host();
}

_Noreturn void sp_service_lost_descriptors(struct sp_runtime *runtime)
{
    sp_descriptors_tell(runtime);
    die_with_host();
}

void sp_service_check_descriptors(struct sp_runtime *runtime)
{
    if (!sp_descriptors_are_ours(runtime)) {
        sp_service_lost_descriptors(runtime);
    }
}

void sp_service_stop(struct sp_runtime *runtime)
{
    struct sp_control *header = runtime->view.header;
    atomic_store_explicit(&header->stop, 1, memory_order_release);
    sp_bell_ring_all(&header->bell);
}

// ---- Signals ------------------------------------------------------------------

static struct {
    struct sp_runtime *runtime;
    pid_t process;
    struct sigaction before; // Python's own
} stopper;

// Python's handler only notes the signal. An executor that is about to sleep would not
// see the note, so the signal also says stop, and ends its wait for the host. A child
// that user code has forked shares our memory and has no host to wait for: it ends as
// if nobody had handled the signal.
static void on_stop_signal(int number)
{
    int saved = errno;
    if (getpid() == stopper.process) {
        stopper.before.sa_handler(number);
        sp_signals_note(&stopper.runtime->signals);
        sp_service_stop(stopper.runtime);
    } else {
        (void)signal(number, SIG_DFL);
        (void)raise(number); // when this handler has returned
    }
    errno = saved;
}

int sp_service_stop_at(struct sp_runtime *runtime, int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &stopper.before) != 0) {
        return errno;
    }
    if (stopper.before.sa_handler == SIG_DFL || stopper.before.sa_handler == SIG_IGN) {
        return EINVAL;
    }
    stopper.runtime = runtime;
    stopper.process = getpid();
    action = stopper.before;
    action.sa_handler = on_stop_signal;
    return sigaction(number, &action, NULL) == 0 ? 0 : errno;
}

// ---- Orders -------------------------------------------------------------------

static void obey(struct sp_runtime *runtime,
                 const struct sp_message_head *head,
                 const uint8_t *body)
{
    switch (head->type) {
    case SP_MESSAGE_PING:
        (void)sp_channel_send(runtime->channel, SP_MESSAGE_PONG, body, head->size);
        sp_runtime_tidy(runtime);
        break;
    case SP_MESSAGE_CANCEL:
        queue_cancel(runtime, body, head->size);
        break;
    case SP_MESSAGE_STOP:
        sp_service_stop(runtime);
        break;
    default: // from a newer host; it does not wait for an answer
        break;
    }
}

struct service_start {
    struct sp_runtime *runtime;
    pthread_mutex_t lock;
    pthread_cond_t said;
    int outcome; // -1: not yet, else 0 or an errno
};

static int say_hello(struct sp_runtime *runtime)
{
    int rc = sp_lifeline_hold(&runtime->view.header->lifeline);
    if (rc != 0) {
        return rc;
    }
    struct sp_hello hello = {
        .version = SP_LAYOUT_VERSION, .pid = getpid(), .tid = (int32_t)gettid()};
    return sp_channel_send(runtime->channel, SP_MESSAGE_HELLO, &hello, sizeof hello) ==
                   SNAKEPIT_OK
               ? 0
               : ECONNRESET;
}

// Waits for a message. User code may block the signal of the host's death, the kernel
// takes it away at setuid(), and a process that the host has forked may hold the other
// end of the channel; so the host itself is watched as well.
static void wait_for_word(const struct sp_runtime *runtime, struct pollfd *host)
{
    struct pollfd entries[] = {{.fd = runtime->channel, .events = POLLIN}, *host};
    if (poll(entries, 2, -1) > 0 && entries[1].revents != 0) {
        if (getppid() != runtime->host) {
            die_with_host();
        }
        host->fd = -1; // user code has closed it, or it is another's by now
    }
}

static void *service_loop(void *argument)
{
    struct service_start *begun = argument;
    struct sp_runtime *runtime = begun->runtime;
    runtime->host = getppid();
    static uint8_t room[SP_MESSAGE_MAX];
    int rc = say_hello(runtime);
    pthread_mutex_lock(&begun->lock);
    begun->outcome = rc;
    pthread_cond_signal(&begun->said);
    pthread_mutex_unlock(&begun->lock);
    // From here on `begun` is gone.
    struct pollfd host = {.fd = (int)syscall(SYS_pidfd_open, runtime->host, 0),
                          .events = POLLIN};
    while (rc == 0) {
        wait_for_word(runtime, &host);
        sp_service_check_descriptors(runtime);
        struct sp_message_head head;
        const uint8_t *body;
        snakepit_err err = sp_channel_receive(runtime->channel, room, &head, &body);
        if (err == SNAKEPIT_OK) {
            obey(runtime, &head, body);
        } else if (err == SNAKEPIT_END) {
            sp_service_lost_channel(runtime);
        }
    }
    return NULL;
}

// Signals are for Python's main thread.
static int create_without_signals(pthread_t *thread, void *argument)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, service_loop, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

snakepit_err sp_service_start(struct sp_runtime *runtime, snakepit_message *why)
{
    struct service_start begun = {.runtime = runtime, .outcome = -1};
    pthread_mutex_init(&begun.lock, NULL);
    pthread_cond_init(&begun.said, NULL);
    int rc = create_without_signals(&runtime->service, &begun);
    pthread_mutex_lock(&begun.lock);
    while (rc == 0 && begun.outcome < 0) {
        pthread_cond_wait(&begun.said, &begun.lock);
    }
    pthread_mutex_unlock(&begun.lock);
    pthread_cond_destroy(&begun.said);
    pthread_mutex_destroy(&begun.lock);
    if (rc != 0) {
        errno = rc;
        return sp_system_failed(
            why, "pthread_create", NULL, "of the thread that hears the host");
    }
    if (begun.outcome != 0) {
        errno = begun.outcome;
        return sp_system_failed(why, "send", NULL, "of the first word to the host");
    }
    return SNAKEPIT_OK;
}
