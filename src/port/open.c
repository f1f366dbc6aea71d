// SPDX-License-Identifier: MIT
// A port is made for a worker that is to be started, or of what a daemon has made.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/system.h"
#include "port/port.h"

static snakepit_err open_segments(struct sp_port *port,
                                  const struct sp_control_shape *shape,
                                  snakepit_message *why)
{
    snakepit_err err = sp_control_create(&port->control, shape, &port->view, why);
    if (err == SNAKEPIT_OK) {
        err = sp_segment_create(&port->results,
                                SP_SEGMENT_NAMES "results",
                                shape->results_size,
                                false,
                                why);
    }
    if (err == SNAKEPIT_OK && shape->payloads_hidden) {
        sp_segment_hide(&port->results);
    }
    if (err == SNAKEPIT_OK) {
        port->doorbell = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        err = port->doorbell < 0
                  ? sp_system_failed(why, "eventfd", NULL, "for a worker's bell")
                  : SNAKEPIT_OK;
    }
    return err;
}

static struct sp_port *new_port(void)
{
    struct sp_port *made = sp_alloc(sizeof *made);
    if (made != NULL) {
        made->refs = 1;
        made->doorbell = -1;
        made->bell = -1;
        made->control.fd = -1;
        made->results.fd = -1;
    }
    return made;
}

static snakepit_err make_slots(struct sp_port *port, uint32_t slots)
{
    port->free_slots = sp_alloc_array(slots, sizeof *port->free_slots);
    port->slots = sp_alloc_array(slots, sizeof *port->slots);
    if (port->free_slots == NULL || port->slots == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < slots; i++) {
        port->free_slots[port->free_count++] = (uint16_t)(slots - 1 - i);
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_port_new(const struct sp_control_shape *shape,
                         struct sp_port **port,
                         snakepit_message *why)
{
    struct sp_port *made = new_port();
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = make_slots(made, shape->slots);
    err = err == SNAKEPIT_OK ? open_segments(made, shape, why) : err;
    if (err != SNAKEPIT_OK) {
        sp_port_unref(made);
        return err;
    }
    *port = made;
    return SNAKEPIT_OK;
}

// The segments stay open as long as they are mapped: their descriptors are the port's.
static snakepit_err attach_segments(struct sp_port *port,
                                    const struct sp_port_parts *parts,
                                    snakepit_message *why)
{
    snakepit_err err = sp_segment_attach(
        &port->control, parts->control, parts->control_size, true, why);
    err = err == SNAKEPIT_OK
              ? sp_segment_attach(
                    &port->results, parts->results, parts->results_size, false, why)
              : err;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    // A forked child has no business there.
    (void)madvise(port->control.base, port->control.size, MADV_DONTFORK);
    (void)madvise(port->results.base, port->results.size, MADV_DONTFORK);
    err = sp_control_open(port->control.base, port->control.size, &port->view);
    return err == SNAKEPIT_OK &&
                   (port->view.shape.results_size != parts->results_size ||
                    port->view.shape.requests_size != parts->requests_size)
               ? SNAKEPIT_PROTOCOL
               : err;
}

void sp_port_parts_close(const struct sp_port_parts *parts)
{
    int fds[] = {parts->control, parts->results, parts->bell, parts->doorbell};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        sp_descriptor_close(&fds[i]);
    }
}

snakepit_err sp_port_open(const struct sp_port_parts *parts,
                          struct sp_port **port,
                          snakepit_message *why)
{
    int control = parts->control;
    int results = parts->results;
    struct sp_port *made = new_port();
    snakepit_err err = made == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
    if (err == SNAKEPIT_OK) {
        made->bell = parts->bell;
        made->doorbell = parts->doorbell;
        err = attach_segments(made, parts, why);
    } else {
        (void)close(parts->bell);
        (void)close(parts->doorbell);
    }
    sp_descriptor_close(&control);
    sp_descriptor_close(&results);
    err = err == SNAKEPIT_OK ? make_slots(made, made->view.shape.slots) : err;
    if (err != SNAKEPIT_OK) {
        if (made != NULL) {
            sp_port_unref(made);
        }
        return err;
    }
    *port = made;
    return SNAKEPIT_OK;
}

void sp_port_ref(struct sp_port *port)
{
    atomic_fetch_add_explicit(&port->refs, 1, memory_order_relaxed);
}

void sp_port_unref(struct sp_port *port)
{
    uint32_t before = atomic_fetch_sub_explicit(&port->refs, 1, memory_order_acq_rel);
    SP_CHECK(before > 0);
    if (before > 1) {
        return;
    }
    sp_segment_fini(&port->results);
    sp_segment_fini(&port->control);
    sp_descriptor_close(&port->doorbell);
    sp_descriptor_close(&port->bell);
    sp_free(port->slots);
    sp_free(port->free_slots);
    sp_free(port);
}
