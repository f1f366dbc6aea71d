// SPDX-License-Identifier: MIT
// What a worker is made of, and what is said of one that did not start.
#include "fleet/inside.h"

#include "scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "payload/reader.h"

// ---- The first message --------------------------------------------------------

// The text or number behind a key of the outermost map, as text.
static const char *value_of(const char *key)
{
    static char text[256];
    snakepit_reader reader;
    snakepit_value value;
    bool found = false;
    snakepit_reader_init(
        &reader, scene.fleet.first_message.data, scene.fleet.first_message.size);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_MAP);
    while (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        if (found && value.kind == SNAKEPIT_TEXT) {
            (void)snprintf(
                text, sizeof text, "%.*s", (int)value.as.text.size, value.as.text.data);
            return text;
        }
        if (found) {
            (void)snprintf(text, sizeof text, "%lld", (long long)value.as.integer);
            return text;
        }
        found = value.kind == SNAKEPIT_TEXT && value.as.text.size == strlen(key) &&
                memcmp(value.as.text.data, key, strlen(key)) == 0;
    }
    fail_msg("%s is not in the message", key);
    return NULL;
}

static void a_worker_is_told_what_it_is(void **state)
{
    (void)state;
    scene.pool_config.worker_profile = SP_PROFILE_THREAD;
    scene.pool_config.threads_per_worker = 7;
    scene.pool_config.stop_grace_ms = 321;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    assert_int_equal(sp_fleet_write_first_message(&scene.fleet, 42, NULL), SNAKEPIT_OK);
    assert_string_equal(value_of("adapter"), "a.A");
    assert_string_equal(value_of("profile"), "thread");
    assert_string_equal(value_of("executors"), "7");
    assert_string_equal(value_of("worker"), "42");
    assert_string_equal(value_of("pool"), "one");
    assert_string_equal(value_of("stop_grace_ms"), "321");
}

static void one_that_is_forked_is_told_what_its_template_was_not(void **state)
{
    (void)state;
    struct sp_fleet *fleet = &scene.fleet;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    assert_int_equal(sp_fleet_write_first_message(fleet, 1, NULL), SNAKEPIT_OK);
    assert_int_equal(fleet->fork_message.size, 0);
    assert_int_equal(sp_fleet_write_first_message(fleet, 0, NULL), SNAKEPIT_OK);
    assert_int_equal(sp_fleet_write_first_message(fleet, 2, NULL), SNAKEPIT_OK);
    size_t whole = fleet->first_message.size;
    assert_in_range(fleet->fork_message.size, 1, whole / 2);
    // It is the end of the whole one, behind a byte that says how much it is.
    assert_memory_equal(fleet->fork_message.data + 1,
                        fleet->first_message.data + whole + 1 -
                            fleet->fork_message.size,
                        fleet->fork_message.size - 1);
    scene.pool_config.stop_grace_ms++;
    assert_int_equal(sp_fleet_write_first_message(fleet, 3, NULL), SNAKEPIT_OK);
    assert_int_equal(fleet->fork_message.size, 0);
}

static void each_post_has_its_device(void **state)
{
    (void)state;
    char *names[] = {(char *)(uintptr_t)"left", (char *)(uintptr_t)"right"};
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    assert_null(sp_fleet_device_of(&scene.fleet, 0));
    scene.pool_config.devices = (struct sp_devices){
        .variable = (char *)(uintptr_t)"SIDE", .values = {names, 2}};
    assert_string_equal(sp_fleet_device_of(&scene.fleet, 0), "left");
    assert_string_equal(sp_fleet_device_of(&scene.fleet, 3), "right");
    assert_int_equal(sp_fleet_write_first_message(&scene.fleet, 1, "left"),
                     SNAKEPIT_OK);
    assert_string_equal(value_of("worker"), "1");
}

static void without_memory_there_is_no_message(void **state)
{
    (void)state;
    long nth = 0;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    do {
        sp_memory_fail_at(++nth);
    } while (sp_fleet_write_first_message(&scene.fleet, 1, NULL) == SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    assert_true(nth > 1);
}

static void each_worker_is_one_life_of_its_own(void **state)
{
    (void)state;
    struct sp_worker_options options;
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    for (uint64_t id = 1; id < 4; id++) {
        sp_fleet_describe_worker(&scene.fleet, 0, &options);
        assert_int_equal(options.id, id);
        assert_int_equal(options.shape.epoch, id);
    }
}

static void a_worker_has_room_for_twice_its_threads(void **state)
{
    (void)state;
    static const struct {
        uint32_t threads;
        uint32_t slots;
        uint32_t leases;
    } rows[] = {{1, 128, 256}, {64, 128, 256}, {65, 256, 256}, {512, 1024, 1024}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_worker_options options;
        scene.pool_config.worker_profile = SP_PROFILE_THREAD;
        scene.pool_config.threads_per_worker = rows[i].threads;
        assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
        sp_fleet_describe_worker(&scene.fleet, 0, &options);
        assert_int_equal(options.shape.executors, rows[i].threads);
        assert_int_equal(options.shape.slots, rows[i].slots);
        assert_int_equal(options.shape.leases, rows[i].leases);
        sp_fleet_fini(&scene.fleet);
    }
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
}

static void workers_are_spread_over_the_cores_in_turn(void **state)
{
    (void)state;
    cpu_set_t allowed;
    struct sp_worker_options options;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    uint32_t cores = (uint32_t)CPU_COUNT(&allowed);
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    sp_fleet_describe_worker(&scene.fleet, 0, &options);
    assert_int_equal(CPU_COUNT(&options.cpus), 0); // wherever the kernel likes
    scene.pool_config.placement = SP_POOL_PLACEMENT_SPREAD;
    cpu_set_t seen;
    CPU_ZERO(&seen);
    for (uint32_t post = 0; post < cores; post++) {
        sp_fleet_describe_worker(&scene.fleet, post, &options);
        assert_int_equal(CPU_COUNT(&options.cpus), 1);
        CPU_OR(&seen, &seen, &options.cpus);
    }
    assert_true(CPU_EQUAL(&seen, &allowed));
}

// ---- What is said -------------------------------------------------------------

static const char *failure_of(struct sp_worker *worker)
{
    static char text[SP_REASON_MAX];
    sp_fleet_describe_failure(worker, text, sizeof text);
    return text;
}

static struct sp_worker *first_worker(void)
{
    scene.pool_config.pool_size = (struct sp_range){1, 1};
    scene_begin();
    return &fakes.lives[0]->worker;
}

static void a_short_refusal_is_told_as_it_is(void **state)
{
    (void)state;
    struct sp_worker *worker = first_worker();
    worker->adapter_failed = true;
    (void)snprintf(worker->failure, 64, "ValueError: not today\n  in a.py");
    assert_string_equal(failure_of(worker), "ValueError: not today\n  in a.py");
    scene_end();
}

static void of_a_long_refusal_the_ends_are_told(void **state)
{
    (void)state;
    struct sp_worker *worker = first_worker();
    worker->adapter_failed = true;
    char *text = worker->failure;
    int head = snprintf(text, 64, "ValueError: not today\n");
    memset(text + head, 'x', 4000);
    (void)snprintf(text + head + 4000, 64, "\nthe last line");
    const char *told = failure_of(worker);
    assert_memory_equal(told, "ValueError: not today\n[...]x", 28);
    assert_string_equal(told + strlen(told) - 15, "x\nthe last line");
    assert_true(strlen(told) < 700);
    scene_end();
}

static void what_the_system_refused_is_told(void **state)
{
    (void)state;
    struct sp_worker *worker = first_worker();
    worker->wants = true;
    (void)snprintf(worker->failure, 64, "eventfd: Too many open files");
    assert_string_equal(failure_of(worker), "eventfd: Too many open files");
    scene_end();
}

static void an_end_is_told_with_what_it_printed_at_last(void **state)
{
    (void)state;
    struct sp_worker *worker = first_worker();
    struct sp_output *errors = &worker->child.flow.outputs[1];
    worker->child.end = (struct sp_exit){.known = 1, .code = 3};
    assert_string_equal(failure_of(worker), "python exited with status 3");
    errors->tail_size = (size_t)snprintf(errors->tail, 64, "one\ntwo\nthree\n\n");
    assert_string_equal(
        failure_of(worker),
        "python exited with status 3; it wrote: three\n[...]one\ntwo\nthree");
    errors->tail_size = (size_t)snprintf(errors->tail, 64, "alone\n");
    assert_string_equal(failure_of(worker),
                        "python exited with status 3; it wrote: alone");
    scene_end();
}

static void a_late_start_is_told_with_its_place(void **state)
{
    (void)state;
    struct sp_worker *worker = first_worker();
    atomic_store(&worker->killed_for, "it was late");
    worker->late = "it was late";
    fakes.where = "it was importing a\nStack:\n  File b.py";
    assert_non_null(strstr(failure_of(worker),
                           "killed by us because it was late; it was importing "
                           "a\nStack:\n  File b.py"));
    scene_end();
}

static void of_a_start_that_crashed_the_innermost_calls_are_told(void **state)
{
    (void)state;
    struct sp_worker *worker = first_worker();
    memset(worker->stack, 'x', sizeof worker->stack - 1);
    memcpy(worker->stack, "innermost", 9);
    worker->child.end = (struct sp_exit){.known = 1, .signal = SIGSEGV};
    const char *failure = failure_of(worker);
    assert_non_null(strstr(failure, "(SIGSEGV); innermostxxx"));
    assert_true(strlen(failure) < 700);
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_worker_is_told_what_it_is),
        SCENE_TEST(one_that_is_forked_is_told_what_its_template_was_not),
        SCENE_TEST(each_post_has_its_device),
        SCENE_TEST(without_memory_there_is_no_message),
        SCENE_TEST(each_worker_is_one_life_of_its_own),
        SCENE_TEST(a_worker_has_room_for_twice_its_threads),
        SCENE_TEST(workers_are_spread_over_the_cores_in_turn),
        SCENE_TEST(a_short_refusal_is_told_as_it_is),
        SCENE_TEST(a_late_start_is_told_with_its_place),
        SCENE_TEST(of_a_start_that_crashed_the_innermost_calls_are_told),
        SCENE_TEST(of_a_long_refusal_the_ends_are_told),
        SCENE_TEST(what_the_system_refused_is_told),
        SCENE_TEST(an_end_is_told_with_what_it_printed_at_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
