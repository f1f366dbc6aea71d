// SPDX-License-Identifier: MIT
// What carries a plan out.
#include "fleet/fleet.h"

#include "scene.h"

#include <errno.h>
#include <stdio.h>

#include "base/memory.h"

// ---- Lives --------------------------------------------------------------------

static void workers_are_started_and_take_calls(void **state)
{
    (void)state;
    scene_begin();
    assert_int_equal(fakes.starts, 2);
    assert_int_equal(fakes.lives[1]->worker.options.id, 2);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_STARTS], 2);
    assert_int_equal(scene_look().state, SP_POOL_STARTING);
    assert_string_equal(scene_see().rows[1].state, "STARTING");
    fake_is_ready(0);
    assert_int_equal(scene_look().state, SP_POOL_DEGRADED);
    fake_is_ready(1);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    assert_int_equal(scene_look().seats, 2);
    assert_int_equal(scene.bells, 2);
    struct scene_rows seen = scene_see();
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.rows[0].state, "READY");
    assert_int_equal(seen.rows[0].pid, 1001);
    assert_true(scene_was_logged("worker.started pool=one worker=2"));
    scene_end();
}

static void a_dead_worker_is_replaced(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    fake_is_ready(1);
    fakes.lives[0]->worker.port->submit_tail = 2; // it was given a call
    fake_exits(0);
    assert_int_equal(fakes.starts, 3);
    assert_int_equal(scene_look().state, SP_POOL_DEGRADED);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_DEATHS], 1);
    // Its place is the other's already; it may go later.
    assert_int_equal(scene_see().count, 2);
    assert_int_equal(scene_see().rows[0].id, 3);
    fake_is_ready(2);
    fake_is_gone(0);
    assert_int_equal(scene_look().state, SP_POOL_READY);
    assert_int_equal(scene_look().seats, 2);
    scene_end();
}

// The only worker runs a call.
static void begin_busy(struct outcome *outcome)
{
    struct fake_call call;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene_begin();
    fake_is_ready(0);
    fake_worker_free(scene_begin_call(0, &call, outcome));
}

static void a_call_that_a_dead_worker_ran_is_failed(void **state)
{
    (void)state;
    struct outcome outcome;
    begin_busy(&outcome);
    fake_exits(0);
    fake_is_gone(0);
    fixture_drain(&scene.fixture);
    assert_ended(&outcome, SNAKEPIT_WORKER_DIED, "running");
    scene_end();
}

static void one_that_is_told_to_leave_counts_no_death(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    fake_is_ready(1);
    struct sp_worker *worker = &fakes.lives[0]->worker;
    fakes.lives[0]->told = true;
    worker->options.hooks.leaving(worker->options.hooks.user, worker);
    assert_int_equal(scene_look().state, SP_POOL_DEGRADED);
    assert_int_equal(scene_look().seats, 1);
    fake_dies(0);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_DEATHS], 0);
    scene_await(); // after a pause
    assert_int_equal(fakes.starts, 3);
    scene_end();
}

static void one_that_may_not_be_signalled_matters_only_to_another_user(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    struct sp_worker *worker = &fakes.lives[0]->worker;
    worker->options.hooks.denied(worker->options.hooks.user, worker);
    assert_int_equal(scene_look().state, SP_POOL_DEGRADED);
    // As if the program had been somebody else when it opened the pit.
    scene.fleet.user.users[1] = getuid() + 1;
    worker->options.hooks.denied(worker->options.hooks.user, worker);
    assert_int_equal(scene_look().state, SP_POOL_FAILED);
    assert_true(scene_was_logged("the program has changed its user from"));
    assert_int_equal(fakes.lives[0]->stops, 1);
    sp_pool_retry(scene.fixture.pool);
    sp_fleet_retry(&scene.fleet);
    fake_dies(0);
    assert_int_equal(fakes.starts, 3);
    scene_end();
}

// ---- Another spec -------------------------------------------------------------

// What the pool is to be made of next.
static struct sp_pool_config others;

static struct sp_fleet_spec *another_spec(void)
{
    struct sp_spec_terms terms = sp_spec_terms_of(&scene.config, &others);
    struct sp_fleet_spec *spec = NULL;
    assert_int_equal(sp_spec_new(&terms, &spec), SNAKEPIT_OK);
    return spec;
}

static void workers_make_room_for_those_of_another_spec(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    fake_is_ready(1);
    others = scene.pool_config;
    others.python = (char *)(uintptr_t)"another";
    struct sp_fleet_spec *spec = another_spec();
    assert_int_equal(sp_fleet_respec(&scene.fleet, spec, true, SP_RECYCLE_BY_RELOAD),
                     SNAKEPIT_OK);
    assert_int_equal(fakes.starts, 3);
    assert_string_equal(fakes.lives[0]->worker.options.python, "python");
    assert_string_equal(fakes.lives[2]->worker.options.python, "another");
    assert_int_equal(scene_look().state, SP_POOL_READY);
    assert_int_equal(fakes.lives[0]->stops, 0);
    fake_is_ready(2);
    assert_true(scene_was_logged("worker.recycled pool=one worker=1"));
    scene_await();
    assert_int_equal(fakes.lives[0]->stops, 1);
    fake_dies(0);
    fake_is_ready(3);
    scene_await();
    fake_dies(1);
    assert_int_equal(sp_fleet_outdated(&scene.fleet.plan), 0);
    assert_int_equal(scene_look().seats, 2);
    scene_end();
}

static void a_pool_may_become_larger_and_smaller(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    fake_is_ready(1);
    others = scene.pool_config;
    others.pool_size = (struct sp_range){3, 5};
    assert_int_equal(
        sp_fleet_respec(&scene.fleet, another_spec(), false, SP_RECYCLE_BY_RELOAD),
        SNAKEPIT_OK);
    assert_int_equal(fakes.starts, 3);
    assert_int_equal(scene_look().workers, 3);
    assert_true(sp_fleet_ask_to_resize(&scene.fleet, 5));
    assert_false(sp_fleet_ask_to_resize(&scene.fleet, 2));
    sp_fleet_do_what_is_asked(&scene.fleet);
    assert_int_equal(fakes.starts, 5);
    for (uint32_t i = 2; i < 5; i++) {
        fake_is_ready(i);
    }
    assert_int_equal(scene_look().seats, 5);
    others.pool_size = (struct sp_range){1, 1};
    assert_int_equal(
        sp_fleet_respec(&scene.fleet, another_spec(), false, SP_RECYCLE_BY_RELOAD),
        SNAKEPIT_OK);
    assert_int_equal(scene_look().seats, 1);
    scene_end();
}

static void without_memory_for_another_spec_nothing_changes(void **state)
{
    (void)state;
    long nth = 0;
    snakepit_err err;
    scene_begin();
    fake_is_ready(0);
    fake_is_ready(1);
    others = scene.pool_config;
    others.pool_size = (struct sp_range){4, 4};
    struct sp_fleet_spec *spec = another_spec();
    do {
        assert_int_equal(scene.fleet.plan.posts, 2);
        sp_memory_fail_at(++nth);
        err = sp_fleet_respec(&scene.fleet, spec, false, SP_RECYCLE_BY_RELOAD);
        sp_memory_fail_at(0);
        assert_int_equal(scene_see().count >= 2, true);
    } while (err == SNAKEPIT_NO_MEMORY);
    assert_int_equal(err, SNAKEPIT_OK);
    assert_true(nth > 8);
    scene_end();
}

// ---- Memory -------------------------------------------------------------------

#define MIB (UINT64_C(1) << 20)

static void one_that_grows_is_replaced_and_then_killed(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.worker_max_memory = 100 * MIB;
    scene.pool_config.worker_max_memory_hard = 200 * MIB;
    scene.pool_config.memory_check_interval_ms = 10;
    scene_begin();
    fakes.lives[0]->memory = 50 * MIB;
    fake_is_ready(0);
    fakes.lives[0]->memory = 101 * MIB;
    scene_await();
    assert_int_equal(fakes.starts, 2);
    fakes.lives[0]->memory = 201 * MIB;
    scene_await();
    assert_int_equal(fakes.lives[0]->kills, 1);
    assert_true(fakes.lives[0]->blamed);
    assert_string_equal(fakes.lives[0]->why,
                        "it used more memory than worker_max_memory_hard allows");
    assert_true(scene_was_logged("worker.memory pool=one worker=1 bytes=210763776 "
                                 "limit=worker_max_memory_hard"));
    fake_dies(0);
    fake_is_ready(1);
    scene_end();
}

static void a_limit_that_a_fresh_worker_exceeds_is_told(void **state)
{
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene.pool_config.worker_max_memory = 100 * MIB;
    scene_begin();
    fakes.lives[0]->memory = 101 * MIB;
    fake_is_ready(0);
    assert_true(scene_was_logged("limit=worker_max_memory because=\"it exceeds the "
                                 "limit before its first call"));
    assert_int_equal(fakes.starts, 1);
    scene_end();
}

// ---- The template -------------------------------------------------------------

static void a_template_forks_the_workers(void **state)
{
    (void)state;
    scene.pool_config.template = SP_TEMPLATE_AUTO;
    scene_begin();
    assert_int_equal(fakes.template_starts, 1);
    assert_int_equal(fakes.starts, 0);
    fake_template_is_ready();
    assert_int_equal(fakes.starts, 2);
    assert_ptr_equal(fakes.lives[0]->worker.options.template, fakes.template);
    assert_int_equal(scene_see().count, 0);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_STARTS], 0);
    fake_is_born(0);
    assert_int_equal(scene_see().count, 1);
    assert_int_equal(scene_look().counters.workers[SP_COUNTED_STARTS], 1);
    fake_dies(1); // was not made
    assert_int_equal(fakes.starts, 3);
    assert_null(fakes.lives[2]->worker.options.template);
    fake_is_ready(0);
    fake_is_ready(2);
    (void)snprintf(fakes.template->reason, 32, "it broke \"in two\"");
    fake_template_is_gone();
    assert_true(
        scene_was_logged("template.lost pool=one because=\"it broke \\\"in two\\\"\""));
    scene_end();
}

static void without_a_template_workers_are_execed(void **state)
{
    (void)state;
    scene.pool_config.template = SP_TEMPLATE_AUTO;
    fakes.refusals = 1;
    fakes.refuses = EMFILE;
    scene_begin();
    assert_int_equal(fakes.template_starts, 0);
    assert_int_equal(fakes.starts, 2);
    assert_true(
        scene_was_logged("template.put_off pool=one because=\"spawn: Too many open "
                         "files\" again_ms=5"));
    scene_end();
}

// ---- The end ------------------------------------------------------------------

static void workers_and_template_are_told_at_the_same_time(void **state)
{
    (void)state;
    scene.pool_config.template = SP_TEMPLATE_AUTO;
    scene_begin();
    fake_template_is_ready();
    fake_is_born(0);
    fake_is_ready(0);
    sp_fleet_stop(&scene.fleet);
    assert_int_equal(fakes.lives[0]->stops, 1);
    assert_int_equal(fakes.lives[0]->kills, 0);
    assert_int_equal(fakes.lives[1]->stops, 1);
    assert_int_equal(fakes.template_stops, 1);
    scene_end();
}

static void who_runs_a_call_when_the_pit_closes_is_killed(void **state)
{
    (void)state;
    struct outcome outcome;
    begin_busy(&outcome);
    sp_pool_begin_close(scene.fixture.pool);
    sp_fleet_stop(&scene.fleet);
    assert_int_equal(fakes.lives[0]->kills, 1);
    assert_string_equal(fakes.lives[0]->why,
                        "it was still running a call when the pit closed");
    scene_end();
    fixture_drain(&scene.fixture);
    assert_int_equal(outcome.ended, 1);
}

static void a_pool_that_closes_replaces_nobody(void **state)
{
    (void)state;
    scene_begin();
    fake_is_ready(0);
    fake_is_ready(1);
    sp_pool_begin_close(scene.fixture.pool);
    fakes.lives[0]->worker.port->submit_tail = 2;
    fake_dies(0);
    assert_int_equal(fakes.starts, 2);
    scene_end();
}

static void every_failed_allocation_of_the_start_is_survived(void **state)
{
    (void)state;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    long nth = 0;
    while (err == SNAKEPIT_NO_MEMORY) {
        sp_memory_fail_at(++nth);
        err = scene_init_fleet();
        sp_memory_fail_at(0);
    }
    assert_int_equal(err, SNAKEPIT_OK);
    assert_true(nth > 4);
    sp_fleet_start(&scene.fleet);
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(workers_make_room_for_those_of_another_spec),
        SCENE_TEST(a_pool_may_become_larger_and_smaller),
        SCENE_TEST(without_memory_for_another_spec_nothing_changes),
        SCENE_TEST(workers_are_started_and_take_calls),
        SCENE_TEST(a_dead_worker_is_replaced),
        SCENE_TEST(a_call_that_a_dead_worker_ran_is_failed),
        SCENE_TEST(one_that_is_told_to_leave_counts_no_death),
        SCENE_TEST(one_that_may_not_be_signalled_matters_only_to_another_user),
        SCENE_TEST(a_template_forks_the_workers),
        SCENE_TEST(without_a_template_workers_are_execed),
        SCENE_TEST(workers_and_template_are_told_at_the_same_time),
        SCENE_TEST(one_that_grows_is_replaced_and_then_killed),
        SCENE_TEST(a_limit_that_a_fresh_worker_exceeds_is_told),
        SCENE_TEST(who_runs_a_call_when_the_pit_closes_is_killed),
        SCENE_TEST(a_pool_that_closes_replaces_nobody),
        SCENE_TEST(every_failed_allocation_of_the_start_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
