// SPDX-License-Identifier: MIT
// A pool whose workers are fakes and whose loop is the test: it drains, ticks with a
// clock of its own, and carries out the pool's orders or only notes them.
#ifndef SUPPORT_POOL_FIXTURE_H
#define SUPPORT_POOL_FIXTURE_H

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pool/inside.h"
#include "pool/question.h"
#include "pool/stream.h"
#include "support/fake_worker.h"

#define FIXTURE_SIDES  4
#define FIXTURE_LEASES 4u
#define FIXTURE_SLOTS  8u

// What became of a call.
struct outcome {
    int ended; // how often
    snakepit_err err;
    char stage[16];
    char body[64];
    size_t body_size;
    uint64_t id;
    uint32_t attempts;
    uint32_t retry_after_ms;
};

// One worker: its port, its seat, and what was ordered.
struct side {
    struct sp_port *port;
    struct sp_seat *seat;
    struct fake_worker *fake;
    uint32_t cancels;
    uint32_t kills;
    enum sp_death death; // that the last one is counted as
    uint32_t spent;
    uint32_t stuck;  // how often it was said that a call is
    bool alone;      // and that none else runs
    uint32_t checks; // that have ended, and how the last one did
    snakepit_err checked;
    uint64_t cancelled_call;
    uint32_t maps; // windows that it was told of
    uint32_t unmaps;
    uint64_t mapped; // serial of the last one
    bool is_full;    // it cannot be told of windows now
    const char *why;
};

struct fixture {
    struct sp_pool *pool;
    struct side sides[FIXTURE_SIDES];
    uint32_t side_count;
    const char *session; // of the calls from now on; or NULL
    uint64_t requests;   // of workers that are added from now on; 0: any number
    bool idempotent;     // calls from now on, as their caller says
    struct sp_slice idempotent_tools; // of workers that are added from now on
    struct sp_slice batch_tools;      // likewise
    // What answers questions; NULL: nobody.
    snakepit_err (*question)(struct fixture *fixture, struct sp_question *question);
    uint64_t ahead_ns; // the clock of ticks is so much ahead
    _Atomic uint32_t attention;
    _Atomic uint32_t ended;
    _Atomic uint32_t changed;
};

// A synchronous call on a thread of its own.
struct caller {
    struct fixture *fixture;
    const char *session; // the fixture's
    const char *tool;
    const char *text;
    uint32_t timeout_ms;
    bool idempotent; // the fixture's
    pthread_t thread;
    struct outcome outcome;
};

// Defaults: a line of 100, no time limits, a grace of 100 ms, no prefetch.
struct sp_pool_options fixture_options(void);
void fixture_open(struct fixture *fixture, const struct sp_pool_options *options);
// Adds a worker of `capacity` executors; returns it.
struct side *fixture_add(struct fixture *fixture, uint32_t capacity);
// The worker dies: its calls fail with `cause`.
void fixture_kill(struct fixture *fixture, struct side *side, const char *cause);
// Kills what is left and closes; every call must have ended.
void fixture_close(struct fixture *fixture);

// A call of `tool` with `text` (or NULL) as its arguments.
snakepit_err fixture_submit(struct fixture *fixture,
                            const char *tool,
                            const char *text,
                            uint32_t timeout_ms,
                            struct outcome *outcome);
// The same with one tensor of 64 bytes.
snakepit_err fixture_submit_tensor(struct fixture *fixture,
                                   const char *tool,
                                   uint32_t timeout_ms,
                                   struct outcome *outcome);
// The same with these arguments, whose tensors may lie in what is on loan.
snakepit_err fixture_submit_lent(struct fixture *fixture,
                                 const char *tool,
                                 const snakepit_writer *args,
                                 struct sp_loan *loan,
                                 struct outcome *outcome);
void fixture_call(struct caller *caller,
                  struct fixture *fixture,
                  const char *tool,
                  const char *text,
                  uint32_t timeout_ms);
void fixture_join(struct caller *caller);

// Runs the callbacks of what has ended, and of streams that can be read; of one queue,
// or of the default one.
void fixture_drain_queue(struct fixture *fixture, uint32_t queue);
void fixture_drain(struct fixture *fixture);
// Moves the clock on, ticks and drains. Returns what the tick returns.
bool fixture_tick(struct fixture *fixture, uint32_t ms);
// The worker takes one call, serves it, and the host drains. False: there was none.
bool fixture_serve_one(struct fixture *fixture, struct side *side);
// Gives other threads time until `condition` holds; fails after ten seconds.
#define FIXTURE_AWAIT(condition)                             \
    do {                                                     \
        uint64_t until_ = sp_clock_now() + 10 * SP_NS_PER_S; \
        while (!(condition)) {                               \
            assert_true(sp_clock_now() < until_);            \
            sched_yield();                                   \
        }                                                    \
    } while (0)

// Calls that have ended, and of these, those that did not end well.
uint64_t fixture_ended(const struct fixture *fixture);
uint64_t fixture_failed(const struct fixture *fixture);
uint32_t fixture_in_line(struct fixture *fixture);
uint32_t fixture_placed(struct fixture *fixture);

#define assert_ended(outcome, expected, at)           \
    do {                                              \
        assert_int_equal((outcome)->ended, 1);        \
        assert_int_equal((outcome)->err, (expected)); \
        assert_string_equal((outcome)->stage, (at));  \
    } while (0)
#define assert_echoed(outcome, text)                                \
    do {                                                            \
        assert_int_equal((outcome)->ended, 1);                      \
        assert_int_equal((outcome)->err, SNAKEPIT_OK);              \
        assert_int_equal((outcome)->body_size, strlen(text));       \
        assert_memory_equal((outcome)->body, (text), strlen(text)); \
    } while (0)

#endif
