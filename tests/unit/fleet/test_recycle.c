// SPDX-License-Identifier: MIT
// Workers that have served long enough: when that is, whose turn it is, and what is
// said.
#include "fleet/recycle.h"

#include "planned.h"

#define EVENT(name) SP_FLEET_##name

// All posts have workers that serve.
static void serve(struct planned *planned)
{
    planned->config.startup_batch_size = PLANNED_POSTS;
    planned_happen(planned, EVENT(BEGIN), 0);
    for (uint32_t i = 0; i < planned->plan.size; i++) {
        planned_happen(planned, EVENT(STARTED), i * SP_PLACES_PER_POST);
    }
    for (uint32_t i = 0; i < planned->plan.size; i++) {
        planned_ready(planned, i * SP_PLACES_PER_POST);
    }
    assert_int_equal(sp_fleet_serving(&planned->plan), planned->plan.size);
}

static void a_worker_without_a_limit_serves_for_ever(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    assert_true(planned.out.wake_at == SP_NEVER);
    planned.now += UINT64_C(1) << 60;
    assert_string_equal(planned_happen(&planned, EVENT(TIMER), 0), "");
}

static void an_old_worker_is_replaced_when_its_time_is_up(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.worker_ttl = 1000;
    serve(&planned);
    assert_planned_wake(&planned, 1000);
    const struct planned_act acts[] = {
        {999, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "start 1", NULL},
        {1, EVENT(TIMER), 0, "", NULL},
        {9, EVENT(READY), 1, "seat 1; recycled: worker_ttl; drain 0", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    // The successor's time began when it was ready.
    assert_planned_wake(&planned, 1000 - 2);
}

static void time_begins_when_a_worker_is_ready(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.worker_ttl = 1000;
    planned_happen(&planned, EVENT(BEGIN), 0);
    planned.now += 5000 * MS;
    planned_ready(&planned, 0);
    assert_planned_wake(&planned, 1000);
}

static void workers_of_an_age_go_one_by_one(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    planned.config.worker_ttl = 1000;
    serve(&planned);
    const struct planned_act acts[] = {
        {1000, EVENT(TIMER), 0, "start 1", NULL},
        {9, EVENT(READY), 1, "seat 1; recycled: worker_ttl; drain 0", NULL},
        // The next one waits until the first is gone, not only until it drains.
        {1, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "start 3", NULL},
        {9, EVENT(READY), 3, "seat 3; recycled: worker_ttl; drain 2", NULL},
        {1, EVENT(IDLE), 2, "dismiss 2", NULL},
        {1, EVENT(EXITED), 2, "start 5", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// Not in the order of their posts.
static void who_was_due_first_goes_first(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 2, "start 3", NULL},
        {1, EVENT(STARTED), 3, "", NULL},
        {1, EVENT(REPLACE), 4, "", NULL},
        {1, EVENT(REPLACE), 0, "", NULL},
        {9, EVENT(READY), 3, "seat 3; recycled: somebody asked for it; drain 2", NULL},
        {1, EVENT(IDLE), 2, "dismiss 2", NULL},
        {1, EVENT(EXITED), 2, "start 5", NULL},
        {9, EVENT(READY), 5, "seat 5; recycled: somebody asked for it; drain 4", NULL},
        {1, EVENT(IDLE), 4, "dismiss 4", NULL},
        {1, EVENT(EXITED), 4, "start 1", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void as_many_go_at_once_as_may(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 4);
    planned.config.recycle_at_once = 2;
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 2, "start 3", NULL},
        {1, EVENT(STARTED), 3, "", NULL},
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(STARTED), 1, "", NULL},
        {1, EVENT(REPLACE), 6, "", NULL},
        // One of the two dies instead: its successor has the post, and the third goes.
        {1, EVENT(EXITED), 2, "death; degraded; start 7", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
}

static void turns_are_a_delay_apart(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    planned.config.recycle_delay_ms = 100;
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(REPLACE), 2, "", NULL},
        {9, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_planned_wake(&planned, 100);
    const struct planned_act more[] = {
        {99, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "start 3", NULL},
        {9, EVENT(READY), 3, "seat 3; recycled: somebody asked for it; drain 2", NULL},
        {1, EVENT(IDLE), 2, "dismiss 2", NULL},
        {1, EVENT(EXITED), 2, "", NULL},
    };
    PLANNED_PLAY(&planned, more);
    // Nobody waits for a turn, and whoever comes later has it at once.
    assert_true(planned.out.wake_at == SP_NEVER);
    const struct planned_act late[] = {
        {100, EVENT(REPLACE), 1, "start 0", NULL},
        {1, EVENT(REPLACE), 3, "", NULL},
    };
    PLANNED_PLAY(&planned, late);
    assert_true(planned.out.wake_at == SP_NEVER);
}

// Only workers that could as well go later wait for that.
static void a_delay_between_turns_holds_nothing_else_up(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 4);
    planned.config.recycle_delay_ms = 100;
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(REPLACE), 2, "", NULL},
        {9, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
        // One that is missing is replaced at once.
        {1, EVENT(EXITED), 4, "death; degraded; start 4", &planned_worked},
        {0, EVENT(STARTED), 4, "", NULL},
        {9, EVENT(READY), 4, "seat 4; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    // So is one that serves nobody any more.
    const struct sp_fleet_event spent = {.kind = EVENT(REPLACE),
                                         .place = 6,
                                         .worker = planned_died,
                                         .recycle = SP_RECYCLE_BY_REQUESTS};
    assert_string_equal(planned_step(&planned, &spent), "start 7");
    assert_planned_wake(&planned, 90);
}

static void the_first_reason_is_the_one_that_is_told(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.worker_ttl = 1000;
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {2000, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void chance_adds_up_to_the_jitter(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (uint64_t chance = 1; chance < 200; chance++) {
        struct planned planned;
        planned_init(&planned, PLANNED_POSTS);
        sp_fleet_plan_init(&planned.plan, &planned.config, planned.places, chance);
        planned.config.worker_ttl = 1000;
        planned.config.recycle_jitter = 50;
        serve(&planned);
        for (uint32_t i = 0; i < PLANNED_POSTS; i++) {
            const struct sp_place *place = &planned.places[i * SP_PLACES_PER_POST];
            uint64_t ms = (place->expires_at - planned.now) / MS;
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
    }
    assert_true(least >= 1000 && least <= 1005);
    assert_true(most <= 1500 && most >= 1495);
}

// The number that a SEAT of the last step has.
static uint32_t requests_of(const struct planned *planned)
{
    assert_true(planned->out.count > 0);
    assert_int_equal(planned->items[0].kind, SP_FLEET_DO_SEAT);
    return planned->items[0].number;
}

static void a_worker_may_be_given_so_many_calls(void **state)
{
    (void)state;
    uint32_t most = 0;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    assert_int_equal(requests_of(&planned), 0);
    planned_init(&planned, 1);
    planned.config.worker_max_requests = 100;
    serve(&planned);
    assert_int_equal(requests_of(&planned), 100);
    for (uint64_t chance = 1; chance < 200; chance++) {
        planned_init(&planned, 1);
        sp_fleet_plan_init(&planned.plan, &planned.config, planned.places, chance);
        planned.config.worker_max_requests = 100;
        planned.config.recycle_jitter = 10;
        serve(&planned);
        uint32_t requests = requests_of(&planned);
        assert_true(requests >= 100 && requests <= 110);
        most = requests > most ? requests : most;
    }
    assert_int_equal(most, 110);
}

static const char *spend(struct planned *planned, uint32_t place)
{
    const struct sp_fleet_event event = {.kind = EVENT(REPLACE),
                                         .place = place,
                                         .worker = planned_died,
                                         .recycle = SP_RECYCLE_BY_REQUESTS};
    return planned_step(planned, &event);
}

// Who takes no calls any more has nothing to wait for.
static void workers_that_are_spent_need_no_turn(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 3);
    planned.config.worker_max_requests = 10;
    serve(&planned);
    assert_string_equal(spend(&planned, 0), "start 1");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 1), "");
    assert_string_equal(spend(&planned, 2), "start 3");
    assert_string_equal(planned_happen(&planned, EVENT(STARTED), 3), "");
    // One that still serves waits until both are gone.
    assert_string_equal(planned_happen(&planned, EVENT(REPLACE), 4), "");
    const struct planned_act acts[] = {
        {9,
         EVENT(READY),
         1,
         "seat 1; recycled: worker_max_requests; drain 0; degraded",
         NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
        {9,
         EVENT(READY),
         3,
         "seat 3; recycled: worker_max_requests; drain 2; ready",
         NULL},
        {1, EVENT(IDLE), 2, "dismiss 2", NULL},
        {1, EVENT(EXITED), 2, "start 5", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// Its predecessor has not left yet, and there is no third place for a successor.
static void one_that_is_spent_beside_one_that_drains_makes_room(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_string_equal(spend(&planned, 1), "recycled: worker_max_requests; drain 1");
    assert_string_equal(planned_happen(&planned, EVENT(IDLE), 1), "dismiss 1");
    assert_string_equal(planned_happen(&planned, EVENT(EXITED), 1),
                        "degraded; start 1");
}

// It may have to finish what waits there.
static void one_that_is_spent_in_a_pool_that_closes_stays(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    const struct sp_fleet_event spent = {.kind = EVENT(REPLACE),
                                         .place = 1,
                                         .worker = planned_died,
                                         .recycle = SP_RECYCLE_BY_REQUESTS,
                                         .closing = true};
    assert_string_equal(planned_step(&planned, &spent), "");
    assert_int_equal(planned.places[1].state, SP_PLACE_SERVING);
    assert_string_equal(planned_happen(&planned, EVENT(STOP), 0), "end 0; end 1");
}

static void a_pool_whose_workers_are_all_spent_may_be_down(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    assert_string_equal(spend(&planned, 0), "start 1");
    const struct planned_act acts[] = {
        {1, EVENT(EXITED), 1, "failure 1: why; degraded", NULL},
        {50, EVENT(TIMER), 0, "start 1", NULL},
        {1, EVENT(EXITED), 1, "failure 2: why", NULL},
        {100, EVENT(TIMER), 0, "start 1", NULL},
        {1,
         EVENT(EXITED),
         1,
         "failure 3: why; down: no worker could be started: why",
         NULL},
        {200, EVENT(TIMER), 0, "start 1", NULL},
        {1,
         EVENT(READY),
         1,
         "seat 1; recycled: worker_max_requests; drain 0; ready",
         NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// The pool has seen the seat die and calls itself degraded.
static void a_pool_is_whole_when_one_that_was_replaced_dies(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        // It is dead already, but that is seen later.
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1, EVENT(EXITED), 0, "death; ready", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
}

static void calls_of_one_that_goes_have_their_time(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1000000, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void one_that_goes_is_counted_once(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1, EVENT(TOLD), 1, "release 1; degraded", NULL},
        {2000, EVENT(EXITED), 1, "death; start 1", &planned_worked},
        {1, EVENT(READY), 1, "seat 1; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void workers_that_lived_well_end_a_row_of_failures(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(EXITED), 1, "failure 1: why", NULL},
        {50, EVENT(TIMER), 0, "start 1", NULL},
        {1, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", &planned_worked},
        {1, EVENT(REPLACE), 1, "start 0", NULL},
        {1, EVENT(EXITED), 0, "failure 1: why", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_pool_that_stops_replaces_nobody(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.worker_ttl = 1000;
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(STOP), 0, "end 0", NULL},
        {2000, EVENT(TIMER), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void one_that_others_told_to_leave_is_not_replaced_twice(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.worker_ttl = 1000;
    serve(&planned);
    const struct planned_act acts[] = {
        {1, EVENT(TOLD), 0, "release 0; degraded", NULL},
        {2000, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(REPLACE), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

// ---- Health -------------------------------------------------------------------

static const char *check(struct planned *planned, uint32_t place, bool healthy)
{
    const struct sp_fleet_event event = {.kind = EVENT(CHECKED),
                                         .place = place,
                                         .worker = planned_died,
                                         .healthy = healthy};
    planned->now += MS;
    return planned_step(planned, &event);
}

static void a_worker_that_fails_its_checks_in_a_row_is_replaced(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    serve(&planned);
    assert_string_equal(check(&planned, 0, false), "");
    assert_string_equal(check(&planned, 0, false), "");
    assert_string_equal(check(&planned, 0, true), "");
    assert_string_equal(check(&planned, 0, false), "");
    assert_string_equal(check(&planned, 0, false), "");
    assert_string_equal(check(&planned, 0, false), "start 1");
    // It serves on, and is checked, until its successor has answered a call.
    assert_string_equal(check(&planned, 0, false), "");
    const struct planned_act acts[] = {
        {9,
         EVENT(READY),
         1,
         "seat 1; recycled: health_check_max_failed; drain 0",
         NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void workers_that_fail_their_checks_wait_for_their_turn(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    planned.config.health_check_max_failed = 1;
    serve(&planned);
    assert_string_equal(check(&planned, 0, true), "");
    assert_string_equal(check(&planned, 2, true), "");
    assert_string_equal(check(&planned, 2, false), "start 3");
    assert_string_equal(check(&planned, 0, false), "");
}

// Where the fault is not a worker's, one start shows that, and the others stay.
static void
fresh_workers_that_fail_from_the_start_are_not_replaced_for_ever(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.health_check_max_failed = 2;
    serve(&planned);
    assert_string_equal(check(&planned, 0, false), "");
    assert_string_equal(check(&planned, 0, false), "start 1");
    const struct planned_act acts[] = {
        {9,
         EVENT(READY),
         1,
         "seat 1; recycled: health_check_max_failed; drain 0",
         NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {1, EVENT(EXITED), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    assert_string_equal(check(&planned, 1, false), "");
    assert_string_equal(check(&planned, 1, false), "kept");
    for (int i = 0; i < 10; i++) {
        assert_string_equal(check(&planned, 1, false), "");
    }
    // It has been well since: what befalls it now is its own.
    assert_string_equal(check(&planned, 1, true), "");
    assert_string_equal(check(&planned, 1, false), "");
    assert_string_equal(check(&planned, 1, false), "start 0");
}

static void one_that_leaves_is_not_replaced_for_its_health(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.health_check_max_failed = 1;
    serve(&planned);
    assert_string_equal(planned_happen(&planned, EVENT(TOLD), 0),
                        "release 0; degraded");
    assert_string_equal(check(&planned, 0, false), "");
    assert_false(planned.plan.sick);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_without_a_limit_serves_for_ever),
        cmocka_unit_test(an_old_worker_is_replaced_when_its_time_is_up),
        cmocka_unit_test(time_begins_when_a_worker_is_ready),
        cmocka_unit_test(workers_of_an_age_go_one_by_one),
        cmocka_unit_test(who_was_due_first_goes_first),
        cmocka_unit_test(as_many_go_at_once_as_may),
        cmocka_unit_test(turns_are_a_delay_apart),
        cmocka_unit_test(a_delay_between_turns_holds_nothing_else_up),
        cmocka_unit_test(the_first_reason_is_the_one_that_is_told),
        cmocka_unit_test(chance_adds_up_to_the_jitter),
        cmocka_unit_test(a_worker_may_be_given_so_many_calls),
        cmocka_unit_test(workers_that_are_spent_need_no_turn),
        cmocka_unit_test(one_that_is_spent_beside_one_that_drains_makes_room),
        cmocka_unit_test(one_that_is_spent_in_a_pool_that_closes_stays),
        cmocka_unit_test(a_pool_whose_workers_are_all_spent_may_be_down),
        cmocka_unit_test(a_pool_is_whole_when_one_that_was_replaced_dies),
        cmocka_unit_test(calls_of_one_that_goes_have_their_time),
        cmocka_unit_test(one_that_goes_is_counted_once),
        cmocka_unit_test(workers_that_lived_well_end_a_row_of_failures),
        cmocka_unit_test(a_pool_that_stops_replaces_nobody),
        cmocka_unit_test(one_that_others_told_to_leave_is_not_replaced_twice),
        cmocka_unit_test(a_worker_that_fails_its_checks_in_a_row_is_replaced),
        cmocka_unit_test(workers_that_fail_their_checks_wait_for_their_turn),
        cmocka_unit_test(
            fresh_workers_that_fail_from_the_start_are_not_replaced_for_ever),
        cmocka_unit_test(one_that_leaves_is_not_replaced_for_its_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
