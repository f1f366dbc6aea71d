// SPDX-License-Identifier: MIT
// The cells of a terminal, as they are to be.
#ifndef CLI_TOP_GRID_H
#define CLI_TOP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>

#define SP_TOP_GLYPH      24u // bytes of one, with what combines with it and a zero
#define SP_TOP_WIDTH_MAX  1000u
#define SP_TOP_HEIGHT_MAX 500u

// A colour, and what is added to it.
enum sp_top_style {
    SP_TOP_STYLE_PLAIN,
    SP_TOP_STYLE_GOOD,
    SP_TOP_STYLE_WARNS,
    SP_TOP_STYLE_BAD,
    SP_TOP_STYLE_FADED,
    SP_TOP_STYLE_HEAD,
    SP_TOP_STYLES,
};
#define SP_TOP_STYLE_COLOUR     0x0fu // the bits of an sp_top_style
#define SP_TOP_STYLE_BOLD       0x10u
#define SP_TOP_STYLE_REVERSED   0x20u
#define SP_TOP_STYLE_UNDERLINED 0x40u

struct sp_top_glyph {
    char text[SP_TOP_GLYPH]; // a character of UTF-8; "": the right half of a wide one
    uint8_t style;
};

// Owner: one thread. Zeroed it is empty.
struct sp_top_grid {
    unsigned width;
    unsigned height;
    bool ascii; // the terminal knows no more; set before anything is written
    struct sp_top_glyph *glyphs; // row by row
};

// Blanks of that size, which is bounded by the two above. NO_MEMORY.
snakepit_err
sp_top_grid_begin(struct sp_top_grid *grid, unsigned width, unsigned height);
void sp_top_grid_fini(struct sp_top_grid *grid);

// A place to write to: a part of a row.
struct sp_top_slot {
    struct sp_top_grid *grid;
    unsigned x; // the next cell
    unsigned y;
    unsigned end; // the cell where it ends
};
// Of the row from `x` on, `width` cells at most; empty outside of the grid.
struct sp_top_slot
sp_top_slot_of(struct sp_top_grid *grid, unsigned x, unsigned y, unsigned width);
// Writes UTF-8, cut where the slot ends; what has no width of its own is '?'.
void sp_top_put(struct sp_top_slot *slot, unsigned style, const char *text);
void sp_top_printf(struct sp_top_slot *slot, unsigned style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Fills the rest with blanks.
void sp_top_fill(struct sp_top_slot *slot, unsigned style);
// Gives a row's cells a style beside what they have.
void sp_top_mark(struct sp_top_slot slot, unsigned style);

// Cells that a text takes, as a terminal with the locale's characters shows it.
unsigned sp_top_width(const char *text);

// The row as text, without blanks at its end, into `room`; returns `room`.
const char *
sp_top_grid_text(const struct sp_top_grid *grid, unsigned y, char *room, size_t size);

#endif
