// SPDX-License-Identifier: MIT
// What one call uses of a client's memory, which the workers of its pool have mapped:
// see window.h. The client may not write there before the loan has ended.
#ifndef POOL_LOAN_H
#define POOL_LOAN_H

#include <stdatomic.h>
#include <stdint.h>

struct sp_store;

// Owner: whoever has a reference.
struct sp_loan {
    _Atomic uint32_t refs;
    // Constant.
    const struct sp_store *store; // of the pool that the window belongs to
    const uint8_t *base;          // where the window's memory is mapped here
    uint64_t size;
    uint32_t window; // its number
    // The last reference is gone. Any thread, also with the pool's lock held.
    void (*ended)(struct sp_loan *loan);
};

static inline void sp_loan_ref(struct sp_loan *loan)
{
    atomic_fetch_add_explicit(&loan->refs, 1, memory_order_relaxed);
}

static inline void sp_loan_unref(struct sp_loan *loan)
{
    // [loan:last] all that was said of its use comes before its end.
    if (atomic_fetch_sub_explicit(&loan->refs, 1, memory_order_acq_rel) == 1) {
        loan->ended(loan);
    }
}

#endif
