// SPDX-License-Identifier: MIT
#include "pit/ask.h"

#include <string.h>

#include "base/memory.h"
#include "payload/writer.h"
#include "pit/pit.h"
#include "pit/refuse.h"

// ---- Questions ----------------------------------------------------------------------

static void put_text(snakepit_writer *writer, const char *key, const char *text)
{
    snakepit_writer_str(writer, key);
    if (text != NULL) {
        snakepit_writer_str(writer, text);
    } else {
        snakepit_writer_nil(writer);
    }
}

static void put_number(snakepit_writer *writer, const char *key, uint64_t number)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_uint(writer, number);
}

static void put_flag(snakepit_writer *writer, const char *key, bool flag)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_bool(writer, flag);
}

static void put_asked(snakepit_writer *writer, const struct sp_asked *asked)
{
    snakepit_writer_map(writer, 10 + (asked->value != NULL ? 1 : 0));
    put_text(writer, "pool", asked->pool);
    put_text(writer, "session", asked->session);
    put_text(writer, "key", asked->key);
    put_text(writer, "after", asked->after);
    put_number(writer, "worker", asked->worker);
    put_number(writer, "workers", asked->workers);
    put_number(writer, "most", asked->most);
    put_number(writer, "ttl_ms", asked->ttl_ms);
    put_flag(writer, "failed", asked->failed);
    put_flag(writer, "slow", asked->slow);
    if (asked->value != NULL) {
        // As bytes: it may be as deep as a question can be.
        snakepit_writer_str(writer, "value");
        snakepit_writer_bytes(writer, asked->value->buf.data, asked->value->buf.size);
    }
}

snakepit_err sp_ask_value(snakepit *pit,
                          const char *what,
                          const struct sp_asked *asked,
                          struct sp_buf *body,
                          snakepit_message *why)
{
    snakepit_message room;
    snakepit_writer *writer = snakepit_writer_new();
    *body = (struct sp_buf){0};
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    put_asked(writer, asked);
    snakepit_err err = snakepit_writer_error(writer);
    err =
        err == SNAKEPIT_OK
            ? sp_daemon_ask(pit->daemon, what, writer, body, why == NULL ? &room : why)
            : err;
    snakepit_writer_free(writer);
    return err;
}

snakepit_err sp_ask_do(snakepit *pit,
                       const char *what,
                       const struct sp_asked *asked,
                       snakepit_message *why)
{
    struct sp_buf body;
    snakepit_err err = sp_ask_value(pit, what, asked, &body, why);
    sp_buf_fini(&body);
    return err;
}

// ---- Structs ------------------------------------------------------------------------

snakepit_err
sp_ask_one(snakepit *pit, const char *what, const struct sp_asked *asked, void *row)
{
    struct sp_buf body;
    snakepit_reader reader;
    snakepit_err err = sp_ask_value(pit, what, asked, &body, NULL);
    if (err == SNAKEPIT_OK) {
        snakepit_reader_init(&reader, body.data, body.size);
        err = sp_told_read(asked->told, &reader, &pit->told, row);
    }
    sp_buf_fini(&body);
    return err;
}

// Sets `*count` and leaves `reader` before the first of them.
static snakepit_err
begin_rows(const struct sp_buf *body, snakepit_reader *reader, size_t *count)
{
    snakepit_value value;
    snakepit_reader_init(reader, body->data, body->size);
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return SNAKEPIT_PROTOCOL;
    }
    *count = value.as.count;
    return SNAKEPIT_OK;
}

// One row while it is read.
union row {
    uint64_t alignment;
    uint8_t bytes[SP_TOLD_SIZE_MOST];
};

snakepit_err sp_ask_rows(snakepit *pit,
                         const char *what,
                         const struct sp_asked *asked,
                         const struct sp_rows *rows,
                         size_t *count)
{
    struct sp_buf body;
    snakepit_reader reader;
    size_t found = 0;
    snakepit_err err = sp_ask_value(pit, what, asked, &body, NULL);
    err = err == SNAKEPIT_OK ? begin_rows(&body, &reader, &found) : err;
    for (size_t i = 0; i < found && err == SNAKEPIT_OK; i++) {
        union row row = {0};
        err = sp_told_read(asked->told, &reader, &pit->told, row.bytes);
        if (err == SNAKEPIT_OK) {
            sp_rows_put(rows, i, row.bytes, asked->told->size);
        }
    }
    sp_buf_fini(&body);
    if (err == SNAKEPIT_OK) {
        *count = found;
    }
    return err;
}

snakepit_err sp_ask_each(snakepit *pit,
                         const char *what,
                         const struct sp_asked *asked,
                         sp_asked_row_fn *take,
                         void *user)
{
    struct sp_buf body;
    snakepit_reader reader;
    struct sp_told_texts texts;
    size_t found = 0;
    snakepit_err err = sp_ask_value(pit, what, asked, &body, NULL);
    err = err == SNAKEPIT_OK ? begin_rows(&body, &reader, &found) : err;
    sp_told_texts_init(&texts);
    for (size_t i = 0; i < found && err == SNAKEPIT_OK; i++) {
        union row row = {0};
        err = sp_told_read(asked->told, &reader, &texts, row.bytes);
        if (err == SNAKEPIT_OK) {
            take(user, row.bytes);
        }
    }
    sp_told_texts_fini(&texts);
    sp_buf_fini(&body);
    return err;
}

// ---- Stacks -------------------------------------------------------------------------

#define FRAMES_MOST 100u

// [the stack, [its frames]]
static snakepit_err read_stack(snakepit_reader *reader,
                               struct sp_told_texts *texts,
                               snakepit_stack *stack,
                               snakepit_frame frames[FRAMES_MOST])
{
    snakepit_value pair;
    snakepit_value list;
    if (snakepit_reader_next(reader, &pair) != SNAKEPIT_OK ||
        pair.kind != SNAKEPIT_ARRAY || pair.as.count != 2 ||
        sp_told_read(&sp_told_stack, reader, texts, stack) != SNAKEPIT_OK ||
        snakepit_reader_next(reader, &list) != SNAKEPIT_OK ||
        list.kind != SNAKEPIT_ARRAY || list.as.count > FRAMES_MOST) {
        return SNAKEPIT_PROTOCOL;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (uint32_t i = 0; i < list.as.count && err == SNAKEPIT_OK; i++) {
        frames[i] = (snakepit_frame){0};
        err = sp_told_read(&sp_told_frame, reader, texts, &frames[i]);
    }
    stack->count = list.as.count;
    stack->frames = frames;
    return err;
}

snakepit_err sp_ask_stacks(snakepit *pit,
                           const struct sp_asked *asked,
                           snakepit_stack_fn *take,
                           void *user,
                           snakepit_message *why)
{
    struct sp_buf body;
    snakepit_reader reader;
    struct sp_told_texts texts;
    size_t found = 0;
    snakepit_frame frames[FRAMES_MOST];
    snakepit_err err = sp_ask_value(pit, "worker_stacks", asked, &body, why);
    err = err == SNAKEPIT_OK ? begin_rows(&body, &reader, &found) : err;
    sp_told_texts_init(&texts);
    for (size_t i = 0; i < found && err == SNAKEPIT_OK; i++) {
        snakepit_stack stack = {0};
        err = read_stack(&reader, &texts, &stack, frames);
        if (err == SNAKEPIT_OK) {
            take(user, &stack);
        }
    }
    sp_told_texts_fini(&texts);
    sp_buf_fini(&body);
    return err;
}

// ---- Metrics ------------------------------------------------------------------------

// The names of the pools that are wanted.
static void put_wanted(snakepit *pit,
                       const snakepit_metrics_options *options,
                       snakepit_writer *writer)
{
    uint32_t count = 0;
    const size_t pools = pit->count;
    for (size_t i = 0; i < pools; i++) {
        count +=
            options->wants(options->user, sp_pool_name(pit->pools[i]->pool)) ? 1 : 0;
    }
    snakepit_writer_array(writer, count);
    for (size_t i = 0; i < pools && count > 0; i++) {
        const char *name = sp_pool_name(pit->pools[i]->pool);
        if (options->wants(options->user, name)) {
            snakepit_writer_str(writer, name);
            count--;
        }
    }
}

static snakepit_err take_text(const struct sp_buf *body, char **text, size_t *size)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_reader_init(&reader, body->data, body->size);
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return SNAKEPIT_PROTOCOL;
    }
    *text = sp_alloc(value.as.text.size + 1);
    if (*text == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy(*text, value.as.text.data, value.as.text.size);
    *size = value.as.text.size;
    return SNAKEPIT_OK;
}

snakepit_err sp_ask_metrics(snakepit *pit,
                            const snakepit_metrics_options *options,
                            char **text,
                            size_t *size)
{
    struct sp_buf body = {0};
    snakepit_message why;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_writer_map(writer, options->wants != NULL ? 3 : 2);
    put_flag(writer, "openmetrics", options->openmetrics);
    put_flag(writer, "goes_on", options->goes_on);
    if (options->wants != NULL) {
        snakepit_writer_str(writer, "pools");
        put_wanted(pit, options, writer);
    }
    snakepit_err err = snakepit_writer_error(writer);
    err = err == SNAKEPIT_OK
              ? sp_daemon_ask(pit->daemon, "metrics", writer, &body, &why)
              : err;
    err = err == SNAKEPIT_OK ? take_text(&body, text, size) : err;
    snakepit_writer_free(writer);
    sp_buf_fini(&body);
    return err;
}
