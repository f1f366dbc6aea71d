// SPDX-License-Identifier: MIT
// The plan as tables: each state, each event, and what follows.
#include "fleet/plan.h"

#include "planned.h"

#define EMPTY    SP_PLACE_EMPTY
#define STARTING SP_PLACE_STARTING
#define SERVING  SP_PLACE_SERVING
#define DRAINING SP_PLACE_DRAINING
#define LEAVING  SP_PLACE_LEAVING

#define EVENT(name) SP_FLEET_##name

static const struct sp_fleet_worker unlike = {
    .born = true, .free_threaded = true, .gil_enabled = true, .thread_safe = true};

// ---- A worker -----------------------------------------------------------------

// A pool of one process worker, which has served. `NULL`: it cannot come; test_places.c
// shows that this is found out.
static const struct worker_row {
    enum sp_place_state from;
    enum sp_fleet_event_kind event;
    enum sp_place_state to;
    const char *orders;
} worker_rows[] = {
    {EMPTY, EVENT(STARTED), EMPTY, NULL},
    {EMPTY, EVENT(START_FAILED), EMPTY, NULL},
    {EMPTY, EVENT(READY), EMPTY, NULL},
    {EMPTY, EVENT(GIL), EMPTY, NULL},
    {EMPTY, EVENT(TOLD), EMPTY, NULL},
    {EMPTY, EVENT(IDLE), STARTING, "start 0"},
    {EMPTY, EVENT(REPLACE), STARTING, "start 0"},
    {EMPTY, EVENT(WEIGHED), STARTING, "start 0"},
    {EMPTY, EVENT(STUCK), EMPTY, NULL},
    {EMPTY, EVENT(CHECKED), STARTING, "start 0"},
    {EMPTY, EVENT(DENIED), STARTING, "start 0"},
    {EMPTY, EVENT(EXITED), EMPTY, NULL},
    {EMPTY, EVENT(GONE), STARTING, "start 0"},

    {STARTING, EVENT(STARTED), STARTING, ""},
    {STARTING, EVENT(START_FAILED), EMPTY, "failure 1: why"},
    {STARTING, EVENT(READY), SERVING, "seat 0; ready"},
    {STARTING, EVENT(GIL), STARTING, ""},
    {STARTING, EVENT(TOLD), STARTING, "release 0"},
    {STARTING, EVENT(IDLE), STARTING, ""},
    {STARTING, EVENT(REPLACE), STARTING, ""},
    {STARTING, EVENT(WEIGHED), STARTING, ""},
    {STARTING, EVENT(STUCK), STARTING, NULL},
    {STARTING, EVENT(CHECKED), STARTING, ""},
    {STARTING, EVENT(DENIED), STARTING, ""},
    {STARTING, EVENT(EXITED), EMPTY, "failure 1: why"},
    {STARTING, EVENT(GONE), STARTING, ""},

    {SERVING, EVENT(STARTED), SERVING, NULL},
    {SERVING, EVENT(START_FAILED), SERVING, NULL},
    {SERVING, EVENT(READY), SERVING, ""},
    {SERVING, EVENT(GIL), SERVING, ""},
    {SERVING, EVENT(TOLD), DRAINING, "release 0; degraded"},
    {SERVING, EVENT(IDLE), SERVING, ""},
    {SERVING, EVENT(REPLACE), SERVING, "start 1"},
    {SERVING, EVENT(WEIGHED), SERVING, ""},
    {SERVING, EVENT(STUCK), SERVING, "kill 0"},
    {SERVING, EVENT(CHECKED), SERVING, ""},
    {SERVING, EVENT(DENIED), SERVING, ""},
    {SERVING, EVENT(EXITED), EMPTY, "death; failure 1: why; degraded"},
    {SERVING, EVENT(GONE), SERVING, ""},

    {DRAINING, EVENT(STARTED), DRAINING, NULL},
    {DRAINING, EVENT(START_FAILED), DRAINING, NULL},
    {DRAINING, EVENT(READY), DRAINING, ""},
    {DRAINING, EVENT(GIL), DRAINING, ""},
    {DRAINING, EVENT(TOLD), DRAINING, "release 0"},
    {DRAINING, EVENT(IDLE), LEAVING, "dismiss 0"},
    {DRAINING, EVENT(REPLACE), DRAINING, ""},
    {DRAINING, EVENT(WEIGHED), DRAINING, ""},
    {DRAINING, EVENT(STUCK), DRAINING, "kill 0"},
    {DRAINING, EVENT(CHECKED), DRAINING, ""},
    {DRAINING, EVENT(DENIED), DRAINING, ""},
    {DRAINING, EVENT(EXITED), EMPTY, "death; failure 1: why"},
    {DRAINING, EVENT(GONE), DRAINING, ""},

    {LEAVING, EVENT(STARTED), LEAVING, NULL},
    {LEAVING, EVENT(START_FAILED), LEAVING, NULL},
    {LEAVING, EVENT(READY), LEAVING, ""},
    {LEAVING, EVENT(GIL), LEAVING, ""},
    {LEAVING, EVENT(TOLD), LEAVING, "release 0"},
    {LEAVING, EVENT(IDLE), LEAVING, ""},
    {LEAVING, EVENT(REPLACE), LEAVING, ""},
    {LEAVING, EVENT(WEIGHED), LEAVING, ""},
    {LEAVING, EVENT(STUCK), LEAVING, "kill 0"},
    {LEAVING, EVENT(CHECKED), LEAVING, ""},
    {LEAVING, EVENT(DENIED), LEAVING, ""},
    // It was to leave: its place is filled at once.
    {LEAVING, EVENT(EXITED), STARTING, "start 0"},
    {LEAVING, EVENT(GONE), LEAVING, ""},
};

static void put_worker(struct planned *planned, enum sp_place_state state)
{
    struct sp_place *place = &planned->places[0];
    place->state = state;
    if (state >= SERVING) {
        place->ready_at = planned->now;
    }
    if (state == DRAINING) {
        place->leave_at = planned->now + 1000 * MS;
    }
    planned->plan.restart.ever_ready = true;
    planned->plan.remains = 1;
    planned->plan.shown = state == SERVING ? SP_POOL_READY : SP_POOL_DEGRADED;
}

static void what_follows_from_an_event_of_a_worker(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof worker_rows / sizeof worker_rows[0]; i++) {
        const struct worker_row *row = &worker_rows[i];
        struct planned planned;
        if (row->orders == NULL) {
            continue;
        }
        planned_init(&planned, 1);
        put_worker(&planned, row->from);
        assert_string_equal(planned_happen(&planned, row->event, 0), row->orders);
        assert_int_equal(planned.places[0].state, row->to);
    }
}

static void each_state_has_a_row_for_each_event_of_a_worker(void **state)
{
    (void)state;
    size_t at = 0;
    for (int from = EMPTY; from < SP_PLACE_STATES; from++) {
        for (int event = EVENT(STARTED); event <= EVENT(GONE); event++) {
            assert_int_equal(worker_rows[at].from, from);
            assert_int_equal(worker_rows[at].event, event);
            at++;
        }
    }
    assert_int_equal(at, sizeof worker_rows / sizeof worker_rows[0]);
}

// ---- The fleet ----------------------------------------------------------------

#define RUNNING      SP_FLEET_RUNNING
#define FALLING_BACK SP_FLEET_FALLING_BACK
#define FAILED       SP_FLEET_FAILED
#define STOPPING     SP_FLEET_STOPPING
#define STOPPED      SP_FLEET_STOPPED

// A pool of two thread workers of two threads each, of which one serves and one has
// left something behind; of a fleet that has stopped nobody is left.
static const struct fleet_row {
    enum sp_fleet_phase from;
    enum sp_fleet_event_kind event;
    enum sp_fleet_phase to;
    const char *orders;
} fleet_rows[] = {
    {RUNNING, EVENT(NOTHING), RUNNING, "start 2"},
    {RUNNING, EVENT(BEGIN), RUNNING, "start 2"},
    {RUNNING, EVENT(TIMER), RUNNING, "start 2"},
    {RUNNING, EVENT(RETRY), RUNNING, "start 2"},
    {RUNNING, EVENT(STOP), STOPPING, "end 0"},
    {RUNNING, EVENT(LOAD), RUNNING, "start 2"},
    {RUNNING, EVENT(RESIZE), RUNNING, "start 2"},
    {RUNNING,
     EVENT(GIL),
     FALLING_BACK,
     "fallback 4: an import has switched the GIL back on; drain 0; degraded"},
    {RUNNING, EVENT(DENIED), FAILED, "fail: another user; dismiss 0"},
    {RUNNING, EVENT(NO_MEMORY), FAILED, "fail: memory is exhausted; dismiss 0"},

    {FALLING_BACK, EVENT(NOTHING), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(BEGIN), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(TIMER), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(RETRY), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(STOP), STOPPING, "end 0"},
    {FALLING_BACK, EVENT(LOAD), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(RESIZE), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(GIL), FALLING_BACK, ""},
    {FALLING_BACK, EVENT(DENIED), FAILED, "fail: another user; dismiss 0"},
    {FALLING_BACK, EVENT(NO_MEMORY), FAILED, "fail: memory is exhausted; dismiss 0"},

    {FAILED, EVENT(NOTHING), FAILED, ""},
    {FAILED, EVENT(BEGIN), FAILED, ""},
    {FAILED, EVENT(TIMER), FAILED, ""},
    {FAILED, EVENT(RETRY), RUNNING, "know user; start 2"},
    {FAILED, EVENT(STOP), STOPPING, "end 0"},
    {FAILED, EVENT(LOAD), FAILED, ""},
    {FAILED, EVENT(RESIZE), FAILED, ""},
    {FAILED, EVENT(GIL), FAILED, ""},
    {FAILED, EVENT(DENIED), FAILED, ""},
    {FAILED, EVENT(NO_MEMORY), FAILED, ""},

    {STOPPING, EVENT(NOTHING), STOPPING, ""},
    {STOPPING, EVENT(BEGIN), STOPPING, ""},
    {STOPPING, EVENT(TIMER), STOPPING, ""},
    {STOPPING, EVENT(RETRY), STOPPING, ""},
    {STOPPING, EVENT(STOP), STOPPING, ""},
    {STOPPING, EVENT(LOAD), STOPPING, ""},
    {STOPPING, EVENT(RESIZE), STOPPING, ""},
    {STOPPING, EVENT(GIL), STOPPING, ""},
    {STOPPING, EVENT(DENIED), STOPPING, ""},
    {STOPPING, EVENT(NO_MEMORY), STOPPING, ""},

    {STOPPED, EVENT(NOTHING), STOPPED, ""},
    {STOPPED, EVENT(BEGIN), STOPPED, ""},
    {STOPPED, EVENT(TIMER), STOPPED, ""},
    {STOPPED, EVENT(RETRY), STOPPED, ""},
    {STOPPED, EVENT(STOP), STOPPED, ""},
    {STOPPED, EVENT(LOAD), STOPPED, ""},
    {STOPPED, EVENT(RESIZE), STOPPED, ""},
    {STOPPED, EVENT(GIL), STOPPED, ""},
    {STOPPED, EVENT(DENIED), STOPPED, ""},
    {STOPPED, EVENT(NO_MEMORY), STOPPED, ""},
};

static void put_fleet(struct planned *planned, enum sp_fleet_phase phase)
{
    planned_init_threads(planned, 2, 2);
    planned->plan.phase = phase;
    planned->plan.restart.ever_ready = true;
    planned->plan.shown = SP_POOL_READY; // as if a post had just become vacant
    if (phase != STOPPED) {
        planned->places[0] =
            (struct sp_place){.state = SERVING, .ready_at = planned->now};
        planned->plan.remains = 1;
    }
}

static void what_follows_from_an_event_of_the_fleet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fleet_rows / sizeof fleet_rows[0]; i++) {
        const struct fleet_row *row = &fleet_rows[i];
        struct planned planned;
        put_fleet(&planned, row->from);
        const struct sp_fleet_event event = {
            .kind = row->event,
            .worker = unlike,
            .stranger = row->event == EVENT(DENIED) ? "another user" : NULL};
        assert_string_equal(planned_step(&planned, &event), row->orders);
        assert_int_equal(planned.plan.phase, row->to);
    }
}

static void each_phase_has_a_row_for_each_of_the_events(void **state)
{
    (void)state;
    size_t count = sizeof fleet_rows / sizeof fleet_rows[0];
    assert_int_equal(count % SP_FLEET_PHASES, 0);
    for (size_t i = 0; i < count; i++) {
        size_t each = count / SP_FLEET_PHASES;
        assert_int_equal(fleet_rows[i].from, i / each);
        assert_int_equal(fleet_rows[i].event, fleet_rows[i % each].event);
    }
}

// Nobody is left: what waited for that follows.
static void the_last_one_decides_what_follows(void **state)
{
    (void)state;
    static const struct {
        enum sp_fleet_phase from;
        enum sp_fleet_phase to;
        const char *orders;
    } rows[] = {
        {RUNNING, RUNNING, "start 0"},
        {FALLING_BACK, FALLING_BACK, "reshape 4"},
        {FAILED, FAILED, ""},
        {STOPPING, STOPPED, "stopped"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        put_fleet(&planned, rows[i].from);
        planned.places[0] = (struct sp_place){.state = EMPTY};
        assert_string_equal(planned_happen(&planned, EVENT(GONE), 0), rows[i].orders);
        assert_int_equal(planned.plan.phase, rows[i].to);
    }
}

static void a_pool_that_closes_starts_nobody(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    const struct sp_fleet_event begin = {.kind = EVENT(BEGIN), .closing = true};
    assert_string_equal(planned_step(&planned, &begin), "");
    assert_true(planned.out.wake_at == SP_NEVER);
}

static void a_program_of_another_user_starts_nobody(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 2);
    struct sp_fleet_event event = {.kind = EVENT(BEGIN), .stranger = "another user"};
    assert_string_equal(planned_step(&planned, &event), "fail: another user");
    // It says that this is meant.
    event.kind = EVENT(RETRY);
    assert_string_equal(planned_step(&planned, &event), "know user; start 0");
}

static void a_user_does_not_matter_while_nothing_is_to_be_started(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    put_worker(&planned, SERVING);
    const struct sp_fleet_event event = {.kind = EVENT(TIMER),
                                         .stranger = "another user"};
    assert_string_equal(planned_step(&planned, &event), "");
}

// ---- The template -------------------------------------------------------------

#define NONE      SP_PLANNED_NONE
#define IMPORTING SP_PLANNED_IMPORTING
#define FORKING   SP_PLANNED_FORKING
#define GOES      SP_PLANNED_LEAVING

// A pool of one process, which is to be started.
static const struct template_row {
    enum sp_planned_template_state from;
    enum sp_fleet_event_kind event;
    enum sp_planned_template_state to;
    const char *orders; // NULL: it cannot come
} template_rows[] = {
    {NONE, EVENT(BEGIN), IMPORTING, "start template"},
    {NONE, EVENT(STOP), NONE, "stopped"},
    {NONE, EVENT(TEMPLATE_STARTED), NONE, NULL},
    {NONE, EVENT(TEMPLATE_FAILED), NONE, NULL},
    {NONE, EVENT(TEMPLATE_READY), NONE, NULL},
    {NONE, EVENT(TEMPLATE_GONE), NONE, NULL},

    {IMPORTING, EVENT(BEGIN), IMPORTING, ""},
    {IMPORTING, EVENT(STOP), GOES, "stop template"},
    {IMPORTING, EVENT(TEMPLATE_STARTED), IMPORTING, ""},
    {IMPORTING, EVENT(TEMPLATE_FAILED), NONE, "put off 300: why; start 0"},
    {IMPORTING, EVENT(TEMPLATE_READY), FORKING, "fork 0"},
    {IMPORTING, EVENT(TEMPLATE_GONE), NONE, "unused: why; start 0"},

    {FORKING, EVENT(BEGIN), FORKING, "fork 0"},
    {FORKING, EVENT(STOP), GOES, "stop template"},
    {FORKING, EVENT(TEMPLATE_STARTED), FORKING, NULL},
    {FORKING, EVENT(TEMPLATE_FAILED), FORKING, NULL},
    {FORKING, EVENT(TEMPLATE_READY), FORKING, NULL},
    {FORKING, EVENT(TEMPLATE_GONE), NONE, "lost: why; start 0"},

    {GOES, EVENT(BEGIN), GOES, "start 0"},
    {GOES, EVENT(STOP), GOES, ""},
    {GOES, EVENT(TEMPLATE_STARTED), GOES, NULL},
    {GOES, EVENT(TEMPLATE_FAILED), GOES, NULL},
    // It was told to leave in the meantime.
    {GOES, EVENT(TEMPLATE_READY), GOES, "start 0"},
    // One that was wanted gone is not missed: another one is started.
    {GOES, EVENT(TEMPLATE_GONE), IMPORTING, "start template"},
};

static void put_template(struct planned *planned, enum sp_planned_template_state state)
{
    planned_init(planned, 1);
    planned->config.template = SP_TEMPLATE_AUTO;
    planned->plan.template.state = state;
}

static void what_follows_from_an_event_of_the_template(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof template_rows / sizeof template_rows[0]; i++) {
        const struct template_row *row = &template_rows[i];
        struct planned planned;
        if (row->orders == NULL) {
            continue;
        }
        put_template(&planned, row->from);
        assert_string_equal(planned_happen(&planned, row->event, 0), row->orders);
        assert_int_equal(planned.plan.template.state, row->to);
    }
}

static void each_state_of_a_template_has_a_row_for_each_event(void **state)
{
    (void)state;
    size_t count = sizeof template_rows / sizeof template_rows[0];
    assert_int_equal(count % SP_PLANNED_STATES, 0);
    for (size_t i = 0; i < count; i++) {
        size_t each = count / SP_PLANNED_STATES;
        assert_int_equal(template_rows[i].from, i / each);
        assert_int_equal(template_rows[i].event, template_rows[i % each].event);
    }
}

static void whether_a_worker_is_forked(void **state)
{
    (void)state;
    static const struct {
        enum sp_planned_template_state template;
        bool given_up;
        bool ever_ready;
        bool exec;
        const char *orders;
    } rows[] = {
        {FORKING, false, false, false, "fork 0"},
        {FORKING, false, false, true, "start 0"},
        {FORKING, true, false, false, "start 0"},
        {IMPORTING, false, false, false, ""},
        // A pool that has served does not wait for memory to be saved.
        {IMPORTING, false, true, false, "start 0"},
        {NONE, true, false, false, "start 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct planned planned;
        put_template(&planned, rows[i].template);
        planned.plan.template.given_up = rows[i].given_up;
        planned.plan.restart.ever_ready = rows[i].ever_ready;
        planned.places[0].exec = rows[i].exec;
        assert_string_equal(planned_happen(&planned, EVENT(BEGIN), 0), rows[i].orders);
    }
}

static void threads_and_pools_without_a_template_start_none(void **state)
{
    (void)state;
    struct planned planned;
    planned_init(&planned, 1);
    assert_string_equal(planned_happen(&planned, EVENT(BEGIN), 0), "start 0");
    planned_init_threads(&planned, 1, 2);
    planned.config.template = SP_TEMPLATE_AUTO;
    assert_string_equal(planned_happen(&planned, EVENT(BEGIN), 0), "start 0");
}

// ---- All of them --------------------------------------------------------------

static void each_event_is_in_one_of_the_tables(void **state)
{
    (void)state;
    bool seen[SP_FLEET_EVENTS] = {
        [EVENT(RESHAPED)] = true, // test_plan_over_time.c
        [EVENT(RESPEC)] = true,   // test_roll.c
    };
    for (size_t i = 0; i < sizeof worker_rows / sizeof worker_rows[0]; i++) {
        seen[worker_rows[i].event] = true;
    }
    for (size_t i = 0; i < sizeof fleet_rows / sizeof fleet_rows[0]; i++) {
        seen[fleet_rows[i].event] = true;
    }
    for (size_t i = 0; i < sizeof template_rows / sizeof template_rows[0]; i++) {
        seen[template_rows[i].event] = true;
    }
    for (size_t i = 0; i < SP_FLEET_EVENTS; i++) {
        assert_true(seen[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_from_an_event_of_a_worker),
        cmocka_unit_test(each_state_has_a_row_for_each_event_of_a_worker),
        cmocka_unit_test(what_follows_from_an_event_of_the_fleet),
        cmocka_unit_test(each_phase_has_a_row_for_each_of_the_events),
        cmocka_unit_test(the_last_one_decides_what_follows),
        cmocka_unit_test(a_pool_that_closes_starts_nobody),
        cmocka_unit_test(a_program_of_another_user_starts_nobody),
        cmocka_unit_test(a_user_does_not_matter_while_nothing_is_to_be_started),
        cmocka_unit_test(what_follows_from_an_event_of_the_template),
        cmocka_unit_test(each_state_of_a_template_has_a_row_for_each_event),
        cmocka_unit_test(whether_a_worker_is_forked),
        cmocka_unit_test(threads_and_pools_without_a_template_start_none),
        cmocka_unit_test(each_event_is_in_one_of_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
