// SPDX-License-Identifier: MIT
// The events that a daemon has told last, for those who follow them. Any thread may put
// events in and take them out; nobody waits for anybody. What is too old goes, however
// few have seen it.
#ifndef API_EVENT_RING_H
#define API_EVENT_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

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

// Appends server-sent events, from number `*from` on, to `out`, up to about `most`
// bytes of them; `*from` becomes the number to go on with. Where some are not there any
// more the first is "lost", with how many. NO_MEMORY: `out` may have some.
snakepit_err sp_event_ring_take(struct sp_event_ring *ring,
                                const struct sp_event_filter *filter,
                                size_t most,
                                uint64_t *from,
                                struct sp_buf *out);

#endif
