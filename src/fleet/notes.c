// SPDX-License-Identifier: MIT
// What is said of a pool's workers: lines of the log, and sentences for those who wait
// for the pool.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/inside.h"

#define FIRST_LINE_MAX 400u
#define QUOTED_MAX     (SP_LOG_LINE_MAX / 2)

// ---- The log ------------------------------------------------------------------

// The first line of `text` in double quotes; returns `room`.
static const char *quote_line(const char *text, char *room, size_t size)
{
    char line[FIRST_LINE_MAX];
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    return sp_log_quote(line, room, size);
}

static void note_failure(const struct sp_fleet *fleet,
                         const struct sp_fleet_action *action)
{
    char quoted[QUOTED_MAX];
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "worker.start_failed",
           "pool=%s failures=%u limit=%u because=%s",
           fleet->options.pool_config->name,
           action->number,
           fleet->options.pool_config->restart_limit,
           quote_line(action->reason, quoted, sizeof quoted));
}

static void note_fallback(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "pool.fallback",
           "pool=%s to=process workers=%u because=\"%s\"",
           fleet->options.pool_config->name,
           action->number,
           action->reason);
}

static void note_gil(const struct sp_fleet *fleet)
{
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "pool.gil",
           "pool=%s because=\"threads take turns under the GIL, which the pool's "
           "on_unsupported allows\"",
           fleet->options.pool_config->name);
}

static void note_template(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    const char *pool = fleet->options.pool_config->name;
    const struct sp_log *log = fleet->options.log;
    char quoted[QUOTED_MAX];
    (void)sp_log_quote(action->reason, quoted, sizeof quoted);
    if (action->kind == SP_FLEET_DO_NOTE_UNUSED) {
        sp_log(log,
               SP_LOG_INFO,
               "template.unused",
               "pool=%s because=%s workers=exec",
               pool,
               quoted);
    } else if (action->kind == SP_FLEET_DO_NOTE_LOST) {
        sp_log(
            log, SP_LOG_WARNING, "template.lost", "pool=%s because=%s", pool, quoted);
    } else {
        sp_log(log,
               SP_LOG_WARNING,
               "template.put_off",
               "pool=%s because=%s again_ms=%u",
               pool,
               quoted,
               action->number);
    }
}

static void note_recycled(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    const struct sp_worker *old = fleet->occupants[action->place]->worker;
    const struct sp_worker *successor = fleet->occupants[action->place ^ 1u]->worker;
    uint64_t id = action->succeeded ? successor->options.id : 0; // 0: none yet
    sp_log(fleet->options.log,
           SP_LOG_INFO,
           "worker.recycled",
           "pool=%s worker=%" PRIu64 " successor=%" PRIu64 " because=\"%s\"",
           fleet->options.pool_config->name,
           old->options.id,
           id,
           action->reason);
}

static void note_resized(const struct sp_fleet *fleet,
                         const struct sp_fleet_action *action)
{
    sp_log(fleet->options.log,
           SP_LOG_INFO,
           "pool.resized",
           "pool=%s from=%u to=%u because=\"%s\"",
           fleet->options.pool_config->name,
           action->was,
           action->number,
           action->reason);
}

static void note_memory(const struct sp_fleet *fleet,
                        const struct sp_fleet_action *action)
{
    const struct sp_worker *worker = fleet->occupants[action->place]->worker;
    bool fresh = worker->seat == NULL;
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "worker.memory",
           "pool=%s worker=%" PRIu64 " bytes=%" PRIu64 " limit=%s%s",
           fleet->options.pool_config->name,
           worker->options.id,
           action->memory,
           action->reason,
           fresh ? " because=\"it exceeds the limit before its first call, so that the "
                   "limit is not kept\" remedy=\"a higher limit\""
                 : "");
}

static void note_isolated(const struct sp_fleet *fleet,
                          const struct sp_fleet_action *action)
{
    const struct sp_worker *worker = fleet->occupants[action->place]->worker;
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "worker.isolated",
           "pool=%s worker=%" PRIu64
           " pid=%d kill_ms=%u because=\"a call did not end in "
           "time and could not be cancelled\"",
           fleet->options.pool_config->name,
           worker->options.id,
           (int)worker->child.process.pid,
           action->number);
}

static void note_kept(const struct sp_fleet *fleet,
                      const struct sp_fleet_action *action)
{
    const struct sp_worker *worker = fleet->occupants[action->place]->worker;
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "worker.kept",
           "pool=%s worker=%" PRIu64
           " because=\"its health checks fail as those of its predecessor did, so "
           "another one would do no better\"",
           fleet->options.pool_config->name,
           worker->options.id);
}

void sp_fleet_note_health(const struct sp_occupant *occupant)
{
    const struct sp_fleet *fleet = occupant->fleet;
    const struct sp_health *health = &occupant->health;
    char quoted[QUOTED_MAX];
    if (health->failed == 0) {
        sp_log(fleet->options.log,
               SP_LOG_INFO,
               "worker.healthy",
               "pool=%s worker=%" PRIu64,
               fleet->options.pool_config->name,
               occupant->worker->options.id);
        return;
    }
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "worker.unhealthy",
           "pool=%s worker=%" PRIu64 " failed=%u limit=%u because=%s",
           fleet->options.pool_config->name,
           occupant->worker->options.id,
           health->failed,
           fleet->options.pool_config->health_check_max_failed,
           quote_line(health->message, quoted, sizeof quoted));
}

void sp_fleet_note_check_pause(const struct sp_occupant *occupant, uint64_t ms)
{
    const struct sp_fleet *fleet = occupant->fleet;
    sp_log(fleet->options.log,
           SP_LOG_WARNING,
           "worker.check_fatal",
           "pool=%s worker=%" PRIu64 " pause_ms=%" PRIu64
           " because=\"it ended while it ran its health check\"",
           fleet->options.pool_config->name,
           occupant->worker->options.id,
           ms);
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
               SP_LOG_WARNING,
               "pool.undeclared_adapter",
               "pool=%s adapter=%s remedy=\"__thread_safe__ = True in the class, once "
               "it is\"",
               fleet->options.pool_config->name,
               worker->info.adapter);
    }
}

void sp_fleet_note_ready(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    sp_log(fleet->options.log,
           SP_LOG_INFO,
           "worker.ready",
           "pool=%s worker=%llu pid=%d python=%s adapter=%s start_ms=%llu",
           fleet->options.pool_config->name,
           (unsigned long long)worker->options.id,
           (int)worker->child.process.pid,
           worker->info.python,
           worker->info.adapter,
           (unsigned long long)((sp_clock_now() - worker->child.started_at) /
                                SP_NS_PER_MS));
    warn_of_undeclared(fleet, worker);
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
    char quoted[QUOTED_MAX];
    sp_log(fleet->options.log,
           SP_LOG_ERROR,
           "pool.failed",
           "pool=%s because=%s",
           fleet->options.pool_config->name,
           quote_line(why, quoted, sizeof quoted));
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
