// SPDX-License-Identifier: MIT
// Calls that have ended since the last look, as JSON, in a ring whose buffers are used
// again.
#include "api/calls.h"
#include "api/feed.h"
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
    call->missed = 0;
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
    snakepit_writer_reset(following->writer);
    sp_api_write_ended(following->writer, ended, 0);
    snakepit_err err = sp_writer_to_json(following->writer, &call->text);
    if (err != SNAKEPIT_OK) {
        call->text.size = 0;
        call->missed = 1;
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
        const size_t missed =
            sp_pit_follow_calls(feed->pit,
                                pool->name,
                                &pool->followed,
                                share < LEAST_A_POOL ? LEAST_A_POOL : share,
                                &taker);
        if (missed > 0) {
            next_call(&following)->missed = missed;
        }
    }
    snakepit_writer_free(following.writer);
}

void sp_feed_forget_calls(struct sp_feed *feed)
{
    for (size_t i = 0; i < SP_FEED_CALLS && feed->calls != NULL; i++) {
        sp_buf_fini(&feed->calls[i].text);
    }
    sp_free(feed->calls);
    feed->calls = NULL;
    feed->call_count = 0;
}
