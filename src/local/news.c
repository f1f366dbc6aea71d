// SPDX-License-Identifier: MIT
// What the pit tells, for the programs that follow it. The newest of it is kept, and
// each connection takes from that what it follows, when its client has read what came
// before: so nobody waits for a client, and one that is too slow is told how much it
// has missed.
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "local/inside.h"
#include "payload/pairs.h"
#include "payload/writer.h"
#include "telemetry/notice.h"

// ---- What is kept -------------------------------------------------------------------

void sp_local_news_init(struct sp_local_news *news)
{
    SP_CHECK(pthread_mutex_init(&news->lock, NULL) == 0);
}

void sp_local_said_unref(struct sp_local_said *said)
{
    // [said:read] whoever frees it comes after all who have read it; pairs with itself.
    if (said != NULL &&
        atomic_fetch_sub_explicit(&said->owners, 1, memory_order_acq_rel) == 1) {
        sp_free(said);
    }
}

static struct sp_local_said **place_of(struct sp_local_news *news, uint64_t number)
{
    return &news->kept[number % SP_LOCAL_NEWS_MOST];
}

static void drop_first(struct sp_local_news *news)
{
    struct sp_local_said **first = place_of(news, news->first++);
    news->bytes -= *first == NULL ? 0 : (*first)->size;
    sp_local_said_unref(*first);
    *first = NULL;
}

void sp_local_news_fini(struct sp_local_news *news)
{
    while (news->first < news->next) {
        drop_first(news);
    }
    (void)pthread_mutex_destroy(&news->lock);
}

// Takes the reference. NULL: there was no memory for it.
static void keep(struct sp_local_news *news, struct sp_local_said *said)
{
    const size_t size = said == NULL ? 0 : said->size;
    pthread_mutex_lock(&news->lock);
    while (news->next - news->first >= SP_LOCAL_NEWS_MOST ||
           (news->first < news->next && news->bytes + size > SP_LOCAL_NEWS_BYTES)) {
        drop_first(news);
    }
    *place_of(news, news->next++) = said;
    news->bytes += size;
    pthread_mutex_unlock(&news->lock);
}

static bool follows(const struct sp_local_follow *follow,
                    const struct sp_local_said *said)
{
    switch (said->topic) {
    case SP_LOCAL_NOTICE:
        return said->level >= follow->level;
    case SP_LOCAL_EVENT:
        return follow->events;
    case SP_LOCAL_SESSION:
        return follow->sessions;
    }
    return false;
}

uint64_t sp_local_news_next(struct sp_local_news *news)
{
    pthread_mutex_lock(&news->lock);
    uint64_t next = news->next;
    pthread_mutex_unlock(&news->lock);
    return next;
}

struct sp_local_said *sp_local_news_take(struct sp_local_news *news,
                                         const struct sp_local_follow *follow,
                                         uint64_t *from,
                                         uint64_t *lost)
{
    struct sp_local_said *found = NULL;
    pthread_mutex_lock(&news->lock);
    if (*from < news->first) {
        *lost += news->first - *from;
        *from = news->first;
    }
    while (found == NULL && *from < news->next) {
        struct sp_local_said *said = *place_of(news, (*from)++);
        if (said == NULL) {
            ++*lost;
        } else if (follows(follow, said)) {
            found = said;
            atomic_fetch_add_explicit(&found->owners, 1, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(&news->lock);
    return found;
}

// ---- What is said -------------------------------------------------------------------

static bool is_followed(struct sp_local_news *news)
{
    return atomic_load_explicit(&news->followers, memory_order_relaxed) > 0;
}

// Takes the writer, which may be NULL.
static void say(struct sp_local *local,
                enum sp_local_topic topic,
                enum sp_log_level level,
                snakepit_writer *writer)
{
    struct sp_local_said *said = NULL;
    if (writer != NULL && snakepit_writer_error(writer) == SNAKEPIT_OK &&
        writer->buf.size <= SP_LOCAL_SAID_MOST) {
        said = sp_alloc(sizeof *said + writer->buf.size);
    }
    if (said != NULL) {
        atomic_init(&said->owners, 1);
        said->topic = topic;
        said->level = level;
        said->size = writer->buf.size;
        memcpy(said->body, writer->buf.data, writer->buf.size);
    }
    snakepit_writer_free(writer);
    keep(&local->news, said);
}

static void write_field(snakepit_writer *writer,
                        const struct sp_notice_field *field,
                        union sp_notice_value value)
{
    snakepit_writer_str(writer, field->name);
    switch (field->kind) {
    case SP_NOTICE_FIELD_WORD:
    case SP_NOTICE_FIELD_TEXT:
    case SP_NOTICE_FIELD_JSON:
        snakepit_writer_str(writer, value.text);
        return;
    case SP_NOTICE_FIELD_COUNT:
    case SP_NOTICE_FIELD_YES_NO:
        snakepit_writer_uint(writer, value.count);
        return;
    case SP_NOTICE_FIELD_NUMBER:
        snakepit_writer_int(writer, value.number);
        return;
    case SP_NOTICE_FIELD_RATIO:
        snakepit_writer_double(writer, value.ratio);
        return;
    }
}

static void write_fields(snakepit_writer *writer, const struct sp_notice *notice)
{
    const struct sp_notice_kind *kind = notice->kind;
    uint32_t count = 0;
    for (size_t i = 0; i < kind->count; i++) {
        count += sp_notice_field_is_told(&kind->fields[i], notice->values[i]) ? 1 : 0;
    }
    snakepit_writer_map(writer, count);
    for (size_t i = 0; i < kind->count; i++) {
        if (sp_notice_field_is_told(&kind->fields[i], notice->values[i])) {
            write_field(writer, &kind->fields[i], notice->values[i]);
        }
    }
}

void sp_local_hear(void *user, const struct sp_notice *notice)
{
    struct sp_local *local = user;
    if (!is_followed(&local->news)) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    if (writer != NULL) {
        snakepit_writer_map(writer, 4);
        sp_pair_text(writer, "name", notice->kind->name);
        sp_pair_number(writer, "level", (uint64_t)notice->level);
        sp_pair_number(writer, "time_ns", notice->time_ns);
        snakepit_writer_str(writer, "fields");
        write_fields(writer, notice);
    }
    say(local, SP_LOCAL_NOTICE, notice->level, writer);
}

// A map that stands in what was checked.
static void write_map(snakepit_writer *writer, const char *key, snakepit_reader map)
{
    snakepit_reader end = map;
    snakepit_writer_str(writer, key);
    if (snakepit_reader_skip(&end) == SNAKEPIT_OK) {
        sp_writer_value(writer, (struct sp_slice){map.at, (size_t)(end.at - map.at)});
    } else {
        snakepit_writer_map(writer, 0);
    }
}

void sp_local_hear_event(void *user, const snakepit_event *event)
{
    struct sp_local *local = user;
    if (!is_followed(&local->news)) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    if (writer != NULL) {
        snakepit_writer_map(writer, 10);
        sp_pair_text(writer, "name", event->name);
        sp_pair_text(writer, "pool", event->pool);
        sp_pair_text(writer, "session_id", event->session_id);
        sp_pair_text(writer, "correlation_id", event->correlation_id);
        sp_pair_number(writer, "call", event->call);
        sp_pair_number(writer, "worker", event->worker);
        sp_pair_number(writer, "time_ns", event->time_ns);
        sp_pair_number(writer, "dropped", event->dropped);
        write_map(writer, "measurements", event->measurements);
        write_map(writer, "metadata", event->metadata);
    }
    say(local, SP_LOCAL_EVENT, SP_LOG_INFO, writer);
}

void sp_local_hear_session(void *user, const char *session, snakepit_session_end reason)
{
    struct sp_local *local = user;
    if (!is_followed(&local->news)) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    if (writer != NULL) {
        snakepit_writer_map(writer, 2);
        sp_pair_text(writer, "session", session);
        sp_pair_number(writer, "reason", (uint64_t)reason);
    }
    say(local, SP_LOCAL_SESSION, SP_LOG_INFO, writer);
}
