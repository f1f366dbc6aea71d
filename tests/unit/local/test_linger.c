// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ipc/ring.h"
#include "ipc/spin.h"
#include "local/inside.h"

#include <cmocka.h>

#define ENOUGH    8u  // short pauses
#define MOST      16u // that count
#define ELSEWHERE 4096u

// A loop with two clients, of whom one is awake.
struct scene {
    struct sp_serve_loop serve;
    struct sp_local_loop loop;
    struct sp_local_connection connection;
    struct sp_local_circuit circuits[2];
    sp_cell cell;
};

static void on_wake(void *user)
{
    (void)user;
}

static int prepare(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    assert_int_equal(sp_loop_init(&scene->serve.loop, on_wake, NULL, NULL),
                     SNAKEPIT_OK);
    scene->loop.serve = &scene->serve;
    sp_list_init(&scene->loop.awake);
    for (int i = 0; i < 2; i++) {
        struct sp_local_circuit *circuit = &scene->circuits[i];
        circuit->loop = &scene->loop;
        circuit->connection = &scene->connection;
        circuit->view.shape.slots = 1;
        circuit->view.submit = &scene->cell;
        circuit->view.header = aligned_alloc(SP_LINE, sizeof *circuit->view.header);
        assert_non_null(circuit->view.header);
        atomic_store(&circuit->view.header->host_cpu, ELSEWHERE);
    }
    sp_list_append(&scene->loop.awake, &scene->circuits[0].awake);
    scene->loop.short_pauses = ENOUGH;
    *state = scene;
    return 0;
}

static int clear(void **state)
{
    struct scene *scene = *state;
    sp_loop_fini(&scene->serve.loop);
    free(scene->circuits[0].view.header);
    free(scene->circuits[1].view.header);
    free(scene);
    return 0;
}

static void skip_on_one_core(void)
{
    if (!sp_spin_begin()) {
        skip();
    }
    sp_spin_end();
}

static void a_call_that_comes_soon_is_seen(void **state)
{
    struct scene *scene = *state;
    skip_on_one_core();
    sp_ring_put(&scene->cell, 0, 0, 0);
    assert_true(sp_local_linger(&scene->loop));
    assert_int_equal(scene->loop.short_pauses, ENOUGH);
}

static void one_look_in_vain_ends_it_for_a_while(void **state)
{
    struct scene *scene = *state;
    skip_on_one_core();
    assert_false(sp_local_linger(&scene->loop));
    assert_int_equal(scene->loop.short_pauses, 0);
}

static void a_pause_has_one_look(void **state)
{
    struct scene *scene = *state;
    scene->loop.idle_since = 1;
    sp_ring_put(&scene->cell, 0, 0, 0);
    assert_false(sp_local_linger(&scene->loop));
}

static void who_calls_seldom_is_not_waited_for(void **state)
{
    struct scene *scene = *state;
    scene->loop.short_pauses = ENOUGH - 1;
    sp_ring_put(&scene->cell, 0, 0, 0);
    assert_false(sp_local_linger(&scene->loop));
    assert_true(scene->loop.idle_since != 0);
}

static void nobody_is_waited_for_while_a_call_is_under_way(void **state)
{
    struct scene *scene = *state;
    scene->connection.calls = 1;
    sp_ring_put(&scene->cell, 0, 0, 0);
    assert_false(sp_local_linger(&scene->loop));
    assert_true(scene->loop.idle_since == 0);
}

static void one_of_several_is_not_waited_for(void **state)
{
    struct scene *scene = *state;
    sp_list_append(&scene->loop.awake, &scene->circuits[1].awake);
    sp_ring_put(&scene->cell, 0, 0, 0);
    assert_false(sp_local_linger(&scene->loop));
}

static void pauses_are_learned_from(void **state)
{
    struct scene *scene = *state;
    int left = 1000000; // on a busy machine some are long
    scene->loop.short_pauses = 0;
    while (scene->loop.short_pauses < MOST && left-- > 0) {
        scene->loop.idle_since = sp_clock_ticks();
        sp_local_note_pause(&scene->loop);
        assert_true(scene->loop.idle_since == 0);
    }
    assert_int_equal(scene->loop.short_pauses, MOST);
    sp_local_note_pause(&scene->loop); // there was none
    assert_int_equal(scene->loop.short_pauses, MOST);
    scene->loop.idle_since = 1;
    sp_local_note_pause(&scene->loop);
    assert_int_equal(scene->loop.short_pauses, 0);
}

static void who_has_several_under_way_has_no_pauses(void **state)
{
    struct scene *scene = *state;
    scene->connection.calls = 2;
    scene->loop.idle_since = sp_clock_ticks();
    sp_local_note_pause(&scene->loop);
    assert_int_equal(scene->loop.short_pauses, 0);
    assert_true(scene->loop.idle_since == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_that_comes_soon_is_seen),
        TEST(one_look_in_vain_ends_it_for_a_while),
        TEST(a_pause_has_one_look),
        TEST(who_calls_seldom_is_not_waited_for),
        TEST(nobody_is_waited_for_while_a_call_is_under_way),
        TEST(one_of_several_is_not_waited_for),
        TEST(pauses_are_learned_from),
        TEST(who_has_several_under_way_has_no_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
