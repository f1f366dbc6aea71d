// SPDX-License-Identifier: MIT
// A snapshot of the running call, but for `cancelled`, which looks at shared memory
// each time. A Call that outlives its call stays harmless: it notices by the call's
// number.
#include "call.h"

#include <stddef.h>
#include <structmember.h>

#include "base/clock.h"
#include "batch.h"
#include "codec_compat.h"
#include "fault.h"
#include "trace.h"

// A call that it stands for.
struct member {
    uint64_t id;
    uint32_t slot;
};

struct call_object {
    PyObject_HEAD struct sp_runtime *runtime;
    unsigned long long id;
    struct member first;
    struct member *others; // of a batch, or NULL
    uint32_t other_count;
    uint64_t deadline;
    PyObject *session_id;
    PyObject *tool;
    PyObject *traceparent;
    PyObject *tracestate;
};

static PyObject *text_of(const uint8_t *bytes, uint32_t size)
{
    return PyUnicode_DecodeUTF8((const char *)bytes, size, "surrogateescape");
}

static void call_dealloc(PyObject *self)
{
    struct call_object *call = (struct call_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(call->others);
    Py_XDECREF(call->session_id);
    Py_XDECREF(call->tool);
    Py_XDECREF(call->traceparent);
    Py_XDECREF(call->tracestate);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_deadline(PyObject *self, void *closure)
{
    (void)closure;
    uint64_t deadline = ((struct call_object *)self)->deadline;
    if (deadline == SP_NEVER) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble((double)deadline / (double)SP_NS_PER_S);
}

static PyObject *get_remaining(PyObject *self, void *closure)
{
    (void)closure;
    uint64_t deadline = ((struct call_object *)self)->deadline;
    if (deadline == SP_NEVER) {
        Py_RETURN_NONE;
    }
    uint64_t now = sp_clock_now();
    uint64_t left = deadline > now ? deadline - now : 0;
    return PyFloat_FromDouble((double)left / (double)SP_NS_PER_S);
}

static bool is_given_up(const struct call_object *call, const struct member *member)
{
    struct sp_slot_request *request = &call->runtime->view.slots[member->slot].request;
    bool mine = __atomic_load_n(&request->call, __ATOMIC_RELAXED) == member->id;
    return !mine || __atomic_load_n(&request->cancel, __ATOMIC_ACQUIRE) != 0;
}

// A batch is cancelled once nobody wants any of it.
static bool is_cancelled(const struct call_object *call)
{
    bool cancelled = is_given_up(call, &call->first);
    for (uint32_t i = 0; i < call->other_count && cancelled; i++) {
        cancelled = is_given_up(call, &call->others[i]);
    }
    return cancelled;
}

static PyObject *get_cancelled(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(is_cancelled((struct call_object *)self));
}

static PyObject *raise_if_cancelled(PyObject *self, PyObject *unused)
{
    (void)unused;
    const struct call_object *call = (struct call_object *)self;
    if (is_cancelled(call)) {
        return PyErr_Format(
            sp_fault_cancelled_type(), "the call of %U was cancelled", call->tool);
    }
    Py_RETURN_NONE;
}

static PyMethodDef call_methods[] = {
    {"raise_if_cancelled",
     raise_if_cancelled,
     METH_NOARGS,
     "Raises Cancelled if the caller has asked the tool to stop."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef call_members[] = {
    {"id",
     T_ULONGLONG,
     offsetof(struct call_object, id),
     READONLY,
     "The call's number."},
    {"session_id",
     T_OBJECT_EX,
     offsetof(struct call_object, session_id),
     READONLY,
     "The session it belongs to; empty if none."},
    {"tool",
     T_OBJECT_EX,
     offsetof(struct call_object, tool),
     READONLY,
     "The name it was called by."},
    {"traceparent",
     T_OBJECT_EX,
     offsetof(struct call_object, traceparent),
     READONLY,
     "The trace and span that it belongs to; empty if none."},
    {"tracestate",
     T_OBJECT_EX,
     offsetof(struct call_object, tracestate),
     READONLY,
     "What comes with its trace; empty if nothing."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef call_getset[] = {
    {"deadline",
     get_deadline,
     NULL,
     "When the answer is due, in time.monotonic(); None: never.",
     NULL},
    {"remaining",
     get_remaining,
     NULL,
     "Seconds until the answer is due, at least 0; None: it never is.",
     NULL},
    {"cancelled",
     get_cancelled,
     NULL,
     "Whether the caller has asked the tool to stop.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_members, call_members},
    {Py_tp_getset, call_getset},
    {Py_tp_methods, call_methods},
    {Py_tp_doc, (void *)"The call that an executor runs now."},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "snakepit_bridge._runtime.Call",
    .basicsize = sizeof(struct call_object),
    .flags = SP_TYPE_FLAGS,
    .slots = call_slots,
};

PyTypeObject *sp_call_type_new(PyObject *module)
{
    return sp_type_new(module, &call_spec);
}

// The other calls of its batch. 0, or -1 with an exception.
static int copy_others(struct call_object *call, const struct sp_batch *batch)
{
    call->others = PyMem_New(struct member, batch->count);
    if (call->others == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 1; i < batch->count; i++) {
        const struct sp_batch_item *item = &batch->items[i];
        call->others[call->other_count++] =
            (struct member){item->request.call, item->slot};
    }
    return 0;
}

PyObject *sp_call_current(PyTypeObject *type)
{
    const struct sp_executor *executor = sp_executor_here();
    if (executor == NULL || executor->current.call == 0) {
        Py_RETURN_NONE;
    }
    const struct sp_current *current = &executor->current;
    struct call_object *call = (struct call_object *)type->tp_alloc(type, 0);
    if (call == NULL) {
        return NULL;
    }
    call->runtime = executor->runtime;
    call->id = current->call;
    call->first = (struct member){current->call, current->slot};
    call->deadline = current->deadline;
    call->tool = text_of(current->name, current->name_size);
    call->session_id =
        text_of(current->name + current->name_size, current->session_size);
    sp_trace_texts(
        current->name, current->trace_size, &call->traceparent, &call->tracestate);
    int rc = sp_batch_runs(executor) ? copy_others(call, &executor->batch) : 0;
    if (call->tool == NULL || call->session_id == NULL || call->traceparent == NULL ||
        call->tracestate == NULL || rc != 0) {
        Py_DECREF(call);
        return NULL;
    }
    return (PyObject *)call;
}
