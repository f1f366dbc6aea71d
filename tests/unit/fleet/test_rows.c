// SPDX-License-Identifier: MIT
// What other threads see of the workers, while the loop changes them.
#include "fleet/inside.h"

#include "scene.h"

#include <string.h>

#include "base/memory.h"

static void only_workers_with_a_process_are_seen(void **state)
{
    (void)state;
    scene.pool_config.template = SP_TEMPLATE_AUTO;
    scene_begin();
    fake_template_is_ready();
    assert_int_equal(scene_see().count, 0);
    fake_is_born(1);
    struct scene_rows seen = scene_see();
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.rows[0].id, 2);
    assert_int_equal(seen.rows[0].capacity, 1);
    assert_string_equal(seen.rows[0].state, "STARTING");
    scene_end();
    assert_int_equal(scene_see().count, 0);
}

static void a_row_says_how_many_calls_its_worker_has(void **state)
{
    (void)state;
    struct fake_call call;
    struct outcome outcome;
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene_begin();
    fake_is_ready(0);
    assert_int_equal(scene_see().rows[0].load, 0);
    struct fake_worker *executor = scene_begin_call(0, &call, &outcome);
    assert_int_equal(scene_see().rows[0].load, 1);
    fake_serve(executor, &call);
    fake_worker_free(executor);
    fixture_drain(&scene.fixture);
    assert_int_equal(scene_see().rows[0].load, 0);
    scene_end();
}

static struct sp_worker_lives lives(void)
{
    struct sp_worker_lives now;
    memset(&now, 0xff, sizeof now);
    assert_int_equal(sp_fleet_lives(&scene.fleet, &now), SNAKEPIT_OK);
    return now;
}

static void workers_are_counted_by_what_they_do(void **state)
{
    (void)state;
    scene_begin();
    assert_int_equal(lives().lives[SP_WORKERS_STARTING], 2);
    fake_is_ready(0);
    assert_int_equal(lives().lives[SP_WORKERS_STARTING], 1);
    assert_int_equal(lives().lives[SP_WORKERS_READY], 1);
    assert_int_equal(lives().lives[SP_WORKERS_DRAINING], 0);
    assert_int_equal(lives().lives[SP_WORKERS_STOPPING], 0);
    assert_int_equal(lives().forked, 0);
    sp_memory_fail_at(1);
    struct sp_worker_lives none;
    assert_int_equal(sp_fleet_lives(&scene.fleet, &none), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    scene_end();
    assert_int_equal(lives().lives[SP_WORKERS_STARTING], 0);
    assert_int_equal(lives().lives[SP_WORKERS_READY], 0);
}

static void workers_have_ages_from_the_oldest_to_the_youngest(void **state)
{
    const uint64_t now = sp_clock_now();
    static const uint64_t ages_ms[] = {10000, 90000, 50000};
    (void)state;
    scene.pool_config.pool_size = (struct sp_range){3, 3};
    scene_begin();
    uint32_t aged = 0;
    for (size_t i = 0; i < scene.fleet.row_count; i++) {
        if (scene.fleet.rows[i].info.id != 0) {
            scene.fleet.rows[i].started_at = now - ages_ms[aged++] * SP_NS_PER_MS;
        }
    }
    assert_int_equal(aged, 3);
    const struct sp_worker_lives told = lives();
    const uint64_t more = (sp_clock_now() - now) / SP_NS_PER_MS + 1;
    assert_in_range(told.oldest_ms, 90000, 90000 + more);
    assert_in_range(told.median_ms, 50000, 50000 + more);
    scene_end();
    assert_int_equal(lives().oldest_ms, 0);
    assert_int_equal(lives().median_ms, 0);
}

// ---- Another thread -----------------------------------------------------------

static _Atomic bool over;
static _Atomic bool torn; // cmocka's assertions belong to the test's thread

static void check_row(void *user, size_t index, const snakepit_worker_info *row)
{
    size_t *count = user;
    bool whole =
        index == *count && row->pid == 1000 + (int)row->id &&
        (strcmp(row->state, "READY") == 0 || strcmp(row->state, "STARTING") == 0 ||
         strcmp(row->state, "STOPPING") == 0);
    if (!whole) {
        atomic_store(&torn, true);
    }
    (*count)++;
}

static void *look_all_the_time(void *user)
{
    (void)user;
    while (!atomic_load(&over)) {
        size_t seen = 0;
        size_t count = sp_fleet_workers(&scene.fleet, check_row, &seen);
        if (count != seen || count > 4) {
            atomic_store(&torn, true);
        }
    }
    return NULL;
}

// The rows move to other memory when threads become processes.
static void who_looks_sees_whole_rows(void **state)
{
    (void)state;
    pthread_t thread;
    scene.pool_config.worker_profile = SP_PROFILE_THREAD;
    scene.pool_config.threads_per_worker = 2;
    atomic_store(&over, false);
    scene_begin();
    assert_int_equal(pthread_create(&thread, NULL, look_all_the_time, NULL), 0);
    fakes.lives[0]->worker.info.gil_enabled = true;
    fake_is_ready(0);
    fake_dies(0);
    fake_dies(1);
    assert_int_equal(fakes.starts, 6);
    for (uint32_t next = 2; next < FAKES_MOST - 8; next++) {
        fake_is_ready(next);
        fakes.lives[next]->worker.port->submit_tail = 2; // it was given a call
        fake_dies(next);
    }
    atomic_store(&over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(atomic_load(&torn));
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(only_workers_with_a_process_are_seen),
        SCENE_TEST(a_row_says_how_many_calls_its_worker_has),
        SCENE_TEST(workers_are_counted_by_what_they_do),
        SCENE_TEST(workers_have_ages_from_the_oldest_to_the_youngest),
        SCENE_TEST(who_looks_sees_whole_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
