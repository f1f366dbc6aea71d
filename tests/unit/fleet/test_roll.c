// SPDX-License-Identifier: MIT
// The workers of a pool make room for others that are made of something else.
#include "fleet/roll.h"

#include "planned.h"

#define EVENT(name) SP_FLEET_##name
#define WHY         "the pool was reloaded"

static const struct sp_fleet_worker with_gil = {
    .born = true, .free_threaded = false, .gil_enabled = true, .thread_safe = true};
static const struct sp_fleet_worker gone = {.born = true};

// Two processes that serve, in the places 0 and 2.
static void begin(struct planned *planned)
{
    planned_init(planned, 2);
    const struct planned_act acts[] = {
        {0, EVENT(BEGIN), 0, "start 0", NULL},
        {0, EVENT(STARTED), 0, "start 2", NULL},
        {0, EVENT(STARTED), 2, "", NULL},
        {5, EVENT(READY), 0, "seat 0; degraded", NULL},
        {0, EVENT(READY), 2, "seat 2; ready", NULL},
    };
    PLANNED_PLAY(planned, acts);
}

static void a_successor_serves_first_and_they_go_one_by_one(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(planned_roll(&planned), "shape; start 1");
    assert_int_equal(sp_fleet_outdated(&planned.plan), 2);
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0", NULL},
        {5, EVENT(IDLE), 0, "dismiss 0", NULL},
        {5, EVENT(EXITED), 0, "start 3", &gone},
        {0, EVENT(GONE), 0, "", NULL},
        {0, EVENT(STARTED), 3, "", NULL},
        {5, EVENT(READY), 3, "seat 3; recycled: " WHY "; drain 2", NULL},
        {5, EVENT(IDLE), 2, "dismiss 2", NULL},
        {5, EVENT(EXITED), 2, "", &gone},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(sp_fleet_outdated(&planned.plan), 0);
    assert_int_equal(planned.plan.shown, SP_POOL_READY);
}

static void those_that_start_are_given_up_at_once(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned_happen(&planned, EVENT(BEGIN), 0);
    planned_happen(&planned, EVENT(STARTED), 0);
    assert_string_equal(planned_roll(&planned), "dismiss 0; shape; start 1");
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(EXITED), 0, "", &gone}, // which is not a failure
        {0, EVENT(GONE), 0, "", NULL},
        {5, EVENT(READY), 1, "seat 1; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_roll_may_come_in_the_middle_of_another(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(planned_roll(&planned), "shape; start 1");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 1), "");
    // The post has no place for a third one.
    assert_string_equal(planned_roll(&planned), "dismiss 1; shape");
    const struct planned_act acts[] = {
        {5, EVENT(EXITED), 1, "start 1", &gone},
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(sp_fleet_outdated(&planned.plan), 2);
}

static void a_pool_with_more_workers_starts_these_first(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    planned.config.pool_size = (struct sp_range){3, 3};
    assert_string_equal(planned_roll(&planned),
                        "resize 3: " WHY "; degraded; shape; start 4");
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 4, "", NULL},
        {5, EVENT(READY), 4, "seat 4; ready; start 1", NULL},
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_pool_with_fewer_keeps_all_until_the_others_are_new(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    planned.config.pool_size = (struct sp_range){1, 1};
    assert_string_equal(planned_roll(&planned), "resize 1: " WHY "; shape; start 1");
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0; drain 2", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void what_cannot_start_costs_nobody(void **state)
{
    (void)state;
    struct planned planned;
    const struct sp_fleet_worker broken = {.born = true, .adapter_failed = true};
    begin(&planned);
    assert_string_equal(planned_roll(&planned), "shape; start 1");
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(EXITED), 1, "failure 1: why", &broken},
        {50, EVENT(TIMER), 0, "start 1", NULL},
        {0, EVENT(STARTED), 1, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(sp_fleet_serving(&planned.plan), 2);
    assert_int_equal(planned.plan.shown, SP_POOL_READY);
}

static void a_pool_that_has_failed_starts_over(void **state)
{
    (void)state;
    struct planned planned;
    const struct sp_fleet_worker broken = {.born = true, .adapter_failed = true};
    planned_init(&planned, 1);
    planned_happen(&planned, EVENT(BEGIN), 0);
    planned_happen(&planned, EVENT(STARTED), 0);
    planned_exit(&planned, 0, &broken);
    assert_int_equal(planned.plan.phase, SP_FLEET_FAILED);
    assert_string_equal(planned_roll(&planned), "know user; shape; start 0");
}

static void what_stays_the_same_leaves_them_where_they_are(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    struct sp_fleet_terms terms = {.config = &planned.config,
                                   .profile = SP_PROFILE_PROCESS,
                                   .size = {2, 2},
                                   .threads = 1};
    assert_string_equal(planned_respec(&planned, &terms), "");
    terms.size = (struct sp_range){1, 3};
    assert_string_equal(planned_respec(&planned, &terms), "");
    assert_int_equal(planned.plan.target, 2);
    terms.size = (struct sp_range){1, 1};
    assert_string_equal(planned_respec(&planned, &terms), "resize 1: " WHY "; drain 2");
    assert_int_equal(sp_fleet_outdated(&planned.plan), 0);
}

static void a_fleet_that_stops_goes_on_stopping(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    planned_happen(&planned, EVENT(STOP), 0);
    assert_string_equal(planned_roll(&planned), "");
    assert_int_equal(planned.plan.phase, SP_FLEET_STOPPING);
}

// ---- Templates ----------------------------------------------------------------

static const struct sp_fleet_worker forked = {
    .born = true, .forked = true, .thread_safe = true};

static void successors_wait_for_a_template_with_the_new_code(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 1);
    const struct planned_act before[] = {
        {0, EVENT(STARTED), 0, "", NULL},
        {5, EVENT(READY), 0, "seat 0; ready", &forked},
    };
    PLANNED_PLAY(&planned, before);
    assert_string_equal(planned_roll(&planned), "stop template; shape");
    const struct planned_act acts[] = {
        {5, EVENT(TEMPLATE_GONE), 0, "start template", NULL},
        {0, EVENT(TEMPLATE_STARTED), 0, "", NULL},
        {5, EVENT(TEMPLATE_READY), 0, "fork 1", NULL},
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0", &forked},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_template_that_cannot_import_is_done_without(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_forking(&planned, 1);
    planned_happen(&planned, EVENT(STARTED), 0);
    planned_ready(&planned, 0);
    planned_roll(&planned);
    const struct planned_act acts[] = {
        {5, EVENT(TEMPLATE_GONE), 0, "start template", NULL},
        {0, EVENT(TEMPLATE_STARTED), 0, "", NULL},
        {5, EVENT(TEMPLATE_GONE), 0, "unused: why; start 1", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// ---- Profiles -----------------------------------------------------------------

static struct sp_fleet_terms threads_of(struct planned *planned)
{
    return (struct sp_fleet_terms){.config = &planned->config,
                                   .profile = SP_PROFILE_THREAD,
                                   .size = {1, 1},
                                   .threads = 2,
                                   .roll = true};
}

static void processes_become_threads(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    const struct sp_fleet_terms terms = threads_of(&planned);
    assert_string_equal(planned_respec(&planned, &terms),
                        "resize 1: " WHY "; shape; start 1");
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0; drain 2", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(planned.plan.profile, SP_PROFILE_THREAD);
    assert_int_equal(planned.plan.threads, 2);
}

static void threads_become_processes_that_run_as_many_calls(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 1, 2);
    planned_happen(&planned, EVENT(BEGIN), 0);
    planned_happen(&planned, EVENT(STARTED), 0);
    planned_ready(&planned, 0);
    struct sp_fleet_terms terms = {.config = &planned.config,
                                   .profile = SP_PROFILE_PROCESS,
                                   .size = {1, 4},
                                   .threads = 1,
                                   .roll = true};
    assert_string_equal(planned_respec(&planned, &terms),
                        "resize 2: " WHY "; shape; start 2");
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 2, "", NULL},
        {5, EVENT(READY), 2, "seat 2; start 1", NULL},
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void threads_that_cannot_be_leave_the_processes_alone(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    const struct sp_fleet_terms terms = threads_of(&planned);
    planned_respec(&planned, &terms);
    const struct planned_act acts[] = {
        {0, EVENT(STARTED), 1, "", NULL},
        {5,
         EVENT(READY),
         1,
         "fallback 2: the interpreter is not a free-threaded build; dismiss 1",
         &with_gil},
        {5, EVENT(EXITED), 1, "", &with_gil},
        {0, EVENT(GONE), 0, "reshape 2", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(sp_fleet_serving(&planned.plan), 2);
    planned_reshape(&planned, 2);
    assert_string_equal(planned_happen(&planned, EVENT(RESHAPED), 0), "start 1");
    assert_int_equal(sp_fleet_serving(&planned.plan), 2);
}

static void threads_that_go_say_nothing_of_those_that_come(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 1, 2);
    planned_happen(&planned, EVENT(BEGIN), 0);
    planned_happen(&planned, EVENT(STARTED), 0);
    planned_ready(&planned, 0);
    const struct sp_fleet_terms terms = threads_of(&planned);
    assert_string_equal(planned_respec(&planned, &terms), "shape; start 1");
    const struct planned_act acts[] = {
        {1, EVENT(GIL), 0, "", &with_gil},
        {0, EVENT(STARTED), 1, "", NULL},
        {5, EVENT(READY), 1, "seat 1; recycled: " WHY "; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_int_equal(planned.plan.profile, SP_PROFILE_THREAD);
}

static void a_size_that_becomes_a_range_shrinks_after_its_time(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    planned.config.shrink_after_ms = 30000;
    const struct sp_fleet_terms terms = {.config = &planned.config,
                                         .profile = SP_PROFILE_PROCESS,
                                         .size = {1, 2},
                                         .threads = 1};
    planned_respec(&planned, &terms);
    assert_true(planned.plan.shrink_at >= planned.now + 30000 * SP_NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_successor_serves_first_and_they_go_one_by_one),
        cmocka_unit_test(those_that_start_are_given_up_at_once),
        cmocka_unit_test(a_roll_may_come_in_the_middle_of_another),
        cmocka_unit_test(a_pool_with_more_workers_starts_these_first),
        cmocka_unit_test(a_pool_with_fewer_keeps_all_until_the_others_are_new),
        cmocka_unit_test(what_cannot_start_costs_nobody),
        cmocka_unit_test(a_pool_that_has_failed_starts_over),
        cmocka_unit_test(what_stays_the_same_leaves_them_where_they_are),
        cmocka_unit_test(a_fleet_that_stops_goes_on_stopping),
        cmocka_unit_test(successors_wait_for_a_template_with_the_new_code),
        cmocka_unit_test(a_template_that_cannot_import_is_done_without),
        cmocka_unit_test(processes_become_threads),
        cmocka_unit_test(threads_become_processes_that_run_as_many_calls),
        cmocka_unit_test(threads_that_cannot_be_leave_the_processes_alone),
        cmocka_unit_test(threads_that_go_say_nothing_of_those_that_come),
        cmocka_unit_test(a_size_that_becomes_a_range_shrinks_after_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
