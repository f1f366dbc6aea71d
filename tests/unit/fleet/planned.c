// SPDX-License-Identifier: MIT
#include "planned.h"

#include <stdio.h>
#include <string.h>

const struct sp_fleet_worker planned_died = {.born = true, .thread_safe = true};
const struct sp_fleet_worker planned_worked = {
    .born = true, .thread_safe = true, .worked = true};

const struct sp_fleet_worker planned_forked = {.born = true, .forked = true};
const struct sp_fleet_worker planned_unborn = {.forked = true};

static void begin(struct planned *planned, uint32_t size)
{
    memset(planned, 0, sizeof *planned);
    planned->now = 1000 * MS;
    planned->out.items = planned->items;
    planned->config = (struct sp_pool_config){
        .worker_profile = SP_PROFILE_PROCESS,
        .pool_size = {size, size},
        .grow_after_ms = 20,
        .shrink_after_ms = 1000,
        .threads_per_worker = 1,
        .template = SP_TEMPLATE_OFF,
        .on_unsupported = SP_UNSUPPORTED_FALLBACK,
        .startup_batch_size = 2,
        .restart_limit = 3,
        .restart_backoff_ms = 50,
        .restart_backoff_max_ms = 300,
        .call_timeout_ms = 1000,
        .recycle_at_once = 1,
        .memory_check_interval_ms = 1000,
        .health_check_max_failed = 3,
    };
}

void planned_init(struct planned *planned, uint32_t size)
{
    assert_true(size <= PLANNED_POSTS);
    begin(planned, size);
    sp_fleet_plan_init(&planned->plan, &planned->config, planned->places, 1);
}

void planned_init_threads(struct planned *planned, uint32_t size, uint32_t threads)
{
    assert_true(size * threads <= PLANNED_POSTS);
    begin(planned, size);
    planned->config.worker_profile = SP_PROFILE_THREAD;
    planned->config.threads_per_worker = threads;
    sp_fleet_plan_init(&planned->plan, &planned->config, planned->places, 1);
}

// ---- As text ------------------------------------------------------------------

static const char *state_name(enum sp_pool_state state)
{
    switch (state) {
    case SP_POOL_READY:
        return "ready";
    case SP_POOL_DEGRADED:
        return "degraded";
    case SP_POOL_DOWN:
        return "down";
    default:
        return "?";
    }
}

// "WORD: WHAT: REASON"
static void
because(const struct sp_fleet_action *action, const char *word, char *text, size_t size)
{
    (void)snprintf(text,
                   size,
                   "%s%s%s%s%s",
                   word,
                   action->what == NULL ? "" : ": ",
                   action->what == NULL ? "" : action->what,
                   action->reason == NULL ? "" : ": ",
                   action->reason == NULL ? "" : action->reason);
}

static void say_of_worker(const struct sp_fleet_action *action, char *text, size_t size)
{
    static const char *const words[] = {
        [SP_FLEET_DO_START] = "start",
        [SP_FLEET_DO_SEAT] = "seat",
        [SP_FLEET_DO_DRAIN] = "drain",
        [SP_FLEET_DO_RELEASE] = "release",
        [SP_FLEET_DO_DISMISS] = "dismiss",
        [SP_FLEET_DO_KILL] = "kill",
    };
    const char *word = action->fork ? "fork"
                       : action->closing && action->kind == SP_FLEET_DO_DISMISS
                           ? "end"
                           : words[action->kind];
    (void)snprintf(text, size, "%s %u", word, action->place);
}

static void say_of_pool(const struct sp_fleet_action *action, char *text, size_t size)
{
    static const char *const words[] = {
        [SP_FLEET_DO_START_TEMPLATE] = "start template",
        [SP_FLEET_DO_STOP_TEMPLATE] = "stop template",
        [SP_FLEET_DO_RESHAPE] = "reshape",
        [SP_FLEET_DO_RESIZE] = "resize",
        [SP_FLEET_DO_SET_SHAPE] = "shape",
        [SP_FLEET_DO_FAIL] = "fail",
        [SP_FLEET_DO_REFUSE] = "refuse",
        [SP_FLEET_DO_KNOW_USER] = "know user",
        [SP_FLEET_DO_COUNT_DEATH] = "death",
        [SP_FLEET_DO_TELL_STOPPED] = "stopped",
        [SP_FLEET_DO_NOTE_FAILURE] = "failure",
        [SP_FLEET_DO_NOTE_FALLBACK] = "fallback",
        [SP_FLEET_DO_NOTE_GIL] = "gil",
        [SP_FLEET_DO_NOTE_UNUSED] = "unused",
        [SP_FLEET_DO_NOTE_LOST] = "lost",
        [SP_FLEET_DO_NOTE_PUT_OFF] = "put off",
        [SP_FLEET_DO_NOTE_RECYCLED] = "recycled",
        [SP_FLEET_DO_NOTE_MEMORY] = "memory",
        [SP_FLEET_DO_NOTE_ISOLATED] = "isolated",
        [SP_FLEET_DO_NOTE_KEPT] = "kept",
    };
    char word[64];
    bool state = action->kind == SP_FLEET_DO_SET_STATE;
    if (action->number > 0) {
        (void)snprintf(word, sizeof word, "%s %u", words[action->kind], action->number);
    } else {
        (void)snprintf(word,
                       sizeof word,
                       "%s",
                       state ? state_name(action->state) : words[action->kind]);
    }
    because(action, word, text, size);
}

static void say(struct planned *planned)
{
    size_t at = 0;
    planned->text[0] = 0;
    for (uint32_t i = 0; i < planned->out.count; i++) {
        const struct sp_fleet_action *action = &planned->out.items[i];
        at += (size_t)snprintf(
            planned->text + at, sizeof planned->text - at, i == 0 ? "" : "; ");
        char *text = planned->text + at;
        if (action->kind <= SP_FLEET_DO_KILL) {
            say_of_worker(action, text, sizeof planned->text - at);
        } else {
            say_of_pool(action, text, sizeof planned->text - at);
        }
        at += strlen(text);
        assert_true(at < sizeof planned->text - 64);
    }
}

// ---- Steps --------------------------------------------------------------------

const char *planned_step(struct planned *planned, const struct sp_fleet_event *event)
{
    sp_fleet_step(&planned->plan, event, planned->now, &planned->out);
    say(planned);
    return planned->text;
}

const char *
planned_happen(struct planned *planned, enum sp_fleet_event_kind kind, uint32_t place)
{
    const struct sp_fleet_event event = {
        .kind = kind, .place = place, .worker = planned_died, .reason = "why"};
    return planned_step(planned, &event);
}

const char *planned_ready(struct planned *planned, uint32_t place)
{
    return planned_happen(planned, SP_FLEET_READY, place);
}

const char *planned_exit(struct planned *planned,
                         uint32_t place,
                         const struct sp_fleet_worker *worker)
{
    const struct sp_fleet_event event = {
        .kind = SP_FLEET_EXITED, .place = place, .worker = *worker, .reason = "why"};
    return planned_step(planned, &event);
}

// Once is enough.
void planned_extend(struct planned *planned, uint32_t posts)
{
    if (posts > planned->plan.posts) {
        assert_true(planned->plan.places != planned->more);
        sp_fleet_plan_extend(&planned->plan, PLANNED_POSTS, planned->more);
    }
}

void planned_reshape(struct planned *planned, uint32_t size)
{
    planned_extend(planned, size);
    sp_fleet_plan_reshape(&planned->plan, SP_PROFILE_PROCESS, size);
}

const char *planned_respec(struct planned *planned, const struct sp_fleet_terms *terms)
{
    const struct sp_fleet_event event = {
        .kind = SP_FLEET_RESPEC, .recycle = SP_RECYCLE_BY_RELOAD, .terms = *terms};
    planned_extend(planned, terms->size.max);
    return planned_step(planned, &event);
}

const char *planned_roll(struct planned *planned)
{
    const struct sp_pool_config *config = &planned->config;
    return planned_respec(
        planned,
        &(struct sp_fleet_terms){.config = config,
                                 .profile = config->worker_profile,
                                 .size = config->pool_size,
                                 .threads = config->threads_per_worker,
                                 .roll = true});
}

void planned_play(struct planned *planned, const struct planned_act *acts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sp_fleet_event event = {.kind = acts[i].event,
                                       .place = acts[i].place,
                                       .worker = planned_died,
                                       .reason = "why"};
        planned->now += acts[i].after_ms * MS;
        if (acts[i].worker != NULL) {
            event.worker = *acts[i].worker;
        }
        // Else it is of those that were started when the last one failed.
        if (event.worker.began == 0) {
            event.worker.began = planned->now;
        }
        assert_string_equal(planned_step(planned, &event), acts[i].orders);
    }
}

void planned_init_forking(struct planned *planned, uint32_t size)
{
    planned_init(planned, size);
    planned->config.template = SP_TEMPLATE_AUTO;
    const struct planned_act acts[] = {
        {0, SP_FLEET_BEGIN, 0, "start template", NULL},
        {0, SP_FLEET_TEMPLATE_STARTED, 0, "", NULL},
        {9, SP_FLEET_TEMPLATE_READY, 0, "fork 0", NULL},
    };
    PLANNED_PLAY(planned, acts);
}
