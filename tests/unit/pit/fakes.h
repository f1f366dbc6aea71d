// SPDX-License-Identifier: MIT
// A pit whose workers live in the test's own process: they stand in for the module
// process, and threads of them or the test itself serve their calls
// (support/fake_worker.h).
#ifndef UNIT_PIT_FAKES_H
#define UNIT_PIT_FAKES_H

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "pit/pit.h"
#include "support/fake_worker.h"

// Set before a pit is opened; pit_prepare() clears it.
struct pit_fakes {
    bool by_hand;    // no thread serves: the test does, by `player`
    bool refuses;    // no worker can be started
    bool starts_by;  // none gets ready before `ready_now`
    bool cannot_map; // windows
    _Atomic bool ready_now;
    _Atomic uint32_t starts;
    _Atomic uint32_t cancels;
    _Atomic uint32_t maps; // windows that workers were told of
    _Atomic uint32_t unmaps;
    // Of the worker that was started last.
    struct sp_port *_Atomic port;
    struct fake_worker *_Atomic player;
};

extern struct pit_fakes pit_fakes;

// The pit of a test: one pool, "default", of one worker with one call at a time.
extern snakepit *pit;

extern const snakepit_open_options pit_options; // without a log

int pit_prepare(void **state);
// Closes the pit.
int pit_tidy(void **state);
#define PIT_TEST(name) cmocka_unit_test_setup_teardown(name, pit_prepare, pit_tidy)

// Opens the pit. `more`: keys of the top of the file, and the pool's after a '|'.
void pit_open(const char *more);
// The same, until its pool is ready.
void pit_open_ready(const char *more);
// The next call of the worker, which the test plays.
struct fake_call pit_take(void);
void pit_serve(const struct fake_call *call);
// {"x": 1}; to be freed.
snakepit_writer *pit_args(void);
// Waits for `condition`; fails after ten seconds.
#define PIT_AWAIT(condition)                                 \
    do {                                                     \
        uint64_t until_ = sp_clock_now() + 10 * SP_NS_PER_S; \
        while (!(condition)) {                               \
            assert_true(sp_clock_now() < until_);            \
            sched_yield();                                   \
        }                                                    \
    } while (0)

#endif
