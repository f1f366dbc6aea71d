// SPDX-License-Identifier: MIT
// Calls and workers that have ended since the last look, as JSON, in rings whose
// buffers are used again.
#include "api/calls.h"
#include "api/feed.h"
#include "api/pools.h"
#include "base/memory.h"
#include "payload/pairs.h"

#define LEAST_A_POOL 64u

// The pool that is looked at.
struct following {
    struct sp_feed *feed;
    struct sp_feed_pool *pool;
    snakepit_writer *writer;
};

// The next place of the ring, empty.
static struct sp_feed_call *next_call(const struct following *following)
{
    struct sp_feed *feed = following->feed;
    struct sp_feed_call *call = &feed->calls[feed->call_count++ % SP_FEED_CALLS];
    call->look = feed->look;
    call->pool = (size_t)(following->pool - feed->pools);
    call->text.size = 0;
    call->session_at = 0;
    return call;
}

// It comes last, for it is not told to all.
static void
put_session(struct sp_buf *text, const char *session, snakepit_writer *writer)
{
    static const char key[] = ",\"session\":";
    const size_t before = text->size;
    snakepit_writer_reset(writer);
    snakepit_writer_str(writer, session);
    snakepit_err err = sp_buf_append(text, key, sizeof key - 1);
    err = err == SNAKEPIT_OK ? sp_writer_to_json(writer, text) : err;
    if (err != SNAKEPIT_OK) {
        text->size = before;
    }
}

static void take_call(void *user, const snakepit_ended_call *ended)
{
    struct following *following = user;
    struct sp_feed_call *call = next_call(following);
    following->pool->ended++;
    snakepit_writer_reset(following->writer);
    sp_api_write_ended(following->writer, ended, 0);
    snakepit_err err = sp_writer_to_json(following->writer, &call->text);
    if (err != SNAKEPIT_OK) {
        call->text.size = 0;
        return;
    }
    call->text.size--; // the brace
    call->session_at = call->text.size;
    if (ended->session[0] != '\0') {
        put_session(&call->text, ended->session, following->writer);
    }
}

void sp_feed_follow(struct sp_feed *feed, struct sp_feed_pool *pool)
{
    struct following following = {feed, pool, snakepit_writer_new()};
    const struct sp_ended_taker taker = {take_call, &following};
    if (feed->calls == NULL) {
        feed->calls = sp_alloc_array(SP_FEED_CALLS, sizeof *feed->calls);
    }
    if (feed->calls != NULL && following.writer != NULL) {
        const size_t share = SP_FEED_TOLD / feed->pool_count;
        pool->ended += sp_pit_follow_calls(feed->pit,
                                           pool->name,
                                           &pool->followed,
                                           share < LEAST_A_POOL ? LEAST_A_POOL : share,
                                           &taker);
    }
    snakepit_writer_free(following.writer);
}

// ---- Workers --------------------------------------------------------------------

static snakepit_err
add_death(struct sp_feed *feed, struct sp_feed_pool *pool, const snakepit_death *row)
{
    struct sp_feed_death *death = &feed->deaths[feed->death_count++ % SP_FEED_DEATHS];
    snakepit_writer *writer = snakepit_writer_new();
    death->look = feed->look;
    death->pool = (size_t)(pool - feed->pools);
    death->text.size = 0;
    sp_api_write_death(writer, pool->name, row);
    snakepit_err err = sp_writer_to_json(writer, &death->text);
    snakepit_writer_free(writer);
    return err;
}

snakepit_err sp_feed_follow_deaths(struct sp_feed *feed, struct sp_feed_pool *pool)
{
    size_t count = 0;
    snakepit_death *rows = NULL;
    snakepit_err err = sp_api_deaths(feed->pit, pool->name, &rows, &count);
    for (size_t i = count; i > 0 && err == SNAKEPIT_OK; i--) { // the oldest first
        if (rows[i - 1].number > pool->last_death) {
            err = add_death(feed, pool, &rows[i - 1]);
            pool->last_death = rows[i - 1].number;
        }
    }
    sp_free(rows);
    return err;
}

void sp_feed_forget_calls(struct sp_feed *feed)
{
    for (size_t i = 0; i < SP_FEED_DEATHS; i++) {
        sp_buf_fini(&feed->deaths[i].text);
    }
    feed->death_count = 0;
    for (size_t i = 0; i < SP_FEED_CALLS && feed->calls != NULL; i++) {
        sp_buf_fini(&feed->calls[i].text);
    }
    sp_free(feed->calls);
    feed->calls = NULL;
    feed->call_count = 0;
}
