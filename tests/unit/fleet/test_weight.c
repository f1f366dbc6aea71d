// SPDX-License-Identifier: MIT
// Workers that grow: which of them are replaced, which are killed, and what is said.
#include "fleet/weight.h"

#include "planned.h"

#define EVENT(name) SP_FLEET_##name
#define MIB         (UINT64_C(1) << 20)

static const char *of_memory(struct planned *planned,
                             enum sp_fleet_event_kind kind,
                             uint32_t place,
                             uint64_t mib)
{
    struct sp_fleet_event event = {
        .kind = kind, .place = place, .worker = planned_died, .reason = "why"};
    event.worker.memory = mib * MIB;
    return planned_step(planned, &event);
}

// One worker of 50 MiB serves; the limits are 100 and 200 MiB.
static void begin(struct planned *planned)
{
    planned_init(planned, 1);
    planned->config.worker_max_memory = 100 * MIB;
    planned->config.worker_max_memory_hard = 200 * MIB;
    assert_string_equal(planned_happen(planned, EVENT(BEGIN), 0), "start 0");
    assert_string_equal(of_memory(planned, EVENT(READY), 0, 50), "seat 0; ready");
}

static void nobody_is_weighed_without_a_limit(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned_happen(&planned, EVENT(BEGIN), 0);
    assert_false(sp_fleet_place_is_weighed(&planned.plan, 0));
    planned_ready(&planned, 0);
    assert_false(sp_fleet_place_is_weighed(&planned.plan, 0));
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void those_that_serve_are_weighed_again_and_again(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_true(sp_fleet_place_is_weighed(&planned.plan, 0));
    assert_false(sp_fleet_place_is_weighed(&planned.plan, 1));
    assert_planned_wake(&planned, 1000);
    for (int i = 0; i < 3; i++) {
        planned.now += 1000 * MS;
        assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 100), "");
        assert_string_equal(planned_happen(&planned, EVENT(TIMER), 0), "");
        assert_planned_wake(&planned, 1000);
    }
}

static void one_over_the_limit_makes_room_for_a_successor(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 101), "start 1");
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 102), "");
    assert_string_equal(of_memory(&planned, EVENT(READY), 1, 50),
                        "seat 1; recycled: worker_max_memory; drain 0");
    assert_string_equal(planned_happen(&planned, EVENT(IDLE), 0), "dismiss 0");
    assert_string_equal(planned_happen(&planned, EVENT(EXITED), 0), "");
}

static void one_over_the_hard_limit_is_killed_once(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    const char *kill = "memory: worker_max_memory_hard; kill 0";
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 201), kill);
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 201), "start 1");
    const struct planned_act acts[] = {
        {1, EVENT(EXITED), 0, "death; degraded", &planned_worked},
        {1, EVENT(READY), 1, "seat 1; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void one_that_drains_may_still_be_killed(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(planned_happen(&planned, EVENT(REPLACE), 0), "start 1");
    assert_string_equal(of_memory(&planned, EVENT(READY), 1, 50),
                        "seat 1; recycled: somebody asked for it; drain 0");
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 150), "");
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 201),
                        "memory: worker_max_memory_hard; kill 0");
}

// Its successor would exceed it as well.
static void a_limit_that_a_fresh_worker_exceeds_is_told_once(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    planned.config.worker_max_memory = 100 * MIB;
    planned_happen(&planned, EVENT(BEGIN), 0);
    assert_string_equal(of_memory(&planned, EVENT(READY), 0, 101),
                        "memory: worker_max_memory; seat 0; ready");
    assert_false(sp_fleet_place_is_weighed(&planned.plan, 0));
    assert_true(planned.out.wake_at == SP_NEVER);
    assert_string_equal(planned_happen(&planned, EVENT(REPLACE), 0), "start 1");
    assert_string_equal(of_memory(&planned, EVENT(READY), 1, 101),
                        "seat 1; recycled: somebody asked for it; drain 0");
    // A later one that is below it has a limit again.
    planned_happen(&planned, EVENT(IDLE), 0);
    planned_happen(&planned, EVENT(EXITED), 0);
    assert_string_equal(planned_happen(&planned, EVENT(REPLACE), 1), "start 0");
    of_memory(&planned, EVENT(READY), 0, 99);
    assert_true(sp_fleet_place_is_weighed(&planned.plan, 0));
}

static void one_that_cannot_be_weighed_serves_on(void **state)
{
    (void)state;
    struct planned planned;
    begin(&planned);
    assert_string_equal(of_memory(&planned, EVENT(WEIGHED), 0, 0), "");
}

static void chance_adds_to_the_limit_but_not_to_the_hard_one(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (uint64_t chance = 1; chance < 500; chance++) {
        struct planned planned;
        planned_init(&planned, 1);
        sp_fleet_plan_init(&planned.plan, &planned.config, planned.places, chance);
        planned.config.worker_max_memory = 1000;
        planned.config.worker_max_memory_hard = 1500;
        planned.config.recycle_jitter = 20;
        planned_happen(&planned, EVENT(BEGIN), 0);
        planned_ready(&planned, 0);
        uint64_t limit = planned.places[0].max_memory;
        least = limit < least ? limit : least;
        most = limit > most ? limit : most;
        assert_int_equal(planned.places[0].max_memory_hard, 1500);
    }
    assert_true(least >= 1000 && least <= 1005);
    assert_true(most <= 1200 && most >= 1195);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_weighed_without_a_limit),
        cmocka_unit_test(those_that_serve_are_weighed_again_and_again),
        cmocka_unit_test(one_over_the_limit_makes_room_for_a_successor),
        cmocka_unit_test(one_over_the_hard_limit_is_killed_once),
        cmocka_unit_test(one_that_drains_may_still_be_killed),
        cmocka_unit_test(a_limit_that_a_fresh_worker_exceeds_is_told_once),
        cmocka_unit_test(one_that_cannot_be_weighed_serves_on),
        cmocka_unit_test(chance_adds_to_the_limit_but_not_to_the_hard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
