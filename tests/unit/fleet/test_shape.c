// SPDX-License-Identifier: MIT
#include "fleet/inside.h"

#include "scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *value_of(const char *name)
{
    size_t size = strlen(name);
    for (char **entry = scene.fleet.spec->environment; *entry != NULL; entry++) {
        if (strncmp(*entry, name, size) == 0 && (*entry)[size] == '=') {
            return *entry + size + 1;
        }
    }
    return NULL;
}

static void a_shape_is_that_of_the_configuration(void **state)
{
    (void)state;
    scene.pool_config.worker_profile = SP_PROFILE_THREAD;
    scene.pool_config.threads_per_worker = 3;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    assert_int_equal(scene.fleet.plan.size, 2);
    assert_int_equal(scene.fleet.plan.threads, 3);
    assert_string_equal(scene_look().profile, "thread");
    assert_int_equal(scene_look().threads, 3);
    for (uint32_t i = 0; i < 2 * SP_PLACES_PER_POST; i++) {
        assert_ptr_equal(scene.fleet.occupants[i]->fleet, &scene.fleet);
        assert_int_equal(scene.fleet.occupants[i]->place, i);
        assert_null(scene.fleet.occupants[i]->worker);
    }
}

static void processes_have_an_environment_of_their_own(void **state)
{
    (void)state;
    (void)unsetenv("OMP_NUM_THREADS");
    scene.pool_config.worker_profile = SP_PROFILE_THREAD;
    scene.pool_config.threads_per_worker = sp_config_cores() * 2;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    char *const *before = scene.fleet.spec->environment;
    assert_string_equal(value_of("OMP_NUM_THREADS"), "1");
    assert_int_equal(sp_fleet_reshape(&scene.fleet, 5), SNAKEPIT_OK);
    assert_ptr_not_equal(scene.fleet.spec->environment, before);
    assert_non_null(value_of("OMP_NUM_THREADS"));
    assert_int_equal(scene.fleet.plan.size, 5);
    assert_int_equal(scene.fleet.plan.threads, 1);
    assert_string_equal(scene_look().profile, "process");
    assert_int_equal(scene_look().workers, 5);
}

static void without_memory_the_shape_stays(void **state)
{
    (void)state;
    snakepit_err err;
    long nth = 0;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    do {
        assert_int_equal(scene.fleet.plan.size, 2);
        sp_memory_fail_at(++nth);
        err = sp_fleet_reshape(&scene.fleet, 3);
        sp_memory_fail_at(0);
    } while (err == SNAKEPIT_NO_MEMORY);
    assert_int_equal(err, SNAKEPIT_OK);
    assert_true(nth > 4);
    assert_int_equal(scene.fleet.plan.size, 3);
}

// The program's own may be changed by another thread while this one makes a shape.
static void workers_inherit_what_the_configuration_has(void **state)
{
    (void)state;
    static char entry[] = "OF_THE_TEST=then";
    static char *environment[] = {entry, NULL};
    setenv("OF_THE_TEST", "now", 1);
    scene.config.environment = environment;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    assert_string_equal(value_of("OF_THE_TEST"), "then");
    assert_int_equal(sp_fleet_reshape(&scene.fleet, 3), SNAKEPIT_OK);
    assert_string_equal(value_of("OF_THE_TEST"), "then");
    unsetenv("OF_THE_TEST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_shape_is_that_of_the_configuration),
        SCENE_TEST(processes_have_an_environment_of_their_own),
        SCENE_TEST(workers_inherit_what_the_configuration_has),
        SCENE_TEST(without_memory_the_shape_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
