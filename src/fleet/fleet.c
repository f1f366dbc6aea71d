// SPDX-License-Identifier: MIT
// The one thing to know: whatever happens becomes an event, each event is one step of
// the plan, and the step's actions are carried out before the next event. An action may
// be answered by an event, which is taken next; no callback runs in between.
#include "fleet/fleet.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "fleet/inside.h"
#include "fleet/scale.h"
#include "ipc/segment.h"
#include "pool/window.h"

// ---- Steps --------------------------------------------------------------------

static void on_timer(struct sp_timer *timer);

static void set_timer(struct sp_fleet *fleet)
{
    uint64_t at = fleet->actions.wake_at;
    uint64_t now = sp_clock_now();
    if (at == SP_NEVER) {
        sp_timer_stop(&fleet->timer);
    } else if (at != fleet->wake_at || !sp_timer_runs(&fleet->timer)) {
        // Rounded up: it must not fire before it is due.
        uint64_t ms = at > now ? (at - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS : 0;
        sp_timer_start(fleet->options.loop, &fleet->timer, on_timer, ms, 0);
    }
    fleet->wake_at = at;
}

static bool is_of_worker(const struct sp_fleet_event *event)
{
    return event->kind >= SP_FLEET_STARTED && event->kind <= SP_FLEET_GONE;
}

// What a step has changed: of one worker's event not all rows, since a large pool has a
// large number of both.
static void publish(struct sp_fleet *fleet, const struct sp_fleet_event *event)
{
    if (!is_of_worker(event)) {
        sp_fleet_publish_all(fleet);
        return;
    }
    sp_fleet_publish(fleet, event->place);
    for (uint32_t i = 0; i < fleet->actions.count; i++) {
        if (fleet->actions.items[i].kind <= SP_FLEET_DO_KILL) {
            sp_fleet_publish(fleet, fleet->actions.items[i].place);
        }
    }
}

static void take_event(struct sp_fleet *fleet, const struct sp_fleet_event *event)
{
    struct sp_fleet_event next = *event;
    snakepit_message why;
    char stranger[512];
    SP_CHECK(!fleet->stepping);
    fleet->stepping = true;
    while (next.kind != SP_FLEET_NOTHING) {
        next.closing = sp_pool_is_closing(fleet->options.pool);
        next.stranger = sp_fleet_write_stranger(fleet, stranger, sizeof stranger);
        sp_fleet_step(&fleet->plan, &next, sp_clock_now(), &fleet->actions);
        // Before anybody is told of the state that goes with it.
        sp_fleet_publish_pool(fleet);
        if (next.kind == SP_FLEET_READY) {
            sp_fleet_publish(fleet, next.place);
        }
        const struct sp_fleet_event taken = next;
        next = sp_fleet_act(fleet, &why);
        publish(fleet, &taken);
    }
    fleet->stepping = false;
    set_timer(fleet);
}

// Of an event that is nothing but its kind.
static void take_plain_event(struct sp_fleet *fleet, enum sp_fleet_event_kind kind)
{
    take_event(fleet, &(struct sp_fleet_event){.kind = kind});
}

static bool is_busy(const struct sp_fleet *fleet, const struct sp_worker *worker)
{
    return worker->seat != NULL &&
           sp_pool_seat_is_busy(fleet->options.pool, worker->seat);
}

// One that has died runs nothing either, and did not end as it should.
static bool has_drained(const struct sp_fleet *fleet, struct sp_worker *worker)
{
    pthread_mutex_lock(&worker->lost_lock);
    bool lost = worker->lost;
    pthread_mutex_unlock(&worker->lost_lock);
    return !lost && !is_busy(fleet, worker);
}

static void look_at_those_that_drain(struct sp_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->row_count; i++) {
        if (sp_fleet_place_drains(&fleet->plan, i) &&
            has_drained(fleet, fleet->occupants[i]->worker)) {
            take_event(fleet,
                       &(struct sp_fleet_event){.kind = SP_FLEET_IDLE, .place = i});
        }
    }
}

static void weigh(struct sp_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->row_count; i++) {
        if (sp_fleet_place_is_weighed(&fleet->plan, i)) {
            take_event(
                fleet,
                &(struct sp_fleet_event){.kind = SP_FLEET_WEIGHED,
                                         .place = i,
                                         .worker = {.memory = sp_worker_memory(
                                                        fleet->occupants[i]->worker)}});
        }
    }
}

static void tell_load(struct sp_fleet *fleet)
{
    struct sp_pool_view view;
    sp_pool_look(fleet->options.pool, &view, NULL);
    take_event(fleet,
               &(struct sp_fleet_event){
                   .kind = SP_FLEET_LOAD,
                   .load = {.running = view.running - view.held - view.spared,
                            .waiting = view.shared + view.held}});
}

static void on_timer(struct sp_timer *timer)
{
    struct sp_fleet *fleet = timer->user;
    look_at_those_that_drain(fleet);
    if (sp_clock_now() >= sp_scale_wake_at(&fleet->plan)) {
        tell_load(fleet);
    }
    if (sp_clock_now() >= fleet->plan.weigh_at) {
        weigh(fleet);
    }
    take_plain_event(fleet, SP_FLEET_TIMER);
}

// ---- What workers do ----------------------------------------------------------

static struct sp_fleet_worker facts_of(const struct sp_worker *worker)
{
    return (struct sp_fleet_worker){.began = worker->child.started_at,
                                    .born = worker->child.born,
                                    .forked = worker->forked,
                                    .free_threaded = worker->info.free_threaded,
                                    .gil_enabled = worker->info.gil_enabled,
                                    .thread_safe = worker->info.thread_safe,
                                    .adapter_failed = worker->adapter_failed};
}

// Only where it matters: it takes reading two files.
static uint64_t memory_of(const struct sp_fleet *fleet, const struct sp_worker *worker)
{
    const struct sp_pool_config *config = fleet->options.pool_config;
    bool limited =
        config->worker_max_memory != 0 || config->worker_max_memory_hard != 0;
    return limited ? sp_worker_memory(worker) : 0;
}

// What is at that place is to be replaced by a successor.
static void take_replace(struct sp_fleet *fleet, uint32_t place, enum sp_recycle why)
{
    take_event(fleet,
               &(struct sp_fleet_event){
                   .kind = SP_FLEET_REPLACE, .place = place, .recycle = why});
}

static void
worker_event(void *user, enum sp_fleet_event_kind kind, const struct sp_worker *worker)
{
    const struct sp_occupant *occupant = user;
    take_event(occupant->fleet,
               &(struct sp_fleet_event){
                   .kind = kind, .place = occupant->place, .worker = facts_of(worker)});
}

static void worker_born(void *user, struct sp_worker *worker)
{
    const struct sp_occupant *occupant = user;
    (void)worker;
    sp_pool_count_worker(occupant->fleet->options.pool, SP_COUNTED_STARTS);
    sp_fleet_publish(occupant->fleet, occupant->place);
}

static void worker_ready(void *user, struct sp_worker *worker)
{
    struct sp_occupant *occupant = user;
    struct sp_fleet_event event = {
        .kind = SP_FLEET_READY, .place = occupant->place, .worker = facts_of(worker)};
    event.worker.memory = memory_of(occupant->fleet, worker);
    sp_pool_note_start(occupant->fleet->options.pool,
                       sp_clock_now() - worker->child.started_at);
    sp_figures_begin(occupant, worker);
    sp_fleet_trace_start(occupant->fleet, worker);
    sp_code_take(occupant->fleet, worker);
    take_event(occupant->fleet, &event);
}

static void worker_leaving(void *user, struct sp_worker *worker)
{
    worker_event(user, SP_FLEET_TOLD, worker);
}

static bool worker_is_busy(void *user, const struct sp_worker *worker)
{
    const struct sp_occupant *occupant = user;
    return is_busy(occupant->fleet, worker);
}

static void worker_gil(void *user, struct sp_worker *worker)
{
    worker_event(user, SP_FLEET_GIL, worker);
}

static void
worker_mapped(void *user, struct sp_worker *worker, uint64_t serial, bool mapped)
{
    const struct sp_occupant *occupant = user;
    pthread_mutex_lock(&worker->lost_lock);
    if (worker->seat != NULL) {
        sp_window_mapped(occupant->fleet->options.pool, worker->seat, serial, mapped);
    }
    pthread_mutex_unlock(&worker->lost_lock);
}

// Any thread, with the worker's lost_lock held.
static void
worker_lost(void *user, struct sp_worker *worker, const struct sp_worker_loss *loss)
{
    const struct sp_occupant *occupant = user;
    char message[640];
    if (worker->seat == NULL) {
        return;
    }
    (void)snprintf(message,
                   sizeof message,
                   "the worker %s: %s",
                   loss->by_us ? "was stopped" : "died",
                   loss->cause);
    struct sp_failure failure = {
        .err = loss->violated ? SNAKEPIT_PROTOCOL
               : loss->by_us  ? SNAKEPIT_WORKER_LOST
                              : SNAKEPIT_WORKER_DIED,
        .message = message,
        .cause = loss->cause,
        .last_output = loss->last_output,
        .crash_stack = loss->stack,
    };
    sp_pool_seat_died(occupant->fleet->options.pool, worker->seat, &failure);
}

static void unseat(struct sp_fleet *fleet, struct sp_worker *worker)
{
    const struct sp_fleet_hooks *hooks = &fleet->options.hooks;
    struct sp_seat *seat = worker->seat;
    if (seat != NULL) {
        hooks->doorbell(hooks->user, worker->port->doorbell, false);
        pthread_mutex_lock(&worker->lost_lock);
        worker->seat = NULL;
        pthread_mutex_unlock(&worker->lost_lock);
        sp_pool_remove_seat(fleet->options.pool, seat);
    }
}

// One that was told to leave may have been in the middle of a check.
static bool was_killed_by_check(const struct sp_fleet *fleet,
                                const struct sp_worker *worker)
{
    struct sp_pool *pool = fleet->options.pool;
    return worker->seat != NULL && !sp_worker_was_told(worker) &&
           !sp_pool_is_closing(pool) && sp_pool_seat_died_in_check(pool, worker->seat);
}

static void worker_exited(void *user, struct sp_worker *worker)
{
    struct sp_occupant *occupant = user;
    char reason[SP_REASON_MAX] = "";
    struct sp_fleet_event event = {.kind = SP_FLEET_EXITED,
                                   .place = occupant->place,
                                   .worker = facts_of(worker),
                                   .reason = reason};
    event.worker.told = sp_worker_was_told(worker);
    event.worker.death = sp_worker_death(worker);
    // The first call was the probe, and checks of its health are no work either.
    event.worker.worked = worker->port->submit_tail > 1 + occupant->health.begun;
    if (worker->child.born) {
        sp_fleet_describe_failure(worker, reason, sizeof reason);
    }
    if (was_killed_by_check(occupant->fleet, worker)) {
        sp_health_killed(occupant);
    }
    sp_health_end(occupant);
    occupant->health = (struct sp_health){.checks = 0};
    occupant->cpu_ns = 0;
    occupant->memory = 0;
    occupant->figures = (struct sp_worker_figures){.threads = 0};
    unseat(occupant->fleet, worker);
    if (worker->child.born) {
        sp_fleet_note_death(occupant->fleet, worker);
    }
    occupant->worker = NULL;
    take_event(occupant->fleet, &event);
}

static void worker_denied(void *user, struct sp_worker *worker)
{
    worker_event(user, SP_FLEET_DENIED, worker);
}

static void worker_gone(void *user, struct sp_worker *worker)
{
    const struct sp_occupant *occupant = user;
    struct sp_fleet_spec *spec = worker->options.made_from;
    sp_worker_free(worker);
    sp_spec_unref(spec);
    take_plain_event(occupant->fleet, SP_FLEET_GONE);
}

// ---- What the template does ---------------------------------------------------

static void template_ready(void *user, struct sp_template *template)
{
    (void)template;
    take_plain_event(user, SP_FLEET_TEMPLATE_READY);
}

static void template_gone(void *user, struct sp_template *template)
{
    struct sp_fleet *fleet = user;
    const char *reason =
        template->reason[0] != 0 ? template->reason : "it ended by itself";
    struct sp_fleet_spec *spec = fleet->template_spec;
    fleet->template = NULL;
    fleet->template_spec = NULL;
    take_event(
        fleet,
        &(struct sp_fleet_event){.kind = SP_FLEET_TEMPLATE_GONE, .reason = reason});
    sp_template_free(template);
    sp_spec_unref(spec);
}

// ---- What the pit wants -------------------------------------------------------

snakepit_err sp_fleet_init(struct sp_fleet *fleet,
                           const struct sp_fleet_options *options,
                           snakepit_message *why)
{
    struct sp_spec_terms terms =
        sp_spec_terms_of(options->config, options->pool_config);
    struct sp_fleet_spec *spec = NULL;
    *fleet = (struct sp_fleet){
        .options = *options,
        .worker_hooks = {.born = worker_born,
                         .ready = worker_ready,
                         .leaving = worker_leaving,
                         .is_busy = worker_is_busy,
                         .gil = worker_gil,
                         .mapped = worker_mapped,
                         .lost = worker_lost,
                         .exited = worker_exited,
                         .denied = worker_denied,
                         .gone = worker_gone},
        .template_hooks = {.ready = template_ready, .gone = template_gone},
        .requests = -1,
    };
    SP_CHECK(pthread_mutex_init(&fleet->rows_lock, NULL) == 0);
    sp_fleet_plan_init(&fleet->plan, options->pool_config, NULL, sp_clock_now());
    fleet->plan.posts = 0; // until it has some
    snakepit_err err = sp_spec_new(&terms, &spec);
    if (err == SNAKEPIT_OK) {
        sp_fleet_set_spec(fleet, spec);
        err = sp_fleet_make_posts(fleet, terms.size.max);
    }
    if (err == SNAKEPIT_OK) {
        sp_fleet_show_shape(fleet);
        err = sp_segment_read_only_fd(
            &sp_pool_store(options->pool)->segment, &fleet->requests, why);
    }
    if (err != SNAKEPIT_OK) {
        sp_fleet_fini(fleet);
    }
    return err;
}

void sp_fleet_start(struct sp_fleet *fleet)
{
    fleet->timer.user = fleet;
    fleet->user = sp_user_now();
    sp_code_begin(fleet);
    take_plain_event(fleet, SP_FLEET_BEGIN);
}

void sp_fleet_start_again(struct sp_fleet *fleet, struct sp_fleet_spec *spec)
{
    struct sp_fleet_plan *plan = &fleet->plan;
    struct sp_place *places = plan->places; // all are empty
    uint32_t posts = plan->posts;
    SP_CHECK(fleet->stopped);
    fleet->stopped = false;
    sp_fleet_set_spec(fleet, spec);
    sp_fleet_plan_init(plan, spec->terms.pool, places, sp_clock_now());
    plan->posts = posts;
    sp_fleet_show_shape(fleet);
    sp_fleet_start(fleet);
}

bool sp_fleet_has_stopped(const struct sp_fleet *fleet)
{
    return fleet->stopped;
}

void sp_fleet_retry(struct sp_fleet *fleet)
{
    take_plain_event(fleet, SP_FLEET_RETRY);
}

void sp_fleet_do_what_is_asked(struct sp_fleet *fleet)
{
    uint32_t workers = sp_fleet_take_size(fleet);
    if (workers != 0) {
        take_event(
            fleet,
            &(struct sp_fleet_event){.kind = SP_FLEET_RESIZE, .number = workers});
    }
    for (uint32_t i = 0; i < fleet->row_count; i++) {
        if (sp_fleet_take_wish(fleet, i)) {
            take_replace(fleet, i, SP_RECYCLE_BY_HAND);
        }
    }
}

snakepit_err sp_fleet_respec(struct sp_fleet *fleet,
                             struct sp_fleet_spec *spec,
                             bool roll,
                             enum sp_recycle why)
{
    snakepit_err err = sp_fleet_make_posts(fleet, spec->terms.size.max);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    sp_pool_retry(fleet->options.pool);
    const struct sp_fleet_event event = sp_fleet_take_spec(fleet, spec, roll, why);
    take_event(fleet, &event);
    return SNAKEPIT_OK;
}

void sp_fleet_stop(struct sp_fleet *fleet)
{
    sp_slow_look(fleet);
    take_plain_event(fleet, SP_FLEET_STOP);
}

static bool order_cancel(void *worker, uint64_t call, uint32_t slot)
{
    return sp_worker_cancel(worker, call, slot);
}

static void order_kill(void *worker, enum sp_death death, const char *why, bool closing)
{
    if (closing) {
        sp_worker_end(worker, why);
    } else {
        sp_worker_kill_as(worker, death, why);
    }
}

static bool order_map(void *worker, const struct sp_window *window)
{
    return sp_worker_map(
        worker, window->number, window->serial, window->fd, window->memory.size);
}

static bool order_unmap(void *worker, const struct sp_window *window)
{
    return sp_worker_unmap(worker, window->number, window->serial);
}

static void order_spent(void *user)
{
    const struct sp_worker *worker = user;
    const struct sp_occupant *occupant = worker->options.hooks.user;
    take_replace(occupant->fleet, occupant->place, SP_RECYCLE_BY_REQUESTS);
}

static void order_stuck(void *user, bool alone)
{
    const struct sp_worker *worker = user;
    const struct sp_occupant *occupant = worker->options.hooks.user;
    sp_fleet_note_stuck(occupant);
    take_event(occupant->fleet,
               &(struct sp_fleet_event){
                   .kind = SP_FLEET_STUCK, .place = occupant->place, .alone = alone});
}

static void order_checked(void *user, snakepit_err err, const snakepit_fault *fault)
{
    const struct sp_worker *worker = user;
    struct sp_occupant *occupant = worker->options.hooks.user;
    if (sp_health_note(occupant, err, fault)) {
        take_event(occupant->fleet,
                   &(struct sp_fleet_event){.kind = SP_FLEET_CHECKED,
                                            .place = occupant->place,
                                            .healthy = err == SNAKEPIT_OK});
    }
    sp_health_go_on(occupant);
}

bool sp_fleet_tick(struct sp_fleet *fleet, uint64_t now)
{
    static const struct sp_pool_orders orders = {.cancel = order_cancel,
                                                 .spent = order_spent,
                                                 .stuck = order_stuck,
                                                 .checked = order_checked,
                                                 .kill = order_kill,
                                                 .map = order_map,
                                                 .unmap = order_unmap};
    bool again = sp_pool_tick(fleet->options.pool, now, &orders);
    if (!sp_scale_is_elastic(&fleet->plan)) {
        return again;
    }
    tell_load(fleet);
    return again || fleet->plan.waits_since != 0;
}

void sp_fleet_fini(struct sp_fleet *fleet)
{
    SP_CHECK(sp_fleet_alive(&fleet->plan) == 0);
    sp_fleet_free_posts(fleet);
    sp_spec_unref(fleet->spec);
    sp_fleet_free_kept(fleet);
    sp_buf_fini(&fleet->code.files);
    sp_descriptor_close(&fleet->requests);
    sp_buf_fini(&fleet->first_message);
    sp_buf_fini(&fleet->fork_message);
    sp_buf_fini(&fleet->template_message);
    pthread_mutex_destroy(&fleet->rows_lock);
}
