// SPDX-License-Identifier: MIT
// What the files that lay out the screen share.
#ifndef CLI_TOP_INSIDE_H
#define CLI_TOP_INSIDE_H

#include "cli/top_layout.h"

// Some rows of the grid.
struct sp_top_area {
    unsigned top;
    unsigned height; // at least 1
};

// Writes the titles of the columns that fit, and the lines around the cursor.
void sp_top_put_table(struct sp_top_grid *grid,
                      const struct sp_top_scene *scene,
                      struct sp_top_area area);

#endif
