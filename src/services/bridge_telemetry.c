// SPDX-License-Identifier: MIT
// The stream on which a host of the original hears of events. It has a timer, which
// looks whether there is more in the daemon's ring. A host that does not read is sent
// nothing; what is gone by then it is told as "telemetry.lost".
#include "services/bridge_telemetry.h"

#include <string.h>
#include <time.h>

#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/chance.h"
#include "base/clock.h"
#include "base/glob.h"
#include "base/memory.h"
#include "server/server.h"
#include "services/bridge.h"
#include "services/message.h"

#define LOOK_MS        50u
#define EVENTS_A_LOOK  128u
#define BATCH_BYTES    ((size_t)65536)
#define PATTERNS_MOST  64u
#define PATTERNS_BYTES ((size_t)3200) // of one list, with its slices

#define TOO_MANY "a list has at most 64 patterns, and 1,000 bytes in all"
#define NO_GLOB  "a pattern has * and ? for any text and any byte, and not ["
#define NO_RATE  "the rate is a number from 0 to 1"
#define NOTHING  "a control has one of toggle, sampling and filter"
#define NO_ROOM  "there is no memory"

enum { TOGGLE = 1, SAMPLING, FILTER }; // members of the oneof of TelemetryControl

// Zero-initialised it is empty.
struct patterns {
    struct sp_scratch scratch; // of the texts
    struct sp_slice *items;
    size_t count;
};

// Owner: the loop of its exchange.
struct teller {
    struct sp_grpc_call *call;
    struct sp_event_ring *ring;
    snakepit_writer *writer;
    struct sp_timer timer;
    uint64_t from; // the number of the next event
    uint64_t chance;
    bool off;
    double rate;             // of those that are `sampled`
    struct patterns sampled; // none: all are
    struct patterns allow;   // none: all are
    struct patterns deny;
};

static void free_teller(struct teller *teller)
{
    sp_timer_stop(&teller->timer);
    snakepit_writer_free(teller->writer);
    sp_scratch_fini(&teller->sampled.scratch);
    sp_scratch_fini(&teller->allow.scratch);
    sp_scratch_fini(&teller->deny.scratch);
    sp_free(teller);
}

static void on_over(struct sp_grpc_call *call)
{
    free_teller(call->state);
}

// ---- Patterns ---------------------------------------------------------------------

static bool match(const struct patterns *patterns, struct sp_slice name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (sp_glob_matches(patterns->items[i], name)) {
            return true;
        }
    }
    return false;
}

// Whether one that comes by chance comes.
static bool is_drawn(struct teller *teller)
{
    const uint64_t drawn = sp_chance_draw(&teller->chance, (UINT64_C(1) << 53) - 1);
    return (double)drawn < teller->rate * 0x1p53;
}

static bool is_wanted(struct teller *teller, struct sp_slice name)
{
    if (match(&teller->deny, name) ||
        (teller->allow.count > 0 && !match(&teller->allow, name))) {
        return false;
    }
    const bool sampled = teller->sampled.count == 0 || match(&teller->sampled, name);
    return !sampled || is_drawn(teller);
}

// Why they cannot be used; NULL: they can.
static const char *judge(const struct sp_slice *items, size_t count)
{
    for (size_t i = 0; i < count && count <= PATTERNS_MOST; i++) {
        if (items[i].size > 0 && memchr(items[i].data, '[', items[i].size) != NULL) {
            return NO_GLOB;
        }
    }
    return count > PATTERNS_MOST ? TOO_MANY : NULL;
}

// False: over the limit.
static bool
copy_texts(const struct sp_slice *items, size_t count, struct patterns *patterns)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *text = sp_scratch_take(&patterns->scratch, items[i].size + 1);
        if (text == NULL) {
            return false;
        }
        if (items[i].size > 0) {
            memcpy(text, items[i].data, items[i].size);
        }
        patterns->items[i] = (struct sp_slice){text, items[i].size};
    }
    return true;
}

// Why not; NULL: they were copied.
static const char *
copy(const struct sp_slice *items, size_t count, struct patterns *patterns)
{
    const char *why = judge(items, count);
    struct patterns made = {.scratch.limit = PATTERNS_BYTES, .count = count};
    if (why != NULL) {
        return why;
    }
    made.items = sp_scratch_take(&made.scratch, (count + 1) * sizeof *made.items);
    if (made.items == NULL) {
        return NO_ROOM;
    }
    if (!copy_texts(items, count, &made)) {
        sp_scratch_fini(&made.scratch);
        return TOO_MANY;
    }
    sp_scratch_fini(&patterns->scratch);
    *patterns = made;
    return NULL;
}

// ---- What a host wants --------------------------------------------------------------

static const char *sample(struct teller *teller,
                          const struct sp_bridge_telemetry_sampling *sampling)
{
    if (!(sampling->rate >= 0 && sampling->rate <= 1)) { // nor not-a-number
        return NO_RATE;
    }
    teller->rate = sampling->rate;
    return copy(sampling->patterns.items, sampling->patterns.count, &teller->sampled);
}

static const char *filter_by(struct teller *teller,
                             const struct sp_bridge_telemetry_filter *filter)
{
    const char *why = copy(filter->allow.items, filter->allow.count, &teller->allow);
    return why == NULL ? copy(filter->deny.items, filter->deny.count, &teller->deny)
                       : why;
}

// Why it cannot be; NULL: it is done.
static const char *follow_control(struct teller *teller,
                                  const struct sp_bridge_telemetry_control *control)
{
    switch (control->which) {
    case TOGGLE:
        teller->off = !control->toggle->enabled;
        return NULL;
    case SAMPLING:
        return sample(teller, control->sampling);
    case FILTER:
        return filter_by(teller, control->filter);
    default:
        return NOTHING;
    }
}

static void on_control(struct sp_grpc_call *call, struct sp_slice message)
{
    snakepit_message why;
    struct sp_scratch scratch = {.limit = (size_t)1 << 20};
    struct sp_bridge_telemetry_control control = {.which = 0};
    if (sp_proto_decode(
            &sp_type_bridge_telemetry_control, message, &scratch, &control, &why) !=
        SNAKEPIT_OK) {
        sp_grpc_finish(call, SP_GRPC_INTERNAL, why.text);
    } else {
        const char *wrong = follow_control(call->state, &control);
        if (wrong != NULL) {
            sp_grpc_finish(call, SP_GRPC_INVALID_ARGUMENT, wrong);
        }
    }
    sp_scratch_fini(&scratch);
}

// A host that wants nothing else than it has asked for goes on listening.
static void on_no_more(struct sp_grpc_call *call)
{
    (void)call;
}

// ---- Sending ------------------------------------------------------------------------

static snakepit_err append_lost(struct sp_buf *out, uint64_t count)
{
    struct timespec now;
    struct sp_slice parts[] = {sp_slice_of_text("telemetry"), sp_slice_of_text("lost")};
    struct sp_bridge_telemetry_value value = {.which = 1, .int_value = (int64_t)count};
    struct sp_text_to_bridge_telemetry_value entry = {.key = sp_slice_of_text("count"),
                                                      .value = &value};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct sp_bridge_telemetry_event event = {
        .event_parts = {parts, 2},
        .measurements = {&entry, 1},
        .timestamp_ns = (int64_t)now.tv_sec * (int64_t)SP_NS_PER_S + now.tv_nsec};
    return sp_grpc_append(out, &sp_type_bridge_telemetry_event, &event);
}

static snakepit_err append_event(struct teller *teller,
                                 const struct sp_kept_event *event,
                                 struct sp_buf *out)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_told told;
    snakepit_err err = sp_bridge_tell(event, teller->writer, &scratch, &told);
    if (err == SNAKEPIT_OK && is_wanted(teller, told.name)) {
        err = sp_grpc_append(out, &sp_type_bridge_telemetry_event, &told.event);
    }
    sp_scratch_fini(&scratch);
    return err;
}

// NO_MEMORY: `out` may have some.
static snakepit_err append_some(struct teller *teller,
                                const struct sp_event_filter *filter,
                                uint64_t *from,
                                struct sp_buf *out)
{
    struct sp_kept_event *event = NULL;
    unsigned seen = 0;
    snakepit_err err = SNAKEPIT_OK;
    do {
        uint64_t lost;
        event = sp_event_ring_take(teller->ring, filter, from, &lost);
        err = lost > 0 ? append_lost(out, lost) : SNAKEPIT_OK;
        if (event != NULL) {
            err = err == SNAKEPIT_OK ? append_event(teller, event, out) : err;
            sp_kept_event_give_back(event);
        }
    } while (err == SNAKEPIT_OK && event != NULL && out->size < BATCH_BYTES &&
             ++seen < EVENTS_A_LOOK);
    return err;
}

// The call may be over when it returns.
static void send_some(struct teller *teller, const struct sp_grant *grant)
{
    struct sp_buf out = {0};
    const struct sp_event_filter filter = {.may_see = sp_api_may_see_events,
                                           .user = grant};
    struct sp_grpc_call *call = teller->call;
    uint64_t from = teller->from;
    const snakepit_err err = append_some(teller, &filter, &from, &out);
    if (err != SNAKEPIT_OK) {
        sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, NO_ROOM);
    } else if (out.size == 0) {
        teller->from = from;
    } else if (sp_serve_loop_may_answer(call->exchange->loop, out.size)) {
        teller->from = from;
        (void)sp_grpc_send(call, (struct sp_slice){out.data, out.size});
    }
    sp_buf_fini(&out);
}

static void on_due(struct sp_timer *timer)
{
    struct teller *teller = timer->user;
    struct sp_exchange *exchange = teller->call->exchange;
    const struct sp_grant *grant = sp_grant_of(exchange);
    if (grant == NULL || !sp_grant_allows(grant, SP_ACCESS_OBSERVE, NULL)) {
        sp_grpc_finish(
            teller->call, SP_GRPC_UNAUTHENTICATED, "the token allows this no longer");
    } else if (teller->off) {
        teller->from = sp_event_ring_next(teller->ring);
    } else if (sp_exchange_room(exchange) > 0) {
        send_some(teller, grant);
    }
}

// ---- Its beginning ------------------------------------------------------------------

static struct teller *new_teller(struct sp_grpc_call *call, struct sp_event_ring *ring)
{
    struct teller *teller = sp_alloc(sizeof *teller);
    snakepit_writer *writer = snakepit_writer_new();
    if (teller == NULL || writer == NULL) {
        sp_free(teller);
        snakepit_writer_free(writer);
        return NULL;
    }
    *teller = (struct teller){.call = call,
                              .ring = ring,
                              .writer = writer,
                              .timer.user = teller,
                              .from = sp_event_ring_next(ring),
                              .chance = sp_clock_now() | 1,
                              .rate = 1};
    return teller;
}

// The host waits for the headers before it goes on.
void sp_grpc_bridge_telemetry(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_holder holder = {
        .message = on_control, .complete = on_no_more, .over = on_over};
    struct sp_event_ring *ring = sp_api_of(call->exchange)->events;
    (void)message;
    if (ring == NULL) {
        sp_api_fail(
            call->exchange, SNAKEPIT_UNSUPPORTED, "this daemon keeps no events");
        return;
    }
    struct teller *teller = new_teller(call, ring);
    if (teller == NULL) {
        sp_api_fail(call->exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    call->state = teller;
    sp_grpc_hold(call, &holder);
    sp_grpc_open(call);
    sp_timer_start(
        &call->exchange->loop->loop, &teller->timer, on_due, LOOK_MS, LOOK_MS);
}
