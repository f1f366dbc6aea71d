// SPDX-License-Identifier: MIT
// When workers are checked, and what their checks say.
#include "fleet/inside.h"

#include "scene.h"

#include <string.h>

#define INTERVAL_MS 5u

// A pool of one worker that is checked.
static void begin_checked(void)
{
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.health_check_interval_ms = INTERVAL_MS;
    scene.pool_config.health_check_timeout_ms = 10000;
    scene.pool_config.health_check_max_failed = 2;
    scene_begin();
    fakes.lives[0]->worker.info.has_health_check = true;
    fake_is_ready(0);
}

static struct sp_occupant *occupant(void)
{
    return scene.fleet.occupants[0];
}

static const snakepit_fault well = {.type = "", .message = "ok"};
static const snakepit_fault raised = {.err = SNAKEPIT_TOOL_FAILED,
                                      .type = "OSError",
                                      .message = "the model is gone\nin a.py"};
static const snakepit_fault late = {.err = SNAKEPIT_DEADLINE_EXCEEDED, .type = ""};
static const snakepit_fault died = {.err = SNAKEPIT_WORKER_DIED, .type = ""};

static bool note(const snakepit_fault *fault)
{
    bool says = sp_health_note(occupant(), fault->err, fault);
    sp_fleet_publish_all(&scene.fleet);
    return says;
}

static snakepit_health health_of(uint64_t worker)
{
    snakepit_health health = {.size = 0};
    assert_true(sp_fleet_health(&scene.fleet, worker, &health));
    return health;
}

static void what_checks_say_is_seen_and_logged(void **state)
{
    (void)state;
    begin_checked();
    assert_string_equal(health_of(1).status, "unknown");
    assert_string_equal(scene_see().rows[0].health, "unknown");
    assert_true(note(&well));
    assert_string_equal(health_of(1).status, "healthy");
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_FAILED_CHECKS], 0);
    assert_true(note(&raised));
    assert_true(note(&late));
    snakepit_health health = health_of(1);
    assert_string_equal(health.status, "unhealthy");
    assert_string_equal(scene_see().rows[0].health, "unhealthy");
    assert_int_equal(health.checks, 3);
    assert_int_equal(health.failures, 2);
    assert_int_equal(health.consecutive_failures, 2);
    assert_string_equal(health.message, "it took longer than health_check_timeout_ms");
    assert_true(scene_was_logged("worker.unhealthy pool=one worker=1 failed=1 limit=2 "
                                 "because=\"OSError: the model is gone\""));
    assert_false(scene_was_logged("worker.healthy"));
    assert_true(note(&well));
    assert_true(scene_was_logged("worker.healthy pool=one worker=1"));
    health = health_of(1);
    assert_int_equal(health.consecutive_failures, 0);
    assert_string_equal(health.message, "");
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_FAILED_CHECKS], 2);
    scene_end();
}

static void the_death_of_a_worker_says_nothing_of_its_health(void **state)
{
    (void)state;
    begin_checked();
    assert_false(note(&died));
    assert_string_equal(health_of(1).status, "unknown");
    scene_end();
}

static void a_successor_begins_anew(void **state)
{
    (void)state;
    begin_checked();
    assert_true(note(&raised));
    fakes.lives[0]->worker.port->submit_tail = 20; // it was given a call
    fake_dies(0);
    fake_is_ready(1);
    assert_string_equal(health_of(2).status, "unknown");
    assert_int_equal(health_of(2).failures, 0);
    snakepit_health health;
    assert_false(sp_fleet_health(&scene.fleet, 1, &health));
    scene_end();
}

static void only_who_has_a_check_is_checked(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.health_check_interval_ms = INTERVAL_MS;
    scene_begin();
    fake_is_ready(0);
    assert_false(sp_timer_runs(&occupant()->check));
    scene_end();
}

static void a_pool_that_wants_no_checks_has_none(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene_begin();
    fakes.lives[0]->worker.info.has_health_check = true;
    fake_is_ready(0);
    assert_false(sp_timer_runs(&occupant()->check));
    scene_end();
}

static void the_timer_ends_with_the_worker(void **state)
{
    (void)state;
    begin_checked();
    assert_true(sp_timer_runs(&occupant()->check));
    fakes.lives[0]->worker.port->submit_tail = 20;
    fake_exits(0);
    assert_false(sp_timer_runs(&occupant()->check));
    fake_is_gone(0);
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_checks_say_is_seen_and_logged),
        SCENE_TEST(the_death_of_a_worker_says_nothing_of_its_health),
        SCENE_TEST(a_successor_begins_anew),
        SCENE_TEST(only_who_has_a_check_is_checked),
        SCENE_TEST(a_pool_that_wants_no_checks_has_none),
        SCENE_TEST(the_timer_ends_with_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
