// SPDX-License-Identifier: MIT
// Between two calls of one client. Waking an idle core takes several times as long as
// the rest of a call. So where a single client calls again and again, its loop polls
// for the next call for a little while before it sleeps. It does not while a call is
// under way, because the worker may need the core, nor where the client last ran on
// this very core. Meanwhile it also polls its descriptors, so nobody else waits longer.
#include "base/clock.h"
#include "ipc/cpu.h"
#include "ipc/spin.h"
#include "local/inside.h"

#define SHORT_US    400u // a pause between two calls that is short
#define POLL_US     150u // at most, before the loop sleeps
#define TURNS       64u  // between two looks at the descriptors
#define PAUSES      8u   // short ones that it takes to begin; a vain poll costs as many
#define PAUSES_MOST 16u  // that are remembered

struct sp_local_circuit *sp_local_only_circuit(const struct sp_local_loop *loop)
{
    struct sp_link *first = loop->awake.next;
    return first != &loop->awake && first == loop->awake.previous
               ? SP_ENTRY(first, struct sp_local_circuit, awake)
               : NULL;
}

void sp_local_note_pause(struct sp_local_loop *loop)
{
    const struct sp_local_circuit *circuit = sp_local_only_circuit(loop);
    const bool alone = circuit != NULL && circuit->connection->calls <= 1;
    if (alone && loop->idle_since == 0) {
        return;
    }
    const uint64_t pause = sp_clock_ticks() - loop->idle_since;
    if (!alone || pause >= SHORT_US * sp_clock_ticks_per_us()) {
        loop->short_pauses = 0; // who has several under way has no pauses
    } else if (loop->short_pauses < PAUSES_MOST) {
        loop->short_pauses++;
    }
    loop->idle_since = 0;
}

static bool poll_until(const struct sp_local_circuit *circuit, uint64_t end)
{
    const struct sp_loop *loop = &circuit->loop->serve->loop;
    bool come = false;
    uint32_t turns = 0;
    do {
        sp_clock_relax();
        come = sp_local_circuit_has_come(circuit);
        turns++;
    } while (!come && sp_clock_ticks() < end &&
             (turns % TURNS != 0 || !sp_loop_is_called(loop)));
    return come;
}

bool sp_local_linger(struct sp_local_loop *loop)
{
    const struct sp_local_circuit *circuit = sp_local_only_circuit(loop);
    if (circuit == NULL || circuit->connection->why != NULL ||
        circuit->connection->calls > 0 || loop->idle_since != 0) {
        return false;
    }
    loop->idle_since = sp_clock_ticks();
    if (loop->short_pauses < PAUSES ||
        !sp_wait_is_elsewhere(&circuit->view.header->host_cpu) || !sp_spin_begin()) {
        return false;
    }
    const uint64_t end = loop->idle_since + POLL_US * sp_clock_ticks_per_us();
    const bool come = poll_until(circuit, end);
    sp_spin_end();
    if (!come && sp_clock_ticks() >= end) {
        loop->short_pauses -= PAUSES;
    }
    return come;
}
