// SPDX-License-Identifier: MIT
// When workers are checked, and what their checks say.
#include "fleet/inside.h"
#include "pool/seat.h"

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

// ---- Checks that end their workers ---------------------------------------------

// A check of a worker is due; true: it has begun.
static bool comes_due(uint32_t place)
{
    struct sp_occupant *its = scene.fleet.occupants[place];
    its->check.fire(&its->check);
    const struct sp_seat *seat = its->worker->seat;
    return seat->check != NULL;
}

// The worker `number`, of that place, dies in the middle of a check.
static void die_in_check(uint32_t number, uint32_t place)
{
    struct fake_call call;
    const struct sp_segment *requests = &sp_pool_store(scene.fixture.pool)->segment;
    assert_true(comes_due(place));
    struct fake_worker *executor =
        fake_worker_new(fakes.lives[number]->worker.port, requests);
    assert_non_null(executor);
    assert_true(fake_take_started(executor, &call));
    fake_worker_free(executor);
    fake_dies(number);
}

static void
who_has_died_in_a_check_is_followed_by_one_that_is_checked_later(void **state)
{
    (void)state;
    begin_checked();
    scene.pool_config.restart_backoff_ms = 0;
    scene.pool_config.health_check_interval_ms = 3600000; // of which a test sees none
    die_in_check(0, 0);
    assert_true(
        scene_was_logged("worker.check_fatal pool=one worker=1 pause_ms=7200000"));
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_FAILED_CHECKS], 1);
    scene_await();
    fakes.lives[1]->worker.info.has_health_check = true;
    fake_is_ready(1);
    assert_false(comes_due(0));
    assert_true(sp_timer_runs(&occupant()->check)); // it is asked for again
    // The pause is over.
    scene.fleet.check_pause.until = 0;
    die_in_check(1, 0);
    assert_true(
        scene_was_logged("worker.check_fatal pool=one worker=2 pause_ms=14400000"));
    scene_await();
    fakes.lives[2]->worker.info.has_health_check = true;
    fake_is_ready(2);
    // One that ends, passed or not, ends that.
    assert_true(note(&raised));
    assert_true(comes_due(0));
    scene_end();
}

static void who_is_late_is_no_reason_to_check_others(void **state)
{
    (void)state;
    begin_checked();
    scene.pool_config.health_check_interval_ms = 3600000;
    scene.fleet.check_pause.deaths = 1;
    assert_true(comes_due(0));
    assert_ptr_equal(scene.fleet.check_pause.probe, occupant());
    assert_true(note(&late));
    assert_ptr_equal(scene.fleet.check_pause.probe, occupant());
    assert_int_equal(scene.fleet.check_pause.deaths, 1);
    sp_health_killed(occupant());
    sp_health_end(occupant());
    assert_null(scene.fleet.check_pause.probe);
    assert_int_equal(scene.fleet.check_pause.deaths, 2);
    // Those that die in the same pause count once.
    sp_health_killed(occupant());
    assert_int_equal(scene.fleet.check_pause.deaths, 2);
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
        SCENE_TEST(who_has_died_in_a_check_is_followed_by_one_that_is_checked_later),
        SCENE_TEST(who_is_late_is_no_reason_to_check_others),
        SCENE_TEST(a_successor_begins_anew),
        SCENE_TEST(only_who_has_a_check_is_checked),
        SCENE_TEST(a_pool_that_wants_no_checks_has_none),
        SCENE_TEST(the_timer_ends_with_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
