// SPDX-License-Identifier: MIT
#include "ipc/bell.h"

#include "ipc/futex.h"

#define ONE_SLEEPER (UINT64_C(1) << 32)

// Takes one sleeper off the count and says so in the word, in one step: whoever
// announced itself before it sees another word.
static bool claim_sleeper(struct sp_bell *bell)
{
    uint64_t both = atomic_load_explicit(&bell->both, memory_order_relaxed);
    while (both >= ONE_SLEEPER && both >> 32 <= SP_EXECUTORS_MAX) {
        uint64_t claimed = ((both >> 32) - 1) << 32 | (uint32_t)((uint32_t)both + 1);
        if (atomic_compare_exchange_weak_explicit(&bell->both,
                                                  &both,
                                                  claimed,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

// The sleeper with the lowest number. One that has only just been woken may still seem
// to sleep; then another one is, for it was for another one that the wake was claimed.
static void wake_lowest(struct sp_bell *bell)
{
    uint32_t asleep = atomic_load_explicit(&bell->asleep, memory_order_relaxed);
    uint32_t lowest = asleep & (~asleep + 1);
    if (lowest == 0 || sp_futex_wake_named(&bell->word, 1, lowest) < 1) {
        sp_futex_wake(&bell->word, 1);
    }
}

bool sp_bell_claim(struct sp_bell *bell)
{
    // [bell:put] the cell before the look at the others; pairs with [bell:sleep] and
    // [bell:leave].
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&bell->searching, memory_order_relaxed) == 0 &&
           claim_sleeper(bell);
}

bool sp_bell_ring(struct sp_bell *bell)
{
    if (!sp_bell_claim(bell)) {
        return false;
    }
    wake_lowest(bell);
    return true;
}

void sp_bell_ring_all(struct sp_bell *bell)
{
    atomic_thread_fence(memory_order_seq_cst);
    atomic_fetch_add_explicit(&bell->word, 1, memory_order_release);
    sp_futex_wake(&bell->word, INT32_MAX);
}

// One more sleeper, but never more than there are executors: whoever was kept from
// sleeping by a wake that was not its own announces itself twice. Returns the word that
// it may sleep on.
uint32_t sp_bell_announce(struct sp_bell *bell, uint32_t executors)
{
    _Atomic uint64_t *both = &bell->both;
    uint64_t seen = atomic_load_explicit(both, memory_order_relaxed);
    uint64_t more;
    do {
        more = seen >> 32 < executors ? seen + ONE_SLEEPER : seen;
    } while (!atomic_compare_exchange_weak_explicit(
        both, &seen, more, memory_order_acq_rel, memory_order_relaxed));
    return (uint32_t)seen;
}

// An executor that found something after all. Where a wake was sent since it `seen`,
// its own announcement may be the one that was claimed, so it is left alone: one
// sleeper too many costs a wake, one too few an executor.
void sp_bell_withdraw(struct sp_bell *bell, uint32_t seen)
{
    uint64_t both = atomic_load_explicit(&bell->both, memory_order_relaxed);
    while ((uint32_t)both == seen && both >= ONE_SLEEPER) {
        if (atomic_compare_exchange_weak_explicit(&bell->both,
                                                  &both,
                                                  both - ONE_SLEEPER,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            return;
        }
    }
}
