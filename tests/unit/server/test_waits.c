// SPDX-License-Identifier: MIT
#include "server/waits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define LATE_MOST 8

struct scene {
    struct sp_loop loop;
    struct sp_waits waits;
    struct sp_wait waiting[4];
    struct sp_wait *late[LATE_MOST];
    enum sp_wait_for what[LATE_MOST];
    size_t count;
    size_t expected; // the loop stops when so many were late
};

static struct scene *scene;

static void on_late(struct sp_wait *wait, enum sp_wait_for what)
{
    assert_true(scene->count < LATE_MOST);
    scene->late[scene->count] = wait;
    scene->what[scene->count++] = what;
    if (scene->count == scene->expected) {
        sp_loop_stop(&scene->loop);
    }
}

static void on_wake(void *user)
{
    sp_loop_stop(&((struct scene *)user)->loop);
}

static int prepare(void **state)
{
    static struct scene made;
    const uint32_t limits[SP_WAITS] = {[SP_WAIT_NOTHING] = 1, // is for ever
                                       [SP_WAIT_REQUEST] = 20,
                                       [SP_WAIT_HEADER] = 5,
                                       [SP_WAIT_BODY] = 3600000};
    made = (struct scene){.expected = 1};
    scene = &made;
    assert_int_equal(sp_loop_init(&made.loop, on_wake, &made, NULL), SNAKEPIT_OK);
    sp_waits_init(&made.waits, &made.loop, limits, on_late);
    *state = &made;
    return 0;
}

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        sp_wait_end(&scene->waiting[i]);
    }
    sp_waits_fini(&scene->waits);
    sp_loop_fini(&scene->loop);
    return 0;
}

static void one_that_waits_too_long_is_late(void **state)
{
    (void)state;
    uint64_t began = sp_clock_now();
    sp_wait_begin(&scene->waits, &scene->waiting[0], SP_WAIT_HEADER);
    sp_loop_run(&scene->loop);
    assert_true(sp_clock_now() - began >= 5 * SP_NS_PER_MS);
    assert_ptr_equal(scene->late[0], &scene->waiting[0]);
    assert_int_equal(scene->what[0], SP_WAIT_HEADER);
    assert_int_equal(scene->waiting[0].what, SP_WAIT_NOTHING);
}

static void the_shortest_wait_is_late_first(void **state)
{
    (void)state;
    scene->expected = 3;
    sp_wait_begin(&scene->waits, &scene->waiting[0], SP_WAIT_BODY);
    sp_wait_begin(&scene->waits, &scene->waiting[1], SP_WAIT_REQUEST);
    sp_wait_begin(&scene->waits, &scene->waiting[2], SP_WAIT_HEADER);
    sp_wait_begin(&scene->waits, &scene->waiting[3], SP_WAIT_HEADER);
    sp_loop_run(&scene->loop);
    assert_ptr_equal(scene->late[0], &scene->waiting[2]);
    assert_ptr_equal(scene->late[1], &scene->waiting[3]);
    assert_ptr_equal(scene->late[2], &scene->waiting[1]);
    assert_true(sp_timer_runs(&scene->waits.sweep)); // for the body
}

static void what_ended_in_time_is_not_late(void **state)
{
    (void)state;
    sp_wait_begin(&scene->waits, &scene->waiting[0], SP_WAIT_HEADER);
    sp_wait_begin(&scene->waits, &scene->waiting[1], SP_WAIT_HEADER);
    sp_wait_begin(&scene->waits, &scene->waiting[2], SP_WAIT_REQUEST);
    sp_wait_end(&scene->waiting[0]);
    sp_wait_end(&scene->waiting[0]); // waits for nothing
    sp_wait_begin(&scene->waits, &scene->waiting[1], SP_WAIT_NOTHING);
    sp_loop_run(&scene->loop);
    assert_int_equal(scene->count, 1);
    assert_ptr_equal(scene->late[0], &scene->waiting[2]);
}

static void a_wait_that_begins_anew_has_all_its_time(void **state)
{
    (void)state;
    sp_wait_begin(&scene->waits, &scene->waiting[0], SP_WAIT_REQUEST);
    scene->waiting[0].since -= 19 * SP_NS_PER_MS;
    uint64_t began = sp_clock_now();
    sp_wait_begin(&scene->waits, &scene->waiting[0], SP_WAIT_REQUEST);
    sp_loop_run(&scene->loop);
    assert_true(sp_clock_now() - began >= 20 * SP_NS_PER_MS);
}

static void without_a_limit_nothing_is_late(void **state)
{
    (void)state;
    sp_wait_begin(&scene->waits, &scene->waiting[0], SP_WAIT_NOTHING);
    sp_wait_begin(&scene->waits, &scene->waiting[1], SP_WAIT_CLIENT);
    assert_false(sp_timer_runs(&scene->waits.sweep));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        TEST(one_that_waits_too_long_is_late),
        TEST(the_shortest_wait_is_late_first),
        TEST(what_ended_in_time_is_not_late),
        TEST(a_wait_that_begins_anew_has_all_its_time),
        TEST(without_a_limit_nothing_is_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
