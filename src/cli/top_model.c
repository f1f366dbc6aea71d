// SPDX-License-Identifier: MIT
// Rows stay MessagePack, so that a column is a name and nothing here knows the columns.
#include "cli/top_model.h"

#include <string.h>

#include "base/memory.h"
#include "cli/value.h"

// ---- Lists ------------------------------------------------------------------------

static void free_rows(struct sp_top_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        sp_buf_fini(&list->rows[i].map);
    }
    list->count = 0;
}

static void free_list(struct sp_top_list *list)
{
    free_rows(list);
    sp_free(list->rows);
    *list = (struct sp_top_list){0};
}

static void remove_rows(struct sp_top_list *list, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++) {
        sp_buf_fini(&list->rows[i].map);
    }
    list->count -= count;
    memmove(list->rows + at,
            list->rows + at + count,
            (list->count - at) * sizeof *list->rows);
}

static snakepit_err make_room(struct sp_top_list *list)
{
    const size_t room = list->room == 0 ? 16 : 2 * list->room;
    if (list->count < list->room) {
        return SNAKEPIT_OK;
    }
    if (list->count >= SP_TOP_ROWS_MAX) {
        return SNAKEPIT_MALFORMED;
    }
    struct sp_top_row *rows = sp_realloc(list->rows, room * sizeof *rows);
    if (rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    list->rows = rows;
    list->room = room;
    return SNAKEPIT_OK;
}

static snakepit_err add(struct sp_top_list *list, struct sp_top_row **row)
{
    snakepit_err err = make_room(list);
    if (err == SNAKEPIT_OK) {
        *row = &list->rows[list->count++];
        **row = (struct sp_top_row){.id = 0};
    }
    return err;
}

snakepit_reader sp_top_row_reader(const struct sp_top_row *row)
{
    snakepit_reader reader;
    snakepit_reader_init(&reader, row->map.data, row->map.size);
    return reader;
}

static bool is_text(const struct sp_top_row *row, const char *key, snakepit_span text)
{
    const snakepit_reader map = sp_top_row_reader(row);
    const snakepit_span own = sp_cli_value_text(&map, key);
    return own.size == text.size && memcmp(own.data, text.data, text.size) == 0;
}

// The row with that id, or, without one, with that name; NULL: there is none.
static struct sp_top_row *
find(struct sp_top_list *list, uint64_t id, snakepit_span name)
{
    for (size_t i = 0; i < list->count; i++) {
        struct sp_top_row *row = &list->rows[i];
        if (id != 0 ? row->id == id : is_text(row, "name", name)) {
            return row;
        }
    }
    return NULL;
}

// ---- One event --------------------------------------------------------------------

struct event {
    struct sp_top_model *model;
    const snakepit_reader *map;
    bool snapshot;
};

static snakepit_err
put(const struct event *event, struct sp_top_row *row, const snakepit_reader *value)
{
    snakepit_reader end = *value;
    snakepit_err err = snakepit_reader_skip(&end);
    row->map.size = 0;
    row->seen_ms = event->model->time_ms;
    return err != SNAKEPIT_OK
               ? err
               : sp_buf_append(&row->map, value->at, (size_t)(end.at - value->at));
}

// Whether a row is one that can be told apart.
static bool is_map(const snakepit_reader *at)
{
    snakepit_reader look = *at;
    snakepit_value value;
    return sp_cli_value_next(&look, SNAKEPIT_MAP, &value);
}

typedef snakepit_err take_fn(const struct event *event,
                             struct sp_top_list *list,
                             const snakepit_reader *value);

static snakepit_err replace(const struct event *event,
                            struct sp_top_list *list,
                            const snakepit_reader *value)
{
    const uint64_t id = sp_cli_value_number(value, "id");
    const snakepit_span name = sp_cli_value_text(value, "name");
    snakepit_err err = SNAKEPIT_OK;
    if (id == 0 && name.size == 0) {
        return SNAKEPIT_OK; // it has just gone
    }
    struct sp_top_row *row = find(list, id, name);
    if (row == NULL) {
        err = add(list, &row);
    }
    if (err == SNAKEPIT_OK) {
        row->id = id;
        err = put(event, row, value);
    }
    return err;
}

static snakepit_err replace_tool(const struct event *event,
                                 struct sp_top_list *list,
                                 const snakepit_reader *value)
{
    const snakepit_span pool = sp_cli_value_text(value, "pool");
    const snakepit_span tool = sp_cli_value_text(value, "tool");
    struct sp_top_row *row = NULL;
    for (size_t i = 0; i < list->count && row == NULL; i++) {
        struct sp_top_row *one = &list->rows[i];
        row = is_text(one, "tool", tool) && is_text(one, "pool", pool) ? one : NULL;
    }
    snakepit_err err = row == NULL ? add(list, &row) : SNAKEPIT_OK;
    return err == SNAKEPIT_OK ? put(event, row, value) : err;
}

static void forget_tools_of(struct sp_top_list *tools, snakepit_span pool)
{
    for (size_t i = tools->count; i > 0; i--) {
        if (is_text(&tools->rows[i - 1], "pool", pool)) {
            remove_rows(tools, i - 1, 1);
        }
    }
}

// What a snapshot tells of the past may be known from before the connection broke.
static snakepit_err append(const struct event *event,
                           struct sp_top_list *list,
                           const snakepit_reader *value)
{
    static const snakepit_span none = {.data = "", .size = 0};
    const uint64_t call = sp_cli_value_number(value, "call");
    const uint64_t id = call != 0 ? call : sp_cli_value_number(value, "worker");
    struct sp_top_row *row = NULL;
    if (event->snapshot && id != 0 && find(list, id, none) != NULL) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = add(list, &row);
    if (err == SNAKEPIT_OK) {
        row->id = id;
        err = put(event, row, value);
    }
    return err;
}

static snakepit_err take_list(const struct event *event,
                              const char *key,
                              struct sp_top_list *list,
                              take_fn *take)
{
    snakepit_reader at;
    snakepit_err err = SNAKEPIT_OK;
    const uint32_t count = sp_cli_value_list(event->map, key, &at);
    for (uint32_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        const snakepit_reader value = at;
        err = snakepit_reader_skip(&at);
        if (err == SNAKEPIT_OK && is_map(&value)) {
            err = take(event, list, &value);
        }
    }
    return err;
}

// Keeps the newest.
static void bound(struct sp_top_list *list, size_t most)
{
    if (list->count > most) {
        remove_rows(list, 0, list->count - most);
    }
}

static void forget_row(struct sp_top_list *list, const struct sp_top_row *row)
{
    if (row != NULL) {
        remove_rows(list, (size_t)(row - list->rows), 1);
    }
}

static void forget_gone(struct sp_top_model *model, const snakepit_reader *gone)
{
    static const snakepit_span none = {.data = "", .size = 0};
    snakepit_reader at;
    snakepit_value value;
    uint32_t count = sp_cli_value_list(gone, "pools", &at);
    while (count-- > 0 && sp_cli_value_next(&at, SNAKEPIT_TEXT, &value)) {
        forget_row(&model->pools, find(&model->pools, 0, value.as.text));
        forget_tools_of(&model->tools, value.as.text);
    }
    count = sp_cli_value_list(gone, "workers", &at);
    while (count-- > 0 && sp_cli_value_next(&at, SNAKEPIT_INTEGER, &value)) {
        const uint64_t id = (uint64_t)value.as.integer;
        forget_row(&model->workers, id == 0 ? NULL : find(&model->workers, id, none));
    }
}

static void take_head(struct sp_top_model *model, const snakepit_reader *map)
{
    const snakepit_span version = sp_cli_value_text(map, "version");
    const uint64_t uptime = sp_cli_value_number(map, "uptime_ms");
    const uint64_t time = sp_cli_value_number(map, "time_ms");
    const size_t size =
        version.size < sizeof model->version ? version.size : sizeof model->version - 1;
    if (size > 0) {
        memcpy(model->version, version.data, size);
        model->version[size] = '\0';
    }
    model->time_ms = time != 0 ? time : model->time_ms;
    model->uptime_ms = uptime != 0 ? uptime : model->uptime_ms;
    model->left_out += sp_cli_value_number(map, "calls_left_out");
}

static snakepit_err take_lists(const struct event *event)
{
    struct sp_top_model *model = event->model;
    snakepit_reader gone;
    snakepit_err err = take_list(event, "pools", &model->pools, replace);
    if (err == SNAKEPIT_OK) {
        err = take_list(event, "workers", &model->workers, replace);
    }
    if (err == SNAKEPIT_OK) {
        err = take_list(event, "tools", &model->tools, replace_tool);
    }
    if (err == SNAKEPIT_OK) {
        err = take_list(event, "calls", &model->ended, append);
    }
    if (err == SNAKEPIT_OK) {
        err = take_list(event, "deaths", &model->deaths, append);
    }
    if (err == SNAKEPIT_OK && sp_cli_value_find(event->map, "gone", &gone)) {
        forget_gone(model, &gone);
    }
    bound(&model->ended, SP_TOP_ENDED_MAX);
    bound(&model->deaths, SP_TOP_DEATHS_MAX);
    return err;
}

snakepit_err
sp_top_model_take(struct sp_top_model *model, const char *name, struct sp_slice data)
{
    snakepit_reader map;
    const struct event event = {
        .model = model, .map = &map, .snapshot = strcmp(name, "snapshot") == 0};
    if (!event.snapshot && (strcmp(name, "delta") != 0 || !model->known)) {
        return SNAKEPIT_OK;
    }
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err =
        writer == NULL ? SNAKEPIT_NO_MEMORY : sp_cli_value_read(data, writer, &map);
    if (err == SNAKEPIT_OK) {
        if (event.snapshot) {
            free_rows(&model->pools);
            free_rows(&model->workers);
            free_rows(&model->tools);
            model->known = true;
        }
        take_head(model, &map);
        err = take_lists(&event);
    }
    snakepit_writer_free(writer);
    return err;
}

snakepit_err sp_top_model_take_waiting(struct sp_top_model *model, struct sp_slice data)
{
    snakepit_reader map;
    const struct event event = {.model = model, .map = &map};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err =
        writer == NULL ? SNAKEPIT_NO_MEMORY : sp_cli_value_read(data, writer, &map);
    if (err == SNAKEPIT_OK) {
        free_rows(&model->waiting);
        err = take_list(&event, "calls", &model->waiting, append);
    }
    snakepit_writer_free(writer);
    return err;
}

void sp_top_model_fini(struct sp_top_model *model)
{
    free_list(&model->waiting);
    free_list(&model->pools);
    free_list(&model->workers);
    free_list(&model->tools);
    free_list(&model->ended);
    free_list(&model->deaths);
    *model = (struct sp_top_model){.known = false};
}
