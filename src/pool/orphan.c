// SPDX-License-Identifier: MIT
#include "pool/orphan.h"

#include "base/clock.h"
#include "base/memory.h"

void sp_orphan_end(struct sp_orphan *orphan, snakepit_stop stop, uint64_t now)
{
    atomic_store_explicit(&orphan->stop, (uint32_t)stop, memory_order_relaxed);
    // [orphan:ended] what ended it is visible before that it has; pairs with
    // [orphan:look].
    atomic_store_explicit(&orphan->ended_at, now, memory_order_release);
}

uint64_t sp_orphan_after_us(const struct sp_orphan *orphan, uint64_t until)
{
    return until > orphan->due ? (until - orphan->due) / SP_NS_PER_US : 0;
}

void sp_orphan_look(const struct sp_orphan *orphan, snakepit_stop_info *info)
{
    // [orphan:look] pairs with [orphan:ended].
    uint64_t ended_at = atomic_load_explicit(&orphan->ended_at, memory_order_acquire);
    info->tool_runs = ended_at == 0;
    info->stop =
        (snakepit_stop)atomic_load_explicit(&orphan->stop, memory_order_relaxed);
    info->after_us =
        sp_orphan_after_us(orphan, ended_at != 0 ? ended_at : sp_clock_now());
}

void sp_orphan_unref(struct sp_orphan *orphan)
{
    if (orphan != NULL &&
        atomic_fetch_sub_explicit(&orphan->refs, 1, memory_order_acq_rel) == 1) {
        sp_free(orphan);
    }
}
