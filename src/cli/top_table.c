// SPDX-License-Identifier: MIT
#include "cli/top_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/text.h"
#include "cli/top_figures.h"
#include "cli/value.h"

#define CELL_BYTES 512u // of a cell's text, with a zero behind it

// ---- Columns ----------------------------------------------------------------------

static const struct sp_top_column columns[] = {
#define SP_TOP_COLUMN(in, called, key_of, is, member, part_of, order, widest) \
    {                                                                         \
        .view = SP_TOP_##in,                                                  \
        .title = (called),                                                    \
        .letter = (key_of),                                                   \
        .kind = SP_TOP_##is,                                                  \
        .key = (member),                                                      \
        .of = (part_of),                                                      \
        .rank = (order),                                                      \
        .most = (widest),                                                     \
    },
#include "cli/top_columns.def"
#undef SP_TOP_COLUMN
};

#define COLUMNS (sizeof columns / sizeof columns[0])

const struct sp_top_column *sp_top_columns(enum sp_top_view view, size_t *count)
{
    size_t first = 0;
    size_t end;
    while (columns[first].view != view) {
        first++;
        SP_CHECK(first < COLUMNS);
    }
    for (end = first; end < COLUMNS && columns[end].view == view; end++) {
    }
    *count = end - first;
    SP_CHECK(*count <= SP_TOP_COLUMNS_MAX);
    return &columns[first];
}

bool sp_top_is_number(enum sp_top_kind kind)
{
    switch (kind) {
    case SP_TOP_TEXT:
    case SP_TOP_STATE:
    case SP_TOP_OUTCOME:
    case SP_TOP_HEALTH:
    case SP_TOP_RUNS:
        return false;
    default:
        return true;
    }
}

// ---- Values -----------------------------------------------------------------------

// One row on its way to be a line. Owner: one thread.
struct source {
    const struct sp_top_choice *choice;
    const snakepit_reader *map;
    uint64_t seen_ms;
};

// "a.b" is the member b of the member a.
static bool find(const snakepit_reader *map, const char *key, snakepit_value *value)
{
    char first[32];
    snakepit_reader at;
    const char *dot = strchr(key, '.');
    if (dot != NULL) {
        sp_cli_format(first, sizeof first, "%.*s", (int)(dot - key), key);
        snakepit_reader member;
        return sp_cli_value_find(map, first, &member) && find(&member, dot + 1, value);
    }
    return sp_cli_value_find(map, key, &at) &&
           snakepit_reader_next(&at, value) == SNAKEPIT_OK;
}

// False: there is no such number.
static bool number_of(const snakepit_reader *map, const char *key, double *number)
{
    snakepit_value value;
    if (!find(map, key, &value)) {
        return false;
    }
    switch (value.kind) {
    case SNAKEPIT_INTEGER:
        *number = (double)value.as.integer;
        return true;
    case SNAKEPIT_UNSIGNED:
        *number = (double)value.as.unsigned_integer;
        return true;
    case SNAKEPIT_REAL:
        *number = value.as.real;
        return true;
    default:
        return false;
    }
}

static uint64_t whole(double number)
{
    return number <= 0      ? 0
           : number >= 1e18 ? UINT64_C(1000000000000000000)
                            : (uint64_t)number;
}

static double since_ms(const struct source *source, double begin_ms)
{
    const double now_ms = (double)source->choice->now_ms;
    return begin_ms > 0 && now_ms > begin_ms ? now_ms - begin_ms : 0;
}

// ---- Cells ------------------------------------------------------------------------

struct writing {
    char text[CELL_BYTES];
    double number;
    enum sp_top_mood mood;
};

// Cleaned here, where a zero in it is not yet an end.
static void write_span(struct writing *cell, snakepit_span text)
{
    const size_t size =
        text.size < sizeof cell->text ? text.size : sizeof cell->text - 1;
    memcpy(cell->text, text.data, size);
    cell->text[size] = '\0';
    sp_text_clean(cell->text, size, SP_TEXT_LINE);
}

static enum sp_top_mood mood_of(const char *text)
{
    static const struct {
        const char *text;
        enum sp_top_mood mood;
    } moods[] = {
        {"ready", SP_TOP_GOOD},      {"running", SP_TOP_GOOD},
        {"ok", SP_TOP_PLAIN},        {"healthy", SP_TOP_GOOD},
        {"starting", SP_TOP_WARNS},  {"degraded", SP_TOP_WARNS},
        {"draining", SP_TOP_WARNS},  {"stopping", SP_TOP_FADED},
        {"removed", SP_TOP_FADED},   {"dead", SP_TOP_BAD},
        {"down", SP_TOP_BAD},        {"failed", SP_TOP_BAD},
        {"stuck", SP_TOP_BAD},       {"unhealthy", SP_TOP_BAD},
        {"cancelled", SP_TOP_WARNS}, {"unknown", SP_TOP_FADED},
        {"isolated", SP_TOP_WARNS},  {"asking", SP_TOP_GOOD},
        {"in line", SP_TOP_WARNS},   {"in worker", SP_TOP_WARNS},
    };
    for (size_t i = 0; i < sizeof moods / sizeof moods[0]; i++) {
        if (strcasecmp(moods[i].text, text) == 0) {
            return moods[i].mood;
        }
    }
    return SP_TOP_PLAIN;
}

static void
write_state(const struct source *source, const char *key, struct writing *cell)
{
    const bool stuck = sp_cli_value_truth(source->map, "stuck") ||
                       sp_cli_value_number(source->map, "stuck") > 0;
    const bool isolated = sp_cli_value_truth(source->map, "isolated");
    if (stuck || isolated) {
        sp_cli_format(cell->text, sizeof cell->text, stuck ? "stuck" : "isolated");
    } else {
        write_span(cell, sp_cli_value_text(source->map, key));
    }
    cell->mood = mood_of(cell->text);
}

// Whatever is no success and has no colour of its own is a failure.
static void
write_outcome(const struct source *source, const char *key, struct writing *cell)
{
    write_span(cell, sp_cli_value_text(source->map, key));
    cell->mood = mood_of(cell->text);
    if (cell->mood == SP_TOP_PLAIN && strcasecmp(cell->text, "ok") != 0) {
        cell->mood = SP_TOP_BAD;
    }
}

static void
write_health(const struct source *source, const char *key, struct writing *cell)
{
    snakepit_reader health;
    snakepit_span text = sp_cli_value_text(source->map, key);
    if (text.size == 0 && sp_cli_value_find(source->map, key, &health)) {
        text = sp_cli_value_text(&health, "status");
    }
    write_span(cell, text);
    cell->mood = mood_of(cell->text);
}

static void write_share(const struct source *source,
                        const struct sp_top_column *column,
                        struct writing *cell)
{
    char part[SP_TOP_FIGURE];
    char of[SP_TOP_FIGURE];
    double number = 0;
    double most = 0;
    (void)number_of(source->map, column->key, &number);
    (void)number_of(source->map, column->of, &most);
    sp_top_write_count(part, whole(number));
    sp_top_write_count(of, whole(most));
    sp_cli_format(cell->text, sizeof cell->text, "%s/%s", part, of);
    cell->number = number;
}

static void write_runs(const struct source *source, bool text, struct writing *cell)
{
    snakepit_reader executor;
    uint32_t others = 0;
    if (!sp_top_busiest(source->map, &executor, &others)) {
        return;
    }
    if (text) {
        const snakepit_span tool = sp_cli_value_text(&executor, "tool");
        sp_cli_format(cell->text,
                      sizeof cell->text,
                      others > 0 ? "%.*s +%" PRIu32 : "%.*s",
                      SP_CLI_SPAN(tool),
                      others);
        return;
    }
    const double began = (double)sp_cli_value_number(&executor, "since_ms");
    cell->number = since_ms(source, began) * 1000;
    sp_top_write_span(cell->text, whole(cell->number));
}

static void write_id(const struct source *source, const char *key, struct writing *cell)
{
    const uint64_t id = sp_cli_value_number(source->map, key);
    cell->number = (double)id;
    if (id != 0) {
        sp_cli_format(cell->text, sizeof cell->text, "%" PRIu64, id);
    }
}

// A number that is not there leaves its cell empty, and comes before all others.
static void write_number(const struct source *source,
                         const struct sp_top_column *column,
                         struct writing *cell)
{
    double number = 0;
    if (!number_of(source->map, column->key, &number)) {
        cell->number = -1;
        return;
    }
    switch (column->kind) {
    case SP_TOP_RATE:
        sp_top_write_rate(cell->text, number);
        break;
    case SP_TOP_BYTES:
        sp_top_write_bytes(cell->text, whole(number));
        break;
    case SP_TOP_SECONDS:
        sp_top_write_span(cell->text, whole(number * 1e6));
        break;
    case SP_TOP_MICROS:
        sp_top_write_span(cell->text, whole(number));
        break;
    case SP_TOP_AGE:
        number += since_ms(source, (double)source->seen_ms);
        sp_top_write_span(cell->text, whole(number * 1e3));
        break;
    case SP_TOP_SINCE:
        number = since_ms(source, number);
        sp_top_write_span(cell->text, whole(number * 1e3));
        break;
    default:
        sp_top_write_count(cell->text, whole(number));
    }
    cell->number = number;
}

static void write_cell(const struct source *source,
                       const struct sp_top_column *column,
                       struct writing *cell)
{
    switch (column->kind) {
    case SP_TOP_TEXT:
        write_span(cell, sp_cli_value_text(source->map, column->key));
        break;
    case SP_TOP_STATE:
        write_state(source, column->key, cell);
        break;
    case SP_TOP_OUTCOME:
        write_outcome(source, column->key, cell);
        break;
    case SP_TOP_HEALTH:
        write_health(source, column->key, cell);
        break;
    case SP_TOP_SHARE:
        write_share(source, column, cell);
        break;
    case SP_TOP_RUNS:
    case SP_TOP_RUNS_FOR:
        write_runs(source, column->kind == SP_TOP_RUNS, cell);
        break;
    case SP_TOP_ID:
        write_id(source, column->key, cell);
        break;
    default:
        write_number(source, column, cell);
    }
    sp_text_clean(cell->text, strlen(cell->text), SP_TEXT_LINE);
}

// ---- Lines ------------------------------------------------------------------------

struct making {
    struct sp_top_table *table;
    const struct sp_top_choice *choice;
};

static void copy_name(char name[SP_TOP_NAME], snakepit_span text)
{
    const size_t size = text.size < SP_TOP_NAME ? text.size : SP_TOP_NAME - 1;
    memcpy(name, text.data, size);
    name[size] = '\0';
}

static void read_about(const struct source *source, struct sp_top_about *about)
{
    const enum sp_top_view view = source->choice->view;
    const snakepit_reader *map = source->map;
    const char *pool = view == SP_TOP_POOLS ? "name" : "pool";
    *about = (struct sp_top_about){.call = sp_cli_value_number(map, "call")};
    about->worker = sp_cli_value_number(map, view == SP_TOP_WORKERS ? "id" : "worker");
    about->runs = sp_cli_value_truth(map, "runs");
    copy_name(about->pool, sp_cli_value_text(map, pool));
    copy_name(about->tool, sp_cli_value_text(map, "tool"));
}

// FNV-1a
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t key_of(enum sp_top_view view, const struct sp_top_about *about)
{
    const uint64_t seed = UINT64_C(0xcbf29ce484222325);
    if (view == SP_TOP_CALLS) {
        return mix(seed, &about->call, sizeof about->call);
    }
    if (view == SP_TOP_WORKERS) {
        return mix(seed, &about->worker, sizeof about->worker);
    }
    const uint64_t hash = mix(seed, about->pool, strlen(about->pool) + 1);
    return view == SP_TOP_POOLS ? hash
                                : mix(hash, about->tool, strlen(about->tool) + 1);
}

static bool is_chosen(const struct sp_top_choice *choice,
                      const struct sp_top_about *about)
{
    return (choice->pool[0] == '\0' || strcmp(choice->pool, about->pool) == 0) &&
           (choice->tool[0] == '\0' || strcmp(choice->tool, about->tool) == 0) &&
           (choice->worker == 0 || choice->worker == about->worker);
}

static snakepit_err make_room(struct sp_top_table *table)
{
    const size_t room = table->room == 0 ? 32 : 2 * table->room;
    if (table->count < table->room) {
        return SNAKEPIT_OK;
    }
    struct sp_top_line *lines = sp_realloc(table->lines, room * sizeof *lines);
    if (lines == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    table->lines = lines;
    uint32_t *order = sp_realloc(table->order, room * sizeof *order);
    if (order == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    table->order = order;
    table->room = room;
    return SNAKEPIT_OK;
}

static snakepit_err write_cells(const struct making *making,
                                const struct source *source,
                                struct sp_top_line *line,
                                bool *found)
{
    size_t count;
    struct sp_buf *texts = &making->table->texts;
    const struct sp_top_column *column = sp_top_columns(source->choice->view, &count);
    snakepit_err err = SNAKEPIT_OK;
    *found = source->choice->filter[0] == '\0';
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        struct writing cell = {.mood = SP_TOP_PLAIN};
        write_cell(source, &column[i], &cell);
        *found = *found || strcasestr(cell.text, source->choice->filter) != NULL;
        line->cells[i] = (struct sp_top_cell){
            .at = texts->size, .number = cell.number, .mood = cell.mood};
        err = sp_buf_append(texts, cell.text, strlen(cell.text) + 1);
    }
    return err;
}

static snakepit_err take_row(void *user, const snakepit_reader *map, uint64_t seen_ms)
{
    struct making *making = user;
    struct sp_top_table *table = making->table;
    const struct source source = {
        .choice = making->choice, .map = map, .seen_ms = seen_ms};
    bool found = false;
    snakepit_err err = make_room(table);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_top_line *line = &table->lines[table->count];
    const size_t texts = table->texts.size;
    read_about(&source, &line->about);
    if (!is_chosen(making->choice, &line->about)) {
        return SNAKEPIT_OK;
    }
    line->key = key_of(table->view, &line->about);
    err = write_cells(making, &source, line, &found);
    if (err == SNAKEPIT_OK && found) {
        table->order[table->count] = (uint32_t)table->count;
        table->count++;
    } else {
        table->texts.size = texts;
    }
    return err;
}

// ---- Order ------------------------------------------------------------------------

struct sorting {
    const struct sp_top_table *table;
    size_t column;
    bool number;
    bool falling;
};

// Equal ones stay in their natural order.
static int compare(const void *left, const void *right, void *user)
{
    const struct sorting *sorting = user;
    const struct sp_top_table *table = sorting->table;
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    const struct sp_top_cell *one = &table->lines[a].cells[sorting->column];
    const struct sp_top_cell *other = &table->lines[b].cells[sorting->column];
    int order =
        sorting->number
            ? (one->number > other->number) - (one->number < other->number)
            : strcasecmp(sp_top_cell_text(table, one), sp_top_cell_text(table, other));
    if (order == 0) {
        return (a > b) - (a < b);
    }
    return sorting->falling ? -order : order;
}

static void sort(struct sp_top_table *table, const struct sp_top_choice *choice)
{
    size_t count;
    const struct sp_top_column *column = sp_top_columns(choice->view, &count);
    if (choice->sort < count && table->count > 1) {
        struct sorting sorting = {.table = table,
                                  .column = choice->sort,
                                  .number = sp_top_is_number(column[choice->sort].kind),
                                  .falling = choice->falling};
        qsort_r(table->order, table->count, sizeof *table->order, compare, &sorting);
    }
}

// ---- Tables -----------------------------------------------------------------------

snakepit_err sp_top_table_make(struct sp_top_table *table,
                               const struct sp_top_model *model,
                               const struct sp_top_choice *choice)
{
    struct making making = {.table = table, .choice = choice};
    table->view = choice->view;
    table->count = 0;
    table->texts.size = 0;
    snakepit_err err =
        sp_top_gather(model, choice->view, choice->now_ms, take_row, &making);
    if (err != SNAKEPIT_OK) {
        table->count = 0;
        return err;
    }
    sort(table, choice);
    return SNAKEPIT_OK;
}

const struct sp_top_line *sp_top_table_line(const struct sp_top_table *table, size_t at)
{
    SP_CHECK(at < table->count);
    return &table->lines[table->order[at]];
}

const char *sp_top_cell_text(const struct sp_top_table *table,
                             const struct sp_top_cell *cell)
{
    return (const char *)table->texts.data + cell->at;
}

void sp_top_table_fini(struct sp_top_table *table)
{
    sp_free(table->lines);
    sp_free(table->order);
    sp_buf_fini(&table->texts);
    *table = (struct sp_top_table){.count = 0};
}
