// SPDX-License-Identifier: MIT
// How much memory and how many threads workers have, for those who ask. Nobody waits
// for that: the loop looks at a few workers a second, in turn.
#include "base/clock.h"
#include "fleet/inside.h"
#include "pool/crowd.h"

// One look reads a small file, some 20 microseconds.
#define LOOKS_SHARE 16u // of the workers are looked at in a second,
#define LOOKS_MOST  32u // but not more than these
// A share takes a walk through page tables, up to some milliseconds a gigabyte: one
// worker every so many seconds, and none that is larger than this.
#define SHARE_EVERY 2u
#define SHARE_MOST  (UINT64_C(1) << 30)

static void look(struct sp_occupant *occupant, const struct sp_worker *worker)
{
    const struct sp_worker_usage usage = sp_worker_usage(worker);
    occupant->figures.memory = usage.memory;
    occupant->figures.threads = usage.threads;
    if (usage.memory > SHARE_MOST) {
        occupant->figures.share = 0;
    }
}

void sp_figures_begin(struct sp_occupant *occupant, const struct sp_worker *worker)
{
    look(occupant, worker);
}

// What it has used when it is looked at first was used for its start.
static void count_cpu(struct sp_fleet *fleet, struct sp_occupant *occupant)
{
    const uint64_t now = sp_worker_cpu(occupant->worker);
    const uint64_t before = occupant->figures.cpu_ns;
    occupant->figures.cpu_ns = now;
    pthread_mutex_lock(&fleet->rows_lock);
    fleet->cpu_ns += before != 0 && now > before ? now - before : 0;
    pthread_mutex_unlock(&fleet->rows_lock);
}

uint64_t sp_fleet_cpu_ms(struct sp_fleet *fleet)
{
    pthread_mutex_lock(&fleet->rows_lock);
    const uint64_t cpu_ns = fleet->cpu_ns;
    pthread_mutex_unlock(&fleet->rows_lock);
    return cpu_ns / SP_NS_PER_MS;
}

// The next one in turn that has a process; NULL: there is none.
static struct sp_occupant *next_of(const struct sp_fleet *fleet, uint32_t *place)
{
    const uint32_t count = (uint32_t)fleet->row_count;
    for (uint32_t i = 0; i < count; i++) {
        *place = (*place + 1) % count;
        struct sp_occupant *occupant = fleet->occupants[*place];
        if (occupant->worker != NULL && occupant->worker->child.born) {
            return occupant;
        }
    }
    return NULL;
}

static uint32_t count_workers(const struct sp_fleet *fleet)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->row_count; i++) {
        const struct sp_worker *worker = fleet->occupants[i]->worker;
        count += worker != NULL && worker->child.born;
    }
    return count;
}

static void weigh_next(struct sp_fleet *fleet)
{
    struct sp_occupant *occupant = next_of(fleet, &fleet->shared);
    if (occupant != NULL) {
        look(occupant, occupant->worker);
        if (occupant->figures.memory <= SHARE_MOST) {
            occupant->figures.share = sp_worker_share(occupant->worker);
        }
        sp_fleet_publish(fleet, occupant->place);
    }
}

void sp_fleet_look(struct sp_fleet *fleet)
{
    sp_slow_look(fleet);
    sp_crowd_look(fleet->options.pool);
    const uint32_t wanted = 1 + count_workers(fleet) / LOOKS_SHARE;
    const uint32_t most = wanted < LOOKS_MOST ? wanted : LOOKS_MOST;
    for (uint32_t i = 0; i < most; i++) {
        struct sp_occupant *occupant = next_of(fleet, &fleet->seen);
        if (occupant == NULL) {
            return;
        }
        look(occupant, occupant->worker);
        count_cpu(fleet, occupant);
        sp_fleet_publish(fleet, occupant->place);
    }
    if (fleet->looks++ % SHARE_EVERY == 0) {
        weigh_next(fleet);
    }
}
