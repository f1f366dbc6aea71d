// SPDX-License-Identifier: MIT
// Whose stacks are read, and whose are not: the workers here have no process.
#include "fleet/inside.h"

#include "scene.h"

#include <string.h>

static void
take(void *user, const struct sp_stack *stack, const struct sp_call_told *call)
{
    (void)stack;
    (void)call;
    ++*(int *)user;
}

static snakepit_err ask(uint64_t worker)
{
    snakepit_message why = {{0}};
    int taken = 0;
    snakepit_err err = sp_fleet_stacks(&scene.fleet, worker, take, &taken, &why);
    assert_int_equal(taken, 0);
    return err;
}

static void a_worker_that_is_not_there_has_no_stacks(void **state)
{
    (void)state;
    scene_begin();
    assert_int_equal(ask(0), SNAKEPIT_NOT_FOUND);
    assert_int_equal(ask(77), SNAKEPIT_NOT_FOUND);
    scene_end();
}

static void a_process_that_is_not_ours_is_not_read(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    struct sp_port *port = fakes.lives[0]->worker.port;
    uint32_t refs = atomic_load(&port->refs);
    assert_int_equal(ask(1), SNAKEPIT_NOT_FOUND);
    assert_int_equal(atomic_load(&port->refs), refs);
    scene_end();
}

static void the_stacks_of_a_worker_that_has_ended_are_not_looked_for(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    fake_dies(0);
    assert_int_equal(ask(1), SNAKEPIT_NOT_FOUND);
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_worker_that_is_not_there_has_no_stacks),
        SCENE_TEST(a_process_that_is_not_ours_is_not_read),
        SCENE_TEST(the_stacks_of_a_worker_that_has_ended_are_not_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
