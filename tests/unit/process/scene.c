// SPDX-License-Identifier: MIT
#include "scene.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/fake_worker.h"

struct scene scene;

// ---- Its owner ----------------------------------------------------------------

static void tell(const char *word)
{
    size_t at = strlen(scene.told);
    (void)snprintf(scene.told + at, sizeof scene.told - at, "%s;", word);
}

static void born(void *user, struct sp_worker *worker)
{
    (void)user;
    (void)worker;
    tell("born");
}

static void ready(void *user, struct sp_worker *worker)
{
    (void)user;
    (void)worker;
    tell("ready");
}

static void leaving(void *user, struct sp_worker *worker)
{
    (void)user;
    (void)worker;
    tell("leaving");
}

static bool is_busy(void *user, const struct sp_worker *worker)
{
    (void)user;
    (void)worker;
    return scene.busy;
}

static void gil(void *user, struct sp_worker *worker)
{
    (void)user;
    assert_true(worker->info.gil_enabled);
    tell("gil");
}

static void
lost(void *user, struct sp_worker *worker, const struct sp_worker_loss *loss)
{
    (void)user;
    (void)worker;
    (void)snprintf(scene.cause, sizeof scene.cause, "%s", loss->cause);
    (void)snprintf(
        scene.last_output, sizeof scene.last_output, "%s", loss->last_output);
    (void)snprintf(scene.stack, sizeof scene.stack, "%s", loss->stack);
    scene.by_us = loss->by_us;
    scene.violated = loss->violated;
    tell("lost");
}

static void mapped(void *user, struct sp_worker *worker, uint64_t serial, bool mapped)
{
    (void)user;
    (void)worker;
    scene.mapped_serial = serial;
    tell(mapped ? "mapped" : "unmapped");
}

static void exited(void *user, struct sp_worker *worker)
{
    (void)user;
    assert_int_equal(worker->state, SP_WORKER_DEAD);
    tell("exited");
}

static void denied(void *user, struct sp_worker *worker)
{
    (void)user;
    (void)worker;
    tell("denied");
}

static void gone(void *user, struct sp_worker *worker)
{
    (void)user;
    (void)worker;
    tell("gone");
}

static void on_event(void *user, const snakepit_event *event)
{
    (void)user;
    (void)event;
    scene.events++;
}

static void woken(void *user)
{
    (void)user;
}

// ---- Its life -----------------------------------------------------------------

int scene_prepare(void **state)
{
    (void)state;
    machine_reset();
    memset(&scene, 0, sizeof scene);
    const struct sp_event_sink sink = {.event = on_event, .log = &machine.log};
    assert_int_equal(sp_loop_init(&scene.loop, woken, NULL, NULL), SNAKEPIT_OK);
    sp_listener_init(&scene.listener, &scene.loop, &sink);
    scene.options = (struct sp_worker_options){
        .loop = &scene.loop,
        .log = &machine.log,
        .listener = &scene.listener,
        .inbox = &scene.inbox,
        .pool = "pool",
        .id = 7,
        .python = "/python",
        .config = {(const uint8_t *)"configuration", 13},
        .requests = -1,
        .shape = {.slots = 8,
                  .executors = 1,
                  .leases = 4,
                  .events = true,
                  .epoch = 1,
                  .requests_size = 1 << 20,
                  .results_size = 1 << 20},
        .start_timeout_ms = SCENE_START_MS,
        .stop_grace_ms = SCENE_GRACE_MS,
        .heartbeat_interval_ms = SCENE_HEARTBEAT_MS,
        .heartbeat_max_missed = SCENE_MISSED_MOST,
        .hooks = {.born = born,
                  .ready = ready,
                  .leaving = leaving,
                  .is_busy = is_busy,
                  .gil = gil,
                  .mapped = mapped,
                  .lost = lost,
                  .exited = exited,
                  .denied = denied,
                  .gone = gone},
    };
    return 0;
}

int scene_tidy(void **state)
{
    (void)state;
    if (scene.worker != NULL) {
        if (strstr(scene.told, "gone;") == NULL &&
            scene.worker->state != SP_WORKER_DEAD) {
            scene.fake->others = false;
            fake_exits(scene.fake, 0, 0);
            scene_run(50);
        }
        sp_worker_free(scene.worker);
    }
    sp_listener_close(&scene.listener);
    sp_loop_fini(&scene.loop);
    return 0;
}

void scene_start(void)
{
    snakepit_message why;
    assert_int_equal(sp_worker_start(&scene.options, &scene.worker, &why), SNAKEPIT_OK);
    scene.fake = machine.count > 0 ? &machine.processes[machine.count - 1] : NULL;
}

void scene_run(uint64_t ms)
{
    machine_run(&scene.loop, ms);
}

void scene_greet(void)
{
    const struct sp_hello hello = {.version = SP_LAYOUT_VERSION, .tid = 1};
    fake_says(scene.fake, SP_MESSAGE_HELLO, &hello, sizeof hello);
    scene_run(0);
}

void scene_answer(uint32_t status)
{
    static uint8_t requests[16];
    const struct sp_segment segment = {.base = requests};
    struct fake_worker *player = fake_worker_new(scene.worker->port, &segment);
    struct fake_call call;
    assert_non_null(player);
    assert_true(fake_take_started(player, &call));
    struct sp_slot_result result = fake_echo(player, &call);
    result.status = status;
    fake_publish(player, call.slot, &result);
    fake_worker_free(player);
    scene_run(0);
}

void scene_become_ready(void)
{
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    scene_run(0);
    scene_expect("");
    scene_answer(SP_STATUS_OK);
    scene_expect("ready;");
    while (fake_hears(scene.fake) != 0) {
    }
}

void scene_expect(const char *told)
{
    assert_string_equal(scene.told, told);
    scene.told[0] = 0;
}

void scene_expect_killed(const char *why)
{
    char cause[512];
    scene_run(0);
    (void)snprintf(cause, sizeof cause, "killed by us because %s", why);
    assert_string_equal(scene.cause, cause);
    assert_non_null(strstr(scene.told, "lost;exited;gone;"));
    assert_non_null(strstr(fake_signals(scene.fake), "KILL"));
}
