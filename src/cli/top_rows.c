// SPDX-License-Identifier: MIT
// Columns are as wide as their widest cell. Where they do not fit, those that matter
// least go; the one under the cursor stays.
#include <string.h>

#include "base/check.h"
#include "cli/top_inside.h"

#define EMPTY_RANK 1000u // beside its own: a column without a single figure goes first
#define SPARE_RANK 5u    // from this on such a column is left out in any case

// ---- Columns ----------------------------------------------------------------------

struct fitted {
    const struct sp_top_column *columns;
    size_t count;
    unsigned widths[SP_TOP_COLUMNS_MAX]; // 0: it is left out
    unsigned gap;
};

static unsigned width_of(const struct sp_top_table *table,
                         const struct sp_top_column *column,
                         size_t number)
{
    unsigned widest = 0;
    for (size_t i = 0; i < table->count && widest < column->most; i++) {
        const struct sp_top_cell *cell = &table->lines[i].cells[number];
        const unsigned width = sp_top_width(sp_top_cell_text(table, cell));
        widest = width > widest ? width : widest;
    }
    return widest < column->most ? widest : column->most;
}

static unsigned total_of(const struct fitted *fitted, unsigned gap)
{
    unsigned total = 0;
    for (size_t i = 0; i < fitted->count; i++) {
        total += fitted->widths[i] > 0 ? fitted->widths[i] + gap : 0;
    }
    return total > gap ? total - gap : 0;
}

// The column that goes next; `count`: none may.
static size_t least_of(const struct fitted *fitted, const unsigned *ranks)
{
    size_t least = fitted->count;
    for (size_t i = 0; i < fitted->count; i++) {
        const bool may = fitted->widths[i] > 0 && ranks[i] > 0;
        if (may && (least == fitted->count || ranks[i] >= ranks[least])) {
            least = i;
        }
    }
    return least;
}

static void drop(struct fitted *fitted, const unsigned *ranks, unsigned width)
{
    size_t least = 0;
    while (total_of(fitted, 1) > width && least < fitted->count) {
        least = least_of(fitted, ranks);
        if (least < fitted->count) {
            fitted->widths[least] = 0;
        }
    }
    fitted->gap = total_of(fitted, 2) <= width ? 2 : 1;
}

// A mark of the order needs a cell beside the title.
static void fit(struct fitted *fitted, const struct sp_top_scene *scene, unsigned width)
{
    unsigned ranks[SP_TOP_COLUMNS_MAX];
    const enum sp_top_view view = sp_top_ui_place(scene->ui)->view;
    const struct sp_top_shown *shown = &scene->ui->shown[view];
    fitted->columns = sp_top_columns(view, &fitted->count);
    for (size_t i = 0; i < fitted->count; i++) {
        const struct sp_top_column *column = &fitted->columns[i];
        const unsigned title =
            (unsigned)strlen(column->title) + (shown->sort == i ? 1 : 0);
        const unsigned widest = width_of(scene->table, column, i);
        fitted->widths[i] = widest > title ? widest : title;
        ranks[i] = column->rank;
        if (shown->column == i) {
            ranks[i] = 0;
        } else if (widest == 0 && column->rank >= SPARE_RANK) {
            fitted->widths[i] = 0;
        } else if (widest == 0 && column->rank > 0) {
            ranks[i] += EMPTY_RANK;
        }
    }
    drop(fitted, ranks, width);
}

// ---- Writing ----------------------------------------------------------------------

// A cell in its column, which is left aligned where it is a text.
static void put_cell(struct sp_top_slot *row,
                     const struct fitted *fitted,
                     size_t number,
                     unsigned style,
                     const char *text)
{
    const unsigned room = fitted->widths[number];
    const unsigned width = sp_top_width(text);
    const bool right = sp_top_is_number(fitted->columns[number].kind);
    struct sp_top_slot slot = sp_top_slot_of(row->grid, row->x, row->y, room);
    if (right && width < room) {
        slot.x += room - width;
    }
    slot.x = slot.x < slot.end ? slot.x : slot.end;
    sp_top_put(&slot, style, text);
    row->x += room + fitted->gap;
}

static void put_titles(struct sp_top_slot row,
                       const struct fitted *fitted,
                       const struct sp_top_shown *shown)
{
    const struct sp_top_slot whole = row;
    for (size_t i = 0; i < fitted->count; i++) {
        char title[32];
        const char *mark = shown->sort != i ? "" : shown->falling ? "v" : "^";
        const size_t size = strlen(fitted->columns[i].title);
        if (fitted->widths[i] == 0 || row.x >= row.end) {
            continue;
        }
        SP_CHECK(size + 2 <= sizeof title);
        memcpy(title, fitted->columns[i].title, size);
        memcpy(title + size, mark, strlen(mark) + 1);
        put_cell(&row,
                 fitted,
                 i,
                 SP_TOP_STYLE_HEAD | (shown->column == i ? SP_TOP_STYLE_UNDERLINED : 0),
                 title);
    }
    sp_top_mark(whole, SP_TOP_STYLE_BOLD);
}

static unsigned style_of(enum sp_top_mood mood)
{
    static const unsigned styles[] = {
        [SP_TOP_PLAIN] = SP_TOP_STYLE_PLAIN,
        [SP_TOP_GOOD] = SP_TOP_STYLE_GOOD,
        [SP_TOP_WARNS] = SP_TOP_STYLE_WARNS,
        [SP_TOP_BAD] = SP_TOP_STYLE_BAD | SP_TOP_STYLE_BOLD,
        [SP_TOP_FADED] = SP_TOP_STYLE_FADED,
    };
    return styles[mood];
}

static void put_row(struct sp_top_slot row,
                    const struct fitted *fitted,
                    const struct sp_top_table *table,
                    const struct sp_top_line *line)
{
    for (size_t i = 0; i < fitted->count; i++) {
        const struct sp_top_cell *cell = &line->cells[i];
        if (fitted->widths[i] > 0 && row.x < row.end) {
            put_cell(
                &row, fitted, i, style_of(cell->mood), sp_top_cell_text(table, cell));
        }
    }
}

// The cursor is among the lines that are shown.
static void scroll(struct sp_top_place *place, size_t rows, size_t count)
{
    if (place->at < place->top) {
        place->top = place->at;
    } else if (place->at >= place->top + rows) {
        place->top = place->at - rows + 1;
    }
    if (place->top + rows > count) {
        place->top = count > rows ? count - rows : 0;
    }
}

static void put_lines(struct sp_top_grid *grid,
                      const struct sp_top_scene *scene,
                      struct sp_top_area area,
                      const struct fitted *fitted)
{
    const struct sp_top_table *table = scene->table;
    struct sp_top_place *place = sp_top_ui_place(scene->ui);
    (void)sp_top_ui_settle(scene->ui, table);
    scroll(place, area.height, table->count);
    for (unsigned i = 0; i < area.height && place->top + i < table->count; i++) {
        const size_t at = place->top + i;
        const struct sp_top_slot row =
            sp_top_slot_of(grid, 0, area.top + i, grid->width);
        put_row(row, fitted, table, sp_top_table_line(table, at));
        if (at == place->at) {
            sp_top_mark(row, SP_TOP_STYLE_REVERSED);
        }
    }
    if (table->count == 0) {
        struct sp_top_slot row = sp_top_slot_of(grid, 0, area.top, grid->width);
        sp_top_put(&row,
                   SP_TOP_STYLE_FADED,
                   scene->ui->filter[0] != '\0' ? "no line contains that"
                                                : "there is none");
    }
}

void sp_top_put_table(struct sp_top_grid *grid,
                      const struct sp_top_scene *scene,
                      struct sp_top_area area)
{
    struct fitted fitted = {.gap = 1};
    const struct sp_top_shown *shown =
        &scene->ui->shown[sp_top_ui_place(scene->ui)->view];
    fit(&fitted, scene, grid->width);
    put_titles(sp_top_slot_of(grid, 0, area.top, grid->width), &fitted, shown);
    if (area.height > 1) {
        area.top++;
        area.height--;
        scene->ui->page = area.height;
        put_lines(grid, scene, area, &fitted);
    }
}
