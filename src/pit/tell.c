// SPDX-License-Identifier: MIT
#include "pit/tell.h"

#include <string.h>

#include "base/memory.h"
#include "payload/writer.h"
#include "pit/told.h"

#define ROWS_MOST 65536u

// ---- Arguments --------------------------------------------------------------------

// Names in arguments: pools, sessions, keys.
#define NAME_ROOM 256u

// A question while it is answered.
struct telling {
    snakepit *pit;
    snakepit_reader arguments; // a map
    snakepit_writer *out;      // the value; a map or whatever the question asks for
    snakepit_message why;
    char pool_room[NAME_ROOM];
};

static bool find_value(const struct telling *telling,
                       const char *key,
                       snakepit_kind kind,
                       snakepit_value *value)
{
    snakepit_reader at;
    return snakepit_reader_find(&telling->arguments, key, &at) == SNAKEPIT_OK &&
           snakepit_reader_next(&at, value) == SNAKEPIT_OK && value->kind == kind;
}

// NULL: it was not given, or is no name.
static const char *
name_of(const struct telling *telling, const char *key, char room[NAME_ROOM])
{
    snakepit_value value;
    if (!find_value(telling, key, SNAKEPIT_TEXT, &value) ||
        value.as.text.size >= NAME_ROOM ||
        memchr(value.as.text.data, 0, value.as.text.size) != NULL) {
        return NULL;
    }
    memcpy(room, value.as.text.data, value.as.text.size);
    room[value.as.text.size] = '\0';
    return room;
}

static const char *pool_of(struct telling *telling)
{
    return name_of(telling, "pool", telling->pool_room);
}

static uint64_t number_of(const struct telling *telling, const char *key)
{
    snakepit_value value;
    return find_value(telling, key, SNAKEPIT_INTEGER, &value) && value.as.integer > 0
               ? (uint64_t)value.as.integer
               : 0;
}

static bool flag_of(const struct telling *telling, const char *key)
{
    snakepit_value value;
    return find_value(telling, key, SNAKEPIT_BOOLEAN, &value) && value.as.boolean;
}

// ---- Rows -------------------------------------------------------------------------

// As snakepit_pool_workers() and its like.
typedef snakepit_err
rows_fn(struct telling *telling, void *rows, size_t room, size_t *count);

static void write_rows(const struct sp_told *told,
                       const uint8_t *rows,
                       size_t count,
                       snakepit_writer *out)
{
    snakepit_writer_array(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        sp_told_write(told, rows + i * told->size, out);
    }
}

// Asks how many there are, then for as many; there may be fewer or more by then.
static snakepit_err
tell_rows(struct telling *telling, const struct sp_told *told, rows_fn *get)
{
    size_t count = 0;
    snakepit_err err = get(telling, NULL, 0, &count);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const size_t room = count < ROWS_MOST ? count + 1 : ROWS_MOST;
    uint8_t *rows = sp_alloc_array(room, told->size);
    if (rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy(rows, &told->size, sizeof told->size);
    err = get(telling, rows, room, &count);
    if (err == SNAKEPIT_OK) {
        write_rows(told, rows, count < room ? count : room, telling->out);
    }
    sp_free(rows);
    return err;
}

static snakepit_err
get_workers(struct telling *telling, void *rows, size_t room, size_t *count)
{
    return snakepit_pool_workers(telling->pit, pool_of(telling), rows, room, count);
}

static snakepit_err tell_workers(struct telling *telling)
{
    return tell_rows(telling, &sp_told_worker, get_workers);
}

static snakepit_err
get_breakers(struct telling *telling, void *rows, size_t room, size_t *count)
{
    return snakepit_pool_breakers(telling->pit, pool_of(telling), rows, room, count);
}

static snakepit_err tell_breakers(struct telling *telling)
{
    return tell_rows(telling, &sp_told_breaker, get_breakers);
}

static snakepit_err
get_deaths(struct telling *telling, void *rows, size_t room, size_t *count)
{
    return snakepit_pool_deaths(telling->pit, pool_of(telling), rows, room, count);
}

static snakepit_err tell_deaths(struct telling *telling)
{
    return tell_rows(telling, &sp_told_death, get_deaths);
}

static snakepit_err
get_executors(struct telling *telling, void *rows, size_t room, size_t *count)
{
    return snakepit_worker_executors(telling->pit,
                                     pool_of(telling),
                                     number_of(telling, "worker"),
                                     rows,
                                     room,
                                     count);
}

static snakepit_err tell_executors(struct telling *telling)
{
    return tell_rows(telling, &sp_told_executor, get_executors);
}

// ---- Rows that are handed over one by one -------------------------------------------

// Each as it was written, one behind the other.
struct gathered {
    struct sp_buf bytes;
    struct sp_buf sizes; // size_t each
    snakepit_err err;
};

static void gather(struct gathered *gathered, const snakepit_writer *row)
{
    const size_t size = row->buf.size;
    snakepit_err err = snakepit_writer_error(row);
    if (gathered->err == SNAKEPIT_OK) {
        gathered->err = err;
    }
    if (gathered->err == SNAKEPIT_OK) {
        gathered->err = sp_buf_append(&gathered->sizes, &size, sizeof size);
    }
    if (gathered->err == SNAKEPIT_OK) {
        gathered->err = sp_buf_append(&gathered->bytes, row->buf.data, size);
    }
}

static void
gather_row(struct gathered *gathered, const struct sp_told *told, const void *row)
{
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        gathered->err = SNAKEPIT_NO_MEMORY;
        return;
    }
    sp_told_write(told, row, writer);
    gather(gathered, writer);
    snakepit_writer_free(writer);
}

static snakepit_err
write_gathered(struct telling *telling, struct gathered *gathered, snakepit_err err)
{
    const size_t count = gathered->sizes.size / sizeof(size_t);
    const uint8_t *at = gathered->bytes.data;
    err = err == SNAKEPIT_OK ? gathered->err : err;
    if (err == SNAKEPIT_OK) {
        snakepit_writer_array(telling->out, (uint32_t)count);
    }
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        size_t size;
        memcpy(&size, gathered->sizes.data + i * sizeof size, sizeof size);
        sp_writer_value(telling->out, (struct sp_slice){at, size});
        at += size;
    }
    sp_buf_fini(&gathered->bytes);
    sp_buf_fini(&gathered->sizes);
    return err;
}

static void take_call(void *user, const snakepit_call_info *call)
{
    gather_row(user, &sp_told_call, call);
}

static snakepit_err tell_calls(struct telling *telling)
{
    struct gathered gathered = {0};
    snakepit_err err = snakepit_calls(telling->pit,
                                      pool_of(telling),
                                      number_of(telling, "most"),
                                      take_call,
                                      &gathered);
    return write_gathered(telling, &gathered, err);
}

static void take_ended(void *user, const snakepit_ended_call *call)
{
    gather_row(user, &sp_told_ended, call);
}

static snakepit_err tell_recent_calls(struct telling *telling)
{
    struct gathered gathered = {0};
    const snakepit_recent_options options = {.size = sizeof options,
                                             .failed = flag_of(telling, "failed"),
                                             .slow = flag_of(telling, "slow"),
                                             .most = number_of(telling, "most")};
    snakepit_err err = snakepit_recent_calls(
        telling->pit, pool_of(telling), &options, take_ended, &gathered);
    return write_gathered(telling, &gathered, err);
}

// [the stack, [its frames]]
static void take_stack(void *user, const snakepit_stack *stack)
{
    struct gathered *gathered = user;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        gathered->err = SNAKEPIT_NO_MEMORY;
        return;
    }
    snakepit_writer_array(writer, 2);
    sp_told_write(&sp_told_stack, stack, writer);
    snakepit_writer_array(writer, (uint32_t)stack->count);
    for (size_t i = 0; i < stack->count; i++) {
        sp_told_write(&sp_told_frame, &stack->frames[i], writer);
    }
    gather(gathered, writer);
    snakepit_writer_free(writer);
}

static snakepit_err tell_stacks(struct telling *telling)
{
    struct gathered gathered = {0};
    snakepit_err err = snakepit_worker_stacks(telling->pit,
                                              pool_of(telling),
                                              number_of(telling, "worker"),
                                              take_stack,
                                              &gathered,
                                              &telling->why);
    return write_gathered(telling, &gathered, err);
}

// ---- One struct -------------------------------------------------------------------

static snakepit_err tell_pool(struct telling *telling)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_err err = snakepit_pool_get_stats(telling->pit, pool_of(telling), &stats);
    if (err == SNAKEPIT_OK) {
        sp_told_write(&sp_told_pool, &stats, telling->out);
    }
    return err;
}

static snakepit_err tell_health(struct telling *telling)
{
    snakepit_health health = {.size = sizeof health};
    snakepit_err err = snakepit_worker_health(
        telling->pit, pool_of(telling), number_of(telling, "worker"), &health);
    if (err == SNAKEPIT_OK) {
        sp_told_write(&sp_told_health, &health, telling->out);
    }
    return err;
}

// ---- What is to be done -------------------------------------------------------------

static snakepit_err done(struct telling *telling, snakepit_err err)
{
    if (err == SNAKEPIT_OK) {
        snakepit_writer_nil(telling->out);
    }
    return err;
}

static snakepit_err retry(struct telling *telling)
{
    return done(telling,
                snakepit_pool_retry(telling->pit, pool_of(telling), &telling->why));
}

static snakepit_err recycle(struct telling *telling)
{
    return done(telling,
                snakepit_pool_recycle(telling->pit, pool_of(telling), &telling->why));
}

static snakepit_err recycle_worker(struct telling *telling)
{
    return done(telling,
                snakepit_worker_recycle(telling->pit,
                                        pool_of(telling),
                                        number_of(telling, "worker"),
                                        &telling->why));
}

static snakepit_err resize(struct telling *telling)
{
    const uint64_t workers = number_of(telling, "workers");
    return done(
        telling,
        snakepit_pool_resize(telling->pit,
                             pool_of(telling),
                             workers < UINT32_MAX ? (uint32_t)workers : UINT32_MAX,
                             &telling->why));
}

// ---- Sessions -----------------------------------------------------------------------

// The value of an answer, or why there is none.
static snakepit_err
write_answer(struct telling *telling, snakepit_err err, snakepit_answer *answer)
{
    snakepit_reader reader;
    if (err == SNAKEPIT_OK) {
        snakepit_answer_reader(answer, &reader);
        sp_writer_value(telling->out,
                        (struct sp_slice){reader.at, (size_t)(reader.end - reader.at)});
    } else if (answer != NULL) {
        const char *message = snakepit_answer_fault(answer)->message;
        const size_t size = strnlen(message, sizeof telling->why.text - 1);
        memcpy(telling->why.text, message, size);
        telling->why.text[size] = '\0';
    }
    snakepit_answer_free(answer);
    return err;
}

static snakepit_err put_value(struct telling *telling)
{
    char session[NAME_ROOM];
    char key[NAME_ROOM];
    snakepit_value its;
    const uint64_t ttl = number_of(telling, "ttl_ms");
    const snakepit_put_options options = {.size = sizeof options,
                                          .ttl_ms = ttl < UINT32_MAX ? (uint32_t)ttl
                                                                     : UINT32_MAX,
                                          .why = &telling->why};
    snakepit_writer *value = snakepit_writer_new();
    if (value == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (find_value(telling, "value", SNAKEPIT_BYTES, &its) &&
        sp_writer_message(
            value,
            (struct sp_slice){(const uint8_t *)its.as.bytes.data, its.as.bytes.size},
            (struct sp_slice){0}) != SNAKEPIT_OK) {
        sp_writer_fail(value, SNAKEPIT_MALFORMED);
    }
    snakepit_err err = snakepit_session_put(telling->pit,
                                            name_of(telling, "session", session),
                                            name_of(telling, "key", key),
                                            value,
                                            &options);
    snakepit_writer_free(value);
    return done(telling, err);
}

static snakepit_err get_value(struct telling *telling)
{
    char session[NAME_ROOM];
    char key[NAME_ROOM];
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_session_get(telling->pit,
                                            name_of(telling, "session", session),
                                            name_of(telling, "key", key),
                                            &answer);
    return write_answer(telling, err, answer);
}

static snakepit_err delete_value(struct telling *telling)
{
    char session[NAME_ROOM];
    char key[NAME_ROOM];
    return done(telling,
                snakepit_session_delete(telling->pit,
                                        name_of(telling, "session", session),
                                        name_of(telling, "key", key)));
}

static snakepit_err list_keys(struct telling *telling)
{
    char session[NAME_ROOM];
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_session_list(
        telling->pit, name_of(telling, "session", session), &answer);
    return write_answer(telling, err, answer);
}

static snakepit_err list_sessions(struct telling *telling)
{
    char after[NAME_ROOM];
    snakepit_answer *answer = NULL;
    const uint64_t most = number_of(telling, "most");
    snakepit_err err =
        snakepit_sessions(telling->pit,
                          name_of(telling, "after", after),
                          most < UINT32_MAX ? (uint32_t)most : UINT32_MAX,
                          &answer);
    return write_answer(telling, err, answer);
}

static snakepit_err close_session(struct telling *telling)
{
    char session[NAME_ROOM];
    return done(
        telling,
        snakepit_session_close(telling->pit, name_of(telling, "session", session)));
}

// ---- Metrics ------------------------------------------------------------------------

static bool wants_pool(void *user, const char *pool)
{
    const struct telling *telling = user;
    snakepit_value value;
    snakepit_reader at;
    if (snakepit_reader_find(&telling->arguments, "pools", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return true;
    }
    const size_t size = strlen(pool);
    for (uint32_t i = 0; i < value.as.count; i++) {
        snakepit_value name;
        if (snakepit_reader_next(&at, &name) != SNAKEPIT_OK ||
            name.kind != SNAKEPIT_TEXT) {
            return false;
        }
        if (name.as.text.size == size && memcmp(name.as.text.data, pool, size) == 0) {
            return true;
        }
    }
    return false;
}

static snakepit_err tell_metrics(struct telling *telling)
{
    char *text = NULL;
    size_t size = 0;
    const snakepit_metrics_options options = {.size = sizeof options,
                                              .openmetrics =
                                                  flag_of(telling, "openmetrics"),
                                              .goes_on = flag_of(telling, "goes_on"),
                                              .wants = wants_pool,
                                              .user = telling};
    snakepit_err err = snakepit_metrics(telling->pit, &options, &text, &size);
    if (err == SNAKEPIT_OK) {
        snakepit_writer_strn(telling->out, text, size);
        snakepit_metrics_free(text);
    }
    return err;
}

// ---- All of them --------------------------------------------------------------------

static const struct {
    const char *what;
    snakepit_err (*tell)(struct telling *telling);
} tellings[] = {
    {"pool_get_stats", tell_pool},
    {"pool_workers", tell_workers},
    {"pool_breakers", tell_breakers},
    {"pool_deaths", tell_deaths},
    {"worker_health", tell_health},
    {"worker_executors", tell_executors},
    {"worker_stacks", tell_stacks},
    {"calls", tell_calls},
    {"recent_calls", tell_recent_calls},
    {"metrics", tell_metrics},
    {"pool_retry", retry},
    {"pool_recycle", recycle},
    {"pool_resize", resize},
    {"worker_recycle", recycle_worker},
    {"session_put", put_value},
    {"session_get", get_value},
    {"session_delete", delete_value},
    {"session_list", list_keys},
    {"session_close", close_session},
    {"sessions", list_sessions},
};

static snakepit_err tell(struct telling *telling, snakepit_span what)
{
    for (size_t i = 0; i < sizeof tellings / sizeof tellings[0]; i++) {
        if (strlen(tellings[i].what) == what.size &&
            memcmp(tellings[i].what, what.data, what.size) == 0) {
            return tellings[i].tell(telling);
        }
    }
    return SNAKEPIT_UNSUPPORTED;
}

static snakepit_err open_question(struct sp_slice question,
                                  snakepit_value *what,
                                  snakepit_reader *arguments)
{
    snakepit_value head;
    snakepit_reader at;
    snakepit_reader_init(&at, question.data, question.size);
    bool sound = snakepit_reader_next(&at, &head) == SNAKEPIT_OK &&
                 head.kind == SNAKEPIT_ARRAY && head.as.count == 2 &&
                 snakepit_reader_next(&at, what) == SNAKEPIT_OK &&
                 what->kind == SNAKEPIT_TEXT;
    *arguments = at;
    sound = sound && snakepit_reader_next(&at, &head) == SNAKEPIT_OK &&
            head.kind == SNAKEPIT_MAP;
    *arguments = sound ? *arguments : at;
    at = *arguments;
    return sound && snakepit_reader_skip(&at) == SNAKEPIT_OK ? SNAKEPIT_OK
                                                             : SNAKEPIT_MALFORMED;
}

void sp_pit_tell(snakepit *pit, struct sp_slice question, snakepit_writer *answer)
{
    struct telling telling = {.pit = pit, .out = snakepit_writer_new()};
    snakepit_value what;
    snakepit_err err = telling.out == NULL
                           ? SNAKEPIT_NO_MEMORY
                           : open_question(question, &what, &telling.arguments);
    err = err == SNAKEPIT_OK ? tell(&telling, what.as.text) : err;
    err = err == SNAKEPIT_OK ? snakepit_writer_error(telling.out) : err;
    const char *why =
        telling.why.text[0] != '\0' ? telling.why.text : snakepit_err_text(err);
    snakepit_writer_array(answer, 3);
    snakepit_writer_int(answer, (int64_t)err);
    snakepit_writer_str(answer, err == SNAKEPIT_OK ? "" : why);
    if (err == SNAKEPIT_OK) {
        sp_writer_value(
            answer, (struct sp_slice){telling.out->buf.data, telling.out->buf.size});
    } else {
        snakepit_writer_nil(answer);
    }
    snakepit_writer_free(telling.out);
}
