// SPDX-License-Identifier: MIT
// A question takes the way of an answer, and its reply that of the arguments. The one
// thing to know: whoever moves the slot's word from ASKING or ANSWERING to RUNNING ends
// the question, so a reply that comes late, or to another turn, reaches nobody.
#include "question.h"

#include "base/clock.h"
#include "batch.h"
#include "body.h"
#include "cancel.h"
#include "codec_compat.h"
#include "fault.h"
#include "forks.h"
#include "ipc/futex.h"
#include "leaving.h"
#include "payload/wire.h"

// One question that is open.
struct asking {
    struct sp_executor *executor;
    struct sp_slot *slot;
    PyObject *name;  // borrowed
    PyObject *trace; // likewise; NULL: none
    uint64_t call;
    uint32_t id; // of the slot
    uint32_t turn;
    uint32_t lease; // of what the question lies in
    bool over;      // the last reply was read: there is nothing to withdraw any more
};

// ---- Errors -------------------------------------------------------------------

// Raises what the bridge makes of a failure: the map that payload/wire.h describes.
// Takes it; NULL with an exception is passed on.
static void raise_refusal(const struct asking *asking, PyObject *fault)
{
    PyObject *refusal = asking->executor->runtime->refusal;
    if (fault == NULL) {
        return;
    }
    PyObject *error =
        refusal == NULL
            ? PyObject_CallOneArg(PyExc_RuntimeError, fault)
            : PyObject_CallFunctionObjArgs(refusal, asking->name, fault, NULL);
    if (error != NULL && PyExceptionInstance_Check(error)) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    } else if (error != NULL) {
        PyErr_SetString(PyExc_TypeError, "a refusal is an exception");
    }
    Py_XDECREF(error);
    Py_DECREF(fault);
}

static void raise_text(const struct asking *asking,
                       snakepit_err err,
                       const char *code,
                       const char *text)
{
    raise_refusal(asking,
                  Py_BuildValue("{s:i,s:s,s:s,s:s}",
                                "err",
                                (int)err,
                                "code",
                                code,
                                "message",
                                text,
                                "type",
                                ""));
}

// From here on the canceller has nothing to say any more: the tool was told.
static void raise_cancelled(struct sp_executor *executor)
{
    sp_cancel_shield(executor);
    PyErr_SetString(sp_fault_cancelled_type(), "the call was cancelled");
}

// ---- Asking -------------------------------------------------------------------

// RUNNING to ASKING or ANSWERING, in a turn of its own, and tells those who wait for
// that.
static void change_to(struct asking *asking, enum sp_slot_state state)
{
    struct sp_runtime *runtime = asking->executor->runtime;
    _Atomic uint32_t *place = &asking->slot->result.state;
    uint32_t word = atomic_load_explicit(place, memory_order_relaxed);
    uint32_t next;
    do {
        next = ((word >> SP_SLOT_TURN_SHIFT) + 1) << SP_SLOT_TURN_SHIFT |
               (word & (SP_SLOT_NOTIFY | SP_SLOT_TOLD | SP_SLOT_READER)) |
               (uint32_t)state;
        if (state == SP_SLOT_ASKING && (word & SP_SLOT_NOTIFY) != 0) {
            next |= SP_SLOT_TOLD;
        }
        // [slot:asks] the question is visible before the state; pairs with [slot:seen].
    } while (!atomic_compare_exchange_weak_explicit(
        place, &word, next, memory_order_acq_rel, memory_order_relaxed));
    asking->turn = next >> SP_SLOT_TURN_SHIFT;
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(place, INT32_MAX);
    }
    if ((next & ~word & SP_SLOT_TOLD) != 0) {
        sp_body_notify(runtime, asking->id);
    }
}

// A session's value must be readable, by tools too, as it was put.
static bool is_put(PyObject *name)
{
    return PyUnicode_CompareWithASCIIString(name, "snakepit.session.put") == 0;
}

// The question's bytes, where an answer would lie. 0, or -1 with an exception.
static int encode(struct asking *asking, PyObject *arguments, struct sp_body *body)
{
    struct sp_executor *executor = asking->executor;
    PyObject *pair = asking->trace == NULL
                         ? PyTuple_Pack(2, asking->name, arguments)
                         : PyTuple_Pack(3, asking->name, arguments, asking->trace);
    if (pair == NULL) {
        return -1;
    }
    sp_body_begin(executor, asking->id);
    executor->encodes = true;
    sp_encoder_set_purpose(&executor->encoder,
                           is_put(asking->name) ? SP_FOR_SESSION : SP_FOR_ARGUMENTS);
    int rc = sp_encode(&executor->encoder, pair);
    sp_encoder_set_purpose(&executor->encoder, SP_FOR_RESULT);
    executor->encodes = false;
    Py_DECREF(pair);
    if (rc == 0 && sp_body_place(executor, asking->id, body) != SNAKEPIT_OK) {
        PyErr_SetString(
            PyExc_MemoryError,
            "the results arena is full; raise shared_memory_size or free answers");
        rc = -1;
    }
    return rc;
}

static int send_question(struct asking *asking, PyObject *arguments)
{
    struct sp_body body = {.lease = SP_NO_LEASE};
    if (encode(asking, arguments, &body) != 0) {
        return -1;
    }
    struct sp_slot_result *result = &asking->slot->result;
    result->status = SP_STATUS_QUESTION;
    result->call = asking->call;
    result->body = body.at;
    result->body_size = body.size;
    result->lease = body.lease;
    asking->lease = body.lease;
    sp_wait_note_cpu(&asking->executor->runtime->view.header->worker_cpu);
    change_to(asking, SP_SLOT_ASKING);
    return 0;
}

// ---- Replies ------------------------------------------------------------------

// A reply's bytes. False, with an exception: they would lie outside.
static bool find_body(const struct asking *asking, const uint8_t **bytes, size_t *size)
{
    const struct sp_slot_request *request = &asking->slot->request;
    uint64_t total = asking->executor->runtime->requests.size;
    *size = request->body_size;
    if (request->body > total || *size > total - request->body) {
        PyErr_SetString(PyExc_RuntimeError, "the host's reply lies outside of memory");
        return false;
    }
    *bytes = asking->executor->runtime->requests.base + request->body;
    return true;
}

// Decodes what the host's tool returned. Its tensors keep the lease.
static PyObject *read_result(const struct asking *asking)
{
    struct sp_runtime *runtime = asking->executor->runtime;
    uint32_t number = asking->slot->request.lease;
    struct sp_lease *lease = NULL;
    const uint8_t *bytes;
    size_t size;
    if (number != SP_NO_LEASE) {
        lease = sp_lease_new(runtime, number);
        if (lease == NULL) {
            sp_lease_return(runtime, number);
            return PyErr_NoMemory();
        }
    }
    struct sp_decoder *decoder = &asking->executor->decoder;
    decoder->around = 1; // what a session has comes in a list
    PyObject *value = find_body(asking, &bytes, &size)
                          ? sp_decode(decoder, bytes, size, lease)
                          : NULL;
    decoder->around = 0;
    if (lease != NULL) {
        sp_lease_unref(lease);
    }
    return value;
}

static void raise_fault(const struct asking *asking)
{
    const uint8_t *bytes;
    size_t size;
    if (!find_body(asking, &bytes, &size)) {
        return;
    }
    if (size == 0) {
        raise_text(
            asking,
            SNAKEPIT_NO_MEMORY,
            "NO_MEMORY",
            "the host has no shared memory or no lease left for its reply; raise "
            "shared_memory_size, or drop tensors");
        return;
    }
    raise_refusal(asking, sp_decode(&asking->executor->decoder, bytes, size, NULL));
}

static PyObject *read_reply(const struct asking *asking)
{
    switch (asking->slot->request.reply) {
    case SP_REPLY_RESULT:
        return read_result(asking);
    case SP_REPLY_FAULT:
        raise_fault(asking);
        return NULL;
    default:
        raise_cancelled(asking->executor);
        return NULL;
    }
}

// Says that the reply was read, which was to run another slot, and runs that. 0, or -1
// with an exception that interrupts both calls.
static int serve_other(struct asking *asking)
{
    uint64_t other = asking->slot->request.body;
    change_to(asking, SP_SLOT_ANSWERING);
    if (other < asking->executor->runtime->view.shape.slots && other != asking->id) {
        return sp_executor_serve_within(asking->executor, (uint32_t)other);
    }
    return 0;
}

// ---- Ending it from this side -------------------------------------------------

// False: there is a reply.
static bool take_back(struct asking *asking)
{
    _Atomic uint32_t *place = &asking->slot->result.state;
    uint32_t word = atomic_load_explicit(place, memory_order_acquire);
    uint32_t state;
    do {
        state = word & SP_SLOT_STATE;
        if ((state != SP_SLOT_ASKING && state != SP_SLOT_ANSWERING) ||
            word >> SP_SLOT_TURN_SHIFT != asking->turn) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(place,
                                                    &word,
                                                    (word & ~(uint32_t)SP_SLOT_STATE) |
                                                        SP_SLOT_RUNNING,
                                                    memory_order_acq_rel,
                                                    memory_order_acquire));
    // What the host has heard it gives back itself.
    if (state == SP_SLOT_ASKING && asking->lease != SP_NO_LEASE) {
        sp_runtime_end_lease(asking->executor->runtime, asking->lease);
    }
    return true;
}

// Serves what the host asks for before it hears that nobody waits. What is raised
// meanwhile takes the place of `*error`.
static void serve_late(struct asking *asking, PyObject **error)
{
    if (serve_other(asking) != 0) {
        Py_XDECREF(*error);
        *error = sp_fault_take();
    }
}

// Whatever the host still says, the exception that is set is what comes of it.
static void withdraw(struct asking *asking)
{
    PyObject *error = sp_fault_take();
    bool taken = take_back(asking);
    while (!taken && asking->slot->request.reply == SP_REPLY_SERVE) {
        serve_late(asking, &error);
        taken = take_back(asking);
    }
    if (!taken && asking->slot->request.reply == SP_REPLY_RESULT &&
        asking->slot->request.lease != SP_NO_LEASE) {
        sp_lease_return(asking->executor->runtime, asking->slot->request.lease);
    }
    sp_fault_put_back(error);
}

// ---- One question -------------------------------------------------------------

static enum sp_pause_result wait_for_reply(struct asking *asking)
{
    struct sp_executor *executor = asking->executor;
    struct sp_control_view *view = &executor->runtime->view;
    const struct sp_pause pause = {.slot = asking->slot,
                                   .reply = true,
                                   .signals = executor->signals,
                                   .signals_heard = executor->signals_heard};
    const struct sp_wait wait = {
        .patience = &executor->pausing,
        .peer_cpu = &view->header->host_cpu,
        .waiting = view->shape.waiting,
        .deadline = executor->current.deadline,
    };
    enum sp_pause_result result;
    Py_BEGIN_ALLOW_THREADS result = sp_wait_host(&pause, &wait);
    Py_END_ALLOW_THREADS return result;
}

// One turn of the wait: the reply, NULL with an exception, or NULL without one where
// the waiting goes on.
static PyObject *next_reply(struct asking *asking)
{
    switch (wait_for_reply(asking)) {
    case SP_PAUSE_LATE:
        raise_text(asking,
                   SNAKEPIT_DEADLINE_EXCEEDED,
                   "DEADLINE_EXCEEDED",
                   "the call's time ran out before the host replied");
        break;
    case SP_PAUSE_INTERRUPTED:
        (void)sp_leaving_run_handlers(asking->executor);
        break;
    default:
        if (asking->slot->request.reply != SP_REPLY_SERVE) {
            asking->over = true;
            return read_reply(asking);
        }
        if (serve_other(asking) != 0) {
            break;
        }
        // A call that was given up meanwhile hears of it by its cancel word alone.
        if (sp_slot_is_given_up(asking->slot)) {
            raise_cancelled(asking->executor);
        }
    }
    return NULL;
}

// In whose name it asks.
static struct asking asking_of(struct sp_executor *executor, PyObject *name)
{
    struct asking asking = {.executor = executor,
                            .name = name,
                            .call = executor->current.call,
                            .id = executor->current.slot};
    if (sp_batch_runs(executor)) {
        const struct sp_batch_item *speaker = sp_batch_speaker(executor);
        asking.call = speaker->request.call;
        asking.id = speaker->slot;
    }
    asking.slot = &executor->runtime->view.slots[asking.id];
    return asking;
}

PyObject *sp_question_ask(struct sp_executor *executor,
                          PyObject *name,
                          PyObject *arguments,
                          PyObject *trace)
{
    struct asking asking = asking_of(executor, name);
    asking.trace = trace;
    if (sp_slot_is_given_up(asking.slot)) {
        raise_cancelled(executor);
        return NULL;
    }
    sp_forks_check(executor->current.name, executor->current.name_size);
    if (executor->encodes || executor->pauses) {
        PyErr_SetString(
            PyExc_RuntimeError,
            executor->encodes
                ? "the arguments of a question to the host ask it themselves"
                : "a signal's handler cannot ask the host while the call "
                  "that it interrupts waits for it");
        return NULL;
    }
    if (send_question(&asking, arguments) != 0) {
        return NULL;
    }
    PyObject *value = NULL;
    while (!asking.over) {
        value = next_reply(&asking);
        if (!asking.over && PyErr_Occurred()) {
            withdraw(&asking);
            return NULL;
        }
    }
    return value;
}
