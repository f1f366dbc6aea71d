// SPDX-License-Identifier: MIT
// A plan whose clock and workers are the test's. What a step orders is read as text.
#ifndef UNIT_FLEET_PLANNED_H
#define UNIT_FLEET_PLANNED_H

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fleet/plan.h"

#define PLANNED_POSTS 8u
#define MS            SP_NS_PER_MS

struct planned {
    struct sp_pool_config config;
    struct sp_place places[PLANNED_POSTS * SP_PLACES_PER_POST];
    struct sp_place more[PLANNED_POSTS * SP_PLACES_PER_POST]; // if it needs them
    struct sp_fleet_action items[SP_FLEET_ACTIONS(PLANNED_POSTS)];
    struct sp_fleet_plan plan;
    struct sp_fleet_actions out;
    uint64_t now;
    char text[4096]; // what the last step has ordered, one by one: "start 0; ready"
};

// A pool of processes without a template: three failures in a row are the limit, pauses
// are 50 to 300 ms, batches 2. Nothing was started. Change `config` before the first
// step.
void planned_init(struct planned *planned, uint32_t size);
// The same for threads.
void planned_init_threads(struct planned *planned, uint32_t size, uint32_t threads);
// The event with all that goes with it.
const char *planned_step(struct planned *planned, const struct sp_fleet_event *event);
// One that is nothing but its kind, and its place.
const char *
planned_happen(struct planned *planned, enum sp_fleet_event_kind kind, uint32_t place);
// A worker is ready.
const char *planned_ready(struct planned *planned, uint32_t place);
// A worker exits.
const char *planned_exit(struct planned *planned,
                         uint32_t place,
                         const struct sp_fleet_worker *worker);

// One thing after another, and what each of them orders.
struct planned_act {
    uint64_t after_ms;
    enum sp_fleet_event_kind event;
    uint32_t place;
    const char *orders;
    const struct sp_fleet_worker *worker; // NULL: one that simply died
};
void planned_play(struct planned *planned,
                  const struct planned_act *acts,
                  size_t count);
#define PLANNED_PLAY(planned, acts) \
    planned_play((planned), (acts), sizeof(acts) / sizeof((acts)[0]))

// Makes sure that there are so many posts.
void planned_extend(struct planned *planned, uint32_t posts);
// What RESHAPE orders: it is one of so many processes.
void planned_reshape(struct planned *planned, uint32_t size);
// The pool is to go on as `terms` say, because of a reload.
const char *planned_respec(struct planned *planned, const struct sp_fleet_terms *terms);
// The same as its configuration says, which the test has changed.
const char *planned_roll(struct planned *planned);

// A pool of processes whose template forks the first of them.
void planned_init_forking(struct planned *planned, uint32_t size);

// When the plan wants the timer.
#define assert_planned_wake(planned, ms) \
    assert_true((planned)->out.wake_at == (planned)->now + (ms) * MS)

// What a worker was that simply died.
extern const struct sp_fleet_worker planned_died;
// One that had worked.
extern const struct sp_fleet_worker planned_worked;
// One that was forked, and one that the template did not make.
extern const struct sp_fleet_worker planned_forked;
extern const struct sp_fleet_worker planned_unborn;

#endif
