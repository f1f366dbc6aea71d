// SPDX-License-Identifier: MIT
// When a pool moves to the other profile, and what becomes of that: with a clock and
// with readings that are the test's.
#include "fleet/adapt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"

#define S       SP_NS_PER_S
#define MIB     (UINT64_C(1) << 20)
#define PROCESS SP_PROFILE_PROCESS
#define THREAD  SP_PROFILE_THREAD

// Eight processes or one worker with eight threads, on two cores with 1,000 MiB.
static const struct sp_adapt_rules rules = {
    .cpu_usage = 80, .memory_usage = 90, .stay_ns = 40 * S, .workers = {8, 1}};

// What is seen each second; 0 percent of nothing unless a test says more.
struct scene {
    struct sp_adapt adapt;
    uint64_t now;
    uint32_t cpu_usage;    // percent of both cores
    uint32_t memory_usage; // percent
    uint64_t calls;        // in a second
    uint64_t memory;       // MiB, of all workers
    bool waiting;
    bool forbidden;
    bool broken; // a worker is missing
    struct sp_adapt_verdict last;
    char text[64];
};

static void begin(struct scene *scene, enum sp_profile profile)
{
    *scene = (struct scene){.now = 1000 * S, .memory = 400};
    sp_adapt_init(&scene->adapt, &rules, profile, scene->now);
}

static const char *say(struct scene *scene)
{
    static const char *const reasons[] = {"cpu", "memory", "room", "undo"};
    const struct sp_adapt_verdict *verdict = &scene->last;
    (void)snprintf(scene->text,
                   sizeof scene->text,
                   "%s %s %s",
                   verdict->order == SP_ADAPT_MOVE ? "move" : "keep",
                   sp_profile_name(verdict->profile),
                   reasons[verdict->reason]);
    return verdict->order == SP_ADAPT_NOTHING ? "" : scene->text;
}

// Looks each second, for so many at most, until there is something to be done.
static const char *look(struct scene *scene, uint32_t seconds)
{
    scene->last = (struct sp_adapt_verdict){.order = SP_ADAPT_NOTHING};
    for (uint32_t i = 0; i < seconds && scene->last.order == SP_ADAPT_NOTHING; i++) {
        assert_true(scene->adapt.wakes == scene->now + S);
        scene->now += S;
        const struct sp_adapt_look seen = {
            .cpu_ns = scene->cpu_usage * 2 * S / 100,
            .calls = scene->calls,
            .waiting = scene->waiting,
            .memory = scene->memory * MIB,
            .cpu_percent = 200,
            .memory_usage = scene->memory_usage,
            .memory_most = 1000 * MIB,
            .whole = !scene->broken,
            .allowed = !scene->forbidden,
        };
        scene->last = sp_adapt_judge(&scene->adapt, &rules, &seen, scene->now);
    }
    return say(scene);
}

static void have_moved(struct scene *scene)
{
    sp_adapt_moved(&scene->adapt, &rules, scene->now);
}

static void each_pool_has_a_shape_in_both_profiles(void **state)
{
    (void)state;
    static const struct {
        enum sp_profile own;
        struct sp_range size;
        uint32_t threads; // of the thread profile, or the most of them
        struct sp_range workers;
        uint32_t threads_then;
    } rows[] = {
        {PROCESS, {8, 8}, 10, {1, 1}, 8},
        {PROCESS, {8, 8}, 4, {2, 2}, 4},
        {PROCESS, {12, 12}, 5, {3, 3}, 4},
        {PROCESS, {2, 16}, 8, {1, 2}, 8},
        {PROCESS, {1, 1}, 10, {1, 1}, 1},
        {PROCESS, {100, 100}, 10, {10, 10}, 10},
        // What cannot be divided has a few more.
        {PROCESS, {13, 13}, 10, {2, 2}, 7},
        {PROCESS, {11, 11}, 4, {3, 3}, 4},
        {THREAD, {2, 2}, 4, {8, 8}, 1},
        {THREAD, {1, 4}, 16, {16, 64}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool processes = rows[i].own == PROCESS;
        const struct sp_pool_config config = {
            .worker_profile = rows[i].own,
            .pool_size = rows[i].size,
            .threads_per_worker = processes ? 1 : rows[i].threads,
            .switch_threads_per_worker = rows[i].threads,
        };
        struct sp_adapt_shape own;
        struct sp_adapt_shape other;
        sp_adapt_shape(&config, rows[i].own, &own);
        sp_adapt_shape(&config, processes ? THREAD : PROCESS, &other);
        assert_int_equal(own.workers.max, rows[i].size.max);
        assert_int_equal(own.threads, config.threads_per_worker);
        assert_int_equal(other.workers.min, rows[i].workers.min);
        assert_int_equal(other.workers.max, rows[i].workers.max);
        assert_int_equal(other.threads, rows[i].threads_then);
        assert_true(other.workers.max * other.threads >= own.workers.max * own.threads);
    }
}

static void rules_come_from_the_configuration(void **state)
{
    (void)state;
    const struct sp_pool_config config = {.pool_size = {8, 8},
                                          .threads_per_worker = 1,
                                          .switch_threshold = {70, 60},
                                          .switch_threads_per_worker = 4,
                                          .switch_min_stay_ms = 2000};
    struct sp_adapt_rules made;
    sp_adapt_rules(&config, &made);
    assert_int_equal(made.cpu_usage, 70);
    assert_int_equal(made.memory_usage, 60);
    assert_true(made.stay_ns == 2 * S);
    assert_int_equal(made.workers[PROCESS], 8);
    assert_int_equal(made.workers[THREAD], 2);
}

// What is seen from the beginning, and what follows within five minutes.
static void where_a_pool_moves(void **state)
{
    (void)state;
    static const struct {
        enum sp_profile profile;
        uint32_t cpu_usage;
        uint32_t memory_usage;
        uint64_t memory; // MiB
        const char *follows;
    } rows[] = {
        // Processes stay while there is room.
        {PROCESS, 0, 0, 400, ""},
        {PROCESS, 79, 89, 400, ""},
        {PROCESS, 80, 0, 400, "move thread cpu"},
        {PROCESS, 0, 90, 400, "move thread memory"},
        {PROCESS, 100, 100, 400, "move thread memory"},
        // Threads stay while there would not be.
        {THREAD, 100, 0, 10, ""},
        {THREAD, 60, 0, 10, ""},
        {THREAD, 59, 0, 10, "move process room"},
        {THREAD, 0, 68, 1, ""},
        {THREAD, 0, 20, 10, "move process room"},
        // Seven more workers of this size would take 70 percent.
        {THREAD, 0, 20, 100, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        begin(&scene, rows[i].profile);
        scene.cpu_usage = rows[i].cpu_usage;
        scene.memory_usage = rows[i].memory_usage;
        scene.memory = rows[i].memory;
        assert_string_equal(look(&scene, 300), rows[i].follows);
        scene.forbidden = true;
        begin(&scene, rows[i].profile);
        scene.forbidden = true;
        assert_string_equal(look(&scene, 300), "");
    }
}

static void it_stays_for_a_while_first(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, PROCESS);
    scene.cpu_usage = 100;
    assert_string_equal(look(&scene, 39), "");
    assert_string_equal(look(&scene, 1), "move thread cpu");
    // Nothing else happens until the move has ended, however long that takes.
    assert_string_equal(look(&scene, 500), "");
    have_moved(&scene);
    scene.cpu_usage = 0;
    assert_string_equal(look(&scene, 39), "");
}

// A pool that starts, or has lost a worker, is not what it will be.
static void only_a_whole_pool_is_judged(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, PROCESS);
    scene.memory_usage = 95;
    scene.broken = true;
    assert_string_equal(look(&scene, 100), "");
    scene.broken = false;
    assert_string_equal(look(&scene, 9), "");
    assert_string_equal(look(&scene, 1), "move thread memory");
    have_moved(&scene);
    scene.broken = true;
    assert_string_equal(look(&scene, 100), "");
    scene.broken = false;
    scene.memory = 100;
    assert_string_equal(look(&scene, 10), "keep thread memory");
}

static void a_peak_is_not_enough(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, PROCESS);
    for (int i = 0; i < 50; i++) {
        scene.cpu_usage = 100;
        assert_string_equal(look(&scene, 7), "");
        scene.cpu_usage = 0;
        assert_string_equal(look(&scene, 3), "");
    }
}

// What was seen before and after a move, and what becomes of that.
static void what_a_move_gains_is_measured(void **state)
{
    (void)state;
    static const struct {
        struct {
            uint32_t cpu_usage;
            uint32_t memory_usage;
            uint64_t calls;
            uint64_t memory; // MiB
            bool waiting;
        } before, after;
        enum sp_profile from;
        const char *follows;
    } rows[] = {
        // Memory.
        {{0, 95, 0, 400, 0}, {0, 95, 0, 380, 0}, PROCESS, "keep thread memory"},
        {{0, 95, 0, 400, 0}, {0, 95, 0, 385, 0}, PROCESS, "move process undo"},
        {{0, 95, 0, 400, 0}, {0, 95, 0, 500, 0}, PROCESS, "move process undo"},
        // Processor time of a call, where there are as many as their callers want.
        {{90, 0, 100, 9, 0}, {80, 0, 100, 9, 0}, PROCESS, "keep thread cpu"},
        {{90, 0, 100, 9, 0}, {89, 0, 100, 9, 0}, PROCESS, "move process undo"},
        {{90, 0, 100, 9, 0}, {45, 0, 50, 9, 0}, PROCESS, "move process undo"},
        {{90, 0, 100, 9, 0}, {45, 0, 60, 9, 0}, PROCESS, "keep thread cpu"},
        // Calls in a second, where callers always wait.
        {{90, 0, 100, 9, 1}, {99, 0, 110, 9, 1}, PROCESS, "keep thread cpu"},
        {{90, 0, 100, 9, 1}, {45, 0, 90, 9, 1}, PROCESS, "move process undo"},
        // The load has gone: nothing can be said.
        {{90, 0, 100, 9, 1}, {0, 0, 1, 9, 0}, PROCESS, "keep thread cpu"},
        // Processes may cost a little, for each of them is alone.
        {{50, 0, 100, 9, 0}, {54, 0, 100, 72, 0}, THREAD, "keep process room"},
        {{50, 0, 100, 9, 0}, {60, 0, 100, 72, 0}, THREAD, "move thread undo"},
        {{50, 0, 100, 9, 0}, {50, 90, 100, 72, 0}, THREAD, "move thread undo"},
        {{0, 0, 0, 9, 0}, {0, 0, 0, 72, 0}, THREAD, "keep process room"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        begin(&scene, rows[i].from);
        scene.cpu_usage = rows[i].before.cpu_usage;
        scene.memory_usage = rows[i].before.memory_usage;
        scene.calls = rows[i].before.calls;
        scene.memory = rows[i].before.memory;
        scene.waiting = rows[i].before.waiting;
        assert_string_not_equal(look(&scene, 100), "");
        have_moved(&scene);
        scene.cpu_usage = rows[i].after.cpu_usage;
        scene.memory_usage = rows[i].after.memory_usage;
        scene.calls = rows[i].after.calls;
        scene.memory = rows[i].after.memory;
        scene.waiting = rows[i].after.waiting;
        assert_string_equal(look(&scene, 100), rows[i].follows);
        assert_true(scene.last.after.memory == rows[i].after.memory * MIB);
    }
}

static void what_was_undone_is_tried_later_and_later(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t times[] = {2, 4, 8, 16, 32, 64, 64};
    begin(&scene, PROCESS);
    scene.memory_usage = 95;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_string_equal(look(&scene, 3000), "move thread memory");
        have_moved(&scene);
        assert_string_equal(look(&scene, 100), "move process undo");
        uint64_t undone = scene.now;
        have_moved(&scene);
        struct scene later = scene;
        assert_string_equal(look(&later, 3000), "move thread memory");
        assert_true(later.now - undone == times[i] * rules.stay_ns);
    }
    // One that gains something sets the count back.
    assert_string_equal(look(&scene, 3000), "move thread memory");
    have_moved(&scene);
    scene.memory = 100;
    assert_string_equal(look(&scene, 100), "keep thread memory");
    assert_int_equal(scene.adapt.vain[THREAD], 0);
}

// What processes take more is known by then: 95 percent again.
static void it_does_not_go_back_to_what_it_has_left(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, PROCESS);
    scene.memory_usage = 95;
    assert_string_equal(look(&scene, 100), "move thread memory");
    have_moved(&scene);
    scene.memory = 60;
    scene.memory_usage = 60;
    assert_string_equal(look(&scene, 100), "keep thread memory");
    assert_string_equal(look(&scene, 1000), "");
    // Others have given memory back.
    scene.memory_usage = 20;
    assert_string_equal(look(&scene, 100), "move process room");
}

static void room_must_last(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, THREAD);
    scene.memory = 10;
    for (int i = 0; i < 10; i++) {
        scene.cpu_usage = 70;
        assert_string_equal(look(&scene, 10), "");
        scene.cpu_usage = 10;
        assert_string_equal(look(&scene, 30), "");
    }
    assert_string_equal(look(&scene, 10), "move process room");
}

static void a_move_that_fails_is_tried_later(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, PROCESS);
    scene.cpu_usage = 100;
    assert_string_equal(look(&scene, 100), "move thread cpu");
    sp_adapt_failed(&scene.adapt, &rules, PROCESS, scene.now);
    assert_string_equal(look(&scene, 79), "");
    assert_string_equal(look(&scene, 1), "move thread cpu");
    sp_adapt_failed(&scene.adapt, &rules, PROCESS, scene.now);
    assert_string_equal(look(&scene, 159), "");
    assert_string_equal(look(&scene, 1), "move thread cpu");
    have_moved(&scene);
    // They have fallen back to processes by themselves.
    sp_adapt_failed(&scene.adapt, &rules, PROCESS, scene.now);
    assert_string_equal(look(&scene, 319), "");
    assert_string_equal(look(&scene, 1), "move thread cpu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pool_has_a_shape_in_both_profiles),
        cmocka_unit_test(rules_come_from_the_configuration),
        cmocka_unit_test(where_a_pool_moves),
        cmocka_unit_test(it_stays_for_a_while_first),
        cmocka_unit_test(only_a_whole_pool_is_judged),
        cmocka_unit_test(a_peak_is_not_enough),
        cmocka_unit_test(what_a_move_gains_is_measured),
        cmocka_unit_test(what_was_undone_is_tried_later_and_later),
        cmocka_unit_test(it_does_not_go_back_to_what_it_has_left),
        cmocka_unit_test(room_must_last),
        cmocka_unit_test(a_move_that_fails_is_tried_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
