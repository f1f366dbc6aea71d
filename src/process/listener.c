// SPDX-License-Identifier: MIT
#include "process/listener.h"

#include <string.h>

#include "base/clock.h"
#include "base/fork.h"

#define LOOK_MS 20u                // between two looks, while there are events
#define TURN_NS (2 * SP_NS_PER_MS) // of the loop at once
#define RESTS   4u // times as long it rests then as it has computed; else as long
#define PART_NS (10 * SP_NS_PER_MS) // for what a worker has said before it left

// ---- Reading ------------------------------------------------------------------

// A private copy first: the worker can still write there.
static snakepit_err hand_on(struct sp_listener *listener,
                            struct sp_events *events,
                            const struct sp_tube_piece *piece)
{
    struct sp_event event;
    memcpy(listener->copy, piece->body, piece->size);
    snakepit_err err = sp_event_parse(&event, listener->copy, piece->size);
    if (err == SNAKEPIT_OK) {
        event.told.pool = events->pool;
        event.told.worker = events->worker;
        event.told.dropped = sp_events_dropped(&events->reader);
        uint32_t process = sp_fork_here();
        sp_event_tell_span(&listener->sink, &event);
        sp_event_tell(&listener->sink, &event.told);
        sp_fork_leave(process);
    }
    return err;
}

// Hands on what was there when it began, until the time is up. `*some`: there was
// something, or is. PROTOCOL: it makes no sense.
static snakepit_err read_events(struct sp_listener *listener,
                                struct sp_events *events,
                                uint64_t until,
                                bool *some)
{
    struct sp_tube_piece piece;
    snakepit_err err = sp_events_look(&events->reader);
    *some = false;
    while (err == SNAKEPIT_OK && (!*some || sp_clock_now() < until)) {
        err = sp_events_next(&events->reader, &piece);
        if (err == SNAKEPIT_OK) {
            *some = true;
            err = hand_on(listener, events, &piece);
        }
    }
    sp_events_release(&events->reader);
    return err == SNAKEPIT_NOT_FOUND ? SNAKEPIT_OK : err;
}

// ---- Turns --------------------------------------------------------------------

// Whether it is to be looked at again.
static bool
look_at(struct sp_listener *listener, struct sp_events *events, uint64_t until)
{
    bool some;
    if (read_events(listener, events, until, &some) != SNAKEPIT_OK) {
        events->refused(events);
        return false;
    }
    return some || !sp_events_sleep(&events->reader);
}

static void on_turn(struct sp_timer *timer);

static void look_in(struct sp_listener *listener, uint64_t ns)
{
    uint64_t ms = (ns + SP_NS_PER_MS - 1) / SP_NS_PER_MS;
    sp_timer_start(listener->loop, &listener->timer, on_turn, ms, 0);
}

// Each of them once, if there is time; who was not heard is the first of the next turn.
static void on_turn(struct sp_timer *timer)
{
    struct sp_listener *listener = timer->user;
    struct sp_link *last = listener->speaking.previous;
    uint64_t began = sp_clock_now();
    uint64_t computed = sp_clock_thread();
    struct sp_link *link = NULL;
    while (link != last && sp_clock_now() < began + TURN_NS &&
           (link = sp_list_take(&listener->speaking)) != NULL) {
        struct sp_events *events = SP_ENTRY(link, struct sp_events, link);
        if (look_at(listener, events, began + TURN_NS)) {
            sp_list_append(&listener->speaking, link);
        }
    }
    uint64_t now = sp_clock_now();
    bool is_tired = now >= began + TURN_NS;
    uint64_t rest = RESTS * (sp_clock_thread() - computed);
    rest = rest > now - began ? rest : now - began;
    listener->rest_until = is_tired ? now + rest : 0;
    if (!sp_list_empty(&listener->speaking)) {
        look_in(listener, is_tired ? rest : LOOK_MS * SP_NS_PER_MS);
    }
}

void sp_listener_notice(struct sp_listener *listener, struct sp_events *events)
{
    uint64_t now = sp_clock_now();
    if (!sp_link_used(&events->link)) {
        sp_list_append(&listener->speaking, &events->link);
    }
    look_in(listener, listener->rest_until > now ? listener->rest_until - now : 0);
}

void sp_listener_part(struct sp_listener *listener, struct sp_events *events)
{
    bool some;
    if (sp_link_used(&events->link)) {
        sp_list_remove(&events->link);
    }
    (void)read_events(listener, events, sp_clock_now() + PART_NS, &some);
}

// ---- Life ---------------------------------------------------------------------

void sp_listener_init(struct sp_listener *listener,
                      struct sp_loop *loop,
                      const struct sp_event_sink *sink)
{
    *listener = (struct sp_listener){.sink = *sink, .loop = loop};
    sp_list_init(&listener->speaking);
    listener->timer.user = listener;
}

void sp_listener_close(struct sp_listener *listener)
{
    sp_timer_stop(&listener->timer);
}
