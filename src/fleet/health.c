// SPDX-License-Identifier: MIT
// The health of workers. A check is a call to the worker itself, and the time between
// two begins when one has ended, so there is never more than one. What follows from
// those that fail is the plan's to say.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/inside.h"

#define HEALTH_TOOL "_health" // which no adapter can give to a tool of its own

#define DOUBLED_MOST 6u // times: how often the interval is, at most

static bool may_begin(const struct sp_occupant *occupant)
{
    const struct sp_check_pause *pause = &occupant->fleet->check_pause;
    return pause->deaths == 0 || (sp_clock_now() >= pause->until &&
                                  (pause->probe == NULL || pause->probe == occupant));
}

static void on_due(struct sp_timer *timer)
{
    struct sp_occupant *occupant = timer->user;
    struct sp_fleet *fleet = occupant->fleet;
    struct sp_seat *seat = occupant->worker->seat;
    if (seat == NULL) {
        return;
    }
    // One that has no room for it now is looked at the next time.
    if (!may_begin(occupant) ||
        sp_pool_check_seat(fleet->options.pool,
                           seat,
                           HEALTH_TOOL,
                           fleet->options.pool_config->health_check_timeout_ms) !=
            SNAKEPIT_OK) {
        sp_health_go_on(occupant);
        return;
    }
    occupant->health.begun++;
    fleet->check_pause.probe = fleet->check_pause.deaths > 0 ? occupant : NULL;
}

void sp_health_begin(struct sp_occupant *occupant)
{
    occupant->health = (struct sp_health){.checks = 0};
    occupant->check.user = occupant;
    sp_health_go_on(occupant);
}

void sp_health_go_on(struct sp_occupant *occupant)
{
    const struct sp_fleet *fleet = occupant->fleet;
    uint32_t interval = fleet->options.pool_config->health_check_interval_ms;
    const struct sp_worker *worker = occupant->worker;
    if (interval > 0 && worker->seat != NULL && worker->info.has_health_check) {
        sp_timer_start(fleet->options.loop, &occupant->check, on_due, interval, 0);
    }
}

void sp_health_end(struct sp_occupant *occupant)
{
    struct sp_check_pause *pause = &occupant->fleet->check_pause;
    sp_timer_stop(&occupant->check);
    pause->probe = pause->probe == occupant ? NULL : pause->probe;
}

// What hangs, or crashes, does so in every worker that asks the same. A successor that
// was checked as soon would be the next. Those that die in the same pause count once.
void sp_health_killed(struct sp_occupant *occupant)
{
    const struct sp_fleet *fleet = occupant->fleet;
    struct sp_check_pause *pause = &occupant->fleet->check_pause;
    uint64_t now = sp_clock_now();
    uint64_t ms = fleet->options.pool_config->health_check_interval_ms;
    pause->deaths += now >= pause->until && pause->deaths < DOUBLED_MOST;
    ms <<= pause->deaths;
    pause->until = now + ms * SP_NS_PER_MS;
    sp_fleet_note_check_pause(occupant, ms);
}

// Whether the check itself has ended, and not only its worker, or the pool.
static bool says_something(snakepit_err err)
{
    return err == SNAKEPIT_OK || err == SNAKEPIT_DEADLINE_EXCEEDED ||
           err == SNAKEPIT_TOOL_FAILED || err == SNAKEPIT_UNSERIALISABLE ||
           err == SNAKEPIT_NO_MEMORY;
}

static void describe(struct sp_health *health, const snakepit_fault *fault)
{
    if (fault->err == SNAKEPIT_DEADLINE_EXCEEDED) {
        (void)snprintf(health->message,
                       sizeof health->message,
                       "it took longer than health_check_timeout_ms");
    } else {
        (void)snprintf(health->message,
                       sizeof health->message,
                       "%s%s%.200s",
                       fault->type,
                       fault->type[0] != 0 ? ": " : "",
                       fault->message);
    }
}

bool sp_health_note(struct sp_occupant *occupant,
                    snakepit_err err,
                    const snakepit_fault *fault)
{
    struct sp_health *health = &occupant->health;
    struct sp_check_pause *pause = &occupant->fleet->check_pause;
    if (pause->probe == occupant && err != SNAKEPIT_DEADLINE_EXCEEDED) {
        pause->probe = NULL;
    }
    if (!says_something(err)) {
        return false;
    }
    if (err != SNAKEPIT_DEADLINE_EXCEEDED) { // one that is late may never end
        *pause = (struct sp_check_pause){.deaths = 0};
    }
    uint32_t before = health->failed;
    health->checks++;
    health->ended_at = sp_clock_now();
    health->message[0] = 0;
    health->failed = 0;
    if (err != SNAKEPIT_OK) {
        health->failures++;
        health->failed = before + 1;
        describe(health, fault);
        sp_pool_count_worker(occupant->fleet->options.pool, SP_COUNTED_FAILED_CHECKS);
    }
    if (before + health->failed > 0) {
        sp_fleet_note_health(occupant);
    }
    return true;
}

const char *sp_health_status(const struct sp_health *health)
{
    return health->checks == 0   ? "unknown"
           : health->failed == 0 ? "healthy"
                                 : "unhealthy";
}
