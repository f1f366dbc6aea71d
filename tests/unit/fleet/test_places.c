// SPDX-License-Identifier: MIT
#include "fleet/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define EMPTY    SP_PLACE_EMPTY
#define STARTING SP_PLACE_STARTING
#define SERVING  SP_PLACE_SERVING
#define DRAINING SP_PLACE_DRAINING
#define LEAVING  SP_PLACE_LEAVING
#define NEVER    SP_PLACE_STATES

#define IS(value)   {.state = (value)}
#define GOES(value) {.state = (value), .outgoing = true}

static const int rows[SP_PLACE_STATES][SP_PLACE_EVENTS] = {
    // START, READY, TOLD, DRAIN, IDLE, DISMISS, EXITED
    [EMPTY] = {STARTING, NEVER, NEVER, EMPTY, NEVER, EMPTY, NEVER},
    [STARTING] = {NEVER, SERVING, STARTING, LEAVING, STARTING, LEAVING, EMPTY},
    [SERVING] = {NEVER, SERVING, DRAINING, DRAINING, SERVING, LEAVING, EMPTY},
    [DRAINING] = {NEVER, DRAINING, DRAINING, DRAINING, LEAVING, LEAVING, EMPTY},
    [LEAVING] = {NEVER, LEAVING, LEAVING, LEAVING, LEAVING, LEAVING, EMPTY},
};

// What cannot be is found out at once.
static void assert_never(enum sp_place_state from, enum sp_place_event event)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        (void)sp_place_next(from, event);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void each_event_leads_from_each_state_as_the_header_says(void **state)
{
    (void)state;
    for (int from = 0; from < SP_PLACE_STATES; from++) {
        for (int event = 0; event < SP_PLACE_EVENTS; event++) {
            if (rows[from][event] == NEVER) {
                assert_never((enum sp_place_state)from, (enum sp_place_event)event);
                continue;
            }
            assert_int_equal(
                sp_place_next((enum sp_place_state)from, (enum sp_place_event)event),
                rows[from][event]);
        }
    }
}

static void a_post_is_vacant_where_a_worker_is_missing(void **state)
{
    (void)state;
    static const struct {
        struct sp_place places[SP_PLACES_PER_POST];
        uint32_t vacant; // SP_PLACES_PER_POST: none
        uint32_t serving;
    } cases[] = {
        {{IS(EMPTY), IS(EMPTY)}, 0, 0},
        {{IS(STARTING), IS(EMPTY)}, 2, 0},
        {{IS(SERVING), IS(EMPTY)}, 2, 1},
        {{IS(DRAINING), IS(EMPTY)}, 2, 0},
        {{IS(LEAVING), IS(EMPTY)}, 2, 0},
        {{IS(EMPTY), IS(LEAVING)}, 2, 0},
        // It is to go: its successor starts beside it, once.
        {{GOES(SERVING), IS(EMPTY)}, 1, 1},
        {{IS(EMPTY), GOES(SERVING)}, 0, 1},
        {{GOES(SERVING), IS(STARTING)}, 2, 1},
        {{GOES(SERVING), IS(SERVING)}, 2, 1},
        {{GOES(DRAINING), IS(SERVING)}, 2, 1},
        {{GOES(LEAVING), IS(SERVING)}, 2, 1},
        // The successor has died.
        {{GOES(DRAINING), IS(EMPTY)}, 1, 0},
        {{GOES(LEAVING), IS(EMPTY)}, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sp_place places[SP_PLACES_PER_POST] = {cases[i].places[0],
                                                      cases[i].places[1]};
        const struct sp_fleet_plan plan = {
            .posts = 1, .size = 1, .target = 1, .places = places};
        assert_int_equal(sp_places_vacant(&plan), cases[i].vacant);
        assert_int_equal(sp_fleet_serving(&plan), cases[i].serving);
    }
}

static void what_is_counted_is_not_kept(void **state)
{
    (void)state;
    struct sp_place places[] = {IS(STARTING),
                                IS(EMPTY),
                                IS(SERVING),
                                IS(STARTING),
                                IS(DRAINING),
                                IS(EMPTY),
                                IS(LEAVING),
                                IS(SERVING)};
    const struct sp_fleet_plan plan = {
        .posts = 4, .size = 4, .target = 4, .places = places, .remains = 3};
    assert_int_equal(sp_places_count(&plan), 8);
    assert_int_equal(sp_fleet_starting(&plan), 2);
    assert_int_equal(sp_fleet_serving(&plan), 2);
    assert_int_equal(sp_fleet_alive(&plan), 6 + 3);
    assert_int_equal(sp_places_in(&plan, LEAVING), 1);
    assert_int_equal(sp_places_vacant(&plan), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_leads_from_each_state_as_the_header_says),
        cmocka_unit_test(a_post_is_vacant_where_a_worker_is_missing),
        cmocka_unit_test(what_is_counted_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
