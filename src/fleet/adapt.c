// SPDX-License-Identifier: MIT
#include "fleet/adapt.h"

#include "base/clock.h"

#define WINDOWS       4u  // in a stay
#define LOOKS         10u // in a window
#define GAIN_PERCENT  5   // a move to threads must gain
#define LOSS_PERCENT  10  // a move to processes may cost
#define CALM_PERCENT  75u // of a threshold: below it there is room
#define CALLS_LEAST   20u // in a window, to be compared with those of another one
#define PATIENCE_MOST 6u  // doublings of the time until a vain move is tried again
#define PERCENT       100u

// ---- The two profiles ----------------------------------------------------------

static uint32_t rounded_up(uint32_t calls, uint32_t threads)
{
    return (calls + threads - 1) / threads;
}

// How many threads each worker has where so many calls are to be run: what divides them
// evenly, unless that is far from the most that there may be.
static uint32_t threads_for(uint32_t calls, uint32_t most)
{
    uint32_t least = most / 2 + 1;
    most = most < calls ? most : calls;
    for (uint32_t threads = most; threads >= least; threads--) {
        if (calls % threads == 0) {
            return threads;
        }
    }
    return rounded_up(calls, rounded_up(calls, most));
}

void sp_adapt_shape(const struct sp_pool_config *config,
                    enum sp_profile profile,
                    struct sp_adapt_shape *shape)
{
    const struct sp_range *own = &config->pool_size;
    uint32_t threads = config->threads_per_worker;
    *shape = (struct sp_adapt_shape){*own, threads};
    if (profile == config->worker_profile) {
        return;
    }
    if (profile == SP_PROFILE_PROCESS) {
        shape->workers = (struct sp_range){own->min * threads, own->max * threads};
        shape->threads = 1;
    } else {
        threads = threads_for(own->max, config->switch_threads_per_worker);
        shape->workers = (struct sp_range){rounded_up(own->min, threads),
                                           rounded_up(own->max, threads)};
        shape->threads = threads;
    }
}

void sp_adapt_rules(const struct sp_pool_config *config, struct sp_adapt_rules *rules)
{
    struct sp_adapt_shape shape;
    *rules = (struct sp_adapt_rules){
        .cpu_usage = config->switch_threshold.cpu_usage,
        .memory_usage = config->switch_threshold.memory_usage,
        .stay_ns = config->switch_min_stay_ms * SP_NS_PER_MS,
    };
    for (uint32_t profile = 0; profile < SP_PROFILES; profile++) {
        sp_adapt_shape(config, (enum sp_profile)profile, &shape);
        rules->workers[profile] = shape.workers.max;
    }
}

// ---- Windows ------------------------------------------------------------------

static void
begin_window(struct sp_adapt *adapt, const struct sp_adapt_rules *rules, uint64_t now)
{
    adapt->window = (struct sp_adapt_window){.waiting = true};
    adapt->window_ends = now + rules->stay_ns / WINDOWS;
    adapt->looked = now;
    adapt->wakes = now + rules->stay_ns / WINDOWS / LOOKS;
}

static void add(struct sp_adapt *adapt, const struct sp_adapt_look *look, uint64_t now)
{
    struct sp_adapt_window *window = &adapt->window;
    window->wall_ns += now - adapt->looked;
    window->cpu_ns += look->cpu_ns;
    window->calls += look->calls;
    window->waiting = window->waiting && look->waiting;
    window->memory = look->memory;
    window->memory_most = look->memory_most;
    window->memory_usage = look->memory_usage;
    uint64_t available = window->wall_ns * look->cpu_percent / PERCENT;
    window->cpu_usage =
        available == 0 ? 0 : (uint32_t)(window->cpu_ns * PERCENT / available);
}

// ---- What a move has gained ----------------------------------------------------

// By how many percent of `before` there is less now; negative: there is more.
static int64_t less_by(uint64_t before, uint64_t now)
{
    return before == 0
               ? 0
               : ((int64_t)before - (int64_t)now) * (int64_t)PERCENT / (int64_t)before;
}

static uint64_t ns_of_a_call(const struct sp_adapt_window *window, bool full)
{
    return (full ? window->wall_ns : window->cpu_ns) / window->calls;
}

bool sp_adapt_compare(const struct sp_adapt_window *before,
                      const struct sp_adapt_window *after,
                      int64_t *less_percent)
{
    bool full = before->waiting && after->waiting;
    *less_percent = 0;
    if (before->calls < CALLS_LEAST || after->calls < CALLS_LEAST) {
        return false;
    }
    *less_percent = less_by(ns_of_a_call(before, full), ns_of_a_call(after, full));
    return true;
}

static bool has_paid(const struct sp_adapt *adapt, const struct sp_adapt_rules *rules)
{
    const struct sp_adapt_window *before = &adapt->before;
    const struct sp_adapt_window *after = &adapt->window;
    int64_t gain;
    bool comparable = sp_adapt_compare(before, after, &gain);
    switch (adapt->reason) {
    case SP_ADAPT_FOR_MEMORY:
        return less_by(before->memory, after->memory) >= GAIN_PERCENT;
    case SP_ADAPT_FOR_CPU:
        return !comparable || gain >= GAIN_PERCENT;
    default:
        return gain >= -LOSS_PERCENT && after->memory_usage < rules->memory_usage;
    }
}

// ---- Where to ------------------------------------------------------------------

static enum sp_profile other_than(enum sp_profile profile)
{
    return profile == SP_PROFILE_THREAD ? SP_PROFILE_PROCESS : SP_PROFILE_THREAD;
}

// Bytes that the pool would take more as processes: what a move has shown, or what as
// many workers of this size would take.
static uint64_t growth_of(const struct sp_adapt *adapt,
                          const struct sp_adapt_rules *rules)
{
    uint64_t few = rules->workers[SP_PROFILE_THREAD];
    uint64_t many = rules->workers[SP_PROFILE_PROCESS];
    return adapt->growth != 0 ? adapt->growth
                              : adapt->window.memory / few * (many - few);
}

static bool there_is_room(const struct sp_adapt *adapt,
                          const struct sp_adapt_rules *rules)
{
    const struct sp_adapt_window *window = &adapt->window;
    uint64_t most = window->memory_most;
    uint64_t grown = most == 0 ? 0 : growth_of(adapt, rules) / (most / PERCENT + 1);
    return window->cpu_usage * PERCENT < rules->cpu_usage * CALM_PERCENT &&
           (window->memory_usage + grown) * PERCENT <
               (uint64_t)rules->memory_usage * CALM_PERCENT;
}

static void
note_calm(struct sp_adapt *adapt, const struct sp_adapt_rules *rules, uint64_t now)
{
    if (!there_is_room(adapt, rules)) {
        adapt->calm = 0;
    } else if (adapt->calm == 0) {
        adapt->calm = now - adapt->window.wall_ns;
    }
}

// Why the other profile would be better now. False: it would not.
static bool wants_other(const struct sp_adapt *adapt,
                        const struct sp_adapt_rules *rules,
                        uint64_t now,
                        enum sp_adapt_reason *reason)
{
    const struct sp_adapt_window *window = &adapt->window;
    if (adapt->profile == SP_PROFILE_THREAD) {
        *reason = SP_ADAPT_FOR_ROOM;
        return adapt->calm != 0 && now - adapt->calm >= rules->stay_ns;
    }
    bool memory = window->memory_usage >= rules->memory_usage;
    *reason = memory ? SP_ADAPT_FOR_MEMORY : SP_ADAPT_FOR_CPU;
    return memory || window->cpu_usage >= rules->cpu_usage;
}

static struct sp_adapt_verdict move(struct sp_adapt *adapt, enum sp_adapt_reason reason)
{
    struct sp_adapt_verdict verdict = {.order = SP_ADAPT_MOVE,
                                       .profile = other_than(adapt->profile),
                                       .reason = reason,
                                       .before = adapt->window};
    adapt->moving = true;
    adapt->undoing = reason == SP_ADAPT_UNDO;
    if (adapt->undoing) {
        verdict.before = adapt->before;
        verdict.after = adapt->window;
    } else {
        adapt->reason = reason;
        adapt->before = adapt->window;
    }
    return verdict;
}

// A move to this profile was in vain: the next one has to wait, longer each time.
static void put_off(struct sp_adapt *adapt,
                    const struct sp_adapt_rules *rules,
                    enum sp_profile profile,
                    uint64_t now)
{
    uint32_t times = adapt->vain[profile];
    adapt->vain[profile] = times < PATIENCE_MOST ? times + 1 : times;
    adapt->not_before[profile] = now + (rules->stay_ns << adapt->vain[profile]);
}

// What processes take more than threads, as the two windows around a move show.
static void learn(struct sp_adapt *adapt)
{
    bool to_threads = adapt->profile == SP_PROFILE_THREAD;
    uint64_t many = to_threads ? adapt->before.memory : adapt->window.memory;
    uint64_t few = to_threads ? adapt->window.memory : adapt->before.memory;
    adapt->growth = many > few ? many - few : 0;
}

static struct sp_adapt_verdict
end_trial(struct sp_adapt *adapt, const struct sp_adapt_rules *rules, uint64_t now)
{
    adapt->on_trial = false;
    learn(adapt);
    if (!has_paid(adapt, rules)) {
        put_off(adapt, rules, adapt->profile, now);
        return move(adapt, SP_ADAPT_UNDO);
    }
    adapt->vain[adapt->profile] = 0;
    return (struct sp_adapt_verdict){.order = SP_ADAPT_KEEP,
                                     .profile = adapt->profile,
                                     .reason = adapt->reason,
                                     .before = adapt->before,
                                     .after = adapt->window};
}

// At the end of a window.
static struct sp_adapt_verdict decide(struct sp_adapt *adapt,
                                      const struct sp_adapt_rules *rules,
                                      bool allowed,
                                      uint64_t now)
{
    static const struct sp_adapt_verdict nothing = {.order = SP_ADAPT_NOTHING};
    enum sp_adapt_reason reason;
    note_calm(adapt, rules, now);
    if (now - adapt->since < rules->stay_ns) {
        return nothing;
    }
    if (adapt->on_trial) {
        return end_trial(adapt, rules, now);
    }
    bool may = allowed && now >= adapt->not_before[other_than(adapt->profile)];
    return may && wants_other(adapt, rules, now, &reason) ? move(adapt, reason)
                                                          : nothing;
}

// ---- What is told --------------------------------------------------------------

static void
settle(struct sp_adapt *adapt, const struct sp_adapt_rules *rules, uint64_t now)
{
    adapt->moving = false;
    adapt->since = now;
    adapt->calm = 0;
    begin_window(adapt, rules, now);
}

void sp_adapt_init(struct sp_adapt *adapt,
                   const struct sp_adapt_rules *rules,
                   enum sp_profile profile,
                   uint64_t now)
{
    *adapt = (struct sp_adapt){.profile = profile};
    settle(adapt, rules, now);
}

struct sp_adapt_verdict sp_adapt_judge(struct sp_adapt *adapt,
                                       const struct sp_adapt_rules *rules,
                                       const struct sp_adapt_look *look,
                                       uint64_t now)
{
    struct sp_adapt_verdict verdict = {.order = SP_ADAPT_NOTHING};
    if (adapt->moving || !look->whole) {
        begin_window(adapt, rules, now);
        return verdict;
    }
    add(adapt, look, now);
    adapt->looked = now;
    adapt->wakes = now + rules->stay_ns / WINDOWS / LOOKS;
    if (now >= adapt->window_ends) {
        verdict = decide(adapt, rules, look->allowed, now);
        begin_window(adapt, rules, now);
    }
    return verdict;
}

void sp_adapt_moved(struct sp_adapt *adapt,
                    const struct sp_adapt_rules *rules,
                    uint64_t now)
{
    adapt->profile = other_than(adapt->profile);
    adapt->on_trial = !adapt->undoing;
    settle(adapt, rules, now);
}

void sp_adapt_failed(struct sp_adapt *adapt,
                     const struct sp_adapt_rules *rules,
                     enum sp_profile profile,
                     uint64_t now)
{
    adapt->profile = profile;
    adapt->on_trial = false;
    put_off(adapt, rules, other_than(profile), now);
    settle(adapt, rules, now);
}
