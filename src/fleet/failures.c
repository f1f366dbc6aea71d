// SPDX-License-Identifier: MIT
// Carries out what restart.c decides about starts that fail, and says why they did.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/fleet.h"

static void on_timer(struct sp_timer *timer)
{
    sp_fleet_start_more(timer->user);
}

void sp_fleet_start_later(struct sp_fleet *fleet, uint64_t ms)
{
    if (!sp_timer_runs(&fleet->timer)) {
        sp_timer_start(fleet->loop, &fleet->timer, on_timer, ms, 0);
    }
}

#define FIRST_LINE_MAX 400u

const char *sp_fleet_quote_line(const char *text, char *room, size_t size)
{
    char line[FIRST_LINE_MAX];
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    return sp_log_quote(line, room, size);
}

static void log_failed_start(const struct sp_fleet *fleet,
                             const struct sp_failed_start *start)
{
    char quoted[SP_LOG_LINE_MAX / 2];
    sp_log(fleet->log,
           SP_LOG_WARNING,
           "worker.start_failed",
           "pool=%s failures=%u limit=%u because=%s",
           fleet->pool_config->name,
           fleet->restart.failures,
           fleet->pool_config->restart_limit,
           sp_fleet_quote_line(start->reason, quoted, sizeof quoted));
}

static void give_verdict(struct sp_fleet *fleet,
                         const struct sp_failed_start *start,
                         const struct sp_restart_verdict *verdict)
{
    char text[SP_REASON_MAX + 160];
    (void)snprintf(text,
                   sizeof text,
                   "pool %.100s: %s: %s",
                   fleet->pool_config->name,
                   start->what,
                   start->reason);
    if (verdict->order == SP_RESTART_FAIL) {
        sp_fleet_fail(fleet, text);
        return;
    }
    if (verdict->order == SP_RESTART_DOWN) {
        fleet->down = true;
        sp_pool_set_state(fleet->pool, SP_POOL_DOWN, text);
    }
    if (verdict->order != SP_RESTART_NOTHING) {
        sp_fleet_start_later(fleet, verdict->pause_ms);
    }
}

void sp_fleet_note_failed_start(struct sp_fleet *fleet,
                                const struct sp_failed_start *failed)
{
    const struct sp_pool_config *config = fleet->pool_config;
    const struct sp_restart_rules rules = {
        .limit = config->restart_limit,
        .pause_ms = config->restart_backoff_ms,
        .pause_most_ms = config->restart_backoff_max_ms,
    };
    const struct sp_start start = {failed->failure, failed->began, fleet->ready};
    struct sp_restart_verdict verdict =
        sp_restart_failed(&fleet->restart, &rules, &start, sp_clock_now());
    sp_pool_note_failure(fleet->pool, failed->reason);
    log_failed_start(fleet, failed);
    give_verdict(fleet, failed, &verdict);
}

bool sp_fleet_is_same_user(struct sp_fleet *fleet)
{
    const struct sp_user now = sp_user_now();
    const struct sp_user *then = &fleet->user;
    if (memcmp(&now, then, sizeof now) == 0) {
        return true;
    }
    char text[512];
    (void)snprintf(text,
                   sizeof text,
                   "pool %.100s: the program has changed its user from %u to %u (group "
                   "%u to %u) since it opened the pit, so that workers can be neither "
                   "replaced nor stopped; open the pit after the change, or call "
                   "snakepit_pool_retry() to start them as the new user",
                   fleet->pool_config->name,
                   then->users[1],
                   now.users[1],
                   then->groups[1],
                   now.groups[1]);
    sp_fleet_fail(fleet, text);
    return false;
}
