// SPDX-License-Identifier: MIT
// One worker on a machine that is only memory (fakes.h), and what its owner is told.
#ifndef UNIT_PROCESS_SCENE_H
#define UNIT_PROCESS_SCENE_H

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"
#include "process/worker.h"

#define SCENE_START_MS     5000u
#define SCENE_GRACE_MS     300u
#define SCENE_HEARTBEAT_MS 1000u
#define SCENE_MISSED_MOST  3u

struct scene {
    struct sp_loop loop;
    struct sp_inbox inbox;
    struct sp_listener listener;
    struct sp_worker_options options; // to be changed before the start
    struct sp_worker *worker;
    struct fake_process *fake; // NULL: it is not born
    char told[512];            // what its owner was told, in words
    char cause[512];           // of its loss
    uint64_t mapped_serial;
    char last_output[512];
    char stack[SP_STACK_MAX];
    bool by_us;
    bool violated;
    bool busy;       // what is_busy() says
    uint32_t events; // that were told
};

extern struct scene scene;

int scene_prepare(void **state);
// Ends what has not ended, and frees it.
int scene_tidy(void **state);
#define SCENE_TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_prepare, scene_tidy)

void scene_start(void);
void scene_run(uint64_t ms);
// It greets.
void scene_greet(void);
// Its first call is answered with `status`.
void scene_answer(uint32_t status);
// It has started, and its owner was told; what it was sent until then is read.
void scene_become_ready(void);
// What its owner was told since the last time.
void scene_expect(const char *told);
// It was killed by us because of `why`, and is gone.
void scene_expect_killed(const char *why);

#endif
