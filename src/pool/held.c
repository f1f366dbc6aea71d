// SPDX-License-Identifier: MIT
#include "pool/held.h"

#include "pool/seat.h"

static struct sp_seat *seat_at(struct sp_link *link)
{
    return SP_ENTRY(link, struct sp_seat, member);
}

// Calls beyond those that the worker runs. Those of a tool that takes many at once may
// all be running.
static uint32_t in_advance(const struct sp_seat *seat)
{
    return seat->batches.size == 0 && seat->load > seat->capacity
               ? seat->load - seat->capacity
               : 0;
}

// The id of the one whose turn is next; 0: there is none.
static uint64_t next_in(struct sp_seat *seat)
{
    uint32_t count = in_advance(seat);
    struct sp_link *link = &seat->calls;
    while (count > 0 && link->previous != &seat->calls) {
        link = link->previous;
        count--;
    }
    return link == &seat->calls ? 0
                                : SP_ENTRY(link, struct sp_call, placement.link)->id;
}

bool sp_held_look(struct sp_pool *pool)
{
    pool->looks_for_held = pool->options.elastic && pool->loads.crowded > 0;
    for (struct sp_link *link = pool->seats.next;
         pool->options.elastic && link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = seat_at(link);
        uint64_t next = next_in(seat);
        seat->holds_up = next != 0 && next == seat->next_seen;
        seat->next_seen = next;
    }
    return pool->looks_for_held;
}

uint32_t sp_held_count(const struct sp_pool *pool)
{
    uint32_t held = 0;
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        const struct sp_seat *seat = seat_at(link);
        held += seat->holds_up ? in_advance(seat) : 0;
    }
    return held;
}
