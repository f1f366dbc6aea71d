// SPDX-License-Identifier: MIT
// Powers of five in 128 bits, for reading and writing reals.
#ifndef PAYLOAD_POWERS_H
#define PAYLOAD_POWERS_H

#include <stdint.h>

#define SP_POWER_FIRST (-342)
#define SP_POWER_LAST  324

// 5 ** q, rounded up, is `high` * 2 ** 64 + `low` times a power of two; see powers.def.
struct sp_power {
    uint64_t high;
    uint64_t low;
};

extern const struct sp_power sp_powers[SP_POWER_LAST - SP_POWER_FIRST + 1];

// The product of two words: the high word, and *low.
static inline uint64_t sp_multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    __extension__ unsigned __int128 product = a;
    product *= b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}

#endif
