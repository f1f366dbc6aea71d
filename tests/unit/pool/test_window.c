// SPDX-License-Identifier: MIT
// Memory of clients, and who has mapped it.
#include "support/pool_fixture.h"

#include <string.h>
#include <unistd.h>

#include "payload/wire.h"
#include "payload/writer.h"

#define SIZE 8192u

static struct fixture fixture;
static struct sp_segment memory;

static int set_up(void **state)
{
    (void)state;
    const struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
    assert_int_equal(sp_segment_create(&memory, "snakepit-test", SIZE, true, NULL),
                     SNAKEPIT_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    sp_segment_fini(&memory);
    return 0;
}

static snakepit_err open_window(struct sp_window **window)
{
    const struct sp_slice bytes = {memory.base, memory.size};
    int fd = dup(memory.fd);
    const snakepit_err err = sp_window_open(fixture.pool, fd, bytes, window);
    if (err != SNAKEPIT_OK) {
        (void)close(fd);
    }
    return err;
}

static struct sp_window *new_window(void)
{
    struct sp_window *window = NULL;
    assert_int_equal(open_window(&window), SNAKEPIT_OK);
    return window;
}

static void say_mapped(const struct side *side, uint64_t serial, bool mapped)
{
    sp_window_mapped(fixture.pool, side->seat, serial, mapped);
}

static void one_is_ready_once_all_workers_have_it(void **state)
{
    (void)state;
    struct side *first = fixture_add(&fixture, 1);
    struct side *second = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    assert_true(atomic_load(&fixture.attention) > 0);
    (void)fixture_tick(&fixture, 0);
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(first->maps, 1);
    assert_int_equal(second->maps, 1);
    assert_false(sp_window_is_ready(window));
    say_mapped(first, window->serial, true);
    assert_false(sp_window_is_ready(window));
    say_mapped(second, window->serial, true);
    assert_true(sp_window_is_ready(window));
    sp_window_unref(window);
}

static void one_without_workers_is_not_ready(void **state)
{
    (void)state;
    struct sp_window *window = new_window();
    (void)fixture_tick(&fixture, 0);
    assert_false(sp_window_is_ready(window));
    sp_window_unref(window);
}

static void what_a_worker_cannot_map_is_never_ready(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    (void)fixture_tick(&fixture, 0);
    say_mapped(side, window->serial, false);
    say_mapped(side, window->serial, true);
    assert_false(sp_window_is_ready(window));
    sp_window_unref(window);
}

static void nobody_has_what_he_was_not_told_of(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    say_mapped(side, window->serial, true);
    assert_false(sp_window_is_ready(window));
    (void)fixture_tick(&fixture, 0);
    say_mapped(side, window->serial + 1, true);
    say_mapped(side, 0, true);
    assert_false(sp_window_is_ready(window));
    sp_window_unref(window);
}

static void workers_come_and_go(void **state)
{
    (void)state;
    struct side *first = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    (void)fixture_tick(&fixture, 0);
    say_mapped(first, window->serial, true);
    assert_true(sp_window_is_ready(window));
    const uint32_t before = atomic_load(&fixture.attention);
    struct side *second = fixture_add(&fixture, 1);
    assert_true(atomic_load(&fixture.attention) > before);
    assert_false(sp_window_is_ready(window));
    (void)fixture_tick(&fixture, 0);
    assert_int_equal(second->maps, 1);
    fixture_kill(&fixture, second, "for the test");
    assert_true(sp_window_is_ready(window));
    sp_window_unref(window);
}

static void a_worker_whose_channel_is_full_is_told_later(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    side->is_full = true;
    assert_true(fixture_tick(&fixture, 0));
    side->is_full = false;
    assert_false(fixture_tick(&fixture, 0));
    assert_int_equal(side->maps, 1);
    sp_window_unref(window);
    side->is_full = true;
    assert_true(fixture_tick(&fixture, 0));
    assert_int_equal(fixture.pool->windows.count, 1);
    side->is_full = false;
    assert_false(fixture_tick(&fixture, 0));
    assert_int_equal(side->unmaps, 1);
    assert_int_equal(fixture.pool->windows.count, 0);
}

static void a_number_is_used_again_and_old_words_mean_nothing(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    const uint64_t old = window->serial;
    const uint32_t number = window->number;
    (void)fixture_tick(&fixture, 0);
    sp_window_unref(window);
    (void)fixture_tick(&fixture, 0);
    window = new_window();
    assert_int_equal(window->number, number);
    (void)fixture_tick(&fixture, 0);
    say_mapped(side, old, true);
    assert_false(sp_window_is_ready(window));
    say_mapped(side, window->serial, true);
    assert_true(sp_window_is_ready(window));
    sp_window_unref(window);
}

static void there_are_only_so_many(void **state)
{
    (void)state;
    struct sp_window *windows[SP_WINDOWS_MAX];
    struct sp_window *more = NULL;
    for (uint32_t i = 0; i < SP_WINDOWS_MAX; i++) {
        windows[i] = new_window();
        assert_int_equal(windows[i]->number, i + 1);
    }
    assert_int_equal(open_window(&more), SNAKEPIT_NO_MEMORY);
    for (uint32_t i = 0; i < SP_WINDOWS_MAX; i++) {
        sp_window_unref(windows[i]);
    }
    (void)fixture_tick(&fixture, 0);
    sp_window_unref(new_window());
}

// ---- Loans ---------------------------------------------------------------------

static uint32_t loans_ended;

static void note_ended(struct sp_loan *loan)
{
    (void)loan;
    loans_ended++;
}

// A call of `tool` with a tensor at `offset` of the memory.
static void
submit(struct sp_loan *loan, const char *tool, uint64_t offset, struct outcome *outcome)
{
    const snakepit_tensor tensor = {.data = memory.base + offset,
                                    .dtype = SNAKEPIT_UINT8,
                                    .rank = 1,
                                    .shape = {64}};
    snakepit_writer *writer = snakepit_writer_new();
    *outcome = (struct outcome){0};
    assert_non_null(writer);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "x");
    snakepit_writer_tensor(writer, &tensor);
    assert_int_equal(fixture_submit_lent(&fixture, tool, writer, loan, outcome),
                     SNAKEPIT_OK);
    snakepit_writer_free(writer);
}

static void a_tensor_on_loan_is_not_copied_and_comes_back(void **state)
{
    (void)state;
    struct outcome outcome;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    struct sp_loan loan = {.ended = note_ended};
    loans_ended = 0;
    sp_window_lend(window, &loan);
    const uint64_t used = sp_arena_used(&fixture.pool->store.arena);
    submit(&loan, "keep", 128, &outcome);
    assert_true(fake_take_started(side->fake, &call));
    assert_int_equal(sp_arena_used(&fixture.pool->store.arena), used + SP_PARCEL_BLOCK);
    assert_int_not_equal(call.request.lease, SP_NO_LEASE);
    // {"x": ext 8, 24 bytes, type 1: dtype, rank, 0, window, offset, shape}
    const uint8_t *ext = fixture.pool->store.segment.base + call.request.body + 3 + 3;
    uint32_t number;
    uint64_t offset;
    memcpy(&number, ext + 4, sizeof number);
    memcpy(&offset, ext + 8, sizeof offset);
    assert_int_equal(number, window->number);
    assert_int_equal(offset, 128);
    sp_loan_unref(&loan); // the caller's
    fake_serve(side->fake, &call);
    fixture_drain(&fixture);
    assert_int_equal(outcome.ended, 1);
    assert_int_equal(loans_ended, 0); // Python holds it
    fake_return_lease(side->fake, call.request.lease);
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(loans_ended, 1);
    sp_window_drop(window);
    sp_window_unref(window);
}

static void what_does_not_lie_in_the_loan_is_copied(void **state)
{
    (void)state;
    struct outcome outcome;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    struct sp_loan loan = {.ended = note_ended};
    loans_ended = 0;
    sp_window_lend(window, &loan);
    submit(&loan, "echo", 8, &outcome); // not aligned
    assert_int_equal(atomic_load(&loan.refs), 1);
    loan.size = 100;
    submit(&loan, "echo", 64, &outcome); // over its end
    assert_int_equal(atomic_load(&loan.refs), 1);
    loan.size = SIZE;
    loan.store = NULL; // another pool's
    submit(&loan, "echo", 64, &outcome);
    assert_int_equal(atomic_load(&loan.refs), 1);
    while (fixture_serve_one(&fixture, side)) {
    }
    sp_loan_unref(&loan);
    assert_int_equal(loans_ended, 1);
    sp_window_drop(window);
    sp_window_unref(window);
}

static void a_loan_ends_with_the_worker_that_has_it(void **state)
{
    (void)state;
    struct outcome outcome;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_window *window = new_window();
    struct sp_loan loan = {.ended = note_ended};
    loans_ended = 0;
    sp_window_lend(window, &loan);
    submit(&loan, "keep", 0, &outcome);
    sp_loan_unref(&loan);
    assert_true(fake_take_started(side->fake, &call));
    fake_serve(side->fake, &call);
    fixture_drain(&fixture);
    assert_int_equal(loans_ended, 0);
    fixture_kill(&fixture, side, "for the test");
    assert_int_equal(loans_ended, 1);
    sp_window_drop(window);
    sp_window_unref(window);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(one_is_ready_once_all_workers_have_it),
        test(one_without_workers_is_not_ready),
        test(what_a_worker_cannot_map_is_never_ready),
        test(nobody_has_what_he_was_not_told_of),
        test(workers_come_and_go),
        test(a_worker_whose_channel_is_full_is_told_later),
        test(a_number_is_used_again_and_old_words_mean_nothing),
        test(there_are_only_so_many),
        test(a_tensor_on_loan_is_not_copied_and_comes_back),
        test(what_does_not_lie_in_the_loan_is_copied),
        test(a_loan_ends_with_the_worker_that_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
