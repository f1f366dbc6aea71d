// SPDX-License-Identifier: MIT
#include "cli/top_ui.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "top_scene.h"

// Somebody before the scene's model. Owner: one test.
struct seat {
    struct sp_top_model model;
    struct sp_top_table table;
    struct sp_top_ui ui;
};

static void make(struct seat *seat)
{
    const struct sp_top_choice choice = sp_top_ui_choice(&seat->ui, TOP_NOW);
    assert_int_equal(sp_top_table_make(&seat->table, &seat->model, &choice),
                     SNAKEPIT_OK);
}

static void sit_down(struct seat *seat)
{
    *seat = (struct seat){.model = {.known = false}};
    sp_top_ui_init(&seat->ui);
    top_take(&seat->model, "snapshot", top_snapshot);
    make(seat);
}

static void get_up(struct seat *seat)
{
    sp_top_ui_fini(&seat->ui);
    sp_top_table_fini(&seat->table);
    sp_top_model_fini(&seat->model);
}

static struct sp_top_action press(struct seat *seat, uint32_t key)
{
    const struct sp_top_action action = sp_top_ui_key(&seat->ui, &seat->table, key);
    make(seat);
    return action;
}

static void type(struct seat *seat, const char *keys)
{
    for (; *keys != '\0'; keys++) {
        assert_int_equal(press(seat, (uint32_t)*keys).act, SP_TOP_NOTHING);
    }
}

static const struct sp_top_line *chosen(struct seat *seat)
{
    return sp_top_ui_settle(&seat->ui, &seat->table);
}

// ---- Where one is -------------------------------------------------------------------

static void digits_and_tab_choose_a_view(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    assert_int_equal(seat.table.view, SP_TOP_POOLS);
    type(&seat, "4");
    assert_int_equal(seat.table.view, SP_TOP_CALLS);
    press(&seat, SP_TOP_KEY_TAB);
    assert_int_equal(seat.table.view, SP_TOP_POOLS);
    press(&seat, SP_TOP_KEY_BACK_TAB);
    press(&seat, SP_TOP_KEY_BACK_TAB);
    assert_int_equal(seat.table.view, SP_TOP_TOOLS);
    get_up(&seat);
}

static void enter_goes_into_a_line_and_escape_comes_back(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    press(&seat, SP_TOP_KEY_DOWN);
    press(&seat, SP_TOP_KEY_ENTER);
    assert_int_equal(seat.table.view, SP_TOP_WORKERS);
    assert_int_equal(seat.table.count, 1);
    assert_int_equal(chosen(&seat)->about.worker, 3);
    press(&seat, SP_TOP_KEY_ENTER);
    assert_int_equal(seat.table.view, SP_TOP_CALLS);
    assert_int_equal(seat.table.count, 2);
    press(&seat, SP_TOP_KEY_ENTER); // a call has nothing in it
    assert_int_equal(seat.table.view, SP_TOP_CALLS);
    press(&seat, SP_TOP_KEY_ESCAPE);
    press(&seat, SP_TOP_KEY_ESCAPE);
    assert_int_equal(seat.table.view, SP_TOP_POOLS);
    assert_string_equal(chosen(&seat)->about.pool, "numbers");
    press(&seat, SP_TOP_KEY_ESCAPE);
    assert_int_equal(seat.table.view, SP_TOP_POOLS);
    get_up(&seat);
}

static void the_cursor_stays_with_its_line_when_others_move(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "2");
    press(&seat, SP_TOP_KEY_DOWN);
    assert_int_equal(chosen(&seat)->about.worker, 2);
    type(&seat, "or"); // sorts by memory
    assert_int_equal(chosen(&seat)->about.worker, 2);
    type(&seat, "op");
    top_take(&seat.model, "delta", "{\"gone\":{\"workers\":[2]}}");
    make(&seat);
    assert_non_null(chosen(&seat)); // its place stays
    assert_int_equal(sp_top_ui_place(&seat.ui)->at, 1);
    top_take(&seat.model, "delta", "{\"gone\":{\"workers\":[1,3]}}");
    make(&seat);
    assert_null(chosen(&seat));
    press(&seat, SP_TOP_KEY_DOWN);
    press(&seat, SP_TOP_KEY_ENTER);
    assert_int_equal(seat.table.view, SP_TOP_WORKERS);
    get_up(&seat);
}

static void the_cursor_moves_within_the_table(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "4");
    seat.ui.page = 2;
    press(&seat, SP_TOP_KEY_UP);
    assert_int_equal(chosen(&seat)->about.call, 4096);
    press(&seat, SP_TOP_KEY_PAGE_DOWN);
    assert_int_equal(chosen(&seat)->about.call, 5001);
    press(&seat, SP_TOP_KEY_END);
    press(&seat, SP_TOP_KEY_DOWN);
    assert_int_equal(chosen(&seat)->about.call, 10);
    press(&seat, SP_TOP_KEY_PAGE_UP);
    press(&seat, SP_TOP_KEY_UP);
    assert_int_equal(chosen(&seat)->about.call, 5000);
    press(&seat, SP_TOP_KEY_HOME);
    assert_int_equal(chosen(&seat)->about.call, 4096);
    // Who is at the first line stays there, whichever it becomes.
    type(&seat, "or");
    assert_int_equal(chosen(&seat)->about.call, 5001);
    get_up(&seat);
}

// ---- Order and filter ---------------------------------------------------------------

static void sorting_turns_around_and_ends(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    const struct sp_top_shown *shown = &seat.ui.shown[SP_TOP_POOLS];
    type(&seat, "s"); // the first column is a text: from A on
    assert_int_equal(shown->sort, 0);
    assert_false(shown->falling);
    assert_string_equal(chosen(&seat)->about.pool, "numbers");
    type(&seat, "s");
    assert_true(shown->falling);
    type(&seat, "s");
    assert_true(shown->sort == SP_TOP_UNSORTED);
    type(&seat, "oc"); // a figure: the greatest first
    assert_true(shown->falling);
    assert_string_equal(chosen(&seat)->about.pool, "text");
    press(&seat, SP_TOP_KEY_LEFT);
    type(&seat, "s");
    assert_int_equal(shown->column + 1, 7);
    type(&seat, "o!"); // no column has that letter
    assert_int_equal(shown->sort, 6);
    get_up(&seat);
}

static void the_cursor_of_columns_stays_among_them(void **state)
{
    (void)state;
    struct seat seat;
    size_t count;
    sit_down(&seat);
    (void)sp_top_columns(SP_TOP_POOLS, &count);
    press(&seat, SP_TOP_KEY_LEFT);
    assert_int_equal(seat.ui.shown[SP_TOP_POOLS].column, 0);
    for (size_t i = 0; i < count + 3; i++) {
        press(&seat, SP_TOP_KEY_RIGHT);
    }
    assert_int_equal(seat.ui.shown[SP_TOP_POOLS].column, count - 1);
    get_up(&seat);
}

static void a_filter_holds_while_it_is_typed_until_it_is_taken_back(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "2/draq");
    assert_int_equal(seat.table.count, 0);
    press(&seat, SP_TOP_KEY_BACKSPACE);
    assert_int_equal(seat.table.count, 1);
    press(&seat, SP_TOP_KEY_ENTER);
    assert_int_equal(seat.ui.mode, SP_TOP_BROWSES);
    assert_int_equal(seat.table.count, 1);
    press(&seat, SP_TOP_KEY_ESCAPE);
    assert_int_equal(seat.table.count, 3);
    type(&seat, "/dr");
    press(&seat, SP_TOP_KEY_ESCAPE);
    assert_int_equal(seat.table.count, 3);
    get_up(&seat);
}

static void a_filter_is_bounded_and_of_whole_characters(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "/");
    press(&seat, 0xe9); // é
    press(&seat, 0x20ac);
    press(&seat, 0x1f40d);
    assert_string_equal(seat.ui.filter, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d");
    press(&seat, 0x9b); // a control code is none
    press(&seat, SP_TOP_KEY_BACKSPACE);
    assert_string_equal(seat.ui.filter, "\xc3\xa9\xe2\x82\xac");
    for (int i = 0; i < 100; i++) {
        press(&seat, 0x20ac);
    }
    assert_int_equal(strlen(seat.ui.filter), 62);
    get_up(&seat);
}

// ---- Actions ------------------------------------------------------------------------

static void a_recycle_asks_once(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "r");
    assert_string_equal(seat.ui.notice, "recycle each worker of pool text? y/n");
    type(&seat, "n");
    assert_string_equal(seat.ui.notice, "not done");
    type(&seat, "r");
    struct sp_top_action action = press(&seat, 'y');
    assert_int_equal(action.act, SP_TOP_RECYCLE);
    assert_int_equal(action.worker, 0);
    assert_string_equal(action.pool, "text");
    type(&seat, "2r");
    assert_string_equal(seat.ui.notice, "recycle worker 1 of pool text? y/n");
    // What was asked about is meant, whatever is there when the answer comes.
    top_take(&seat.model, "delta", "{\"gone\":{\"workers\":[1]}}");
    make(&seat);
    action = press(&seat, 'y');
    assert_int_equal(action.act, SP_TOP_RECYCLE);
    assert_int_equal(action.worker, 1);
    type(&seat, "4r");
    assert_true(seat.ui.alarm);
    assert_int_equal(seat.ui.mode, SP_TOP_BROWSES);
    get_up(&seat);
}

static void a_call_under_way_is_cancelled(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "c");
    assert_string_equal(seat.ui.notice, "a call is cancelled: choose one (4)");
    type(&seat, "4k");
    assert_string_equal(seat.ui.notice, "cancel call 4096 of tool slow?[31m? y/n");
    const struct sp_top_action action = press(&seat, 'y');
    assert_int_equal(action.act, SP_TOP_CANCEL);
    assert_int_equal(action.call, 4096);
    press(&seat, SP_TOP_KEY_END);
    type(&seat, "c");
    assert_string_equal(seat.ui.notice, "this call has ended");
    get_up(&seat);
}

static void stacks_are_those_of_a_worker(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    type(&seat, "S");
    assert_true(seat.ui.alarm);
    type(&seat, "2");
    const struct sp_top_action action = press(&seat, 'S');
    assert_int_equal(action.act, SP_TOP_STACKS);
    assert_int_equal(action.worker, 1);
    assert_int_equal(sp_top_ui_show(&seat.ui, "a\x1b\nb\n", 5), SNAKEPIT_OK);
    assert_string_equal((const char *)seat.ui.text.data, "a?\nb\n");
    press(&seat, SP_TOP_KEY_DOWN);
    assert_int_equal(seat.ui.text_top, 1);
    assert_int_equal(chosen(&seat)->about.worker, 1); // the pane was scrolled
    press(&seat, SP_TOP_KEY_ESCAPE);
    assert_int_equal(seat.ui.pane, SP_TOP_NO_PANE);
    get_up(&seat);
}

static void keys_end_suspend_and_pause(void **state)
{
    (void)state;
    struct seat seat;
    sit_down(&seat);
    assert_int_equal(press(&seat, 'q').act, SP_TOP_QUIT);
    assert_int_equal(press(&seat, 3).act, SP_TOP_QUIT);
    assert_int_equal(press(&seat, 26).act, SP_TOP_SUSPEND);
    assert_int_equal(press(&seat, 12).act, SP_TOP_REDRAW);
    assert_int_equal(press(&seat, 'p').act, SP_TOP_PAUSE);
    assert_true(seat.ui.paused);
    assert_int_equal(press(&seat, 'p').act, SP_TOP_PAUSE);
    assert_false(seat.ui.paused);
    type(&seat, "/");
    assert_int_equal(press(&seat, 26).act, SP_TOP_SUSPEND); // whatever is typed
    assert_int_equal(press(&seat, 'q').act, SP_TOP_NOTHING);
    assert_string_equal(seat.ui.filter, "q");
    get_up(&seat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_and_tab_choose_a_view),
        cmocka_unit_test(enter_goes_into_a_line_and_escape_comes_back),
        cmocka_unit_test(the_cursor_stays_with_its_line_when_others_move),
        cmocka_unit_test(the_cursor_moves_within_the_table),
        cmocka_unit_test(sorting_turns_around_and_ends),
        cmocka_unit_test(the_cursor_of_columns_stays_among_them),
        cmocka_unit_test(a_filter_holds_while_it_is_typed_until_it_is_taken_back),
        cmocka_unit_test(a_filter_is_bounded_and_of_whole_characters),
        cmocka_unit_test(a_recycle_asks_once),
        cmocka_unit_test(a_call_under_way_is_cancelled),
        cmocka_unit_test(stacks_are_those_of_a_worker),
        cmocka_unit_test(keys_end_suspend_and_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
