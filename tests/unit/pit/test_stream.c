// SPDX-License-Identifier: MIT
// Streams as a program has them. The test is the worker and writes the tube by hand.
#include "fakes.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "ipc/tube.h"

// A stream's call on the worker's side.
struct tool {
    struct fake_call call;
    struct sp_tube_writer tube;
};

static struct tool take(void)
{
    struct tool tool = {.call = pit_take()};
    struct sp_port *port = atomic_load(&pit_fakes.port);
    struct sp_slot *slot = &port->view.slots[tool.call.slot];
    uint64_t at = (uint64_t)port->view.shape.slots * SP_INLINE_RESULT;
    assert_int_equal(tool.call.request.kind, SP_CALL_STREAM);
    sp_tube_clear(slot);
    sp_tube_writer_init(&tool.tube, slot, port->results.base + at, at);
    return tool;
}

static void put(struct tool *tool, const char *bytes)
{
    const struct sp_chunk chunk = {SP_CHUNK_HERE, (uint32_t)strlen(bytes), SP_NO_LEASE};
    if (sp_tube_put(&tool->tube, &chunk, (const uint8_t *)bytes)) {
        fake_put_done(atomic_load(&pit_fakes.player), tool->call.slot);
    }
}

static void finish(struct tool *tool)
{
    tool->call.request.body_size = 0;
    pit_serve(&tool->call);
}

static int64_t number_of(snakepit_reader *chunk)
{
    snakepit_value value;
    assert_int_equal(snakepit_reader_next(chunk, &value), SNAKEPIT_OK);
    return value.kind == SNAKEPIT_UNSIGNED ? (int64_t)value.as.unsigned_integer
                                           : value.as.integer;
}

static void chunks_come_in_order_and_then_the_end(void **state)
{
    snakepit_stream *stream;
    snakepit_reader chunk;
    (void)state;
    pit_fakes.by_hand = true;
    pit_open_ready("");
    assert_int_equal(snakepit_stream_open(pit, "count", NULL, NULL, &stream),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_stream_try_next(stream, &chunk), SNAKEPIT_AGAIN);
    struct tool tool = take();
    put(&tool, "\x01");
    put(&tool, "\x02");
    assert_int_equal(snakepit_stream_next(stream, &chunk), SNAKEPIT_OK);
    assert_int_equal(number_of(&chunk), 1);
    assert_string_equal(snakepit_stream_json(stream), "1");
    assert_int_equal(snakepit_stream_try_next(stream, &chunk), SNAKEPIT_OK);
    assert_int_equal(number_of(&chunk), 2);
    assert_null(snakepit_stream_answer(stream));
    finish(&tool);
    assert_int_equal(snakepit_stream_next(stream, &chunk), SNAKEPIT_END);
    assert_non_null(snakepit_stream_answer(stream));
    assert_int_equal(sp_call_id_pool(snakepit_stream_id(stream)), 0);
    snakepit_stream_close(stream);
}

static void a_stream_that_is_closed_early_cancels_its_tool(void **state)
{
    snakepit_stream *stream;
    (void)state;
    pit_fakes.by_hand = true;
    pit_open_ready("");
    assert_int_equal(snakepit_stream_open_json(pit, "count", "{}", NULL, &stream),
                     SNAKEPIT_OK);
    struct tool tool = take();
    snakepit_stream_close(stream);
    PIT_AWAIT(atomic_load(&pit_fakes.cancels) > 0);
    finish(&tool);
}

static void what_is_wrong_with_a_stream_is_its_end(void **state)
{
    snakepit_stream *stream;
    snakepit_reader chunk;
    (void)state;
    pit_open_ready("");
    assert_int_not_equal(snakepit_stream_open_json(pit, "t", "{", NULL, &stream),
                         SNAKEPIT_OK);
    assert_int_not_equal(snakepit_stream_next(stream, &chunk), SNAKEPIT_OK);
    assert_non_null(
        strstr(snakepit_answer_fault(snakepit_stream_answer(stream))->message, "JSON"));
    snakepit_stream_close(stream);
    assert_int_equal(snakepit_stream_open(pit, "", NULL, NULL, &stream),
                     SNAKEPIT_INVALID_ARGUMENT);
    snakepit_stream_close(stream);
}

#define MANY 16u // more than the worker and the line take

static void a_stream_that_its_pool_refuses_has_its_answer_at_once(void **state)
{
    snakepit_stream *streams[MANY];
    snakepit_err err = SNAKEPIT_OK;
    size_t count = 0;
    (void)state;
    pit_open("|    max_queue: 1\n");
    while (count < MANY && err == SNAKEPIT_OK) {
        err = snakepit_stream_open(pit, "t", NULL, NULL, &streams[count++]);
    }
    assert_int_equal(err, SNAKEPIT_SATURATED);
    assert_null(snakepit_stream_answer(streams[0]));
    assert_int_equal(
        snakepit_answer_fault(snakepit_stream_answer(streams[count - 1]))->err, err);
    while (count > 0) {
        snakepit_stream_close(streams[--count]);
    }
}

// ---- One that is told when there is something ---------------------------------

static _Atomic uint32_t ready;

static void note_ready(void *user, snakepit_stream *stream)
{
    (void)user;
    (void)stream;
    atomic_fetch_add(&ready, 1);
}

static void a_stream_reports_to_its_queue(void **state)
{
    snakepit_queue *queue;
    snakepit_stream *stream;
    snakepit_reader chunk;
    (void)state;
    pit_fakes.by_hand = true;
    pit_open_ready("");
    atomic_store(&ready, 0);
    assert_int_equal(snakepit_queue_new(pit, &queue, NULL), SNAKEPIT_OK);
    snakepit_call_options options = {.size = sizeof options, .queue = queue};
    assert_int_equal(snakepit_stream_open(pit, "count", NULL, &options, &stream),
                     SNAKEPIT_INVALID_ARGUMENT); // without `ready`
    snakepit_stream_close(stream);
    options.ready = note_ready;
    assert_int_equal(snakepit_stream_open(pit, "count", NULL, &options, &stream),
                     SNAKEPIT_OK);
    struct tool tool = take();
    assert_int_equal(snakepit_stream_try_next(stream, &chunk), SNAKEPIT_AGAIN);
    put(&tool, "\x01");
    PIT_AWAIT(snakepit_queue_drain(queue, 100) > 0 || atomic_load(&ready) > 0);
    assert_int_equal(atomic_load(&ready), 1);
    assert_int_equal(snakepit_stream_try_next(stream, &chunk), SNAKEPIT_OK);
    finish(&tool);
    PIT_AWAIT(snakepit_stream_try_next(stream, &chunk) == SNAKEPIT_END);
    snakepit_stream_close(stream);
    (void)snakepit_queue_drain(queue, 0);
    assert_int_equal(snakepit_queue_free(queue), SNAKEPIT_OK);
}

// ---- One function -------------------------------------------------------------

static bool take_two(void *user, snakepit_reader *chunk)
{
    uint32_t *count = user;
    (void)chunk;
    return ++*count < 2;
}

static void *each(void *user)
{
    snakepit_answer *answer;
    snakepit_err err =
        snakepit_stream_each(pit, "count", NULL, NULL, take_two, user, &answer);
    assert_int_equal(err, snakepit_answer_fault(answer)->err);
    snakepit_answer_free(answer);
    return NULL;
}

static void each_chunk_is_handed_over_until_the_function_has_enough(void **state)
{
    pthread_t thread;
    uint32_t count = 0;
    snakepit_answer *answer;
    (void)state;
    pit_fakes.by_hand = true;
    pit_open_ready("");
    assert_int_equal(pthread_create(&thread, NULL, each, &count), 0);
    struct tool tool = take();
    put(&tool, "\x01");
    put(&tool, "\x02");
    put(&tool, "\x03");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(count, 2);
    finish(&tool);
    assert_int_equal(snakepit_stream_each(pit, "t", NULL, NULL, NULL, NULL, &answer),
                     SNAKEPIT_INVALID_ARGUMENT);
    snakepit_answer_free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(chunks_come_in_order_and_then_the_end),
        PIT_TEST(a_stream_that_is_closed_early_cancels_its_tool),
        PIT_TEST(what_is_wrong_with_a_stream_is_its_end),
        PIT_TEST(a_stream_that_its_pool_refuses_has_its_answer_at_once),
        PIT_TEST(a_stream_reports_to_its_queue),
        PIT_TEST(each_chunk_is_handed_over_until_the_function_has_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
