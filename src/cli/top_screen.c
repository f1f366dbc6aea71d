// SPDX-License-Identifier: MIT
// The terminal is in raw mode: Ctrl-C and Ctrl-Z are keys, so it is always given back
// before the process ends or stops.
#include "cli/top_screen.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

#include "base/memory.h"
#include "cli/text.h"
#include "cli/top_ui.h"

#define ESCAPE_MS 50 // that the rest of a key has to come

// Owner: the main thread.
struct sp_top_screen {
    SCREEN *screen;
    bool colours;
    bool ascii;
};

// ---- Life -------------------------------------------------------------------------

static const char *variable(const char *name)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

static snakepit_err refuse_terminal(snakepit_message *why)
{
    const char *type = variable("TERM");
    sp_cli_explain(why,
                   "a terminal of type \"%.64s\" cannot show this; set TERM to what it "
                   "is, or print one snapshot with --once",
                   type);
    return SNAKEPIT_UNSUPPORTED;
}

static void set_colours(struct sp_top_screen *screen)
{
    static const short colours[SP_TOP_STYLES] = {
        [SP_TOP_STYLE_GOOD] = COLOR_GREEN,
        [SP_TOP_STYLE_WARNS] = COLOR_YELLOW,
        [SP_TOP_STYLE_BAD] = COLOR_RED,
        [SP_TOP_STYLE_HEAD] = COLOR_CYAN,
    };
    const bool wanted = variable("NO_COLOR")[0] == '\0';
    if (!wanted || !has_colors() || start_color() == ERR) {
        return;
    }
    const short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;
    screen->colours = true;
    for (size_t i = 0; i < SP_TOP_STYLES; i++) {
        if (colours[i] != 0 && init_pair((short)i, colours[i], ground) == ERR) {
            screen->colours = false;
        }
    }
}

static void set_modes(void)
{
    raw();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    intrflush(stdscr, FALSE);
    leaveok(stdscr, FALSE);
    set_escdelay(ESCAPE_MS);
    curs_set(0);
}

snakepit_err sp_top_screen_open(struct sp_top_screen **screen, snakepit_message *why)
{
    const char *type = variable("TERM");
    if (type[0] == '\0' || strcmp(type, "dumb") == 0) {
        return refuse_terminal(why);
    }
    struct sp_top_screen *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *made = (struct sp_top_screen){// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
                                   .ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0};
    made->screen = newterm(NULL, stdout, stdin);
    if (made->screen == NULL) {
        sp_free(made);
        return refuse_terminal(why);
    }
    const char *go_to = tigetstr("cup");
    if (go_to == NULL || go_to == (const char *)-1) {
        sp_top_screen_close(made);
        return refuse_terminal(why);
    }
    set_colours(made);
    set_modes();
    *screen = made;
    return SNAKEPIT_OK;
}

void sp_top_screen_close(struct sp_top_screen *screen)
{
    if (screen != NULL) {
        endwin();
        delscreen(screen->screen);
        sp_free(screen);
    }
}

// ---- Drawing ----------------------------------------------------------------------

snakepit_err sp_top_screen_begin(struct sp_top_screen *screen, struct sp_top_grid *grid)
{
    int width;
    int height;
    getmaxyx(stdscr, height, width);
    grid->ascii = screen->ascii;
    return sp_top_grid_begin(
        grid, width > 0 ? (unsigned)width : 1, height > 0 ? (unsigned)height : 1);
}

// What colours say is said by the texts as well; without them this is what is left.
static attr_t plain_of(unsigned colour)
{
    switch (colour) {
    case SP_TOP_STYLE_WARNS:
    case SP_TOP_STYLE_BAD:
        return A_BOLD;
    case SP_TOP_STYLE_FADED:
        return A_DIM;
    default:
        return A_NORMAL;
    }
}

static void set_style(const struct sp_top_screen *screen, unsigned style)
{
    const unsigned colour = style & SP_TOP_STYLE_COLOUR;
    const bool faded = colour == SP_TOP_STYLE_FADED;
    attr_t attributes = screen->colours && !faded ? A_NORMAL : plain_of(colour);
    attributes |= (style & SP_TOP_STYLE_BOLD) != 0 ? A_BOLD : A_NORMAL;
    attributes |= (style & SP_TOP_STYLE_REVERSED) != 0 ? A_REVERSE : A_NORMAL;
    attributes |= (style & SP_TOP_STYLE_UNDERLINED) != 0 ? A_UNDERLINE : A_NORMAL;
    const bool coloured = screen->colours && !faded;
    (void)attr_set(attributes, (short)(coloured ? colour : 0), NULL);
}

static void
draw_row(const struct sp_top_screen *screen, const struct sp_top_grid *grid, unsigned y)
{
    unsigned style = SP_TOP_STYLE_PLAIN;
    set_style(screen, style);
    (void)move((int)y, 0);
    for (unsigned x = 0; x < grid->width; x++) {
        const struct sp_top_glyph *glyph = &grid->glyphs[(size_t)y * grid->width + x];
        if (glyph->style != style) {
            style = glyph->style;
            set_style(screen, style);
        }
        (void)addstr(glyph->text); // fails in the last cell, which it writes
    }
}

void sp_top_screen_draw(struct sp_top_screen *screen, const struct sp_top_grid *grid)
{
    erase();
    for (unsigned y = 0; y < grid->height; y++) {
        draw_row(screen, grid, y);
    }
    refresh();
}

void sp_top_screen_refresh(struct sp_top_screen *screen)
{
    (void)screen;
    clearok(curscr, TRUE);
}

// ---- Keys -------------------------------------------------------------------------

static uint32_t special(wint_t key)
{
    static const struct {
        wint_t from;
        uint32_t to;
    } keys[] = {
        {KEY_UP, SP_TOP_KEY_UP},
        {KEY_DOWN, SP_TOP_KEY_DOWN},
        {KEY_LEFT, SP_TOP_KEY_LEFT},
        {KEY_RIGHT, SP_TOP_KEY_RIGHT},
        {KEY_PPAGE, SP_TOP_KEY_PAGE_UP},
        {KEY_NPAGE, SP_TOP_KEY_PAGE_DOWN},
        {KEY_HOME, SP_TOP_KEY_HOME},
        {KEY_END, SP_TOP_KEY_END},
        {KEY_ENTER, SP_TOP_KEY_ENTER},
        {KEY_BACKSPACE, SP_TOP_KEY_BACKSPACE},
        {KEY_BTAB, SP_TOP_KEY_BACK_TAB},
        {KEY_RESIZE, SP_TOP_KEY_RESIZED},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].from == key) {
            return keys[i].to;
        }
    }
    return SP_TOP_KEY_RESIZED; // one that means nothing here
}

static uint32_t plain(wint_t key)
{
    switch (key) {
    case '\r':
    case '\n':
        return SP_TOP_KEY_ENTER;
    case '\t':
        return SP_TOP_KEY_TAB;
    case 0x1b:
        return SP_TOP_KEY_ESCAPE;
    case 0x7f:
    case '\b':
        return SP_TOP_KEY_BACKSPACE;
    default:
        return (uint32_t)key;
    }
}

uint32_t sp_top_screen_key(struct sp_top_screen *screen)
{
    wint_t key = 0;
    (void)screen;
    switch (get_wch(&key)) {
    case OK:
        return plain(key);
    case KEY_CODE_YES:
        return special(key);
    default:
        return 0;
    }
}

bool sp_top_screen_is_gone(const struct sp_top_screen *screen)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    (void)screen;
    return poll(&input, 1, 0) > 0 &&
           (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

// ---- Suspending -------------------------------------------------------------------

// It may have been given another size meanwhile, of which a process that is stopped
// hears nothing.
static void adopt_size(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
        size.ws_col > 0 && is_term_resized(size.ws_row, size.ws_col)) {
        (void)resizeterm(size.ws_row, size.ws_col);
    }
}

void sp_top_screen_suspend(struct sp_top_screen *screen)
{
    const struct sigaction stop = {.sa_handler = SIG_DFL};
    struct sigaction before;
    def_prog_mode();
    endwin();
    sigaction(SIGTSTP, &stop, &before);
    (void)raise(SIGTSTP);
    sigaction(SIGTSTP, &before, NULL);
    reset_prog_mode();
    adopt_size();
    sp_top_screen_refresh(screen);
}
