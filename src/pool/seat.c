// SPDX-License-Identifier: MIT
// Leases are numbers into a table of our own, so a worker that returns a number twice,
// or one that it never had, is caught and harms nobody.
#include "pool/seat.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

snakepit_err sp_seat_new(struct sp_port *port, uint32_t capacity, struct sp_seat **seat)
{
    struct sp_seat *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    uint32_t leases = port->view.shape.leases;
    made->leases = sp_alloc_array(leases, sizeof *made->leases);
    if (made->leases == NULL) {
        sp_free(made);
        return SNAKEPIT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < leases; i++) {
        made->leases[i].next_free = i + 1 < leases ? i + 1 : SP_NO_LEASE;
    }
    sp_port_ref(port);
    made->port = port;
    made->capacity = capacity;
    sp_list_init(&made->calls);
    sp_list_init(&made->orphans);
    sp_list_init(&made->ties);
    sp_list_init(&made->waiting);
    *seat = made;
    return SNAKEPIT_OK;
}

static void drop_shares(struct sp_store *store, struct sp_seat_lease *lease)
{
    for (uint32_t i = 0; i < lease->share_count; i++) {
        sp_share_unref(store, lease->shares[i]);
    }
    sp_free((void *)lease->shares);
    lease->shares = NULL;
    lease->share_count = 0;
}

void sp_seat_free(struct sp_store *store, struct sp_seat *seat)
{
    if (seat == NULL) {
        return;
    }
    SP_CHECK(sp_list_empty(&seat->calls) && sp_list_empty(&seat->orphans));
    SP_CHECK(sp_list_empty(&seat->ties) && sp_list_empty(&seat->waiting));
    for (uint32_t i = 0; i < seat->port->view.shape.leases; i++) {
        drop_shares(store, &seat->leases[i]);
    }
    sp_buf_fini(&seat->idempotent);
    sp_buf_fini(&seat->batches);
    sp_free(seat->leases);
    sp_port_retire(seat->port);
    sp_free(seat);
}

// What is behind a tool's name in a list of names, each of which has its size before it
// and `extra` bytes behind it; NULL: it is not there.
static const uint8_t *
find_tool(const struct sp_buf *names, struct sp_slice tool, size_t extra)
{
    for (size_t at = 0; at < names->size; at += 1u + names->data[at] + extra) {
        const uint8_t *name = &names->data[at + 1];
        if (names->data[at] == tool.size && memcmp(name, tool.data, tool.size) == 0) {
            return name + tool.size;
        }
    }
    return NULL;
}

bool sp_seat_calls_idempotent(const struct sp_seat *seat, struct sp_slice tool)
{
    return find_tool(&seat->idempotent, tool, 0) != NULL;
}

uint32_t sp_seat_batch_of(const struct sp_seat *seat, struct sp_slice tool)
{
    uint32_t most = 1;
    const uint8_t *number = find_tool(&seat->batches, tool, sizeof most);
    if (number != NULL) {
        memcpy(&most, number, sizeof most);
    }
    return most;
}

uint32_t sp_seat_take_lease(struct sp_seat *seat)
{
    uint32_t number = seat->free_lease;
    if (number != SP_NO_LEASE) {
        struct sp_seat_lease *lease = &seat->leases[number];
        seat->free_lease = lease->next_free;
        *lease = (struct sp_seat_lease){.out = true};
        seat->leases_out++;
    }
    return number;
}

static void free_lease(struct sp_store *store, struct sp_seat *seat, uint32_t number)
{
    struct sp_seat_lease *lease = &seat->leases[number];
    seat->leases_held -= lease->held;
    drop_shares(store, lease);
    *lease = (struct sp_seat_lease){.next_free = seat->free_lease};
    seat->free_lease = number;
    seat->leases_out--;
}

void sp_seat_end_lease(struct sp_store *store,
                       struct sp_seat *seat,
                       uint32_t number,
                       struct sp_parcel *parcel,
                       bool held)
{
    struct sp_seat_lease *lease = &seat->leases[number];
    SP_CHECK(lease->out && !lease->ended);
    lease->ended = true;
    if (!held || lease->returned) {
        free_lease(store, seat, number);
        return;
    }
    lease->held = true;
    seat->leases_held++;
    lease->shares = parcel->shares;
    lease->share_count = parcel->share_count;
    parcel->shares = NULL;
    parcel->share_count = 0;
}

snakepit_err
sp_seat_return_lease(struct sp_store *store, struct sp_seat *seat, uint32_t number)
{
    struct sp_seat_lease *lease = &seat->leases[number];
    if (!lease->out || lease->returned) {
        return SNAKEPIT_PROTOCOL;
    }
    // It may come before the host has seen that the call ended.
    lease->returned = true;
    if (lease->ended) {
        free_lease(store, seat, number);
    }
    return SNAKEPIT_OK;
}
