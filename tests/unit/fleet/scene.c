// SPDX-License-Identifier: MIT
#include "scene.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/notice_write.h"

struct scene scene;

static void keep_line(void *user, const struct sp_notice *notice)
{
    (void)user;
    if (scene.line_count < SCENE_LINES) {
        (void)sp_notice_line(notice, scene.lines[scene.line_count++], 256);
    }
}

bool scene_was_logged(const char *part)
{
    for (int i = 0; i < scene.line_count; i++) {
        if (strstr(scene.lines[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static void on_woken(void *user)
{
    (void)user;
}

static void on_stopped(void *user)
{
    struct scene *its = user;
    its->stopped++;
    sp_loop_stop(&its->loop);
}

static void on_doorbell(void *user, int fd, bool joins)
{
    struct scene *its = user;
    (void)fd;
    its->bells += joins ? 1 : -1;
}

snakepit_err scene_init_fleet(void)
{
    snakepit_message why;
    const struct sp_fleet_options options = {
        .loop = &scene.loop,
        .log = &scene.log,
        .listener = &scene.listener,
        .config = &scene.config,
        .pool_config = &scene.pool_config,
        .pool = scene.fixture.pool,
        .last_worker_id = &scene.last_worker_id,
        .hooks = {on_stopped, on_doorbell, &scene},
    };
    return sp_fleet_init(&scene.fleet, &options, &why);
}

int scene_prepare(void **state)
{
    (void)state;
    snakepit_message why;
    const struct sp_pool_options options = fixture_options();
    memset(&scene, 0, sizeof scene);
    fakes_init();
    fixture_open(&scene.fixture, &options);
    assert_int_equal(sp_loop_init(&scene.loop, on_woken, NULL, &why), SNAKEPIT_OK);
    scene.log = (struct sp_log){.write = keep_line, .level = SP_LOG_INFO};
    scene.sink.log = &scene.log;
    sp_listener_init(&scene.listener, &scene.loop, &scene.sink);
    scene.config.file = (char *)(uintptr_t)"pit.yaml";
    scene.config.directory = (char *)(uintptr_t)"/";
    scene.pool_config = (struct sp_pool_config){
        .name = (char *)(uintptr_t)"one",
        .python = (char *)(uintptr_t)"python",
        .adapter = (char *)(uintptr_t)"a.A",
        .adapter_config = (char *)(uintptr_t)"{}",
        .worker_profile = SP_PROFILE_PROCESS,
        .template = SP_TEMPLATE_OFF,
        .pool_size = {2, 2},
        .threads_per_worker = 1,
        .startup_batch_size = 8,
        .recycle_at_once = 1,
        .restart_limit = 3,
        .restart_backoff_ms = 1,
        .restart_backoff_max_ms = 5,
        .shared_memory_size = 1u << 20,
    };
    return 0;
}

void scene_begin(void)
{
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    sp_fleet_start(&scene.fleet);
}

// Until something stops it.
static void run_loop(void)
{
    scene.loop.stop = false;
    sp_loop_run(&scene.loop);
}

// Whoever is there does as it is told.
void scene_end(void)
{
    sp_fleet_stop(&scene.fleet);
    assert_int_equal(scene.stopped, 0); // not within the call
    for (uint32_t i = 0; i < fakes.starts; i++) {
        if (fakes.lives[i] != NULL) {
            fake_dies(i);
        }
    }
    if (fakes.template != NULL) {
        fake_template_is_gone();
    }
    run_loop();
    assert_int_equal(scene.stopped, 1);
    assert_int_equal(scene.bells, 0);
}

int scene_tidy(void **state)
{
    (void)state;
    if (sp_fleet_alive(&scene.fleet.plan) > 0) {
        return -1; // the test has failed, which is told by now
    }
    sp_fleet_fini(&scene.fleet);
    fixture_close(&scene.fixture);
    sp_listener_close(&scene.listener);
    sp_loop_fini(&scene.loop);
    return 0;
}

struct sp_pool_view scene_look(void)
{
    struct sp_pool_view view;
    sp_pool_look(scene.fixture.pool, &view, NULL);
    return view;
}

static void take_row(void *user, size_t index, const snakepit_worker_info *row)
{
    struct scene_rows *seen = user;
    assert_int_equal(index, seen->count);
    seen->rows[seen->count++] = *row;
}

struct scene_rows scene_see(void)
{
    struct scene_rows seen = {0};
    size_t count = sp_fleet_workers(&scene.fleet, take_row, &seen);
    assert_int_equal(seen.count, count);
    return seen;
}

// Runs the loop until a worker is started or told to leave.
void scene_await(void)
{
    fakes.loop = &scene.loop;
    run_loop();
    fakes.loop = NULL;
}

const char *scene_reason(void)
{
    static snakepit_message why;
    struct sp_pool_view view;
    sp_pool_look(scene.fixture.pool, &view, &why);
    return why.text;
}

struct fake_worker *
scene_begin_call(uint32_t number, struct fake_call *call, struct outcome *outcome)
{
    const struct sp_segment *requests = &sp_pool_store(scene.fixture.pool)->segment;
    assert_int_equal(fixture_submit(&scene.fixture, "echo", "x", 0, outcome),
                     SNAKEPIT_OK);
    struct fake_worker *executor =
        fake_worker_new(fakes.lives[number]->worker.port, requests);
    assert_non_null(executor);
    assert_true(fake_take_started(executor, call));
    return executor;
}
