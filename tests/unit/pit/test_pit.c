// SPDX-License-Identifier: MIT
// Pits that open, wait for their pools and close, with workers of the test's own.
#include "fakes.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

static void a_pool_is_ready_when_its_worker_is(void **state)
{
    (void)state;
    pit_fakes.starts_by = true;
    pit_open("");
    assert_int_equal(snakepit_await_ready(pit, NULL, 0, NULL),
                     SNAKEPIT_DEADLINE_EXCEEDED);
    assert_int_equal(snakepit_await_serving(pit, "default", 1, NULL),
                     SNAKEPIT_DEADLINE_EXCEEDED);
    atomic_store(&pit_fakes.ready_now, true);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_await_serving(pit, "default", 10000, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_await_ready(pit, "other", 0, NULL),
                     SNAKEPIT_UNKNOWN_POOL);
}

static void a_pool_whose_workers_cannot_start_fails_and_can_be_tried_again(void **state)
{
    snakepit_message why;
    (void)state;
    pit_fakes.refuses = true;
    pit_open("|    restart_limit: 1\n    restart_backoff_ms: 0\n");
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, &why),
                     SNAKEPIT_POOL_FAILED);
    assert_non_null(strstr(why.text, "no worker today"));
    pit_fakes.refuses = false;
    assert_int_equal(snakepit_pool_retry(pit, "other", NULL), SNAKEPIT_UNKNOWN_POOL);
    assert_int_equal(snakepit_pool_retry(pit, NULL, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
}

static void *wait_for_it(void *of)
{
    return (void *)(uintptr_t)snakepit_await_ready(of, NULL, 60000, NULL);
}

// Whoever waits is woken by that, and still looks at the pools: the pit outlives it.
static void a_pit_may_be_closed_while_others_wait_for_it(void **state)
{
    (void)state;
    pit_fakes.starts_by = true;
    for (int round = 0; round < 50; round++) {
        pthread_t threads[4];
        pit_open("");
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, pit), 0);
        }
        PIT_AWAIT(atomic_load(&pit->waiters) == 4);
        snakepit_close(pit, 0);
        pit = NULL;
        for (int i = 0; i < 4; i++) {
            void *told;
            assert_int_equal(pthread_join(threads[i], &told), 0);
            assert_int_equal((uintptr_t)told, SNAKEPIT_SHUTTING_DOWN);
        }
    }
}

static void the_pool_called_default_is_the_default(void **state)
{
    static const char yaml[] =
        "python_version_detection: off\n"
        "pools:\n"
        "  - {name: a, adapter: f.F, python: /bin/sh, template: off}\n"
        "  - {name: default, adapter: f.F, python: /bin/sh, template: off}\n";
    (void)state;
    pit_fakes.refuses = true;
    assert_int_equal(
        snakepit_open_memory(yaml, sizeof yaml - 1, &pit_options, &pit, NULL),
        SNAKEPIT_OK);
    assert_ptr_equal(sp_pit_pool(pit, NULL), pit->pools[1]->pool);
    assert_ptr_equal(sp_pit_pool(pit, "a"), pit->pools[0]->pool);
    assert_null(sp_pit_pool(pit, "b"));
}

// Runs of the pit's loop are its workers; nothing of what was begun is left.
static void opening_survives_every_failed_allocation(void **state)
{
    static const char yaml[] = "python_version_detection: off\n"
                               "adapter: f.F\n"
                               "python: /bin/sh\n"
                               "template: off\n";
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    (void)state;
    pit_fakes.refuses = true;
    for (long n = 1; n < 400 && err != SNAKEPIT_OK; n++) {
        snakepit_message why;
        sp_memory_fail_at(n);
        err = snakepit_open_memory(yaml, sizeof yaml - 1, &pit_options, &pit, &why);
        sp_memory_fail_at(0);
        if (err != SNAKEPIT_OK) {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_null(pit);
        }
    }
    assert_int_equal(err, SNAKEPIT_OK);
}

// ---- Its end ------------------------------------------------------------------

struct ended {
    _Atomic uint32_t count;
    snakepit_err err;
};

static void note_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct ended *ended = user;
    ended->err = err;
    atomic_fetch_add(&ended->count, 1);
    snakepit_answer_free(answer);
}

static void a_close_waits_for_calls_within_its_grace(void **state)
{
    struct ended ended = {0};
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_submit(pit, "echo", NULL, NULL, note_end, &ended, NULL),
                     SNAKEPIT_OK);
    snakepit_close(pit, 10000);
    pit = NULL;
    assert_int_equal(atomic_load(&ended.count), 1);
    assert_int_equal(ended.err, SNAKEPIT_OK);
}

static void a_close_without_grace_ends_what_runs(void **state)
{
    struct ended ended = {0};
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_submit(pit, "hold", NULL, NULL, note_end, &ended, NULL),
                     SNAKEPIT_OK);
    snakepit_close(pit, 0);
    pit = NULL;
    assert_int_equal(atomic_load(&ended.count), 1);
    assert_int_equal(ended.err, SNAKEPIT_SHUTTING_DOWN);
}

static void a_flush_waits_for_the_log(void **state)
{
    (void)state;
    pit_open_ready("");
    assert_int_equal(snakepit_flush_log(pit, 10000), SNAKEPIT_OK);
    assert_int_equal(snakepit_flush_log(NULL, 0), SNAKEPIT_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(a_pool_is_ready_when_its_worker_is),
        PIT_TEST(a_pool_whose_workers_cannot_start_fails_and_can_be_tried_again),
        PIT_TEST(a_pit_may_be_closed_while_others_wait_for_it),
        PIT_TEST(the_pool_called_default_is_the_default),
        PIT_TEST(opening_survives_every_failed_allocation),
        PIT_TEST(a_close_waits_for_calls_within_its_grace),
        PIT_TEST(a_close_without_grace_ends_what_runs),
        PIT_TEST(a_flush_waits_for_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
