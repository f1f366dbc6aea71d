// SPDX-License-Identifier: MIT
// Whether a pool's workers are forked by a template or exec'ed. A template only saves
// time and memory: whatever is wrong with it is a reason to do without, never one for
// the pool to fail.
#include "pool/supervisor.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define FORK_TIMEOUT_MS 2000u
#define DEATHS_MOST     3u // without a worker of use between them

static bool is_wanted(const struct sp_supervisor *supervisor)
{
    return supervisor->profile == SP_PROFILE_PROCESS &&
           supervisor->pool_config->template == SP_TEMPLATE_AUTO &&
           !supervisor->template_given_up;
}

static void give_up(struct sp_supervisor *supervisor, const char *because)
{
    char quoted[SP_LOG_LINE_MAX / 2];
    supervisor->template_given_up = true;
    sp_log(supervisor->log,
           SP_LOG_INFO,
           "template.unused",
           "pool=%s because=%s workers=exec",
           supervisor->pool_config->name,
           sp_log_quote(because, quoted, sizeof quoted));
}

// ---- Its life -----------------------------------------------------------------

static void template_ready(void *user, struct sp_template *template)
{
    (void)template;
    sp_supervisor_start_more(user);
}

// Doubles with each death.
static uint64_t pause_ns(const struct sp_supervisor *supervisor)
{
    uint64_t pause = supervisor->pool_config->restart_backoff_ms;
    pause <<= supervisor->template_deaths;
    uint64_t most = supervisor->pool_config->restart_backoff_max_ms;
    return (pause < most ? pause : most) * SP_NS_PER_MS;
}

static void note_death(struct sp_supervisor *supervisor,
                       const struct sp_template *template)
{
    if (template->wanted_gone || supervisor->template_given_up) {
        return;
    }
    const char *because =
        template->reason[0] != 0 ? template->reason : "it ended by itself";
    if (!template->was_ready || ++supervisor->template_deaths >= DEATHS_MOST) {
        give_up(supervisor, because);
        return;
    }
    char quoted[SP_LOG_LINE_MAX / 2];
    supervisor->template_at = sp_clock_now() + pause_ns(supervisor);
    sp_log(supervisor->log,
           SP_LOG_WARNING,
           "template.lost",
           "pool=%s because=%s",
           supervisor->pool_config->name,
           sp_log_quote(because, quoted, sizeof quoted));
}

static void template_gone(void *user, struct sp_template *template)
{
    struct sp_supervisor *supervisor = user;
    supervisor->template = NULL;
    note_death(supervisor, template);
    sp_template_free(template);
    if (supervisor->stopping) {
        sp_supervisor_check_stopped(supervisor);
    } else {
        sp_supervisor_start_more(supervisor);
    }
}

// What it lacked may be there later; until then workers are exec'ed.
static void put_off(struct sp_supervisor *supervisor, const char *because)
{
    uint64_t pause = supervisor->pool_config->restart_backoff_max_ms;
    char quoted[SP_LOG_LINE_MAX / 2];
    supervisor->template_at = sp_clock_now() + pause * SP_NS_PER_MS;
    sp_log(supervisor->log,
           SP_LOG_WARNING,
           "template.put_off",
           "pool=%s because=%s again_ms=%llu",
           supervisor->pool_config->name,
           sp_log_quote(because, quoted, sizeof quoted),
           (unsigned long long)pause);
}

static void start(struct sp_supervisor *supervisor)
{
    const struct sp_pool_config *config = supervisor->pool_config;
    if (sp_supervisor_write_first_message(supervisor, 0) != SNAKEPIT_OK) {
        give_up(supervisor, "memory is exhausted");
        return;
    }
    const struct sp_template_options options = {
        .loop = supervisor->loop,
        .inbox = supervisor->inbox,
        .log = supervisor->log,
        .pool = config->name,
        .python = config->python,
        .environment = supervisor->environment,
        .config = {supervisor->first_message.data, supervisor->first_message.size},
        .limits = {config->sandbox.memory_max, config->sandbox.cpu_max},
        .start_timeout_ms = config->start_timeout_ms,
        .stop_grace_ms = config->stop_grace_ms,
        .fork_timeout_ms = FORK_TIMEOUT_MS,
        .hooks = {template_ready, template_gone, supervisor},
    };
    snakepit_message why = {"memory is exhausted"};
    if (sp_template_start(&options, &supervisor->template, &why) != SNAKEPIT_OK) {
        put_off(supervisor, why.text);
    }
}

// ---- What the supervisor asks -------------------------------------------------

bool sp_supervisor_template_is_settled(struct sp_supervisor *supervisor)
{
    bool needed =
        sp_supervisor_manned(supervisor) < supervisor->size && is_wanted(supervisor);
    if (needed && supervisor->template == NULL &&
        sp_clock_now() >= supervisor->template_at) {
        start(supervisor);
    }
    // A pool that has served does not wait for memory to be saved.
    return supervisor->template == NULL || supervisor->restart.ever_ready ||
           supervisor->template->state != SP_TEMPLATE_STARTING;
}

struct sp_template *sp_supervisor_template(struct sp_supervisor *supervisor)
{
    bool usable = is_wanted(supervisor) && supervisor->template != NULL &&
                  supervisor->template->state == SP_TEMPLATE_READY;
    return usable ? supervisor->template : NULL;
}

void sp_supervisor_praise_template(struct sp_supervisor *supervisor,
                                   const struct sp_worker *worker)
{
    if (worker->forked) {
        supervisor->fork_was_ready = true;
        supervisor->template_deaths = 0;
    }
}

bool sp_supervisor_blames_template(struct sp_supervisor *supervisor,
                                   const struct sp_worker *worker)
{
    if (!worker->born) {
        return true;
    }
    if (!worker->forked || supervisor->fork_was_ready) {
        return false;
    }
    if (!supervisor->template_given_up) {
        give_up(supervisor, "the first worker that it forked could not start");
        if (supervisor->template != NULL) {
            sp_template_stop(supervisor->template);
        }
    }
    // The verdict on the pool is left to a fresh interpreter.
    return worker->adapter_failed ||
           supervisor->restart.failures + 1 >= supervisor->pool_config->restart_limit;
}
