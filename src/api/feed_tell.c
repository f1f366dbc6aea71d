// SPDX-License-Identifier: MIT
// Events for those who watch: what is new since the look that they were sent last.
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "api/feed.h"
#include "base/clock.h"
#include "http/sse.h"

// An event that is being written. Errors stick.
struct telling {
    const struct sp_feed *feed;
    const struct sp_buf *chosen;
    uint64_t after;
    uint64_t ended; // calls that were told of, or left out, before
    struct sp_buf out;
    snakepit_err err;
    const char *list; // that the next item begins; NULL: it is begun
    bool bare;        // the next list is the first member of its object
};

static void put(struct telling *telling, const void *bytes, size_t size)
{
    if (telling->err == SNAKEPIT_OK) {
        telling->err = sp_buf_append(&telling->out, bytes, size);
    }
}

static void put_text(struct telling *telling, const char *text)
{
    put(telling, text, strlen(text));
}

// A list that has no items is left out.
static void begin_list(struct telling *telling, const char *key)
{
    telling->list = key;
}

static void begin_item(struct telling *telling)
{
    if (telling->list == NULL) {
        put_text(telling, ",");
        return;
    }
    put_text(telling, telling->bare ? "\"" : ",\"");
    put_text(telling, telling->list);
    put_text(telling, "\":[");
    telling->list = NULL;
    telling->bare = false;
}

static void end_list(struct telling *telling)
{
    if (telling->list == NULL) {
        put_text(telling, "]");
    }
}

// ---- What it holds --------------------------------------------------------------

static bool sees(const struct telling *telling, size_t pool)
{
    return pool < telling->chosen->size && telling->chosen->data[pool] != 0;
}

static void put_number(struct telling *telling, uint64_t number)
{
    if (telling->err == SNAKEPIT_OK) {
        telling->err = sp_buf_printf(&telling->out, "%" PRIu64, number);
    }
}

static void put_age(struct telling *telling, const struct sp_feed_row *row)
{
    if (row->id != 0) {
        put_text(telling, ",\"age_ms\":");
        put_number(telling, (telling->feed->looked_at - row->born) / SP_NS_PER_MS);
    }
}

static void put_row(struct telling *telling, const struct sp_feed_row *row)
{
    if (row->changed > telling->after) {
        begin_item(telling);
        put(telling, row->text.data, row->text.size);
        put_age(telling, row);
        put_text(telling, "}");
    }
}

static void put_pools(struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    begin_list(telling, "pools");
    for (size_t i = 0; i < feed->pool_count; i++) {
        if (feed->pools[i].present && sees(telling, i)) {
            put_row(telling, &feed->pools[i].row);
        }
    }
    end_list(telling);
}

static void put_workers(struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    begin_list(telling, "workers");
    for (size_t i = 0; i < feed->pool_count; i++) {
        const struct sp_feed_pool *pool = &feed->pools[i];
        for (size_t w = 0; w < pool->worker_count && sees(telling, i); w++) {
            put_row(telling, &pool->workers[w]);
        }
    }
    end_list(telling);
}

static void put_tools(struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    begin_list(telling, "tools");
    for (size_t i = 0; i < feed->pool_count; i++) {
        const struct sp_feed_pool *pool = &feed->pools[i];
        for (size_t t = 0; t < pool->tool_count && sees(telling, i); t++) {
            put_row(telling, &pool->tools[t]);
        }
    }
    end_list(telling);
}

// ---- Calls that have ended --------------------------------------------------------

static void put_call(struct telling *telling, const struct sp_feed_call *call)
{
    const bool all = telling->chosen->data[call->pool] == SP_FEED_SESSIONS;
    begin_item(telling);
    put(telling, call->text.data, all ? call->text.size : call->session_at);
    put_text(telling, "}");
}

// The first one of an event: that of the oldest look that it tells of, if it is still
// there, and not too many follow.
static uint64_t first_call(const struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    const uint64_t most =
        SP_FEED_TOLD < feed->call_count ? SP_FEED_TOLD : feed->call_count;
    uint64_t first = feed->call_count - most;
    while (first < feed->call_count &&
           feed->calls[first % SP_FEED_CALLS].look <= telling->after) {
        first++;
    }
    return first;
}

// Of the pools that the client sees, so far.
static uint64_t count_ended(const struct telling *telling)
{
    uint64_t count = 0;
    for (size_t i = 0; i < telling->feed->pool_count; i++) {
        count += sees(telling, i) ? telling->feed->pools[i].ended : 0;
    }
    return count;
}

static void put_calls(struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    const uint64_t ended = count_ended(telling);
    uint64_t told = telling->ended;
    begin_list(telling, "calls");
    for (uint64_t i = first_call(telling); i < feed->call_count; i++) {
        const struct sp_feed_call *call = &feed->calls[i % SP_FEED_CALLS];
        if (call->text.size > 0 && sees(telling, call->pool)) {
            put_call(telling, call);
            told++;
        }
    }
    end_list(telling);
    if (telling->after > 0 && ended > told) {
        put_text(telling, ",\"calls_left_out\":");
        put_number(telling, ended - told);
    }
}

static void put_deaths(struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    const uint64_t count = feed->death_count;
    begin_list(telling, "deaths");
    for (uint64_t i = count > SP_FEED_DEATHS ? count - SP_FEED_DEATHS : 0; i < count;
         i++) {
        const struct sp_feed_death *death = &feed->deaths[i % SP_FEED_DEATHS];
        if (death->look > telling->after && death->text.size > 0 &&
            sees(telling, death->pool)) {
            begin_item(telling);
            put(telling, death->text.data, death->text.size);
        }
    }
    end_list(telling);
}

// ---- What is gone ---------------------------------------------------------------

static uint64_t first_gone(const struct sp_feed *feed)
{
    return feed->gone_count > SP_FEED_GONE ? feed->gone_count - SP_FEED_GONE : 0;
}

// Whether something is forgotten that has gone since that look.
static bool is_too_old(const struct sp_feed *feed, uint64_t after)
{
    const uint64_t first = first_gone(feed);
    return first > 0 && feed->gone[first % SP_FEED_GONE].look > after;
}

static void put_gone_item(struct telling *telling, const struct sp_feed_gone *gone)
{
    const struct sp_feed_pool *pool = &telling->feed->pools[gone->pool];
    if (gone->worker != 0) {
        begin_item(telling);
        put_number(telling, gone->worker);
    } else if (!pool->present) { // else another one of its name has come
        begin_item(telling);
        put_text(telling, "\"");
        put_text(telling, pool->name); // of [a-zA-Z0-9_-]
        put_text(telling, "\"");
    }
}

static void put_gone_of(struct telling *telling, const char *key, bool workers)
{
    const struct sp_feed *feed = telling->feed;
    begin_list(telling, key);
    for (uint64_t i = first_gone(feed); i < feed->gone_count; i++) {
        const struct sp_feed_gone *gone = &feed->gone[i % SP_FEED_GONE];
        if (gone->look > telling->after && (gone->worker != 0) == workers &&
            sees(telling, gone->pool)) {
            put_gone_item(telling, gone);
        }
    }
    end_list(telling);
}

static bool any_gone(const struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    return feed->gone_count > 0 &&
           feed->gone[(feed->gone_count - 1) % SP_FEED_GONE].look > telling->after;
}

static void put_gone(struct telling *telling)
{
    if (telling->after > 0 && any_gone(telling)) {
        put_text(telling, ",\"gone\":{");
        telling->bare = true;
        put_gone_of(telling, "pools", false);
        put_gone_of(telling, "workers", true);
        put_text(telling, "}");
    }
}

// ---- Events ---------------------------------------------------------------------

static uint64_t unix_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / SP_NS_PER_MS;
}

static void put_head(struct telling *telling)
{
    const struct sp_feed *feed = telling->feed;
    telling->err = sp_buf_printf(&telling->out,
                                 "{\"time_ms\":%" PRIu64 ",\"uptime_ms\":%" PRIu64
                                 ",\"version\":\"%s\"",
                                 unix_ms(),
                                 (feed->looked_at - feed->started) / SP_NS_PER_MS,
                                 SNAKEPIT_VERSION);
}

static snakepit_err write_event(struct telling *telling, struct sp_buf *event)
{
    put_head(telling);
    put_pools(telling);
    put_workers(telling);
    put_tools(telling);
    put_calls(telling);
    put_deaths(telling);
    put_gone(telling);
    put_text(telling, "}");
    snakepit_err err = telling->err;
    if (err == SNAKEPIT_OK) {
        err = sp_sse_event(event,
                           telling->after == 0 ? "snapshot" : "delta",
                           (struct sp_slice){telling->out.data, telling->out.size});
    }
    sp_buf_fini(&telling->out);
    return err;
}

// ---- Frames ---------------------------------------------------------------------

snakepit_err sp_feed_choose(const struct sp_feed *feed,
                            sp_feed_seen_fn *seen,
                            const void *user,
                            struct sp_buf *chosen)
{
    chosen->size = 0;
    snakepit_err err = sp_buf_reserve(chosen, feed->pool_count + 1);
    for (size_t i = 0; i < feed->pool_count && err == SNAKEPIT_OK; i++) {
        chosen->data[chosen->size++] = (uint8_t)seen(user, feed->pools[i].name);
    }
    return err;
}

static bool
is_for(const struct sp_feed_frame *frame, uint64_t after, const struct sp_buf *chosen)
{
    return frame->after == after && frame->seen.size == chosen->size &&
           (chosen->size == 0 ||
            memcmp(frame->seen.data, chosen->data, chosen->size) == 0);
}

static struct sp_feed_frame *next_frame(struct sp_feed *feed)
{
    struct sp_feed_frame *frame = &feed->frames[feed->frame_count++ % SP_FEED_FRAMES];
    frame->seen.size = 0;
    frame->text.size = 0;
    return frame;
}

static struct sp_slice
find_frame(const struct sp_feed *feed, uint64_t after, const struct sp_buf *chosen)
{
    const uint32_t count =
        feed->frame_count < SP_FEED_FRAMES ? feed->frame_count : SP_FEED_FRAMES;
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_feed_frame *frame = &feed->frames[i];
        if (is_for(frame, after, chosen)) {
            return (struct sp_slice){frame->text.data, frame->text.size};
        }
    }
    return (struct sp_slice){NULL, 0};
}

// Those who see the same and were sent the same look have seen as many calls end.
struct sp_slice sp_feed_tell(struct sp_feed *feed,
                             const struct sp_feed_place *place,
                             const struct sp_buf *chosen,
                             struct sp_feed_place *next)
{
    const uint64_t after = is_too_old(feed, place->look) ? 0 : place->look;
    struct telling telling = {
        .feed = feed, .chosen = chosen, .after = after, .ended = place->ended};
    const struct sp_slice made = find_frame(feed, after, chosen);
    *next = (struct sp_feed_place){feed->look, count_ended(&telling)};
    if (made.size > 0) {
        return made;
    }
    struct sp_feed_frame *frame = next_frame(feed);
    frame->after = after;
    snakepit_err err = sp_buf_append(&frame->seen, chosen->data, chosen->size);
    err = err == SNAKEPIT_OK ? write_event(&telling, &frame->text) : err;
    if (err != SNAKEPIT_OK) {
        frame->after = UINT64_MAX; // nobody's
        return (struct sp_slice){NULL, 0};
    }
    return (struct sp_slice){frame->text.data, frame->text.size};
}
