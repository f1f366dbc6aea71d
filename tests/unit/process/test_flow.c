// SPDX-License-Identifier: MIT
#include "process/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "telemetry/notice_write.h"

// A process that prints, and its host. Owner: the test's thread.
struct scene {
    struct sp_loop loop;
    struct sp_log log;
    struct sp_flow flow;
    struct sp_timer end;
    int prints[2]; // the process's ends
    uint64_t lines;
    uint64_t slowed;
    uint64_t dropped; // times that it was told
    char last[256];
};

static void hear(void *user, const struct sp_notice *notice)
{
    struct scene *scene = user;
    const char *event = notice->kind->name;
    scene->lines += strcmp(event, "worker.stdout") == 0;
    scene->slowed += strcmp(event, "worker.output_slowed") == 0;
    scene->dropped += strcmp(event, "worker.output_dropped") == 0;
    (void)sp_notice_line(notice, scene->last, sizeof scene->last);
}

static void woken(void *user)
{
    (void)user;
}

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct sp_flow_options options = {
        .loop = &scene->loop, .log = &scene->log, .pool = "p", .worker = 7};
    assert_int_equal(sp_loop_init(&scene->loop, woken, scene, NULL), SNAKEPIT_OK);
    scene->log = (struct sp_log){.write = hear, .user = scene, .level = SP_LOG_INFO};
    scene->end.user = scene;
    for (int i = 0; i < 2; i++) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        options.fds[i] = ends[0];
        scene->prints[i] = ends[1];
    }
    sp_flow_start(&scene->flow, &options);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    sp_flow_stop(&scene->flow);
    sp_flow_fini(&scene->flow);
    (void)close(scene->prints[0]);
    (void)close(scene->prints[1]);
    sp_loop_fini(&scene->loop);
    free(scene);
    return 0;
}

static void on_end(struct sp_timer *timer)
{
    struct scene *scene = timer->user;
    sp_loop_stop(&scene->loop);
}

// Prints as fast as the host reads, for a while.
static void print_more(struct sp_timer *timer)
{
    static char text[4096];
    struct scene *scene = timer->user;
    memset(text, '\n', sizeof text);
    while (write(scene->prints[0], text, sizeof text) > 0) {
    }
}

static void run(struct scene *scene, uint64_t ms)
{
    scene->loop.stop = false;
    sp_timer_start(&scene->loop, &scene->end, on_end, ms, 0);
    sp_loop_run(&scene->loop);
}

static void what_is_usual_is_read_at_once(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(write(scene->prints[0], "a line\n", 7), 7);
    }
    while (scene->lines < 100) {
        run(scene, 1);
    }
    assert_string_equal(scene->last, "worker.stdout pool=p worker=7 line=\"a line\"");
    assert_int_equal(scene->slowed + scene->dropped, 0);
}

// Who prints for ever gets its share of the host, however busy the machine is.
static void a_flood_costs_its_share_and_is_told_once(void **state)
{
    struct scene *scene = *state;
    struct sp_timer printer = {.user = scene};
    uint64_t began = sp_clock_now();
    sp_timer_start(&scene->loop, &printer, print_more, 1, 1);
    while (scene->slowed == 0 || scene->dropped == 0 ||
           sp_clock_now() - began < SP_NS_PER_S) {
        run(scene, 50);
    }
    uint64_t took = sp_clock_now() - began;
    sp_timer_stop(&printer);
    assert_int_equal(scene->slowed, 1);
    assert_int_equal(scene->dropped, 1);
    assert_true(scene->lines >= SP_LINES_AT_ONCE);
    assert_true(scene->lines <=
                SP_LINES_AT_ONCE + 1 + took * SP_LINES_A_SECOND / SP_NS_PER_S + 10);
    sp_flow_finish(&scene->flow);
    assert_int_equal(scene->dropped, 2); // the sum, at the end
    assert_non_null(
        strstr(scene->last, "worker.output_dropped pool=p worker=7 lines="));
}

static void a_pipe_that_ends_is_left_alone(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(write(scene->prints[0], "no end", 6), 6);
    (void)close(scene->prints[0]);
    scene->prints[0] = -1;
    while (scene->lines == 0) {
        run(scene, 1);
    }
    assert_null(scene->flow.watches[0].loop);
    assert_non_null(scene->flow.watches[1].loop);
}

static void what_was_never_started_can_be_stopped(void **state)
{
    (void)state;
    struct sp_flow flow = {0};
    sp_flow_stop(&flow);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_usual_is_read_at_once),
        test(a_flood_costs_its_share_and_is_told_once),
        test(a_pipe_that_ends_is_left_alone),
        cmocka_unit_test(what_was_never_started_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
