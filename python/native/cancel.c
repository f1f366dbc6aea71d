// SPDX-License-Identifier: MIT
// A thread of its own, made when it is first needed, for a cancellation must wait for
// the interpreter, and the service thread must not.
#include "cancel.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "batch.h"
#include "fault.h"

// Guarded by lock.
struct sp_canceller {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    uint32_t count;
    uint32_t room;            // one for each slot: the host cancels a call once
    struct sp_cancel queue[]; // further ones are dropped
};

// Sets the exception that the executor's thread raises next; NULL takes it back.
//
// Before Python 3.12 a thread that is being started has the number of the thread that
// starts it, and is found first. It would die of the exception, and whoever has started
// it would wait for it for ever.
static void set_exception(struct sp_executor *executor, PyObject *type)
{
    (void)PyThreadState_SetAsyncExc(executor->thread, type);
#if PY_VERSION_HEX < 0x030C0000
    PyThreadState *its = executor->state;
    if (its->async_exc == type) {
        return;
    }
    PyThreadState *other = PyInterpreterState_ThreadHead(its->interp);
    for (; other != NULL; other = PyThreadState_Next(other)) {
        if (other != its && other->thread_id == executor->thread) {
            Py_CLEAR(other->async_exc);
        }
    }
    Py_XINCREF(type);
    Py_XSETREF(its->async_exc, type);
#endif
}

// While the mark says ARMING the executor does not go on to its next call, so the
// exception cannot hit that one.
bool sp_cancel_arm(struct sp_executor *executor, uint64_t call, PyObject *type)
{
    uint64_t mark = call;
    if (!atomic_compare_exchange_strong(
            &executor->current.mark, &mark, call | SP_CANCEL_ARMING)) {
        return false;
    }
    set_exception(executor, type);
    atomic_store(&executor->current.mark, call | SP_CANCEL_ARMED);
    return true;
}

void sp_cancel_withdraw(struct sp_executor *executor)
{
    uint64_t armed = executor->current.call | SP_CANCEL_ARMED;
    while (atomic_load(&executor->current.mark) != armed) {
        sched_yield();
    }
    set_exception(executor, NULL);
    executor->current.stopped = true;
    atomic_store(&executor->current.mark, 0);
}

void sp_cancel_tell(struct sp_runtime *runtime, uint64_t call)
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
    uint64_t call = sp_batch_struck(runtime, cancel);
    if (call == 0) {
        return; // others want what runs
    }
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *type = sp_fault_cancelled_type();
    for (uint32_t i = 0; type != NULL && i < runtime->view.shape.executors; i++) {
        (void)sp_cancel_arm(&runtime->executors[i], call, type);
    }
    PyErr_Clear();
    sp_cancel_tell(runtime, call);
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

void sp_cancel_queue(struct sp_runtime *runtime, const uint8_t *body, uint32_t size)
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
