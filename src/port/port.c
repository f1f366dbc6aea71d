// SPDX-License-Identifier: MIT
// What a worker says of its slots and leases is loaded here and in ipc/, each word
// once. Sizes and masks come from the private view, never from shared memory.
#include "port/port.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "ipc/futex.h"
#include "ipc/ring.h"
#include "ipc/wait.h"

#define RAN_US_MOST UINT64_C(137000000)

void sp_port_unpin(struct sp_port *port)
{
    SP_CHECK(port->pins > 0);
    if (--port->pins == 0 && port->retired) {
        sp_port_unref(port);
    }
}

void sp_port_retire(struct sp_port *port)
{
    port->retired = true;
    if (port->pins == 0) {
        sp_port_unref(port);
    }
}

static _Atomic uint32_t *state_word(const struct sp_port *port, uint32_t slot)
{
    SP_CHECK(slot < port->view.shape.slots);
    return &port->view.slots[slot].result.state;
}

// Fills a free slot; there is one.
static uint32_t fill_slot(struct sp_port *port,
                          const struct sp_slot_request *request,
                          bool notify,
                          void *owner)
{
    uint32_t id = port->free_slots[--port->free_count];
    uint32_t turn = (uint32_t)port->submit_tail + port->served;
    uint32_t reader = request->kind == SP_CALL_STREAM ? SP_SLOT_READER : 0;
    port->slots[id] = (struct sp_port_slot){owner, request->call, notify};
    port->notifying += notify ? 1 : 0;
    port->view.slots[id].request = *request;
    // [slot:queued] a late waiter of the call before sees that the call was moved.
    atomic_store_explicit(state_word(port, id),
                          SP_SLOT_QUEUED | (notify ? SP_SLOT_NOTIFY | reader : 0) |
                              turn << SP_SLOT_TURN_SHIFT,
                          memory_order_release);
    return id;
}

bool sp_port_submit(struct sp_port *port,
                    const struct sp_slot_request *request,
                    bool notify,
                    void *owner,
                    uint32_t *slot)
{
    if (port->free_count == 0) {
        return false;
    }
    uint32_t id = fill_slot(port, request, notify, owner);
    sp_ring_put(port->view.submit, port->view.shape.slots - 1, port->submit_tail++, id);
    *slot = id;
    return true;
}

// The daemon's end of the bell is not read, so the counter may be full: it has rung
// then.
static void wake_daemon(const struct sp_port *port)
{
    uint64_t one = 1;
    ssize_t written = write(port->bell, &one, sizeof one);
    (void)written;
}

bool sp_port_ring(struct sp_port *port)
{
    struct sp_bell *bell = &port->view.header->bell;
    if (port->bell < 0) {
        return sp_bell_ring(bell);
    }
    bool sleeps = sp_bell_claim(bell);
    if (sleeps) {
        wake_daemon(port);
    }
    return sleeps;
}

void sp_port_wake_executor(struct sp_port *port, uint32_t slot)
{
    SP_CHECK(slot < port->view.shape.slots);
    if (port->bell < 0) {
        sp_wake_executor(&port->view.slots[slot]);
    } else if (sp_executor_sleeps(&port->view.slots[slot])) {
        wake_daemon(port);
    }
}

bool sp_port_submit_served(struct sp_port *port,
                           const struct sp_slot_request *request,
                           void *owner,
                           uint32_t *slot)
{
    if (port->free_count == 0) {
        return false;
    }
    *slot = fill_slot(port, request, false, owner);
    port->served++;
    return true;
}

uint32_t sp_port_state(const struct sp_port *port, uint32_t slot)
{
    return atomic_load_explicit(state_word(port, slot), memory_order_acquire) &
           SP_SLOT_STATE;
}

bool sp_port_find_run(const struct sp_port *port,
                      uint64_t call,
                      struct sp_port_run *run)
{
    for (uint32_t i = 0; i < port->view.shape.executors; i++) {
        const struct sp_stamp *stamp = &port->view.stamps[i];
        if (atomic_load_explicit(&stamp->call, memory_order_acquire) == call) {
            run->executor = i;
            run->since = atomic_load_explicit(&stamp->since, memory_order_relaxed);
            return true;
        }
    }
    return false;
}

uint32_t sp_port_executor(const struct sp_port *port, uint32_t slot)
{
    return __atomic_load_n(&port->view.slots[slot].result.executor, __ATOMIC_RELAXED);
}

static void begin_notify(struct sp_port *port, uint32_t slot)
{
    if (!port->slots[slot].notify) {
        port->slots[slot].notify = true;
        port->notifying++;
    }
}

// Wakes whatever the word says, for the worker could have wiped the mark of a waiter;
// and wakes all, for an executor may sleep on the same word.
static void wake_waiter(struct sp_port *port, uint32_t slot)
{
    if (!port->slots[slot].notify) {
        sp_futex_wake(state_word(port, slot), INT32_MAX);
    }
}

bool sp_port_take_back(struct sp_port *port, uint32_t slot)
{
    _Atomic uint32_t *state = state_word(port, slot);
    uint32_t word = atomic_load_explicit(state, memory_order_acquire);
    do {
        if ((word & SP_SLOT_STATE) != SP_SLOT_QUEUED) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(state,
                                                    &word,
                                                    SP_SLOT_TAKEN_BACK | SP_SLOT_NOTIFY,
                                                    memory_order_acq_rel,
                                                    memory_order_acquire));
    wake_waiter(port, slot);
    begin_notify(port, slot);
    port->slots[slot].owner = NULL;
    return true;
}

#define READ_AFTER 64u // rings, each of one byte

void sp_port_empty_doorbell(struct sp_port *port)
{
    uint8_t rings[2 * READ_AFTER];
    if (port->bell >= 0 && ++port->listens % READ_AFTER == 0) {
        ssize_t got = recv(port->doorbell, rings, sizeof rings, MSG_DONTWAIT);
        (void)got;
    }
}

// ---- Questions ----------------------------------------------------------------

// Whose mark was in the word, and is not any more.
static void wake_sleeper(struct sp_port *port, _Atomic uint32_t *state)
{
    if (port->bell < 0) {
        sp_futex_wake(state, INT32_MAX);
    } else {
        wake_daemon(port);
    }
}

#define KEPT_BITS \
    (~(uint32_t)(SP_SLOT_STATE | SP_SLOT_WAITER | SP_SLOT_SLEEPER | SP_SLOT_READER))

static uint32_t turn_of(uint32_t word)
{
    return word >> SP_SLOT_TURN_SHIFT;
}

static void
write_reply(struct sp_port *port, uint32_t slot, const struct sp_port_reply *reply)
{
    struct sp_slot_request *request = &port->view.slots[slot].request;
    request->body = reply->body;
    request->body_size = reply->body_size;
    request->lease = reply->lease;
    request->reply = (uint16_t)reply->kind;
}

static bool is_answering(uint32_t word, uint32_t turn)
{
    return (word & SP_SLOT_STATE) == SP_SLOT_ANSWERING && turn_of(word) == turn;
}

bool sp_port_reply(struct sp_port *port,
                   uint32_t slot,
                   uint32_t turn,
                   const struct sp_port_reply *reply)
{
    _Atomic uint32_t *state = state_word(port, slot);
    uint32_t word = atomic_load_explicit(state, memory_order_acquire);
    uint32_t next;
    if (is_answering(word, turn)) {
        // Should the executor take its question back now, it does not look at this.
        write_reply(port, slot, reply);
    }
    do {
        if (!is_answering(word, turn)) {
            return false;
        }
        next = (word & ~(uint32_t)(SP_SLOT_STATE | SP_SLOT_SLEEPER)) | SP_SLOT_RUNNING;
        // [reply:put] the reply is visible before the state; pairs with [reply:seen].
    } while (!atomic_compare_exchange_weak_explicit(
        state, &word, next, memory_order_acq_rel, memory_order_acquire));
    if ((word & SP_SLOT_SLEEPER) != 0) {
        wake_sleeper(port, state);
    }
    return true;
}

uint32_t sp_port_next_turn(uint32_t turn)
{
    return turn_of((turn + 1) << SP_SLOT_TURN_SHIFT);
}

bool sp_port_serves(const struct sp_port *port, uint32_t slot, uint32_t turn)
{
    uint32_t word = atomic_load_explicit(state_word(port, slot), memory_order_acquire);
    return (word & SP_SLOT_STATE) == SP_SLOT_RUNNING &&
           sp_port_next_turn(turn_of(word)) == turn;
}

// A question that nobody has taken still holds the memory that it lies in.
static void return_unheard(struct sp_port *port, uint32_t slot)
{
    uint32_t lease =
        __atomic_load_n(&port->view.slots[slot].result.lease, __ATOMIC_RELAXED);
    if (lease < port->view.shape.leases) {
        sp_port_return_result(port, lease);
    }
}

bool sp_port_give_up(struct sp_port *port, uint32_t slot)
{
    static const struct sp_port_reply left = {.kind = SP_REPLY_LEFT,
                                              .lease = SP_NO_LEASE};
    _Atomic uint32_t *state = state_word(port, slot);
    uint32_t word = atomic_load_explicit(state, memory_order_acquire);
    uint32_t now;
    port->slots[slot].owner = NULL;
    do {
        now = word & SP_SLOT_STATE;
        if (now == SP_SLOT_ASKING || now == SP_SLOT_ANSWERING) {
            write_reply(port, slot, &left);
        } else if (now != SP_SLOT_RUNNING) {
            wake_waiter(port, slot);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        state,
        &word,
        (word & KEPT_BITS) | SP_SLOT_RUNNING | SP_SLOT_NOTIFY,
        memory_order_acq_rel,
        memory_order_acquire));
    if (now == SP_SLOT_ASKING) {
        return_unheard(port, slot);
    }
    if ((word & SP_SLOT_SLEEPER) != 0) {
        wake_sleeper(port, state);
    }
    wake_waiter(port, slot);
    begin_notify(port, slot);
    return true;
}

void sp_port_cancel(struct sp_port *port, uint32_t slot)
{
    SP_CHECK(slot < port->view.shape.slots);
    __atomic_store_n(&port->view.slots[slot].request.cancel, 1, __ATOMIC_RELEASE);
    sp_port_wake_executor(port, slot);
}

// Loads every field once. Plain struct assignment could read a field twice.
static void load_result(const struct sp_slot_result *shared,
                        struct sp_slot_result *copy)
{
    copy->status = __atomic_load_n(&shared->status, __ATOMIC_RELAXED);
    copy->call = __atomic_load_n(&shared->call, __ATOMIC_RELAXED);
    copy->body = __atomic_load_n(&shared->body, __ATOMIC_RELAXED);
    copy->body_size = __atomic_load_n(&shared->body_size, __ATOMIC_RELAXED);
    copy->lease = __atomic_load_n(&shared->lease, __ATOMIC_RELAXED);
    copy->held = __atomic_load_n(&shared->held, __ATOMIC_RELAXED);
    copy->ran_until = __atomic_load_n(&shared->ran_until, __ATOMIC_RELAXED);
    copy->executor = __atomic_load_n(&shared->executor, __ATOMIC_RELAXED);
    copy->ran_ticks = __atomic_load_n(&shared->ran_ticks, __ATOMIC_RELAXED);
}

static bool result_is_sound(const struct sp_port *port,
                            const struct sp_slot_result *result,
                            uint64_t call)
{
    uint64_t total = port->view.shape.results_size;
    return result->call == call && result->body <= total &&
           result->body_size <= total - result->body &&
           result->body_size <= SP_BODY_MAX &&
           (result->lease == SP_NO_LEASE || result->lease < port->view.shape.leases);
}

snakepit_err sp_port_take_question(struct sp_port *port,
                                   uint32_t slot,
                                   struct sp_port_question *question)
{
    struct sp_slot_result copy;
    _Atomic uint32_t *state = state_word(port, slot);
    uint32_t word = atomic_load_explicit(state, memory_order_acquire);
    uint32_t heard;
    do {
        if ((word & SP_SLOT_STATE) != SP_SLOT_ASKING) {
            return SNAKEPIT_NOT_FOUND;
        }
        load_result(&port->view.slots[slot].result, &copy);
        heard = (word & ~(uint32_t)SP_SLOT_STATE) | SP_SLOT_ANSWERING;
    } while (!atomic_compare_exchange_weak_explicit(
        state, &word, heard, memory_order_acq_rel, memory_order_acquire));
    if (copy.status != SP_STATUS_QUESTION ||
        !result_is_sound(port, &copy, port->slots[slot].call)) {
        return SNAKEPIT_PROTOCOL;
    }
    *question = (struct sp_port_question){.turn = turn_of(word),
                                          .body = port->results.base + copy.body,
                                          .body_size = copy.body_size,
                                          .lease = copy.lease};
    return SNAKEPIT_OK;
}

void sp_port_drop(struct sp_port *port, uint32_t slot)
{
    struct sp_port_slot *mine = &port->slots[slot];
    SP_CHECK(mine->call != 0);
    port->notifying -= mine->notify ? 1 : 0;
    *mine = (struct sp_port_slot){0};
    port->free_slots[port->free_count++] = (uint16_t)slot;
}

static bool is_of_an_end(uint32_t status)
{
    return status <= SP_STATUS_SKIPPED || status == SP_STATUS_STOPPED;
}

snakepit_err
sp_port_take_answer(struct sp_port *port, uint32_t slot, struct sp_port_answer *answer)
{
    struct sp_slot_result copy;
    load_result(&port->view.slots[slot].result, &copy);
    if (sp_port_state(port, slot) != SP_SLOT_DONE || !is_of_an_end(copy.status) ||
        copy.held > 1 || !result_is_sound(port, &copy, port->slots[slot].call)) {
        return SNAKEPIT_PROTOCOL;
    }
    uint64_t most = RAN_US_MOST * sp_clock_ticks_per_us();
    *answer = (struct sp_port_answer){
        .status = copy.status,
        .body = port->results.base + copy.body,
        .body_size = copy.body_size,
        .lease = copy.lease,
        .held = copy.held != 0,
        .ran_until = copy.ran_until,
        .ran_ticks = copy.ran_ticks > most ? most : copy.ran_ticks,
        .executor = copy.executor,
    };
    sp_port_drop(port, slot);
    return SNAKEPIT_OK;
}

snakepit_err sp_port_next_done(struct sp_port *port, uint32_t *slot, bool *runs)
{
    uint32_t mask = port->view.shape.slots - 1;
    uint32_t id;
    if (!sp_ring_peek(port->view.done, mask, port->done_head, &id)) {
        return SNAKEPIT_NOT_FOUND;
    }
    port->done_head++;
    if (id > mask || !port->slots[id].notify) {
        return SNAKEPIT_PROTOCOL;
    }
    // Cleared before the look at the state: what changes afterwards is announced again.
    uint32_t word = atomic_fetch_and_explicit(
        state_word(port, id), ~(uint32_t)SP_SLOT_TOLD, memory_order_acq_rel);
    uint32_t now = word & SP_SLOT_STATE;
    bool told =
        (word & SP_SLOT_TOLD) != 0 &&
        (now == SP_SLOT_ASKING || now == SP_SLOT_ANSWERING || now == SP_SLOT_RUNNING);
    if (now != SP_SLOT_DONE && !told) {
        return SNAKEPIT_PROTOCOL;
    }
    *slot = id;
    *runs = told;
    return SNAKEPIT_OK;
}

void sp_port_watch_tube(struct sp_port *port, uint32_t slot)
{
    atomic_fetch_or_explicit(
        state_word(port, slot), SP_SLOT_READER, memory_order_acq_rel);
    // [tube:sleep] the mark before the look at the tail; pairs with [tube:wake].
    atomic_thread_fence(memory_order_seq_cst);
}

snakepit_err sp_port_next_return(struct sp_port *port, uint32_t *lease)
{
    uint32_t mask = port->view.shape.leases - 1;
    uint32_t number;
    if (!sp_ring_peek(
            port->view.request_returns, mask, port->request_returns_head, &number)) {
        return SNAKEPIT_NOT_FOUND;
    }
    port->request_returns_head++;
    if (number > mask) {
        return SNAKEPIT_PROTOCOL;
    }
    *lease = number;
    return SNAKEPIT_OK;
}

void sp_port_return_result(struct sp_port *port, uint32_t lease)
{
    if (lease != SP_NO_LEASE) {
        sp_ring_put(port->view.result_returns,
                    port->view.shape.leases - 1,
                    port->result_returns_tail++,
                    lease);
    }
}

enum sp_fault sp_port_fault(const struct sp_port *port)
{
    uint32_t fault =
        atomic_load_explicit(&port->view.header->fault, memory_order_acquire);
    return fault <= SP_FAULT_TOLD ? (enum sp_fault)fault : SP_FAULT_OTHER;
}

// A private copy first: the worker may still write there.
static void copy_text(const char *shared, char *room, size_t size)
{
    memcpy(room, shared, size - 1);
    room[size - 1] = 0;
    sp_text_clean(room, strlen(room), SP_TEXT_BLOCK);
}

void sp_port_stage(const struct sp_port *port, char room[SP_STAGE_MAX])
{
    copy_text(port->view.header->stage, room, SP_STAGE_MAX);
}

uint32_t sp_port_stack_of(const struct sp_port *port)
{
    return atomic_load_explicit(&port->view.header->stack_of, memory_order_acquire);
}

void sp_port_stack(const struct sp_port *port, char room[SP_STACK_MAX])
{
    copy_text(port->view.stack, room, SP_STACK_MAX);
}

void sp_port_wake(struct sp_port *port, uint32_t slot)
{
    _Atomic uint32_t *state = state_word(port, slot);
    atomic_store_explicit(state, SP_SLOT_DONE, memory_order_release);
    sp_futex_wake(state, INT32_MAX);
}
