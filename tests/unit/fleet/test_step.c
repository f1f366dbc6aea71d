// SPDX-License-Identifier: MIT
#include "fleet/step.h"

#include "planned.h"

static const struct sp_fleet_event nothing = {.kind = SP_FLEET_NOTHING};

static struct sp_step turn_of(struct planned *planned)
{
    planned->out.count = 0;
    return (struct sp_step){.plan = &planned->plan,
                            .event = &nothing,
                            .now = planned->now,
                            .out = &planned->out};
}

// ---- The pool's state ---------------------------------------------------------

static void what_the_pool_is(void **state)
{
    (void)state;
    static const struct {
        uint32_t serving; // of two
        bool ever_ready;
        enum sp_pool_state shown;
        enum sp_pool_state then;
    } rows[] = {
        {0, false, SP_POOL_STARTING, SP_POOL_STARTING},
        {1, true, SP_POOL_STARTING, SP_POOL_DEGRADED},
        {2, true, SP_POOL_STARTING, SP_POOL_READY},
        {0, true, SP_POOL_READY, SP_POOL_DEGRADED},
        {2, true, SP_POOL_DEGRADED, SP_POOL_READY},
        // One that never was ready is down for want of something.
        {0, false, SP_POOL_DOWN, SP_POOL_DOWN},
        {0, true, SP_POOL_DOWN, SP_POOL_DOWN},
        {1, true, SP_POOL_DOWN, SP_POOL_DEGRADED},
        {2, true, SP_POOL_DOWN, SP_POOL_READY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        planned_init(&planned, 2);
        planned.plan.restart.ever_ready = rows[i].ever_ready;
        planned.plan.shown = rows[i].shown;
        for (uint32_t post = 0; post < rows[i].serving; post++) {
            planned.places[post * SP_PLACES_PER_POST].state = SP_PLACE_SERVING;
        }
        struct sp_step step = turn_of(&planned);
        sp_step_show(&step);
        assert_int_equal(planned.plan.shown, rows[i].then);
        // It is told once.
        assert_int_equal(planned.out.count, rows[i].then != rows[i].shown);
        sp_step_show(&step);
        assert_int_equal(planned.out.count, rows[i].then != rows[i].shown);
    }
}

static void a_surplus_worker_makes_no_pool_degraded(void **state)
{
    (void)state;
    static const enum sp_place_state surplus[] = {
        SP_PLACE_STARTING, SP_PLACE_SERVING, SP_PLACE_DRAINING, SP_PLACE_LEAVING};
    for (size_t i = 0; i < sizeof surplus / sizeof surplus[0]; i++) {
        for (uint32_t other = 0; other < SP_PLACES_PER_POST; other++) {
            struct planned planned;
            planned_init(&planned, 1);
            planned.plan.restart.ever_ready = true;
            planned.plan.shown = SP_POOL_READY;
            planned.places[other].state = surplus[i];
            planned.places[other ^ 1u].state = SP_PLACE_SERVING;
            struct sp_step step = turn_of(&planned);
            sp_step_show(&step);
            assert_int_equal(planned.plan.shown, SP_POOL_READY);
            assert_int_equal(planned.out.count, 0);
        }
    }
}

static void a_pool_fails_once_and_not_while_it_closes(void **state)
{
    (void)state;
    static const struct {
        enum sp_fleet_phase from;
        enum sp_fleet_phase to;
        uint32_t actions;
    } rows[] = {
        {SP_FLEET_RUNNING, SP_FLEET_FAILED, 1},
        {SP_FLEET_FALLING_BACK, SP_FLEET_FAILED, 1},
        {SP_FLEET_FAILED, SP_FLEET_FAILED, 0},
        {SP_FLEET_STOPPING, SP_FLEET_STOPPING, 0},
        {SP_FLEET_STOPPED, SP_FLEET_STOPPED, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        planned_init(&planned, 1);
        planned.plan.phase = rows[i].from;
        struct sp_step step = turn_of(&planned);
        sp_step_fail(
            &step,
            &(struct sp_fleet_action){.kind = SP_FLEET_DO_FAIL, .reason = "why"});
        assert_int_equal(planned.plan.phase, rows[i].to);
        assert_int_equal(planned.out.count, rows[i].actions);
    }
}

// ---- Workers and pauses -------------------------------------------------------

static void the_first_pause_counts(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    struct sp_step step = turn_of(&planned);
    sp_step_pause(&step, 70);
    sp_step_pause(&step, 10);
    sp_step_pause(&step, 100);
    assert_true(planned.plan.resume_at == planned.now + 70 * MS);
}

static void an_empty_place_remembers_only_how_it_is_to_be_filled(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.places[0] = (struct sp_place){.state = SP_PLACE_DRAINING,
                                          .exec = true,
                                          .outgoing = true,
                                          .ready_at = 1,
                                          .leave_at = 2};
    struct sp_step step = turn_of(&planned);
    sp_step_move(&step, 0, SP_PLACE_EXITED);
    assert_int_equal(planned.places[0].state, SP_PLACE_EMPTY);
    assert_true(planned.places[0].exec);
    assert_false(planned.places[0].outgoing);
    assert_true(planned.places[0].ready_at == 0 && planned.places[0].leave_at == 0);
}

static void who_drains_has_as_long_as_a_call(void **state)
{
    (void)state;
    static const struct {
        uint32_t call_timeout_ms;
        uint64_t most_ms;
    } rows[] = {{0, 30000}, {1, 1}, {700, 700}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        planned_init(&planned, 1);
        planned.config.call_timeout_ms = rows[i].call_timeout_ms;
        planned.places[0].state = SP_PLACE_SERVING;
        struct sp_step step = turn_of(&planned);
        sp_step_drain(&step, 0);
        assert_true(planned.places[0].leave_at == planned.now + rows[i].most_ms * MS);
        assert_true(planned.plan.look_at == planned.now);
    }
}

static void a_template_is_stopped_once(void **state)
{
    (void)state;
    static const uint32_t orders[SP_PLANNED_STATES] = {
        [SP_PLANNED_NONE] = 0,
        [SP_PLANNED_IMPORTING] = 1,
        [SP_PLANNED_FORKING] = 1,
        [SP_PLANNED_LEAVING] = 0,
    };
    for (uint32_t from = 0; from < SP_PLANNED_STATES; from++) {
        struct planned planned;
        planned_init(&planned, 1);
        planned.plan.template.state = (enum sp_planned_template_state)from;
        struct sp_step step = turn_of(&planned);
        sp_step_stop_template(&step);
        sp_step_stop_template(&step);
        assert_int_equal(planned.out.count, orders[from]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_pool_is),
        cmocka_unit_test(a_surplus_worker_makes_no_pool_degraded),
        cmocka_unit_test(a_pool_fails_once_and_not_while_it_closes),
        cmocka_unit_test(the_first_pause_counts),
        cmocka_unit_test(an_empty_place_remembers_only_how_it_is_to_be_filled),
        cmocka_unit_test(who_drains_has_as_long_as_a_call),
        cmocka_unit_test(a_template_is_stopped_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
