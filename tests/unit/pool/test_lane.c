// SPDX-License-Identifier: MIT
// What is reported to which queue, and how often: submitted calls, and streams that are
// read without waiting.
#include "pool/lane.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "support/scene.h"

#define OURS   3u // a queue
#define OTHERS 7u

// What a stream has told.
struct told {
    int times;
    struct sp_stream *stream;
    bool closes; // the stream, at once
};

static void tell(void *user, snakepit_stream *stream)
{
    struct told *told = user;
    told->times++;
    told->stream = (struct sp_stream *)(void *)stream;
    if (told->closes) {
        sp_stream_close(told->stream);
    }
}

static void open_stream(struct scene *scene, uint32_t timeout_ms, struct told *told)
{
    const struct sp_order how = {
        .timeout_ms = timeout_ms, .ready = tell, .ready_user = told, .queue = OURS};
    assert_int_equal(scene_open(scene, &how), SNAKEPIT_OK);
}

static void begin(struct scene *scene, struct told *told)
{
    open_stream(scene, 0, told);
    scene_start(scene);
}

static void assert_reads(struct scene *scene, const char *text)
{
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_OK);
    assert_chunk(scene->stream, text);
}

static void assert_told(struct told *told, int times)
{
    fixture_drain_queue(&scene_fixture, OURS);
    assert_int_equal(told->times, times);
}

static void assert_unused(uint32_t queue)
{
    assert_false(sp_pool_queue_is_used(scene_fixture.pool, queue));
    assert_false(sp_lane_has_news(&scene_fixture.pool->lanes[queue]));
}

// ---- Streams ------------------------------------------------------------------

static void each_wait_is_told_once(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    assert_told(&told, 0);
    scene_put(scene, "one");
    scene_put(scene, "two");
    assert_told(&told, 1);
    assert_ptr_equal(told.stream, scene->stream);
    assert_told(&told, 1);
    assert_reads(scene, "one");
    assert_reads(scene, "two");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    assert_told(&told, 1);
    scene_put(scene, "three");
    assert_told(&told, 2);
    assert_reads(scene, "three");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_finish(scene);
    assert_told(&told, 3);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    assert_told(&told, 3);
    assert_true(sp_pool_queue_is_used(scene_fixture.pool, OURS));
    sp_stream_close(scene->stream);
    assert_unused(OURS);
    assert_int_equal(fixture_failed(&scene_fixture), 0);
    assert_int_equal(scene_fixture.pool->counters.violations, 0);
}

static void one_that_was_not_told_yet_may_be_read(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    open_stream(scene, 0, &told);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_start(scene);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_put(scene, "one");
    assert_reads(scene, "one");
    scene_finish(scene);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    // It waited, and so it is told.
    assert_told(&told, 1);
    assert_told(&told, 1);
    sp_stream_close(scene->stream);
}

static void the_worker_rings_once_for_many_chunks(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    uint64_t before = atomic_load(&scene->side->port->view.header->done_tail);
    for (int i = 0; i < 50; i++) {
        scene_put(scene, "one of many");
    }
    assert_int_equal(atomic_load(&scene->side->port->view.header->done_tail),
                     before + 1);
    scene_finish(scene);
    // Its number is in the ring already.
    assert_int_equal(atomic_load(&scene->side->port->view.header->done_tail),
                     before + 1);
    assert_told(&told, 1);
    for (int i = 0; i < 50; i++) {
        assert_reads(scene, "one of many");
    }
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    assert_int_equal(fixture_placed(&scene_fixture), 0);
    sp_stream_close(scene->stream);
}

static void whoever_looks_leaves_the_report_to_its_queue(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    scene_put(scene, "one");
    fixture_drain_queue(&scene_fixture, OTHERS);
    fixture_drain(&scene_fixture);
    assert_int_equal(told.times, 0);
    assert_told(&told, 1);
    assert_reads(scene, "one");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_finish(scene);
    fixture_drain_queue(&scene_fixture, OTHERS);
    assert_told(&told, 2);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static void it_is_read_without_waiting_or_not_at_all(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    scene_put(scene, "one");
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_INVALID_ARGUMENT);
    assert_reads(scene, "one");
    sp_stream_close(scene->stream);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
    assert_told(&told, 0);
    assert_unused(OURS);
}

// ---- Ends ---------------------------------------------------------------------

static void assert_ends(struct scene *scene, struct told *told, snakepit_err err)
{
    assert_told(told, 1);
    assert_int_equal(sp_stream_try_next(scene->stream), err);
    assert_int_equal(sp_stream_try_next(scene->stream), err);
    assert_told(told, 1);
    sp_stream_close(scene->stream);
    assert_unused(OURS);
}

static void a_cancel_is_told(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    uint32_t woken = atomic_load(&scene_fixture.ended);
    assert_int_equal(sp_pool_cancel(scene_fixture.pool, scene->stream->call->id),
                     SNAKEPIT_OK);
    assert_true(atomic_load(&scene_fixture.ended) > woken);
    assert_ends(scene, &told, SNAKEPIT_CANCELLED);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

static void a_deadline_is_told(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    open_stream(scene, 1000, &told);
    scene_start(scene);
    (void)fixture_tick(&scene_fixture, 1001);
    assert_ends(scene, &told, SNAKEPIT_DEADLINE_EXCEEDED);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

static void a_deadline_in_the_line_is_told(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    struct scene first = *scene;
    struct told other = {0};
    begin(&first, &other);
    open_stream(scene, 1000, &told);
    (void)fixture_tick(&scene_fixture, 1001);
    assert_told(&told, 1);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_DEADLINE_EXCEEDED);
    sp_stream_close(scene->stream);
    scene_finish(&first);
    assert_told(&other, 1);
    sp_stream_close(first.stream);
    assert_unused(OURS);
}

static void a_death_is_told_behind_what_was_written(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    scene_put(scene, "one");
    fixture_kill(&scene_fixture, scene->side, "the test did");
    assert_told(&told, 1);
    assert_reads(scene, "one");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_WORKER_DIED);
    sp_stream_close(scene->stream);
    assert_unused(OURS);
}

static void one_that_never_ran_is_told_by_another_worker(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    open_stream(scene, 0, &told);
    fixture_kill(&scene_fixture, scene->side, "the test did");
    assert_told(&told, 0);
    scene->side = fixture_add(&scene_fixture, 1);
    scene_start(scene);
    scene_put(scene, "one");
    assert_told(&told, 1);
    assert_reads(scene, "one");
    scene_finish(scene);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static void the_end_of_the_pool_is_told(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    sp_pool_begin_close(scene_fixture.pool);
    sp_pool_end_all(scene_fixture.pool);
    assert_ends(scene, &told, SNAKEPIT_SHUTTING_DOWN);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

static void one_that_is_refused_is_never_told(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    const struct sp_order how = {.ready = tell, .ready_user = &told, .queue = OURS};
    sp_pool_begin_close(scene_fixture.pool);
    assert_int_equal(scene_open(scene, &how), SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_SHUTTING_DOWN);
    assert_told(&told, 0);
    assert_unused(OURS);
    sp_stream_close(scene->stream);
}

// ---- Closing ------------------------------------------------------------------

static void one_that_is_closed_is_not_told_any_more(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    scene_put(scene, "one");
    fixture_drain_queue(&scene_fixture, OTHERS); // it is to be told
    sp_stream_close(scene->stream);
    assert_told(&told, 0);
    assert_unused(OURS);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
    assert_told(&told, 0);
    assert_int_equal(scene_fixture.pool->counters.ended[SNAKEPIT_CANCELLED], 1);
    assert_int_equal(scene_fixture.pool->counters.violations, 0);
}

static void it_may_be_closed_when_it_is_told(void **state)
{
    struct scene *scene = *state;
    struct told told = {.closes = true};
    begin(scene, &told);
    scene_put(scene, "one");
    assert_told(&told, 1);
    assert_unused(OURS);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
    assert_told(&told, 1);
}

static void one_that_has_ended_is_not_cancelled_by_closing(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    begin(scene, &told);
    scene_put(scene, "one");
    scene_finish(scene);
    sp_stream_close(scene->stream);
    assert_int_equal(scene_fixture.pool->counters.ended[SNAKEPIT_OK], 1);
    assert_int_equal(scene_fixture.pool->counters.violations, 0);
    assert_unused(OURS);
}

// ---- Questions ----------------------------------------------------------------

static struct scene *asking;

static snakepit_err read_meanwhile(struct fixture *asked, struct sp_question *question)
{
    (void)asked;
    assert_int_equal(sp_stream_try_next(asking->stream), SNAKEPIT_OK);
    snakepit_writer_str(question->result, "yes");
    return SNAKEPIT_OK;
}

static snakepit_err close_meanwhile(struct fixture *asked, struct sp_question *question)
{
    (void)asked;
    sp_stream_close(asking->stream);
    snakepit_writer_str(question->result, "yes");
    return SNAKEPIT_OK;
}

static uint32_t state_of(const struct scene *scene)
{
    return atomic_load(&scene->slot->result.state) & SP_SLOT_STATE;
}

static void its_question_and_its_chunks_come_through_one_ring(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    asking = scene;
    scene_fixture.question = read_meanwhile;
    begin(scene, &told);
    scene_put(scene, "one");
    fake_ask(scene->side->fake, &scene->call, "why?");
    assert_told(&told, 1);
    assert_int_equal(state_of(scene), SP_SLOT_RUNNING);
    // The tool has read it, and not seen that there is no more.
    scene_put(scene, "two");
    assert_told(&told, 1);
    assert_reads(scene, "two");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_fixture.question = NULL;
    fake_ask(scene->side->fake, &scene->call, "why?");
    assert_told(&told, 1); // a question is not a chunk
    scene_put(scene, "three");
    assert_told(&told, 2);
    assert_reads(scene, "three");
    scene_finish(scene);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
    assert_int_equal(scene_fixture.pool->counters.violations, 0);
}

static void a_tool_of_the_host_may_close_it(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    asking = scene;
    scene_fixture.question = close_meanwhile;
    begin(scene, &told);
    fake_ask(scene->side->fake, &scene->call, "why?");
    assert_told(&told, 0);
    assert_told(&told, 0); // now it is freed
    assert_unused(OURS);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
    assert_int_equal(scene_fixture.pool->counters.ended[SNAKEPIT_CANCELLED], 1);
}

// ---- Calls --------------------------------------------------------------------

static void count_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    *(int *)user += err == SNAKEPIT_OK ? 1 : 100;
    sp_pool_release(sp_call_of(answer));
}

static void a_call_ends_in_its_queue_and_no_other(void **state)
{
    struct scene *scene = *state;
    int ended[2] = {0, 0};
    for (uint8_t i = 0; i < 2; i++) {
        const struct sp_order order = {.text = {.tool = "echo", .tool_size = 4},
                                       .done = count_end,
                                       .user = &ended[i],
                                       .queue = i == 0 ? OURS : OTHERS};
        assert_int_equal(sp_pool_submit(scene_fixture.pool, &order), SNAKEPIT_OK);
    }
    assert_true(fixture_serve_one(&scene_fixture, scene->side));
    assert_true(fixture_serve_one(&scene_fixture, scene->side));
    assert_int_equal(ended[0] + ended[1], 0);
    assert_true(sp_pool_queue_is_used(scene_fixture.pool, OURS));
    fixture_drain_queue(&scene_fixture, OURS);
    assert_int_equal(ended[0], 1);
    assert_int_equal(ended[1], 0);
    assert_unused(OURS);
    assert_true(sp_pool_queue_is_used(scene_fixture.pool, OTHERS));
    fixture_drain_queue(&scene_fixture, OTHERS);
    assert_int_equal(ended[1], 1);
    assert_unused(OTHERS);
}

static void workers_ring_for_the_queue_that_sleeps(void **state)
{
    struct scene *scene = *state;
    struct told told = {0};
    _Atomic uint64_t *asleep = &scene->side->port->view.header->asleep;
    begin(scene, &told);
    atomic_store(asleep, 0);
    sp_pool_ring_for(scene_fixture.pool, OTHERS);
    scene_put(scene, "one");
    assert_true(atomic_load(asleep) == UINT64_C(1) << OTHERS);
    assert_told(&told, 1);
    assert_reads(scene, "one");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    sp_pool_ring_for(scene_fixture.pool, OURS);
    scene_put(scene, "two");
    assert_true(atomic_load(asleep) == UINT64_C(1) << OTHERS);
    assert_told(&told, 2);
    sp_stream_close(scene->stream);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

// ---- At the same time ---------------------------------------------------------

#define ROUNDS 200u
#define CHUNKS 40u

static void *produce(void *argument)
{
    struct scene *scene = argument;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        scene_put(scene, "chunk");
        if (i % 8 == 0) {
            sched_yield();
        }
    }
    scene_finish(scene);
    return NULL;
}

static void *drain_others(void *argument)
{
    const _Atomic bool *stop = argument;
    while (!atomic_load(stop)) {
        fixture_drain_queue(&scene_fixture, OTHERS);
        (void)fixture_tick(&scene_fixture, 0);
        sched_yield();
    }
    return NULL;
}

// Reads what there is whenever it is told.
static uint32_t read_all(struct scene *scene, struct told *told)
{
    uint32_t chunks = 0;
    int seen = 0;
    snakepit_err err = SNAKEPIT_AGAIN;
    uint64_t until = sp_clock_now() + 20 * SP_NS_PER_S;
    while (err == SNAKEPIT_AGAIN) {
        while (told->times == seen) {
            fixture_drain_queue(&scene_fixture, OURS);
            assert_true(sp_clock_now() < until);
            sched_yield();
        }
        assert_int_equal(told->times, ++seen);
        while ((err = sp_stream_try_next(scene->stream)) == SNAKEPIT_OK) {
            assert_chunk(scene->stream, "chunk");
            chunks++;
        }
    }
    assert_int_equal(err, SNAKEPIT_END);
    return chunks;
}

static void no_report_is_lost_between_a_writer_and_two_drains(void **state)
{
    struct scene *scene = *state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pthread_t threads[2];
        struct told told = {0};
        _Atomic bool stop = false;
        begin(scene, &told);
        assert_int_equal(pthread_create(&threads[0], NULL, produce, scene), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, drain_others, &stop), 0);
        assert_int_equal(read_all(scene, &told), CHUNKS);
        assert_int_equal(pthread_join(threads[0], NULL), 0);
        atomic_store(&stop, true);
        assert_int_equal(pthread_join(threads[1], NULL), 0);
        sp_stream_close(scene->stream);
        assert_unused(OURS);
    }
    assert_int_equal(scene_fixture.pool->counters.violations, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(each_wait_is_told_once),
        test(one_that_was_not_told_yet_may_be_read),
        test(the_worker_rings_once_for_many_chunks),
        test(whoever_looks_leaves_the_report_to_its_queue),
        test(it_is_read_without_waiting_or_not_at_all),
        test(a_cancel_is_told),
        test(a_deadline_is_told),
        test(a_deadline_in_the_line_is_told),
        test(a_death_is_told_behind_what_was_written),
        test(one_that_never_ran_is_told_by_another_worker),
        test(the_end_of_the_pool_is_told),
        test(one_that_is_refused_is_never_told),
        test(one_that_is_closed_is_not_told_any_more),
        test(it_may_be_closed_when_it_is_told),
        test(one_that_has_ended_is_not_cancelled_by_closing),
        test(its_question_and_its_chunks_come_through_one_ring),
        test(a_tool_of_the_host_may_close_it),
        test(a_call_ends_in_its_queue_and_no_other),
        test(workers_ring_for_the_queue_that_sleeps),
        test(no_report_is_lost_between_a_writer_and_two_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
