// SPDX-License-Identifier: MIT
// What a daemon, or whatever answers in its place, tells to `snakepit top`: whatever it
// is, the screen is written, and has nothing that a terminal must not be shown.
#include <locale.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "cli/top_layout.h"
#include "fuzz.h"

static void check_row(const struct sp_top_grid *grid, unsigned y)
{
    char room[SP_TOP_WIDTH_MAX * SP_TOP_GLYPH];
    char cleaned[sizeof room];
    const char *text = sp_top_grid_text(grid, y, room, sizeof room);
    memcpy(cleaned, text, strlen(text) + 1);
    sp_text_clean(cleaned, strlen(cleaned), SP_TEXT_LINE);
    SP_CHECK(strcmp(cleaned, text) == 0);
}

static void show(struct sp_top_ui *ui, const struct sp_top_model *model)
{
    struct sp_top_table table = {.count = 0};
    struct sp_top_grid grid = {.ascii = false};
    const struct sp_top_scene scene = {.ui = ui,
                                       .model = model,
                                       .table = &table,
                                       .address = "unix:/s",
                                       .now_ms = model->time_ms + 1};
    for (uint32_t key = '1'; key <= '4'; key++) {
        (void)sp_top_ui_key(ui, &table, key);
        struct sp_top_choice choice = sp_top_ui_choice(ui, model->time_ms + 1);
        SP_CHECK(sp_top_table_make(&table, model, &choice) == SNAKEPIT_OK);
        (void)sp_top_ui_key(ui, &table, SP_TOP_KEY_DOWN);
        (void)sp_top_ui_key(ui, &table, 'r');
        (void)sp_top_ui_key(ui, &table, 's'); // no answer
        SP_CHECK(sp_top_grid_begin(&grid, 90, 14) == SNAKEPIT_OK);
        sp_top_layout(&grid, &scene);
        for (unsigned y = 0; y < grid.height; y++) {
            check_row(&grid, y);
        }
    }
    sp_top_grid_fini(&grid);
    sp_top_table_fini(&table);
}

// A snapshot, and behind the first zero a delta.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_top_model model = {.known = false};
    struct sp_top_ui ui;
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t first = zero != NULL ? (size_t)(zero - data) : size;
    SP_CHECK(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    snakepit_err err =
        sp_top_model_take(&model, "snapshot", (struct sp_slice){data, first});
    if (err == SNAKEPIT_OK && zero != NULL) {
        err = sp_top_model_take(
            &model, "delta", (struct sp_slice){zero + 1, size - first - 1});
    }
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED);
    sp_top_ui_init(&ui);
    show(&ui, &model);
    sp_top_ui_fini(&ui);
    sp_top_model_fini(&model);
    return 0;
}
