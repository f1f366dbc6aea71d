// SPDX-License-Identifier: MIT
// What somebody looks at, and what their keys do to that. Nothing here asks a daemon or
// touches a terminal: a key gives an action, which somebody else carries out.
#ifndef CLI_TOP_UI_H
#define CLI_TOP_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/top_table.h"

#define SP_TOP_FILTER 64u // bytes, with a zero behind it
#define SP_TOP_NOTICE 512u
#define SP_TOP_DEPTH  8u // of views that lead into each other

// Keys that are no character; characters are their Unicode numbers.
enum sp_top_key {
    SP_TOP_KEY_UP = 0x110000,
    SP_TOP_KEY_DOWN,
    SP_TOP_KEY_LEFT,
    SP_TOP_KEY_RIGHT,
    SP_TOP_KEY_PAGE_UP,
    SP_TOP_KEY_PAGE_DOWN,
    SP_TOP_KEY_HOME,
    SP_TOP_KEY_END,
    SP_TOP_KEY_ENTER,
    SP_TOP_KEY_ESCAPE,
    SP_TOP_KEY_BACKSPACE,
    SP_TOP_KEY_TAB,
    SP_TOP_KEY_BACK_TAB,
};

enum sp_top_mode {
    SP_TOP_BROWSES,
    SP_TOP_FILTERS, // types a filter
    SP_TOP_SORTS,   // a letter chooses a column
    SP_TOP_ASKS,    // yes or no
};

enum sp_top_pane { SP_TOP_NO_PANE, SP_TOP_HELP, SP_TOP_TEXT_PANE };

enum sp_top_act {
    SP_TOP_NOTHING,
    SP_TOP_QUIT,
    SP_TOP_SUSPEND,
    SP_TOP_REDRAW,  // the terminal is to be written anew
    SP_TOP_PAUSE,   // `paused` has changed
    SP_TOP_RECYCLE, // the worker, or, where it is 0, the pool
    SP_TOP_CANCEL,  // the call
    SP_TOP_STACKS,  // of the worker
};

struct sp_top_action {
    enum sp_top_act act;
    uint64_t worker;
    uint64_t call;
    char pool[SP_TOP_NAME];
};

// How one view is shown.
struct sp_top_shown {
    size_t sort; // a column, or SP_TOP_UNSORTED
    bool falling;
    size_t column; // under the cursor
};

// Where Enter has led.
struct sp_top_place {
    enum sp_top_view view;
    char pool[SP_TOP_NAME]; // "": all
    char tool[SP_TOP_NAME]; // likewise
    uint64_t worker;        // 0: all
    uint64_t cursor;        // the key of the line under the cursor; 0: the first
    size_t at;              // its place when it was last seen
    size_t top;             // the first line that is shown
};

// Owner: one thread. Zeroed, and then sp_top_ui_init().
struct sp_top_ui {
    struct sp_top_shown shown[SP_TOP_VIEWS];
    struct sp_top_place places[SP_TOP_DEPTH]; // the last one is looked at
    size_t depth;                             // their number, at least 1
    char filter[SP_TOP_FILTER];
    enum sp_top_mode mode;
    struct sp_top_action asked; // SP_TOP_ASKS: what a yes does
    bool paused;
    enum sp_top_pane pane;
    struct sp_buf text; // of the pane, zero-terminated lines of UTF-8
    size_t text_top;    // the first line of it that is shown
    size_t page;        // lines of the table that are shown; the layout writes it
    char notice[SP_TOP_NOTICE]; // what was last said; ""
    bool alarm;                 // and it is about something that failed
};

void sp_top_ui_init(struct sp_top_ui *ui);
void sp_top_ui_fini(struct sp_top_ui *ui);

struct sp_top_place *sp_top_ui_place(struct sp_top_ui *ui);
// What the table is to be made of. Borrows from `ui`.
struct sp_top_choice sp_top_ui_choice(struct sp_top_ui *ui, uint64_t now_ms);
// The line under the cursor, or NULL; the cursor follows its line when the order has
// changed, and stays in its place when that is gone.
const struct sp_top_line *sp_top_ui_settle(struct sp_top_ui *ui,
                                           const struct sp_top_table *table);

// Takes a key. What it chooses is there at once; the table must be made anew
// afterwards.
struct sp_top_action
sp_top_ui_key(struct sp_top_ui *ui, const struct sp_top_table *table, uint32_t key);

// Says something below the table, until the next key.
void sp_top_ui_say(struct sp_top_ui *ui, bool alarm, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Shows a text beside the table; it is copied, and cleaned. NO_MEMORY.
snakepit_err sp_top_ui_show(struct sp_top_ui *ui, const char *text, size_t size);

#endif
