// SPDX-License-Identifier: MIT
// Numbers by chance that can be had again: they follow from the seed. Any thread.
#ifndef SUPPORT_CHANCE_H
#define SUPPORT_CHANCE_H

#include <stdatomic.h>
#include <stdint.h>

static _Atomic uint64_t chance_seed;

static inline uint64_t dice(void)
{
    uint64_t x = atomic_fetch_add(&chance_seed, UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t below(uint64_t limit)
{
    return dice() % limit;
}

// Sometimes any number, sometimes one at an edge, sometimes a small one.
static inline uint64_t nasty(void)
{
    static const uint64_t edges[] = {
        0, 1, UINT64_MAX, UINT32_MAX, INT64_MAX, UINT64_C(1) << 63, 1u << 31};
    switch (below(3)) {
    case 0:
        return dice();
    case 1:
        return edges[below(sizeof edges / sizeof edges[0])];
    default:
        return below(5000);
    }
}

#endif
