// SPDX-License-Identifier: MIT
// The counterpart of python/native/executor.c without an interpreter.
#include "support/fake_worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "ipc/completion.h"
#include "ipc/futex.h"
#include "ipc/wait.h"

#define THREADS_MOST 64

struct fake_worker {
    struct sp_port *port;
    const struct sp_segment *requests;
    struct sp_intake intake;
    pthread_t threads[THREADS_MOST];
    uint32_t thread_count;
    _Atomic uint32_t started;
    _Atomic uint32_t running;
    _Atomic uint32_t most;

    pthread_mutex_t lock; // guards the rest
    pthread_cond_t changed;
    uint32_t permits;
    bool leaving;
};

struct fake_worker *fake_worker_new(struct sp_port *port,
                                    const struct sp_segment *requests)
{
    struct fake_worker *worker = calloc(1, sizeof *worker);
    SP_CHECK(worker != NULL);
    struct sp_control *header = port->view.header;
    worker->port = port;
    worker->requests = requests;
    worker->intake = (struct sp_intake){
        .cells = port->view.submit,
        .mask = port->view.shape.slots - 1,
        .head = &header->submit_head,
        .bell = &header->bell,
        .stop = &header->stop,
        .executors = port->view.shape.executors,
    };
    // The host maps results read only; here both sides share the mapping.
    SP_CHECK(mprotect(port->results.base, port->results.size, PROT_READ | PROT_WRITE) ==
             0);
    memset(port->results.base + (size_t)port->view.shape.slots * SP_INLINE_RESULT,
           0xc0,
           FAKE_LARGE);
    SP_CHECK(pthread_mutex_init(&worker->lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&worker->changed, NULL) == 0);
    return worker;
}

void fake_worker_free(struct fake_worker *worker)
{
    if (worker != NULL) {
        fake_stop(worker);
        (void)pthread_cond_destroy(&worker->changed);
        (void)pthread_mutex_destroy(&worker->lock);
        free(worker);
    }
}

// ---- Steps --------------------------------------------------------------------

static bool start(struct sp_slot *slot)
{
    uint32_t word = atomic_load_explicit(&slot->result.state, memory_order_acquire);
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

static void read_slot(struct fake_worker *worker, uint32_t slot, struct fake_call *call)
{
    const struct sp_slot *shared = &worker->port->view.slots[slot];
    *call = (struct fake_call){.slot = slot};
    memcpy(&call->request, &shared->request, offsetof(struct sp_slot_request, cancel));
}

// Only of a call that was started: the memory of another may serve the next one by now.
static void read_tool(struct fake_worker *worker, struct fake_call *call)
{
    uint32_t size = call->request.name_size;
    size = size < sizeof call->tool ? size : (uint32_t)sizeof call->tool - 1;
    memcpy(call->tool, worker->requests->base + call->request.name, size);
}

static void skip(struct fake_worker *worker, const struct fake_call *call)
{
    const struct sp_slot_result result = {
        .status = SP_STATUS_SKIPPED, .call = call->request.call, .lease = SP_NO_LEASE};
    fake_publish(worker, call->slot, &result);
}

static enum fake_taken
begin(struct fake_worker *worker, uint32_t slot, struct fake_call *call)
{
    bool started = start(&worker->port->view.slots[slot]);
    read_slot(worker, slot, call);
    if (!started) {
        skip(worker, call);
        return FAKE_WAS_TAKEN_BACK;
    }
    read_tool(worker, call);
    atomic_fetch_add(&worker->started, 1);
    return FAKE_STARTED;
}

enum fake_taken fake_take(struct fake_worker *worker, struct fake_call *call)
{
    uint32_t slot;
    if (!sp_ring_take(
            worker->intake.cells, worker->intake.mask, worker->intake.head, &slot)) {
        return FAKE_NOTHING;
    }
    return begin(worker, slot, call);
}

bool fake_take_started(struct fake_worker *worker, struct fake_call *call)
{
    enum fake_taken taken;
    do {
        taken = fake_take(worker, call);
    } while (taken == FAKE_WAS_TAKEN_BACK);
    return taken == FAKE_STARTED;
}

struct sp_slot_result fake_echo(struct fake_worker *worker,
                                const struct fake_call *call)
{
    const struct sp_slot_request *request = &call->request;
    struct sp_slot_result result = {
        .status = SP_STATUS_OK,
        .call = request->call,
        .body = (uint64_t)call->slot * SP_INLINE_RESULT,
        .body_size = request->body_size < SP_INLINE_RESULT ? request->body_size
                                                           : SP_INLINE_RESULT,
        .lease = SP_NO_LEASE,
        .ran_ticks = 1,
    };
    memcpy(worker->port->results.base + result.body,
           worker->requests->base + request->body,
           result.body_size);
    return result;
}

void fake_put_done(struct fake_worker *worker, uint32_t number)
{
    struct sp_control_view *view = &worker->port->view;
    if (number < view->shape.slots) {
        sp_completion_put(view, number, worker->port->doorbell);
        return;
    }
    uint64_t position =
        atomic_fetch_add_explicit(&view->header->done_tail, 1, memory_order_relaxed);
    sp_ring_put(view->done, view->shape.slots - 1, position, number);
}

void fake_publish(struct fake_worker *worker,
                  uint32_t slot,
                  const struct sp_slot_result *result)
{
    struct sp_slot_result *shared = &worker->port->view.slots[slot].result;
    shared->status = result->status;
    shared->call = result->call;
    shared->body = result->body;
    shared->body_size = result->body_size;
    shared->lease = result->lease;
    shared->held = result->held;
    shared->executor = result->executor;
    shared->ran_until = result->ran_until;
    shared->ran_ticks = result->ran_ticks;
    uint32_t word =
        atomic_exchange_explicit(&shared->state, SP_SLOT_DONE, memory_order_acq_rel);
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(&shared->state, 1);
    }
    if ((word & (SP_SLOT_NOTIFY | SP_SLOT_TOLD)) == SP_SLOT_NOTIFY) {
        fake_put_done(worker, slot);
    }
}

void fake_ask(struct fake_worker *worker,
              const struct fake_call *call,
              const char *body)
{
    struct sp_slot_result *shared = &worker->port->view.slots[call->slot].result;
    shared->status = SP_STATUS_QUESTION;
    shared->call = call->request.call;
    shared->body = (uint64_t)call->slot * SP_INLINE_RESULT;
    shared->body_size = (uint32_t)strlen(body);
    shared->lease = SP_NO_LEASE;
    memcpy(worker->port->results.base + shared->body, body, shared->body_size);
    fake_ask_on(worker, call->slot, SP_SLOT_ASKING);
}

void fake_ask_on(struct fake_worker *worker, uint32_t slot, enum sp_slot_state state)
{
    _Atomic uint32_t *place = &worker->port->view.slots[slot].result.state;
    uint32_t word = atomic_load(place);
    uint32_t next;
    do {
        next = ((word >> SP_SLOT_TURN_SHIFT) + 1) << SP_SLOT_TURN_SHIFT |
               (word & (SP_SLOT_NOTIFY | SP_SLOT_TOLD | SP_SLOT_READER)) |
               (uint32_t)state;
        if (state == SP_SLOT_ASKING && (word & SP_SLOT_NOTIFY) != 0) {
            next |= SP_SLOT_TOLD;
        }
    } while (!atomic_compare_exchange_weak(place, &word, next));
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(place, INT32_MAX);
    }
    if ((next & ~word & SP_SLOT_TOLD) != 0) {
        fake_put_done(worker, slot);
    }
}

bool fake_begin(struct fake_worker *worker, uint32_t slot, struct fake_call *call)
{
    return begin(worker, slot, call) == FAKE_STARTED;
}

void fake_return_lease(struct fake_worker *worker, uint32_t lease)
{
    struct sp_control_view *view = &worker->port->view;
    uint64_t position =
        atomic_fetch_add_explicit(&view->header->return_tail, 1, memory_order_relaxed);
    sp_ring_put(view->request_returns, view->shape.leases - 1, position, lease);
}

// ---- The script ---------------------------------------------------------------

// {"err": 9, "type": "ValueError", "message": "no"}
static const uint8_t fault_map[] = "\x83\xa3"
                                   "err"
                                   "\x09"
                                   "\xa4"
                                   "type"
                                   "\xaa"
                                   "ValueError"
                                   "\xa7"
                                   "message"
                                   "\xa2"
                                   "no";

static void put_body(struct fake_worker *worker,
                     struct sp_slot_result *result,
                     const void *bytes,
                     uint32_t size)
{
    memcpy(worker->port->results.base + result->body, bytes, size);
    result->body_size = size;
}

// A body that does not fit into the inline area, with a lease. All share the same
// bytes, which nobody writes any more.
static void make_large(struct fake_worker *worker, struct sp_slot_result *result)
{
    result->body = (uint64_t)worker->port->view.shape.slots * SP_INLINE_RESULT;
    result->body_size = FAKE_LARGE;
    result->lease = 2;
}

// Spoils one field; false: the name asks for something else.
static bool
spoil(struct fake_worker *worker, const char *tool, struct sp_slot_result *result)
{
    const struct sp_control_shape *shape = &worker->port->view.shape;
    if (strcmp(tool, "wrong_call") == 0) {
        result->call ^= UINT64_C(1) << 12;
    } else if (strcmp(tool, "bad_status") == 0) {
        result->status = SP_STATUS_SKIPPED + 1;
    } else if (strcmp(tool, "bad_held") == 0) {
        result->held = 2;
    } else if (strcmp(tool, "bad_lease") == 0) {
        result->lease = shape->leases;
    } else if (strcmp(tool, "bad_body") == 0) {
        result->body = shape->results_size + 1;
    } else if (strcmp(tool, "bad_size") == 0) {
        result->body = shape->results_size - 8;
        result->body_size = 9;
    } else if (strcmp(tool, "huge_body") == 0) {
        result->body = UINT64_MAX - 3;
        result->body_size = UINT32_MAX;
    } else if (strcmp(tool, "skip") == 0) {
        result->status = SP_STATUS_SKIPPED;
    } else {
        return false;
    }
    return true;
}

void fake_serve(struct fake_worker *worker, const struct fake_call *call)
{
    struct sp_slot_result result = fake_echo(worker, call);
    if (strcmp(call->tool, "never") == 0) {
        return;
    }
    if (strcmp(call->tool, "keep") == 0) {
        result.held = 1;
    } else if (strcmp(call->tool, "large") == 0) {
        make_large(worker, &result);
    } else if (strcmp(call->tool, "fault") == 0) {
        result.status = SP_STATUS_FAULT;
        put_body(worker, &result, fault_map, sizeof fault_map - 1);
    } else if (strncmp(call->tool, "unknown", 7) == 0) {
        result.status = SP_STATUS_FAULT;
        put_body(worker,
                 &result,
                 "\x81\xa3"
                 "err"
                 "\x0a",
                 6);
    } else if (strcmp(call->tool, "bad_fault") == 0) {
        result.status = SP_STATUS_FAULT;
        put_body(worker, &result, "\xc1\xff\xdf", 3);
    } else {
        (void)spoil(worker, call->tool, &result);
    }
    fake_publish(worker, call->slot, &result);
    if (strcmp(call->tool, "twice") == 0) {
        fake_put_done(worker, call->slot);
    }
}

// ---- Threads ------------------------------------------------------------------

static void wait_for_permit(struct fake_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->permits == 0 && !worker->leaving) {
        pthread_cond_wait(&worker->changed, &worker->lock);
    }
    worker->permits -= worker->permits > 0 ? 1 : 0;
    pthread_mutex_unlock(&worker->lock);
}

static void note_running(struct fake_worker *worker)
{
    uint32_t now = atomic_fetch_add(&worker->running, 1) + 1;
    uint32_t most = atomic_load(&worker->most);
    while (now > most && !atomic_compare_exchange_weak(&worker->most, &most, now)) {
    }
}

static void *execute(void *argument)
{
    struct fake_worker *worker = argument;
    struct sp_patience patience = {0};
    const struct sp_wait wait = {
        .patience = &patience,
        .peer_cpu = &worker->port->view.header->host_cpu,
        .waiting = worker->port->view.shape.waiting,
        .deadline = SP_NEVER,
    };
    uint32_t slot;
    struct fake_call call;
    while (sp_wait_intake(&worker->intake, &wait, &slot) == SP_INTAKE_TAKEN) {
        if (begin(worker, slot, &call) != FAKE_STARTED) {
            continue;
        }
        note_running(worker);
        if (strcmp(call.tool, "hold") == 0) {
            wait_for_permit(worker);
        }
        atomic_fetch_sub(&worker->running, 1);
        fake_serve(worker, &call);
    }
    return NULL;
}

void fake_start(struct fake_worker *worker)
{
    uint32_t count = worker->port->view.shape.executors;
    SP_CHECK(count <= THREADS_MOST && worker->thread_count == 0);
    while (worker->thread_count < count) {
        pthread_t *thread = &worker->threads[worker->thread_count++];
        SP_CHECK(pthread_create(thread, NULL, execute, worker) == 0);
    }
}

void fake_stop(struct fake_worker *worker)
{
    struct sp_control *header = worker->port->view.header;
    pthread_mutex_lock(&worker->lock);
    worker->leaving = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    atomic_store_explicit(&header->stop, 1, memory_order_release);
    sp_bell_ring_all(&header->bell);
    while (worker->thread_count > 0) {
        SP_CHECK(pthread_join(worker->threads[--worker->thread_count], NULL) == 0);
    }
}

void fake_release(struct fake_worker *worker, uint32_t count)
{
    pthread_mutex_lock(&worker->lock);
    worker->permits += count;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

uint32_t fake_started(struct fake_worker *worker)
{
    return atomic_load(&worker->started);
}

uint32_t fake_most_at_once(struct fake_worker *worker)
{
    return atomic_load(&worker->most);
}
