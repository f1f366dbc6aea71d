// SPDX-License-Identifier: MIT
#include "fleet/step.h"

#include "base/check.h"
#include "base/clock.h"

// Calls that run may finish, for nothing is wrong with them. Where calls have no time
// limit, this is the limit.
#define LEAVE_MOST_MS 30000u

// ---- Actions ------------------------------------------------------------------

void sp_step_do(struct sp_step *step, const struct sp_fleet_action *action)
{
    struct sp_fleet_actions *out = step->out;
    SP_CHECK(out->count < SP_FLEET_ACTIONS(step->plan->posts));
    out->items[out->count++] = *action;
}

void sp_step_just(struct sp_step *step, enum sp_fleet_action_kind kind)
{
    sp_step_do(step, &(struct sp_fleet_action){.kind = kind});
}

// ---- Workers ------------------------------------------------------------------

void sp_step_move(struct sp_step *step, uint32_t place, enum sp_place_event event)
{
    SP_CHECK(place < sp_places_count(step->plan));
    struct sp_place *its = &step->plan->places[place];
    its->state = sp_place_next(its->state, event);
    if (its->state == SP_PLACE_EMPTY) {
        *its = (struct sp_place){.exec = its->exec};
    }
}

void sp_step_dismiss(struct sp_step *step, uint32_t place)
{
    enum sp_place_state before = step->plan->places[place].state;
    bool closing = step->plan->phase == SP_FLEET_STOPPING;
    sp_step_move(step, place, SP_PLACE_DISMISS);
    if (before != SP_PLACE_EMPTY && (before != SP_PLACE_LEAVING || closing)) {
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_DISMISS,
                                             .place = place,
                                             .closing = closing});
    }
}

void sp_step_drain(struct sp_step *step, uint32_t place)
{
    struct sp_fleet_plan *plan = step->plan;
    struct sp_place *its = &plan->places[place];
    uint32_t limit = plan->config->call_timeout_ms;
    uint64_t most = limit > 0 ? limit : LEAVE_MOST_MS;
    if (its->state == SP_PLACE_STARTING) {
        sp_step_dismiss(step, place);
        return;
    }
    sp_step_move(step, place, SP_PLACE_DRAIN);
    if (its->state == SP_PLACE_DRAINING && !its->isolated) {
        // Who makes room for a successor ends what it runs, however long that takes.
        // A pool that falls back waits for all of them.
        bool runs = plan->phase == SP_FLEET_RUNNING;
        its->leave_at =
            its->outgoing && runs ? SP_NEVER : step->now + most * SP_NS_PER_MS;
        plan->look_at = step->now;
        sp_step_do(
            step, &(struct sp_fleet_action){.kind = SP_FLEET_DO_DRAIN, .place = place});
    }
}

void sp_step_stop_template(struct sp_step *step)
{
    struct sp_planned_template *template = &step->plan->template;
    if (template->state != SP_PLANNED_NONE && template->state != SP_PLANNED_LEAVING) {
        template->state = SP_PLANNED_LEAVING;
        sp_step_just(step, SP_FLEET_DO_STOP_TEMPLATE);
    }
}

void sp_step_dismiss_all(struct sp_step *step)
{
    for (uint32_t i = 0; i < sp_places_count(step->plan); i++) {
        sp_step_dismiss(step, i);
    }
    sp_step_stop_template(step);
}

void sp_step_pause(struct sp_step *step, uint32_t ms)
{
    if (step->plan->resume_at == 0) {
        step->plan->resume_at = step->now + ms * SP_NS_PER_MS;
    }
}

// ---- The pool -----------------------------------------------------------------

static enum sp_pool_state state_of(const struct sp_fleet_plan *plan)
{
    uint32_t serving = sp_fleet_serving(plan);
    if (serving >= plan->least) {
        return SP_POOL_READY;
    }
    bool down = plan->shown == SP_POOL_DOWN && serving == 0;
    return plan->restart.ever_ready && !down ? SP_POOL_DEGRADED : plan->shown;
}

void sp_step_show(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    bool works =
        plan->phase == SP_FLEET_RUNNING || plan->phase == SP_FLEET_FALLING_BACK;
    enum sp_pool_state state = state_of(plan);
    if (works && state != plan->shown) {
        plan->shown = state;
        sp_step_do(
            step,
            &(struct sp_fleet_action){.kind = SP_FLEET_DO_SET_STATE, .state = state});
    }
}

// A pool that closes needs no verdict any more.
void sp_step_fail(struct sp_step *step, const struct sp_fleet_action *verdict)
{
    struct sp_fleet_plan *plan = step->plan;
    if (plan->phase != SP_FLEET_RUNNING && plan->phase != SP_FLEET_FALLING_BACK) {
        return;
    }
    plan->phase = SP_FLEET_FAILED;
    plan->shown = SP_POOL_FAILED;
    plan->resume_at = 0;
    sp_step_do(step, verdict);
    sp_step_dismiss_all(step);
}
