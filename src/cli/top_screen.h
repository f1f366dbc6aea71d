// SPDX-License-Identifier: MIT
// The terminal, by ncurses. Where the command was built without that there is none.
//
// Owner: the main thread.
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "cli/top_grid.h"

struct sp_top_screen;

// Takes the terminal over; it is as it was after sp_top_screen_close(). UNSUPPORTED: it
// is none that this can be shown on, or ncurses was left out; `why` says which. SYSTEM.
snakepit_err sp_top_screen_open(struct sp_top_screen **screen, snakepit_message *why);
void sp_top_screen_close(struct sp_top_screen *screen);

// Makes the grid as large as the terminal is now, all blank. NO_MEMORY.
snakepit_err sp_top_screen_begin(struct sp_top_screen *screen,
                                 struct sp_top_grid *grid);
void sp_top_screen_draw(struct sp_top_screen *screen, const struct sp_top_grid *grid);

// The next key (cli/top_ui.h), without waiting. 0: there is none; SP_TOP_KEY_RESIZED:
// the terminal has another size.
#define SP_TOP_KEY_RESIZED 0x120000u
uint32_t sp_top_screen_key(struct sp_top_screen *screen);
// Whether the terminal is gone.
bool sp_top_screen_is_gone(const struct sp_top_screen *screen);

// Gives the terminal back, stops the process, and takes it over again.
void sp_top_screen_suspend(struct sp_top_screen *screen);
// The next drawing writes every cell.
void sp_top_screen_refresh(struct sp_top_screen *screen);

#endif
