// SPDX-License-Identifier: MIT
// What is counted for each tool, and for those that nobody knows.
#include "pool/tools.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "support/pool_fixture.h"

#define ROOM (SP_TOOLS_MOST + 1)

static struct fixture fixture;
static struct side *side;
static struct sp_tool_figures rows[ROOM];
static uint32_t row_count;

static int open_default(void **state)
{
    (void)state;
    const struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
    side = fixture_add(&fixture, 1);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

// A call from its beginning to its end.
static snakepit_err run(const char *tool)
{
    struct outcome outcome = {0};
    assert_int_equal(fixture_submit(&fixture, tool, "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(outcome.ended, 1);
    return outcome.err;
}

static void look(void)
{
    memset(rows, 0xff, sizeof rows);
    row_count = sp_pool_tools(fixture.pool, rows, ROOM);
    assert_int_equal(row_count, sp_pool_tool_count(fixture.pool));
    assert_string_equal(rows[row_count - 1].name, "_other");
}

static uint64_t ended(const char *tool, snakepit_err err)
{
    look();
    for (uint32_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].name, tool) == 0) {
            return rows[i].ended[err];
        }
    }
    fail_msg("%s has no row", tool);
    return 0;
}

static uint64_t ended_in_all(void)
{
    uint64_t count = 0;
    look();
    for (uint32_t i = 0; i < row_count; i++) {
        for (uint32_t err = 0; err < SP_ERRORS; err++) {
            count += rows[i].ended[err];
        }
    }
    return count;
}

static void each_tool_counts_its_calls_by_their_outcome(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run("echo"), SNAKEPIT_OK);
    }
    assert_int_equal(run("fault"), SNAKEPIT_TOOL_FAILED);
    assert_int_equal(ended("echo", SNAKEPIT_OK), 3);
    assert_int_equal(ended("fault", SNAKEPIT_TOOL_FAILED), 1);
    assert_int_equal(row_count, 3);
    assert_int_equal(rows[0].ran, 3);
    assert_int_equal(rows[1].ran, 1);
    assert_int_equal(ended_in_all(), 4);
}

static void times_of_all_tools_are_those_of_the_pool(void **state)
{
    static struct sp_histogram line;
    static struct sp_histogram run_times;
    (void)state;
    (void)run("echo");
    (void)run("fault");
    (void)run("unknown");
    look();
    sp_pool_times(fixture.pool, &line, &run_times);
    assert_int_equal(sp_histogram_count(&run_times), 3);
    assert_int_equal(run_times.sum_ns,
                     rows[0].ran_ns + rows[1].ran_ns + rows[2].ran_ns);
}

static void names_that_no_worker_knows_share_a_row(void **state)
{
    (void)state;
    assert_int_equal(run("unknown1"), SNAKEPIT_UNKNOWN_TOOL);
    assert_int_equal(run("unknown2"), SNAKEPIT_UNKNOWN_TOOL);
    assert_int_equal(ended("_other", SNAKEPIT_UNKNOWN_TOOL), 2);
    assert_int_equal(row_count, 1);
}

static void a_call_that_is_refused_makes_no_row(void **state)
{
    static struct outcome outcome;
    (void)state;
    sp_pool_set_state(fixture.pool, SP_POOL_DOWN, "for the test");
    assert_int_equal(fixture_submit(&fixture, "made up", "x", 0, &outcome),
                     SNAKEPIT_POOL_DOWN);
    assert_int_equal(ended("_other", SNAKEPIT_POOL_DOWN), 1);
    assert_int_equal(row_count, 1);
}

static void a_tool_that_only_ever_hangs_has_a_row(void **state)
{
    static struct outcome outcome;
    struct fake_call call;
    (void)state;
    assert_int_equal(fixture_submit(&fixture, "hangs", "x", 10, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    (void)fixture_tick(&fixture, 20);
    assert_ended(&outcome, SNAKEPIT_DEADLINE_EXCEEDED, "running");
    assert_int_equal(ended("hangs", SNAKEPIT_DEADLINE_EXCEEDED), 1);
}

static void a_tool_that_only_ever_kills_has_a_row(void **state)
{
    static struct outcome outcome;
    struct fake_call call;
    (void)state;
    assert_int_equal(fixture_submit(&fixture, "kills", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    fixture_kill(&fixture, side, "killed by the test");
    fixture_drain(&fixture);
    assert_int_equal(ended("kills", SNAKEPIT_WORKER_DIED), 1);
}

// Whatever is called, and as often as it likes.
static void rows_are_bounded(void **state)
{
    char name[32];
    (void)state;
    for (uint32_t i = 0; i < SP_TOOLS_MOST + 10; i++) {
        (void)snprintf(name, sizeof name, "tool %u", i);
        assert_int_equal(run(name), SNAKEPIT_OK);
    }
    assert_int_equal(ended("_other", SNAKEPIT_OK), 10);
    assert_int_equal(row_count, ROOM);
    assert_int_equal(run("tool 0"), SNAKEPIT_OK);
    assert_int_equal(ended("tool 0", SNAKEPIT_OK), 2);
    assert_int_equal(ended_in_all(), SP_TOOLS_MOST + 11);
}

static void a_row_needs_room_for_one_more_than_it_has(void **state)
{
    (void)state;
    (void)run("echo");
    (void)run("fault");
    assert_int_equal(sp_pool_tools(fixture.pool, rows, 2), 2);
    assert_string_equal(rows[0].name, "echo");
    assert_string_equal(rows[1].name, "_other");
    assert_int_equal(sp_pool_tools(fixture.pool, rows, 0), 0);
}

// No two rows may have one name, or whoever reads them refuses all of them.
static void a_name_that_could_be_taken_for_another_has_no_row(void **state)
{
    (void)state;
    assert_int_equal(run("_other"), SNAKEPIT_OK);
    assert_int_equal(run("a\x1b"), SNAKEPIT_OK);
    assert_int_equal(run("a\xff"), SNAKEPIT_OK);
    assert_int_equal(run("_other"), SNAKEPIT_OK);
    assert_int_equal(ended("_other", SNAKEPIT_OK), 4);
    assert_int_equal(row_count, 1);
}

// Their first, middle and last bytes are the same.
static void names_that_look_alike_have_rows_of_their_own(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)run("a1cxe");
        (void)run("a2cxe");
    }
    assert_int_equal(ended("a1cxe", SNAKEPIT_OK), 3);
    assert_int_equal(ended("a2cxe", SNAKEPIT_OK), 3);
}

static void without_memory_a_tool_counts_with_the_others(void **state)
{
    (void)state;
    for (long nth = 1; nth <= 2; nth++) {
        static struct outcome outcome;
        struct fake_call call;
        outcome = (struct outcome){0};
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome),
                         SNAKEPIT_OK);
        assert_true(fake_take_started(side->fake, &call));
        fake_serve(side->fake, &call);
        sp_memory_fail_at(nth);
        fixture_drain(&fixture);
        assert_true(sp_memory_has_failed());
        sp_memory_fail_at(0);
        assert_int_equal(outcome.err, SNAKEPIT_OK);
    }
    assert_int_equal(ended("_other", SNAKEPIT_OK), 2);
    assert_int_equal(run("echo"), SNAKEPIT_OK);
    assert_int_equal(ended("echo", SNAKEPIT_OK), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_tool_counts_its_calls_by_their_outcome),
        TEST(times_of_all_tools_are_those_of_the_pool),
        TEST(names_that_no_worker_knows_share_a_row),
        TEST(a_call_that_is_refused_makes_no_row),
        TEST(a_tool_that_only_ever_hangs_has_a_row),
        TEST(a_tool_that_only_ever_kills_has_a_row),
        TEST(rows_are_bounded),
        TEST(a_row_needs_room_for_one_more_than_it_has),
        TEST(a_name_that_could_be_taken_for_another_has_no_row),
        TEST(names_that_look_alike_have_rows_of_their_own),
        TEST(without_memory_a_tool_counts_with_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
