// SPDX-License-Identifier: MIT
// A copy of a context shares its table of variables until one of them is set, so it
// costs one small object, which Python takes from a free list.
#include "context.h"

#include "fault.h"
#include "trace.h"

#ifdef Py_GIL_DISABLED
// The table is counted once for each copy. Where threads share one they would fight for
// its count, so this thread gets a table of its own, by setting a variable that nobody
// reads. 0, or -1 with an exception.
static int own_table(PyObject *context)
{
    PyObject *variable = PyContextVar_New("snakepit_executor", NULL);
    if (variable == NULL || PyContext_Enter(context) != 0) {
        Py_XDECREF(variable);
        return -1;
    }
    PyObject *token = PyContextVar_Set(variable, Py_None);
    int rc = PyContext_Exit(context);
    Py_DECREF(variable);
    Py_XDECREF(token);
    return token == NULL ? -1 : rc;
}
#else
static int own_table(PyObject *context)
{
    (void)context;
    return 0;
}
#endif

int sp_context_init(struct sp_executor *executor)
{
    PyObject *start = executor->runtime->context;
    PyObject *mine = start == NULL ? PyContext_CopyCurrent() : PyContext_Copy(start);
    if (mine == NULL || own_table(mine) != 0) {
        Py_XDECREF(mine);
        return -1;
    }
    executor->context = mine;
    return 0;
}

void sp_context_fini(struct sp_executor *executor)
{
    Py_CLEAR(executor->next_context);
    Py_CLEAR(executor->context);
}

void sp_context_prepare(struct sp_executor *executor)
{
    if (executor->next_context == NULL) {
        executor->next_context = PyContext_Copy(executor->context);
        if (executor->next_context == NULL) {
            PyErr_Clear(); // the call will say so, should it be so still
        }
    }
}

static PyObject *take_context(struct sp_executor *executor)
{
    PyObject *context = executor->next_context;
    executor->next_context = NULL;
    return context == NULL ? PyContext_Copy(executor->context) : context;
}

// Replaces what calls could change in place, where there is such a thing.
static int renew(const struct sp_runtime *runtime)
{
    PyObject *done = PyObject_CallNoArgs(runtime->renewal);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

// Whether somebody wants to know which trace a call belongs to. The tool itself reads
// it where it is: see call.c. It looks once for each number of modules: to look anew
// for each call takes as long as all else that is done for its trace.
static bool is_traced(struct sp_executor *executor)
{
    const struct sp_runtime *runtime = executor->runtime;
    if (runtime->tracer == NULL) {
        return false;
    }
    const Py_ssize_t count = PyDict_GET_SIZE(runtime->loaded);
    if (count != executor->modules) {
        const int found = PyDict_Contains(runtime->loaded, runtime->tracing);
        if (found < 0) {
            PyErr_Clear();
        }
        executor->modules = count;
        executor->traced = found > 0;
    }
    return executor->traced;
}

// Tells the bridge which trace the request belongs to.
static void join_trace(const struct sp_runtime *runtime,
                       const struct sp_slot_request *request)
{
    const uint8_t *name = runtime->requests.base + request->name;
    PyObject *traceparent;
    PyObject *tracestate;
    sp_trace_texts(name, request->trace_size, &traceparent, &tracestate);
    PyObject *done = traceparent == NULL || tracestate == NULL
                         ? NULL
                         : PyObject_CallFunctionObjArgs(
                               runtime->tracer, traceparent, tracestate, NULL);
    if (done == NULL) {
        PyErr_Clear(); // the call goes on without
    }
    Py_XDECREF(done);
    Py_XDECREF(traceparent);
    Py_XDECREF(tracestate);
}

PyObject *sp_context_enter(struct sp_executor *executor,
                           const struct sp_slot_request *request)
{
    PyObject *context = take_context(executor);
    if (context == NULL || PyContext_Enter(context) != 0) {
        Py_XDECREF(context);
        return NULL;
    }
    if (executor->runtime->renewal != NULL && renew(executor->runtime) != 0) {
        PyObject *exception = sp_fault_take();
        sp_context_leave(context);
        sp_fault_put_back(exception);
        return NULL;
    }
    if (request->trace_size > 0 && is_traced(executor)) {
        join_trace(executor->runtime, request);
    }
    return context;
}

void sp_context_leave(PyObject *context)
{
    // It fails where native code of the adapter has left another one entered. That one
    // is what its thread goes on in; calls do not see it.
    if (context != NULL && PyContext_Exit(context) != 0) {
        PyErr_Clear();
    }
    Py_XDECREF(context);
}
