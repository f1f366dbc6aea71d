// SPDX-License-Identifier: MIT
// Every text is cut to the room there is, and fit for a log; nothing is allocated.
#include "process/report.h"

#include <stdio.h>
#include <string.h>

#include "base/system.h"
#include "base/text.h"
#include "ipc/channel.h"
#include "ipc/layout.h"
#include "payload/reader.h"

#define PATH_MOST  4096u               // bytes of a path, with its zero
#define PATHS_MOST (UINT32_C(1) << 20) // bytes of all of them

static void
read_text(const snakepit_reader *map, const char *key, char *room, size_t size)
{
    snakepit_reader at;
    snakepit_value value;
    room[0] = 0;
    if (snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
        snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_TEXT) {
        (void)snprintf(room, size, "%.*s", (int)value.as.text.size, value.as.text.data);
    }
}

// A text of one line that is logged as one word.
static void
read_word(const snakepit_reader *map, const char *key, char *room, size_t size)
{
    read_text(map, key, room, size);
    sp_text_clean(room, strlen(room), SP_TEXT_LINE);
    for (char *at = room; (at = strpbrk(at, " \"\\=")) != NULL;) {
        *at = '?';
    }
}

// The same, but of a text that does not fit the end, from the start of a line on: there
// a traceback names its error.
static void
read_tail(const snakepit_reader *map, const char *key, char *room, size_t size)
{
    snakepit_reader at;
    snakepit_value value;
    room[0] = 0;
    if (snakepit_reader_find(map, key, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return;
    }
    snakepit_span text = value.as.text;
    const char *cut = "";
    if (text.size >= size) {
        cut = "[...]\n";
        size_t most = size - sizeof "[...]\n";
        text = (snakepit_span){text.data + text.size - most, most};
        const char *line = memchr(text.data, '\n', text.size);
        size_t skipped = line == NULL ? 0 : (size_t)(line + 1 - text.data);
        text = (snakepit_span){text.data + skipped, text.size - skipped};
    }
    (void)snprintf(room, size, "%s%.*s", cut, (int)text.size, text.data);
}

static bool read_flag(const snakepit_reader *map, const char *key, bool otherwise)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
        snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_BOOLEAN) {
        return value.as.boolean;
    }
    return otherwise;
}

void sp_worker_read_info(struct sp_worker_info *info, const uint8_t *body, size_t size)
{
    snakepit_reader map;
    snakepit_reader_init(&map, body, size);
    info->gil_enabled = read_flag(&map, "gil_enabled", true);
    info->free_threaded = read_flag(&map, "free_threaded", false);
    info->thread_safe = read_flag(&map, "thread_safe", true);
    info->undeclared = !read_flag(&map, "thread_safe", false) && info->thread_safe;
    info->has_health_check = read_flag(&map, "health_check", false);
    read_word(&map, "python", info->python, sizeof info->python);
    read_word(&map, "adapter", info->adapter, sizeof info->adapter);
}

static bool next_text(snakepit_reader *at, snakepit_span *text)
{
    snakepit_value value;
    if (snakepit_reader_next(at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    *text = value.as.text;
    return true;
}

// False: what comes is not a name, or there is no memory.
static bool add_name(struct sp_buf *names, snakepit_reader *at)
{
    snakepit_span name;
    if (!next_text(at, &name) || name.size > UINT8_MAX) {
        return false;
    }
    uint8_t size = (uint8_t)name.size;
    return sp_buf_append(names, &size, sizeof size) == SNAKEPIT_OK &&
           sp_buf_append(names, name.data, size) == SNAKEPIT_OK;
}

// The same for a name and a number of calls.
static bool add_batch(struct sp_buf *tools, snakepit_reader *at)
{
    snakepit_value most;
    if (!add_name(tools, at) || snakepit_reader_next(at, &most) != SNAKEPIT_OK ||
        most.kind != SNAKEPIT_INTEGER || most.as.integer < 2 ||
        most.as.integer > SP_SLOTS_MAX) {
        return false;
    }
    uint32_t number = (uint32_t)most.as.integer;
    return sp_buf_append(tools, &number, sizeof number) == SNAKEPIT_OK;
}

// The same for a path.
static bool add_path(struct sp_buf *paths, snakepit_reader *at)
{
    snakepit_span path;
    if (!next_text(at, &path)) {
        return false;
    }
    const char *text = path.data;
    size_t size = path.size;
    return size > 0 && size < PATH_MOST && text[0] == '/' &&
           memchr(text, 0, size) == NULL && paths->size < PATHS_MOST &&
           sp_buf_append(paths, text, size) == SNAKEPIT_OK &&
           sp_buf_append(paths, "", 1) == SNAKEPIT_OK;
}

// A list, or a map of one thing to another.
struct wanted_list {
    const char *key;
    snakepit_kind kind;
    bool (*add)(struct sp_buf *items, snakepit_reader *at); // what comes next
};

// All of a list or, where one of it is not what it should be, nothing.
static void read_list(struct sp_buf *items,
                      const struct wanted_list *wanted,
                      const uint8_t *body,
                      size_t size)
{
    snakepit_reader map;
    snakepit_reader at;
    snakepit_value value;
    items->size = 0;
    snakepit_reader_init(&map, body, size);
    if (snakepit_reader_find(&map, wanted->key, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != wanted->kind) {
        return;
    }
    for (uint32_t left = value.as.count; left > 0; left--) {
        if (!wanted->add(items, &at)) {
            items->size = 0;
            return;
        }
    }
}

void sp_worker_read_idempotent(struct sp_buf *names, const uint8_t *body, size_t size)
{
    static const struct wanted_list wanted = {"idempotent", SNAKEPIT_ARRAY, add_name};
    read_list(names, &wanted, body, size);
}

void sp_worker_read_batches(struct sp_buf *tools, const uint8_t *body, size_t size)
{
    static const struct wanted_list wanted = {"batches", SNAKEPIT_MAP, add_batch};
    read_list(tools, &wanted, body, size);
}

void sp_worker_read_sources(struct sp_buf *paths, const uint8_t *body, size_t size)
{
    static const struct wanted_list wanted = {"sources", SNAKEPIT_ARRAY, add_path};
    read_list(paths, &wanted, body, size);
}

void sp_worker_read_failure(char *room,
                            size_t room_size,
                            const uint8_t *body,
                            size_t size)
{
    char type[128];
    char message[1024];
    char traceback[6144];
    snakepit_reader map;
    snakepit_reader_init(&map, body, size);
    read_text(&map, "type", type, sizeof type);
    read_text(&map, "message", message, sizeof message);
    read_tail(&map, "traceback", traceback, sizeof traceback);
    size_t end = strlen(traceback);
    while (end > 0 && traceback[end - 1] == '\n') {
        traceback[--end] = '\0';
    }
    const char *between = end == 0 ? "" : "\n";
    (void)snprintf(room, room_size, "%s: %s%s%s", type, message, between, traceback);
    sp_text_clean(room, strlen(room), SP_TEXT_BLOCK);
}
