// SPDX-License-Identifier: MIT
#include "cli/top_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/top_figures.h"
#include "top_scene.h"

// The scene's model and a table of it. Owner: one test.
struct made {
    struct sp_top_model model;
    struct sp_top_table table;
    struct sp_top_choice choice;
};

static struct sp_top_choice choice_of(enum sp_top_view view)
{
    return (struct sp_top_choice){.view = view,
                                  .pool = "",
                                  .tool = "",
                                  .filter = "",
                                  .sort = SP_TOP_UNSORTED,
                                  .now_ms = TOP_NOW};
}

static void begin(struct made *made, enum sp_top_view view)
{
    *made = (struct made){.choice = choice_of(view)};
    top_take(&made->model, "snapshot", top_snapshot);
}

static void make(struct made *made)
{
    assert_int_equal(sp_top_table_make(&made->table, &made->model, &made->choice),
                     SNAKEPIT_OK);
}

static void end(struct made *made)
{
    sp_top_table_fini(&made->table);
    sp_top_model_fini(&made->model);
}

static size_t column_of(enum sp_top_view view, const char *title)
{
    size_t count;
    const struct sp_top_column *columns = sp_top_columns(view, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i].title, title) == 0) {
            return i;
        }
    }
    fail_msg("there is no column %s", title);
    return 0;
}

static const struct sp_top_cell *
cell_of(const struct made *made, size_t at, const char *title)
{
    const size_t column = column_of(made->choice.view, title);
    return &sp_top_table_line(&made->table, at)->cells[column];
}

static void
assert_cell(const struct made *made, size_t at, const char *title, const char *text)
{
    assert_string_equal(sp_top_cell_text(&made->table, cell_of(made, at, title)), text);
}

// The texts of one column, one after the other.
static void assert_column(const struct made *made, const char *title, const char *texts)
{
    char found[256] = "";
    for (size_t at = 0; at < made->table.count; at++) {
        const char *text = sp_top_cell_text(&made->table, cell_of(made, at, title));
        (void)snprintf(found + strlen(found),
                       sizeof found - strlen(found),
                       "%s%s",
                       at > 0 ? " " : "",
                       text);
    }
    assert_string_equal(found, texts);
}

// ---- Columns ----------------------------------------------------------------------

static void each_letter_names_one_column_of_its_view(void **state)
{
    (void)state;
    for (int view = 0; view < SP_TOP_VIEWS; view++) {
        size_t count;
        const struct sp_top_column *columns =
            sp_top_columns((enum sp_top_view)view, &count);
        assert_true(count > 0);
        assert_int_equal(columns[0].view, view);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = i + 1; j < count; j++) {
                assert_int_not_equal(columns[i].letter, columns[j].letter);
            }
            assert_true(columns[i].kind != SP_TOP_SHARE || columns[i].of != NULL);
        }
    }
}

// ---- Views ------------------------------------------------------------------------

static void pools_are_shown_as_the_daemon_has_them(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_POOLS);
    make(&made);
    assert_column(&made, "pool", "text numbers");
    assert_cell(&made, 0, "workers", "2/2");
    assert_cell(&made, 0, "run", "1/2");
    assert_cell(&made, 0, "calls/s", "812");
    assert_cell(&made, 0, "line50", "20us");
    assert_cell(&made, 0, "line99", "4.0ms");
    assert_cell(&made, 0, "run99", ""); // null
    assert_cell(&made, 1, "run50", ""); // not there
    assert_cell(&made, 1, "calls", "123k");
    assert_cell(&made, 1, "fail/s", "0.5");
    assert_cell(&made, 1, "why", "worker 4 does not start: no model");
    assert_int_equal(cell_of(&made, 0, "state")->mood, SP_TOP_GOOD);
    assert_int_equal(cell_of(&made, 1, "state")->mood, SP_TOP_WARNS);
    end(&made);
}

static void workers_are_shown_with_what_they_run(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_WORKERS);
    made.choice.now_ms = TOP_NOW + 1000;
    make(&made);
    assert_column(&made, "worker", "1 2 3");
    assert_column(&made, "calls", "1/1 0/1 2/8");
    assert_column(&made, "health", "healthy unhealthy ");
    assert_column(&made, "age", "1m6s 6.0s 1d1h");
    assert_column(&made, "rss", "50M 40M ");
    assert_cell(&made, 1, "state", "stuck");
    assert_int_equal(cell_of(&made, 1, "state")->mood, SP_TOP_BAD);
    assert_cell(&made, 2, "runs", "order +1"); // for longest, and one more
    assert_cell(&made, 2, "for", "11s");
    assert_cell(&made, 1, "runs", "");
    end(&made);
}

static void control_codes_of_others_are_not_shown(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_WORKERS);
    top_take(&made.model,
             "delta",
             "{\"workers\":[{\"id\":2,\"pool\":\"a\\u0000b\\u009bc\",\"executors\":[{"
             "\"tool\":\"x\\ny\\u202e\",\"call\":1,\"since_ms\":1}]}]}");
    make(&made);
    assert_cell(&made, 0, "runs", "slow?[31m");
    assert_cell(&made, 1, "pool", "a?b??c");
    assert_cell(&made, 1, "runs", "x y???");
    end(&made);
}

static void calls_under_way_come_before_those_that_have_ended(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_CALLS);
    make(&made);
    assert_column(&made, "call", "4096 5000 5001 11 10");
    assert_column(&made, "state", "running running asking TOOL_FAILED OK");
    assert_column(&made, "worker", "1 3 3 2 1");
    assert_column(&made, "ran", "1.2s 100ms 10s 2.5s 1.5ms");
    assert_column(&made, "began", "1.2s 100ms 10s 1.0s 3.0s");
    assert_cell(&made, 3, "error", "ValueError: no such order");
    assert_int_equal(cell_of(&made, 3, "state")->mood, SP_TOP_BAD);
    assert_int_equal(cell_of(&made, 4, "state")->mood, SP_TOP_PLAIN);
    assert_true(sp_top_table_line(&made.table, 0)->about.runs);
    assert_int_equal(sp_top_table_line(&made.table, 0)->about.call, 4096);
    assert_false(sp_top_table_line(&made.table, 3)->about.runs);
    end(&made);
}

static void calls_in_line_come_behind_those_that_run(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_CALLS);
    for (int i = 0; i < 2; i++) { // those of before are replaced
        assert_int_equal(
            sp_top_model_take_waiting(
                &made.model,
                sp_slice_of_text("{\"calls\":[{\"call\":70,\"pool\":\"text\",\"tool\":"
                                 "\"order\",\"state\":\"line\",\"since_us\":500000},{"
                                 "\"call\":71,\"worker\":3,\"state\":\"worker\"}]}")),
            SNAKEPIT_OK);
    }
    made.choice.now_ms += 250;
    make(&made);
    assert_column(&made, "call", "4096 5000 5001 70 71 11 10");
    assert_cell(&made, 3, "state", "in line");
    assert_cell(&made, 3, "waited", "750ms");
    assert_cell(&made, 3, "worker", "");
    assert_cell(&made, 4, "state", "in worker");
    assert_cell(&made, 4, "worker", "3");
    assert_true(sp_top_table_line(&made.table, 3)->about.runs);
    assert_int_equal(
        sp_top_model_take_waiting(&made.model, sp_slice_of_text("{\"calls\":[]}")),
        SNAKEPIT_OK);
    make(&made);
    assert_int_equal(made.table.count, 5);
    end(&made);
}

static void tools_are_what_their_calls_have_done(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_TOOLS);
    make(&made);
    assert_column(&made, "tool", "slow?[31m sum order order");
    assert_column(&made, "pool", "text numbers numbers text");
    assert_column(&made, "run", "1 1 1 0");
    assert_column(&made, "calls", "0 0 0 2");
    assert_column(&made, "failed", "0 0 0 1");
    assert_cell(&made, 3, "run50", "1.5ms");
    assert_cell(&made, 0, "run50", "");
    assert_cell(&made, 3, "last error", "ValueError: no such order");
    end(&made);
}

static void a_daemon_that_counts_the_calls_of_tools_is_believed(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_TOOLS);
    top_take(&made.model,
             "delta",
             "{\"tools\":[{\"pool\":\"text\",\"tool\":\"order\",\"calls\":5000,"
             "\"failures\":70},{\"pool\":\"text\",\"tool\":\"old\",\"calls\":3,"
             "\"failures\":0}]}");
    top_take(&made.model,
             "delta",
             "{\"tools\":[{\"pool\":\"text\",\"tool\":\"order\",\"calls\":5001,"
             "\"failures\":71}]}");
    make(&made);
    assert_column(&made, "tool", "slow?[31m sum order order old");
    assert_column(&made, "calls", "0 0 0 5001 3");
    assert_column(&made, "failed", "0 0 0 71 0");
    assert_cell(&made, 3, "run50", "1.5ms");
    top_take(&made.model, "delta", "{\"gone\":{\"pools\":[\"text\"]}}");
    assert_int_equal(made.model.tools.count, 0);
    end(&made);
}

// ---- Choosing ---------------------------------------------------------------------

static void a_filter_keeps_lines_with_a_cell_that_contains_it(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_WORKERS);
    made.choice.filter = "DRAIN";
    make(&made);
    assert_column(&made, "worker", "3");
    made.choice.filter = "471";
    make(&made);
    assert_int_equal(made.table.count, 3);
    made.choice.filter = "nowhere";
    make(&made);
    assert_int_equal(made.table.count, 0);
    end(&made);
}

static void a_place_shows_what_is_of_it(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_WORKERS);
    made.choice.pool = "text";
    make(&made);
    assert_column(&made, "worker", "1 2");
    made.choice = choice_of(SP_TOP_CALLS);
    made.choice.worker = 3;
    make(&made);
    assert_column(&made, "call", "5000 5001");
    made.choice.worker = 0;
    made.choice.pool = "text";
    made.choice.tool = "order";
    make(&made);
    assert_column(&made, "call", "11 10");
    end(&made);
}

static void lines_are_sorted_as_figures_or_as_texts(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_CALLS);
    made.choice.sort = column_of(SP_TOP_CALLS, "ran");
    make(&made);
    assert_column(&made, "call", "10 5000 4096 11 5001");
    made.choice.falling = true;
    make(&made);
    assert_column(&made, "call", "5001 11 4096 5000 10");
    made.choice.sort = column_of(SP_TOP_CALLS, "tool");
    made.choice.falling = false;
    make(&made);
    assert_column(&made, "call", "5001 11 10 4096 5000"); // equal ones as they were
    end(&made);
}

static void a_line_has_the_same_key_wherever_it_goes(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_CALLS);
    make(&made);
    const uint64_t key = sp_top_table_line(&made.table, 0)->key;
    assert_int_not_equal(key, sp_top_table_line(&made.table, 1)->key);
    made.choice.sort = column_of(SP_TOP_CALLS, "ran");
    made.choice.now_ms += 5000;
    make(&made);
    assert_int_equal(sp_top_table_line(&made.table, 3)->about.call, 4096);
    assert_int_equal(sp_top_table_line(&made.table, 3)->key, key);
    end(&made);
}

static void whatever_there_is_no_memory_for_is_told(void **state)
{
    (void)state;
    struct made made;
    begin(&made, SP_TOP_TOOLS);
    for (int view = 0; view < SP_TOP_VIEWS; view++) {
        snakepit_err err = SNAKEPIT_NO_MEMORY;
        for (long n = 1; err != SNAKEPIT_OK; n++) {
            const struct sp_top_choice choice = choice_of((enum sp_top_view)view);
            sp_top_table_fini(&made.table);
            sp_memory_fail_at(n);
            err = sp_top_table_make(&made.table, &made.model, &choice);
            const bool failed = sp_memory_has_failed() != 0;
            sp_memory_fail_at(0);
            assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
            assert_int_equal(made.table.count > 0, !failed);
        }
    }
    end(&made);
}

// ---- Figures ----------------------------------------------------------------------

static void figures_are_short(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } spans[] = {{0, "0us"},
                 {999, "999us"},
                 {1000, "1.0ms"},
                 {9949, "9.9ms"},
                 {9950, "10ms"},
                 {999499, "999ms"},
                 {1500000, "1.5s"},
                 {59999999, "60s"},
                 {60000000, "1m0s"},
                 {3600000000, "1h0m"},
                 {UINT64_C(90000000000), "1d1h"}};
    char room[SP_TOP_FIGURE];
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        sp_top_write_span(room, spans[i].us);
        assert_string_equal(room, spans[i].text);
    }
    sp_top_write_count(room, 99999);
    assert_string_equal(room, "99999");
    sp_top_write_count(room, 4500000);
    assert_string_equal(room, "4.5M");
    sp_top_write_bytes(room, 1023);
    assert_string_equal(room, "1023");
    sp_top_write_bytes(room, UINT64_MAX);
    assert_string_equal(room, "16777216T");
    sp_top_write_rate(room, 0.04);
    assert_string_equal(room, "0.0");
    sp_top_write_rate(room, 1e300);
    assert_string_equal(room, "18446744T");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_letter_names_one_column_of_its_view),
        cmocka_unit_test(pools_are_shown_as_the_daemon_has_them),
        cmocka_unit_test(workers_are_shown_with_what_they_run),
        cmocka_unit_test(control_codes_of_others_are_not_shown),
        cmocka_unit_test(calls_under_way_come_before_those_that_have_ended),
        cmocka_unit_test(calls_in_line_come_behind_those_that_run),
        cmocka_unit_test(tools_are_what_their_calls_have_done),
        cmocka_unit_test(a_daemon_that_counts_the_calls_of_tools_is_believed),
        cmocka_unit_test(a_filter_keeps_lines_with_a_cell_that_contains_it),
        cmocka_unit_test(a_place_shows_what_is_of_it),
        cmocka_unit_test(lines_are_sorted_as_figures_or_as_texts),
        cmocka_unit_test(a_line_has_the_same_key_wherever_it_goes),
        cmocka_unit_test(whatever_there_is_no_memory_for_is_told),
        cmocka_unit_test(figures_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
