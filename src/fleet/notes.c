// SPDX-License-Identifier: MIT
// What is said of a pool's workers: lines of the log, and sentences for those who wait
// for the pool.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/inside.h"
#include "fleet/places.h"
#include "telemetry/notice.h"

#define FIRST_LINE_MAX 400u

// ---- The log ------------------------------------------------------------------

// The first line of `text`; returns `room`.
static const char *first_line(const char *text, char room[FIRST_LINE_MAX])
{
    (void)snprintf(room, FIRST_LINE_MAX, "%.*s", (int)strcspn(text, "\n"), text);
    return room;
}

static void note_failure(const struct sp_fleet *fleet,
                         const struct sp_fleet_action *action)
{
    char line[FIRST_LINE_MAX];
    sp_log(fleet->options.log,
           worker_start_failed,
           .pool = fleet->options.pool_config->name,
           .failures = action->number,
           .limit = fleet->options.pool_config->restart_limit,
           .because = first_line(action->reason, line));
}

static void note_fallback(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    sp_log(fleet->options.log,
           pool_fallback,
           .pool = fleet->options.pool_config->name,
           .to = "process",
           .workers = action->number,
           .because = action->reason);
}

static void note_gil(const struct sp_fleet *fleet)
{
    sp_log(
        fleet->options.log,
        pool_gil,
        .pool = fleet->options.pool_config->name,
        .because =
            "threads take turns under the GIL, which the pool's on_unsupported allows");
}

static void note_template(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    const char *pool = fleet->options.pool_config->name;
    const struct sp_log *log = fleet->options.log;
    if (action->kind == SP_FLEET_DO_NOTE_UNUSED) {
        sp_log(log,
               template_unused,
               .pool = pool,
               .because = action->reason,
               .workers = "exec");
    } else if (action->kind == SP_FLEET_DO_NOTE_LOST) {
        sp_log(log, template_lost, .pool = pool, .because = action->reason);
    } else {
        sp_log(log,
               template_put_off,
               .pool = pool,
               .because = action->reason,
               .again_ms = action->number);
    }
}

static void note_recycled(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    const struct sp_worker *old = fleet->occupants[action->place]->worker;
    const struct sp_worker *successor = fleet->occupants[action->place ^ 1u]->worker;
    uint64_t id = action->succeeded ? successor->options.id : 0; // 0: none yet
    sp_log(fleet->options.log,
           worker_recycled,
           .pool = fleet->options.pool_config->name,
           .worker = old->options.id,
           .successor = id,
           .because = action->reason);
}

static void note_resized(const struct sp_fleet *fleet,
                         const struct sp_fleet_action *action)
{
    sp_log(fleet->options.log,
           pool_resized,
           .pool = fleet->options.pool_config->name,
           .from = action->was,
           .to = action->number,
           .because = action->reason);
}

static void note_memory(const struct sp_fleet *fleet,
                        const struct sp_fleet_action *action)
{
    const struct sp_worker *worker = fleet->occupants[action->place]->worker;
    bool fresh = worker->seat == NULL;
    sp_log(fleet->options.log,
           worker_memory,
           .pool = fleet->options.pool_config->name,
           .worker = worker->options.id,
           .bytes = action->memory,
           .limit = action->reason,
           .because = fresh ? "it exceeds the limit before its first call, so that the "
                              "limit is not kept"
                            : NULL,
           .remedy = fresh ? "a higher limit" : NULL);
}

static void note_isolated(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    const struct sp_worker *worker = fleet->occupants[action->place]->worker;
    sp_log(fleet->options.log,
           worker_isolated,
           .pool = fleet->options.pool_config->name,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .kill_ms = action->number,
           .because = "a call did not end in time and could not be cancelled");
}

static void note_kept(const struct sp_fleet *fleet,
                      const struct sp_fleet_action *action)
{
    const struct sp_worker *worker = fleet->occupants[action->place]->worker;
    sp_log(fleet->options.log,
           worker_kept,
           .pool = fleet->options.pool_config->name,
           .worker = worker->options.id,
           .because = "its health checks fail as those of its predecessor did, so "
                      "another one would do no better");
}

void sp_fleet_note_health(const struct sp_occupant *occupant)
{
    const struct sp_fleet *fleet = occupant->fleet;
    const struct sp_health *health = &occupant->health;
    char line[FIRST_LINE_MAX];
    if (health->failed == 0) {
        sp_log(fleet->options.log,
               worker_healthy,
               .pool = fleet->options.pool_config->name,
               .worker = occupant->worker->options.id);
        return;
    }
    sp_log(fleet->options.log,
           worker_unhealthy,
           .pool = fleet->options.pool_config->name,
           .worker = occupant->worker->options.id,
           .failed = health->failed,
           .limit = fleet->options.pool_config->health_check_max_failed,
           .because = first_line(health->message, line));
}

void sp_fleet_note_check_pause(const struct sp_occupant *occupant, uint64_t ms)
{
    const struct sp_fleet *fleet = occupant->fleet;
    sp_log(fleet->options.log,
           worker_check_fatal,
           .pool = fleet->options.pool_config->name,
           .worker = occupant->worker->options.id,
           .pause_ms = ms,
           .because = "it ended while it ran its health check");
}

void sp_fleet_note(const struct sp_fleet *fleet, const struct sp_fleet_action *action)
{
    switch (action->kind) {
    case SP_FLEET_DO_NOTE_FAILURE:
        note_failure(fleet, action);
        break;
    case SP_FLEET_DO_NOTE_FALLBACK:
        note_fallback(fleet, action);
        break;
    case SP_FLEET_DO_NOTE_GIL:
        note_gil(fleet);
        break;
    case SP_FLEET_DO_NOTE_RECYCLED:
        note_recycled(fleet, action);
        break;
    case SP_FLEET_DO_RESIZE:
        note_resized(fleet, action);
        break;
    case SP_FLEET_DO_NOTE_MEMORY:
        note_memory(fleet, action);
        break;
    case SP_FLEET_DO_NOTE_ISOLATED:
        note_isolated(fleet, action);
        break;
    case SP_FLEET_DO_NOTE_KEPT:
        note_kept(fleet, action);
        break;
    default:
        note_template(fleet, action);
    }
}

static void warn_of_undeclared(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    if (fleet->plan.profile == SP_PROFILE_THREAD && worker->info.undeclared &&
        !fleet->warned) {
        fleet->warned = true;
        sp_log(fleet->options.log,
               pool_undeclared_adapter,
               .pool = fleet->options.pool_config->name,
               .adapter = worker->info.adapter,
               .remedy = "__thread_safe__ = True in the class, once it is");
    }
}

void sp_fleet_note_ready(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    sp_log(fleet->options.log,
           worker_started,
           .pool = fleet->options.pool_config->name,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .python = worker->info.python,
           .adapter = worker->info.adapter,
           .start_ms = (sp_clock_now() - worker->child.started_at) / SP_NS_PER_MS);
    warn_of_undeclared(fleet, worker);
    if (!fleet->initialized && sp_posts_serve(&fleet->plan)) {
        fleet->initialized = true;
        sp_log(fleet->options.log,
               pool_initialized,
               .pool = fleet->options.pool_config->name,
               .workers = fleet->plan.target,
               .capacity = (uint64_t)fleet->plan.target * fleet->plan.threads);
    }
}

// ---- Verdicts -----------------------------------------------------------------

static void write_refusal(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action,
                          char *text,
                          size_t size)
{
    const struct sp_pool_config *config = fleet->options.pool_config;
    bool adapter = strcmp(action->what, "adapter") == 0;
    (void)snprintf(text,
                   size,
                   "%.200s: pool %.100s: %s: %.250s cannot run the thread profile: %s "
                   "(on_unsupported: refuse)",
                   fleet->options.config->file,
                   config->name,
                   action->what,
                   adapter ? config->adapter : config->python,
                   action->reason);
}

static void log_failed(const struct sp_fleet *fleet, const char *why)
{
    char line[FIRST_LINE_MAX];
    sp_log(fleet->options.log,
           pool_failed,
           .pool = fleet->options.pool_config->name,
           .because = first_line(why, line));
}

void sp_fleet_write_verdict(const struct sp_fleet *fleet,
                            const struct sp_fleet_action *action,
                            char *text,
                            size_t size)
{
    if (action->kind == SP_FLEET_DO_REFUSE) {
        write_refusal(fleet, action, text, size);
    } else if (action->what == NULL) {
        (void)snprintf(text, size, "%s", action->reason);
    } else {
        (void)snprintf(text,
                       size,
                       "pool %.100s: %s: %s",
                       fleet->options.pool_config->name,
                       action->what,
                       action->reason);
    }
    if (action->kind != SP_FLEET_DO_SET_STATE) {
        log_failed(fleet, text);
    }
}

const char *
sp_fleet_write_stranger(const struct sp_fleet *fleet, char *text, size_t size)
{
    const struct sp_user now = sp_user_now();
    const struct sp_user *then = &fleet->user;
    if (memcmp(&now, then, sizeof now) == 0) {
        return NULL;
    }
    (void)snprintf(text,
                   size,
                   "pool %.100s: the program has changed its user from %u to %u (group "
                   "%u to %u) since it opened the pit, so that workers can be neither "
                   "replaced nor stopped; open the pit after the change, or call "
                   "snakepit_pool_retry() to start them as the new user",
                   fleet->options.pool_config->name,
                   then->users[1],
                   now.users[1],
                   then->groups[1],
                   now.groups[1]);
    return text;
}
