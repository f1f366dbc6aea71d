// SPDX-License-Identifier: MIT
// Between two calls of one client. To wake a core that has nothing to do takes several
// times as long as the rest of a call. So where one client alone calls again and again,
// its loop looks for the next call a little while before it sleeps: not while a call is
// under way, whose worker may need the core, and not where the client last ran on this
// core itself. Others are heard meanwhile by the loop's descriptors.
#include <sched.h>

#include "base/clock.h"
#include "ipc/spin.h"
#include "local/inside.h"

#define SHORT_US 400u // a pause between two calls up to this lets one look
#define MOST_US  150u // no longer
#define TURNS    64u  // between two looks at the descriptors
#define FROM     8u   // short pauses, before one looks
#define HOPE     16u  // they count up to this, and one look in vain as FROM

static struct sp_local_circuit *only_one(const struct sp_local_loop *loop)
{
    struct sp_link *first = loop->awake.next;
    return first != &loop->awake && first == loop->awake.previous
               ? SP_ENTRY(first, struct sp_local_circuit, awake)
               : NULL;
}

void sp_local_note_pause(struct sp_local_loop *loop)
{
    const struct sp_local_circuit *circuit = only_one(loop);
    const bool alone = circuit != NULL && circuit->connection->calls <= 1;
    if (alone && loop->idle_since == 0) {
        return;
    }
    const uint64_t pause = sp_clock_ticks() - loop->idle_since;
    if (!alone || pause >= SHORT_US * sp_clock_ticks_per_us()) {
        loop->short_pauses = 0; // who has several under way has no pauses
    } else if (loop->short_pauses < HOPE) {
        loop->short_pauses++;
    }
    loop->idle_since = 0;
}

static bool is_elsewhere(const struct sp_local_circuit *circuit)
{
    return atomic_load_explicit(&circuit->view.header->host_cpu,
                                memory_order_relaxed) != (uint32_t)sched_getcpu();
}

static bool look_until(const struct sp_local_circuit *circuit, uint64_t end)
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
    const struct sp_local_circuit *circuit = only_one(loop);
    if (circuit == NULL || circuit->connection->why != NULL ||
        circuit->connection->calls > 0 || loop->idle_since != 0) {
        return false;
    }
    loop->idle_since = sp_clock_ticks();
    if (loop->short_pauses < FROM || !is_elsewhere(circuit) || !sp_spin_begin()) {
        return false;
    }
    const uint64_t end = loop->idle_since + MOST_US * sp_clock_ticks_per_us();
    const bool come = look_until(circuit, end);
    sp_spin_end();
    if (!come && sp_clock_ticks() >= end) {
        loop->short_pauses -= FROM;
    }
    return come;
}
