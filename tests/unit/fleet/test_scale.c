// SPDX-License-Identifier: MIT
// Pools whose size follows the work: when they grow, when they shrink, and that they do
// not go to and fro.
#include "fleet/scale.h"

#include "planned.h"

#define EVENT(name) SP_FLEET_##name

// A pool of 2 to 8 workers with one executor each, of which 2 serve. It grows after
// 20 ms and shrinks after 1,000.
static void begin(struct planned *planned)
{
    planned_init(planned, PLANNED_POSTS);
    planned->config.pool_size = (struct sp_range){2, PLANNED_POSTS};
    planned->config.startup_batch_size = PLANNED_POSTS;
    sp_fleet_plan_init(&planned->plan, &planned->config, planned->places, 1);
    assert_string_equal(planned_happen(planned, EVENT(BEGIN), 0), "start 0");
    assert_string_equal(planned_happen(planned, EVENT(STARTED), 0), "start 2");
    assert_string_equal(planned_happen(planned, EVENT(STARTED), 2), "");
    assert_string_equal(planned_ready(planned, 0), "seat 0; degraded");
    assert_string_equal(planned_ready(planned, 2), "seat 2; ready");
    assert_true(planned->out.wake_at == SP_NEVER);
}

// `after_ms` later so many calls run, and so many wait.
static const char *
look(struct planned *planned, uint64_t after_ms, uint32_t running, uint32_t waiting)
{
    const struct sp_fleet_event event = {
        .kind = EVENT(LOAD), .load = {.running = running, .waiting = waiting}};
    planned->now += after_ms * MS;
    return planned_step(planned, &event);
}

static const char *resize(struct planned *planned, uint32_t workers)
{
    const struct sp_fleet_event event = {.kind = EVENT(RESIZE), .number = workers};
    return planned_step(planned, &event);
}

// What was ordered is done, until nothing is left to start; all are ready then.
static void start_all(struct planned *planned)
{
    while (planned->out.count > 0 &&
           planned->items[planned->out.count - 1].kind == SP_FLEET_DO_START) {
        planned_happen(
            planned, EVENT(STARTED), planned->items[planned->out.count - 1].place);
    }
    for (uint32_t i = 0; i < sp_places_count(&planned->plan); i++) {
        if (planned->places[i].state == SP_PLACE_STARTING) {
            planned_ready(planned, i);
        }
    }
    assert_int_equal(sp_fleet_serving(&planned->plan), planned->plan.target);
}

static void a_pool_of_one_size_keeps_it(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    planned_happen(&planned, EVENT(BEGIN), 0);
    start_all(&planned);
    assert_string_equal(look(&planned, 0, 2, 100), "");
    assert_string_equal(look(&planned, 5000, 2, 100), "");
    assert_string_equal(look(&planned, 5000, 0, 0), "");
    assert_string_equal(resize(&planned, 1), "");
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void it_grows_when_calls_have_waited(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(look(&planned, 10, 2, 1), "");
    assert_string_equal(look(&planned, 10, 2, 1), "");
    // As many as three calls keep 80 % busy.
    assert_string_equal(look(&planned, 10, 2, 1),
                        "resize 4: calls wait for workers; start 4");
    start_all(&planned);
    assert_int_equal(sp_fleet_serving(&planned.plan), 4);
}

static void a_pause_in_which_none_waits_counts(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(look(&planned, 10, 2, 1), "");
    assert_string_equal(look(&planned, 10, 2, 0), "");
    assert_string_equal(look(&planned, 10, 2, 1), "");
    assert_string_equal(look(&planned, 10, 2, 1), "");
    assert_string_equal(look(&planned, 9, 2, 0), "");
}

static void a_burst_takes_it_to_its_most_at_once(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    look(&planned, 0, 2, 100);
    assert_string_equal(look(&planned, 20, 2, 100),
                        "resize 8: calls wait for workers; start 4");
    start_all(&planned);
    assert_string_equal(look(&planned, 20, 8, 100), "");
    assert_string_equal(look(&planned, 20, 8, 100), "");
    assert_int_equal(sp_fleet_serving(&planned.plan), 8);
}

// More are not started for calls that those will take.
static void it_waits_for_those_that_start(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    look(&planned, 0, 2, 1);
    assert_string_equal(look(&planned, 20, 2, 1),
                        "resize 4: calls wait for workers; start 4");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 4), "start 6");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 6), "");
    look(&planned, 10, 2, 1);
    assert_string_equal(look(&planned, 30, 2, 1), "");
    // There are more calls now than these can take.
    assert_string_equal(look(&planned, 10, 2, 3),
                        "resize 7: calls wait for workers; start 8");
}

static void one_more_starts_where_calls_wait_that_should_not(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    look(&planned, 0, 0, 1);
    assert_string_equal(look(&planned, 20, 0, 1),
                        "resize 3: calls wait for workers; start 4");
}

static void it_shrinks_to_what_the_busiest_moment_needed(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    look(&planned, 0, 2, 100);
    look(&planned, 20, 2, 100);
    start_all(&planned);
    // Looked at now and then while it is larger than it has to be.
    assert_planned_wake(&planned, 50);
    assert_string_equal(look(&planned, 100, 1, 0), "");
    assert_string_equal(look(&planned, 100, 4, 0), "");
    assert_string_equal(look(&planned, 799, 1, 0), "");
    assert_string_equal(look(&planned, 1, 1, 0),
                        "resize 5: workers are idle; drain 10; drain 12; drain 14");
    assert_string_equal(planned_happen(&planned, EVENT(IDLE), 10), "dismiss 10");
    assert_string_equal(planned_happen(&planned, EVENT(EXITED), 10), "");
    // Another time has begun.
    assert_string_equal(look(&planned, 999, 0, 0), "");
    assert_string_equal(look(&planned, 1, 0, 0),
                        "resize 2: workers are idle; drain 4; drain 6; drain 8");
    assert_true(planned.out.wake_at == planned.plan.look_at);
}

static void it_does_not_shrink_while_it_is_needed(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    look(&planned, 0, 2, 100);
    look(&planned, 20, 2, 100);
    start_all(&planned);
    for (int i = 0; i < 100; i++) {
        assert_string_equal(look(&planned, 50, 7, 0), "");
    }
}

static void a_worker_that_starts_for_nothing_is_dismissed(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(resize(&planned, 3),
                        "resize 3: the program asked for it; start 4");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 4), "");
    assert_string_equal(resize(&planned, 2),
                        "resize 2: the program asked for it; dismiss 4");
    assert_string_equal(planned_happen(&planned, EVENT(EXITED), 4), "");
}

static void a_post_is_filled_again_while_its_worker_still_drains(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    resize(&planned, 3);
    start_all(&planned);
    assert_string_equal(resize(&planned, 2),
                        "resize 2: the program asked for it; drain 4");
    assert_string_equal(resize(&planned, 3),
                        "resize 3: the program asked for it; start 5");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 5), "");
    assert_string_equal(planned_ready(&planned, 5), "seat 5");
    assert_string_equal(planned_happen(&planned, EVENT(IDLE), 4), "dismiss 4");
    assert_string_equal(planned_happen(&planned, EVENT(EXITED), 4), "");
    assert_int_equal(sp_fleet_serving(&planned.plan), 3);
}

static void one_that_was_too_many_may_run_its_calls_for_long(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    resize(&planned, 3);
    start_all(&planned);
    resize(&planned, 2);
    planned.now += 1000000 * MS;
    assert_string_equal(planned_happen(&planned, EVENT(TIMER), 0), "");
}

// Neither a template that imports nor a pause makes it think that it is too small.
static void it_does_not_grow_while_nothing_can_start(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, PLANNED_POSTS);
    planned.config.pool_size = (struct sp_range){1, PLANNED_POSTS};
    planned.config.template = SP_TEMPLATE_AUTO;
    sp_fleet_plan_init(&planned.plan, &planned.config, planned.places, 1);
    assert_string_equal(planned_happen(&planned, EVENT(BEGIN), 0), "start template");
    for (int i = 0; i < 10; i++) {
        look(&planned, 20, 0, 1);
    }
    // As many as one call keeps 80 % busy, and not one more at each look.
    assert_int_equal(planned.plan.target, 2);
}

static void who_serves_stays_until_those_that_remain_do(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    resize(&planned, 3);
    start_all(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(EXITED), 0, "death; ready; start 0", &planned_worked},
        {1, EVENT(STARTED), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_string_equal(resize(&planned, 2), "resize 2: the program asked for it");
    assert_int_equal(sp_fleet_serving(&planned.plan), 2);
    assert_string_equal(planned_ready(&planned, 0), "seat 0; drain 4");
}

static void a_range_is_not_left(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(resize(&planned, 1), "");
    assert_string_equal(resize(&planned, 100),
                        "resize 8: the program asked for it; start 4");
}

static void it_is_degraded_only_below_its_least(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    resize(&planned, 4);
    start_all(&planned);
    const struct planned_act acts[] = {
        // The pool has seen the seat die, and is told that enough are left.
        {1, EVENT(EXITED), 0, "death; ready; start 0", &planned_worked},
        {1, EVENT(STARTED), 0, "", NULL},
        {1, EVENT(EXITED), 2, "death; ready; start 2", &planned_worked},
        {1, EVENT(STARTED), 2, "", NULL},
        {1, EVENT(EXITED), 4, "death; degraded; start 4", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
}

// Who leaves for good stands in nobody's way.
static void turns_of_recycling_go_on_while_some_leave(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    resize(&planned, 3);
    start_all(&planned);
    resize(&planned, 2);
    assert_string_equal(planned_happen(&planned, EVENT(REPLACE), 0), "start 1");
}

static void after_a_fallback_processes_follow_the_work(void **state)
{
    (void)state;
    struct planned planned;
    planned_init_threads(&planned, 4, 2);
    planned.config.pool_size = (struct sp_range){1, 4};
    sp_fleet_plan_init(&planned.plan, &planned.config, planned.places, 1);
    planned.plan.threads = 2;
    const struct sp_fleet_worker gil = {
        .born = true, .gil_enabled = true, .thread_safe = true};
    const struct sp_fleet_event ready = {.kind = EVENT(READY), .worker = gil};
    planned_happen(&planned, EVENT(BEGIN), 0);
    planned_happen(&planned, EVENT(STARTED), 0);
    planned_step(&planned, &ready);
    assert_string_equal(planned_happen(&planned, EVENT(EXITED), 0), "");
    assert_string_equal(planned_happen(&planned, EVENT(GONE), 0), "reshape 8");
    planned_reshape(&planned, 8);
    assert_int_equal(planned.plan.least, 2);
    assert_int_equal(planned.plan.target, 2);
    assert_true(sp_scale_is_elastic(&planned.plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_of_one_size_keeps_it),
        cmocka_unit_test(it_grows_when_calls_have_waited),
        cmocka_unit_test(a_pause_in_which_none_waits_counts),
        cmocka_unit_test(a_burst_takes_it_to_its_most_at_once),
        cmocka_unit_test(it_waits_for_those_that_start),
        cmocka_unit_test(one_more_starts_where_calls_wait_that_should_not),
        cmocka_unit_test(it_shrinks_to_what_the_busiest_moment_needed),
        cmocka_unit_test(it_does_not_shrink_while_it_is_needed),
        cmocka_unit_test(a_worker_that_starts_for_nothing_is_dismissed),
        cmocka_unit_test(a_post_is_filled_again_while_its_worker_still_drains),
        cmocka_unit_test(one_that_was_too_many_may_run_its_calls_for_long),
        cmocka_unit_test(it_does_not_grow_while_nothing_can_start),
        cmocka_unit_test(who_serves_stays_until_those_that_remain_do),
        cmocka_unit_test(a_range_is_not_left),
        cmocka_unit_test(it_is_degraded_only_below_its_least),
        cmocka_unit_test(turns_of_recycling_go_on_while_some_leave),
        cmocka_unit_test(after_a_fallback_processes_follow_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
