// SPDX-License-Identifier: MIT
// What failures come to over time: pauses, a pool that is down or given up, a template
// that is blamed.
#include "fleet/plan.h"

#include "planned.h"

#include <string.h>

#define EVENT(name) SP_FLEET_##name

// ---- Back-off -----------------------------------------------------------------

static void pauses_double_until_the_pool_is_given_up(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    const struct planned_act first[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "", NULL},
        {1, EVENT(EXITED), 0, "failure 1: why", NULL},
    };
    PLANNED_PLAY(&planned, first);
    assert_planned_wake(&planned, 50);
    const struct planned_act second[] = {
        {10, EVENT(GONE), 0, "", NULL},
        {40, EVENT(TIMER), 0, "start 0", NULL},
        {1, EVENT(START_FAILED), 0, "failure 2: why", NULL},
    };
    PLANNED_PLAY(&planned, second);
    assert_planned_wake(&planned, 100);
    const struct planned_act third[] = {
        {99, EVENT(TIMER), 0, "", NULL}, // too early
        {1, EVENT(TIMER), 0, "start 0", NULL},
        {1,
         EVENT(START_FAILED),
         0,
         "failure 3: why; fail: no worker could be started: why",
         NULL},
    };
    PLANNED_PLAY(&planned, third);
    assert_int_equal(planned.plan.phase, SP_FLEET_FAILED);
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void a_pool_that_was_ready_is_down_and_comes_back(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.restart_limit = 1;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1,
         EVENT(EXITED),
         0,
         "death; failure 1: why; down: its workers die as soon as they are ready: why",
         NULL},
        {50, EVENT(TIMER), 0, "start 0", NULL},
        {1,
         EVENT(START_FAILED),
         0,
         "failure 2: why; down: no worker could be started: why",
         NULL},
        {1, EVENT(RETRY), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        // It has worked: nothing is held against its end.
        {1, EVENT(EXITED), 0, "death; degraded; start 0", &planned_worked},
        {1,
         EVENT(EXITED),
         0,
         "failure 1: why; down: no worker could be started: why",
         NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_pause_of_nothing_lets_the_loop_go_on(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.restart_limit = 1000;
    planned.config.restart_backoff_ms = 0;
    planned_happen(&planned, EVENT(BEGIN), 0);
    for (int i = 0; i < 100; i++) {
        // The clock stands still: it does not start in the same step.
        planned_happen(&planned, EVENT(START_FAILED), 0);
        assert_int_equal(planned.places[0].state, SP_PLACE_EMPTY);
        assert_planned_wake(&planned, 0);
        assert_string_equal(planned_happen(&planned, EVENT(TIMER), 0), "start 0");
    }
}

// As soon as none of them can be ready any more.
static void an_adapter_that_cannot_start_fails_the_pool_at_once(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    const struct sp_fleet_worker raises = {
        .began = 1, .born = true, .adapter_failed = true};
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {5, EVENT(EXITED), 0, "failure 1: why", &raises},
        {5,
         EVENT(EXITED),
         2,
         "failure 1: why; fail: no worker could be started: why",
         &raises},
        {5, EVENT(RETRY), 0, "know user; start 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void who_is_told_to_end_is_replaced_after_a_pause(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    const struct sp_fleet_worker told = {.born = true, .told = true};
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1, EVENT(TOLD), 0, "release 0; degraded", NULL},
        {1, EVENT(EXITED), 0, "", &told},
    };
    PLANNED_PLAY(&planned, acts);
    assert_planned_wake(&planned, 50);
    assert_int_equal(planned.plan.restart.failures, 0);
    const struct planned_act after[] = {
        {50, EVENT(TIMER), 0, "start 0", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        // One that served for a while is replaced at once.
        {1000, EVENT(TOLD), 0, "release 0; degraded", NULL},
        {1, EVENT(EXITED), 0, "start 0", &told},
    };
    PLANNED_PLAY(&planned, after);
}

static void what_began_together_is_one_failure(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    const struct sp_fleet_worker together = {.began = planned.now, .born = true};
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {5, EVENT(EXITED), 0, "failure 1: why", &together},
        {5, EVENT(EXITED), 2, "failure 1: why", &together},
        {45, EVENT(TIMER), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "", NULL}, // one by one from now on
    };
    PLANNED_PLAY(&planned, acts);
}

// ---- The template -------------------------------------------------------------

static void a_worker_that_is_not_made_is_execed_and_costs_nothing(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 1);
    const struct planned_act acts[] = {
        {1, EVENT(EXITED), 0, "start 0", &planned_unborn},
        {1, EVENT(GONE), 0, "", NULL},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
        {1, EVENT(EXITED), 0, "death; degraded; fork 0", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(planned.plan.restart.failures, 0);
}

static void the_first_fork_that_cannot_start_is_the_templates_fault(void **state)
{
    (void)state;
    static const char first[] =
        "unused: the first worker that it forked could not start; stop template";
    const struct sp_fleet_worker raises = {
        .born = true, .forked = true, .adapter_failed = true};
    struct planned planned;
    planned_init_forking(&planned, 1);
    // It may die of the template; the pool is not judged by that.
    const struct planned_act acts[] = {
        {1,
         EVENT(EXITED),
         0,
         "unused: the first worker that it forked could not start; stop template; "
         "start 0",
         &raises},
        {1,
         EVENT(EXITED),
         0,
         "failure 1: why; fail: no worker could be started: why",
         &(struct sp_fleet_worker){.born = true, .adapter_failed = true}},
    };
    PLANNED_PLAY(&planned, acts);
    // One that simply died counts, unless it would be the last.
    planned_init_forking(&planned, 1);
    const struct sp_fleet_event died = {
        .kind = EVENT(EXITED), .worker = planned_forked, .reason = "why"};
    assert_true(strncmp(planned_step(&planned, &died), first, strlen(first)) == 0);
    assert_int_equal(planned.plan.restart.failures, 1);
    planned_init_forking(&planned, 1);
    planned.plan.restart.failures = 2;
    assert_true(strncmp(planned_step(&planned, &died), first, strlen(first)) == 0);
    assert_int_equal(planned.plan.restart.failures, 2);
    assert_int_equal(planned.plan.phase, SP_FLEET_RUNNING);
}

static void a_template_that_has_proven_itself_is_not_blamed(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 1);
    const struct planned_act acts[] = {
        {1, EVENT(READY), 0, "seat 0; ready", &planned_forked},
        {2000, EVENT(EXITED), 0, "death; degraded; fork 0", &planned_forked},
        {1, EVENT(EXITED), 0, "failure 1: why", &planned_forked},
    };
    PLANNED_PLAY(&planned, acts);
    assert_false(planned.plan.template.given_up);
}

static void a_template_that_keeps_dying_is_given_up(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 2);
    // Workers are exec'ed until its pause, which doubles, is over.
    const struct planned_act acts[] = {
        {1, EVENT(READY), 0, "seat 0; degraded; fork 2", &planned_forked},
        {1, EVENT(TEMPLATE_GONE), 0, "lost: why", NULL},
        {1, EVENT(EXITED), 2, "start 2", &planned_unborn},
        {0, EVENT(STARTED), 2, "", NULL},
        {98, EVENT(EXITED), 2, "failure 1: why", NULL},
        {50, EVENT(TIMER), 0, "start template", NULL},
        {0, EVENT(TEMPLATE_STARTED), 0, "start 2", NULL},
        {1, EVENT(TEMPLATE_READY), 0, "", NULL},
        {1, EVENT(TEMPLATE_GONE), 0, "lost: why", NULL},
        {1, EVENT(EXITED), 2, "failure 2: why", NULL},
        {250, EVENT(TIMER), 0, "start template", NULL},
        {0, EVENT(TEMPLATE_STARTED), 0, "start 2", NULL},
        {1, EVENT(TEMPLATE_READY), 0, "", NULL},
        {1, EVENT(TEMPLATE_GONE), 0, "unused: why", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_worker_of_use_clears_the_template(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 1);
    planned.plan.template.deaths = 2;
    const struct planned_act acts[] = {
        {1, EVENT(READY), 0, "seat 0; ready", &planned_forked},
        {1, EVENT(TEMPLATE_GONE), 0, "lost: why", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(planned.plan.template.deaths, 1);
}

static void a_template_without_a_pause_is_not_tried_twice_in_one_step(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    planned.config.template = SP_TEMPLATE_AUTO;
    planned.config.restart_backoff_max_ms = 0;
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start template", NULL},
        {0, EVENT(TEMPLATE_FAILED), 0, "put off: why; start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_pool_that_failed_tries_its_template_again(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 1);
    planned.plan.template.given_up = true;
    planned.config.restart_limit = 1;
    const struct planned_act acts[] = {
        {1,
         EVENT(EXITED),
         0,
         "failure 1: why; fail: no worker could be started: why; stop template",
         NULL},
        {1, EVENT(TEMPLATE_GONE), 0, "", NULL},
        {1, EVENT(RETRY), 0, "know user; start template", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_until_the_pool_is_given_up),
        cmocka_unit_test(a_pool_that_was_ready_is_down_and_comes_back),
        cmocka_unit_test(a_pause_of_nothing_lets_the_loop_go_on),
        cmocka_unit_test(an_adapter_that_cannot_start_fails_the_pool_at_once),
        cmocka_unit_test(who_is_told_to_end_is_replaced_after_a_pause),
        cmocka_unit_test(what_began_together_is_one_failure),
        cmocka_unit_test(a_worker_that_is_not_made_is_execed_and_costs_nothing),
        cmocka_unit_test(the_first_fork_that_cannot_start_is_the_templates_fault),
        cmocka_unit_test(a_template_that_has_proven_itself_is_not_blamed),
        cmocka_unit_test(a_template_that_keeps_dying_is_given_up),
        cmocka_unit_test(a_worker_of_use_clears_the_template),
        cmocka_unit_test(a_template_without_a_pause_is_not_tried_twice_in_one_step),
        cmocka_unit_test(a_pool_that_failed_tries_its_template_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
