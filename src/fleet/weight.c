// SPDX-License-Identifier: MIT
#include "fleet/weight.h"

#include "base/clock.h"
#include "fleet/recycle.h"

#define SOFT "worker_max_memory"
#define HARD "worker_max_memory_hard"

static void note(struct sp_step *step, uint32_t place, const char *key)
{
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_MEMORY,
                                         .place = place,
                                         .memory = step->event->worker.memory,
                                         .reason = key});
}

// The limit, or 0 where a fresh worker exceeds it already.
static uint64_t
limit_for(struct sp_step *step, uint32_t place, uint64_t limit, const char *key)
{
    struct sp_fleet_plan *plan = step->plan;
    if (limit == 0 || step->event->worker.memory <= limit) {
        return limit;
    }
    if (!plan->weight_told) {
        plan->weight_told = true;
        note(step, place, key);
    }
    return 0;
}

void sp_weight_ready(struct sp_step *step, uint32_t place)
{
    struct sp_fleet_plan *plan = step->plan;
    const struct sp_pool_config *config = plan->config;
    struct sp_place *its = &plan->places[place];
    uint64_t soft = limit_for(step, place, config->worker_max_memory, SOFT);
    its->max_memory = sp_recycle_jitter(plan, soft);
    its->max_memory_hard = limit_for(step, place, config->worker_max_memory_hard, HARD);
    if (plan->weigh_at == 0) {
        plan->weigh_at = step->now + config->memory_check_interval_ms * SP_NS_PER_MS;
    }
}

bool sp_fleet_place_is_weighed(const struct sp_fleet_plan *plan, uint32_t place)
{
    const struct sp_place *its = &plan->places[place];
    bool runs = its->state == SP_PLACE_SERVING || its->state == SP_PLACE_DRAINING;
    return runs && (its->max_memory != 0 || its->max_memory_hard != 0);
}

void sp_weight_judge(struct sp_step *step, uint32_t place)
{
    struct sp_place *its = &step->plan->places[place];
    uint64_t memory = step->event->worker.memory;
    if (!sp_fleet_place_is_weighed(step->plan, place)) {
        return;
    }
    if (its->max_memory_hard != 0 && memory > its->max_memory_hard) {
        its->max_memory_hard = 0; // once
        note(step, place, HARD);
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_KILL,
                                             .place = place,
                                             .blames = true,
                                             .reason = "it used more memory than " HARD
                                                       " allows"});
    } else if (its->max_memory != 0 && memory > its->max_memory) {
        sp_recycle_mark(step->plan, its, SP_RECYCLE_BY_MEMORY);
    }
}

void sp_weight_expire(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (plan->weigh_at != 0 && step->now >= plan->weigh_at) {
        plan->weigh_at =
            step->now + plan->config->memory_check_interval_ms * SP_NS_PER_MS;
    }
}

uint64_t sp_weight_wake_at(const struct sp_fleet_plan *plan)
{
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        if (sp_fleet_place_is_weighed(plan, i)) {
            return plan->weigh_at;
        }
    }
    return SP_NEVER;
}
