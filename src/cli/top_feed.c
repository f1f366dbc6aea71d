// SPDX-License-Identifier: MIT
#include "cli/top_feed.h"

#include <inttypes.h>

#include "base/clock.h"
#include "cli/text.h"

#define EVENT_MOST    ((size_t)64 << 20)
#define SILENT_MS     15000u // beside two intervals, without a single event
#define PAUSE_NS      (250 * SP_NS_PER_MS)
#define PAUSE_MOST_NS (5 * SP_NS_PER_S)

const char *sp_top_failure(const struct sp_cli_result *result)
{
    if (result->fault != NULL && result->fault->message[0] != '\0') {
        return result->fault->message;
    }
    return result->why.text[0] != '\0' ? result->why.text
                                       : snakepit_err_text(result->err);
}

static bool on_event(void *user, const char *name, struct sp_slice data)
{
    struct sp_top_feed *feed = user;
    feed->broke = sp_top_model_take(&feed->model, name, data);
    feed->heard_ns = sp_clock_now();
    feed->events++;
    feed->pause_ns = 0;
    feed->lost.text[0] = '\0';
    return feed->broke == SNAKEPIT_OK;
}

static void connect_again(struct sp_top_feed *feed, struct sp_cli_result *result)
{
    char path[64];
    const struct sp_cli_follow follow = {
        .put = on_event, .user = feed, .limit = EVENT_MOST};
    sp_cli_format(
        path, sizeof path, "/v1/watch?interval_ms=%" PRIu32, feed->interval_ms);
    const struct sp_cli_order order = {.method = "GET", .path = path};
    feed->heard_ns = sp_clock_now();
    result->err = sp_cli_pending_begin(
        feed->remote, &order, &follow, &feed->pending, &result->why);
}

static bool is_silent(const struct sp_top_feed *feed)
{
    const uint64_t most_ms = SILENT_MS + 2 * (uint64_t)feed->interval_ms;
    return sp_clock_now() - feed->heard_ns > most_ms * SP_NS_PER_MS;
}

static void end(struct sp_top_feed *feed, struct sp_cli_result *result)
{
    const bool silent = !sp_cli_pending_is_done(feed->pending);
    sp_cli_pending_end(feed->pending, result);
    feed->pending = NULL;
    if (feed->broke == SNAKEPIT_MALFORMED) {
        result->err = SNAKEPIT_PROTOCOL;
        sp_cli_explain(&result->why,
                       "what the daemon at %s tells cannot be read; use the same "
                       "version of both",
                       sp_cli_remote_shown(feed->remote));
    } else if (silent) {
        result->err = SNAKEPIT_DAEMON_LOST;
        sp_cli_explain(&result->why,
                       "the daemon at %s has been silent for too long",
                       sp_cli_remote_shown(feed->remote));
    }
    feed->broke = SNAKEPIT_OK;
}

// ---- Calls that wait --------------------------------------------------------------

// The stream has none of them, for there may be very many.
static void end_look(struct sp_top_feed *feed)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    sp_cli_pending_end(feed->look, &result);
    feed->look = NULL;
    if (result.err == SNAKEPIT_OK) {
        (void)sp_top_model_take_waiting(&feed->model, result.json);
        feed->events++;
    }
    sp_cli_result_fini(&result); // one that failed is tried again
}

static void look_at_calls(struct sp_top_feed *feed)
{
    static const struct sp_cli_order order = {
        .method = "GET", .path = "/v1/calls?state=waiting&limit=200"};
    snakepit_message why;
    if (feed->look != NULL && sp_cli_pending_is_done(feed->look)) {
        end_look(feed);
    }
    if (feed->look == NULL && feed->looks_at_calls && feed->lost.text[0] == '\0' &&
        sp_clock_now() - feed->looked_ns > SP_NS_PER_S) {
        feed->looked_ns = sp_clock_now();
        (void)sp_cli_pending_begin(feed->remote, &order, NULL, &feed->look, &why);
    }
}

// ---- Turns ------------------------------------------------------------------------

bool sp_top_feed_turn(struct sp_top_feed *feed, struct sp_cli_result *result)
{
    if (feed->paused) {
        return false;
    }
    look_at_calls(feed);
    if (feed->pending == NULL && sp_clock_now() >= feed->retry_ns) {
        connect_again(feed, result);
    } else if (feed->pending != NULL &&
               (sp_cli_pending_is_done(feed->pending) || is_silent(feed))) {
        end(feed, result);
    }
    if (result->err == SNAKEPIT_OK) {
        return false;
    }
    feed->pause_ns = feed->pause_ns == 0 ? PAUSE_NS : 2 * feed->pause_ns;
    feed->pause_ns = feed->pause_ns < PAUSE_MOST_NS ? feed->pause_ns : PAUSE_MOST_NS;
    feed->retry_ns = sp_clock_now() + feed->pause_ns;
    sp_cli_explain(&feed->lost, "trying again: %s", sp_top_failure(result));
    return true;
}

static void disconnect(struct sp_top_feed *feed)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    if (feed->pending != NULL) {
        sp_cli_pending_end(feed->pending, &result);
        sp_cli_result_fini(&result);
        feed->pending = NULL;
    }
    if (feed->look != NULL) {
        sp_cli_pending_end(feed->look, &result);
        sp_cli_result_fini(&result);
        feed->look = NULL;
    }
}

void sp_top_feed_pause(struct sp_top_feed *feed, bool paused)
{
    if (paused) {
        feed->model.time_ms = sp_top_feed_now_ms(feed);
        disconnect(feed);
    }
    feed->paused = paused;
    feed->retry_ns = 0;
    feed->heard_ns = sp_clock_now();
}

uint64_t sp_top_feed_now_ms(const struct sp_top_feed *feed)
{
    const uint64_t passed = feed->paused ? 0 : sp_clock_now() - feed->heard_ns;
    return feed->model.time_ms + passed / SP_NS_PER_MS;
}

void sp_top_feed_fini(struct sp_top_feed *feed)
{
    disconnect(feed);
    sp_top_model_fini(&feed->model);
}
