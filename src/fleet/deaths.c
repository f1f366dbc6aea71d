// SPDX-License-Identifier: MIT
// What is told of workers that are no more.
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "fleet/inside.h"

static uint64_t unix_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / SP_NS_PER_MS;
}

static struct sp_fleet_death *death_at(struct sp_fleet *fleet, uint64_t number)
{
    return &fleet->deaths[(number - 1) & (SP_FLEET_DEATHS - 1)];
}

static void write_cause(struct sp_worker *worker, struct sp_fleet_death *death)
{
    pthread_mutex_lock(&worker->lost_lock);
    if (worker->left_for != NULL && worker->expected) {
        (void)snprintf(
            death->cause, sizeof death->cause, "made room: %s", worker->left_for);
    } else {
        (void)snprintf(death->cause, sizeof death->cause, "%s", worker->cause);
    }
    pthread_mutex_unlock(&worker->lost_lock);
}

void sp_fleet_note_death(struct sp_fleet *fleet, struct sp_worker *worker)
{
    const uint64_t now = sp_clock_now();
    const uint64_t began = worker->child.started_at;
    struct sp_fleet_death death = {
        .worker = worker->options.id,
        .pid = worker->child.process.pid,
        .expected = worker->expected,
        .ended_ms = unix_ms(),
        .age_ms = now > began ? (now - began) / SP_NS_PER_MS : 0,
    };
    write_cause(worker, &death);
    pthread_mutex_lock(&fleet->rows_lock);
    *death_at(fleet, ++fleet->death_count) = death;
    fleet->lived_ms += death.age_ms * worker->options.shape.executors;
    pthread_mutex_unlock(&fleet->rows_lock);
}

size_t sp_fleet_deaths(struct sp_fleet *fleet, sp_worker_death_fn *take, void *user)
{
    size_t count = 0;
    pthread_mutex_lock(&fleet->rows_lock);
    for (uint64_t i = fleet->death_count; i > 0 && count < SP_FLEET_DEATHS; i--) {
        take(user, count++, i, death_at(fleet, i));
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return count;
}

uint64_t sp_fleet_lived_ms(struct sp_fleet *fleet)
{
    pthread_mutex_lock(&fleet->rows_lock);
    const uint64_t lived_ms = fleet->lived_ms;
    pthread_mutex_unlock(&fleet->rows_lock);
    return lived_ms;
}
