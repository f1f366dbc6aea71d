// SPDX-License-Identifier: MIT
// Random numbers that spread things out. Guessing them is of no use to anybody.
#ifndef BASE_CHANCE_H
#define BASE_CHANCE_H

#include <stdint.h>

// A number from 0 to `most`, by xorshift. `*state` is never 0.
static inline uint64_t sp_chance_draw(uint64_t *state, uint64_t most)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return most == UINT64_MAX ? *state : *state % (most + 1);
}

#endif
