// SPDX-License-Identifier: MIT
// The whole screen: title, views, sums, the table, a pane, what was said last, and the
// keys.
#ifndef CLI_TOP_LAYOUT_H
#define CLI_TOP_LAYOUT_H

#include "cli/top_grid.h"
#include "cli/top_model.h"
#include "cli/top_table.h"
#include "cli/top_ui.h"

#define SP_TOP_LEAST_WIDTH  20u // of a terminal that it fits into
#define SP_TOP_LEAST_HEIGHT 6u

// All of it borrowed.
struct sp_top_scene {
    struct sp_top_ui
        *ui; // its places and what it scrolls are kept within what there is
    const struct sp_top_model *model;
    const struct sp_top_table *table;
    const char *address; // where the daemon is
    const char *lost;    // why it is not heard; NULL: it is
    uint64_t now_ms;     // its clock
};

// Writes all of the grid. A terminal that is too small is told so.
void sp_top_layout(struct sp_top_grid *grid, const struct sp_top_scene *scene);

#endif
