// SPDX-License-Identifier: MIT
// Widths are the C library's, which are those of the terminal library.
#include "cli/top_grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/text.h"

snakepit_err
sp_top_grid_begin(struct sp_top_grid *grid, unsigned width, unsigned height)
{
    width = width < SP_TOP_WIDTH_MAX ? width : SP_TOP_WIDTH_MAX;
    height = height < SP_TOP_HEIGHT_MAX ? height : SP_TOP_HEIGHT_MAX;
    const size_t count = (size_t)width * height;
    if (grid->width != width || grid->height != height) {
        sp_free(grid->glyphs);
        grid->width = grid->height = 0;
        grid->glyphs = sp_alloc_array(count + 1, sizeof *grid->glyphs);
        if (grid->glyphs == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        grid->width = width;
        grid->height = height;
    }
    for (size_t i = 0; i < count; i++) {
        grid->glyphs[i] = (struct sp_top_glyph){.text = " "};
    }
    return SNAKEPIT_OK;
}

void sp_top_grid_fini(struct sp_top_grid *grid)
{
    sp_free(grid->glyphs);
    *grid = (struct sp_top_grid){.ascii = grid->ascii};
}

struct sp_top_slot
sp_top_slot_of(struct sp_top_grid *grid, unsigned x, unsigned y, unsigned width)
{
    const bool inside = x < grid->width && y < grid->height;
    const unsigned left = inside ? grid->width - x : 0;
    return (struct sp_top_slot){
        .grid = grid, .x = x, .y = y, .end = x + (width < left ? width : left)};
}

static struct sp_top_glyph *glyph_at(const struct sp_top_slot *slot, unsigned x)
{
    return &slot->grid->glyphs[(size_t)slot->y * slot->grid->width + x];
}

// One character. Owner: one thread.
struct character {
    const char *text;
    size_t size;
    int width;
};

static struct character read_character(const char *text, bool ascii)
{
    static const char unknown[] = "?";
    const uint8_t *at = (const uint8_t *)text;
    struct character found = {.text = text, .size = 1, .width = 1};
    if (*at >= ' ' && *at < 0x7f) {
        return found;
    }
    const size_t size = sp_text_character(at, strlen(text));
    const uint32_t code = size > 0 ? sp_text_code(at, size) : 0;
    const bool shown = size > 0 && sp_text_may_be_shown(code) && !ascii;
    found.size = size > 0 ? size : 1;
    found.width = shown ? wcwidth((wchar_t)code) : -1;
    if (found.width < 0) {
        found.text = unknown;
        found.width = 1;
    }
    return found;
}

static void
combine(struct sp_top_slot *slot, unsigned begin, const struct character *found)
{
    unsigned x = slot->x;
    while (x > begin && glyph_at(slot, x - 1)->text[0] == '\0') {
        x--; // the right half of a wide one
    }
    if (x > begin) {
        char *text = glyph_at(slot, x - 1)->text;
        const size_t size = strlen(text);
        if (size + found->size < SP_TOP_GLYPH) {
            memcpy(text + size, found->text, found->size);
            text[size + found->size] = '\0';
        }
    }
}

// False: there is no room for it.
static bool
place(struct sp_top_slot *slot, unsigned style, const struct character *found)
{
    if (slot->x + (unsigned)found->width > slot->end) {
        return false;
    }
    const size_t size = found->text[0] == '?' ? 1 : found->size;
    struct sp_top_glyph *glyph = glyph_at(slot, slot->x);
    memcpy(glyph->text, found->text, size);
    glyph->text[size] = '\0';
    glyph->style = (uint8_t)style;
    for (int i = 1; i < found->width; i++) {
        glyph[i] = (struct sp_top_glyph){.text = "", .style = (uint8_t)style};
    }
    slot->x += (unsigned)found->width;
    return true;
}

void sp_top_put(struct sp_top_slot *slot, unsigned style, const char *text)
{
    const unsigned begin = slot->x;
    bool room = true;
    while (*text != '\0' && room) {
        const struct character found = read_character(text, slot->grid->ascii);
        if (found.width == 0) {
            combine(slot, begin, &found);
        } else {
            room = place(slot, style, &found);
        }
        text += found.size;
    }
}

void sp_top_printf(struct sp_top_slot *slot, unsigned style, const char *format, ...)
{
    char text[4 * SP_TOP_WIDTH_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sp_top_put(slot, style, text);
}

void sp_top_fill(struct sp_top_slot *slot, unsigned style)
{
    while (slot->x < slot->end) {
        sp_top_put(slot, style, " ");
    }
}

void sp_top_mark(struct sp_top_slot slot, unsigned style)
{
    for (; slot.x < slot.end; slot.x++) {
        glyph_at(&slot, slot.x)->style |= (uint8_t)style;
    }
}

unsigned sp_top_width(const char *text)
{
    unsigned width = 0;
    while (*text != '\0') {
        const struct character found = read_character(text, false);
        width += (unsigned)found.width;
        text += found.size;
    }
    return width;
}

const char *
sp_top_grid_text(const struct sp_top_grid *grid, unsigned y, char *room, size_t size)
{
    size_t used = 0;
    size_t end = 0; // behind the last that is no blank
    for (unsigned x = 0; x < grid->width && y < grid->height; x++) {
        const char *text = grid->glyphs[(size_t)y * grid->width + x].text;
        const size_t bytes = strlen(text);
        if (used + bytes >= size) {
            break;
        }
        memcpy(room + used, text, bytes);
        used += bytes;
        end = bytes > 0 && strcmp(text, " ") != 0 ? used : end;
    }
    room[end] = '\0';
    return room;
}
