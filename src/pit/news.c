// SPDX-License-Identifier: MIT
// What a daemon tells a pit that is connected to it, for the callbacks `notice`,
// `event` and `session_ended`. Notices and the ends of sessions wait for their callback
// as the log's lines do, on a thread of their own: it may ask the daemon something.
#include "pit/news.h"

#include <string.h>

#include "base/callback.h"
#include "base/text.h"
#include "pit/log.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "telemetry/notice.h"

// ---- The callbacks ----------------------------------------------------------------

// The end of a session, on its way to the callback.
static const struct sp_notice_field session_fields[] = {
    {"session", SP_NOTICE_FIELD_TEXT, ""}, {"reason", SP_NOTICE_FIELD_COUNT, ""}};
static const struct sp_notice_kind session_kind = {
    "session.ended", SP_LOG_ERROR, "", session_fields, 2};

static void take(void *user, const struct sp_notice *notice)
{
    const snakepit *pit = user;
    if (notice->kind != &session_kind) {
        sp_pit_hand_on_notice(&pit->outlets, notice);
    } else if (pit->session_ended != NULL) {
        SP_CALLBACK("the callback `session_ended`");
        pit->session_ended(pit->session_user,
                           notice->values[0].text,
                           (snakepit_session_end)notice->values[1].count);
        SP_CALLBACK_RETURNED;
    }
}

snakepit_err sp_pit_open_news(snakepit *pit, snakepit_message *why)
{
    if (pit->outlets.notice == NULL && pit->session_ended == NULL) {
        return SNAKEPIT_OK;
    }
    const struct sp_log_target target = {
        .format = SP_LOG_NOWHERE, .level = SP_LOG_OFF, .take = take, .user = pit};
    snakepit_err err = sp_log_writer_open(&target, &pit->outlets.news);
    return err == SNAKEPIT_OK
               ? err
               : sp_refuse(why, err, "no thread for the callbacks can be made");
}

struct sp_daemon_follow sp_pit_follows(const snakepit *pit)
{
    return (struct sp_daemon_follow){
        .level = pit->outlets.notice != NULL ? pit->outlets.notice_level : SP_LOG_OFF,
        .events = pit->events.event != NULL,
        .sessions = pit->session_ended != NULL};
}

// ---- Reading ------------------------------------------------------------------------

static bool find(const snakepit_reader *map,
                 const char *key,
                 snakepit_kind kind,
                 snakepit_value *value)
{
    snakepit_reader at;
    return snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
           snakepit_reader_next(&at, value) == SNAKEPIT_OK && value->kind == kind;
}

static uint64_t number_of(const snakepit_value *value)
{
    return value->kind == SNAKEPIT_UNSIGNED  ? value->as.unsigned_integer
           : value->kind == SNAKEPIT_INTEGER ? (uint64_t)value->as.integer
                                             : 0;
}

static uint64_t find_number(const snakepit_reader *map, const char *key)
{
    snakepit_reader at;
    snakepit_value value;
    return snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
                   snakepit_reader_next(&at, &value) == SNAKEPIT_OK
               ? number_of(&value)
               : 0;
}

// Copies a text, cut to fit, and clean.
static const char *copy_text(const snakepit_value *value, char *room, size_t size)
{
    const size_t length = value->as.text.size < size ? value->as.text.size : size - 1;
    memcpy(room, value->as.text.data, length);
    room[length] = '\0';
    sp_text_clean(room, length, SP_TEXT_LINE);
    return room;
}

static const char *
find_text(const snakepit_reader *map, const char *key, char *room, size_t size)
{
    snakepit_value value;
    room[0] = '\0';
    return find(map, key, SNAKEPIT_TEXT, &value) ? copy_text(&value, room, size) : room;
}

// ---- Notices ------------------------------------------------------------------------

static const struct sp_notice_kind *kind_of(const char *name)
{
    for (size_t i = 0; i < SP_NOTICES; i++) {
        if (strcmp(sp_notice_kinds[i].name, name) == 0) {
            return &sp_notice_kinds[i];
        }
    }
    return NULL;
}

// Where the texts of one notice are put.
struct texts {
    char room[SP_NOTICE_TEXTS_MAX];
    size_t used;
};

static const char *keep_text(struct texts *texts, const snakepit_value *value)
{
    const size_t left = sizeof texts->room - texts->used;
    if (left == 0) {
        return NULL;
    }
    const char *kept = copy_text(value, texts->room + texts->used, left);
    texts->used += strlen(kept) + 1;
    return kept;
}

static union sp_notice_value read_field(const snakepit_reader *fields,
                                        const struct sp_notice_field *field,
                                        struct texts *texts)
{
    snakepit_reader at;
    snakepit_value value;
    const bool text = sp_notice_field_is_text(field);
    union sp_notice_value read = {.number = SP_UNTOLD};
    if (text) {
        read.text = NULL;
    }
    if (snakepit_reader_find(fields, field->name, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK) {
        return read;
    }
    if (text && value.kind == SNAKEPIT_TEXT) {
        read.text = keep_text(texts, &value);
    } else if (!text && value.kind == SNAKEPIT_REAL) {
        read.ratio = value.as.real;
    } else if (!text &&
               (value.kind == SNAKEPIT_INTEGER || value.kind == SNAKEPIT_UNSIGNED)) {
        read.count = number_of(&value);
    }
    return read;
}

// One that only a later version knows is passed over.
static snakepit_err take_notice(snakepit *pit, const snakepit_reader *map)
{
    char name[SP_NAME_MOST + 1];
    struct texts texts = {.used = 0};
    snakepit_reader fields;
    union sp_notice_value values[SP_NOTICE_FIELDS_MOST];
    const struct sp_notice_kind *kind =
        kind_of(find_text(map, "name", name, sizeof name));
    const uint64_t level = find_number(map, "level");
    if (snakepit_reader_find(map, "fields", &fields) != SNAKEPIT_OK ||
        level >= SP_LOG_OFF) {
        return SNAKEPIT_PROTOCOL;
    }
    for (size_t i = 0; kind != NULL && i < kind->count; i++) {
        values[i] = read_field(&fields, &kind->fields[i], &texts);
    }
    const struct sp_notice notice = {.kind = kind,
                                     .level = (enum sp_log_level)level,
                                     .time_ns = find_number(map, "time_ns"),
                                     .values = values};
    if (kind != NULL && pit->outlets.news != NULL) {
        sp_log_writer_put(pit->outlets.news, &notice);
    }
    return SNAKEPIT_OK;
}

// ---- Sessions -----------------------------------------------------------------------

static snakepit_err take_session(snakepit *pit, const snakepit_reader *map)
{
    char session[SP_NAME_MOST + 1];
    const uint64_t reason = find_number(map, "reason");
    const union sp_notice_value values[] = {
        {.text = find_text(map, "session", session, sizeof session)},
        {.count = reason}};
    const struct sp_notice notice = {
        .kind = &session_kind, .level = SP_LOG_ERROR, .values = values};
    if (reason > SNAKEPIT_SESSION_PIT_CLOSED) {
        return SNAKEPIT_PROTOCOL;
    }
    sp_host_tools_end_session(&pit->tools, sp_slice_of_text(session));
    if (pit->outlets.news != NULL) {
        sp_log_writer_put(pit->outlets.news, &notice);
    }
    return SNAKEPIT_OK;
}

// ---- Events of adapters
// --------------------------------------------------------------

static bool find_map(const snakepit_reader *map, const char *key, snakepit_reader *at)
{
    snakepit_value value;
    return find(map, key, SNAKEPIT_MAP, &value) &&
           snakepit_reader_find(map, key, at) == SNAKEPIT_OK;
}

static snakepit_err take_event(snakepit *pit, const snakepit_reader *map)
{
    char name[SP_NAME_MOST + 1];
    char pool[SP_NAME_MOST + 1];
    char session[SP_NAME_MOST + 1];
    char correlation[SP_NAME_MOST + 1];
    snakepit_event event = {
        .size = sizeof event,
        .name = find_text(map, "name", name, sizeof name),
        .pool = find_text(map, "pool", pool, sizeof pool),
        .session_id = find_text(map, "session_id", session, sizeof session),
        .correlation_id =
            find_text(map, "correlation_id", correlation, sizeof correlation),
        .call = find_number(map, "call"),
        .worker = find_number(map, "worker"),
        .time_ns = find_number(map, "time_ns"),
        .dropped = find_number(map, "dropped")};
    if (!find_map(map, "measurements", &event.measurements) ||
        !find_map(map, "metadata", &event.metadata)) {
        return SNAKEPIT_PROTOCOL;
    }
    if (pit->events.event != NULL) {
        SP_CALLBACK("the callback `event`");
        pit->events.event(pit->events.user, &event);
        SP_CALLBACK_RETURNED;
    }
    return SNAKEPIT_OK;
}

// ---- All of them --------------------------------------------------------------------

static snakepit_err
take_topic(snakepit *pit, uint32_t topic, const snakepit_reader *map)
{
    switch (topic) {
    case SP_LOCAL_NOTICE:
        return take_notice(pit, map);
    case SP_LOCAL_EVENT:
        return take_event(pit, map);
    case SP_LOCAL_SESSION:
        return take_session(pit, map);
    default:
        return SNAKEPIT_PROTOCOL;
    }
}

snakepit_err sp_pit_take_news(snakepit *pit,
                              const struct sp_local_news_head *head,
                              struct sp_slice body)
{
    snakepit_reader map;
    snakepit_reader end;
    if (head->lost > 0) {
        sp_log(&pit->log, pit_news_lost, .lost = head->lost);
    }
    snakepit_reader_init(&map, body.data, body.size);
    end = map;
    return snakepit_reader_skip(&end) == SNAKEPIT_OK
               ? take_topic(pit, head->topic, &map)
               : SNAKEPIT_PROTOCOL;
}
