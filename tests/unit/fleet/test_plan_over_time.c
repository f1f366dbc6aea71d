// SPDX-License-Identifier: MIT
// What a row of events comes to.
#include "fleet/plan.h"

#include "planned.h"

#define EVENT(name) SP_FLEET_##name

// ---- Batches ------------------------------------------------------------------

static void workers_start_in_batches(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {0, EVENT(STARTED), 2, "", NULL}, // the batch is whole
        {9, EVENT(READY), 2, "seat 2; degraded; start 4", NULL},
        {0, EVENT(STARTED), 4, "", NULL},
        {9, EVENT(READY), 0, "seat 0", NULL},
        {9, EVENT(READY), 4, "seat 4; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void batches_wait_for_each_other(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    planned.config.startup_batch_delay_ms = 40;
    const struct planned_act first[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {0, EVENT(STARTED), 2, "", NULL},
    };
    PLANNED_PLAY(&planned, first);
    assert_planned_wake(&planned, 40);
    const struct planned_act second[] = {
        {10, EVENT(READY), 0, "seat 0; degraded", NULL},
        {10, EVENT(READY), 2, "seat 2", NULL},
        {20, EVENT(TIMER), 0, "start 4", NULL},
        {0, EVENT(STARTED), 4, "", NULL}, // nobody is missing any more
    };
    PLANNED_PLAY(&planned, second);
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void a_batch_of_which_one_fails_goes_on_one_by_one(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 4);
    planned.config.startup_batch_size = 4;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {0, EVENT(START_FAILED), 2, "failure 1: why", NULL},
        {50, EVENT(TIMER), 0, "", NULL}, // one is under way
        {9, EVENT(READY), 0, "seat 0; degraded; start 2", NULL},
        {0, EVENT(STARTED), 2, "", NULL},
        {2000, EVENT(READY), 2, "seat 2; start 4", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// ---- Falling back -------------------------------------------------------------

static const struct sp_fleet_worker with_gil = {
    .born = true, .gil_enabled = true, .thread_safe = true};
static const struct sp_fleet_worker unsafe = {.born = true, .free_threaded = true};

static void threads_come_back_as_processes(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 2, 2);
    planned.config.template = SP_TEMPLATE_AUTO;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {0, EVENT(STARTED), 2, "", NULL},
        {5,
         EVENT(READY),
         0,
         "fallback 4: the interpreter is not a free-threaded build; dismiss 0; "
         "dismiss 2",
         &with_gil},
        {1, EVENT(READY), 2, "", &with_gil},
        {1, EVENT(EXITED), 0, "", &with_gil},
        {1, EVENT(GONE), 0, "", NULL},
        {1, EVENT(EXITED), 2, "", &with_gil},
        {1, EVENT(GONE), 2, "reshape 4", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    planned_reshape(&planned, 4);
    const struct planned_act after[] = {
        {0, EVENT(RESHAPED), 0, "start template", NULL},
        {0, EVENT(TEMPLATE_STARTED), 0, "", NULL},
        {1, EVENT(TEMPLATE_READY), 0, "fork 0", NULL},
        {0, EVENT(STARTED), 0, "fork 2", NULL},
    };
    PLANNED_PLAY(&planned, after);
    assert_int_equal(planned.plan.threads, 1);
    assert_int_equal(planned.plan.phase, SP_FLEET_RUNNING);
}

static void calls_that_run_are_let_finish(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 2, 1);
    const struct sp_fleet_worker back = {
        .born = true, .free_threaded = true, .gil_enabled = true, .thread_safe = true};
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {1, EVENT(READY), 0, "seat 0; degraded", NULL},
        {1, EVENT(READY), 2, "seat 2; ready", NULL},
        {1,
         EVENT(GIL),
         2,
         "fallback 2: an import has switched the GIL back on; drain 0; drain 2; "
         "degraded",
         &back},
    };
    PLANNED_PLAY(&planned, acts);
    assert_planned_wake(&planned, 0);
    assert_true(sp_fleet_place_drains(&planned.plan, 0));
    const struct planned_act idle[] = {
        {0, EVENT(IDLE), 0, "dismiss 0", NULL},
        {0, EVENT(TIMER), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, idle);
    assert_planned_wake(&planned, 20);
    const struct planned_act late[] = {
        {979, EVENT(TIMER), 0, "", NULL},
        {21, EVENT(TIMER), 0, "dismiss 2", NULL}, // it has had call_timeout_ms
        {1, EVENT(EXITED), 0, "", NULL},
        {1, EVENT(EXITED), 2, "", NULL},
        {1, EVENT(GONE), 0, "", NULL},
        {1, EVENT(GONE), 2, "reshape 2", NULL},
        {1, EVENT(NO_MEMORY), 0, "fail: memory is exhausted", NULL},
    };
    PLANNED_PLAY(&planned, late);
}

static void a_call_without_a_limit_gets_one_when_the_pool_falls_back(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 1, 1);
    planned.config.call_timeout_ms = 0;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1,
         EVENT(GIL),
         0,
         "fallback 1: the interpreter is not a free-threaded build; drain 0; degraded",
         &with_gil},
        {29999, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "dismiss 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_pool_may_refuse_or_allow_what_cannot_run_in_parallel(void **state)
{
    (void)state;
    static const struct {
        enum sp_on_unsupported wish;
        const struct sp_fleet_worker *worker;
        const char *orders;
    } rows[] = {
        {SP_UNSUPPORTED_REFUSE,
         &with_gil,
         "refuse 2: python: the interpreter is not a free-threaded build; dismiss 0"},
        {SP_UNSUPPORTED_REFUSE,
         &unsafe,
         "refuse 2: adapter: the adapter says that it is not thread-safe; dismiss 0"},
        {SP_UNSUPPORTED_ALLOW, &with_gil, "gil; seat 0; ready"},
        {SP_UNSUPPORTED_ALLOW,
         &unsafe,
         "fallback 2: the adapter says that it is not thread-safe; dismiss 0"},
        {SP_UNSUPPORTED_FALLBACK,
         &unsafe,
         "fallback 2: the adapter says that it is not thread-safe; dismiss 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        planned_init_threads(&planned, 1, 2);
        planned.config.on_unsupported = rows[i].wish;
        const struct planned_act acts[] = {
            {0, EVENT(BEGIN), 0, "start 0", NULL},
            {1, EVENT(READY), 0, rows[i].orders, rows[i].worker},
        };
        PLANNED_PLAY(&planned, acts);
    }
}

static void that_threads_take_turns_is_told_once(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 2, 1);
    planned.config.on_unsupported = SP_UNSUPPORTED_ALLOW;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {1, EVENT(READY), 0, "seat 0; degraded", NULL},
        {1, EVENT(GIL), 0, "gil", &with_gil},
        {1, EVENT(READY), 2, "seat 2; ready", &with_gil},
    };
    PLANNED_PLAY(&planned, acts);
}

// ---- Recycling ----------------------------------------------------------------

static void a_worker_serves_until_its_successor_does(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(REPLACE), 0, "", NULL},
        // The pool is whole all the time.
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
        {1, EVENT(GONE), 0, "", NULL},
        // And back again.
        {1, EVENT(REPLACE), 1, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; recycled: somebody asked for it; drain 1", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(planned.plan.shown, SP_POOL_READY);
}

static void a_successor_that_cannot_start_costs_a_pause(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(EXITED), 1, "failure 1: why", NULL},
        {50, EVENT(TIMER), 0, "start 1", NULL},
        {1, EVENT(EXITED), 1, "failure 2: why", NULL},
        {100, EVENT(TIMER), 0, "start 1", NULL},
        // As often as it takes: the pool works.
        {1, EVENT(EXITED), 1, "failure 3: why", NULL},
        {200, EVENT(TIMER), 0, "start 1", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void one_that_dies_before_its_successor_serves_leaves_it_the_post(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(EXITED), 0, "death; degraded", &planned_worked},
        {1, EVENT(READY), 1, "seat 1; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void successors_count_in_their_batch(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    planned.config.recycle_at_once = 3;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {1, EVENT(READY), 0, "seat 0; degraded; start 4", NULL},
        {1, EVENT(READY), 2, "seat 2", NULL},
        {1, EVENT(READY), 4, "seat 4; ready", NULL},
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(REPLACE), 2, "start 3", NULL},
        {1, EVENT(REPLACE), 4, "", NULL},
        {1,
         EVENT(READY),
         3,
         "seat 3; recycled: somebody asked for it; drain 2; start 5",
         NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// ---- Giving way ---------------------------------------------------------------

// Whether the start that the last step has ordered gives way to calls.
static bool gives_way(const struct planned *planned)
{
    const struct sp_fleet_action *last = &planned->items[planned->out.count - 1];
    assert_true(planned->out.count > 0 && last->kind == SP_FLEET_DO_START);
    return last->gives_way;
}

static void a_start_that_calls_can_do_without_gives_way(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    planned.plan.least = 1;
    planned.plan.target = 2;
    planned.config.startup_batch_size = 8;
    // Nobody serves yet.
    assert_string_equal(planned_happen(&planned, EVENT(BEGIN), 0), "start 0");
    assert_false(gives_way(&planned));
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 0), "start 2");
    assert_false(gives_way(&planned));
    (void)planned_happen(&planned, EVENT(STARTED), 2);
    (void)planned_ready(&planned, 0);
    (void)planned_ready(&planned, 2);
    // To replace.
    assert_string_equal(planned_happen(&planned, EVENT(REPLACE), 2), "start 3");
    assert_true(gives_way(&planned));
    // To grow.
    const struct sp_fleet_event more = {.kind = EVENT(RESIZE), .number = 3};
    assert_string_equal(planned_step(&planned, &more),
                        "resize 3: the program asked for it; start 4");
    assert_true(gives_way(&planned));
    // One dies, and the other one is enough.
    assert_string_equal(planned_exit(&planned, 0, &planned_worked),
                        "death; ready; start 0");
    assert_true(gives_way(&planned));
}

static void a_start_that_calls_need_does_not(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {1, EVENT(READY), 0, "seat 0; degraded", NULL},
        {1, EVENT(READY), 2, "seat 2; ready", NULL},
        {1, EVENT(EXITED), 0, "death; degraded; start 0", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
    assert_false(gives_way(&planned));
}

static void a_fresh_interpreter_without_the_gil_does_not_give_way(void **state)
{
    (void)state;
    const struct sp_fleet_worker free_threaded = {
        .born = true, .free_threaded = true, .thread_safe = true};
    struct planned planned;
    planned_init(&planned, 1);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", &free_threaded},
        {1, EVENT(REPLACE), 0, "start 1", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_false(gives_way(&planned));
}

// ---- The end ------------------------------------------------------------------

static void a_fleet_has_stopped_when_nothing_is_left(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 2);
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 0, "fork 2", NULL},
        {1, EVENT(READY), 0, "seat 0; degraded", &planned_forked},
        {1, EVENT(STOP), 0, "end 0; end 2; stop template", NULL},
        {1, EVENT(TEMPLATE_GONE), 0, "", NULL},
        {1, EVENT(EXITED), 0, "", &planned_forked},
        {1, EVENT(EXITED), 2, "", &planned_unborn},
        {1, EVENT(GONE), 2, "", NULL},
        {1, EVENT(GONE), 0, "stopped", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_busy_worker_that_was_dismissed_is_told_once_more(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1, EVENT(NO_MEMORY), 0, "fail: memory is exhausted; dismiss 0", NULL},
        {1, EVENT(STOP), 0, "end 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_start_in_batches),
        cmocka_unit_test(batches_wait_for_each_other),
        cmocka_unit_test(a_batch_of_which_one_fails_goes_on_one_by_one),
        cmocka_unit_test(threads_come_back_as_processes),
        cmocka_unit_test(calls_that_run_are_let_finish),
        cmocka_unit_test(a_call_without_a_limit_gets_one_when_the_pool_falls_back),
        cmocka_unit_test(a_pool_may_refuse_or_allow_what_cannot_run_in_parallel),
        cmocka_unit_test(that_threads_take_turns_is_told_once),
        cmocka_unit_test(a_worker_serves_until_its_successor_does),
        cmocka_unit_test(a_successor_that_cannot_start_costs_a_pause),
        cmocka_unit_test(one_that_dies_before_its_successor_serves_leaves_it_the_post),
        cmocka_unit_test(successors_count_in_their_batch),
        cmocka_unit_test(a_start_that_calls_can_do_without_gives_way),
        cmocka_unit_test(a_start_that_calls_need_does_not),
        cmocka_unit_test(a_fresh_interpreter_without_the_gil_does_not_give_way),
        cmocka_unit_test(a_fleet_has_stopped_when_nothing_is_left),
        cmocka_unit_test(a_busy_worker_that_was_dismissed_is_told_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
