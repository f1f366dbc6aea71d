// SPDX-License-Identifier: MIT
// A worker's place in its pool: what it runs, what it could run, and what it still
// holds. Guarded by the pool's lock.
#ifndef POOL_SEAT_H
#define POOL_SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "pool/call.h"
#include "pool/orphan.h"
#include "pool/store.h"
#include "port/port.h"
#include "telemetry/figures.h"

// The tensors of one call, while its worker may read them. `next_free` chains free
// numbers.
struct sp_seat_lease {
    struct sp_share **shares; // NULL: no tensors are left behind
    uint32_t share_count;
    uint32_t next_free;
    bool out;      // the number is in use
    bool ended;    // the call has ended and said that Python holds on
    bool held;     // Python holds it beyond that
    bool returned; // and has let go
};

// What is to be said of calls that are stuck.
enum sp_seat_stuck {
    SP_SEAT_NOT_STUCK,
    SP_SEAT_STUCK,       // one is, and others run
    SP_SEAT_STUCK_ALONE, // all that run are
};

struct sp_seat {
    struct sp_link link;   // in pool->loads while open
    struct sp_link member; // in pool->seats
    struct sp_port *port;  // one reference
    void *worker;          // the control plane's
    uint64_t worker_id;
    uint32_t capacity;         // calls it runs at once
    uint32_t load;             // calls placed, orphans included; one more while stuck
    uint64_t left;             // calls that it may still be given
    uint32_t skips_due;        // slots taken back that the worker has not passed on yet
    uint64_t stuck_since;      // since when an idle executor takes none; 0: it does
    bool open;                 // takes calls
    bool leaves;               // its worker begins no further call
    bool spent;                // it was given all that it may; is to be replaced
    bool spent_seen;           // the loop has seen that; owner: the loop thread
    bool spent_told;           // and told; likewise
    bool violated;             // broke the protocol; is to be killed
    bool silent;               // did not come back to its question; is to be killed
    const char *kill_reason;   // why it is to be killed; NULL: it is not
    enum sp_death counts_as;   // then
    bool kill_ordered;         // and that was ordered; owner: the loop thread
    bool dead;                 // its rings mean nothing any more
    struct sp_link calls;      // placed, oldest first
    struct sp_link ties;       // of the sessions that are tied to it
    struct sp_link waiting;    // calls in a line of its own, by id; see pool/affinity.h
    struct sp_link waited_for; // in pool->waited_for while there are any
    struct sp_link orphans;
    struct sp_call *check; // of its worker's health; NULL: none; see pool/check.c
    uint32_t check_ms;     // that it may take
    uint64_t checks;       // that it was handed
    uint64_t next_seen;    // the call that waited in its worker at the last tick; or 0
    bool holds_up;         // it still did at the tick after; see pool/held.h
    bool check_over;       // the loop has seen its end; owner: the loop thread
    bool died_in_check;    // its worker died while it ran one
    struct sp_seat_lease *leases; // port->view.shape.leases of them
    uint32_t free_lease;          // first free number, or SP_NO_LEASE
    uint32_t leases_out;
    uint32_t leases_held;    // of these, by Python, whose calls have ended
    uint64_t windows_told;   // bit n: its worker was told of window n + 1,
    uint64_t windows_mapped; // and has it
    // Owner: the loop thread.
    enum sp_seat_stuck stuck_seen;
    enum sp_seat_stuck stuck_told;
    struct sp_buf idempotent; // see sp_seat_terms
    struct sp_buf batches;    // constant, as above; see sp_seat_terms
};

// Takes a reference of the port. NO_MEMORY.
snakepit_err
sp_seat_new(struct sp_port *port, uint32_t capacity, struct sp_seat **seat);
// Frees an empty seat: no calls, no orphans. Shares left in leases are given back to
// `store`. The port's reference goes once nobody has a pin on it.
void sp_seat_free(struct sp_store *store, struct sp_seat *seat);

// Whether its worker says that a tool may be called once more.
bool sp_seat_calls_idempotent(const struct sp_seat *seat, struct sp_slice tool);
// How many calls of a tool its worker takes at once, at least 1.
uint32_t sp_seat_batch_of(const struct sp_seat *seat, struct sp_slice tool);

// A number for a call's tensors; SP_NO_LEASE when all are out.
uint32_t sp_seat_take_lease(struct sp_seat *seat);
// The call has ended. With `held` the parcel's shares stay with the lease until they
// are returned.
void sp_seat_end_lease(struct sp_store *store,
                       struct sp_seat *seat,
                       uint32_t number,
                       struct sp_parcel *parcel,
                       bool held);
// Python let go of a lease. PROTOCOL: it is not out.
snakepit_err
sp_seat_return_lease(struct sp_store *store, struct sp_seat *seat, uint32_t number);

#endif
