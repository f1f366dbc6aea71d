// SPDX-License-Identifier: MIT
// The limit: what a call costs when nothing is done but the hop and the Python
// function. One shared segment, a ring of slot ids to the worker, one state word in
// each slot, and the design's waits. Host and worker believe each other everything;
// there is no line, deadline, epoch, bound or recovery. Whatever the product takes
// beyond this is the price of what it promises.
#ifndef BENCH_LIMIT_LIMIT_H
#define BENCH_LIMIT_LIMIT_H

#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define LIMIT_SLOTS  64u
#define LIMIT_INLINE 4096u
#define LIMIT_STOP   UINT32_MAX
#define LIMIT_TENSOR (UINT64_C(64) << 20) // bytes of a tensor
#define LIMIT_ARENA \
    (UINT64_C(1) << 20) // where the argument's tensor lies, then the result's
#define LIMIT_SEGMENT (LIMIT_ARENA + 2 * LIMIT_TENSOR)

// The functions of limit_worker.py, in its order.
enum limit_tool { LIMIT_NOOP, LIMIT_WORK, LIMIT_VIEW, LIMIT_PRODUCE };

enum limit_state { LIMIT_FREE, LIMIT_BUSY, LIMIT_DONE, LIMIT_WAITER = 0x100 };

// How the two sides wait.
enum limit_waiting { LIMIT_SPIN, LIMIT_ADAPT };

struct limit_slot {
    _Alignas(64) _Atomic uint32_t state;
    uint32_t tool;
    uint32_t args_size;
    uint32_t result_size;
    int32_t failed;
};

struct limit_cell {
    _Atomic uint32_t turn;
    uint32_t slot;
};

struct limit_segment {
    _Alignas(64) _Atomic uint32_t tail; // written by callers
    _Alignas(64) _Atomic uint32_t head; // written by executors
    _Alignas(64) _Atomic uint32_t bell; // futex of sleeping executors
    _Atomic int32_t sleepers;           // executors that sleep and were sent no wake
    _Alignas(
        64) _Atomic uint32_t stop; // this line is written between measurements only
    _Atomic uint32_t ready;
    _Atomic uint32_t waiting; // enum limit_waiting
    uint64_t ticks_per_us;
    _Alignas(64) _Atomic int32_t host_cpu;   // where the last caller ran
    _Alignas(64) _Atomic int32_t worker_cpu; // where the last call ran
    _Alignas(64) struct limit_cell cells[LIMIT_SLOTS];
    struct limit_slot slots[LIMIT_SLOTS];
    uint8_t args[LIMIT_SLOTS][LIMIT_INLINE];
    uint8_t results[LIMIT_SLOTS][LIMIT_INLINE];
};

_Static_assert(sizeof(struct limit_segment) <= LIMIT_ARENA,
               "the tensors lie behind the slots");

static inline void limit_sleep(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static inline void limit_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

// ---- Ring ---------------------------------------------------------------------

// Vyukov's bounded queue. It has as many cells as there are slots, so it is never full.
// The cell is loaded before the tail is moved on purpose: its line comes from the other
// core while the locked instruction waits for the lines that were written before it.
static inline void limit_ring_put(struct limit_segment *segment, uint32_t slot)
{
    uint32_t position = atomic_load_explicit(&segment->tail, memory_order_relaxed);
    for (;;) {
        struct limit_cell *cell = &segment->cells[position % LIMIT_SLOTS];
        if (atomic_load_explicit(&cell->turn, memory_order_acquire) != position) {
            sp_clock_relax();
            position = atomic_load_explicit(&segment->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&segment->tail,
                                                         &position,
                                                         position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            cell->slot = slot;
            // [limit:put] the slot's content is visible before its turn; pairs with
            // [limit:take].
            atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
            return;
        }
    }
}

static inline bool limit_ring_take(struct limit_segment *segment, uint32_t *slot)
{
    uint32_t position = atomic_load_explicit(&segment->head, memory_order_relaxed);
    for (;;) {
        struct limit_cell *cell = &segment->cells[position % LIMIT_SLOTS];
        // [limit:take] pairs with [limit:put].
        uint32_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        int32_t ahead = (int32_t)(turn - (position + 1));
        if (ahead < 0) {
            return false;
        }
        if (ahead > 0) {
            position = atomic_load_explicit(&segment->head, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&segment->head,
                                                         &position,
                                                         position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            *slot = cell->slot;
            atomic_store_explicit(
                &cell->turn, position + LIMIT_SLOTS, memory_order_release);
            return true;
        }
    }
}

// ---- Budgets ------------------------------------------------------------------

// A spin that ended after `waited` ticks moves the budget towards twice that.
static inline void
limit_hit(const struct limit_segment *segment, uint64_t *budget, uint64_t waited)
{
    uint64_t least = 2 * segment->ticks_per_us;
    uint64_t most = 50 * segment->ticks_per_us;
    uint64_t wanted = 2 * waited < least  ? least
                      : 2 * waited > most ? most
                                          : 2 * waited;
    *budget += (uint64_t)(((int64_t)wanted - (int64_t)*budget) / 8);
}

// A short sleep grows the budget, a long one takes it to zero.
static inline void
limit_miss(const struct limit_segment *segment, uint64_t *budget, uint64_t slept)
{
    uint64_t us = segment->ticks_per_us;
    if (slept >= 100 * us) {
        *budget = *budget / 2 < 2 * us ? 0 : *budget / 2;
    } else if (*budget == 0) {
        *budget = 10 * us;
    } else {
        *budget = *budget * 2 > 50 * us ? 50 * us : *budget * 2;
    }
}

// ---- Worker -------------------------------------------------------------------

// True: the caller has taken back one sleeper's place, and owes it a wake or is it.
static inline bool limit_claim_sleeper(struct limit_segment *segment)
{
    int32_t sleepers = atomic_load_explicit(&segment->sleepers, memory_order_relaxed);
    while (sleepers > 0) {
        if (atomic_compare_exchange_weak(&segment->sleepers, &sleepers, sleepers - 1)) {
            return true;
        }
    }
    return false;
}

// Spins for the next slot for as long as the mode and the budget allow.
static inline bool
limit_ring_spin(struct limit_segment *segment, uint64_t *budget, uint32_t *slot)
{
    while (atomic_load_explicit(&segment->waiting, memory_order_relaxed) ==
           LIMIT_SPIN) {
        if (limit_ring_take(segment, slot)) {
            return true;
        }
        sp_clock_relax();
    }
    if (*budget == 0 || atomic_load_explicit(&segment->host_cpu,
                                             memory_order_relaxed) == sched_getcpu()) {
        return false;
    }
    uint64_t start = sp_clock_ticks();
    for (; sp_clock_ticks() - start < *budget; sp_clock_relax()) {
        if (limit_ring_take(segment, slot)) {
            limit_hit(segment, budget, sp_clock_ticks() - start);
            return true;
        }
    }
    return false;
}

// Waits for the next slot; LIMIT_STOP when the host is done.
static inline uint32_t limit_ring_wait(struct limit_segment *segment, uint64_t *budget)
{
    uint32_t slot;
    uint64_t start = sp_clock_ticks();
    while (!limit_ring_spin(segment, budget, &slot)) {
        uint32_t bell = atomic_load(&segment->bell);
        atomic_fetch_add(&segment->sleepers, 1);
        // [limit:asleep] we are counted before the last look; pairs with [limit:ring].
        atomic_thread_fence(memory_order_seq_cst);
        if (limit_ring_take(segment, &slot)) {
            limit_claim_sleeper(segment);
            return slot;
        }
        if (atomic_load(&segment->stop) == 0) {
            limit_sleep(&segment->bell, bell);
        }
        if (atomic_load(&segment->stop) != 0) {
            return LIMIT_STOP;
        }
        if (limit_ring_take(segment, &slot)) {
            limit_miss(segment, budget, sp_clock_ticks() - start);
            return slot;
        }
    }
    return slot;
}

static inline void limit_complete(struct limit_segment *segment,
                                  struct limit_slot *slot)
{
    if (atomic_load_explicit(&segment->waiting, memory_order_relaxed) == LIMIT_ADAPT) {
        atomic_store_explicit(
            &segment->worker_cpu, sched_getcpu(), memory_order_relaxed);
    }
    // [limit:done] the result is visible before the state; pairs with [limit:seen].
    if ((atomic_exchange(&slot->state, LIMIT_DONE) & LIMIT_WAITER) != 0) {
        limit_wake(&slot->state, 1);
    }
}

// ---- Caller -------------------------------------------------------------------

// One thread's side of its calls. Owner: that thread.
struct limit_caller {
    struct limit_segment *segment;
    _Atomic int32_t *spinners; // callers that spin now, or NULL: there is one caller
    int32_t most_spinners;
    bool woke; // the last submit had to wake an executor
    uint64_t budget;
};

static inline void limit_submit(struct limit_caller *caller,
                                uint32_t id,
                                enum limit_tool tool,
                                uint32_t size)
{
    struct limit_segment *segment = caller->segment;
    struct limit_slot *slot = &segment->slots[id];
    slot->tool = (uint32_t)tool;
    slot->args_size = size;
    atomic_store_explicit(&slot->state, LIMIT_BUSY, memory_order_relaxed);
    limit_ring_put(segment, id);
    if (atomic_load_explicit(&segment->waiting, memory_order_relaxed) == LIMIT_ADAPT) {
        atomic_store_explicit(&segment->host_cpu, sched_getcpu(), memory_order_relaxed);
    }
    // [limit:ring] the cell is visible before we look for sleepers; pairs with
    // [limit:asleep].
    atomic_thread_fence(memory_order_seq_cst);
    caller->woke = limit_claim_sleeper(segment);
    if (caller->woke) {
        atomic_fetch_add(&segment->bell, 1);
        limit_wake(&segment->bell, 1);
    }
}

static inline bool limit_is_done(const struct limit_slot *slot)
{
    // [limit:seen] pairs with [limit:done].
    return atomic_load_explicit(&slot->state, memory_order_acquire) == LIMIT_DONE;
}

static inline void limit_park(struct limit_slot *slot)
{
    while (!limit_is_done(slot)) {
        uint32_t state = LIMIT_BUSY;
        if (atomic_compare_exchange_strong(
                &slot->state, &state, LIMIT_BUSY | LIMIT_WAITER) ||
            state == (LIMIT_BUSY | LIMIT_WAITER)) {
            limit_sleep(&slot->state, LIMIT_BUSY | LIMIT_WAITER);
        }
    }
}

static inline void limit_wait_adaptive(struct limit_caller *caller,
                                       struct limit_slot *slot)
{
    struct limit_segment *segment = caller->segment;
    uint64_t start = sp_clock_ticks();
    if (!caller->woke && caller->budget != 0 &&
        atomic_load_explicit(&segment->worker_cpu, memory_order_relaxed) !=
            sched_getcpu()) {
        for (; sp_clock_ticks() - start < caller->budget; sp_clock_relax()) {
            if (limit_is_done(slot)) {
                limit_hit(segment, &caller->budget, sp_clock_ticks() - start);
                return;
            }
        }
    }
    limit_park(slot);
    if (!caller->woke) {
        limit_miss(segment, &caller->budget, sp_clock_ticks() - start);
    }
}

// Waits until the call in slot `id` has its result.
static inline void limit_wait(struct limit_caller *caller, uint32_t id)
{
    struct limit_segment *segment = caller->segment;
    struct limit_slot *slot = &segment->slots[id];
    if (atomic_load_explicit(&segment->waiting, memory_order_relaxed) == LIMIT_SPIN) {
        while (!limit_is_done(slot)) {
            sp_clock_relax();
        }
    } else if (caller->spinners == NULL) {
        limit_wait_adaptive(caller, slot);
    } else {
        // Callers that wait for each other's answers leave the core to the executor.
        if (atomic_fetch_add(caller->spinners, 1) < caller->most_spinners) {
            limit_wait_adaptive(caller, slot);
        } else {
            limit_park(slot);
        }
        atomic_fetch_sub(caller->spinners, 1);
    }
}

#endif
