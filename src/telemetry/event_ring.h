// SPDX-License-Identifier: MIT
// The events that a daemon has told last, for those who follow them. Any thread may put
// events in and take them out; nobody waits for anybody. What is too old goes, however
// few have seen it.
#ifndef TELEMETRY_EVENT_RING_H
#define TELEMETRY_EVENT_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "telemetry/notice.h"

#define SP_EVENTS_KEPT  1024u
#define SP_EVENTS_BYTES 1048576u // of these, in all

struct sp_event_ring;

// NULL: without memory.
struct sp_event_ring *sp_event_ring_new(void);
// NULL is fine.
void sp_event_ring_free(struct sp_event_ring *ring);

// Keeps an event. A sp_log_fn; `user` is the ring. One for which there is no memory is
// lost for all.
void sp_event_ring_hear(void *user, const struct sp_notice *notice);

// An event that is kept. Nobody changes it; it lives until it is given back.
struct sp_kept_event {
    const struct sp_notice_kind *kind;
    enum sp_log_level level;
    uint64_t number;
    uint64_t time_ns; // since 1970
    const char *pool; // NULL: it is of none
    const char *json; // the object of sp_notice_json()
    size_t json_size;
};

// Whom an event is shown to.
struct sp_event_filter {
    enum sp_log_level level; // and above
    struct sp_slice pool;    // NULL data: all
    struct sp_slice prefix;  // of the name; NULL data: all
    // Whether the client may see events of that pool; NULL: of the daemon.
    bool (*may_see)(const void *user, const char *pool);
    const void *user;
};

// The number that the next event will have. The first one is 1.
uint64_t sp_event_ring_next(struct sp_event_ring *ring);
// Tells the numbers of one ring from those of others.
uint64_t sp_event_ring_mark(const struct sp_event_ring *ring);

// Takes the first event from number `*from` on that the filter shows; NULL: there is
// none yet. `*from` becomes the number to go on with, and `*lost` how many events
// before the one that was taken are not there any more. Give it back.
struct sp_kept_event *sp_event_ring_take(struct sp_event_ring *ring,
                                         const struct sp_event_filter *filter,
                                         uint64_t *from,
                                         uint64_t *lost);
// Any thread, also after the ring is no more.
void sp_kept_event_give_back(struct sp_kept_event *event);

#endif
