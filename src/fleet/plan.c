// SPDX-License-Identifier: MIT
// One function for each event changes the state; after any of them the same few
// functions say what follows from the state alone: whether a post is filled, a fallback
// has ended, the fleet has stopped.
#include "fleet/plan.h"

#include "base/check.h"
#include "base/clock.h"
#include "fleet/judge.h"
#include "fleet/recycle.h"
#include "fleet/roll.h"
#include "fleet/scale.h"
#include "fleet/step.h"
#include "fleet/stuck.h"
#include "fleet/weight.h"

#define LOOK_EVERY_NS (20 * SP_NS_PER_MS) // at the workers that drain

void sp_fleet_plan_init(struct sp_fleet_plan *plan,
                        const struct sp_pool_config *config,
                        struct sp_place *places,
                        uint64_t chance)
{
    *plan = (struct sp_fleet_plan){.config = config,
                                   .profile = config->worker_profile,
                                   .posts = config->pool_size.max,
                                   .size = config->pool_size.max,
                                   .least = config->pool_size.min,
                                   .target = config->pool_size.min,
                                   .threads = config->threads_per_worker,
                                   .places = places,
                                   .shown = SP_POOL_STARTING,
                                   .chance = chance | 1};
}

void sp_fleet_plan_extend(struct sp_fleet_plan *plan,
                          uint32_t posts,
                          struct sp_place *places)
{
    SP_CHECK(posts >= plan->posts);
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        places[i] = plan->places[i];
    }
    plan->posts = posts;
    plan->places = places;
}

void sp_fleet_plan_reshape(struct sp_fleet_plan *plan,
                           enum sp_profile profile,
                           uint32_t size)
{
    SP_CHECK(sp_roll_is_unmanned(plan) && size <= plan->posts);
    uint64_t before = plan->size;
    plan->profile = profile;
    plan->least = (uint32_t)(plan->least * (uint64_t)size / before);
    plan->target = (uint32_t)(plan->target * (uint64_t)size / before);
    plan->needed_most = (uint32_t)(plan->needed_most * (uint64_t)size / before);
    plan->size = size;
    plan->threads = 1;
}

static void fail(struct sp_step *step, const char *why)
{
    sp_step_fail(step,
                 &(struct sp_fleet_action){.kind = SP_FLEET_DO_FAIL, .reason = why});
}

// ---- Filling posts ------------------------------------------------------------

static bool wants_template(const struct sp_fleet_plan *plan)
{
    return plan->profile == SP_PROFILE_PROCESS &&
           plan->config->template == SP_TEMPLATE_AUTO && !plan->template.given_up;
}

// Whether a template will be there that is not yet. A pool that has served does not
// wait for it, since it only saves memory; but who makes room for workers of another
// kind serves meanwhile.
static bool template_is_worth_it(const struct sp_fleet_plan *plan)
{
    enum sp_planned_template_state state = plan->template.state;
    bool rolls = sp_places_roll(plan);
    return (state == SP_PLANNED_IMPORTING && (rolls || !plan->restart.ever_ready)) ||
           (state == SP_PLANNED_LEAVING && rolls && wants_template(plan));
}

// False: it is to be waited for, or to be started first.
static bool template_is_settled(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (wants_template(plan) && plan->template.state == SP_PLANNED_NONE &&
        step->now > plan->template.not_before) {
        plan->template.state = SP_PLANNED_IMPORTING;
        sp_step_just(step, SP_FLEET_DO_START_TEMPLATE);
        return false;
    }
    return !template_is_worth_it(plan);
}

// After a failure workers are tried one by one.
static uint32_t batch_of(const struct sp_fleet_plan *plan)
{
    return sp_restart_is_careful(&plan->restart) ? 1 : plan->config->startup_batch_size;
}

// Whether callers should not notice the start: they have as many workers as they must
// have. A fresh interpreter without the GIL yields the processor so often that it would
// never be ready (base/timeslice.h).
static bool gives_way(const struct sp_fleet_plan *plan, bool fork)
{
    return sp_fleet_serving(plan) >= plan->least && (fork || !plan->free_threaded);
}

// One at a time: whether the next one follows is decided when this one has started.
static void fill(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (step->event->closing || plan->resume_at != 0) {
        return;
    }
    uint32_t place = sp_places_vacant(plan);
    if (place == sp_places_count(plan)) {
        return;
    }
    if (step->stranger != NULL) {
        fail(step, step->stranger);
        return;
    }
    if (!template_is_settled(step) || sp_fleet_starting(plan) >= batch_of(plan)) {
        return;
    }
    bool fork = wants_template(plan) && plan->template.state == SP_PLANNED_FORKING &&
                !plan->places[place].exec;
    sp_step_move(step, place, SP_PLACE_START);
    plan->places[place].generation = plan->generation;
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_START,
                                         .place = place,
                                         .fork = fork,
                                         .gives_way = gives_way(plan, fork)});
}

// ---- Falling back -------------------------------------------------------------

// Why this worker cannot run threads in parallel; NULL if it can.
static const char *unsupported(const struct sp_step *step)
{
    const struct sp_fleet_worker *worker = &step->event->worker;
    if (step->plan->profile != SP_PROFILE_THREAD) {
        return NULL;
    }
    bool allowed = step->plan->config->on_unsupported == SP_UNSUPPORTED_ALLOW;
    if (worker->gil_enabled && !allowed) {
        return worker->free_threaded ? "an import has switched the GIL back on"
                                     : "the interpreter is not a free-threaded build";
    }
    return worker->thread_safe ? NULL : "the adapter says that it is not thread-safe";
}

// All workers leave when they have done what they run, so that processes take their
// places; or the pool fails, as `on_unsupported` says.
static void fall_back(struct sp_step *step, const char *why)
{
    struct sp_fleet_plan *plan = step->plan;
    struct sp_fleet_action action = {.kind = SP_FLEET_DO_NOTE_FALLBACK,
                                     .number = plan->size * plan->threads,
                                     .reason = why};
    if (plan->config->on_unsupported == SP_UNSUPPORTED_REFUSE) {
        action.kind = SP_FLEET_DO_REFUSE;
        action.what = step->event->worker.free_threaded ? "adapter" : "python";
        sp_step_fail(step, &action);
        return;
    }
    plan->phase = SP_FLEET_FALLING_BACK;
    sp_step_do(step, &action);
    // Those that were there before it was to run threads are not concerned.
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        if (!sp_place_is_outdated(plan, i)) {
            sp_step_drain(step, i);
        }
    }
    sp_step_show(step);
}

static void note_gil(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (plan->profile == SP_PROFILE_THREAD && step->event->worker.gil_enabled &&
        !plan->gil_told) {
        plan->gil_told = true;
        sp_step_just(step, SP_FLEET_DO_NOTE_GIL);
    }
}

// ---- Events of a worker -------------------------------------------------------

static struct sp_place *place_of(const struct sp_step *step)
{
    SP_CHECK(step->event->place < sp_places_count(step->plan));
    return &step->plan->places[step->event->place];
}

// The batch is whole: the next one has to wait.
static void on_started(struct sp_step *step)
{
    const struct sp_fleet_plan *plan = step->plan;
    uint32_t delay = plan->config->startup_batch_delay_ms;
    if (delay > 0 && sp_fleet_starting(plan) >= batch_of(plan) &&
        sp_places_vacant(plan) < sp_places_count(plan)) {
        sp_step_pause(step, delay);
    }
}

static void on_start_failed(struct sp_step *step)
{
    sp_step_move(step, step->event->place, SP_PLACE_EXITED);
    sp_judge_start(step);
}

// The worker whose successor now serves may go.
static void release_predecessor(struct sp_step *step)
{
    uint32_t other = step->event->place ^ 1u;
    const struct sp_place *place = &step->plan->places[other];
    if (place->outgoing && place->state == SP_PLACE_SERVING) {
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_RECYCLED,
                                             .place = other,
                                             .succeeded = true,
                                             .why = place->why,
                                             .reason = sp_recycle_reason(place->why)});
        sp_step_drain(step, other);
    }
}

static void on_ready(struct sp_step *step)
{
    struct sp_place *place = place_of(step);
    if (place->state != SP_PLACE_STARTING) {
        return;
    }
    const char *why = unsupported(step);
    if (why != NULL) {
        fall_back(step, why);
        return;
    }
    sp_step_move(step, step->event->place, SP_PLACE_READY);
    place->ready_at = step->now;
    step->plan->free_threaded = step->event->worker.free_threaded;
    sp_recycle_ready(step, place);
    sp_weight_ready(step, step->event->place);
    sp_restart_ready(&step->plan->restart);
    sp_judge_credit(step);
    note_gil(step);
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_SEAT,
                                         .place = step->event->place,
                                         .number = sp_recycle_requests(step)});
    release_predecessor(step);
    sp_step_show(step);
}

static void on_gil(struct sp_step *step)
{
    // One of the generation before says nothing of those that replace it.
    if (step->plan->phase != SP_FLEET_RUNNING ||
        place_of(step)->state != SP_PLACE_SERVING ||
        sp_place_is_outdated(step->plan, step->event->place)) {
        return;
    }
    const char *why = unsupported(step);
    if (why != NULL) {
        fall_back(step, why);
    } else {
        note_gil(step);
    }
}

static void on_told(struct sp_step *step)
{
    sp_step_move(step, step->event->place, SP_PLACE_TOLD);
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_RELEASE,
                                         .place = step->event->place});
    sp_step_show(step);
}

static void on_idle(struct sp_step *step)
{
    if (sp_fleet_place_drains(step->plan, step->event->place)) {
        sp_step_dismiss(step, step->event->place);
    }
}

// One that is about to leave anyway is replaced when it has left.
static void on_replace(struct sp_step *step)
{
    sp_recycle_mark(step->plan, place_of(step), step->event->recycle);
}

static void on_weighed(struct sp_step *step)
{
    sp_weight_judge(step, step->event->place);
}

static void on_checked(struct sp_step *step)
{
    sp_recycle_check(step, step->event->place);
}

static void on_denied(struct sp_step *step)
{
    if (step->stranger != NULL) {
        fail(step, step->stranger);
    }
}

static void on_exited(struct sp_step *step)
{
    struct sp_place *place = place_of(step);
    const struct sp_place before = *place;
    sp_step_move(step, step->event->place, SP_PLACE_EXITED);
    place->exec =
        !step->event->worker.born && before.generation == step->plan->generation;
    step->plan->remains++;
    if (before.outgoing && !before.retired) {
        sp_recycle_gone(step);
    }
    sp_judge_exit(step, &before);
    sp_step_show(step);
    // The pool has seen the seat die and calls itself degraded, but enough others
    // serve: its successor, or those of a pool that may have fewer.
    bool seated = before.state == SP_PLACE_SERVING || before.state == SP_PLACE_DRAINING;
    if (seated && step->plan->shown == SP_POOL_READY) {
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_SET_STATE,
                                             .state = SP_POOL_READY});
    }
}

static void on_gone(struct sp_step *step)
{
    SP_CHECK(step->plan->remains > 0);
    step->plan->remains--;
}

// ---- Events of the template ---------------------------------------------------

static void on_template_failed(struct sp_step *step)
{
    step->plan->template.state = SP_PLANNED_NONE;
    sp_judge_template_start(step);
}

static void on_template_ready(struct sp_step *step)
{
    if (step->plan->template.state == SP_PLANNED_IMPORTING) {
        step->plan->template.state = SP_PLANNED_FORKING;
    }
}

static void on_template_gone(struct sp_step *step)
{
    enum sp_planned_template_state before = step->plan->template.state;
    SP_CHECK(before != SP_PLANNED_NONE);
    step->plan->template.state = SP_PLANNED_NONE;
    sp_judge_template_end(step, before);
}

// ---- Other events -------------------------------------------------------------

static void on_nothing(struct sp_step *step)
{
    (void)step;
}

static void on_timer(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (step->now >= plan->resume_at) {
        plan->resume_at = 0;
    }
    if (step->now >= plan->look_at) {
        plan->look_at = step->now + LOOK_EVERY_NS;
    }
    sp_recycle_expire(step);
    sp_weight_expire(step);
    sp_stuck_expire(step);
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        if (sp_fleet_place_drains(plan, i) && step->now >= plan->places[i].leave_at) {
            sp_step_dismiss(step, i);
        }
    }
}

static bool is_over(const struct sp_fleet_plan *plan)
{
    return plan->phase == SP_FLEET_STOPPING || plan->phase == SP_FLEET_STOPPED;
}

// A pool that has failed starts over, with its template and as whoever the program is
// now; of another one the pause ends.
static void start_over(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (plan->phase == SP_FLEET_FAILED) {
        step->stranger = NULL;
        plan->phase = SP_FLEET_RUNNING;
        plan->restart.failures = 0;
        plan->template.given_up = false;
        plan->template.deaths = 0;
        sp_step_just(step, SP_FLEET_DO_KNOW_USER);
    }
    if (plan->shown == SP_POOL_FAILED || plan->shown == SP_POOL_DOWN) {
        plan->shown = SP_POOL_STARTING;
    }
    plan->resume_at = 0;
}

static void on_retry(struct sp_step *step)
{
    if (!is_over(step->plan)) {
        start_over(step);
    }
}

static void on_respec(struct sp_step *step)
{
    if (!is_over(step->plan)) {
        start_over(step);
        sp_roll_take_terms(step);
    }
}

// The template leaves together with the workers, not before: it has to report the forks
// that it has made.
static void on_stop(struct sp_step *step)
{
    if (!is_over(step->plan)) {
        step->plan->phase = SP_FLEET_STOPPING;
        sp_step_dismiss_all(step);
    }
}

static void on_load(struct sp_step *step)
{
    sp_scale_judge(step);
}

static void on_resize(struct sp_step *step)
{
    if (!is_over(step->plan)) {
        sp_scale_resize(step, step->event->number, "the program asked for it");
    }
}

static void on_reshaped(struct sp_step *step)
{
    step->plan->phase = SP_FLEET_RUNNING;
    step->plan->resume_at = 0;
    sp_step_show(step);
}

static void on_no_memory(struct sp_step *step)
{
    fail(step, "memory is exhausted");
}

// ---- A step -------------------------------------------------------------------

static void end_fallback(struct sp_step *step)
{
    const struct sp_fleet_plan *plan = step->plan;
    if (sp_roll_is_unmanned(plan)) {
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_RESHAPE,
                                             .number = plan->size * plan->threads});
    }
}

static void end_stop(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (plan->template.state == SP_PLANNED_NONE && sp_fleet_alive(plan) == 0) {
        plan->phase = SP_FLEET_STOPPED;
        sp_step_just(step, SP_FLEET_DO_TELL_STOPPED);
    }
}

static void run(struct sp_step *step)
{
    sp_recycle_take_turns(step);
    sp_stuck_follow(step);
    sp_scale_retire(step);
    fill(step);
}

static void follow(struct sp_step *step)
{
    static void (*const of_phase[SP_FLEET_PHASES])(struct sp_step *) = {
        [SP_FLEET_RUNNING] = run,
        [SP_FLEET_FALLING_BACK] = end_fallback,
        [SP_FLEET_FAILED] = on_nothing,
        [SP_FLEET_STOPPING] = end_stop,
        [SP_FLEET_STOPPED] = on_nothing,
    };
    of_phase[step->plan->phase](step);
}

static uint64_t wake_at(const struct sp_fleet_plan *plan)
{
    bool runs = plan->phase == SP_FLEET_RUNNING;
    uint64_t at = runs && plan->resume_at != 0 ? plan->resume_at : SP_NEVER;
    uint64_t expiry = runs ? sp_recycle_wake_at(plan) : SP_NEVER;
    uint64_t weighing = sp_weight_wake_at(plan);
    uint64_t look = runs ? sp_scale_wake_at(plan) : SP_NEVER;
    at = expiry < at ? expiry : at;
    at = look < at ? look : at;
    at = weighing < at ? weighing : at;
    // Nobody has ever drained where it is 0.
    for (uint32_t i = 0; i < sp_places_count(plan) && plan->look_at != 0; i++) {
        if (sp_fleet_place_drains(plan, i) && plan->look_at < at) {
            at = plan->look_at;
        }
    }
    return at;
}

void sp_fleet_step(struct sp_fleet_plan *plan,
                   const struct sp_fleet_event *event,
                   uint64_t now,
                   struct sp_fleet_actions *out)
{
    static void (*const handlers[SP_FLEET_EVENTS])(struct sp_step *) = {
        [SP_FLEET_NOTHING] = on_nothing,
        [SP_FLEET_BEGIN] = on_nothing,
        [SP_FLEET_TIMER] = on_timer,
        [SP_FLEET_RETRY] = on_retry,
        [SP_FLEET_STOP] = on_stop,
        [SP_FLEET_LOAD] = on_load,
        [SP_FLEET_RESIZE] = on_resize,
        [SP_FLEET_RESPEC] = on_respec,
        [SP_FLEET_STARTED] = on_started,
        [SP_FLEET_START_FAILED] = on_start_failed,
        [SP_FLEET_READY] = on_ready,
        [SP_FLEET_GIL] = on_gil,
        [SP_FLEET_TOLD] = on_told,
        [SP_FLEET_IDLE] = on_idle,
        [SP_FLEET_REPLACE] = on_replace,
        [SP_FLEET_WEIGHED] = on_weighed,
        [SP_FLEET_STUCK] = sp_stuck_judge,
        [SP_FLEET_CHECKED] = on_checked,
        [SP_FLEET_DENIED] = on_denied,
        [SP_FLEET_EXITED] = on_exited,
        [SP_FLEET_GONE] = on_gone,
        [SP_FLEET_TEMPLATE_STARTED] = on_nothing,
        [SP_FLEET_TEMPLATE_FAILED] = on_template_failed,
        [SP_FLEET_TEMPLATE_READY] = on_template_ready,
        [SP_FLEET_TEMPLATE_GONE] = on_template_gone,
        [SP_FLEET_RESHAPED] = on_reshaped,
        [SP_FLEET_NO_MEMORY] = on_no_memory,
    };
    SP_CHECK(event->kind < SP_FLEET_EVENTS);
    struct sp_step step = {plan, event, event->stranger, now, out};
    out->count = 0;
    handlers[event->kind](&step);
    follow(&step);
    out->wake_at = wake_at(plan);
}
