// SPDX-License-Identifier: MIT
#include "pit/told.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

// ---- Tables ---------------------------------------------------------------------

#define KIND_OF(member)             \
    _Generic((member),              \
        uint32_t: SP_TOLD_U32,      \
        uint64_t: SP_TOLD_U64,      \
        int32_t: SP_TOLD_I32,       \
        int64_t: SP_TOLD_I64,       \
        bool: SP_TOLD_FLAG,         \
        const char *: SP_TOLD_TEXT, \
        char *: SP_TOLD_ROOM)

#define MEMBER(type, member)                  \
    {                                         \
        .name = #member,                      \
        .at = offsetof(type, member),         \
        .size = sizeof(((type *)0)->member),  \
        .kind = KIND_OF(((type *)0)->member), \
    },

#define TOLD(name, type, begins_with_size)                         \
    const struct sp_told sp_told_##name = {                        \
        .sized = (begins_with_size),                               \
        .size = sizeof(type),                                      \
        .count = sizeof name##_members / sizeof name##_members[0], \
        .members = name##_members,                                 \
    };                                                             \
    _Static_assert(sizeof(type) <= SP_TOLD_SIZE_MOST, "has room")

// clang-format off
static const struct sp_told_member pool_members[] = {
#define SP_POOL_FIGURE(figure) MEMBER(snakepit_pool_stats, figure)
#include "pit/pool_figures.def"
    MEMBER(snakepit_pool_stats, name)
    MEMBER(snakepit_pool_stats, profile)
    MEMBER(snakepit_pool_stats, state)
};
static const struct sp_told_member worker_members[] = {
    MEMBER(snakepit_worker_info, id)
    MEMBER(snakepit_worker_info, pid)
    MEMBER(snakepit_worker_info, state)
    MEMBER(snakepit_worker_info, load)
    MEMBER(snakepit_worker_info, capacity)
    MEMBER(snakepit_worker_info, device)
    MEMBER(snakepit_worker_info, stuck)
    MEMBER(snakepit_worker_info, isolated)
    MEMBER(snakepit_worker_info, health)
    MEMBER(snakepit_worker_info, age_ms)
    MEMBER(snakepit_worker_info, calls)
    MEMBER(snakepit_worker_info, rss_bytes)
    MEMBER(snakepit_worker_info, pss_bytes)
    MEMBER(snakepit_worker_info, threads)
    MEMBER(snakepit_worker_info, python)
};
static const struct sp_told_member breaker_members[] = {
    MEMBER(snakepit_breaker_info, tool)
    MEMBER(snakepit_breaker_info, state)
    MEMBER(snakepit_breaker_info, failures)
    MEMBER(snakepit_breaker_info, retry_after_ms)
};
static const struct sp_told_member health_members[] = {
    MEMBER(snakepit_health, status)
    MEMBER(snakepit_health, checks)
    MEMBER(snakepit_health, failures)
    MEMBER(snakepit_health, checked_ms)
    MEMBER(snakepit_health, consecutive_failures)
    MEMBER(snakepit_health, message)
};
static const struct sp_told_member death_members[] = {
    MEMBER(snakepit_death, number)
    MEMBER(snakepit_death, worker)
    MEMBER(snakepit_death, pid)
    MEMBER(snakepit_death, expected)
    MEMBER(snakepit_death, ended_ms)
    MEMBER(snakepit_death, age_ms)
    MEMBER(snakepit_death, cause)
};
static const struct sp_told_member executor_members[] = {
    MEMBER(snakepit_executor_info, worker)
    MEMBER(snakepit_executor_info, executor)
    MEMBER(snakepit_executor_info, state)
    MEMBER(snakepit_executor_info, call)
    MEMBER(snakepit_executor_info, running_us)
    MEMBER(snakepit_executor_info, since_ms)
    MEMBER(snakepit_executor_info, tool)
};
static const struct sp_told_member call_members[] = {
    MEMBER(snakepit_call_info, call)
    MEMBER(snakepit_call_info, pool)
    MEMBER(snakepit_call_info, tool)
    MEMBER(snakepit_call_info, session)
    MEMBER(snakepit_call_info, state)
    MEMBER(snakepit_call_info, worker)
    MEMBER(snakepit_call_info, executor)
    MEMBER(snakepit_call_info, since_us)
    MEMBER(snakepit_call_info, left_ms)
    MEMBER(snakepit_call_info, attempt)
    MEMBER(snakepit_call_info, priority)
    MEMBER(snakepit_call_info, streams)
};
static const struct sp_told_member ended_members[] = {
    MEMBER(snakepit_ended_call, call)
    MEMBER(snakepit_ended_call, pool)
    MEMBER(snakepit_ended_call, tool)
    MEMBER(snakepit_ended_call, session)
    MEMBER(snakepit_ended_call, err)
    MEMBER(snakepit_ended_call, worker)
    MEMBER(snakepit_ended_call, executor)
    MEMBER(snakepit_ended_call, ended_us)
    MEMBER(snakepit_ended_call, waited_us)
    MEMBER(snakepit_ended_call, ran_us)
    MEMBER(snakepit_ended_call, attempts)
    MEMBER(snakepit_ended_call, error)
    MEMBER(snakepit_ended_call, traceback)
};
static const struct sp_told_member stack_members[] = {
    MEMBER(snakepit_stack, executor)
    MEMBER(snakepit_stack, thread)
    MEMBER(snakepit_stack, state)
    MEMBER(snakepit_stack, call)
    MEMBER(snakepit_stack, tool)
    MEMBER(snakepit_stack, running_us)
    MEMBER(snakepit_stack, stuck)
    MEMBER(snakepit_stack, moved)
    MEMBER(snakepit_stack, cut)
    MEMBER(snakepit_stack, lost)
};
static const struct sp_told_member frame_members[] = {
    MEMBER(snakepit_frame, function)
    MEMBER(snakepit_frame, file)
    MEMBER(snakepit_frame, line)
};
// clang-format on

TOLD(pool, snakepit_pool_stats, true);
TOLD(worker, snakepit_worker_info, true);
TOLD(breaker, snakepit_breaker_info, true);
TOLD(health, snakepit_health, true);
TOLD(death, snakepit_death, true);
TOLD(executor, snakepit_executor_info, true);
TOLD(call, snakepit_call_info, true);
TOLD(ended, snakepit_ended_call, true);
TOLD(stack, snakepit_stack, true);
TOLD(frame, snakepit_frame, false);

// ---- Writing --------------------------------------------------------------------

static uint64_t number_at(const uint8_t *at, size_t size)
{
    uint32_t small;
    uint64_t large;
    if (size == sizeof small) {
        memcpy(&small, at, sizeof small);
        return small;
    }
    memcpy(&large, at, sizeof large);
    return large;
}

static void write_text(snakepit_writer *writer, const char *text)
{
    if (text == NULL) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_str(writer, text);
    }
}

static void write_member(const struct sp_told_member *member,
                         const uint8_t *at,
                         snakepit_writer *writer)
{
    const char *text;
    switch (member->kind) {
    case SP_TOLD_U32:
    case SP_TOLD_U64:
        snakepit_writer_uint(writer, number_at(at, member->size));
        break;
    case SP_TOLD_I32:
        snakepit_writer_int(writer, (int32_t)(uint32_t)number_at(at, member->size));
        break;
    case SP_TOLD_I64:
        snakepit_writer_int(writer, (int64_t)number_at(at, member->size));
        break;
    case SP_TOLD_FLAG:
        snakepit_writer_bool(writer, *at != 0);
        break;
    case SP_TOLD_TEXT:
        memcpy((void *)&text, at, sizeof text);
        write_text(writer, text);
        break;
    case SP_TOLD_ROOM:
        write_text(writer, (const char *)at);
        break;
    }
}

void sp_told_write(const struct sp_told *told, const void *row, snakepit_writer *writer)
{
    snakepit_writer_map(writer, (uint32_t)told->count);
    for (size_t i = 0; i < told->count; i++) {
        const struct sp_told_member *member = &told->members[i];
        snakepit_writer_str(writer, member->name);
        write_member(member, (const uint8_t *)row + member->at, writer);
    }
}

// ---- Texts ----------------------------------------------------------------------

#define TEXTS_MOST 4096u // beyond it they are empty

struct kept {
    struct sp_link link;
    char text[];
};

void sp_told_texts_init(struct sp_told_texts *texts)
{
    SP_CHECK(pthread_mutex_init(&texts->lock, NULL) == 0);
    sp_list_init(&texts->all);
    texts->count = 0;
}

void sp_told_texts_fini(struct sp_told_texts *texts)
{
    struct sp_link *link;
    while ((link = sp_list_take(&texts->all)) != NULL) {
        sp_free(SP_ENTRY(link, struct kept, link));
    }
    pthread_mutex_destroy(&texts->lock);
}

// Lock held.
static const char *find_text(const struct sp_told_texts *texts, snakepit_span text)
{
    for (struct sp_link *link = texts->all.next; link != &texts->all;
         link = link->next) {
        const char *kept = SP_ENTRY(link, struct kept, link)->text;
        if (strlen(kept) == text.size && memcmp(kept, text.data, text.size) == 0) {
            return kept;
        }
    }
    return NULL;
}

static const char *add_text(struct sp_told_texts *texts, snakepit_span text)
{
    struct kept *kept =
        texts->count < TEXTS_MOST ? sp_alloc(sizeof *kept + text.size + 1) : NULL;
    if (kept == NULL) {
        return "";
    }
    memcpy(kept->text, text.data, text.size);
    kept->text[text.size] = '\0';
    sp_list_append(&texts->all, &kept->link);
    texts->count++;
    return kept->text;
}

static const char *keep(struct sp_told_texts *texts, snakepit_span text)
{
    pthread_mutex_lock(&texts->lock);
    const char *kept = find_text(texts, text);
    kept = kept == NULL ? add_text(texts, text) : kept;
    pthread_mutex_unlock(&texts->lock);
    return kept;
}

// ---- Reading --------------------------------------------------------------------

static uint64_t number_of(const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_INTEGER:
        return (uint64_t)value->as.integer;
    case SNAKEPIT_UNSIGNED:
        return value->as.unsigned_integer;
    case SNAKEPIT_BOOLEAN:
        return value->as.boolean ? 1 : 0;
    default:
        return 0;
    }
}

static void put_room(const snakepit_value *value, size_t room, uint8_t *at)
{
    if (value->kind != SNAKEPIT_TEXT) {
        return;
    }
    size_t size = value->as.text.size < room ? value->as.text.size : room - 1;
    memcpy(at, value->as.text.data, size);
    sp_text_clean((char *)at, size, SP_TEXT_LINE);
}

static void put_member(const struct sp_told_member *member,
                       const snakepit_value *value,
                       struct sp_told_texts *kept,
                       uint8_t *at)
{
    const uint64_t number = number_of(value);
    const uint32_t small = (uint32_t)number;
    const bool flag = number != 0;
    const char *text = NULL;
    switch (member->kind) {
    case SP_TOLD_U32:
    case SP_TOLD_I32:
        memcpy(at, &small, sizeof small);
        break;
    case SP_TOLD_U64:
    case SP_TOLD_I64:
        memcpy(at, &number, sizeof number);
        break;
    case SP_TOLD_FLAG:
        memcpy(at, &flag, sizeof flag);
        break;
    case SP_TOLD_TEXT:
        text = value->kind == SNAKEPIT_TEXT ? keep(kept, value->as.text) : NULL;
        memcpy(at, (const void *)&text, sizeof text);
        break;
    case SP_TOLD_ROOM:
        put_room(value, member->size, at);
        break;
    }
}

snakepit_err sp_told_read(const struct sp_told *told,
                          snakepit_reader *reader,
                          struct sp_told_texts *kept,
                          void *row)
{
    snakepit_value value;
    const snakepit_reader map = *reader;
    if (told->sized) {
        memcpy(row, &told->size, sizeof told->size);
    }
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_MAP) {
        return SNAKEPIT_PROTOCOL;
    }
    *reader = map;
    for (size_t i = 0; i < told->count; i++) {
        const struct sp_told_member *member = &told->members[i];
        snakepit_reader at;
        if (snakepit_reader_find(&map, member->name, &at) == SNAKEPIT_OK &&
            snakepit_reader_next(&at, &value) == SNAKEPIT_OK) {
            put_member(member, &value, kept, (uint8_t *)row + member->at);
        }
    }
    return snakepit_reader_skip(reader) == SNAKEPIT_OK ? SNAKEPIT_OK
                                                       : SNAKEPIT_PROTOCOL;
}
