// SPDX-License-Identifier: MIT
// The host's end of one worker's shared memory, for one epoch: slots, rings and result
// ranges. Whatever it reads was written by a peer that it does not trust; it loads each
// word once, checks it, and uses the copy. It knows nothing of calls: an owner pointer
// names what is in a slot.
//
// Nothing here locks. Every function needs the lock that guards the port, but for those
// that say otherwise.
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"
#include "ipc/control.h"
#include "ipc/segment.h"

// What the host keeps of one slot, privately.
struct sp_port_slot {
    void *owner;   // NULL: free, or given up and waiting for the worker to pass it on
    uint64_t call; // the call in it; 0: free
    bool notify;   // the completion ring announces what happens in it
};

// Guarded by the lock of the pool that it serves, but for what is constant.
struct sp_port {
    struct sp_segment control;
    struct sp_segment results;
    struct sp_control_view view; // constant
    int doorbell;                // eventfd, or a daemon's socket; constant
    int bell; // eventfd that wakes a daemon; -1: executors sleep on the bell's futex
    _Atomic uint32_t refs; // any thread
    uint32_t pins;         // callers that look at a slot without the lock
    bool retired;          // the seat's reference goes with the last pin
    uint32_t listens;      // for the doorbell of a daemon, so far
    uint64_t submit_tail;
    uint32_t served; // calls that did not go through the ring
    uint64_t done_head;
    uint64_t request_returns_head;
    uint64_t result_returns_tail;
    uint32_t notifying; // slots in use with `notify`
    uint32_t free_count;
    uint16_t *free_slots; // a stack: the last one freed is still warm
    struct sp_port_slot *slots;
};

// An answer as the worker claims it, checked. Pointers lead into the results segment,
// which the worker can still write.
struct sp_port_answer {
    uint32_t status; // enum sp_slot_status
    const uint8_t *body;
    uint32_t body_size;
    uint32_t lease; // return it with sp_port_return_result(), unless SP_NO_LEASE
    bool held;
    uint32_t ran_until; // as in the slot: whatever the worker says
    uint64_t ran_ticks; // at most two minutes' worth
    uint32_t executor;  // that has run it, as the worker claims
};

// What a slot that is ASKING asks, as the worker claims it, checked. The body leads
// into the results segment, which the worker can still write.
struct sp_port_question {
    uint32_t turn; // tells this question from every other one of the slot
    const uint8_t *body;
    uint32_t body_size;
    uint32_t lease; // return it with sp_port_return_result(), unless SP_NO_LEASE
};

// The host's reply. `body` and `lease` as in struct sp_slot_request, in memory that the
// worker may read until it asks again or ends.
struct sp_port_reply {
    enum sp_reply_kind kind;
    uint64_t body; // SP_REPLY_SERVE: the slot to run
    uint32_t body_size;
    uint32_t lease;
};

// Makes the segments. Needs no lock. SYSTEM, NO_MEMORY. The first reference is the
// caller's.
snakepit_err sp_port_new(const struct sp_control_shape *shape,
                         struct sp_port **port,
                         snakepit_message *why);
// The same with what a daemon has made; takes the descriptors in any case. PROTOCOL: it
// makes no sense.
struct sp_port_parts {
    int control;
    int results; // read only
    int bell;
    int doorbell;
    uint64_t control_size; // bytes of the segments
    uint64_t results_size;
    uint64_t requests_size; // of that which the daemon was given
};
// Of parts that nobody opens.
void sp_port_parts_close(const struct sp_port_parts *parts);
snakepit_err sp_port_open(const struct sp_port_parts *parts,
                          struct sp_port **port,
                          snakepit_message *why);
// Any thread, locked or not. The last reference unmaps and frees.
void sp_port_ref(struct sp_port *port);
void sp_port_unref(struct sp_port *port);

// A pin is a reference that costs nothing, for those who hold the lock when they take
// it and when they drop it: port->pins++ and sp_port_unpin(). It counts on the
// reference of whoever calls sp_port_retire() in the end, which drops that reference
// once nobody has a pin.
void sp_port_unpin(struct sp_port *port);
void sp_port_retire(struct sp_port *port);

// Puts a call into a free slot and its id into the submit ring. The caller then calls
// sp_port_ring(), without the lock. With `notify` the
// completion ring announces its end, its questions and, of a stream, the first chunk.
// False: no slot is free.
bool sp_port_submit(struct sp_port *port,
                    const struct sp_slot_request *request,
                    bool notify,
                    void *owner,
                    uint32_t *slot);

// After a submit: wakes one executor for it, or the daemon. True: somebody slept. Any
// thread.
bool sp_port_ring(struct sp_port *port);
// After something has changed that the executor of a slot may wait for. Any thread.
void sp_port_wake_executor(struct sp_port *port, uint32_t slot);

// Puts a call into a free slot and nowhere else: the worker learns of it by a reply of
// the kind SP_REPLY_SERVE. False: no slot is free.
bool sp_port_submit_served(struct sp_port *port,
                           const struct sp_slot_request *request,
                           void *owner,
                           uint32_t *slot);

// The state of a slot that is in use, masked; an unknown one is a violation.
uint32_t sp_port_state(const struct sp_port *port, uint32_t slot);

// The executor that runs the call of a slot, as the worker claims it: known of a call
// that it runs together with others, from its start on.
uint32_t sp_port_executor(const struct sp_port *port, uint32_t slot);

// What an executor does, as the worker claims it.
struct sp_port_run {
    uint32_t executor;
    uint64_t since; // sp_clock_ticks()
};
// False: none says that it runs that call.
bool sp_port_find_run(const struct sp_port *port,
                      uint64_t call,
                      struct sp_port_run *run);

// Takes back a call that no executor has taken yet. True: it will never run, and the
// slot is given up. False: too late.
bool sp_port_take_back(struct sp_port *port, uint32_t slot);

// Gives up a slot whose call runs: it has no owner any more and its end comes through
// the completion ring. An open question is answered with SP_REPLY_LEFT. False: it has
// ended meanwhile; it has no owner either, but nothing will follow.
bool sp_port_give_up(struct sp_port *port, uint32_t slot);

// Takes the question of a slot that is ASKING and makes the slot ANSWERING. NOT_FOUND:
// it was taken back. PROTOCOL: it makes no sense.
snakepit_err sp_port_take_question(struct sp_port *port,
                                   uint32_t slot,
                                   struct sp_port_question *question);

// Replies to the question of that turn and wakes the executor. False: it does not wait
// for this reply any more, and learns nothing.
bool sp_port_reply(struct sp_port *port,
                   uint32_t slot,
                   uint32_t turn,
                   const struct sp_port_reply *reply);

// The turn under which an executor that was told to serve goes on with its question.
uint32_t sp_port_next_turn(uint32_t turn);
// Whether that executor still has to read that it is to serve. `turn` is the one that
// follows.
bool sp_port_serves(const struct sp_port *port, uint32_t slot, uint32_t turn);

// Asks the tool in a slot to stop, if it looks; wakes it if it waits for its stream's
// reader.
void sp_port_cancel(struct sp_port *port, uint32_t slot);

// Reads the answer of a slot that is DONE and frees the slot. PROTOCOL: it makes no
// sense; the slot stays in use.
snakepit_err
sp_port_take_answer(struct sp_port *port, uint32_t slot, struct sp_port_answer *answer);

// The next slot of the completion ring: it is DONE, or with `*runs` it goes on: it asks
// or did so a moment ago, or there is a chunk. NOT_FOUND: none. PROTOCOL: an impossible
// id. A worker can fill the ring as fast as it is read: a look at it ends after as many
// ids as there are slots.
snakepit_err sp_port_next_done(struct sp_port *port, uint32_t *slot, bool *runs);

// Has the completion ring announce the next chunk of a stream that notifies. Look at
// the tube afterwards: what is there already is not announced.
void sp_port_watch_tube(struct sp_port *port, uint32_t slot);

// Before a queue sleeps until the doorbell rings: that of a daemon is a socket, which
// would be full one day if nobody read what has rung.
void sp_port_empty_doorbell(struct sp_port *port);

// The next lease of a request that Python has let go of. NOT_FOUND: none. PROTOCOL.
snakepit_err sp_port_next_return(struct sp_port *port, uint32_t *lease);

// Gives a result's memory back to the worker.
void sp_port_return_result(struct sp_port *port, uint32_t lease);

// Wakes whoever waits on the slot, after the worker has died or the call was moved.
void sp_port_wake(struct sp_port *port, uint32_t slot);

// What the worker says it may be dying of. Any thread.
enum sp_fault sp_port_fault(const struct sp_port *port);

// What the worker's start does now, in its words; empty: it has not said. Any thread.
void sp_port_stage(const struct sp_port *port, char room[SP_STAGE_MAX]);
// The number of the deadly signal whose stack the worker has left, SP_STACK_OF_START,
// or 0: it has left none. Any thread.
uint32_t sp_port_stack_of(const struct sp_port *port);
// That stack, as Python's faulthandler writes it, cut and fit for a log. Any thread.
void sp_port_stack(const struct sp_port *port, char room[SP_STACK_MAX]);

// Frees a slot without looking at it: the worker is dead.
void sp_port_drop(struct sp_port *port, uint32_t slot);

#endif
