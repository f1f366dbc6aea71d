// SPDX-License-Identifier: MIT
// Calls that a worker was handed in advance, because those before them were short, and
// that are held up there by one that is not. A pool whose size follows its work counts
// them among those that wait.
//
// All functions: pool->lock held.
#ifndef POOL_HELD_H
#define POOL_HELD_H

#include "pool/inside.h"

// A call was placed. The first that has to wait in its worker has the tick look, which
// then goes on for as long as there are any. Inline, since every call passes here.
static inline void sp_held_placed(struct sp_pool *pool)
{
    if (pool->options.elastic && pool->loads.crowded > 0 && !pool->looks_for_held) {
        pool->looks_for_held = true;
        pool->hooks.attention(pool->hooks.user);
    }
}
// The tick looks: who waits in the same worker as the last time is held up. Whether it
// has to look again.
bool sp_held_look(struct sp_pool *pool);
// How many calls are held up.
uint32_t sp_held_count(const struct sp_pool *pool);

#endif
