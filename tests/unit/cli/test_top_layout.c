// SPDX-License-Identifier: MIT
#include "cli/top_layout.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "top_scene.h"

// A screen that shows the scene's model. Owner: one test.
struct shown {
    struct sp_top_model model;
    struct sp_top_table table;
    struct sp_top_ui ui;
    struct sp_top_grid grid;
    const char *lost;
};

static void begin(struct shown *shown)
{
    *shown = (struct shown){.lost = NULL};
    sp_top_ui_init(&shown->ui);
    top_take(&shown->model, "snapshot", top_snapshot);
}

static void end(struct shown *shown)
{
    sp_top_grid_fini(&shown->grid);
    sp_top_ui_fini(&shown->ui);
    sp_top_table_fini(&shown->table);
    sp_top_model_fini(&shown->model);
}

static void show(struct shown *shown, unsigned width, unsigned height)
{
    const struct sp_top_choice choice = sp_top_ui_choice(&shown->ui, TOP_NOW);
    const struct sp_top_scene scene = {.ui = &shown->ui,
                                       .model = &shown->model,
                                       .table = &shown->table,
                                       .address = "http://127.0.0.1:8470",
                                       .lost = shown->lost,
                                       .now_ms = TOP_NOW};
    assert_int_equal(sp_top_table_make(&shown->table, &shown->model, &choice),
                     SNAKEPIT_OK);
    assert_int_equal(sp_top_grid_begin(&shown->grid, width, height), SNAKEPIT_OK);
    sp_top_layout(&shown->grid, &scene);
}

static void press(struct shown *shown, uint32_t key)
{
    (void)sp_top_ui_key(&shown->ui, &shown->table, key);
}

static void assert_row(const struct shown *shown, unsigned y, const char *expected)
{
    char room[4000];
    assert_string_equal(sp_top_grid_text(&shown->grid, y, room, sizeof room), expected);
}

static bool row_has(const struct shown *shown, unsigned y, const char *text)
{
    char room[4000];
    return strstr(sp_top_grid_text(&shown->grid, y, room, sizeof room), text) != NULL;
}

static unsigned style_at(const struct shown *shown, unsigned x, unsigned y)
{
    return shown->grid.glyphs[y * shown->grid.width + x].style;
}

// ---- Sizes --------------------------------------------------------------------------

static void at_80_columns_the_figures_that_matter_are_there(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    show(&shown, 80, 24);
    assert_row(&shown,
               0,
               "snakepit top  http://127.0.0.1:8470  0.6.0  up 1h2m"
               "                         live");
    assert_row(&shown, 1, " 1 pools  2 workers  3 tools  4 calls");
    assert_row(&shown,
               2,
               "run 1/10  wait 3  819 calls/s  0.5 failed/s  workers 3/4 in 2 pools");
    assert_row(
        &shown,
        3,
        "pool    state    workers run wait calls/s fail/s line99 run50 calls failed");
    assert_row(
        &shown,
        4,
        "text    ready        2/2 1/2    3     812      0  4.0ms 1.2ms  1234      5");
    assert_row(
        &shown,
        5,
        "numbers degraded     1/2 0/8    0     7.0    0.5               123k      0");
    assert_row(&shown, 6, "");
    assert_row(&shown, 22, "worker 9 of pool text ended 12s ago: signal 9");
    assert_true(row_has(&shown, 23, "q quit"));
    end(&shown);
}

static void at_200_columns_all_of_them_are(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    show(&shown, 200, 50);
    assert_row(&shown,
               3,
               "pool     state     profile  workers  old  run  wait  calls/s  fail/s  "
               "line50  line99  run50  run99  calls  failed  deaths  why");
    assert_true(row_has(&shown, 5, "worker 4 does not start: no model"));
    end(&shown);
}

static void at_40_columns_names_and_states_are_left(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    show(&shown, 40, 10);
    assert_true(row_has(&shown, 3, "pool"));
    assert_row(&shown, 3, "pool     state     workers  run  wait");
    assert_row(&shown, 5, "numbers  degraded      1/2  0/8     0");
    assert_row(&shown, 9, "? help  q quit");
    press(&shown, '4');
    show(&shown, 40, 10);
    assert_row(&shown, 3, "call tool      state       worker   ran");
    assert_row(&shown, 4, "4096 slow?[31m running          1  1.2s");
    end(&shown);
}

static void any_size_is_written_without_harm(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    (void)sp_top_ui_show(&shown.ui, "one\ntwo\n", 8);
    for (unsigned width = 1; width < 130; width += 3) {
        for (unsigned height = 1; height < 30; height++) {
            show(&shown, width, height);
            press(&shown, width % 2 == 0 ? SP_TOP_KEY_TAB : '?');
            press(&shown, height % 3 == 0 ? SP_TOP_KEY_RIGHT : SP_TOP_KEY_DOWN);
        }
    }
    show(&shown, 15, 5);
    assert_row(&shown, 0, "too small; q qu");
    show(&shown, 5000, 5000);
    assert_int_equal(shown.grid.width, SP_TOP_WIDTH_MAX);
    assert_int_equal(shown.grid.height, SP_TOP_HEIGHT_MAX);
    end(&shown);
}

// ---- The table ----------------------------------------------------------------------

static void the_line_under_the_cursor_is_marked_and_in_sight(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    press(&shown, '4');
    show(&shown, 80, 7); // two lines
    assert_int_equal(shown.ui.page, 2);
    assert_true(style_at(&shown, 79, 4) & SP_TOP_STYLE_REVERSED);
    assert_false(style_at(&shown, 79, 5) & SP_TOP_STYLE_REVERSED);
    press(&shown, SP_TOP_KEY_END);
    show(&shown, 80, 7);
    assert_true(row_has(&shown, 5, "10"));
    assert_true(style_at(&shown, 79, 5) & SP_TOP_STYLE_REVERSED);
    assert_true(row_has(&shown, 4, "TOOL_FAILED"));
    press(&shown, SP_TOP_KEY_UP);
    press(&shown, SP_TOP_KEY_UP);
    show(&shown, 80, 7);
    assert_true(row_has(&shown, 4, "asking"));
    end(&shown);
}

static void the_order_is_marked_and_the_column_under_the_cursor_stays(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    show(&shown, 40, 10);
    assert_false(row_has(&shown, 3, "deaths"));
    press(&shown, 'o');
    show(&shown, 80, 10);
    assert_true(row_has(&shown, 9, "sort by n pool, s state"));
    press(&shown, 'd');
    show(&shown, 40, 10);
    assert_true(row_has(&shown, 3, "deathsv"));
    press(&shown, 's');
    show(&shown, 40, 10);
    assert_true(row_has(&shown, 3, "deaths^"));
    end(&shown);
}

static void states_have_colours(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    show(&shown, 80, 24);
    assert_int_equal(style_at(&shown, 8, 5) & SP_TOP_STYLE_COLOUR, SP_TOP_STYLE_WARNS);
    assert_int_equal(style_at(&shown, 8, 4) & SP_TOP_STYLE_COLOUR, SP_TOP_STYLE_GOOD);
    assert_int_equal(style_at(&shown, 0, 22) & SP_TOP_STYLE_COLOUR, SP_TOP_STYLE_BAD);
    end(&shown);
}

static void an_empty_table_says_so(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    strcpy(shown.ui.filter, "nowhere");
    show(&shown, 80, 24);
    assert_row(&shown, 4, "no line contains that");
    assert_true(row_has(&shown, 1, "/nowhere"));
    end(&shown);
}

static void a_lost_connection_is_told(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    shown.lost = "the daemon was lost; trying again";
    show(&shown, 80, 24);
    assert_true(row_has(&shown, 0, "reconnecting"));
    assert_row(&shown, 23, "the daemon was lost; trying again");
    end(&shown);
}

// ---- Panes --------------------------------------------------------------------------

static void a_pane_leaves_the_cursor_in_sight_where_there_is_room(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    press(&shown, '2');
    assert_int_equal(sp_top_ui_show(&shown.ui, "one\ntwo\nthree\n", 14), SNAKEPIT_OK);
    show(&shown, 80, 24);
    assert_true(row_has(&shown, 4, "4711"));
    assert_true(row_has(&shown, 9, "stacks, 3 of 3 lines"));
    assert_row(&shown, 10, "one");
    show(&shown, 80, 8);
    assert_true(row_has(&shown, 3, "stacks, 3 of 3 lines"));
    assert_row(&shown, 6, "three");
    end(&shown);
}

static void a_text_is_scrolled_to_its_end_and_no_further(void **state)
{
    (void)state;
    struct shown shown;
    begin(&shown);
    press(&shown, '?');
    show(&shown, 80, 10);
    assert_true(row_has(&shown, 4, "1 2 3 4, Tab"));
    press(&shown, SP_TOP_KEY_END);
    show(&shown, 80, 10);
    assert_true(row_has(&shown, 8, "the newest first"));
    press(&shown, SP_TOP_KEY_UP);
    show(&shown, 80, 10);
    assert_false(row_has(&shown, 8, "the newest first"));
    end(&shown);
}

// ---- Characters
// -----------------------------------------------------------------------

static void wide_characters_take_two_cells(void **state)
{
    (void)state;
    struct sp_top_grid grid = {.ascii = false};
    char room[64];
    assert_int_equal(sp_top_grid_begin(&grid, 6, 2), SNAKEPIT_OK);
    struct sp_top_slot slot = sp_top_slot_of(&grid, 0, 0, 6);
    sp_top_put(&slot, 0, "a\xe8\x9b\x87\x65\xcc\x81\xe8\x9b\x87\xe8\x9b\x87");
    assert_int_equal(slot.x, 6);
    assert_string_equal(sp_top_grid_text(&grid, 0, room, sizeof room),
                        "a\xe8\x9b\x87\x65\xcc\x81\xe8\x9b\x87");
    assert_string_equal(grid.glyphs[2].text, "");
    assert_string_equal(grid.glyphs[3].text, "e\xcc\x81"); // with what combines
    assert_int_equal(sp_top_width("a\xe8\x9b\x87\x65\xcc\x81"), 4);
    slot = sp_top_slot_of(&grid, 0, 1, 4);
    sp_top_put(&slot, 0, "abc\xe8\x9b\x87"); // half of it is not shown
    assert_string_equal(sp_top_grid_text(&grid, 1, room, sizeof room), "abc");
    sp_top_grid_fini(&grid);
}

static void what_a_terminal_must_not_be_shown_is_a_question_mark(void **state)
{
    (void)state;
    struct sp_top_grid grid = {.ascii = true};
    char room[64];
    assert_int_equal(sp_top_grid_begin(&grid, 20, 1), SNAKEPIT_OK);
    struct sp_top_slot slot = sp_top_slot_of(&grid, 0, 0, 20);
    sp_top_put(&slot, 0, "a\x1b[0m\xc2\x9b\xff\xc3\xa9z");
    assert_string_equal(sp_top_grid_text(&grid, 0, room, sizeof room), "a?[0m???z");
    sp_top_grid_fini(&grid);
}

static void a_grid_without_memory_is_told(void **state)
{
    (void)state;
    struct sp_top_grid grid = {.ascii = false};
    sp_memory_fail_at(1);
    assert_int_equal(sp_top_grid_begin(&grid, 6, 2), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    assert_int_equal(grid.width, 0);
    assert_int_equal(sp_top_slot_of(&grid, 0, 0, 4).end, 0);
    sp_top_grid_fini(&grid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_80_columns_the_figures_that_matter_are_there),
        cmocka_unit_test(at_200_columns_all_of_them_are),
        cmocka_unit_test(at_40_columns_names_and_states_are_left),
        cmocka_unit_test(any_size_is_written_without_harm),
        cmocka_unit_test(the_line_under_the_cursor_is_marked_and_in_sight),
        cmocka_unit_test(the_order_is_marked_and_the_column_under_the_cursor_stays),
        cmocka_unit_test(states_have_colours),
        cmocka_unit_test(an_empty_table_says_so),
        cmocka_unit_test(a_lost_connection_is_told),
        cmocka_unit_test(a_pane_leaves_the_cursor_in_sight_where_there_is_room),
        cmocka_unit_test(a_text_is_scrolled_to_its_end_and_no_further),
        cmocka_unit_test(wide_characters_take_two_cells),
        cmocka_unit_test(what_a_terminal_must_not_be_shown_is_a_question_mark),
        cmocka_unit_test(a_grid_without_memory_is_told),
    };
    // The one that glibc always has.
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
