// SPDX-License-Identifier: MIT
#include "remote/circuit.h"

#include <unistd.h>

#include "base/check.h"

#define SLOTS_WANTED 256u

// ---- What the pool wants done ---------------------------------------------------

static bool cancel(void *worker, uint64_t call, uint32_t slot)
{
    struct sp_circuit *circuit = worker;
    return sp_daemon_cancel(circuit->daemon, circuit->number, call, slot);
}

static void let_be(void *worker)
{
    (void)worker; // a daemon serves any number of calls
}

// The daemon sees to it that tools end.
static void leave_stuck(void *worker, bool alone)
{
    (void)worker;
    (void)alone;
}

static void no_checks(void *worker, snakepit_err err, const snakepit_fault *fault)
{
    (void)worker;
    (void)err;
    (void)fault;
}

static void leave_seat(struct sp_circuit *circuit, const struct sp_failure *failure)
{
    sp_pool_seat_died(circuit->pool, circuit->seat, failure);
    circuit->doorbell(circuit->user, circuit->doorbell_fd, false);
    sp_pool_remove_seat(circuit->pool, circuit->seat);
    circuit->seat = NULL;
    circuit->state = SP_CIRCUIT_CLOSED;
}

// After the tick, which still walks along the seats.
static void
note_broken(void *worker, enum sp_death death, const char *why, bool closing)
{
    struct sp_circuit *circuit = worker;
    (void)death;
    (void)why;
    (void)closing;
    circuit->broken = true;
}

static void give_up(struct sp_circuit *circuit)
{
    const struct sp_failure failure = {.err = SNAKEPIT_PROTOCOL, .stage = "running"};
    circuit->broken = false;
    sp_daemon_close_circuit(circuit->daemon, circuit->number);
    leave_seat(circuit, &failure);
}

static const struct sp_pool_orders orders = {.cancel = cancel,
                                             .spent = let_be,
                                             .stuck = leave_stuck,
                                             .checked = no_checks,
                                             .kill = note_broken};

// ---- Its life -------------------------------------------------------------------

static bool is_wanted(const struct sp_circuit *circuit)
{
    struct sp_pool_view view;
    sp_pool_look(circuit->pool, &view, NULL);
    return view.waiting > 0;
}

bool sp_circuit_tick(struct sp_circuit *circuit, uint64_t now)
{
    bool again = sp_pool_tick(circuit->pool, now, &orders);
    if (circuit->broken) {
        give_up(circuit);
    }
    if (circuit->state != SP_CIRCUIT_CLOSED || !is_wanted(circuit)) {
        return again;
    }
    if (sp_daemon_open_circuit(circuit->daemon,
                               sp_pool_name(circuit->pool),
                               &sp_pool_store(circuit->pool)->segment,
                               SLOTS_WANTED,
                               &circuit->number)) {
        circuit->state = SP_CIRCUIT_OPENING;
    }
    return true;
}

void sp_circuit_opened(struct sp_circuit *circuit, struct sp_port_parts parts)
{
    struct sp_port *port;
    parts.requests_size = sp_pool_store(circuit->pool)->segment.size;
    circuit->doorbell_fd = parts.doorbell;
    snakepit_err err = sp_port_open(&parts, &port, NULL);
    if (err == SNAKEPIT_OK) {
        const struct sp_seat_terms terms = {
            .port = port, .worker = circuit, .worker_id = circuit->number};
        err = sp_pool_add_seat(circuit->pool, &terms, &circuit->seat);
        sp_port_unref(port);
    }
    if (err != SNAKEPIT_OK) {
        sp_daemon_close_circuit(circuit->daemon, circuit->number);
        sp_circuit_unopened(circuit, err, "its shared memory cannot be used");
        return;
    }
    circuit->state = SP_CIRCUIT_OPEN;
    circuit->doorbell(circuit->user, circuit->doorbell_fd, true);
    if (sp_daemon_is_leaving(circuit->daemon)) {
        sp_circuit_leave(circuit);
    } else {
        sp_pool_set_state(circuit->pool, SP_POOL_READY, NULL);
    }
}

void sp_circuit_unopened(struct sp_circuit *circuit, snakepit_err err, const char *why)
{
    SP_CHECK(circuit->state == SP_CIRCUIT_OPENING);
    circuit->state = SP_CIRCUIT_CLOSED;
    sp_pool_fail_waiting(circuit->pool, err, why); // the next call asks once more
}

void sp_circuit_leave(struct sp_circuit *circuit)
{
    sp_pool_set_daemon(circuit->pool, false);
    if (circuit->state == SP_CIRCUIT_OPEN) {
        sp_pool_empty_seat(circuit->pool, circuit->seat);
    }
}

void sp_circuit_lost(struct sp_circuit *circuit, const char *why)
{
    const struct sp_failure failure = {
        .err = SNAKEPIT_DAEMON_LOST, .stage = "running", .cause = why};
    sp_pool_set_daemon(circuit->pool, false);
    if (circuit->state == SP_CIRCUIT_OPEN) {
        leave_seat(circuit, &failure);
    }
    circuit->state = SP_CIRCUIT_CLOSED;
}

void sp_circuit_stop(struct sp_circuit *circuit)
{
    if (circuit->state != SP_CIRCUIT_CLOSED) {
        sp_daemon_close_circuit(circuit->daemon, circuit->number);
    }
    sp_circuit_lost(circuit, "the pit is closing");
    if (!circuit->has_stopped) {
        circuit->has_stopped = true;
        circuit->stopped(circuit->user);
    }
}
