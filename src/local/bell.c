// SPDX-License-Identifier: MIT
// How the daemon and a client wake each other: the client where we have said that we
// sleep, we where it has.
#include <errno.h>
#include <sys/socket.h>

#include "ipc/bell.h"
#include "ipc/completion.h"
#include "ipc/ring.h"
#include "local/inside.h"

#define SLEEPERS 1u   // one thread takes from its ring
#define EMPTIES  512u // bytes of the bell that are read at once

// ---- Sleeping ---------------------------------------------------------------------

void sp_local_circuit_wake(struct sp_local_circuit *circuit)
{
    if (circuit->asleep) {
        sp_bell_withdraw(&circuit->view.header->bell, circuit->announced);
        circuit->asleep = false;
    }
    if (!sp_link_used(&circuit->awake)) {
        sp_list_append(&circuit->loop->awake, &circuit->awake);
    }
}

bool sp_local_circuit_has_come(const struct sp_local_circuit *circuit)
{
    uint32_t number;
    return !circuit->connection->told_leaving &&
           sp_ring_peek(circuit->view.submit,
                        circuit->view.shape.slots - 1,
                        circuit->submit_head,
                        &number);
}

bool sp_local_circuit_sleep(struct sp_local_circuit *circuit)
{
    struct sp_bell *bell = &circuit->view.header->bell;
    circuit->announced = sp_bell_announce(bell, SLEEPERS);
    // [bell:sleep] the announcement before the look at the ring; pairs with [bell:put].
    atomic_thread_fence(memory_order_seq_cst);
    if (sp_local_circuit_has_come(circuit)) {
        sp_bell_withdraw(bell, circuit->announced);
        return false;
    }
    circuit->asleep = true;
    sp_list_remove(&circuit->awake);
    return true;
}

// ---- The client's bell ------------------------------------------------------------

// Where nobody reads what rang before, we do: a bell that is full would not ring.
static void ring(const struct sp_local_circuit *circuit)
{
    char room[EMPTIES];
    if (send(circuit->doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno == EAGAIN) {
        (void)recv(circuit->heard, room, sizeof room, MSG_DONTWAIT);
        (void)send(circuit->doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

void sp_local_circuit_notify(struct sp_local_circuit *circuit,
                             uint32_t slot,
                             uint32_t queue)
{
    const uint64_t bit = sp_completion_bit(queue);
    _Atomic uint64_t *asleep = &circuit->view.header->asleep;
    sp_ring_put(
        circuit->view.done, circuit->view.shape.slots - 1, circuit->done_tail++, slot);
    // [doorbell:put] the cell before the look at the host; pairs with [doorbell:sleep].
    atomic_thread_fence(memory_order_seq_cst);
    if ((atomic_load_explicit(asleep, memory_order_relaxed) & bit) != 0 &&
        (atomic_fetch_and_explicit(asleep, ~bit, memory_order_acq_rel) & bit) != 0) {
        ring(circuit);
    }
}
