// SPDX-License-Identifier: MIT
// Memory of a client that the workers of a pool map to read, so that large tensors in
// it reach them without a copy. The loop tells the workers of it; a call may use it
// once all of them have said that they have it. Until then, and where a worker cannot
// map it, tensors are copied.
//
// A worker that comes later is told before anything else; a call that reaches it
// earlier waits there.
#ifndef POOL_WINDOW_H
#define POOL_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"
#include "pool/loan.h"

struct sp_pool;
struct sp_pool_orders;
struct sp_seat;

// Constant, but for what says otherwise.
struct sp_window {
    struct sp_pool *pool; // one reference while `refs` is not 0
    struct sp_slice memory;
    int fd;
    uint32_t number; // from 1; another one's once this one is gone from all workers
    uint64_t serial; // nobody else's
    _Atomic uint32_t refs; // any thread
    _Atomic bool ready;    // calls may use it; any thread
    bool refused;          // a worker cannot map it. Guarded by the pool's lock
};

// Takes `fd`, a sealed memfd that is mapped here as `memory`, unless it fails.
// NO_MEMORY: there are as many as there may be, or many have come just now. The first
// reference is the caller's.
snakepit_err sp_window_open(struct sp_pool *pool,
                            int fd,
                            struct sp_slice memory,
                            struct sp_window **window);
// Once the last reference is gone, no call uses it, and the workers let go of it. Any
// thread without the pool's lock, while the pool has its owner.
void sp_window_unref(struct sp_window *window);
// The same where the pool may have no owner any more, or is locked: the workers let go
// of it as they end.
void sp_window_drop(struct sp_window *window);

static inline bool sp_window_is_ready(const struct sp_window *window)
{
    return atomic_load_explicit(&window->ready, memory_order_acquire);
}

// Begins a loan of it, with one reference of the loan, which is to have one of the
// window.
void sp_window_lend(struct sp_window *window, struct sp_loan *loan);

// A worker says that it has mapped a window, or cannot. Loop thread.
void sp_window_mapped(struct sp_pool *pool,
                      struct sp_seat *seat,
                      uint64_t serial,
                      bool mapped);

// ---- Of the pool; lock held --------------------------------------------------------

// Workers have come or gone.
void sp_windows_review(struct sp_pool *pool);
// Tells the workers what they have not heard. Whether it has to be called again. Loop
// thread.
bool sp_windows_tick(struct sp_pool *pool, const struct sp_pool_orders *orders);

#endif
