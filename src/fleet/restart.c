// SPDX-License-Identifier: MIT
// What is started together fails together, and counts once: else one refused batch
// would use up the limit. Nothing is given up while one of them may still be ready.
#include "fleet/restart.h"

static uint64_t pause_of(const struct sp_restart *restart,
                         const struct sp_restart_rules *rules)
{
    uint64_t pause = rules->pause_ms;
    for (uint32_t i = 1; i < restart->failures && pause > 0; i++) {
        pause *= 2;
        if (pause >= rules->pause_most_ms) {
            return rules->pause_most_ms;
        }
    }
    return pause;
}

static enum sp_restart_order order_of(const struct sp_restart *restart,
                                      const struct sp_restart_rules *rules,
                                      const struct sp_start *start)
{
    bool enough = restart->failures >= rules->limit;
    if (start->ready > 0) {
        return SP_RESTART_LATER;
    }
    bool lasts = restart->ever_ready || start->failure == SP_START_STARVED;
    if (lasts) {
        return enough ? SP_RESTART_DOWN : SP_RESTART_LATER;
    }
    bool hopeless = enough || start->failure == SP_START_HOPELESS;
    return hopeless && start->starting == 0 ? SP_RESTART_FAIL : SP_RESTART_LATER;
}

struct sp_restart_verdict sp_restart_failed(struct sp_restart *restart,
                                            const struct sp_restart_rules *rules,
                                            const struct sp_start *start,
                                            uint64_t now)
{
    if (restart->failures > 0 && start->began <= restart->failed_at) {
        bool last = order_of(restart, rules, start) == SP_RESTART_FAIL;
        return (struct sp_restart_verdict){last ? SP_RESTART_FAIL : SP_RESTART_NOTHING,
                                           0};
    }
    restart->failures++;
    restart->failed_at = now;
    return (struct sp_restart_verdict){order_of(restart, rules, start),
                                       pause_of(restart, rules)};
}

void sp_restart_ready(struct sp_restart *restart)
{
    restart->ever_ready = true;
}

void sp_restart_worked(struct sp_restart *restart)
{
    restart->failures = 0;
}

bool sp_restart_is_careful(const struct sp_restart *restart)
{
    return restart->failures > 0;
}
