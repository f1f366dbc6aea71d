// SPDX-License-Identifier: MIT
// Which calls are told as slow, while they run and when they have ended.
#include "pool/slow.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define LIMIT_MS 50u

static struct fixture fixture;
static struct sp_slow_call rows[SP_SLOW_MOST];

static int open_with(uint32_t limit_ms)
{
    struct sp_pool_options options = fixture_options();
    options.slow_call_ms = limit_ms;
    fixture_open(&fixture, &options);
    return 0;
}

static int open_limited(void **state)
{
    (void)state;
    return open_with(LIMIT_MS);
}

static int open_default(void **state)
{
    (void)state;
    return open_with(0);
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static uint64_t ticks_of(uint32_t ms)
{
    return ms * UINT64_C(1000) * sp_clock_ticks_per_us();
}

// Ends a call of a tool that its worker says to have run for so long.
static void end_after(struct side *side, const char *tool, uint32_t ms)
{
    static struct outcome outcome;
    struct fake_call call;
    assert_int_equal(fixture_submit_tensor(&fixture, tool, 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    struct sp_slot_result result = fake_echo(side->fake, &call);
    result.ran_ticks = ticks_of(ms);
    fake_publish(side->fake, call.slot, &result);
    fixture_drain(&fixture);
}

static void a_call_that_has_ended_is_told_with_its_arguments(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    end_after(side, "quick", LIMIT_MS - 1);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 0);
    end_after(side, "slow", LIMIT_MS + 1);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 1);
    assert_string_equal(rows[0].tool, "slow");
    assert_string_equal(rows[0].arguments, "x: uint8[64]");
    assert_true(rows[0].ended);
    assert_int_equal(rows[0].worker, 1);
    assert_in_range(rows[0].running_us, LIMIT_MS * 1000, (LIMIT_MS + 2) * 1000);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 0); // it was taken
}

static void a_tool_is_told_once_a_minute(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    end_after(side, "slow", LIMIT_MS);
    end_after(side, "slow", LIMIT_MS);
    end_after(side, "other", LIMIT_MS);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 2);
    end_after(side, "slow", LIMIT_MS);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 0);
    const struct sp_slice name = sp_slice_of_text("slow");
    sp_tools_find(&fixture.pool->tools, name)->slow_told_at -= 60 * SP_NS_PER_S;
    end_after(side, "slow", LIMIT_MS);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 1);
}

static void no_more_wait_to_be_told_than_there_is_room_for(void **state)
{
    char tool[] = "tool0";
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    for (uint32_t i = 0; i < SP_SLOW_MOST + 2; i++) {
        tool[4] = (char)('0' + i);
        end_after(side, tool, LIMIT_MS);
    }
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), SP_SLOW_MOST);
    end_after(side, tool, LIMIT_MS); // it was not told, so it is now
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 1);
}

static void a_call_that_runs_is_told_before_it_ends(void **state)
{
    static struct outcome outcome;
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    struct sp_stamp *stamp = &side->seat->port->view.stamps[0];
    atomic_store(&stamp->call,
                 SP_ENTRY(side->seat->calls.next, struct sp_call, placement.link)->id);
    atomic_store(&stamp->since, sp_clock_ticks());
    fixture.pool->slow.ticks = ticks_of(3600000);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 0);
    fixture.pool->slow.ticks = 0;
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 1);
    assert_string_equal(rows[0].tool, "echo");
    assert_string_equal(rows[0].arguments, ""); // they are no map
    assert_false(rows[0].ended);
    atomic_store(&stamp->call, 0);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 0); // it was told
}

static void nothing_is_told_where_nothing_is_slow(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    end_after(side, "slow", 3000000);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 0);
    // A reload says otherwise.
    struct sp_pool_options options = fixture_options();
    options.slow_call_ms = LIMIT_MS;
    sp_pool_retune(fixture.pool, &options);
    end_after(side, "slow", LIMIT_MS);
    assert_int_equal(sp_pool_take_slow(fixture.pool, rows), 1);
}

int main(void)
{
#define test(name, open) cmocka_unit_test_setup_teardown(name, open, close_fixture)
    const struct CMUnitTest tests[] = {
        test(a_call_that_has_ended_is_told_with_its_arguments, open_limited),
        test(a_tool_is_told_once_a_minute, open_limited),
        test(no_more_wait_to_be_told_than_there_is_room_for, open_limited),
        test(a_call_that_runs_is_told_before_it_ends, open_limited),
        test(nothing_is_told_where_nothing_is_slow, open_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
