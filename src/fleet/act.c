// SPDX-License-Identifier: MIT
// Does what the plan orders, and decides nothing.
#include <errno.h>

#include "base/check.h"
#include "fleet/inside.h"

// ---- A worker's place in the pool ----------------------------------------------

// Gives the worker a seat, unless it has died in the meantime.
static void seat(struct sp_fleet *fleet, struct sp_worker *worker, uint64_t requests)
{
    const struct sp_fleet_options *options = &fleet->options;
    const struct sp_seat_terms terms = {
        .port = worker->port,
        .worker = worker,
        .worker_id = worker->options.id,
        .requests = requests,
        .idempotent = {worker->idempotent.data, worker->idempotent.size},
        .batches = {worker->batches.data, worker->batches.size},
    };
    struct sp_seat *made = NULL;
    sp_fleet_note_ready(fleet, worker);
    pthread_mutex_lock(&worker->lost_lock);
    bool lost = worker->lost;
    if (!lost && sp_pool_add_seat(options->pool, &terms, &made) == SNAKEPIT_OK) {
        worker->seat = made;
    }
    pthread_mutex_unlock(&worker->lost_lock);
    if (lost) {
        return; // its exit comes
    }
    if (made == NULL) {
        sp_worker_kill(worker, "memory is exhausted");
    } else {
        options->hooks.doorbell(options->hooks.user, worker->port->doorbell, true);
        sp_health_begin(worker->options.hooks.user);
    }
}

// A worker that is still busy when the pit closes runs a call whose caller has its
// answer already.
static void dismiss(struct sp_fleet *fleet, struct sp_worker *worker, bool closing)
{
    struct sp_pool *pool = fleet->options.pool;
    if (worker->seat != NULL) {
        sp_pool_empty_seat(pool, worker->seat);
        if (closing && sp_pool_seat_is_busy(pool, worker->seat)) {
            sp_worker_kill(worker, "it was still running a call when the pit closed");
        }
    }
    sp_worker_stop(worker);
}

static void kill_worker(struct sp_worker *worker, const struct sp_fleet_action *action)
{
    if (action->closing) {
        sp_worker_end(worker, action->reason);
    } else if (action->blames) {
        sp_worker_kill_for_calls(worker, action->reason);
    } else {
        sp_worker_kill_as(worker, action->death, action->reason);
    }
}

static void act_on_worker(struct sp_fleet *fleet, const struct sp_fleet_action *action)
{
    struct sp_worker *worker = fleet->occupants[action->place]->worker;
    SP_CHECK(worker != NULL);
    if (action->kind == SP_FLEET_DO_SEAT) {
        seat(fleet, worker, action->number);
    } else if (action->kind == SP_FLEET_DO_KILL) {
        kill_worker(worker, action);
    } else if (action->kind == SP_FLEET_DO_DISMISS) {
        dismiss(fleet, worker, action->closing);
    } else if (worker->seat == NULL) {
        return; // nothing to drain or to release
    } else if (action->kind == SP_FLEET_DO_DRAIN) {
        sp_pool_close_seat(fleet->options.pool, worker->seat);
    } else {
        sp_pool_empty_seat(fleet->options.pool, worker->seat);
    }
}

// ---- Starts -------------------------------------------------------------------

// Whether another start would end the same way, or the machine may have later what it
// lacks now.
static enum sp_start_failure kind_of(snakepit_err err, int reason)
{
    static const int starved[] = {EMFILE, ENFILE, ENOMEM, EAGAIN, ENOSPC};
    static const int hopeless[] = {ENOENT, EACCES, ENOEXEC, ENOTDIR, EISDIR, ELOOP};
    for (size_t i = 0; i < sizeof starved / sizeof starved[0]; i++) {
        if (err == SNAKEPIT_NO_MEMORY || reason == starved[i]) {
            return SP_START_STARVED;
        }
    }
    for (size_t i = 0; i < sizeof hopeless / sizeof hopeless[0]; i++) {
        if (reason == hopeless[i]) {
            return SP_START_HOPELESS;
        }
    }
    return SP_START_BROKE;
}

static snakepit_err start_worker(struct sp_fleet *fleet,
                                 const struct sp_fleet_action *action,
                                 snakepit_message *why)
{
    struct sp_occupant *occupant = fleet->occupants[action->place];
    uint32_t post = action->place / SP_PLACES_PER_POST;
    const char *device = sp_fleet_device_of(fleet, post);
    struct sp_worker_options options;
    SP_CHECK(occupant->worker == NULL);
    sp_fleet_describe_worker(fleet, post, &options);
    occupant->device = sp_fleet_keep(fleet, device);
    options.template = action->fork ? fleet->template : NULL;
    options.gives_way = action->gives_way;
    options.hooks = fleet->worker_hooks;
    options.hooks.user = occupant;
    errno = 0;
    snakepit_err err = device == NULL || occupant->device != NULL
                           ? sp_fleet_write_first_message(fleet, options.id, device)
                           : SNAKEPIT_NO_MEMORY;
    options.config =
        (struct sp_slice){fleet->first_message.data, fleet->first_message.size};
    options.fork_config =
        (struct sp_slice){fleet->fork_message.data, fleet->fork_message.size};
    err = err == SNAKEPIT_OK ? sp_worker_start(&options, &occupant->worker, why) : err;
    if (err == SNAKEPIT_OK) {
        (void)sp_spec_ref(fleet->spec); // until worker_gone()
    }
    if (err == SNAKEPIT_OK && occupant->worker->child.born) {
        sp_pool_count_worker(fleet->options.pool, SP_COUNTED_STARTS);
    }
    return err;
}

static struct sp_fleet_event start(struct sp_fleet *fleet,
                                   const struct sp_fleet_action *action,
                                   snakepit_message *why)
{
    *why = (snakepit_message){"memory is exhausted"};
    snakepit_err err = start_worker(fleet, action, why);
    int reason = errno;
    if (err == SNAKEPIT_OK) {
        return (struct sp_fleet_event){.kind = SP_FLEET_STARTED,
                                       .place = action->place};
    }
    return (struct sp_fleet_event){.kind = SP_FLEET_START_FAILED,
                                   .place = action->place,
                                   .failure = kind_of(err, reason),
                                   .reason = why->text};
}

static struct sp_fleet_event start_template(struct sp_fleet *fleet,
                                            snakepit_message *why)
{
    struct sp_template_options options;
    *why = (snakepit_message){"memory is exhausted"};
    snakepit_err err = sp_fleet_write_first_message(fleet, 0, NULL);
    sp_fleet_describe_template(fleet, &options);
    options.hooks = fleet->template_hooks;
    options.hooks.user = fleet;
    SP_CHECK(fleet->template == NULL);
    err = err == SNAKEPIT_OK ? sp_template_start(&options, &fleet->template, why) : err;
    if (err == SNAKEPIT_OK) {
        fleet->template_spec = sp_spec_ref(fleet->spec);
        return (struct sp_fleet_event){.kind = SP_FLEET_TEMPLATE_STARTED};
    }
    return (struct sp_fleet_event){.kind = SP_FLEET_TEMPLATE_FAILED,
                                   .reason = why->text};
}

static struct sp_fleet_event reshape(struct sp_fleet *fleet, uint32_t size)
{
    snakepit_err err = sp_fleet_reshape(fleet, size);
    return (struct sp_fleet_event){.kind = err == SNAKEPIT_OK ? SP_FLEET_RESHAPED
                                                              : SP_FLEET_NO_MEMORY};
}

// ---- The pool -----------------------------------------------------------------

static void set_state(struct sp_fleet *fleet, const struct sp_fleet_action *action)
{
    char text[SP_REASON_MAX + 160];
    const char *why = NULL;
    if (action->reason != NULL) {
        sp_fleet_write_verdict(fleet, action, text, sizeof text);
        why = text;
    }
    enum sp_pool_state state =
        action->kind == SP_FLEET_DO_SET_STATE ? action->state : SP_POOL_FAILED;
    sp_pool_set_state(fleet->options.pool, state, why);
}

static void say_stopped(struct sp_task *task)
{
    struct sp_fleet *fleet = task->user;
    fleet->stopped = true;
    fleet->options.hooks.stopped(fleet->options.hooks.user);
}

static void note(struct sp_fleet *fleet, const struct sp_fleet_action *action)
{
    const struct sp_fleet_plan *plan = &fleet->plan;
    if (action->kind == SP_FLEET_DO_NOTE_FAILURE) {
        sp_pool_note_failure(fleet->options.pool, action->reason);
    } else if (action->kind == SP_FLEET_DO_NOTE_RECYCLED) {
        sp_pool_count_recycle(fleet->options.pool, action->why);
        fleet->occupants[action->place]->worker->left_for = action->reason;
    } else if (action->kind == SP_FLEET_DO_NOTE_ISOLATED) {
        sp_pool_count_worker(fleet->options.pool, SP_COUNTED_ISOLATIONS);
    }
    sp_fleet_note(fleet, action);
    if (action->kind == SP_FLEET_DO_NOTE_GIL) {
        sp_pool_set_shape(
            fleet->options.pool, "thread (GIL)", plan->target, plan->threads);
    }
}

static void act_on_pool(struct sp_fleet *fleet, const struct sp_fleet_action *action)
{
    switch (action->kind) {
    case SP_FLEET_DO_STOP_TEMPLATE:
        sp_template_stop(fleet->template);
        break;
    case SP_FLEET_DO_SET_STATE:
    case SP_FLEET_DO_FAIL:
    case SP_FLEET_DO_REFUSE:
        set_state(fleet, action);
        break;
    case SP_FLEET_DO_RESIZE:
        sp_pool_set_workers(fleet->options.pool, action->number);
        sp_fleet_note(fleet, action);
        break;
    case SP_FLEET_DO_SET_SHAPE:
        sp_fleet_show_shape(fleet);
        break;
    case SP_FLEET_DO_KNOW_USER:
        fleet->user = sp_user_now();
        break;
    case SP_FLEET_DO_COUNT_DEATH:
        sp_pool_count_death(fleet->options.pool, action->death);
        break;
    case SP_FLEET_DO_TELL_STOPPED:
        fleet->farewell.user = fleet;
        sp_loop_later(fleet->options.loop, &fleet->farewell, say_stopped);
        break;
    default:
        note(fleet, action);
    }
}

// ---- A step -------------------------------------------------------------------

static bool is_answered(enum sp_fleet_action_kind kind)
{
    return kind == SP_FLEET_DO_START || kind == SP_FLEET_DO_START_TEMPLATE ||
           kind == SP_FLEET_DO_RESHAPE;
}

struct sp_fleet_event sp_fleet_act(struct sp_fleet *fleet, snakepit_message *why)
{
    uint32_t count = fleet->actions.count;
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_fleet_action *action = &fleet->actions.items[i];
        SP_CHECK(i + 1 == count || !is_answered(action->kind));
        switch (action->kind) {
        case SP_FLEET_DO_START:
            return start(fleet, action, why);
        case SP_FLEET_DO_START_TEMPLATE:
            return start_template(fleet, why);
        case SP_FLEET_DO_RESHAPE:
            return reshape(fleet, action->number);
        case SP_FLEET_DO_SEAT:
        case SP_FLEET_DO_DRAIN:
        case SP_FLEET_DO_RELEASE:
        case SP_FLEET_DO_DISMISS:
        case SP_FLEET_DO_KILL:
            act_on_worker(fleet, action);
            break;
        default:
            act_on_pool(fleet, action);
        }
    }
    return (struct sp_fleet_event){.kind = SP_FLEET_NOTHING};
}
