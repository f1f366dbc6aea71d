// SPDX-License-Identifier: MIT
// A fleet whose workers are fakes.h's, with a real pool and a real loop.
#ifndef UNIT_FLEET_SCENE_H
#define UNIT_FLEET_SCENE_H

#include "support/pool_fixture.h"

#include "fakes.h"
#include "fleet/fleet.h"

#define SCENE_LINES 64

struct scene {
    struct fixture fixture; // of the pool
    struct sp_loop loop;
    struct sp_config config;
    struct sp_pool_config pool_config; // to be changed before the start
    struct sp_event_sink sink;
    struct sp_listener listener;
    struct sp_log log;
    uint64_t last_worker_id;
    struct sp_fleet fleet;
    int bells; // doorbells that have joined
    int stopped;
    char lines[SCENE_LINES][256];
    int line_count;
};

extern struct scene scene;

// A pool "one" of two processes without a template.
int scene_prepare(void **state);
int scene_tidy(void **state);
#define SCENE_TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_prepare, scene_tidy)

snakepit_err scene_init_fleet(void);
// The same, and starts it.
void scene_begin(void);
// Stops it; whoever is there does as it is told.
void scene_end(void);
// Runs the loop until a worker is started or told to leave.
void scene_await(void);

bool scene_was_logged(const char *part);
struct sp_pool_view scene_look(void);
// Why the pool is in its state.
const char *scene_reason(void);

struct scene_rows {
    size_t count;
    snakepit_worker_info rows[8];
};
struct scene_rows scene_see(void);
// A call of `echo` that the worker has begun. `outcome` is filled in when it ends.
struct fake_worker *
scene_begin_call(uint32_t number, struct fake_call *call, struct outcome *outcome);

#endif
