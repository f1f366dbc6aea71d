// SPDX-License-Identifier: MIT
// Several threads, each with a loop of its own: calls and streams that report to its
// queue, some of which are cancelled, run out of time or are closed early; now and then
// a queue is freed and another one made; and then the pit closes while all of them
// drain. Each call is reported once, each stream until it is closed, each chunk is what
// was asked for, and nothing stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "support/census.h"
#include "support/chance.h"
#include "support/load.h"

#define LOOPS   4
#define CALLS   12 // under way in each loop
#define STREAMS 12
#define ROUNDS  4

static const char pools[] =
    "python_version_detection: 'off'\n"
    "pools:\n"
    "  - {name: one, pool_size: 2, shared_memory_size: 64MiB, max_queue: 200, "
    "stop_grace_ms: 2000, python: " SP_HOSTILE_WORKER "}\n"
    "  - {name: two, pool_size: 1, shared_memory_size: 64MiB, max_queue: 200, "
    "stop_grace_ms: 2000, python: " SP_HOSTILE_WORKER "}\n";

struct loop {
    snakepit *pit;
    snakepit_queue *queue; // NULL: the default one, which the library drains
    pthread_t thread;
    uint32_t changed; // queues freed
    // What the closing thread may count as well.
    _Atomic uint32_t calls;   // under way
    _Atomic uint32_t streams; // open
    _Atomic uint64_t ended;
    _Atomic uint64_t chunks;
    _Atomic uint64_t strange;
};

static _Atomic bool closing;   // begin nothing more, and only drain
static _Atomic uint32_t drain; // loops that only drain
static _Atomic bool closed;    // leave

static void pause_ms(uint64_t ms)
{
    const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

// ---- Calls --------------------------------------------------------------------

struct call {
    struct loop *loop;
    _Atomic int reports;
};

static bool is_expected(snakepit_err err)
{
    return err == SNAKEPIT_OK || err == SNAKEPIT_END || err == SNAKEPIT_CANCELLED ||
           err == SNAKEPIT_DEADLINE_EXCEEDED || err == SNAKEPIT_SHUTTING_DOWN;
}

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    struct loop *loop = call->loop;
    bool right = atomic_fetch_add(&call->reports, 1) == 0 && is_expected(err);
    right = right && snakepit_answer_fault(answer)->err == err;
    loop->strange += right ? 0 : 1;
    loop->ended++;
    snakepit_answer_free(answer);
    free(call);
    loop->calls--;
}

static snakepit_call_options options_of(struct loop *loop)
{
    return (snakepit_call_options){.size = sizeof(snakepit_call_options),
                                   .pool = below(2) == 0 ? "one" : "two",
                                   .timeout_ms = below(16) == 0 ? 1 : 60000,
                                   .queue = loop->queue};
}

static void submit(struct loop *loop)
{
    const snakepit_call_options options = options_of(loop);
    snakepit_call_id id;
    struct call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    call->loop = loop;
    loop->calls++;
    snakepit_err err = snakepit_submit_json(
        loop->pit, "echo", "{\"a\": 1}", &options, on_done, call, &id);
    if (err != SNAKEPIT_OK) {
        loop->strange += is_expected(err) ? 0 : 1;
        free(call);
        loop->calls--;
    } else if (below(8) == 0) {
        (void)snakepit_cancel(loop->pit, id);
    }
}

// ---- Streams ------------------------------------------------------------------

static void on_ready(void *user, snakepit_stream *stream)
{
    struct loop *loop = user;
    snakepit_reader chunk;
    snakepit_err err;
    uint64_t patience = below(64);
    while ((err = snakepit_stream_try_next(stream, &chunk)) == SNAKEPIT_OK) {
        const char *json = snakepit_stream_json(stream);
        loop->strange += json != NULL && strcmp(json, "{\"b\":2}") == 0 ? 0 : 1;
        loop->chunks++;
        if (patience-- == 0) {
            break;
        }
    }
    if (err == SNAKEPIT_OK && below(2) == 0) {
        (void)snakepit_cancel(loop->pit, snakepit_stream_id(stream));
    }
    if (err != SNAKEPIT_AGAIN) {
        loop->strange += is_expected(err) ? 0 : 1;
        snakepit_stream_close(stream);
        loop->streams--;
    }
}

static void open_stream(struct loop *loop)
{
    snakepit_call_options options = options_of(loop);
    snakepit_stream *stream = NULL;
    options.ready = on_ready;
    options.ready_user = loop;
    loop->streams++;
    snakepit_err err =
        snakepit_stream_open_json(loop->pit, "echo", "{\"b\": 2}", &options, &stream);
    if (err != SNAKEPIT_OK) {
        loop->strange += is_expected(err) ? 0 : 1;
        snakepit_stream_close(stream);
        loop->streams--;
    }
}

// ---- Loops --------------------------------------------------------------------

static bool is_idle(const struct loop *loop)
{
    return loop->calls == 0 && loop->streams == 0;
}

static void wait_for_news(struct loop *loop)
{
    int fd;
    if (loop->queue == NULL) {
        pause_ms(1);
    } else if (below(2) == 0) {
        (void)snakepit_queue_drain(loop->queue, (uint32_t)below(20));
    } else if (snakepit_queue_drain(loop->queue, 0) == 0) {
        assert_int_equal(snakepit_queue_fd(loop->queue, &fd), SNAKEPIT_OK);
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        (void)snakepit_queue_drain(loop->queue, 0);
        (void)poll(&polled, 1, 20);
    }
}

// Another queue, once all has been reported to this one.
static void change_queue(struct loop *loop)
{
    while (!is_idle(loop) && !closing) {
        // Another thread may drain it meanwhile, or nobody.
        snakepit_err err = snakepit_queue_free(loop->queue);
        assert_true(err == SNAKEPIT_BUSY || is_idle(loop));
        if (err == SNAKEPIT_OK) {
            loop->queue = NULL;
            break;
        }
        (void)snakepit_queue_drain(loop->queue, 5);
    }
    if (loop->queue != NULL && !closing) {
        assert_int_equal(snakepit_queue_free(loop->queue), SNAKEPIT_OK);
        loop->queue = NULL;
    }
    if (loop->queue == NULL) {
        loop->changed++;
        snakepit_err err = snakepit_queue_new(loop->pit, &loop->queue, NULL);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_SHUTTING_DOWN);
    }
}

static void *run_loop(void *argument)
{
    struct loop *loop = argument;
    bool is_default = loop->queue == NULL;
    while (!closing) {
        while (loop->calls < CALLS && below(4) != 0) {
            submit(loop);
        }
        while (loop->streams < STREAMS && below(4) != 0) {
            open_stream(loop);
        }
        wait_for_news(loop);
        if (!is_default && below(500) == 0) {
            change_queue(loop);
        }
    }
    drain++;
    while (!closed) {
        wait_for_news(loop);
    }
    return NULL;
}

static snakepit *open_pit(void)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    const snakepit_open_options options = {
        .size = sizeof options, .log = load_no_log, .log_level = SNAKEPIT_LOG_ERROR};
    snakepit_err err =
        snakepit_open_memory(pools, sizeof pools - 1, &options, &pit, &why);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(snakepit_await_ready(pit, NULL, 60000, &why), SNAKEPIT_OK);
    return pit;
}

static void start(struct loop *loop, snakepit *pit, bool is_default)
{
    *loop = (struct loop){.pit = pit};
    if (!is_default) {
        assert_int_equal(snakepit_queue_new(pit, &loop->queue, NULL), SNAKEPIT_OK);
    }
    assert_int_equal(pthread_create(&loop->thread, NULL, run_loop, loop), 0);
}

static void stop(struct loop *loop)
{
    assert_int_equal(pthread_join(loop->thread, NULL), 0);
    assert_int_equal(loop->calls, 0);
    assert_int_equal(loop->streams, 0);
    assert_int_equal(loop->strange, 0);
    assert_int_equal(snakepit_queue_free(loop->queue), SNAKEPIT_OK);
    (void)printf("loop: %llu calls, %llu chunks, %u queues freed\n",
                 (unsigned long long)loop->ended,
                 (unsigned long long)loop->chunks,
                 loop->changed);
}

static void loops_with_queues_of_their_own_while_their_pit_closes(void **state)
{
    (void)state;
    struct census before = census_take();
    uint64_t ms = UINT64_C(1000) * census_variable("SNAKEPIT_STRESS_SECONDS", 8);
    for (int round = 0; round < ROUNDS; round++) {
        struct loop loops[LOOPS];
        snakepit *pit = open_pit();
        closing = false;
        closed = false;
        drain = 0;
        for (int i = 0; i < LOOPS; i++) {
            start(&loops[i], pit, i == 0);
        }
        pause_ms(ms / ROUNDS);
        closing = true;
        while (drain < LOOPS) {
            pause_ms(1);
        }
        snakepit_close(pit, (uint32_t)below(3) * 10);
        closed = true;
        for (int i = 0; i < LOOPS; i++) {
            stop(&loops[i]);
        }
        struct census after = census_take();
        assert_int_equal(after.children, before.children);
        assert_int_equal(after.descriptors, before.descriptors);
        assert_int_equal(after.mappings, before.mappings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_with_queues_of_their_own_while_their_pit_closes),
    };
    chance_seed = census_variable("SNAKEPIT_STRESS_SEED", 1);
    (void)setenv("SNAKEPIT_HOSTILE_MODE", "0", 1);
    (void)setenv("SNAKEPIT_HOSTILE_CHUNKS", "40", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
