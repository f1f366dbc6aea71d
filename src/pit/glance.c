// SPDX-License-Identifier: MIT
#include "pit/glance.h"

#include <stdatomic.h>

#include "pit/failure.h"
#include "pit/pit.h"
#include "pool/inside.h"

bool sp_pit_glance(snakepit *pit, size_t index, struct sp_pit_glance *glance)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    const char *name = snakepit_pool_name(pit, index);
    if (name == NULL || snakepit_pool_get_stats(pit, name, &stats) != SNAKEPIT_OK) {
        return false;
    }
    struct sp_pool *pool = sp_pit_pool(pit, name);
    glance->name = name;
    glance->state = stats.state;
    (void)sp_pit_failure(pit, name, &glance->reason);
    glance->call_timeout_ms =
        atomic_load_explicit(&pool->options.call_timeout_ms, memory_order_relaxed);
    glance->standard = pool == sp_pit_pool(pit, NULL);
    glance->serving = snakepit_await_serving(pit, name, 0, NULL) == SNAKEPIT_OK;
    glance->whole = snakepit_await_ready(pit, name, 0, NULL) == SNAKEPIT_OK;
    return true;
}

uint64_t sp_pit_answer_ran(const snakepit_answer *answer)
{
    return sp_call_of(answer)->ran_ticks;
}
