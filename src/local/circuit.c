// SPDX-License-Identifier: MIT
// A circuit from its opening on, and how its memory is checked and made.
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/memory.h"
#include "base/system.h"
#include "local/inside.h"

// ---- Opening ----------------------------------------------------------------------

// A memfd of tmpfs: what lies in huge pages may not be there when it is read, and that
// would end the daemon. sp_segment_attach() looks at the seals.
static bool is_plain_memory(int fd)
{
    struct statfs of;
    return fstatfs(fd, &of) == 0 && of.f_type == TMPFS_MAGIC;
}

static snakepit_err attach_requests(struct sp_local_circuit *circuit,
                                    const struct sp_local_open *open,
                                    int memory,
                                    snakepit_message *why)
{
    struct sp_local_connection *connection = circuit->connection;
    if (open->requests_size == 0 || open->requests_size > SP_LOCAL_REQUESTS_MOST) {
        return SNAKEPIT_PROTOCOL;
    }
    if (open->requests_size > SP_LOCAL_REQUESTS_MOST - connection->shown) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the requests of one connection may take %llu bytes of memory "
                       "together; ask for less",
                       (unsigned long long)SP_LOCAL_REQUESTS_MOST);
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err =
        is_plain_memory(memory)
            ? sp_segment_attach(
                  &circuit->requests, memory, open->requests_size, false, why)
            : SNAKEPIT_PROTOCOL;
    // Not to have the memory mapped is ours, all the rest is the client's.
    if (err == SNAKEPIT_SYSTEM && errno != ENOMEM) {
        err = SNAKEPIT_PROTOCOL;
    }
    if (err == SNAKEPIT_OK) {
        connection->shown += open->requests_size;
    }
    return err;
}

static uint32_t slots_for(uint32_t wanted)
{
    uint32_t slots = 1;
    while (slots < wanted && slots < SP_LOCAL_SLOTS_MOST) {
        slots *= 2;
    }
    return slots;
}

static snakepit_err
make_memory(struct sp_local_circuit *circuit, uint32_t wanted, snakepit_message *why)
{
    const uint32_t slots = slots_for(wanted);
    const struct sp_control_shape shape = {.slots = slots,
                                           .executors = slots,
                                           .leases = SP_LOCAL_LEASES,
                                           .epoch = circuit->number,
                                           .requests_size = circuit->requests.size,
                                           .results_size = SP_LOCAL_RESULTS};
    snakepit_err err =
        sp_control_create(&circuit->control, &shape, &circuit->view, why);
    if (err == SNAKEPIT_OK) {
        err = sp_segment_create(
            &circuit->results, SP_SEGMENT_NAMES "answers", SP_LOCAL_RESULTS, true, why);
    }
    if (err == SNAKEPIT_OK) {
        err = sp_arena_init(&circuit->arena,
                            circuit->results.base,
                            (uint64_t)shape.slots * SP_INLINE_RESULT,
                            SP_LOCAL_RESULTS);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    circuit->leases = sp_alloc_array(SP_LOCAL_LEASES, sizeof *circuit->leases);
    circuit->calls = sp_alloc_array(shape.slots, sizeof *circuit->calls);
    return circuit->leases != NULL && circuit->calls != NULL ? SNAKEPIT_OK
                                                             : SNAKEPIT_NO_MEMORY;
}

static void on_rung(struct sp_watch *watch)
{
    sp_local_circuit_wake(watch->user);
}

static snakepit_err make_bells(struct sp_local_circuit *circuit, snakepit_message *why)
{
    int ends[2];
    circuit->bell = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (circuit->bell < 0) {
        return sp_system_failed(why, "eventfd", NULL, "for a client");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return sp_system_failed(why, "socketpair", NULL, "for a client");
    }
    circuit->doorbell = ends[0];
    circuit->heard = ends[1];
    circuit->rung.user = circuit;
    circuit->rung.ready = on_rung;
    return sp_watch_start_for(&circuit->rung,
                              &circuit->loop->serve->loop,
                              circuit->bell,
                              SP_WATCH_READ | SP_WATCH_EDGE,
                              why);
}

// Tells the client, whose all of it is then.
static snakepit_err tell(struct sp_local_circuit *circuit, snakepit_message *why)
{
    int results = -1;
    snakepit_err err = sp_segment_read_only_fd(&circuit->results, &results, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const struct sp_local_opened opened = {.circuit = circuit->number,
                                           .control_size = circuit->control.size,
                                           .results_size = circuit->results.size};
    const int descriptors[SP_LOCAL_FDS] = {
        [SP_LOCAL_FD_CONTROL] = circuit->control.fd,
        [SP_LOCAL_FD_RESULTS] = results,
        [SP_LOCAL_FD_BELL] = circuit->bell,
        [SP_LOCAL_FD_DOORBELL] = circuit->heard,
    };
    err = sp_channel_send_with(circuit->connection->watch.fd,
                               SP_LOCAL_OPENED,
                               &opened,
                               sizeof opened,
                               descriptors,
                               SP_LOCAL_FDS);
    if (err != SNAKEPIT_OK) {
        err = sp_system_failed(why, "sendmsg", NULL, "to a client");
    }
    (void)close(results);
    sp_segment_close_fd(&circuit->results);
    sp_segment_close_fd(&circuit->control);
    return err;
}

static struct sp_local_circuit *new_circuit(struct sp_local_connection *connection,
                                            const struct sp_local_open *open,
                                            const char *name)
{
    struct sp_local_circuit *circuit = sp_alloc(sizeof *circuit);
    if (circuit == NULL) {
        return NULL;
    }
    circuit->memory = -1;
    circuit->requests.fd = -1;
    circuit->control.fd = -1;
    circuit->results.fd = -1;
    circuit->bell = -1;
    circuit->doorbell = -1;
    circuit->heard = -1;
    circuit->refs = 1;
    circuit->connection = connection;
    circuit->loop = connection->loop;
    circuit->local = connection->loop->local;
    circuit->user = connection->user;
    circuit->pit = connection->loop->serve->options->pit;
    circuit->budget = connection->loop->serve->budget;
    circuit->number = open->circuit;
    sp_list_init(&circuit->stalled);
    sp_list_init(&circuit->asking);
    sp_list_init(&circuit->loans);
    sp_local_user_ref(circuit->local, circuit->user);
    sp_list_append(&connection->circuits, &circuit->link);
    connection->circuit_count++;
    circuit->pool = sp_strdup(name);
    return circuit;
}

// One that has no calls.
static void discard(struct sp_local_circuit *circuit)
{
    sp_local_circuit_unlink(circuit);
    sp_local_circuit_unref(circuit);
}

snakepit_err sp_local_circuit_open(struct sp_local_connection *connection,
                                   const struct sp_local_open *open,
                                   const char *name,
                                   int memory,
                                   snakepit_message *why)
{
    struct sp_local_circuit *circuit = new_circuit(connection, open, name);
    if (circuit == NULL || circuit->pool == NULL) {
        (void)close(memory);
        if (circuit != NULL) {
            discard(circuit);
        }
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = attach_requests(circuit, open, memory, why);
    if (err == SNAKEPIT_OK && sp_local_may_lend(connection)) {
        circuit->memory = memory;
    } else {
        (void)close(memory);
    }
    if (err == SNAKEPIT_OK) {
        err = make_memory(circuit, open->slots, why);
    }
    if (err == SNAKEPIT_OK) {
        err = make_bells(circuit, why);
    }
    for (uint32_t i = 0; err == SNAKEPIT_OK && i < circuit->view.shape.slots; i++) {
        circuit->calls[i].circuit = circuit;
    }
    if (err == SNAKEPIT_OK) {
        err = tell(circuit, why);
    }
    if (err == SNAKEPIT_OK) {
        sp_local_circuit_wake(circuit);
    } else {
        discard(circuit);
    }
    return err;
}

struct sp_local_circuit *
sp_local_circuit_find(const struct sp_local_connection *connection, uint64_t number)
{
    const struct sp_link *list = &connection->circuits;
    for (struct sp_link *link = list->next; link != list; link = link->next) {
        struct sp_local_circuit *circuit =
            SP_ENTRY(link, struct sp_local_circuit, link);
        if (circuit->number == number) {
            return circuit;
        }
    }
    return NULL;
}

// ---- The end ----------------------------------------------------------------------

void sp_local_circuit_unref(struct sp_local_circuit *circuit)
{
    if (--circuit->refs > 0) {
        return;
    }
    // What is not returned counts no longer either.
    for (uint32_t i = 0; circuit->leases != NULL && i < SP_LOCAL_LEASES; i++) {
        sp_local_circuit_end_lease(circuit, i);
    }
    sp_arena_fini(&circuit->arena);
    sp_segment_fini(&circuit->requests);
    sp_segment_fini(&circuit->control);
    sp_segment_fini(&circuit->results);
    sp_descriptor_close(&circuit->bell);
    sp_descriptor_close(&circuit->doorbell);
    sp_descriptor_close(&circuit->heard);
    sp_local_user_unref(circuit->local, circuit->user);
    sp_free(circuit->leases);
    sp_free(circuit->calls);
    sp_free(circuit->pool);
    sp_free(circuit);
}

void sp_local_circuit_unlink(struct sp_local_circuit *circuit)
{
    struct sp_local_connection *connection = circuit->connection;
    sp_watch_stop(&circuit->rung);
    if (sp_link_used(&circuit->awake)) {
        sp_list_remove(&circuit->awake);
    }
    sp_local_loans_leave(circuit);
    sp_list_remove(&circuit->link);
    connection->circuit_count--;
    connection->shown -= circuit->requests.base != NULL ? circuit->requests.size : 0;
    circuit->connection = NULL;
}
