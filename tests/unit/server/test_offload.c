// SPDX-License-Identifier: MIT
#include "server/offload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "server/server.h"

#include <cmocka.h> // has a macro that is called as one of ours

#define WORKS 200u

struct piece {
    struct sp_offload_work work;
    pthread_t ran_by;
    pthread_t done_by;
    unsigned runs;
    unsigned dones;
    unsigned *left;          // loop thread
    pthread_barrier_t *gate; // that `run` waits at, twice; or NULL
};

static struct sp_offload offload;
static struct sp_serve_loop loop;

static struct piece *piece_of(struct sp_offload_work *work)
{
    return SP_ENTRY(work, struct piece, work);
}

static void run(struct sp_offload_work *work)
{
    struct piece *piece = piece_of(work);
    piece->runs++;
    piece->ran_by = pthread_self();
    if (piece->gate != NULL) {
        (void)pthread_barrier_wait(piece->gate);
        (void)pthread_barrier_wait(piece->gate);
    }
}

static void done(struct sp_offload_work *work)
{
    struct piece *piece = piece_of(work);
    piece->dones++;
    piece->done_by = pthread_self();
    if (piece->left != NULL && --*piece->left == 0) {
        sp_loop_stop(&loop.loop);
    }
}

static void on_woken(void *user)
{
    sp_offload_take(user);
}

static int open_loop(void **state)
{
    snakepit_message why;
    (void)state;
    offload = (struct sp_offload){.count = 0};
    loop = (struct sp_serve_loop){.offload = &offload};
    sp_list_init(&loop.offloaded);
    assert_int_equal(sp_loop_init(&loop.loop, on_woken, &loop, &why), SNAKEPIT_OK);
    assert_int_equal(sp_offload_start(&offload, &why), SNAKEPIT_OK);
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    sp_offload_fini(&offload);
    sp_loop_fini(&loop.loop);
    return 0;
}

static void work_is_done_beside_the_loop_and_handed_back_on_it(void **state)
{
    static struct piece pieces[WORKS];
    unsigned left = WORKS;
    (void)state;
    for (unsigned i = 0; i < WORKS; i++) {
        pieces[i] = (struct piece){.work = {.run = run, .done = done}, .left = &left};
        sp_offload_do(&loop, &pieces[i].work);
    }
    sp_loop_run(&loop.loop);
    for (unsigned i = 0; i < WORKS; i++) {
        assert_int_equal(pieces[i].runs, 1);
        assert_int_equal(pieces[i].dones, 1);
        assert_false(pthread_equal(pieces[i].ran_by, pthread_self()));
        assert_true(pthread_equal(pieces[i].done_by, pthread_self()));
    }
    sp_offload_stop(&offload);
}

static void *stop(void *unused)
{
    sp_offload_stop(&offload);
    return unused;
}

static void what_has_begun_ends_and_what_waits_is_handed_back_as_it_is(void **state)
{
    pthread_t stops;
    pthread_barrier_t gate;
    struct piece begun[SP_OFFLOAD_THREADS];
    struct piece waits = {.work = {.run = run, .done = done}};
    (void)state;
    assert_int_equal(pthread_barrier_init(&gate, NULL, SP_OFFLOAD_THREADS + 1), 0);
    for (unsigned i = 0; i < SP_OFFLOAD_THREADS; i++) {
        begun[i] = (struct piece){.work = {.run = run, .done = done}, .gate = &gate};
        sp_offload_do(&loop, &begun[i].work);
    }
    (void)pthread_barrier_wait(&gate);
    sp_offload_do(&loop, &waits.work);
    assert_int_equal(pthread_create(&stops, NULL, stop, NULL), 0);
    bool stopping = false;
    while (!stopping) {
        pthread_mutex_lock(&offload.lock);
        stopping = offload.stopping;
        pthread_mutex_unlock(&offload.lock);
    }
    (void)pthread_barrier_wait(&gate);
    assert_int_equal(pthread_join(stops, NULL), 0);
    assert_int_equal(waits.runs, 0);
    assert_int_equal(waits.dones, 1);
    sp_offload_take(&loop);
    for (unsigned i = 0; i < SP_OFFLOAD_THREADS; i++) {
        assert_int_equal(begun[i].runs, 1);
        assert_int_equal(begun[i].dones, 1);
    }
    (void)pthread_barrier_destroy(&gate);
}

static void what_is_given_up_leaves_the_line(void **state)
{
    pthread_barrier_t gate;
    struct piece begun[SP_OFFLOAD_THREADS];
    struct piece waits = {.work = {.run = run, .done = done}};
    unsigned left = SP_OFFLOAD_THREADS;
    (void)state;
    assert_int_equal(pthread_barrier_init(&gate, NULL, SP_OFFLOAD_THREADS + 1), 0);
    for (unsigned i = 0; i < SP_OFFLOAD_THREADS; i++) {
        begun[i] = (struct piece){
            .work = {.run = run, .done = done}, .left = &left, .gate = &gate};
        sp_offload_do(&loop, &begun[i].work);
    }
    (void)pthread_barrier_wait(&gate);
    sp_offload_do(&loop, &waits.work);
    sp_offload_give_up(&waits.work);
    assert_int_equal(waits.dones, 1);
    sp_offload_give_up(&begun[0].work);
    assert_int_equal(begun[0].dones, 0);
    (void)pthread_barrier_wait(&gate);
    sp_loop_run(&loop.loop);
    assert_int_equal(waits.runs, 0);
    assert_int_equal(begun[0].dones, 1);
    sp_offload_stop(&offload);
    (void)pthread_barrier_destroy(&gate);
}

static void without_threads_it_is_done_at_once(void **state)
{
    struct piece piece = {.work = {.run = run, .done = done}};
    (void)state;
    loop.offload = NULL;
    sp_offload_do(&loop, &piece.work);
    assert_int_equal(piece.runs, 1);
    assert_int_equal(piece.dones, 1);
    sp_offload_take(&loop);
    sp_offload_stop(&offload);
}

static void one_that_was_never_started_is_ended(void **state)
{
    struct sp_offload none = {.count = 0};
    (void)state;
    sp_offload_stop(&none);
    sp_offload_fini(&none);
    sp_offload_stop(&offload);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(work_is_done_beside_the_loop_and_handed_back_on_it),
        test(what_has_begun_ends_and_what_waits_is_handed_back_as_it_is),
        test(what_is_given_up_leaves_the_line),
        test(without_threads_it_is_done_at_once),
        test(one_that_was_never_started_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
