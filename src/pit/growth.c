// SPDX-License-Identifier: MIT
#include "pit/growth.h"

#include "base/check.h"

#define WARM_MS  UINT64_C(30000) // a worker loads what it needs until then
#define LEAST_MS UINT64_C(60000) // that it is looked at for
#define LEAST    (UINT64_C(64) << 20)
#define POINTS   (SP_GROWTH_LOOKS + 1)
#define ENOUGH   4u
#define SHARE    4u // of all that it has grown, in each half; or that it may shrink by

void sp_growth_init(struct sp_growth *growth)
{
    SP_CHECK(pthread_mutex_init(&growth->lock, NULL) == 0);
    growth->count = 0;
}

void sp_growth_fini(struct sp_growth *growth)
{
    pthread_mutex_destroy(&growth->lock);
}

static struct sp_growth_look *look_at(struct sp_growth *growth, uint64_t number)
{
    return &growth->looks[number % SP_GROWTH_LOOKS];
}

bool sp_growth_is_due(struct sp_growth *growth, uint64_t now_ms)
{
    pthread_mutex_lock(&growth->lock);
    const bool is_due =
        growth->count == 0 ||
        now_ms >= look_at(growth, growth->count - 1)->at_ms + SP_GROWTH_EVERY_MS;
    pthread_mutex_unlock(&growth->lock);
    return is_due;
}

void sp_growth_note(struct sp_growth *growth, const struct sp_growth_look *look)
{
    pthread_mutex_lock(&growth->lock);
    *look_at(growth, growth->count++) = *look;
    pthread_mutex_unlock(&growth->lock);
}

// ---- One worker ---------------------------------------------------------------

struct points {
    uint32_t count;
    struct point {
        uint64_t at_ms;
        uint64_t bytes;
    } items[POINTS]; // the oldest first
};

static void
add_point(struct points *points, const struct sp_growth_look *look, uint64_t worker)
{
    for (uint32_t i = 0; i < look->count; i++) {
        const struct sp_growth_row *row = &look->rows[i];
        if (row->worker == worker && row->age_ms >= WARM_MS && row->bytes > 0) {
            points->items[points->count++] = (struct point){look->at_ms, row->bytes};
        }
    }
}

static uint64_t more(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

static bool shrinks(const struct points *points, uint64_t most)
{
    for (uint32_t i = 1; i < points->count; i++) {
        if (more(points->items[i].bytes, points->items[i - 1].bytes) > most) {
            return true;
        }
    }
    return false;
}

static bool grows(const struct points *points)
{
    if (points->count < ENOUGH) {
        return false;
    }
    const struct point *first = &points->items[0];
    const struct point *middle = &points->items[points->count / 2];
    const struct point *last = &points->items[points->count - 1];
    const uint64_t grown = more(first->bytes, last->bytes);
    return grown >= LEAST && last->at_ms - first->at_ms >= LEAST_MS &&
           more(first->bytes, middle->bytes) >= grown / SHARE &&
           more(middle->bytes, last->bytes) >= grown / SHARE &&
           !shrinks(points, grown / SHARE);
}

// ---- All of them --------------------------------------------------------------

static uint64_t speed(const struct sp_grown *grown)
{
    return grown->over_ms == 0 ? 0 : (grown->to - grown->from) / grown->over_ms;
}

static void look_at_worker(struct sp_growth *growth,
                           const struct sp_growth_look *now,
                           uint64_t worker,
                           struct sp_grown *found)
{
    struct points points = {.count = 0};
    const uint64_t first =
        growth->count > SP_GROWTH_LOOKS ? growth->count - SP_GROWTH_LOOKS : 0;
    for (uint64_t number = first; number < growth->count; number++) {
        add_point(&points, look_at(growth, number), worker);
    }
    add_point(&points, now, worker);
    if (!grows(&points)) {
        return;
    }
    const struct point *last = &points.items[points.count - 1];
    const struct sp_grown grown = {
        .worker = worker,
        .from = points.items[0].bytes,
        .to = last->bytes,
        .over_ms = last->at_ms - points.items[0].at_ms,
        .workers = found->workers + 1,
    };
    if (found->worker == 0 || speed(&grown) > speed(found)) {
        *found = grown;
    }
    found->workers = grown.workers;
}

struct sp_grown sp_growth_find(struct sp_growth *growth,
                               const struct sp_growth_look *now)
{
    struct sp_grown found = {.worker = 0};
    pthread_mutex_lock(&growth->lock);
    for (uint32_t i = 0; i < now->count; i++) {
        look_at_worker(growth, now, now->rows[i].worker, &found);
    }
    pthread_mutex_unlock(&growth->lock);
    return found;
}
