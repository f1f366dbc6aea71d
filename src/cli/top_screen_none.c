// SPDX-License-Identifier: MIT
// A build without ncurses.
#include "cli/text.h"
#include "cli/top_screen.h"

snakepit_err sp_top_screen_open(struct sp_top_screen **screen, snakepit_message *why)
{
    (void)screen;
    sp_cli_explain(why,
                   "this snakepit was built without ncurses, so it has no full-screen "
                   "view; --once prints one snapshot, or build it again with "
                   "libncurses-dev installed");
    return SNAKEPIT_UNSUPPORTED;
}

void sp_top_screen_close(struct sp_top_screen *screen)
{
    (void)screen;
}

snakepit_err sp_top_screen_begin(struct sp_top_screen *screen, struct sp_top_grid *grid)
{
    (void)screen;
    (void)grid;
    return SNAKEPIT_UNSUPPORTED;
}

void sp_top_screen_draw(struct sp_top_screen *screen, const struct sp_top_grid *grid)
{
    (void)screen;
    (void)grid;
}

uint32_t sp_top_screen_key(struct sp_top_screen *screen)
{
    (void)screen;
    return 0;
}

bool sp_top_screen_is_gone(const struct sp_top_screen *screen)
{
    (void)screen;
    return true;
}

void sp_top_screen_suspend(struct sp_top_screen *screen)
{
    (void)screen;
}

void sp_top_screen_refresh(struct sp_top_screen *screen)
{
    (void)screen;
}
