// SPDX-License-Identifier: MIT
#include "api/event_ring.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "http/sse.h"
#include "telemetry/notice_write.h"

// Its texts lie behind it, each with its zero: the pool, "" for none, and the JSON.
struct kept {
    const struct sp_notice_kind *kind;
    enum sp_log_level level;
    bool has_pool;
    size_t pool_size;
    size_t json_size;
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
    return kept == NULL ? 0 : sizeof *kept + kept->pool_size + 1 + kept->json_size + 1;
}

static void drop_first(struct sp_event_ring *ring)
{
    struct kept **first = place_of(ring, ring->first++);
    ring->bytes -= size_of(*first);
    sp_free(*first);
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

static struct kept *keep(const struct sp_notice *notice)
{
    char json[4096];
    const char *pool = sp_notice_text(notice, "pool");
    const size_t pool_size = pool == NULL ? 0 : strlen(pool);
    const size_t json_size = sp_notice_json(notice, json, sizeof json);
    struct kept *kept = sp_alloc(sizeof *kept + pool_size + 1 + json_size + 1);
    if (kept == NULL) {
        return NULL;
    }
    kept->kind = notice->kind;
    kept->level = notice->level;
    kept->has_pool = pool != NULL;
    kept->pool_size = pool_size;
    kept->json_size = json_size;
    memcpy(kept->texts, pool == NULL ? "" : pool, pool_size + 1);
    memcpy(kept->texts + pool_size + 1, json, json_size + 1);
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

static bool is_shown(const struct sp_event_filter *filter, const struct kept *kept)
{
    const char *pool = kept->has_pool ? kept->texts : NULL;
    return kept->level >= filter->level &&
           (filter->pool.data == NULL ||
            (pool != NULL && filter->pool.size == kept->pool_size &&
             memcmp(filter->pool.data, pool, kept->pool_size) == 0)) &&
           begins_with(kept->kind->name, filter->prefix) &&
           filter->may_see(filter->user, pool);
}

static snakepit_err write_lost(struct sp_buf *out, uint64_t count)
{
    char data[64];
    (void)snprintf(data, sizeof data, "{\"lost\":%" PRIu64 "}", count);
    return sp_sse_event(out, "lost", sp_slice_of_text(data));
}

static snakepit_err write_event(struct sp_buf *out,
                                const struct sp_event_ring *ring,
                                const struct kept *kept,
                                uint64_t number)
{
    const uint8_t *json = (const uint8_t *)kept->texts + kept->pool_size + 1;
    snakepit_err err =
        sp_buf_printf(out, "id: %" PRIx64 ".%" PRIu64 "\n", ring->mark, number);
    return err == SNAKEPIT_OK
               ? sp_sse_event(out, NULL, (struct sp_slice){json, kept->json_size})
               : err;
}

// Lock held.
static snakepit_err take(const struct sp_event_ring *ring,
                         const struct sp_event_filter *filter,
                         size_t most,
                         uint64_t *from,
                         struct sp_buf *out)
{
    snakepit_err err = SNAKEPIT_OK;
    if (*from < ring->first) {
        err = write_lost(out, ring->first - *from);
        *from = ring->first;
    }
    while (err == SNAKEPIT_OK && *from < ring->next && out->size < most) {
        const struct kept *kept = ring->kept[*from % SP_EVENTS_KEPT];
        if (kept == NULL) {
            err = write_lost(out, 1);
        } else if (is_shown(filter, kept)) {
            err = write_event(out, ring, kept, *from);
        }
        ++*from;
    }
    return err;
}

snakepit_err sp_event_ring_take(struct sp_event_ring *ring,
                                const struct sp_event_filter *filter,
                                size_t most,
                                uint64_t *from,
                                struct sp_buf *out)
{
    pthread_mutex_lock(&ring->lock);
    snakepit_err err = take(ring, filter, most, from, out);
    pthread_mutex_unlock(&ring->lock);
    return err;
}
