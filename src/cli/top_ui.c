// SPDX-License-Identifier: MIT
#include "cli/top_ui.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "cli/text.h"

#define CONTROL(letter) ((letter) & 0x1f)

void sp_top_ui_init(struct sp_top_ui *ui)
{
    *ui = (struct sp_top_ui){.depth = 1, .page = 1};
    for (size_t i = 0; i < SP_TOP_VIEWS; i++) {
        ui->shown[i].sort = SP_TOP_UNSORTED;
    }
}

void sp_top_ui_fini(struct sp_top_ui *ui)
{
    sp_buf_fini(&ui->text);
}

struct sp_top_place *sp_top_ui_place(struct sp_top_ui *ui)
{
    SP_CHECK(ui->depth > 0 && ui->depth <= SP_TOP_DEPTH);
    return &ui->places[ui->depth - 1];
}

static struct sp_top_shown *shown_of(struct sp_top_ui *ui)
{
    return &ui->shown[sp_top_ui_place(ui)->view];
}

struct sp_top_choice sp_top_ui_choice(struct sp_top_ui *ui, uint64_t now_ms)
{
    const struct sp_top_place *place = sp_top_ui_place(ui);
    const struct sp_top_shown *shown = &ui->shown[place->view];
    return (struct sp_top_choice){.view = place->view,
                                  .pool = place->pool,
                                  .tool = place->tool,
                                  .worker = place->worker,
                                  .filter = ui->filter,
                                  .sort = shown->sort,
                                  .falling = shown->falling,
                                  .now_ms = now_ms};
}

void sp_top_ui_say(struct sp_top_ui *ui, bool alarm, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ui->notice, sizeof ui->notice, format, args);
    va_end(args);
    sp_text_clean(ui->notice, strlen(ui->notice), SP_TEXT_LINE);
    ui->alarm = alarm;
}

snakepit_err sp_top_ui_show(struct sp_top_ui *ui, const char *text, size_t size)
{
    ui->text.size = 0;
    snakepit_err err = sp_buf_append(&ui->text, text, size);
    err = err == SNAKEPIT_OK ? sp_buf_append(&ui->text, "", 1) : err;
    if (err == SNAKEPIT_OK) {
        sp_text_clean((char *)ui->text.data, size, SP_TEXT_BLOCK);
        ui->pane = SP_TOP_TEXT_PANE;
        ui->text_top = 0;
    }
    return err;
}

// ---- The cursor -------------------------------------------------------------------

const struct sp_top_line *sp_top_ui_settle(struct sp_top_ui *ui,
                                           const struct sp_top_table *table)
{
    struct sp_top_place *place = sp_top_ui_place(ui);
    if (table->count == 0) {
        place->at = 0;
        return NULL;
    }
    size_t at = 0;
    while (at < table->count && sp_top_table_line(table, at)->key != place->cursor) {
        at++;
    }
    if (place->cursor == 0) {
        at = 0;
    } else if (at == table->count) {
        at = place->at < table->count ? place->at : table->count - 1;
    }
    place->at = at;
    const struct sp_top_line *line = sp_top_table_line(table, at);
    place->cursor = place->cursor == 0 ? 0 : line->key;
    return line;
}

// At the first line it stays there, whatever that is.
static void move_to(struct sp_top_ui *ui, const struct sp_top_table *table, size_t at)
{
    struct sp_top_place *place = sp_top_ui_place(ui);
    if (table->count > 0) {
        place->at = at < table->count ? at : table->count - 1;
        place->cursor = place->at == 0 ? 0 : sp_top_table_line(table, place->at)->key;
    }
}

static void move_by(struct sp_top_ui *ui, const struct sp_top_table *table, long lines)
{
    const struct sp_top_place *place = sp_top_ui_place(ui);
    const size_t back = (size_t)-lines;
    if (lines >= 0) {
        move_to(ui, table, place->at + (size_t)lines);
    } else {
        move_to(ui, table, place->at > back ? place->at - back : 0);
    }
}

static void scroll_text(struct sp_top_ui *ui, long lines)
{
    const size_t back = (size_t)-lines;
    if (lines >= 0) {
        ui->text_top += (size_t)lines; // the layout knows where it ends
    } else {
        ui->text_top = ui->text_top > back ? ui->text_top - back : 0;
    }
}

// Whether the key moves; what the pane has is scrolled, else the cursor goes.
static bool move(struct sp_top_ui *ui, const struct sp_top_table *table, uint32_t key)
{
    const long page = (long)ui->page;
    const long far = INT32_MAX;
    long by;
    switch (key) {
    case SP_TOP_KEY_UP:
        by = -1;
        break;
    case SP_TOP_KEY_DOWN:
        by = 1;
        break;
    case SP_TOP_KEY_PAGE_UP:
        by = -page;
        break;
    case SP_TOP_KEY_PAGE_DOWN:
        by = page;
        break;
    case SP_TOP_KEY_HOME:
        by = -far;
        break;
    case SP_TOP_KEY_END:
        by = far;
        break;
    default:
        return false;
    }
    if (ui->pane != SP_TOP_NO_PANE) {
        scroll_text(ui, by);
    } else {
        move_by(ui, table, by);
    }
    return true;
}

// ---- Views ------------------------------------------------------------------------

// From everywhere, without what led to where it was.
static void go_to(struct sp_top_ui *ui, enum sp_top_view view)
{
    ui->depth = 1;
    ui->pane = SP_TOP_NO_PANE;
    ui->places[0] = (struct sp_top_place){.view = view};
}

static void go_into(struct sp_top_ui *ui, const struct sp_top_line *line)
{
    const struct sp_top_place *from = sp_top_ui_place(ui);
    struct sp_top_place to = {.view = SP_TOP_CALLS};
    if (line == NULL || ui->depth == SP_TOP_DEPTH) {
        return;
    }
    switch (from->view) {
    case SP_TOP_POOLS:
        to.view = SP_TOP_WORKERS;
        memcpy(to.pool, line->about.pool, sizeof to.pool);
        break;
    case SP_TOP_WORKERS:
        to.worker = line->about.worker;
        break;
    case SP_TOP_TOOLS:
        memcpy(to.pool, line->about.pool, sizeof to.pool);
        memcpy(to.tool, line->about.tool, sizeof to.tool);
        break;
    default:
        return;
    }
    ui->filter[0] = '\0';
    ui->places[ui->depth++] = to;
}

static void go_back(struct sp_top_ui *ui)
{
    if (ui->pane != SP_TOP_NO_PANE) {
        ui->pane = SP_TOP_NO_PANE;
    } else if (ui->filter[0] != '\0') {
        ui->filter[0] = '\0';
    } else if (ui->depth > 1) {
        ui->depth--;
    }
}

// ---- Sorting ----------------------------------------------------------------------

// Figures begin with the greatest; a second time turns them around, a third ends it.
static void sort_by(struct sp_top_ui *ui, size_t column)
{
    size_t count;
    struct sp_top_shown *shown = shown_of(ui);
    const struct sp_top_column *columns =
        sp_top_columns(sp_top_ui_place(ui)->view, &count);
    const bool falls = sp_top_is_number(columns[column].kind);
    shown->column = column;
    if (shown->sort != column) {
        shown->sort = column;
        shown->falling = falls;
    } else if (shown->falling == falls) {
        shown->falling = !falls;
    } else {
        shown->sort = SP_TOP_UNSORTED;
    }
}

static void choose_column(struct sp_top_ui *ui, int step)
{
    size_t count;
    struct sp_top_shown *shown = shown_of(ui);
    (void)sp_top_columns(sp_top_ui_place(ui)->view, &count);
    if (step > 0 && shown->column + 1 < count) {
        shown->column++;
    } else if (step < 0 && shown->column > 0) {
        shown->column--;
    }
}

static void sort_by_letter(struct sp_top_ui *ui, uint32_t key)
{
    size_t count;
    const struct sp_top_column *columns =
        sp_top_columns(sp_top_ui_place(ui)->view, &count);
    ui->mode = SP_TOP_BROWSES;
    for (size_t i = 0; i < count; i++) {
        if ((uint32_t)columns[i].letter == key) {
            sort_by(ui, i);
            return;
        }
    }
}

// ---- Filtering --------------------------------------------------------------------

static size_t encode(uint32_t code, char room[4])
{
    if (code < 0x80) {
        room[0] = (char)code;
        return 1;
    }
    const size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        room[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    room[0] = (char)(marks[size] | code);
    return size;
}

// The last one.
static void take_character(char *text)
{
    size_t size = strlen(text);
    size -= size > 0 ? 1 : 0;
    while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80) {
        size--;
    }
    text[size] = '\0';
}

static void type_filter(struct sp_top_ui *ui, uint32_t key)
{
    char bytes[4];
    const size_t size = strlen(ui->filter);
    if (key == SP_TOP_KEY_ENTER) {
        ui->mode = SP_TOP_BROWSES;
    } else if (key == SP_TOP_KEY_ESCAPE || key == CONTROL('c')) {
        ui->mode = SP_TOP_BROWSES;
        ui->filter[0] = '\0';
    } else if (key == SP_TOP_KEY_BACKSPACE) {
        take_character(ui->filter);
    } else if (key < SP_TOP_KEY_UP && sp_text_may_be_shown(key)) {
        const size_t more = encode(key, bytes);
        if (size + more < sizeof ui->filter) {
            memcpy(ui->filter + size, bytes, more);
            ui->filter[size + more] = '\0';
        }
    }
}

// ---- Actions ----------------------------------------------------------------------

static struct sp_top_action none(void)
{
    return (struct sp_top_action){.act = SP_TOP_NOTHING};
}

static struct sp_top_action answer(struct sp_top_ui *ui, uint32_t key)
{
    ui->mode = SP_TOP_BROWSES;
    if (key == 'y' || key == 'Y') {
        return ui->asked;
    }
    sp_top_ui_say(ui, false, "not done");
    return none();
}

static void
ask(struct sp_top_ui *ui, enum sp_top_act act, const struct sp_top_about *about)
{
    ui->asked = (struct sp_top_action){
        .act = act, .worker = about->worker, .call = about->call};
    memcpy(ui->asked.pool, about->pool, sizeof ui->asked.pool);
    ui->mode = SP_TOP_ASKS;
}

static void ask_to_recycle(struct sp_top_ui *ui, const struct sp_top_line *line)
{
    const enum sp_top_view view = sp_top_ui_place(ui)->view;
    if (line == NULL || (view != SP_TOP_POOLS && view != SP_TOP_WORKERS)) {
        sp_top_ui_say(ui, true, "a pool or a worker is recycled: choose one (1, 2)");
        return;
    }
    ask(ui, SP_TOP_RECYCLE, &line->about);
    if (view == SP_TOP_POOLS) {
        sp_top_ui_say(
            ui, false, "recycle each worker of pool %s? y/n", line->about.pool);
    } else {
        sp_top_ui_say(ui,
                      false,
                      "recycle worker %" PRIu64 " of pool %s? y/n",
                      line->about.worker,
                      line->about.pool);
    }
}

static void ask_to_cancel(struct sp_top_ui *ui, const struct sp_top_line *line)
{
    const bool call = line != NULL && sp_top_ui_place(ui)->view == SP_TOP_CALLS;
    if (!call || !line->about.runs) {
        sp_top_ui_say(ui,
                      true,
                      call ? "this call has ended"
                           : "a call is cancelled: choose one (4)");
        return;
    }
    ask(ui, SP_TOP_CANCEL, &line->about);
    sp_top_ui_say(ui,
                  false,
                  "cancel call %" PRIu64 " of tool %s? y/n",
                  line->about.call,
                  line->about.tool);
}

static struct sp_top_action stacks_of(struct sp_top_ui *ui,
                                      const struct sp_top_line *line)
{
    if (line == NULL || line->about.worker == 0) {
        sp_top_ui_say(ui, true, "a worker has stacks: choose one (2)");
        return none();
    }
    return (struct sp_top_action){.act = SP_TOP_STACKS, .worker = line->about.worker};
}

// ---- Keys -------------------------------------------------------------------------

// The keys that lead elsewhere. False: it is another one.
static bool navigate(struct sp_top_ui *ui, const struct sp_top_line *line, uint32_t key)
{
    const enum sp_top_view view = sp_top_ui_place(ui)->view;
    switch (key) {
    case '1':
    case '2':
    case '3':
    case '4':
        go_to(ui, (enum sp_top_view)(key - '1'));
        return true;
    case SP_TOP_KEY_TAB:
        go_to(ui, (enum sp_top_view)((view + 1) % SP_TOP_VIEWS));
        return true;
    case SP_TOP_KEY_BACK_TAB:
        go_to(ui, (enum sp_top_view)((view + SP_TOP_VIEWS - 1) % SP_TOP_VIEWS));
        return true;
    case SP_TOP_KEY_ENTER:
        go_into(ui, line);
        return true;
    case SP_TOP_KEY_ESCAPE:
    case SP_TOP_KEY_BACKSPACE:
        go_back(ui);
        return true;
    case SP_TOP_KEY_LEFT:
    case SP_TOP_KEY_RIGHT:
        choose_column(ui, key == SP_TOP_KEY_LEFT ? -1 : 1);
        return true;
    default:
        return false;
    }
}

// The keys that change how it is shown. False: it is another one.
static bool change(struct sp_top_ui *ui, uint32_t key)
{
    switch (key) {
    case 's':
        sort_by(ui, shown_of(ui)->column);
        return true;
    case 'o':
        ui->mode = SP_TOP_SORTS;
        return true;
    case '/':
        ui->mode = SP_TOP_FILTERS;
        return true;
    case '?':
    case 'h':
        ui->pane = ui->pane == SP_TOP_HELP ? SP_TOP_NO_PANE : SP_TOP_HELP;
        ui->text_top = 0;
        return true;
    default:
        return false;
    }
}

static struct sp_top_action
act(struct sp_top_ui *ui, const struct sp_top_line *line, uint32_t key)
{
    struct sp_top_action action = none();
    switch (key) {
    case 'q':
    case CONTROL('c'):
        action.act = SP_TOP_QUIT;
        break;
    case CONTROL('z'):
        action.act = SP_TOP_SUSPEND;
        break;
    case CONTROL('l'):
        action.act = SP_TOP_REDRAW;
        break;
    case 'p':
        ui->paused = !ui->paused;
        action.act = SP_TOP_PAUSE;
        break;
    case 'r':
        ask_to_recycle(ui, line);
        break;
    case 'c':
    case 'k':
        ask_to_cancel(ui, line);
        break;
    case 'S':
        action = stacks_of(ui, line);
        break;
    default:
        break;
    }
    return action;
}

// Of what no mode takes for itself.
static bool is_for_all(uint32_t key)
{
    return key == CONTROL('z') || key == CONTROL('l');
}

struct sp_top_action
sp_top_ui_key(struct sp_top_ui *ui, const struct sp_top_table *table, uint32_t key)
{
    const struct sp_top_line *line = sp_top_ui_settle(ui, table);
    if (is_for_all(key)) {
        return act(ui, line, key);
    }
    if (ui->mode != SP_TOP_ASKS) {
        ui->notice[0] = '\0';
    }
    switch (ui->mode) {
    case SP_TOP_ASKS:
        return answer(ui, key);
    case SP_TOP_FILTERS:
        type_filter(ui, key);
        return none();
    case SP_TOP_SORTS:
        sort_by_letter(ui, key);
        return none();
    default:
        break;
    }
    if (move(ui, table, key) || navigate(ui, line, key) || change(ui, key)) {
        return none();
    }
    return act(ui, line, key);
}
