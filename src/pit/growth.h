// SPDX-License-Identifier: MIT
// How the memory of a pool's workers was in the last minutes, so that one that grows on
// and on can be told from one that warms up.
#ifndef PIT_GROWTH_H
#define PIT_GROWTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SP_GROWTH_EVERY_MS UINT64_C(20000)
#define SP_GROWTH_LOOKS    16u // the oldest is five minutes old
#define SP_GROWTH_WORKERS  32u // of a pool, which are looked at

struct sp_growth_look {
    uint64_t at_ms; // CLOCK_MONOTONIC
    uint32_t count;
    struct sp_growth_row {
        uint64_t worker;
        uint64_t age_ms;
        uint64_t bytes; // 0: not known
    } rows[SP_GROWTH_WORKERS];
};

struct sp_growth {
    pthread_mutex_t lock; // guards the rest; nothing is locked inside it
    uint64_t count;       // that were ever noted
    struct sp_growth_look looks[SP_GROWTH_LOOKS]; // a ring
};

// The worker that grows the fastest.
struct sp_grown {
    uint64_t worker; // 0: none grows
    uint64_t from;   // bytes, when it had warmed up, or five minutes ago
    uint64_t to;
    uint64_t over_ms; // since then
    uint32_t workers; // that grow
};

void sp_growth_init(struct sp_growth *growth);
void sp_growth_fini(struct sp_growth *growth);
bool sp_growth_is_due(struct sp_growth *growth, uint64_t now_ms);
void sp_growth_note(struct sp_growth *growth, const struct sp_growth_look *look);
// A worker grows if it has grown much since it was warm, and in both halves of that
// time: what is loaded once is one step.
struct sp_grown sp_growth_find(struct sp_growth *growth,
                               const struct sp_growth_look *now);

#endif
