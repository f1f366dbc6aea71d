// SPDX-License-Identifier: MIT
// Which queues hear doorbells, in a pit without pools, whose bells are the test's.
#include "pit/pit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

#define BELLS 10

struct scene {
    snakepit *pit;
    snakepit_queue *queue;
    int fd; // of the queue
    int bells[BELLS];
};

static int set_up(void **state)
{
    static const char no_pools[] = "pooling_enabled: false\n";
    static struct scene scene;
    assert_int_equal(
        snakepit_open_memory(no_pools, sizeof no_pools - 1, NULL, &scene.pit, NULL),
        SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_new(scene.pit, &scene.queue, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_fd(scene.queue, &scene.fd), SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_drain(scene.queue, 0), 0);
    for (int i = 0; i < BELLS; i++) {
        scene.bells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(scene.bells[i] >= 0);
        sp_bells_change(scene.pit, scene.bells[i], true);
    }
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < BELLS; i++) {
        sp_bells_change(scene->pit, scene->bells[i], false);
        assert_int_equal(close(scene->bells[i]), 0);
    }
    assert_int_equal(scene->pit->queues.bell_count, 0);
    assert_int_equal(snakepit_queue_free(scene->queue), SNAKEPIT_OK);
    snakepit_close(scene->pit, 0);
    return 0;
}

static void ring(int bell)
{
    uint64_t one = 1;
    assert_int_equal(write(bell, &one, sizeof one), sizeof one);
}

static bool is_woken(const struct scene *scene)
{
    struct pollfd polled = {.fd = scene->fd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

static void a_queue_that_nothing_reports_to_hears_none(void **state)
{
    const struct scene *scene = *state;
    assert_false(atomic_load(&scene->queue->hears));
    ring(scene->bells[0]);
    assert_false(is_woken(scene));
}

static void one_that_is_used_hears_all_of_them(void **state)
{
    const struct scene *scene = *state;
    sp_bells_want(scene->pit, scene->queue->number);
    for (int i = 0; i < BELLS; i++) {
        assert_false(is_woken(scene));
        ring(scene->bells[i]);
        assert_true(is_woken(scene));
        assert_int_equal(snakepit_queue_drain(scene->queue, 0), 0);
    }
}

static void what_rang_before_it_heard_wakes_it(void **state)
{
    const struct scene *scene = *state;
    ring(scene->bells[3]);
    sp_bells_want(scene->pit, scene->queue->number);
    assert_true(is_woken(scene));
}

static void bells_come_and_go(void **state)
{
    struct scene *scene = *state;
    sp_bells_want(scene->pit, scene->queue->number);
    sp_bells_change(scene->pit, scene->bells[5], false);
    ring(scene->bells[5]);
    assert_false(is_woken(scene));
    sp_bells_change(scene->pit, scene->bells[5], true);
    assert_true(is_woken(scene));
}

static void it_leaves_them_when_they_ring_in_vain(void **state)
{
    const struct scene *scene = *state;
    sp_bells_want(scene->pit, scene->queue->number);
    int rings = 0;
    while (atomic_load(&scene->queue->hears)) {
        ring(scene->bells[rings++ % BELLS]);
        assert_true(is_woken(scene));
        assert_int_equal(snakepit_queue_drain(scene->queue, 0), 0);
    }
    assert_in_range(rings, 15, 16); // its own one, at the set-up, counts as well
    for (int i = 0; i < BELLS; i++) {
        ring(scene->bells[i]);
    }
    assert_false(is_woken(scene));
    sp_bells_want(scene->pit, scene->queue->number);
    assert_true(is_woken(scene));
}

static void without_memory_for_its_number_a_bell_is_heard_by_who_is_there(void **state)
{
    struct scene *scene = *state;
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sp_bells_want(scene->pit, scene->queue->number);
    while (scene->pit->queues.bell_count < scene->pit->queues.bell_room) {
        sp_bells_change(scene->pit, scene->bells[0], true);
    }
    sp_memory_fail_at(1);
    sp_bells_change(scene->pit, bell, true);
    sp_memory_fail_at(0);
    ring(bell);
    assert_true(is_woken(scene));
    sp_bells_change(scene->pit, bell, false);
    while (scene->pit->queues.bell_count > BELLS) {
        sp_bells_change(scene->pit, scene->bells[0], false);
    }
    assert_int_equal(close(bell), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_queue_that_nothing_reports_to_hears_none),
        test(one_that_is_used_hears_all_of_them),
        test(what_rang_before_it_heard_wakes_it),
        test(bells_come_and_go),
        test(it_leaves_them_when_they_ring_in_vain),
        test(without_memory_for_its_number_a_bell_is_heard_by_who_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
