// SPDX-License-Identifier: MIT
// Streams that a reader waits for, against a worker that the test plays.
#include "pool/stream.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/memory.h"
#include "ipc/wait.h"
#include "support/scene.h"

static snakepit_err open_stream(uint32_t timeout_ms, struct sp_stream **stream)
{
    const struct sp_order order = {.text = {.tool = "echo", .tool_size = 4},
                                   .timeout_ms = timeout_ms};
    return sp_stream_open(scene_fixture.pool, &order, stream);
}

// A stream whose tool runs and has a tube.
static void begin(struct scene *scene, uint32_t timeout_ms)
{
    const struct sp_order how = {.timeout_ms = timeout_ms};
    assert_int_equal(scene_open(scene, &how), SNAKEPIT_OK);
    scene_start(scene);
}

static void assert_next(struct scene *scene, const char *text)
{
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_OK);
    assert_chunk(scene->stream, text);
}

static void assert_over(struct scene *scene, snakepit_err err)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sp_stream_next(scene->stream), err);
        assert_int_equal(scene->stream->chunk.size, 0);
    }
    assert_true(scene->stream->opened);
}

// ---- Reading ------------------------------------------------------------------

static void chunks_come_before_the_end(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    scene_put(scene, "two");
    assert_next(scene, "one");
    assert_next(scene, "two");
    scene_put(scene, "three");
    scene_finish(scene);
    assert_next(scene, "three");
    assert_over(scene, SNAKEPIT_END);
    assert_int_equal(fixture_placed(&scene_fixture), 0);
    assert_int_equal(fixture_ended(&scene_fixture), 1);
    assert_int_equal(fixture_failed(&scene_fixture), 0);
    assert_int_equal(scene_fixture.pool->ran_average, 0);
    sp_stream_close(scene->stream);
}

static void one_that_nobody_reads_leaves_its_slot_and_stays_readable(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    assert_next(scene, "one");
    scene_put(scene, "two");
    scene_put(scene, "three");
    scene_finish(scene);
    assert_int_equal(fixture_placed(&scene_fixture), 1);
    (void)fixture_tick(&scene_fixture, 10);
    assert_int_equal(fixture_placed(&scene_fixture), 0);
    // The slot is another call's now, and what that does to its words is not ours.
    atomic_store(&scene->slot->result.tube_tail, 16);
    assert_next(scene, "two");
    assert_next(scene, "three");
    assert_over(scene, SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static void the_head_is_told_when_there_is_nothing_more_to_read(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    assert_next(scene, "one");
    assert_int_equal(sp_tube_head(&scene->writer), 0);
    scene_put(scene, "two");
    assert_next(scene, "two");
    assert_int_equal(sp_tube_head(&scene->writer), 32);
    scene_finish(scene);
    assert_over(scene, SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static void chunks_that_are_there_are_read_without_memory(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    for (int i = 0; i < 100; i++) {
        scene_put(scene, "one like the other");
    }
    assert_next(scene, "one like the other"); // the buffer is as large as it gets
    sp_memory_fail_at(1);
    for (int i = 1; i < 100; i++) {
        assert_next(scene, "one like the other");
    }
    assert_false(sp_memory_has_failed());
    sp_memory_fail_at(0);
    scene_finish(scene);
    assert_over(scene, SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static void opening_survives_every_failed_allocation(void **state)
{
    struct scene *scene = *state;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        scene->stream = NULL;
        sp_memory_fail_at(n);
        err = open_stream(0, &scene->stream);
        bool failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        if (err == SNAKEPIT_OK) {
            break;
        }
        if (scene->stream != NULL) {
            assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_NO_MEMORY);
        }
        sp_stream_close(scene->stream);
    }
    assert_true(fake_take_started(scene->side->fake, &scene->call));
    scene_finish(scene);
    assert_over(scene, SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static void a_full_line_refuses_a_stream(void **state)
{
    struct scene *scene = *state;
    struct sp_stream *waiting[101];
    struct sp_stream *refused;
    begin(scene, 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(open_stream(0, &waiting[i]), SNAKEPIT_OK);
    }
    assert_int_equal(open_stream(0, &refused), SNAKEPIT_SATURATED);
    assert_int_equal(sp_stream_next(refused), SNAKEPIT_SATURATED);
    assert_int_equal(refused->call->id, 0);
    sp_stream_close(refused);
    for (int i = 0; i < 100; i++) {
        sp_stream_close(waiting[i]);
    }
    assert_int_equal(fixture_in_line(&scene_fixture), 0);
    scene_finish(scene);
    assert_over(scene, SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

// ---- Polling ------------------------------------------------------------------

static void assert_polled(struct scene *scene, const char *text)
{
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_OK);
    assert_chunk(scene->stream, text);
}

static void one_that_does_not_report_may_be_polled(void **state)
{
    struct scene *scene = *state;
    const struct sp_order how = {.timeout_ms = 0};
    assert_int_equal(scene_open(scene, &how), SNAKEPIT_OK);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_start(scene);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_put(scene, "one");
    assert_polled(scene, "one");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    scene_put(scene, "two");
    scene_finish(scene);
    assert_polled(scene, "two");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

static snakepit_err say_yes(struct fixture *asked, struct sp_question *question)
{
    (void)asked;
    snakepit_writer_str(question->result, "yes");
    return SNAKEPIT_OK;
}

static void a_poll_serves_questions(void **state)
{
    struct scene *scene = *state;
    const struct sp_order how = {.timeout_ms = 0};
    scene_fixture.question = say_yes;
    assert_int_equal(scene_open(scene, &how), SNAKEPIT_OK);
    scene_start(scene);
    fake_ask(scene->side->fake, &scene->call, "why?");
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_AGAIN);
    assert_int_equal(atomic_load(&scene->slot->result.state) & SP_SLOT_STATE,
                     SP_SLOT_RUNNING);
    scene_finish(scene);
    assert_int_equal(sp_stream_try_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

// ---- Ends ---------------------------------------------------------------------

static void closing_early_cancels_and_leaves_an_orphan(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    atomic_fetch_or(&scene->slot->result.state, SP_SLOT_SLEEPER);
    sp_stream_close(scene->stream);
    assert_int_equal(scene->slot->request.cancel, 1);
    assert_int_equal(atomic_load(&scene->slot->result.state) & SP_SLOT_SLEEPER, 0);
    assert_int_equal(scene_fixture.pool->counters.ended[SNAKEPIT_CANCELLED], 1);
    assert_true(sp_pool_awaits_tools(scene_fixture.pool));
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
    assert_false(sp_pool_awaits_tools(scene_fixture.pool));
    assert_int_equal(scene->side->seat->load, 0);
}

static void one_that_has_ended_is_not_cancelled_by_closing(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    scene_finish(scene);
    sp_stream_close(scene->stream);
    assert_int_equal(scene_fixture.pool->counters.ended[SNAKEPIT_CANCELLED], 0);
    assert_int_equal(scene_fixture.pool->orphans, 0);
}

static void a_cancel_drops_what_is_unread(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    scene_put(scene, "two");
    assert_next(scene, "one");
    assert_int_equal(sp_pool_cancel(scene_fixture.pool, scene->stream->call->id),
                     SNAKEPIT_OK);
    assert_over(scene, SNAKEPIT_CANCELLED);
    assert_int_equal(sp_pool_cancel(scene_fixture.pool, scene->stream->call->id),
                     SNAKEPIT_NOT_FOUND);
    sp_stream_close(scene->stream);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

static void the_tick_watches_the_deadline(void **state)
{
    struct scene *scene = *state;
    begin(scene, 1000);
    scene_put(scene, "one");
    scene_put(scene, "two");
    assert_next(scene, "one");
    (void)fixture_tick(&scene_fixture, 1001);
    assert_int_equal(scene->slot->request.cancel, 1);
    assert_over(scene, SNAKEPIT_DEADLINE_EXCEEDED);
    sp_stream_close(scene->stream);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

static void a_reader_wakes_at_the_deadline(void **state)
{
    struct scene *scene = *state;
    begin(scene, 20);
    scene_put(scene, "one");
    assert_next(scene, "one");
    assert_over(scene, SNAKEPIT_DEADLINE_EXCEEDED);
    sp_stream_close(scene->stream);
    scene_finish(scene);
    (void)fixture_tick(&scene_fixture, 10);
}

static void what_a_dead_worker_wrote_comes_before_the_fault(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    scene_put(scene, "two");
    assert_next(scene, "one");
    fixture_kill(&scene_fixture, scene->side, "the test did");
    assert_next(scene, "two");
    assert_over(scene, SNAKEPIT_WORKER_DIED);
    assert_string_equal(scene->stream->call->fault.cause, "the test did");
    sp_stream_close(scene->stream);
}

static void one_that_never_ran_goes_to_another_worker(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(open_stream(0, &scene->stream), SNAKEPIT_OK);
    fixture_kill(&scene_fixture, scene->side, "the test did");
    assert_int_equal(fixture_in_line(&scene_fixture), 1);
    struct side *other = fixture_add(&scene_fixture, 1);
    assert_true(fake_take_started(other->fake, &scene->call));
    scene->side = other;
    scene_finish(scene);
    assert_over(scene, SNAKEPIT_END);
    sp_stream_close(scene->stream);
}

// ---- Nonsense -----------------------------------------------------------------

static void a_tail_that_cannot_be_kills_the_worker(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    atomic_store(&scene->slot->result.tube_tail, SP_TUBE_BYTES + 16);
    assert_over(scene, SNAKEPIT_PROTOCOL);
    (void)fixture_tick(&scene_fixture, 10);
    assert_int_equal(scene->side->kills, 1);
    assert_int_equal(scene_fixture.pool->counters.violations, 1);
    sp_stream_close(scene->stream);
}

static void a_chunk_that_cannot_be_kills_the_worker(void **state)
{
    struct scene *scene = *state;
    const struct sp_chunk chunk = {
        .body = scene->side->port->results.size, .body_size = 1, .lease = SP_NO_LEASE};
    begin(scene, 0);
    scene_put(scene, "one");
    scene_put_chunk(scene, &chunk, NULL);
    assert_next(scene, "one");
    assert_over(scene, SNAKEPIT_PROTOCOL);
    (void)fixture_tick(&scene_fixture, 10);
    assert_int_equal(scene->side->kills, 1);
    sp_stream_close(scene->stream);
}

static void nonsense_that_is_seen_after_the_end_counts_too(void **state)
{
    struct scene *scene = *state;
    begin(scene, 0);
    scene_put(scene, "one");
    assert_next(scene, "one");
    atomic_store(&scene->slot->result.tube_tail, 8);
    scene_finish(scene);
    assert_over(scene, SNAKEPIT_PROTOCOL);
    (void)fixture_tick(&scene_fixture, 10);
    assert_int_equal(scene->side->kills, 1);
    sp_stream_close(scene->stream);
}

// ---- At the same time ---------------------------------------------------------

#define ROUNDS 150u
#define LARGE  15000u // bytes of a chunk: copying it takes a while

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SP_TSAN
#endif
#endif

// The tool's side of a stream that somebody cancels: it writes until it hears of that,
// and then its memory is used for something else.
struct producer {
    struct scene *scene;
    uint32_t total; // chunks that it gives; then it ends by itself
};

// A reader may be in the middle of a copy, which it looks through afterwards; TSan,
// which takes that for a race, sees all the rest.
static void spoil(uint8_t *tube)
{
#if !defined(__SANITIZE_THREAD__) && !defined(SP_TSAN)
    memset(tube, 0xee, SP_TUBE_BYTES);
#else
    (void)tube;
#endif
}

static void *produce(void *argument)
{
    struct producer *producer = argument;
    struct scene *scene = producer->scene;
    uint64_t head;
    for (uint32_t i = 0; i < producer->total;) {
        if (__atomic_load_n(&scene->slot->request.cancel, __ATOMIC_ACQUIRE) != 0) {
            spoil(scene->writer.base);
            break;
        }
        if (sp_tube_has_room(&scene->writer, LARGE, &head)) {
            static uint8_t bytes[LARGE];
            const struct sp_chunk chunk = {SP_CHUNK_HERE, LARGE, SP_NO_LEASE};
            memset(bytes, (int)(i & 0x7f), LARGE);
            scene_put_chunk(scene, &chunk, bytes);
            i++;
        } else {
            sched_yield();
        }
    }
    scene_finish(scene);
    return NULL;
}

struct meddler {
    uint64_t call;
    _Atomic uint32_t read; // chunks so far
    uint32_t cancel_at;    // of these
    _Atomic bool stop;
};

static void *tick_and_cancel(void *argument)
{
    struct meddler *meddler = argument;
    while (!atomic_load(&meddler->stop)) {
        (void)fixture_tick(&scene_fixture, 0);
        if (atomic_load(&meddler->read) >= meddler->cancel_at) {
            (void)sp_pool_cancel(scene_fixture.pool, meddler->call);
        }
        sched_yield(); // to those that it meddles with
    }
    return NULL;
}

static snakepit_err read_numbers(struct sp_stream *stream, struct meddler *meddler)
{
    static uint8_t wanted[LARGE];
    snakepit_err err;
    for (uint32_t i = 0; (err = sp_stream_next(stream)) == SNAKEPIT_OK; i++) {
        memset(wanted, (int)(i & 0x7f), LARGE);
        assert_int_equal(stream->chunk.size, LARGE);
        assert_memory_equal(stream->chunk.data, wanted, LARGE);
        atomic_store(&meddler->read, i + 1);
    }
    return err;
}

static void ends_of_all_kinds_while_it_is_read_show_whole_chunks_only(void **state)
{
    struct scene *scene = *state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pthread_t threads[2];
        begin(scene, 0);
        struct producer producer = {.scene = scene, .total = 10 + round * 37 % 2000};
        struct meddler meddler = {.call = scene->stream->call->id,
                                  .cancel_at = round * 101 % 1500};
        assert_int_equal(pthread_create(&threads[0], NULL, produce, &producer), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, tick_and_cancel, &meddler),
                         0);
        snakepit_err err = read_numbers(scene->stream, &meddler);
        assert_true(err == SNAKEPIT_END || err == SNAKEPIT_CANCELLED);
        assert_true(err == SNAKEPIT_CANCELLED ||
                    atomic_load(&meddler.read) == producer.total);
        sp_stream_close(scene->stream);
        assert_int_equal(pthread_join(threads[0], NULL), 0);
        atomic_store(&meddler.stop, true);
        assert_int_equal(pthread_join(threads[1], NULL), 0);
        (void)fixture_tick(&scene_fixture, 10);
        assert_int_equal(scene->side->seat->load, 0);
    }
    assert_int_equal(scene_fixture.pool->counters.violations, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(chunks_come_before_the_end),
        test(one_that_nobody_reads_leaves_its_slot_and_stays_readable),
        test(the_head_is_told_when_there_is_nothing_more_to_read),
        test(chunks_that_are_there_are_read_without_memory),
        test(opening_survives_every_failed_allocation),
        test(a_full_line_refuses_a_stream),
        test(one_that_does_not_report_may_be_polled),
        test(a_poll_serves_questions),
        test(closing_early_cancels_and_leaves_an_orphan),
        test(one_that_has_ended_is_not_cancelled_by_closing),
        test(a_cancel_drops_what_is_unread),
        test(the_tick_watches_the_deadline),
        test(a_reader_wakes_at_the_deadline),
        test(what_a_dead_worker_wrote_comes_before_the_fault),
        test(one_that_never_ran_goes_to_another_worker),
        test(a_tail_that_cannot_be_kills_the_worker),
        test(a_chunk_that_cannot_be_kills_the_worker),
        test(nonsense_that_is_seen_after_the_end_counts_too),
        test(ends_of_all_kinds_while_it_is_read_show_whole_chunks_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
