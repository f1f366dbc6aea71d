// SPDX-License-Identifier: MIT
// What is counted of calls besides their outcomes: how long they were where, what they
// carry, and what is lent for them. The test counts for itself.
#include "pool/times.h"

#include <string.h>

#include "support/scene.h"

static struct fixture *const fixture = &scene_fixture;
static struct sp_figures figures;

static const struct sp_figures *look(void)
{
    memset(&figures, 0xff, sizeof figures);
    sp_pool_figures(fixture->pool, &figures);
    return &figures;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void pass(uint64_t us)
{
    const uint64_t begun = sp_clock_now();
    while (sp_clock_now() - begun < us * SP_NS_PER_US) {
        sp_clock_relax();
    }
}

// A worker begins a call now, and has run it for so long when it answers.
static void serve_for(struct scene *scene, const struct fake_call *call, uint64_t us)
{
    const uint64_t begun = sp_clock_ticks();
    pass(us);
    struct sp_slot_result result = fake_echo(scene->side->fake, call);
    const uint64_t now = sp_clock_ticks();
    result.ran_ticks = now - begun;
    result.ran_until = (uint32_t)(now / SP_UNTIL_TICKS);
    fake_publish(scene->side->fake, call->slot, &result);
}

// ---- From the hands of the host to its begin ------------------------------------

static void a_call_is_in_its_worker_from_when_it_was_handed_over(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome;
    struct fake_call call;
    const uint64_t before = sp_clock_now();
    assert_int_equal(fixture_submit(fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    const uint64_t handed = sp_clock_now();
    pass(3000);
    assert_true(fake_take_started(scene->side->fake, &call));
    const uint64_t least = sp_clock_now() - handed;
    serve_for(scene, &call, 2000);
    const uint64_t most = sp_clock_now() - before;
    fixture_drain(fixture);
    assert_int_equal(outcome.ended, 1);
    const struct sp_histogram *told = &look()->handover;
    assert_int_equal(sp_histogram_count(told), 1);
    assert_true(seconds(told->sum_ns) >= 0.95 * seconds(least));
    assert_true(seconds(told->sum_ns) <= 1.05 * seconds(most) - 0.0019);
}

static void what_waited_in_the_line_is_in_its_worker_after_that(void **state)
{
    struct scene *scene = *state;
    struct outcome outcomes[2];
    struct fake_call call;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture_submit(fixture, "echo", "x", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_true(fake_take_started(scene->side->fake, &call));
    serve_for(scene, &call, 5000); // the other one is in the line
    const uint64_t before = sp_clock_now();
    fixture_drain(fixture);
    pass(1000);
    assert_true(fake_take_started(scene->side->fake, &call));
    serve_for(scene, &call, 0);
    const uint64_t most = sp_clock_now() - before;
    const uint64_t first = look()->handover.sum_ns;
    fixture_drain(fixture);
    assert_int_equal(sp_histogram_count(&look()->handover), 2);
    assert_true(figures.handover.sum_ns - first >= 950000);
    assert_true(seconds(figures.handover.sum_ns - first) <= 1.05 * seconds(most));
    assert_int_equal(figures.waited_most, 1);
}

static void a_caller_that_waits_knows_when_it_began_to(void **state)
{
    struct scene *scene = *state;
    struct caller caller;
    struct fake_call call;
    fixture_call(&caller, fixture, "echo", "x", 0);
    FIXTURE_AWAIT(fake_take_started(scene->side->fake, &call));
    serve_for(scene, &call, 100);
    fixture_join(&caller);
    assert_int_equal(caller.outcome.err, SNAKEPIT_OK);
    assert_int_equal(sp_histogram_count(&look()->handover), 1);
}

// Also where the worker's clock is nonsense: one that ended before it was handed over.
static void what_a_worker_claims_is_no_time_below_zero(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome;
    struct fake_call call;
    assert_int_equal(fixture_submit(fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(scene->side->fake, &call));
    struct sp_slot_result result = fake_echo(scene->side->fake, &call);
    const uint64_t past = sp_clock_ticks() - SP_NS_PER_MS * sp_clock_ticks_per_us();
    result.ran_until = (uint32_t)(past / SP_UNTIL_TICKS);
    fake_publish(scene->side->fake, call.slot, &result);
    fixture_drain(fixture);
    assert_int_equal(sp_histogram_count(&look()->handover), 1);
    assert_int_equal(figures.handover.sum_ns, 0);
}

static void a_call_that_gave_no_answer_is_not_told(void **state)
{
    struct outcome outcome;
    (void)state;
    assert_int_equal(fixture_submit(fixture, "echo", "x", 10, &outcome), SNAKEPIT_OK);
    (void)fixture_tick(fixture, 11);
    assert_ended(&outcome, SNAKEPIT_DEADLINE_EXCEEDED, "worker");
    assert_int_equal(sp_histogram_count(&look()->handover), 0);
}

// The metrics tell of calls with an answer; for how busy a pool is these count, too.
static void what_ends_without_an_answer_is_counted_on_its_own(void **state)
{
    struct scene *scene = *state;
    static struct sp_histogram line;
    static struct sp_histogram run;
    struct outcome outcomes[2];
    struct fake_call call;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture_submit(fixture, "echo", "x", 10, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_true(fake_take_started(scene->side->fake, &call));
    pass(1000); // the other one is in the line
    (void)fixture_tick(fixture, 11);
    assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "running");
    assert_ended(&outcomes[1], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    memset(&line, 0, sizeof line);
    memset(&run, 0, sizeof run);
    assert_int_equal(sp_pool_join_lost(fixture->pool, &line, &run), 1);
    assert_int_equal(sp_histogram_count(&line), 1);
    assert_true(line.sum_ns >= 950000);
    assert_int_equal(sp_histogram_count(&run), 0); // it runs
    pass(2000);
    serve_for(scene, &call, 0);
    (void)fixture_tick(fixture, 12);
    assert_int_equal(sp_pool_join_lost(fixture->pool, &line, &run), 1);
    assert_int_equal(sp_histogram_count(&run), 1);
    assert_true(run.sum_ns >= 1900000);
    sp_pool_times(fixture->pool, &line, &run);
    assert_int_equal(sp_histogram_count(&line), 1); // the first one
    assert_int_equal(sp_histogram_count(&run), 0);
}

// ---- Streams --------------------------------------------------------------------

static void begin(struct scene *scene)
{
    const struct sp_order how = {.timeout_ms = 0};
    assert_int_equal(scene_open(scene, &how), SNAKEPIT_OK);
    scene_start(scene);
}

static void chunks_are_counted_when_they_were_read(void **state)
{
    struct scene *scene = *state;
    begin(scene);
    scene_put(scene, "one");
    scene_put(scene, "three");
    scene_put(scene, "");
    scene_finish(scene);
    assert_int_equal(look()->traffic.pieces, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_OK);
    }
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_END);
    assert_int_equal(look()->traffic.pieces, 3);
    assert_int_equal(figures.traffic.chunks, strlen("one") + strlen("three"));
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
    assert_int_equal(look()->traffic.pieces, 3);
    assert_int_equal(sp_histogram_count(&figures.chunk), 1);
}

static void a_stream_that_is_closed_has_the_chunks_that_were_read(void **state)
{
    struct scene *scene = *state;
    begin(scene);
    scene_put(scene, "one");
    scene_put(scene, "two");
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_OK);
    sp_stream_close(scene->stream);
    assert_int_equal(look()->traffic.pieces, 1);
    assert_int_equal(figures.traffic.chunks, 3);
    scene_finish(scene);
    fixture_drain(fixture);
}

static void a_stream_without_chunks_has_no_first_one(void **state)
{
    struct scene *scene = *state;
    begin(scene);
    scene_finish(scene);
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
    assert_int_equal(look()->traffic.pieces, 0);
    assert_int_equal(sp_histogram_count(&figures.chunk), 0);
}

static void a_stream_has_kept_its_worker_busy(void **state)
{
    struct scene *scene = *state;
    static struct sp_histogram line;
    static struct sp_histogram run;
    begin(scene);
    serve_for(scene, &scene->call, 2000);
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
    memset(&run, 0, sizeof run);
    (void)sp_pool_join_lost(fixture->pool, &line, &run);
    assert_true(run.sum_ns >= 1900000);
    assert_int_equal(sp_histogram_count(&run), 0);
}

static void the_first_chunk_has_its_time_and_no_other_one_has(void **state)
{
    struct scene *scene = *state;
    const uint64_t before = sp_clock_now();
    begin(scene);
    const uint64_t begun = sp_clock_now();
    pass(2000);
    scene_put(scene, "one");
    const uint64_t least = sp_clock_now() - begun;
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_OK);
    const uint64_t most = sp_clock_now() - before;
    pass(2000);
    scene_put(scene, "two");
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_OK);
    scene_finish(scene);
    assert_int_equal(sp_stream_next(scene->stream), SNAKEPIT_END);
    sp_stream_close(scene->stream);
    assert_int_equal(sp_histogram_count(&look()->chunk), 1);
    assert_true(figures.chunk.sum_ns >= least);
    assert_true(figures.chunk.sum_ns <= most);
}

// ---- What calls carry and hold --------------------------------------------------

static void serve(struct scene *scene, const char *tool, const char *text)
{
    struct outcome outcome;
    assert_int_equal(fixture_submit(fixture, tool, text, 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(fixture, scene->side));
    assert_int_equal(outcome.ended, 1);
}

static void arguments_and_results_are_counted_in_bytes(void **state)
{
    struct scene *scene = *state;
    serve(scene, "echo", "12345");
    serve(scene, "echo", "");
    serve(scene, "fault", "123"); // its answer is no result
    serve(scene, "large", "1");
    assert_int_equal(look()->traffic.arguments, 5 + 0 + 3 + 1);
    assert_int_equal(figures.traffic.results, 5 + 0 + 0 + FAKE_LARGE);
    assert_int_equal(figures.traffic.tensors, 0);
}

static void what_was_refused_has_carried_nothing(void **state)
{
    struct outcome outcome;
    (void)state;
    sp_pool_begin_close(fixture->pool);
    assert_int_equal(fixture_submit(fixture, "echo", "123", 0, &outcome),
                     SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(look()->traffic.arguments, 0);
}

static void tensors_are_counted_and_held_until_python_lets_go(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome;
    struct fake_call call;
    assert_int_equal(fixture_submit_tensor(fixture, "keep", 0, &outcome), SNAKEPIT_OK);
    assert_int_equal(look()->held_by_python, 0); // its call is under way
    assert_true(fake_take_started(scene->side->fake, &call));
    fake_serve(scene->side->fake, &call);
    fixture_drain(fixture);
    assert_int_equal(outcome.ended, 1);
    assert_int_equal(look()->traffic.tensors, 64);
    assert_int_equal(figures.held_by_python, 1);
    fake_return_lease(scene->side->fake, call.request.lease);
    fixture_drain(fixture);
    serve(scene, "echo", "x"); // whoever looks at the worker takes it back
    assert_int_equal(look()->held_by_python, 0);
}

static void what_python_held_goes_with_its_worker(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome;
    assert_int_equal(fixture_submit_tensor(fixture, "keep", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(fixture, scene->side));
    assert_int_equal(look()->held_by_python, 1);
    fixture_kill(fixture, scene->side, "exit code 1");
    assert_int_equal(look()->held_by_python, 0);
}

static void a_large_result_is_held_until_the_program_frees_it(void **state)
{
    struct scene *scene = *state;
    struct sp_call *call;
    fake_start(scene->side->fake);
    const struct sp_order order = {.text = {.tool = "large", .tool_size = 5}};
    assert_int_equal(sp_pool_call(fixture->pool, &order, &call), SNAKEPIT_OK);
    assert_int_equal(look()->held_by_program, 1);
    sp_pool_release(call);
    assert_int_equal(look()->held_by_program, 0);
    const struct sp_order small = {.text = {.tool = "echo", .tool_size = 4}};
    assert_int_equal(sp_pool_call(fixture->pool, &small, &call), SNAKEPIT_OK);
    assert_int_equal(look()->held_by_program, 0);
    sp_pool_release(call);
}

// ---- Examples -------------------------------------------------------------------

// Of each size the last one.
static void calls_that_are_traced_are_examples(void **state)
{
    static const uint8_t trace[5][16] = {{1}, {2}, {3}, {4}, {5}};
    struct sp_exemplars *traced = &fixture->pool->times.traced;
    struct scene *scene = *state;
    serve(scene, "echo", "x"); // it is not traced
    for (uint32_t i = 0; i < SP_EXEMPLARS; i++) {
        assert_int_equal(look()->traced.of[i].at_ms, 0);
    }
    sp_exemplars_note(traced, trace[0], 130000, 1);
    sp_exemplars_note(traced, trace[1], 132000, 2);
    sp_exemplars_note(traced, trace[2], 140000, 3);
    sp_exemplars_note(traced, trace[3], UINT64_MAX, 4);
    assert_int_equal(look()->traced.of[0].trace[0], 1);
    assert_int_equal(figures.traced.of[1].trace[0], 3);
    assert_int_equal(figures.traced.of[2].at_ms, 0);
    assert_int_equal(figures.traced.of[3].trace[0], 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_in_its_worker_from_when_it_was_handed_over),
        TEST(what_waited_in_the_line_is_in_its_worker_after_that),
        TEST(a_caller_that_waits_knows_when_it_began_to),
        TEST(what_a_worker_claims_is_no_time_below_zero),
        TEST(a_call_that_gave_no_answer_is_not_told),
        TEST(what_ends_without_an_answer_is_counted_on_its_own),
        TEST(chunks_are_counted_when_they_were_read),
        TEST(a_stream_that_is_closed_has_the_chunks_that_were_read),
        TEST(a_stream_without_chunks_has_no_first_one),
        TEST(a_stream_has_kept_its_worker_busy),
        TEST(the_first_chunk_has_its_time_and_no_other_one_has),
        TEST(arguments_and_results_are_counted_in_bytes),
        TEST(what_was_refused_has_carried_nothing),
        TEST(tensors_are_counted_and_held_until_python_lets_go),
        TEST(what_python_held_goes_with_its_worker),
        TEST(a_large_result_is_held_until_the_program_frees_it),
        TEST(calls_that_are_traced_are_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
