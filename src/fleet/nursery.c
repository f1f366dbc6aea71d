// SPDX-License-Identifier: MIT
// Whether a pool's workers are forked by a template or exec'ed. A template only saves
// time and memory: whatever is wrong with it is a reason to do without, never one for
// the pool to fail.
#include "fleet/fleet.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define FORK_TIMEOUT_MS 2000u
#define DEATHS_MOST     3u // without a worker of use between them

static bool is_wanted(const struct sp_fleet *fleet)
{
    return fleet->profile == SP_PROFILE_PROCESS &&
           fleet->pool_config->template == SP_TEMPLATE_AUTO &&
           !fleet->template_given_up;
}

static void give_up(struct sp_fleet *fleet, const char *because)
{
    char quoted[SP_LOG_LINE_MAX / 2];
    fleet->template_given_up = true;
    sp_log(fleet->log,
           SP_LOG_INFO,
           "template.unused",
           "pool=%s because=%s workers=exec",
           fleet->pool_config->name,
           sp_log_quote(because, quoted, sizeof quoted));
}

// ---- Its life -----------------------------------------------------------------

static void template_ready(void *user, struct sp_template *template)
{
    (void)template;
    sp_fleet_start_more(user);
}

// Doubles with each death.
static uint64_t pause_ns(const struct sp_fleet *fleet)
{
    uint64_t pause = fleet->pool_config->restart_backoff_ms;
    pause <<= fleet->template_deaths;
    uint64_t most = fleet->pool_config->restart_backoff_max_ms;
    return (pause < most ? pause : most) * SP_NS_PER_MS;
}

static void note_death(struct sp_fleet *fleet, const struct sp_template *template)
{
    if (template->wanted_gone || fleet->template_given_up) {
        return;
    }
    const char *because =
        template->reason[0] != 0 ? template->reason : "it ended by itself";
    if (!template->was_ready || ++fleet->template_deaths >= DEATHS_MOST) {
        give_up(fleet, because);
        return;
    }
    char quoted[SP_LOG_LINE_MAX / 2];
    fleet->template_at = sp_clock_now() + pause_ns(fleet);
    sp_log(fleet->log,
           SP_LOG_WARNING,
           "template.lost",
           "pool=%s because=%s",
           fleet->pool_config->name,
           sp_log_quote(because, quoted, sizeof quoted));
}

static void template_gone(void *user, struct sp_template *template)
{
    struct sp_fleet *fleet = user;
    fleet->template = NULL;
    note_death(fleet, template);
    sp_template_free(template);
    if (fleet->stopping) {
        sp_fleet_check_stopped(fleet);
    } else {
        sp_fleet_start_more(fleet);
    }
}

// What it lacked may be there later; until then workers are exec'ed.
static void put_off(struct sp_fleet *fleet, const char *because)
{
    uint64_t pause = fleet->pool_config->restart_backoff_max_ms;
    char quoted[SP_LOG_LINE_MAX / 2];
    fleet->template_at = sp_clock_now() + pause * SP_NS_PER_MS;
    sp_log(fleet->log,
           SP_LOG_WARNING,
           "template.put_off",
           "pool=%s because=%s again_ms=%llu",
           fleet->pool_config->name,
           sp_log_quote(because, quoted, sizeof quoted),
           (unsigned long long)pause);
}

static void start(struct sp_fleet *fleet)
{
    const struct sp_pool_config *config = fleet->pool_config;
    if (sp_fleet_write_first_message(fleet, 0) != SNAKEPIT_OK) {
        give_up(fleet, "memory is exhausted");
        return;
    }
    const struct sp_template_options options = {
        .loop = fleet->loop,
        .inbox = fleet->inbox,
        .log = fleet->log,
        .pool = config->name,
        .python = config->python,
        .environment = fleet->environment,
        .config = {fleet->first_message.data, fleet->first_message.size},
        .limits = {config->sandbox.memory_max, config->sandbox.cpu_max},
        .start_timeout_ms = config->start_timeout_ms,
        .stop_grace_ms = config->stop_grace_ms,
        .fork_timeout_ms = FORK_TIMEOUT_MS,
        .hooks = {template_ready, template_gone, fleet},
    };
    snakepit_message why = {"memory is exhausted"};
    if (sp_template_start(&options, &fleet->template, &why) != SNAKEPIT_OK) {
        put_off(fleet, why.text);
    }
}

// ---- What the fleet asks ------------------------------------------------------

bool sp_fleet_template_is_settled(struct sp_fleet *fleet)
{
    bool needed = sp_fleet_manned(fleet) < fleet->size && is_wanted(fleet);
    if (needed && fleet->template == NULL && sp_clock_now() >= fleet->template_at) {
        start(fleet);
    }
    // A pool that has served does not wait for memory to be saved.
    return fleet->template == NULL || fleet->restart.ever_ready ||
           fleet->template->state != SP_TEMPLATE_STARTING;
}

struct sp_template *sp_fleet_template(struct sp_fleet *fleet)
{
    bool usable = is_wanted(fleet) && fleet->template != NULL &&
                  fleet->template->state == SP_TEMPLATE_READY;
    return usable ? fleet->template : NULL;
}

void sp_fleet_credit_template(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    if (worker->forked) {
        fleet->fork_was_ready = true;
        fleet->template_deaths = 0;
    }
}

bool sp_fleet_blames_template(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    if (!worker->born) {
        return true;
    }
    if (!worker->forked || fleet->fork_was_ready) {
        return false;
    }
    if (!fleet->template_given_up) {
        give_up(fleet, "the first worker that it forked could not start");
        if (fleet->template != NULL) {
            sp_template_stop(fleet->template);
        }
    }
    // The verdict on the pool is left to a fresh interpreter.
    return worker->adapter_failed ||
           fleet->restart.failures + 1 >= fleet->pool_config->restart_limit;
}
