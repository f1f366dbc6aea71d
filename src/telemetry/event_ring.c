// SPDX-License-Identifier: MIT
#include "telemetry/event_ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "telemetry/notice_write.h"

// The texts of the event lie behind it, each with its zero.
struct kept {
    _Atomic uint32_t owners; // the ring, and whoever has taken it
    size_t size;             // of all of it, in bytes
    struct sp_kept_event event;
    char texts[];
};

struct sp_event_ring {
    uint64_t mark;        // constant
    pthread_mutex_t lock; // guards the rest; nothing else is locked inside it
    uint64_t first;       // that is there
    uint64_t next;
    size_t bytes;
    struct kept *kept[SP_EVENTS_KEPT]; // by number; NULL: there was no memory for it
};

struct sp_event_ring *sp_event_ring_new(void)
{
    struct timespec now;
    struct sp_event_ring *ring = sp_alloc(sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    ring->mark = (uint64_t)now.tv_sec * SP_NS_PER_S + (uint64_t)now.tv_nsec;
    ring->first = 1;
    ring->next = 1;
    SP_CHECK(pthread_mutex_init(&ring->lock, NULL) == 0);
    return ring;
}

uint64_t sp_event_ring_mark(const struct sp_event_ring *ring)
{
    return ring->mark;
}

static struct kept **place_of(struct sp_event_ring *ring, uint64_t number)
{
    return &ring->kept[number % SP_EVENTS_KEPT];
}

static size_t size_of(const struct kept *kept)
{
    return kept == NULL ? 0 : kept->size;
}

static void give_back(struct kept *kept)
{
    // [kept:read] whoever frees it comes after all who have read it; pairs with itself.
    if (kept != NULL &&
        atomic_fetch_sub_explicit(&kept->owners, 1, memory_order_acq_rel) == 1) {
        sp_free(kept);
    }
}

void sp_kept_event_give_back(struct sp_kept_event *event)
{
    give_back(SP_ENTRY(event, struct kept, event));
}

static void drop_first(struct sp_event_ring *ring)
{
    struct kept **first = place_of(ring, ring->first++);
    ring->bytes -= size_of(*first);
    give_back(*first);
    *first = NULL;
}

void sp_event_ring_free(struct sp_event_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    while (ring->first < ring->next) {
        drop_first(ring);
    }
    pthread_mutex_destroy(&ring->lock);
    sp_free(ring);
}

// ---- Putting in -----------------------------------------------------------------

// Its number is still to be given.
static struct kept *keep(const struct sp_notice *notice)
{
    char json[4096];
    const char *pool = sp_notice_text(notice, "pool");
    const size_t pool_size = pool == NULL ? 0 : strlen(pool) + 1;
    const size_t json_size = sp_notice_json(notice, json, sizeof json);
    const size_t size = sizeof(struct kept) + pool_size + json_size + 1;
    struct kept *kept = sp_alloc(size);
    if (kept == NULL) {
        return NULL;
    }
    atomic_init(&kept->owners, 1);
    kept->size = size;
    kept->event = (struct sp_kept_event){.kind = notice->kind,
                                         .level = notice->level,
                                         .time_ns = notice->time_ns,
                                         .pool = pool == NULL ? NULL : kept->texts,
                                         .json = kept->texts + pool_size,
                                         .json_size = json_size};
    if (pool != NULL) {
        memcpy(kept->texts, pool, pool_size);
    }
    memcpy(kept->texts + pool_size, json, json_size + 1);
    return kept;
}

void sp_event_ring_hear(void *user, const struct sp_notice *notice)
{
    struct sp_event_ring *ring = user;
    struct kept *kept = keep(notice);
    pthread_mutex_lock(&ring->lock);
    while (
        ring->next - ring->first >= SP_EVENTS_KEPT ||
        (ring->first < ring->next && ring->bytes + size_of(kept) > SP_EVENTS_BYTES)) {
        drop_first(ring);
    }
    if (kept != NULL) {
        kept->event.number = ring->next;
    }
    *place_of(ring, ring->next++) = kept;
    ring->bytes += size_of(kept);
    pthread_mutex_unlock(&ring->lock);
}

// ---- Taking out -----------------------------------------------------------------

uint64_t sp_event_ring_next(struct sp_event_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    uint64_t next = ring->next;
    pthread_mutex_unlock(&ring->lock);
    return next;
}

static bool begins_with(const char *text, struct sp_slice prefix)
{
    return prefix.data == NULL ||
           strncmp(text, (const char *)prefix.data, prefix.size) == 0;
}

static bool is_shown(const struct sp_event_filter *filter,
                     const struct sp_kept_event *event)
{
    const char *pool = event->pool;
    return event->level >= filter->level &&
           (filter->pool.data == NULL ||
            (pool != NULL && filter->pool.size == strlen(pool) &&
             memcmp(filter->pool.data, pool, filter->pool.size) == 0)) &&
           begins_with(event->kind->name, filter->prefix) &&
           filter->may_see(filter->user, pool);
}

// Lock held. NULL: there is none.
static struct kept *find(struct sp_event_ring *ring,
                         const struct sp_event_filter *filter,
                         uint64_t *from,
                         uint64_t *lost)
{
    if (*from < ring->first) {
        *lost += ring->first - *from;
        *from = ring->first;
    }
    while (*from < ring->next) {
        struct kept *kept = *place_of(ring, (*from)++);
        if (kept == NULL) {
            ++*lost;
        } else if (is_shown(filter, &kept->event)) {
            return kept;
        }
    }
    return NULL;
}

struct sp_kept_event *sp_event_ring_take(struct sp_event_ring *ring,
                                         const struct sp_event_filter *filter,
                                         uint64_t *from,
                                         uint64_t *lost)
{
    *lost = 0;
    pthread_mutex_lock(&ring->lock);
    struct kept *kept = find(ring, filter, from, lost);
    if (kept != NULL) {
        atomic_fetch_add_explicit(&kept->owners, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&ring->lock);
    return kept == NULL ? NULL : &kept->event;
}
