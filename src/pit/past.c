// SPDX-License-Identifier: MIT
#include "pit/past.h"

#include "base/check.h"

void sp_past_init(struct sp_past *past, uint64_t now_ms)
{
    SP_CHECK(pthread_mutex_init(&past->lock, NULL) == 0);
    past->looks[0] = (struct sp_past_look){.at_ms = now_ms};
    past->count = 1;
}

void sp_past_fini(struct sp_past *past)
{
    pthread_mutex_destroy(&past->lock);
}

static struct sp_past_look *look_at(struct sp_past *past, uint64_t number)
{
    return &past->looks[number % SP_PAST_LOOKS];
}

bool sp_past_is_due(struct sp_past *past, uint64_t now_ms)
{
    pthread_mutex_lock(&past->lock);
    const uint64_t last = look_at(past, past->count - 1)->at_ms;
    pthread_mutex_unlock(&past->lock);
    return now_ms >= last + SP_PAST_EVERY_MS;
}

void sp_past_note(struct sp_past *past, const struct sp_past_look *look)
{
    pthread_mutex_lock(&past->lock);
    *look_at(past, past->count++) = *look;
    pthread_mutex_unlock(&past->lock);
}

// The parts of a look are not read at one moment.
static void subtract(uint64_t *now, uint64_t then)
{
    *now = *now > then ? *now - then : 0;
}

void sp_past_since(struct sp_past *past, struct sp_past_look *now)
{
    pthread_mutex_lock(&past->lock);
    const uint64_t oldest = past->count < SP_PAST_LOOKS ? 0 : past->count;
    const struct sp_past_look *then = look_at(past, oldest);
    subtract(&now->at_ms, then->at_ms);
    subtract(&now->calls, then->calls);
    subtract(&now->refused, then->refused);
    subtract(&now->failed, then->failed);
    subtract(&now->late, then->late);
    subtract(&now->left, then->left);
    subtract(&now->killed, then->killed);
    subtract(&now->deaths, then->deaths);
    subtract(&now->failed_starts, then->failed_starts);
    subtract(&now->recycled_for_memory, then->recycled_for_memory);
    subtract(&now->lived_ms, then->lived_ms);
    subtract(&now->ran_ms, then->ran_ms);
    subtract(&now->cpu_ms, then->cpu_ms);
    sp_histogram_take(&now->line, &then->line);
    sp_histogram_take(&now->run, &then->run);
    pthread_mutex_unlock(&past->lock);
}
