// SPDX-License-Identifier: MIT
// Which calls there are, and which have been.
#include "pool/recent.h"

#include <string.h>

#include "base/memory.h"
#include "support/pool_fixture.h"

static struct fixture fixture;
static struct side *side;

static int open_fixture(void **state)
{
    struct sp_pool_options options = fixture_options();
    options.prefetch = 1;
    (void)state;
    fixture_open(&fixture, &options);
    side = fixture_add(&fixture, 1);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture.session = NULL;
    fixture_close(&fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

static void run(const char *tool)
{
    struct outcome outcome = {0};
    assert_int_equal(fixture_submit(&fixture, tool, "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(outcome.ended, 1);
}

// ---- Those under way ------------------------------------------------------------

static void assert_row(const struct sp_call_row *row,
                       const struct outcome *outcome,
                       enum sp_call_stage stage)
{
    assert_int_equal(row->call, outcome->id);
    assert_int_equal(row->stage, stage);
    assert_int_equal(row->worker, stage == SP_STAGE_LINE ? 0 : side->seat->worker_id);
    assert_string_equal(row->tool, "echo");
    assert_string_equal(row->session, "");
}

static void a_call_is_in_one_of_four_stages(void **state)
{
    static struct outcome outcomes[3];
    struct sp_call_row rows[4];
    struct fake_call running;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "x", 1000, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_true(fake_take_started(side->fake, &running));
    assert_int_equal(sp_pool_calls(fixture.pool, rows, 4), 3);
    assert_row(&rows[0], &outcomes[0], SP_STAGE_RUNNING);
    assert_row(&rows[1], &outcomes[1], SP_STAGE_WORKER);
    assert_row(&rows[2], &outcomes[2], SP_STAGE_LINE);
    assert_int_equal(rows[2].executor, SP_EXECUTOR_NONE);
    assert_true(rows[0].deadline != SP_NEVER && rows[0].deadline > sp_clock_now());
    assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[0].id), SNAKEPIT_OK);
    assert_int_equal(sp_pool_calls(fixture.pool, rows, 4), 3);
    assert_row(&rows[1], &outcomes[0], SP_STAGE_STOPPING);
    assert_row(&rows[0], &outcomes[1], SP_STAGE_WORKER);
    assert_int_equal(sp_pool_calls(fixture.pool, rows, 1), 3);
    fake_serve(side->fake, &running);
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(sp_pool_calls(fixture.pool, rows, 4), 0);
}

static void what_a_worker_runs_is_known_by_its_stamps(void **state)
{
    static struct outcome outcome;
    struct sp_call_row row;
    struct fake_call running;
    (void)state;
    fixture.session = "mine";
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &running));
    assert_int_equal(sp_pool_calls(fixture.pool, &row, 1), 1);
    assert_int_equal(row.executor, SP_EXECUTOR_NONE);
    struct sp_stamp *stamp = &side->port->view.stamps[0];
    atomic_store(&stamp->since, sp_clock_ticks() - 2000 * sp_clock_ticks_per_us());
    atomic_store(&stamp->call, outcome.id);
    assert_int_equal(sp_pool_calls(fixture.pool, &row, 1), 1);
    assert_int_equal(row.executor, 0);
    assert_in_range(row.since_us, 2000, 60000000);
    assert_string_equal(row.session, "mine");
    atomic_store(&stamp->call, 0);
    fake_serve(side->fake, &running);
    fixture_drain(&fixture);
}

// ---- Those that have ended ------------------------------------------------------

static void calls_are_noted_only_while_somebody_wants_that(void **state)
{
    struct sp_ended rows[4];
    (void)state;
    run("echo");
    assert_int_equal(sp_pool_ended(fixture.pool, 0, rows, 4), 0);
    assert_int_equal(sp_pool_record(fixture.pool, true), SNAKEPIT_OK);
    assert_int_equal(sp_pool_record(fixture.pool, true), SNAKEPIT_OK);
    fixture.session = "mine";
    run("echo");
    assert_int_equal(sp_pool_ended(fixture.pool, 0, rows, 4), 1);
    assert_int_equal(rows[0].number, 1);
    assert_int_equal(rows[0].err, SNAKEPIT_OK);
    assert_int_equal(rows[0].worker, side->seat == NULL ? 0 : side->seat->worker_id);
    assert_int_equal(rows[0].executor, 0);
    assert_int_equal(rows[0].tool_size, 4);
    assert_int_equal(rows[0].session_size, 4);
    assert_memory_equal(rows[0].text, "echomine", 8);
    assert_false(rows[0].slow);
    assert_int_equal(sp_pool_ended(fixture.pool, 1, rows, 4), 0);
    assert_int_equal(sp_pool_record(fixture.pool, false), SNAKEPIT_OK);
    run("echo");
    assert_int_equal(sp_pool_ended(fixture.pool, 0, rows, 4), 0);
    // What was noted before is forgotten, and the numbers go on.
    assert_int_equal(sp_pool_record(fixture.pool, true), SNAKEPIT_OK);
    run("echo");
    assert_int_equal(sp_pool_ended(fixture.pool, 0, rows, 4), 1);
    assert_int_equal(rows[0].number, 2);
}

static void the_newest_are_there_oldest_first(void **state)
{
    struct sp_ended rows[3];
    (void)state;
    assert_int_equal(sp_pool_record(fixture.pool, true), SNAKEPIT_OK);
    for (uint32_t i = 0; i < SP_RECENT_ROWS + 10; i++) {
        run("echo");
    }
    assert_int_equal(sp_pool_ended(fixture.pool, 0, rows, 3), 3);
    assert_int_equal(rows[0].number, SP_RECENT_ROWS + 8);
    assert_int_equal(rows[2].number, SP_RECENT_ROWS + 10);
    assert_true(rows[0].ended_us <= rows[2].ended_us);
    assert_int_equal(sp_pool_ended(fixture.pool, SP_RECENT_ROWS + 9, rows, 3), 1);
    struct sp_ended *all = sp_alloc_array(SP_RECENT_ROWS + 10, sizeof *all);
    assert_non_null(all);
    assert_int_equal(sp_pool_ended(fixture.pool, 0, all, SP_RECENT_ROWS + 10),
                     SP_RECENT_ROWS);
    assert_int_equal(all[0].number, 11);
    sp_free(all);
}

static void what_fails_is_kept_with_its_reason(void **state)
{
    struct sp_kept_call rows[4];
    (void)state;
    run("echo");
    run("fault");
    assert_int_equal(sp_pool_kept(fixture.pool, 0, rows, 4), 1);
    assert_int_equal(rows[0].row.err, SNAKEPIT_TOOL_FAILED);
    assert_memory_equal(rows[0].row.text, "fault", 5);
    assert_string_equal(rows[0].error, "ValueError: no");
    assert_int_equal(sp_pool_kept(fixture.pool, 1, rows, 4), 0);
}

static void what_is_given_up_keeps_its_name(void **state)
{
    static struct outcome outcomes[2];
    struct sp_kept_call rows[4];
    struct fake_call running;
    (void)state;
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 50, &outcomes[0]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 50, &outcomes[1]),
                     SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &running));
    struct sp_stamp *stamp = &side->port->view.stamps[0];
    atomic_store(&stamp->since, sp_clock_ticks() - 3000 * sp_clock_ticks_per_us());
    atomic_store(&stamp->call, outcomes[0].id);
    (void)fixture_tick(&fixture, 60);
    assert_int_equal(sp_pool_kept(fixture.pool, 0, rows, 4), 2);
    const struct sp_kept_call *ran = &rows[rows[0].row.ran_us > 0 ? 0 : 1];
    const struct sp_kept_call *not = ran == &rows[0] ? &rows[1] : &rows[0];
    assert_int_equal(ran->row.err, SNAKEPIT_DEADLINE_EXCEEDED);
    assert_int_equal(ran->row.call, outcomes[0].id);
    assert_int_equal(ran->row.executor, 0);
    assert_true(ran->row.ran_us >= 3000);
    assert_memory_equal(ran->row.text, "echo", 4);
    assert_non_null(strstr(ran->error, "the call's time ran out while worker"));
    assert_int_equal(not->row.call, outcomes[1].id);
    assert_int_equal(not->row.executor, SP_EXECUTOR_NONE);
    assert_non_null(strstr(not->error, "before worker"));
    atomic_store(&stamp->call, 0);
    fake_serve(side->fake, &running);
    (void)fixture_tick(&fixture, 1);
}

static void what_is_slow_is_kept(void **state)
{
    struct sp_kept_call rows[2];
    (void)state;
    fixture.pool->recent.slow_ticks = 0;
    fixture.pool->recent.noted_ticks = 0;
    run("echo");
    assert_int_equal(sp_pool_kept(fixture.pool, 0, rows, 2), 1);
    assert_true(rows[0].row.slow);
    assert_int_equal(rows[0].row.err, SNAKEPIT_OK);
    assert_string_equal(rows[0].error, "");
}

static void texts_are_cut(void **state)
{
    char tool[SP_TOOL_NAME_MAX + 1];
    char session[SP_SESSION_MAX + 1];
    struct sp_ended row;
    (void)state;
    memset(tool, 't', sizeof tool - 1);
    memset(session, 's', sizeof session - 1);
    tool[sizeof tool - 1] = session[sizeof session - 1] = '\0';
    memcpy(tool, "echo", 4);
    assert_int_equal(sp_pool_record(fixture.pool, true), SNAKEPIT_OK);
    fixture.session = session;
    struct outcome outcome = {0};
    assert_int_equal(fixture_submit(&fixture, tool, "x", 10, &outcome), SNAKEPIT_OK);
    assert_int_equal(sp_pool_cancel(fixture.pool, outcome.id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_int_equal(sp_pool_ended(fixture.pool, 0, &row, 1), 1);
    assert_int_equal(row.tool_size, SP_RECENT_TOOL_MOST);
    assert_int_equal(row.session_size, SP_RECENT_TEXT - SP_RECENT_TOOL_MOST);
    assert_memory_equal(row.text, "echottt", 7);
    assert_int_equal(row.text[SP_RECENT_TEXT - 1], 's');
    fixture.session = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_in_one_of_four_stages),
        TEST(what_a_worker_runs_is_known_by_its_stamps),
        TEST(calls_are_noted_only_while_somebody_wants_that),
        TEST(the_newest_are_there_oldest_first),
        TEST(what_fails_is_kept_with_its_reason),
        TEST(what_is_given_up_keeps_its_name),
        TEST(what_is_slow_is_kept),
        TEST(texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
