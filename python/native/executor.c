// SPDX-License-Identifier: MIT
// The worker's end of a call: take a slot, decode, call, encode, answer. The thread is
// attached to the interpreter except while it waits. It answers whatever happens: every
// exception, even one raised while another was being described, becomes a fault.
#include "state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/prefetch.h"
#include "batch.h"
#include "body.h"
#include "cancel.h"
#include "context.h"
#include "crash.h"
#include "current.h"
#include "fault.h"
#include "fit.h"
#include "forks.h"
#include "frames.h"
#include "invoke.h"
#include "ipc/futex.h"
#include "ipc/tube.h"
#include "leaving.h"
#include "stream.h"

#define SIGNALS_EVERY 1024u // calls between two looks for signals

static _Thread_local struct sp_executor *here;

// What a call came to, before it is written to the slot.
struct outcome {
    uint32_t status;
    struct sp_body body;
    uint16_t held;
    uint64_t ran_ticks;
    uint32_t ran_until;     // as in the slot
    PyObject *interruption; // the exception that ended it; it is not answered
    PyObject *result;       // what is left of the call once it is written
    PyObject *context;
};

struct sp_executor *sp_executor_here(void)
{
    return here;
}

// ---- Answering ----------------------------------------------------------------

static void answer(struct sp_executor *executor,
                   uint32_t id,
                   uint64_t call,
                   const struct outcome *outcome)
{
    struct sp_runtime *runtime = executor->runtime;
    struct sp_slot_result *result = &runtime->view.slots[id].result;
    result->status = outcome->status;
    result->call = call;
    result->body = outcome->body.at;
    result->body_size = outcome->body.size;
    result->lease = outcome->body.lease;
    result->held = outcome->held;
    result->executor = (uint16_t)executor->index;
    result->ran_until = outcome->ran_until;
    result->ran_ticks = outcome->ran_ticks;
    sp_wait_note_cpu(&runtime->view.header->worker_cpu);
    // [slot:done] the answer is visible before the state; pairs with [slot:seen].
    uint32_t word =
        atomic_exchange_explicit(&result->state, SP_SLOT_DONE, memory_order_acq_rel);
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(&result->state, 1);
    }
    if ((word & (SP_SLOT_NOTIFY | SP_SLOT_TOLD)) == SP_SLOT_NOTIFY) {
        sp_body_notify(runtime, id);
    }
}

// ---- Encoding -----------------------------------------------------------------

// Of a call that was given up it alone matters that it has ended. What its result or
// its exception would run, and wait for, is not run.
static bool is_given_up(const struct sp_executor *executor, uint32_t id)
{
    return sp_slot_is_given_up(&executor->runtime->view.slots[id]);
}

// Whether the exception that is set is one of a call that was given up: it is cleared.
static bool drop_exception(struct sp_executor *executor, uint32_t id)
{
    if (!is_given_up(executor, id)) {
        return false;
    }
    Py_CLEAR(executor->shapes);
    PyErr_Clear();
    return true;
}

// The exception that is set becomes the answer, and is cleared. An interruption is not
// answered: the host decides what becomes of the calls of a worker that dies.
static void answer_exception(struct sp_executor *executor,
                             uint32_t id,
                             snakepit_err err,
                             struct outcome *outcome)
{
    outcome->status = SP_STATUS_FAULT;
    outcome->body.lease = SP_NO_LEASE;
    if (sp_leaving_has_interrupted()) {
        PyObject *interruption = sp_fault_take();
        // What the tool's frames hold ends here, as that of any call.
        (void)PyException_SetTraceback(interruption, Py_None);
        PyException_SetContext(interruption, NULL);
        outcome->interruption = interruption;
        return;
    }
    if (executor->current.stopped &&
        PyErr_ExceptionMatches(sp_fault_cancelled_type())) {
        outcome->status = SP_STATUS_STOPPED;
    }
    if (drop_exception(executor, id)) {
        return;
    }
    PyObject *fault =
        sp_fault_describe(executor->runtime->formatter, err, &executor->shapes);
    sp_body_begin(executor, id);
    if (fault == NULL || sp_encode(&executor->encoder, fault) != 0 ||
        sp_body_place(executor, id, &outcome->body) != SNAKEPIT_OK) {
        PyErr_Clear();
        outcome->body.at = (uint64_t)id * SP_INLINE_RESULT;
        outcome->body.size = sp_fault_bare(
            executor->runtime->results.base + outcome->body.at, SP_INLINE_RESULT, err);
        outcome->body.lease = SP_NO_LEASE;
    }
    Py_XDECREF(fault);
}

static void answer_result(struct sp_executor *executor,
                          uint32_t id,
                          PyObject *result,
                          struct outcome *outcome)
{
    if (is_given_up(executor, id)) {
        outcome->status = SP_STATUS_OK;
        return;
    }
    sp_body_begin(executor, id);
    if (sp_encode(&executor->encoder, result) != 0) {
        bool memory = PyErr_ExceptionMatches(PyExc_MemoryError);
        answer_exception(executor,
                         id,
                         memory ? SNAKEPIT_NO_MEMORY : SNAKEPIT_UNSERIALISABLE,
                         outcome);
    } else if (sp_body_place(executor, id, &outcome->body) != SNAKEPIT_OK) {
        PyErr_SetString(
            PyExc_MemoryError,
            "the results arena is full; raise shared_memory_size or free answers");
        answer_exception(executor, id, SNAKEPIT_NO_MEMORY, outcome);
    } else {
        outcome->status = SP_STATUS_OK;
    }
}

// ---- One call -----------------------------------------------------------------

static bool within(uint64_t offset, uint64_t size, uint64_t total)
{
    return offset <= total && size <= total - offset;
}

// The host is trusted more than a worker, but a request that points outside would be a
// crash whose cause nobody could see.
static bool request_is_sound(const struct sp_runtime *runtime,
                             const struct sp_slot_request *request)
{
    uint64_t total = runtime->requests.size;
    return request->name_size <= SP_TOOL_NAME_MAX &&
           request->session_size <= SP_SESSION_MAX &&
           request->trace_size <= SP_TRACE_MAX &&
           within(request->name,
                  request->trace_size > 0
                      ? SP_PARCEL_BLOCK
                      : (uint64_t)request->name_size + request->session_size,
                  total) &&
           within(request->body, request->body_size, total);
}

// Drops the executor's own reference; 1 when Python holds others, and a return will
// follow.
static uint16_t lease_leave(struct sp_lease *lease)
{
    if (lease == NULL) {
        return 0;
    }
    if (atomic_fetch_sub_explicit(&lease->refs, 1, memory_order_acq_rel) != 1) {
        return 1;
    }
    free(lease);
    return 0;
}

// Drops what is left of a call. This may run user code, in the call's context.
static void let_go(struct outcome *outcome)
{
    Py_CLEAR(outcome->result);
    sp_context_leave(outcome->context);
    outcome->context = NULL;
}

// Whether the host learns from the answer what Python still holds of the request's
// tensors, or another executor may need at once what the host gives back of the
// result's. All else can wait until the call is answered.
static bool must_let_go(const struct sp_executor *executor,
                        const struct outcome *outcome,
                        const struct sp_lease *lease)
{
    bool lends = outcome->body.lease != SP_NO_LEASE;
    return lease != NULL || (lends && executor->runtime->view.shape.executors > 1) ||
           outcome->interruption != NULL;
}

// When the call was taken, in ticks; nearly, to save a look at the clock.
static uint64_t take_begin(struct sp_executor *executor)
{
    uint64_t came = executor->patience.came;
    executor->patience.came = 0;
    return came != 0 ? came : sp_clock_ticks();
}

static void note_end(struct outcome *outcome, uint64_t begun)
{
    uint64_t now = sp_clock_ticks();
    outcome->ran_ticks = now - begun;
    outcome->ran_until = (uint32_t)(now / SP_UNTIL_TICKS);
}

static void run_tool(struct sp_executor *executor,
                     uint32_t id,
                     const struct sp_slot_request *request,
                     struct outcome *outcome)
{
    struct sp_lease *lease = NULL;
    __builtin_prefetch(executor->runtime->requests.base + request->body);
    if (request->lease != SP_NO_LEASE) {
        lease = sp_lease_new(executor->runtime, request->lease);
    }
    snakepit_err err = SNAKEPIT_TOOL_FAILED;
    uint64_t begun = take_begin(executor);
    PyObject *context = sp_context_enter(executor, request);
    sp_current_begin(executor, id, request, begun);
    PyObject *result = context == NULL ? NULL
                       : request->kind == SP_CALL_PROBE
                           ? PyBool_FromLong(1)
                           : sp_invoke_tool(executor, request, lease, &err);
    if (result != NULL && sp_stream_wants(executor, request, result)) {
        result = sp_stream_run(executor, request, result, &err);
    }
    sp_forks_check(executor->current.name, executor->current.name_size);
    note_end(outcome, begun);
    sp_current_end(executor);
    if (result == NULL) {
        answer_exception(executor, id, err, outcome);
    } else {
        answer_result(executor, id, result, outcome);
    }
    outcome->result = result;
    outcome->context = context;
    sp_stream_leave(executor, &outcome->body.lease);
    if (must_let_go(executor, outcome, lease)) {
        let_go(outcome);
    }
    outcome->held = lease_leave(lease);
}

static struct sp_slot_request read_request(const struct sp_slot *slot)
{
    struct sp_slot_request request = {0};
    // All but the cancel word, which the host may write at any time.
    memcpy(&request, &slot->request, offsetof(struct sp_slot_request, cancel));
    return request;
}

// QUEUED to RUNNING, keeping the bits. False: the host has taken the call back.
static bool start(struct sp_slot *slot)
{
    uint32_t word = atomic_load_explicit(&slot->result.state, memory_order_acquire);
    sp_tube_clear(slot);
    while ((word & SP_SLOT_STATE) == SP_SLOT_QUEUED) {
        uint32_t running = (word & ~(uint32_t)SP_SLOT_STATE) | SP_SLOT_RUNNING;
        if (atomic_compare_exchange_weak_explicit(&slot->result.state,
                                                  &word,
                                                  running,
                                                  memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return true;
        }
    }
    return false;
}

// So the host knows which calls run as one, and which run alone.
static void note_executor(const struct sp_executor *executor, struct sp_slot *slot)
{
    __atomic_store_n(
        &slot->result.executor, (uint16_t)executor->index, __ATOMIC_RELAXED);
}

// 0, or -1 with the exception that interrupts the worker.
static int serve(struct sp_executor *executor, uint32_t id)
{
    struct sp_runtime *runtime = executor->runtime;
    if (id >= runtime->view.shape.slots) {
        return 0;
    }
    struct sp_slot *slot = &runtime->view.slots[id];
    // Both cache lines come from the other core: let them travel at the same time.
    __builtin_prefetch(&slot->request);
    sp_prefetch_for_write(&slot->result);
    // What a caller that calls again and again writes lies where it lay before.
    __builtin_prefetch(runtime->requests.base + executor->last_name);
    // The host has read the last answer here: that line travels while the tool runs.
    sp_prefetch_for_write(runtime->results.base + (uint64_t)id * SP_INLINE_RESULT);
    struct outcome outcome = {.status = SP_STATUS_SKIPPED, .body.lease = SP_NO_LEASE};
    if (runtime->tools.widest > 1) {
        note_executor(executor, slot);
    }
    bool started = start(slot);
    struct sp_slot_request request = read_request(slot);
    if (started && request_is_sound(runtime, &request)) {
        executor->last_name = request.name;
        run_tool(executor, id, &request, &outcome);
    }
    if (outcome.interruption != NULL) {
        sp_fault_put_back(outcome.interruption);
        return -1;
    }
    answer(executor, id, request.call, &outcome);
    let_go(&outcome);
    sp_context_prepare(executor);
    return 0;
}

// ---- Many calls at once -------------------------------------------------------

// Begins what was gathered, and passes on what the host has taken back meanwhile. The
// batch is locked from the first one's start: a cancel of that one is not to strike the
// others.
static void begin_items(struct sp_executor *executor)
{
    static const struct outcome skipped = {.status = SP_STATUS_SKIPPED,
                                           .body.lease = SP_NO_LEASE};
    struct sp_runtime *runtime = executor->runtime;
    struct sp_batch *batch = &executor->batch;
    uint32_t count = 0;
    pthread_mutex_lock(&batch->lock);
    for (uint32_t i = 0; i < batch->taken_count; i++) {
        uint32_t id = batch->taken[i];
        struct sp_slot *slot = &runtime->view.slots[id];
        note_executor(executor, slot);
        bool started = start(slot);
        struct sp_slot_request request = read_request(slot);
        if (started && request_is_sound(runtime, &request)) {
            batch->items[count++] =
                (struct sp_batch_item){.request = request, .slot = id};
        } else {
            answer(executor, id, request.call, &skipped);
        }
    }
    batch->count = count;
    pthread_mutex_unlock(&batch->lock);
}

// Runs them as one call, which has the number of the first and the time of the last.
// The list of their results; or NULL with an exception that ends them all.
static PyObject *
run_items(struct sp_executor *executor, PyObject **context, struct outcome *ran)
{
    const struct sp_batch *batch = &executor->batch;
    uint64_t begun = sp_clock_ticks(); // not when the first was taken
    *context = sp_context_enter(executor, &batch->items[0].request);
    sp_current_begin(executor, batch->items[0].slot, &batch->items[0].request, begun);
    executor->current.deadline = sp_batch_deadline(batch);
    PyObject *results = *context == NULL ? NULL : sp_invoke_batch(executor);
    sp_forks_check(executor->current.name, executor->current.name_size);
    note_end(ran, begun);
    ran->ran_ticks /= batch->count;
    sp_current_end(executor);
    return results;
}

// False: the exception that interrupts the worker is set, and the item is not answered.
static bool answer_item(struct sp_executor *executor,
                        struct sp_batch_item *item,
                        PyObject *results,
                        PyObject *failure,
                        const struct outcome *ran)
{
    struct outcome outcome = *ran;
    snakepit_err err = SNAKEPIT_TOOL_FAILED;
    PyObject *result = sp_invoke_take_result(executor, item, results, failure, &err);
    if (result == NULL) {
        answer_exception(executor, item->slot, err, &outcome);
    } else {
        answer_result(executor, item->slot, result, &outcome);
    }
    Py_XDECREF(result);
    outcome.held = lease_leave(item->lease);
    item->lease = NULL;
    if (outcome.interruption != NULL) {
        sp_fault_put_back(outcome.interruption);
        return false;
    }
    answer(executor, item->slot, item->request.call, &outcome);
    return true;
}

// As serve(), for what was gathered.
static int serve_batch(struct sp_executor *executor)
{
    struct sp_batch *batch = &executor->batch;
    begin_items(executor);
    uint32_t count = batch->count;
    if (count == 0) {
        return 0;
    }
    PyObject *context;
    struct outcome ran = {.body.lease = SP_NO_LEASE};
    PyObject *results = run_items(executor, &context, &ran);
    PyObject *failure = results == NULL ? sp_fault_take() : NULL;
    sp_batch_close(batch);
    bool goes_on = true;
    for (uint32_t i = 0; i < count && goes_on; i++) {
        goes_on = answer_item(executor, &batch->items[i], results, failure, &ran);
    }
    PyObject *interruption = sp_fault_take();
    Py_XDECREF(results);
    Py_XDECREF(failure);
    sp_context_leave(context);
    sp_fault_put_back(interruption);
    if (goes_on) {
        sp_context_prepare(executor);
    }
    return goes_on ? 0 : -1;
}

// Serves a slot that was taken from the ring, and those that it can be run with.
static int serve_taken(struct sp_executor *executor, uint32_t id)
{
    bool many = executor->runtime->tools.widest > 1 && sp_batch_gather(executor, id);
    return many ? serve_batch(executor) : serve(executor, id);
}

// ---- In the middle of a call --------------------------------------------------

int sp_executor_serve_within(struct sp_executor *executor, uint32_t id)
{
    struct sp_aside aside = sp_current_put_aside(executor);
    int rc = serve(executor, id);
    PyObject *interruption = sp_fault_take();
    // It interrupts this call as well, once.
    aside.shielded = aside.shielded || rc != 0;
    sp_current_take_up(executor, &aside);
    sp_fault_put_back(interruption);
    return rc;
}

// ---- The loop -----------------------------------------------------------------

// To leave the interpreter and to come back costs a twelfth of a call, and the second
// half of it with the number at hand. So a wait that is about to end goes by without,
// but not so often that other threads would notice.
#define ATTACHED_US 50u

static bool may_stay_attached(const struct sp_executor *executor, uint64_t now)
{
    return now - executor->attached < ATTACHED_US * sp_clock_ticks_per_us();
}

// Takes the next slot: without waiting if there is one, else detached. A worker that
// leaves takes nothing: the host gives what it has not begun to others.
static enum sp_intake_result next(struct sp_executor *executor, uint32_t *id)
{
    const struct sp_intake *intake = &executor->runtime->intake;
    executor->patience.came = 0; // of a number that nothing came of
    if (atomic_load_explicit(&executor->runtime->leaving.begun, memory_order_relaxed)) {
        return SP_INTAKE_STOP;
    }
    if (sp_ring_take(intake->cells, intake->mask, intake->head, id)) {
        return SP_INTAKE_TAKEN;
    }
    struct sp_wait wait = {
        .patience = &executor->patience,
        .peer_cpu = &executor->runtime->view.header->host_cpu,
        .waiting = executor->runtime->view.shape.waiting,
        .deadline = SP_NEVER,
        .place = executor->index,
    };
    uint64_t now = sp_clock_ticks();
    if (may_stay_attached(executor, now) &&
        sp_wait_intake_briefly(intake, &wait, now, id)) {
        return SP_INTAKE_TAKEN;
    }
    enum sp_intake_result result;
    Py_BEGIN_ALLOW_THREADS result = sp_wait_intake(intake, &wait, id);
    Py_END_ALLOW_THREADS;
    executor->attached = sp_clock_ticks();
    return result;
}

static int loop(struct sp_executor *executor)
{
    for (;;) {
        uint32_t id;
        enum sp_intake_result result = next(executor, &id);
        if (result == SP_INTAKE_STOP) {
            return 0;
        }
        if (result == SP_INTAKE_TAKEN && serve_taken(executor, id) != 0) {
            return -1;
        }
        if ((result == SP_INTAKE_INTERRUPTED ||
             ++executor->served % SIGNALS_EVERY == 0) &&
            PyErr_CheckSignals() != 0) {
            return -1;
        }
    }
}

int sp_executor_run(struct sp_executor *executor)
{
    executor->thread = PyThread_get_thread_ident();
    executor->state = PyThreadState_Get();
    sp_decoder_init(&executor->decoder, executor->runtime->codec);
    sp_encoder_init(&executor->encoder, executor->runtime->codec);
    executor->stream_lease = SP_NO_LEASE;
    executor->fits = sp_fits_new(executor->runtime->tools.room); // or do without
    // Python runs the handlers of signals on the main thread alone.
    executor->signals =
        gettid() == getpid() ? &executor->runtime->signals : &executor->own_signals;
    here = executor;
    struct sp_stamp *stamp = &executor->runtime->view.stamps[executor->index];
    void *stack = sp_crash_enter_thread();
    sp_frames_note_thread(stamp);
    int rc = sp_context_init(executor) != 0 ? -1 : loop(executor);
    sp_frames_forget_thread(stamp);
    sp_crash_leave_thread(stack);
    here = NULL;
    sp_fits_free(executor->fits, executor->runtime->tools.room);
    executor->fits = NULL;
    executor->tool = NULL;
    sp_context_fini(executor);
    sp_encoder_fini(&executor->encoder);
    sp_decoder_fini(&executor->decoder);
    return rc;
}
