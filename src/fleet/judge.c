// SPDX-License-Identifier: MIT
#include "fleet/judge.h"

#include "base/clock.h"

#define NO_STORM_NS SP_NS_PER_S // a worker that was ready this long started well
#define DEATHS_MOST 3u          // of templates in a row, without a ready worker between

// ---- Failed starts ------------------------------------------------------------

struct failure {
    uint64_t began;
    enum sp_start_failure failure;
    const char *what; // what happened, in the words of the pool's verdict
};

static void give_verdict(struct sp_step *step,
                         const struct sp_restart_verdict *verdict,
                         const char *what)
{
    struct sp_fleet_action state = {.kind = SP_FLEET_DO_FAIL,
                                    .state = SP_POOL_DOWN,
                                    .what = what,
                                    .reason = step->event->reason};
    if (verdict->order == SP_RESTART_FAIL) {
        sp_step_fail(step, &state);
        return;
    }
    if (verdict->order == SP_RESTART_DOWN) {
        step->plan->shown = SP_POOL_DOWN;
        state.kind = SP_FLEET_DO_SET_STATE;
        sp_step_do(step, &state);
    }
    if (verdict->order != SP_RESTART_NOTHING) {
        sp_step_pause(step, (uint32_t)verdict->pause_ms);
    }
}

static void note_failure(struct sp_step *step, const struct failure *failure)
{
    struct sp_fleet_plan *plan = step->plan;
    const struct sp_restart_rules rules = {
        .limit = plan->config->restart_limit,
        .pause_ms = plan->config->restart_backoff_ms,
        .pause_most_ms = plan->config->restart_backoff_max_ms,
    };
    const struct sp_start start = {.failure = failure->failure,
                                   .began = failure->began,
                                   .ready = sp_fleet_serving(plan),
                                   .starting = sp_fleet_starting(plan)};
    const struct sp_restart_verdict verdict =
        sp_restart_failed(&plan->restart, &rules, &start, step->now);
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_FAILURE,
                                         .number = plan->restart.failures,
                                         .reason = step->event->reason});
    give_verdict(step, &verdict, failure->what);
}

#define NOT_STARTED "no worker could be started"

void sp_judge_start(struct sp_step *step)
{
    const struct failure failure = {step->now, step->event->failure, NOT_STARTED};
    note_failure(step, &failure);
    // The next one is not tried in the same turn of the loop.
    if (step->plan->phase == SP_FLEET_RUNNING) {
        sp_step_pause(step, 0);
    }
}

// ---- The template -------------------------------------------------------------

static void give_template_up(struct sp_step *step, const char *because)
{
    step->plan->template.given_up = true;
    sp_step_do(
        step,
        &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_UNUSED, .reason = because});
}

// A forked worker could not start, and none that the template forked ever could.
static bool is_suspect(const struct sp_step *step)
{
    const struct sp_fleet_worker *worker = &step->event->worker;
    return worker->born && worker->forked && !step->plan->template.proven;
}

// True: the start does not count, since the pool might fail where it would work without
// a template: a fresh interpreter decides about the pool.
static bool blames_template(const struct sp_step *step)
{
    const struct sp_fleet_plan *plan = step->plan;
    const struct sp_fleet_worker *worker = &step->event->worker;
    bool last = plan->restart.failures + 1 >= plan->config->restart_limit;
    return !worker->born || (is_suspect(step) && (worker->adapter_failed || last));
}

void sp_judge_credit(struct sp_step *step)
{
    if (step->event->worker.forked) {
        step->plan->template.proven = true;
        step->plan->template.deaths = 0;
    }
}

// What it lacked may be there later; until then workers are exec'ed.
void sp_judge_template_start(struct sp_step *step)
{
    uint64_t pause = step->plan->config->restart_backoff_max_ms;
    step->plan->template.not_before = step->now + pause * SP_NS_PER_MS;
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_PUT_OFF,
                                         .number = (uint32_t)pause,
                                         .reason = step->event->reason});
}

// Doubles with each death.
static uint64_t template_pause_ns(const struct sp_fleet_plan *plan)
{
    uint64_t pause = plan->config->restart_backoff_ms;
    pause <<= plan->template.deaths;
    uint64_t most = plan->config->restart_backoff_max_ms;
    return (pause < most ? pause : most) * SP_NS_PER_MS;
}

void sp_judge_template_end(struct sp_step *step, enum sp_planned_template_state before)
{
    struct sp_fleet_plan *plan = step->plan;
    struct sp_planned_template *template = &plan->template;
    if (before == SP_PLANNED_LEAVING || template->given_up) {
        return;
    }
    if (before == SP_PLANNED_IMPORTING || ++template->deaths >= DEATHS_MOST) {
        give_template_up(step, step->event->reason);
        return;
    }
    template->not_before = step->now + template_pause_ns(plan);
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_LOST,
                                         .reason = step->event->reason});
}

// ---- Exits --------------------------------------------------------------------

static void judge_start_of(struct sp_step *step)
{
    const struct sp_fleet_worker *worker = &step->event->worker;
    if (is_suspect(step) && !step->plan->template.given_up) {
        give_template_up(step, "the first worker that it forked could not start");
        sp_step_stop_template(step);
    }
    if (!blames_template(step)) {
        const struct failure failure = {worker->began,
                                        worker->adapter_failed ? SP_START_HOPELESS
                                                               : SP_START_BROKE,
                                        NOT_STARTED};
        note_failure(step, &failure);
    }
}

// It has been of use, or it could have been: this is not a storm.
static bool lived_well(const struct sp_step *step, uint64_t ready_at)
{
    return step->event->worker.worked ||
           (ready_at != 0 && step->now - ready_at >= NO_STORM_NS);
}

static void judge_life_of(struct sp_step *step, uint64_t ready_at)
{
    const struct sp_fleet_worker *worker = &step->event->worker;
    if (!worker->told) {
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_COUNT_DEATH,
                                             .death = worker->death});
    }
    if (lived_well(step, ready_at)) {
        sp_restart_worked(&step->plan->restart);
    } else if (worker->told) {
        // Nobody here is to blame; but whoever sent that SIGTERM may send another at
        // once.
        sp_step_pause(step, step->plan->config->restart_backoff_ms);
    } else {
        const struct failure failure = {
            worker->began, SP_START_BROKE, "its workers die as soon as they are ready"};
        note_failure(step, &failure);
    }
}

void sp_judge_exit(struct sp_step *step, const struct sp_place *before)
{
    if (before->state == SP_PLACE_LEAVING) {
        if (before->outgoing && lived_well(step, before->ready_at)) {
            sp_restart_worked(&step->plan->restart);
        }
        return;
    }
    if (before->ready_at == 0) {
        judge_start_of(step);
    } else {
        judge_life_of(step, before->ready_at);
    }
}
