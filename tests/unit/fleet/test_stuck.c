// SPDX-License-Identifier: MIT
// Workers with a call that does not end: killed, or isolated, replaced and killed
// later.
#include "fleet/stuck.h"

#include "planned.h"

#define EVENT(name) SP_FLEET_##name

// `size` workers of two threads each serve, in the first places of their posts.
static void serve(struct planned *planned, uint32_t size, enum sp_on_stuck wish)
{
    planned_init_threads(planned, size, 2);
    planned->config.on_stuck = wish;
    planned->config.stuck_grace_ms = 5000;
    planned->config.startup_batch_size = PLANNED_POSTS;
    planned_happen(planned, EVENT(BEGIN), 0);
    for (uint32_t i = 0; i < size; i++) {
        planned_happen(planned, EVENT(STARTED), i * SP_PLACES_PER_POST);
    }
    for (uint32_t i = 0; i < size; i++) {
        planned_ready(planned, i * SP_PLACES_PER_POST);
    }
    assert_int_equal(sp_fleet_serving(&planned->plan), size);
}

// A call of the worker is stuck, and no other one runs there.
static const char *stuck_alone(struct planned *planned, uint32_t place)
{
    const struct sp_fleet_event event = {
        .kind = EVENT(STUCK), .place = place, .alone = true};
    return planned_step(planned, &event);
}

static void a_stuck_worker_is_killed_or_isolated(void **state)
{
    (void)state;
    static const struct {
        enum sp_on_stuck wish;
        bool alone;
        bool closing;
        const char *orders;
        enum sp_place_state to;
    } rows[] = {
        {SP_STUCK_KILL, false, false, "kill 0", SP_PLACE_SERVING},
        {SP_STUCK_KILL, true, false, "kill 0", SP_PLACE_SERVING},
        {SP_STUCK_ISOLATE,
         false,
         false,
         "release 0; isolated 5000; degraded; start 1",
         SP_PLACE_DRAINING},
        // There is nobody to spare.
        {SP_STUCK_ISOLATE, true, false, "kill 0", SP_PLACE_SERVING},
        // No calls are left that somebody waits for.
        {SP_STUCK_ISOLATE, false, true, "kill 0", SP_PLACE_SERVING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        serve(&planned, 2, rows[i].wish);
        const struct sp_fleet_event event = {
            .kind = EVENT(STUCK), .alone = rows[i].alone, .closing = rows[i].closing};
        assert_string_equal(planned_step(&planned, &event), rows[i].orders);
        assert_int_equal(planned.places[0].state, rows[i].to);
    }
}

static void its_end_is_a_death_and_its_post_is_filled(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 2, SP_STUCK_KILL);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "kill 0", NULL},
        {1, EVENT(EXITED), 0, "death; degraded; start 0", &planned_worked},
        {1, EVENT(READY), 0, "seat 0; ready", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void one_that_is_isolated_is_replaced_at_once(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 2, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
        {0, EVENT(STARTED), 1, "", NULL},
        {9, EVENT(READY), 1, "seat 1; ready", NULL},
        // The same again changes nothing: the calls beside it go on.
        {9, EVENT(STUCK), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    // They have ended.
    assert_string_equal(stuck_alone(&planned, 0), "kill 0");
    const struct planned_act after[] = {
        {9000, EVENT(TIMER), 0, "", NULL}, // once is enough
        {1, EVENT(EXITED), 0, "death; ready", &planned_worked},
        {1, EVENT(GONE), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, after);
}

static void it_is_killed_when_the_others_take_too_long(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 1, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
        {9, EVENT(READY), 1, "seat 1; ready", NULL},
        {4990, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "kill 0", NULL},
        {20, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(EXITED), 0, "death; ready", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
}

static void one_whose_call_ends_after_all_leaves_like_others(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 1, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
        {9, EVENT(READY), 1, "seat 1; ready", NULL},
        {1, EVENT(IDLE), 0, "dismiss 0", NULL},
        {9000, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(EXITED), 0, "", &planned_worked},
    };
    PLANNED_PLAY(&planned, acts);
}

static void one_that_makes_room_already_has_its_successor(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 1, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded", NULL},
        {9, EVENT(READY), 1, "seat 1; ready", NULL},
        {5000, EVENT(TIMER), 0, "kill 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    // One that drains had all the time that its calls take.
    serve(&planned, 1, SP_STUCK_ISOLATE);
    const struct planned_act drained[] = {
        {1, EVENT(REPLACE), 0, "start 1", NULL},
        {9, EVENT(READY), 1, "seat 1; recycled: somebody asked for it; drain 0", NULL},
        {9000, EVENT(STUCK), 0, "release 0; isolated 5000", NULL},
        {4999, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "kill 0", NULL},
    };
    PLANNED_PLAY(&planned, drained);
}

// Its post has two places, and both are taken.
static void a_successor_that_is_stuck_too_serves_until_there_is_room(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 1, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
        {9, EVENT(READY), 1, "seat 1; ready", NULL},
        {100, EVENT(STUCK), 1, "", NULL},
        {4900, EVENT(TIMER), 0, "kill 0", NULL},
        {1,
         EVENT(EXITED),
         0,
         "death; ready; release 1; isolated 5000; degraded; start 0",
         &planned_worked},
        {9, EVENT(READY), 0, "seat 0; ready", NULL},
        {4990, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "kill 1", NULL},
    };
    PLANNED_PLAY(&planned, acts);
    // It is killed at once where no other call runs there, and when the pool closes.
    for (int closing = 0; closing < 2; closing++) {
        serve(&planned, 1, SP_STUCK_ISOLATE);
        const struct planned_act before[] = {
            {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
            {9, EVENT(READY), 1, "seat 1; ready", NULL},
            {100, EVENT(STUCK), 1, "", NULL},
        };
        PLANNED_PLAY(&planned, before);
        const struct sp_fleet_event event = {.kind = EVENT(STUCK),
                                             .place = 1,
                                             .alone = closing == 0,
                                             .closing = closing == 1};
        assert_string_equal(planned_step(&planned, &event), "kill 1");
    }
}

static void a_pool_that_falls_back_leaves_it_its_time(void **state)
{
    (void)state;
    struct planned planned;
    const struct sp_fleet_worker back = {
        .born = true, .free_threaded = true, .gil_enabled = true, .thread_safe = true};
    serve(&planned, 2, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
        {1,
         EVENT(GIL),
         2,
         "fallback 4: an import has switched the GIL back on; dismiss 1; drain 2",
         &back},
        // Others are not waited for any more.
        {1, EVENT(STUCK), 2, "kill 2", NULL},
        {4997, EVENT(TIMER), 0, "", NULL},
        {1, EVENT(TIMER), 0, "kill 0", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

static void a_pool_that_stops_tells_it_to_leave(void **state)
{
    (void)state;
    struct planned planned;
    serve(&planned, 1, SP_STUCK_ISOLATE);
    const struct planned_act acts[] = {
        {1, EVENT(STUCK), 0, "release 0; isolated 5000; degraded; start 1", NULL},
        {1, EVENT(STOP), 0, "end 0; end 1", NULL},
        {5000, EVENT(TIMER), 0, "", NULL},
    };
    PLANNED_PLAY(&planned, acts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_worker_is_killed_or_isolated),
        cmocka_unit_test(its_end_is_a_death_and_its_post_is_filled),
        cmocka_unit_test(one_that_is_isolated_is_replaced_at_once),
        cmocka_unit_test(it_is_killed_when_the_others_take_too_long),
        cmocka_unit_test(one_whose_call_ends_after_all_leaves_like_others),
        cmocka_unit_test(one_that_makes_room_already_has_its_successor),
        cmocka_unit_test(a_successor_that_is_stuck_too_serves_until_there_is_room),
        cmocka_unit_test(a_pool_that_falls_back_leaves_it_its_time),
        cmocka_unit_test(a_pool_that_stops_tells_it_to_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
