// SPDX-License-Identifier: MIT
// Waiting for the other process. A futex hand-over costs 2 us on one core and 60 us
// when an idle core must be woken, a spinning pair 1 us; but spinning steals the core
// from the one that is waited for. So both sides spin only while it has paid off, and
// never for long.
#ifndef IPC_WAIT_H
#define IPC_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/bell.h"
#include "ipc/cpu.h"
#include "ipc/layout.h"
#include "ipc/patience.h"
#include "ipc/ring.h"

// What a wait needs to know besides its word.
struct sp_wait {
    struct sp_patience *patience;
    _Atomic uint32_t *peer_cpu; // where the other side last ran
    enum sp_waiting waiting;
    uint32_t place; // worker: the number of the executor
    bool woke; // our submit had to wake the other side: it is slow, and teaches nothing
    uint64_t deadline; // CLOCK_MONOTONIC ns or SP_NEVER
    // Host: changed before the slot is given to another call, so that a waiter that
    // comes late does not wait for a stranger.
    const _Atomic uint32_t *moves;
    uint32_t moves_seen;
    // Host, streams: ends the wait as well once the tube's tail is not `tail_seen`.
    bool tube;
    uint64_t tail_seen;
    uint64_t begun; // out: when it did, in sp_clock_ticks(); of sp_wait_slot()
};

// Host: waits until the slot's state is neither QUEUED nor RUNNING, until *moves is not
// moves_seen, or until the deadline. Returns the last state word it saw, bits included.
uint32_t sp_wait_slot(struct sp_slot *slot, struct sp_wait *wait);

// Worker: signals for the thread that runs their handlers later. The kernel interrupts
// no sleep that begins after the signal came, and not that of another thread; so
// whoever takes the signal notes it here as well.
struct sp_signals {
    _Atomic uint32_t count;             // of those that came
    _Atomic(struct sp_slot *) sleeping; // where that thread sleeps, or NULL
};

// Worker: notes a signal and wakes who sleeps in a pause. Any thread, also in a signal
// handler.
void sp_signals_note(struct sp_signals *signals);

// Worker: what an executor waits for in the middle of a call.
struct sp_pause {
    struct sp_slot *slot;
    bool reply;                 // until the slot is neither ASKING nor ANSWERING
    uint64_t tube_head;         // else: until the head has come so far
    struct sp_signals *signals; // NULL: another thread runs the handlers
    uint32_t signals_heard;     // the count up to which they were run
};

enum sp_pause_result {
    SP_PAUSE_OVER,
    SP_PAUSE_LATE,        // the deadline came
    SP_PAUSE_CANCELLED,   // tubes only: the call's cancel word is set
    SP_PAUSE_INTERRUPTED, // a signal came
};

// Worker: waits for the host in the middle of a call. `wait` without `moves`.
enum sp_pause_result sp_wait_host(const struct sp_pause *pause,
                                  const struct sp_wait *wait);
// Host: after what such an executor waits for has changed. Whether it sleeps, and is to
// be woken.
bool sp_executor_sleeps(struct sp_slot *slot);
// The same, and wakes it.
void sp_wake_executor(struct sp_slot *slot);
// Worker: after it has put something into the tube. Wakes the reader if it sleeps.
// True: it is to be told by sp_completion_put().
bool sp_wake_reader(struct sp_slot *slot);

// The rings that an executor takes from, and what says that it should stop.
struct sp_intake {
    sp_cell *cells;
    uint32_t mask;
    _Atomic uint64_t *head;
    struct sp_bell *bell;
    const _Atomic uint32_t *stop; // once set, nothing is taken any more
    uint32_t executors;           // how many threads take from it
};

enum sp_intake_result { SP_INTAKE_TAKEN, SP_INTAKE_STOP, SP_INTAKE_INTERRUPTED };

// Worker: for how long it may keep what others want as well.
#define SP_BRIEF_US 2u

// Worker: looks for the next slot id until SP_BRIEF_US after `begun`, in ticks, and
// only where spinning has paid off and no other executor takes from the ring. False:
// nothing came.
bool sp_wait_intake_briefly(const struct sp_intake *intake,
                            const struct sp_wait *wait,
                            uint64_t begun,
                            uint32_t *number);

// Worker: waits for the next slot id. STOP: `stop` was set. INTERRUPTED: a signal came.
enum sp_intake_result sp_wait_intake(const struct sp_intake *intake,
                                     const struct sp_wait *wait,
                                     uint32_t *number);

// Worker: from the one to the other an executor looks for more than the number that it
// has, so that no other is woken for what is put into the ring; then one is, for what
// is left.
void sp_intake_begin_search(const struct sp_intake *intake);
void sp_intake_end_search(const struct sp_intake *intake);

#endif
