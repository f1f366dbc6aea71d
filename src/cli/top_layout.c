// SPDX-License-Identifier: MIT
#include "cli/top_layout.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "cli/top_figures.h"
#include "cli/top_inside.h"
#include "cli/value.h"

#define DEATH_NEW_MS  60000u  // a death is shown in colour
#define DEATH_OLD_MS  600000u // and no longer shown
#define DEATHS_HEIGHT 12u     // of a screen that has a line for them
#define PANE_HEIGHT   14u     // of a table that a pane leaves a part of
#define HINT_WIDTH    71u

static const char *const titles[] = {"pools", "workers", "tools", "calls"};

// ---- The head ---------------------------------------------------------------------

static void put_title(struct sp_top_grid *grid, const struct sp_top_scene *scene)
{
    char up[SP_TOP_FIGURE];
    const char *state = scene->lost != NULL ? "reconnecting"
                        : scene->ui->paused ? "paused"
                                            : "live";
    const unsigned style = scene->lost != NULL ? SP_TOP_STYLE_BAD
                           : scene->ui->paused ? SP_TOP_STYLE_WARNS
                                               : SP_TOP_STYLE_GOOD;
    const unsigned width = (unsigned)strlen(state);
    struct sp_top_slot slot = sp_top_slot_of(grid, 0, 0, grid->width - width - 1);
    sp_top_write_span(up, scene->model->uptime_ms * 1000);
    sp_top_put(&slot, SP_TOP_STYLE_BOLD, "snakepit top");
    sp_top_printf(&slot, SP_TOP_STYLE_PLAIN, "  %s", scene->address);
    sp_top_printf(&slot, SP_TOP_STYLE_FADED, "  %s  up %s", scene->model->version, up);
    slot = sp_top_slot_of(grid, grid->width - width, 0, width);
    sp_top_put(&slot, style | SP_TOP_STYLE_BOLD, state);
}

static void put_views(struct sp_top_grid *grid, const struct sp_top_scene *scene)
{
    const struct sp_top_place *place = sp_top_ui_place(scene->ui);
    struct sp_top_slot slot = sp_top_slot_of(grid, 0, 1, grid->width);
    for (unsigned i = 0; i < SP_TOP_VIEWS; i++) {
        const bool here = i == (unsigned)place->view;
        sp_top_printf(&slot,
                      here ? SP_TOP_STYLE_HEAD | SP_TOP_STYLE_REVERSED
                           : SP_TOP_STYLE_PLAIN,
                      " %u %s ",
                      i + 1,
                      titles[i]);
    }
    if (place->pool[0] != '\0') {
        sp_top_printf(&slot, SP_TOP_STYLE_BOLD, "  of pool %s", place->pool);
    }
    if (place->tool[0] != '\0') {
        sp_top_printf(&slot, SP_TOP_STYLE_BOLD, ", tool %s", place->tool);
    }
    if (place->worker != 0) {
        sp_top_printf(&slot, SP_TOP_STYLE_BOLD, "  of worker %" PRIu64, place->worker);
    }
    if (scene->ui->filter[0] != '\0' || scene->ui->mode == SP_TOP_FILTERS) {
        sp_top_printf(&slot, SP_TOP_STYLE_WARNS, "  /%s", scene->ui->filter);
    }
}

// ---- Sums -------------------------------------------------------------------------

struct sums {
    uint64_t ready;
    uint64_t workers;
    uint64_t running;
    uint64_t capacity;
    uint64_t waiting;
    double calls;
    double failures;
};

static double real_of(const snakepit_reader *map, const char *key)
{
    snakepit_reader at;
    snakepit_value value;
    const bool found = sp_cli_value_find(map, key, &at) &&
                       sp_cli_value_next(&at, SNAKEPIT_REAL, &value);
    return found ? value.as.real : (double)sp_cli_value_number(map, key);
}

static void add_pool(struct sums *sums, const snakepit_reader *pool)
{
    sums->ready += sp_cli_value_number(pool, "workers_ready");
    sums->workers += sp_cli_value_number(pool, "workers");
    sums->running += sp_cli_value_number(pool, "running");
    sums->capacity += sp_cli_value_number(pool, "capacity");
    sums->waiting += sp_cli_value_number(pool, "waiting");
    sums->calls += real_of(pool, "calls_per_second");
    sums->failures += real_of(pool, "failures_per_second");
}

static void put_sums(struct sp_top_grid *grid, const struct sp_top_scene *scene)
{
    struct sums sums = {.ready = 0};
    const struct sp_top_list *pools = &scene->model->pools;
    struct sp_top_slot slot = sp_top_slot_of(grid, 0, 2, grid->width);
    char calls[SP_TOP_FIGURE];
    char failures[SP_TOP_FIGURE];
    for (size_t i = 0; i < pools->count; i++) {
        const snakepit_reader pool = sp_top_row_reader(&pools->rows[i]);
        add_pool(&sums, &pool);
    }
    sp_top_write_rate(calls, sums.calls);
    sp_top_write_rate(failures, sums.failures);
    sp_top_printf(&slot,
                  SP_TOP_STYLE_PLAIN,
                  "run %" PRIu64 "/%" PRIu64 "  wait %" PRIu64 "  %s calls/s",
                  sums.running,
                  sums.capacity,
                  sums.waiting,
                  calls);
    sp_top_printf(&slot,
                  sums.failures > 0 ? SP_TOP_STYLE_BAD : SP_TOP_STYLE_PLAIN,
                  "  %s failed/s",
                  failures);
    sp_top_printf(&slot,
                  sums.ready < sums.workers ? SP_TOP_STYLE_WARNS : SP_TOP_STYLE_PLAIN,
                  "  workers %" PRIu64 "/%" PRIu64 " in %zu pool%s",
                  sums.ready,
                  sums.workers,
                  pools->count,
                  pools->count == 1 ? "" : "s");
}

// ---- The last death ---------------------------------------------------------------

static void
put_death(struct sp_top_grid *grid, const struct sp_top_scene *scene, unsigned y)
{
    char ago[SP_TOP_FIGURE];
    const struct sp_top_list *deaths = &scene->model->deaths;
    struct sp_top_slot slot = sp_top_slot_of(grid, 0, y, grid->width);
    if (deaths->count == 0) {
        return;
    }
    const snakepit_reader death = sp_top_row_reader(&deaths->rows[deaths->count - 1]);
    const uint64_t time_ms = sp_cli_value_number(&death, "time_ms");
    const uint64_t passed = scene->now_ms > time_ms ? scene->now_ms - time_ms : 0;
    if (passed > DEATH_OLD_MS) {
        return;
    }
    sp_top_write_span(ago, passed * 1000);
    sp_top_printf(&slot,
                  passed < DEATH_NEW_MS ? SP_TOP_STYLE_BAD : SP_TOP_STYLE_FADED,
                  "worker %" PRIu64 " of pool %.*s ended %s ago: %.*s",
                  sp_cli_value_number(&death, "worker"),
                  SP_CLI_SPAN(sp_cli_value_text(&death, "pool")),
                  ago,
                  SP_CLI_SPAN(sp_cli_value_text(&death, "cause")));
}

// ---- The foot ---------------------------------------------------------------------

static void put_letters(struct sp_top_slot *slot, const struct sp_top_scene *scene)
{
    size_t count;
    const struct sp_top_column *column =
        sp_top_columns(sp_top_ui_place(scene->ui)->view, &count);
    sp_top_put(slot, SP_TOP_STYLE_BOLD, "sort by");
    for (size_t i = 0; i < count; i++) {
        sp_top_put(slot, SP_TOP_STYLE_PLAIN, i == 0 ? " " : ", ");
        sp_top_printf(slot, SP_TOP_STYLE_BOLD, "%c", column[i].letter);
        sp_top_printf(slot, SP_TOP_STYLE_PLAIN, " %s", column[i].title);
    }
}

static void put_hints(struct sp_top_slot *slot)
{
    const bool wide = slot->end >= HINT_WIDTH;
    sp_top_put(
        slot,
        SP_TOP_STYLE_FADED,
        wide ? "? help  / filter  s sort  r recycle  c cancel  S stacks  p pause  "
               "q quit"
             : "? help  q quit");
}

static void put_foot(struct sp_top_grid *grid, const struct sp_top_scene *scene)
{
    const struct sp_top_ui *ui = scene->ui;
    struct sp_top_slot slot = sp_top_slot_of(grid, 0, grid->height - 1, grid->width);
    if (ui->mode == SP_TOP_FILTERS) {
        sp_top_printf(&slot, SP_TOP_STYLE_BOLD, "/%s", ui->filter);
        sp_top_put(&slot, SP_TOP_STYLE_REVERSED, " ");
        sp_top_put(&slot, SP_TOP_STYLE_FADED, "  Enter keeps it, Esc shows all");
    } else if (ui->mode == SP_TOP_SORTS) {
        put_letters(&slot, scene);
    } else if (ui->notice[0] != '\0') {
        sp_top_put(&slot,
                   (ui->alarm ? SP_TOP_STYLE_BAD : SP_TOP_STYLE_PLAIN) |
                       SP_TOP_STYLE_BOLD,
                   ui->notice);
    } else if (scene->lost != NULL) {
        sp_top_put(&slot, SP_TOP_STYLE_BAD, scene->lost);
    } else {
        put_hints(&slot);
    }
}

// ---- Panes ------------------------------------------------------------------------

static const char help[] =
    "1 2 3 4, Tab   pools, workers, tools, calls\n"
    "up, down       the line; PageUp, PageDown, Home, End\n"
    "Enter          into a pool, a worker or a tool; Esc goes back\n"
    "left, right    the column; s sorts by it, again turns it around, again ends it\n"
    "o              sorts by the column whose letter comes next\n"
    "/              shows only lines that contain what is typed; Esc shows all\n"
    "r              recycles the pool or the worker: calls notice nothing; asks first\n"
    "c, k           cancels the call; asks first\n"
    "S              shows where the worker is in its Python code\n"
    "p              pauses, and goes on\n"
    "Ctrl-L         draws anew; Ctrl-Z suspends\n"
    "q, Ctrl-C      quits\n"
    "\n"
    "pools    workers: that serve / of all; old: still to be replaced; run: calls /\n"
    "         room; line50, run99: time in line and in the tool, of half and 99 %\n"
    "workers  calls: that it has / can have; runs: the tool that has run for longest,\n"
    "         and for how long; pss: its share of the memory that it shares\n"
    "tools    calls since the daemon began; times of those that were seen\n"
    "calls    those under way, then those that have ended, the newest first\n";

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static const char *line_at(const char *text, size_t number)
{
    for (; number > 0 && *text != '\0'; number--) {
        const char *end = strchr(text, '\n');
        text = end == NULL ? text + strlen(text) : end + 1;
    }
    return text;
}

static void put_line(struct sp_top_slot *slot, const char *text)
{
    char line[2 * SP_TOP_WIDTH_MAX];
    const size_t whole = strcspn(text, "\n");
    const size_t size = whole < sizeof line ? whole : sizeof line - 1;
    memcpy(line, text, size);
    line[size] = '\0';
    for (char *tab = line; (tab = strchr(tab, '\t')) != NULL;) {
        *tab = ' ';
    }
    sp_top_put(slot, SP_TOP_STYLE_PLAIN, line);
}

static void
put_pane(struct sp_top_grid *grid, struct sp_top_ui *ui, struct sp_top_area area)
{
    const char *text = ui->pane == SP_TOP_HELP ? help : (const char *)ui->text.data;
    const size_t count = count_lines(text);
    const size_t rows = area.height - 1;
    struct sp_top_slot slot = sp_top_slot_of(grid, 0, area.top, grid->width);
    if (ui->text_top + rows > count) {
        ui->text_top = count > rows ? count - rows : 0;
    }
    sp_top_printf(&slot,
                  SP_TOP_STYLE_HEAD,
                  "%s, %zu of %zu lines; Esc closes it ",
                  ui->pane == SP_TOP_HELP ? "help" : "stacks",
                  count - ui->text_top < rows ? count - ui->text_top : rows,
                  count);
    sp_top_fill(&slot, SP_TOP_STYLE_HEAD);
    sp_top_mark(sp_top_slot_of(grid, 0, area.top, grid->width), SP_TOP_STYLE_REVERSED);
    for (unsigned i = 0; i < rows; i++) {
        slot = sp_top_slot_of(grid, 0, area.top + 1 + i, grid->width);
        put_line(&slot, line_at(text, ui->text_top + i));
    }
}

// ---- All of it --------------------------------------------------------------------

// What is left for the table, above the pane.
static void put_middle(struct sp_top_grid *grid, const struct sp_top_scene *scene)
{
    const bool deaths = grid->height >= DEATHS_HEIGHT;
    struct sp_top_area area = {3, grid->height - 4 - (deaths ? 1 : 0)};
    if (deaths) {
        put_death(grid, scene, grid->height - 2);
    }
    if (scene->ui->pane == SP_TOP_NO_PANE) {
        sp_top_put_table(grid, scene, area);
        return;
    }
    struct sp_top_area pane = area;
    if (scene->ui->pane == SP_TOP_TEXT_PANE && area.height >= PANE_HEIGHT) {
        area.height /= 3;
        pane.top += area.height;
        pane.height -= area.height;
        sp_top_put_table(grid, scene, area);
    }
    scene->ui->page = pane.height > 2 ? pane.height - 2 : 1;
    put_pane(grid, scene->ui, pane);
}

void sp_top_layout(struct sp_top_grid *grid, const struct sp_top_scene *scene)
{
    if (grid->width < SP_TOP_LEAST_WIDTH || grid->height < SP_TOP_LEAST_HEIGHT) {
        struct sp_top_slot slot = sp_top_slot_of(grid, 0, 0, grid->width);
        sp_top_put(&slot, SP_TOP_STYLE_PLAIN, "too small; q quits");
        return;
    }
    put_title(grid, scene);
    put_views(grid, scene);
    put_sums(grid, scene);
    put_middle(grid, scene);
    put_foot(grid, scene);
}
