// SPDX-License-Identifier: MIT
// A call gets a slot of a seat and gives it back: what belongs to that begins and ends
// here. All of it is inline, since every call passes through here. Lock held.
#ifndef POOL_PLACEMENT_H
#define POOL_PLACEMENT_H

#include "pool/inside.h"
#include "pool/seat.h"

// Lends the worker the call's tensors, if it has any. False: no lease is left.
static inline bool sp_placement_take_lease(struct sp_call *call, struct sp_seat *seat)
{
    call->placement.lease = SP_NO_LEASE;
    if (call->parcel->share_count > 0) {
        call->placement.lease = sp_seat_take_lease(seat);
        return call->placement.lease != SP_NO_LEASE;
    }
    return true;
}

// The worker has no more use for the tensors; with `held` Python has, see
// sp_seat_end_lease().
static inline void sp_placement_end_lease(struct sp_pool *pool,
                                          struct sp_call *call,
                                          struct sp_seat *seat,
                                          bool held)
{
    if (call->placement.lease != SP_NO_LEASE) {
        sp_seat_end_lease(
            &pool->store, seat, call->placement.lease, call->parcel, held);
        call->placement.lease = SP_NO_LEASE;
    }
}

// The call is in the slot of a seat. `served`: of an executor that asks, which has its
// load already; and in front, for those at the end wait for their turn and may be
// moved.
static inline void sp_placement_begin(struct sp_pool *pool,
                                      struct sp_call *call,
                                      struct sp_seat *seat,
                                      bool served)
{
    call->phase = SP_CALL_PLACED;
    call->placement.seat = seat;
    if (served) {
        call->placement.served = true;
        sp_list_prepend(&seat->calls, &call->placement.link);
    } else {
        sp_list_append(&seat->calls, &call->placement.link);
    }
    pool->placed++;
}

// The call leaves its slot. Its lease and its load were given back before this, or
// belong to an orphan from now on.
static inline void sp_placement_end(struct sp_pool *pool, struct sp_call *call)
{
    sp_list_remove(&call->placement.link);
    call->placement.seat = NULL;
    call->placement.served = false;
    pool->placed--;
}

#endif
