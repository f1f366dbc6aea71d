// SPDX-License-Identifier: MIT
// Queues of a pit without pools: making, polling, draining, freeing, also beside each
// other and beside the pit's close.
#include "pit/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>
#include <sched.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pit/pit.h"

static const char no_pools[] = "pooling_enabled: false\n";

static int open_pit(void **state)
{
    return snakepit_open_memory(
        no_pools, sizeof no_pools - 1, NULL, (snakepit **)state, NULL);
}

static snakepit_queue *make(snakepit *pit)
{
    snakepit_queue *queue = NULL;
    assert_int_equal(snakepit_queue_new(pit, &queue, NULL), SNAKEPIT_OK);
    assert_non_null(queue);
    return queue;
}

static void numbers_are_used_again(void **state)
{
    snakepit *pit = *state;
    snakepit_queue *first = make(pit);
    snakepit_queue *second = make(pit);
    assert_int_equal(first->number, 1);
    assert_int_equal(second->number, 2);
    assert_int_equal(snakepit_queue_free(first), SNAKEPIT_OK);
    first = make(pit);
    assert_int_equal(first->number, 1);
    assert_int_equal(snakepit_queue_free(second), SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_free(first), SNAKEPIT_OK);
    snakepit_close(pit, 0);
}

static void the_last_number_is_255(void **state)
{
    snakepit *pit = *state;
    snakepit_queue *queues[SP_QUEUES_MOST];
    snakepit_queue *none = NULL;
    snakepit_message why;
    for (uint32_t i = 1; i < SP_QUEUES_MOST; i++) {
        queues[i] = make(pit);
        assert_int_equal(queues[i]->number, i);
    }
    assert_int_equal(snakepit_queue_new(pit, &none, &why), SNAKEPIT_SATURATED);
    assert_null(none);
    assert_non_null(strstr(why.text, "255 queues"));
    for (uint32_t i = 1; i < SP_QUEUES_MOST; i++) {
        assert_int_equal(snakepit_queue_free(queues[i]), SNAKEPIT_OK);
    }
    snakepit_close(pit, 0);
}

static void making_survives_every_failed_allocation(void **state)
{
    snakepit *pit = *state;
    snakepit_queue *queue = NULL;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        sp_memory_fail_at(n);
        err = snakepit_queue_new(pit, &queue, NULL);
        bool failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
    }
    assert_int_equal(snakepit_queue_free(queue), SNAKEPIT_OK);
    snakepit_close(pit, 0);
}

static void it_outlives_its_pit(void **state)
{
    snakepit *pit = *state;
    int fd = -1;
    int again = -1;
    snakepit_queue *queue = make(pit);
    assert_int_equal(snakepit_queue_fd(queue, &fd), SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_drain(queue, 0), 0);
    assert_int_equal(snakepit_queue_drain(queue, 1), 0);
    assert_true(sp_queue_is_of(queue, pit));
    snakepit_close(pit, 0);
    assert_false(sp_queue_is_of(queue, pit));
    assert_int_equal(snakepit_queue_drain(queue, UINT32_MAX), 0);
    assert_int_equal(snakepit_queue_fd(queue, &again), SNAKEPIT_OK);
    assert_int_equal(fd, again);
    assert_int_equal(snakepit_queue_free(queue), SNAKEPIT_OK);
}

// ---- At the same time ---------------------------------------------------------

static void *drain_for_ever(void *queue)
{
    (void)snakepit_queue_drain(queue, UINT32_MAX);
    return NULL;
}

static bool is_drained(snakepit_queue *queue)
{
    return atomic_load(&queue->asleep);
}

static void a_close_ends_who_drains(void **state)
{
    snakepit *pit = *state;
    pthread_t thread;
    snakepit_queue *queue = make(pit);
    assert_int_equal(pthread_create(&thread, NULL, drain_for_ever, queue), 0);
    while (!is_drained(queue)) {
        sched_yield();
    }
    assert_int_equal(snakepit_queue_drain(queue, UINT32_MAX), 0);
    assert_int_equal(snakepit_queue_free(queue), SNAKEPIT_BUSY);
    snakepit_close(pit, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(snakepit_queue_free(queue), SNAKEPIT_OK);
}

struct maker {
    snakepit *pit;
    uint32_t made;
    snakepit_queue *last;
};

// Makes and frees queues until the pit makes no more; keeps the last one.
static void *make_and_free(void *argument)
{
    struct maker *maker = argument;
    snakepit_queue *queue;
    while (snakepit_queue_new(maker->pit, &queue, NULL) == SNAKEPIT_OK) {
        maker->made++;
        (void)snakepit_queue_drain(queue, 1);
        if (maker->made >= 50) {
            maker->last = queue;
            break;
        }
        assert_int_equal(snakepit_queue_free(queue), SNAKEPIT_OK);
    }
    return NULL;
}

static void *free_late(void *queue)
{
    while (snakepit_queue_free(queue) == SNAKEPIT_BUSY) {
        sched_yield();
    }
    return NULL;
}

static void queues_come_and_go_on_many_threads(void **state)
{
    snakepit *pit = *state;
    pthread_t threads[4];
    struct maker makers[4];
    for (int i = 0; i < 4; i++) {
        makers[i] = (struct maker){.pit = pit};
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_free, &makers[i]),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(makers[i].made, 50);
        // Some are freed before the close, some beside it, some after it.
        assert_int_equal(pthread_create(&threads[i], NULL, free_late, makers[i].last),
                         0);
    }
    snakepit_close(pit, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

#define test(name) cmocka_unit_test_setup(name, open_pit)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(numbers_are_used_again),
        test(the_last_number_is_255),
        test(making_survives_every_failed_allocation),
        test(it_outlives_its_pit),
        test(a_close_ends_who_drains),
        test(queues_come_and_go_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
