// SPDX-License-Identifier: MIT
// GET /v1/events. Each client has a timer, which looks whether there is more in the
// ring. One that does not read is sent nothing; what is gone by then it is told as
// "lost".
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/memory.h"
#include "http/percent.h"
#include "http/sse.h"
#include "server/server.h"
#include "telemetry/event_ring.h"

#define LOOK_MS      100u
#define SILENT_LOOKS 150u // without an event, until a comment is sent
#define BATCH_BYTES  65536u
#define TEXT_SIZE    256u // of what a filter names, with a zero

// Owner: the loop of its exchange.
struct follower {
    struct sp_exchange *exchange;
    struct sp_event_ring *ring;
    struct sp_timer timer;
    uint64_t from;
    uint32_t silent;
    enum sp_log_level level;
    char pool[TEXT_SIZE]; // "": all
    char name[TEXT_SIZE]; // likewise
};

static void free_follower(struct follower *follower)
{
    sp_timer_stop(&follower->timer);
    sp_free(follower);
}

static void on_gone(void *user)
{
    free_follower(user);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// ---- Sending --------------------------------------------------------------------

static struct sp_slice unless_empty(const char *text)
{
    return text[0] == '\0' ? (struct sp_slice){NULL, 0} : sp_slice_of_text(text);
}

static snakepit_err write_lost(struct sp_buf *out, uint64_t count)
{
    char data[64];
    (void)snprintf(data, sizeof data, "{\"lost\":%" PRIu64 "}", count);
    return sp_sse_event(out, "lost", sp_slice_of_text(data));
}

static snakepit_err
write_event(struct sp_buf *out, uint64_t mark, const struct sp_kept_event *event)
{
    const struct sp_slice json = {(const uint8_t *)event->json, event->json_size};
    snakepit_err err =
        sp_buf_printf(out, "id: %" PRIx64 ".%" PRIu64 "\n", mark, event->number);
    return err == SNAKEPIT_OK ? sp_sse_event(out, NULL, json) : err;
}

// Appends events from `*from` on, which becomes the number to go on with; where some
// are not there any more, "lost" first, with how many. NO_MEMORY: `out` may have some.
static snakepit_err write_events(struct sp_event_ring *ring,
                                 const struct sp_event_filter *filter,
                                 uint64_t *from,
                                 struct sp_buf *out)
{
    struct sp_kept_event *event;
    snakepit_err err = SNAKEPIT_OK;
    do {
        uint64_t lost;
        event = sp_event_ring_take(ring, filter, from, &lost);
        if (lost > 0) {
            err = write_lost(out, lost);
        }
        if (event != NULL) {
            err = err == SNAKEPIT_OK ? write_event(out, sp_event_ring_mark(ring), event)
                                     : err;
            sp_kept_event_give_back(event);
        }
    } while (err == SNAKEPIT_OK && event != NULL && out->size < BATCH_BYTES);
    return err;
}

// NO_MEMORY.
static snakepit_err send_some(struct follower *follower, const struct sp_grant *grant)
{
    struct sp_buf out = {0};
    const struct sp_event_filter filter = {.level = follower->level,
                                           .pool = unless_empty(follower->pool),
                                           .prefix = unless_empty(follower->name),
                                           .may_see = sp_api_may_see_events,
                                           .user = grant};
    uint64_t from = follower->from;
    snakepit_err err = write_events(follower->ring, &filter, &from, &out);
    follower->silent = out.size > 0 ? 0 : follower->silent + 1;
    if (err == SNAKEPIT_OK && follower->silent >= SILENT_LOOKS) {
        follower->silent = 0;
        err = sp_sse_comment(&out);
    }
    if (err == SNAKEPIT_OK && out.size > 0 &&
        sp_serve_loop_may_answer(follower->exchange->loop, out.size)) {
        err =
            sp_exchange_send(follower->exchange, (struct sp_slice){out.data, out.size});
        follower->from = from;
    } else if (out.size == 0) {
        follower->from = from;
    }
    sp_buf_fini(&out);
    return err;
}

// A token may have been revoked meanwhile; a daemon that drains waits for nobody who
// would follow for ever.
static bool is_over(const struct follower *follower, const struct sp_grant *grant)
{
    return grant == NULL || !sp_grant_allows(grant, SP_ACCESS_OBSERVE, NULL) ||
           sp_serve_loop_draining(follower->exchange->loop);
}

static void on_due(struct sp_timer *timer)
{
    struct follower *follower = timer->user;
    const struct sp_grant *grant = sp_grant_of(follower->exchange);
    if (is_over(follower, grant)) {
        sp_exchange_end(follower->exchange);
        free_follower(follower);
    } else if (sp_exchange_room(follower->exchange) > 0 &&
               send_some(follower, grant) != SNAKEPIT_OK) {
        sp_exchange_fail(follower->exchange);
        free_follower(follower);
    }
}

// ---- Its beginning --------------------------------------------------------------

static bool refuse(struct sp_exchange *exchange, const char *why)
{
    sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, why);
    return false;
}

// A text of the query; "" where it is not there.
static bool
read_text(struct sp_exchange *exchange, const char *name, char room[TEXT_SIZE])
{
    const struct sp_slice value = sp_query_find(exchange->request.query, name);
    room[0] = '\0';
    return value.data == NULL || sp_percent_decode(value, room, TEXT_SIZE) ||
           refuse(exchange,
                  "pool and name are texts of at most 255 bytes, percent-encoded");
}

static bool read_level(struct sp_exchange *exchange, enum sp_log_level *level)
{
    char room[TEXT_SIZE];
    if (!read_text(exchange, "level", room)) {
        return false;
    }
    int wanted = room[0] == '\0' ? SP_LOG_DEBUG : sp_log_level_of(room);
    if (wanted < 0 || wanted >= SP_LOG_OFF) {
        return refuse(exchange, "level is debug, info, warning or error");
    }
    *level = (enum sp_log_level)wanted;
    return true;
}

// The number behind the one that the client has seen last; 0: it says none. That of
// another daemon leads to the beginning.
static uint64_t behind_seen(struct sp_exchange *exchange, struct sp_event_ring *ring)
{
    const struct sp_slice value = sp_request_field(&exchange->request, "last-event-id");
    char text[64];
    char *end;
    if (value.data == NULL || value.size == 0 || value.size >= sizeof text) {
        return 0;
    }
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    uint64_t mark = strtoull(text, &end, 16);
    if (mark != sp_event_ring_mark(ring) || *end != '.') {
        return 1;
    }
    uint64_t seen = strtoull(end + 1, &end, 10);
    return *end == '\0' && seen < sp_event_ring_next(ring) ? seen + 1 : 1;
}

static bool read_begin(struct sp_exchange *exchange, struct follower *follower)
{
    uint64_t last = 0;
    const struct sp_slice value = sp_query_find(exchange->request.query, "last");
    if (value.data != NULL && !sp_api_number(value, 0, SP_EVENTS_KEPT, &last)) {
        return refuse(exchange, "last is a number of events, 0 to 1024");
    }
    const uint64_t next = sp_event_ring_next(follower->ring);
    follower->from = behind_seen(exchange, follower->ring);
    if (follower->from == 0) {
        follower->from = next > last ? next - last : 1;
    } else if (follower->from == 1 && next > SP_EVENTS_KEPT) {
        follower->from = next - SP_EVENTS_KEPT;
    }
    return true;
}

static bool read_request(struct sp_exchange *exchange, struct follower *follower)
{
    return read_text(exchange, "pool", follower->pool) &&
           read_text(exchange, "name", follower->name) &&
           read_level(exchange, &follower->level) && read_begin(exchange, follower);
}

static void begin(struct sp_exchange *exchange, struct follower *follower)
{
    exchange->user = follower;
    exchange->listener = &listener;
    sp_api_begin(
        exchange,
        &(const struct sp_api_answer){.status = 200, .type = "text/event-stream"});
    sp_timer_start(&exchange->loop->loop, &follower->timer, on_due, 0, LOOK_MS);
}

void sp_api_follow(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_event_ring *ring = sp_api_of(exchange)->events;
    (void)params;
    if (ring == NULL) {
        sp_api_fail(exchange, SNAKEPIT_UNSUPPORTED, "this daemon keeps no events");
        return;
    }
    struct follower *follower = sp_alloc(sizeof *follower);
    if (follower == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    *follower =
        (struct follower){.exchange = exchange, .ring = ring, .timer.user = follower};
    if (!read_request(exchange, follower)) {
        sp_free(follower);
    } else if (exchange->request.method == SP_METHOD_HEAD) {
        sp_free(follower);
        sp_api_reply(
            exchange,
            &(const struct sp_api_answer){.status = 200, .type = "text/event-stream"});
    } else {
        begin(exchange, follower);
    }
}
