// SPDX-License-Identifier: MIT
#include "current.h"

#include "base/probes.h"
#include "cancel.h"

void sp_current_begin(struct sp_executor *executor,
                      uint32_t id,
                      const struct sp_slot_request *request,
                      uint64_t now)
{
    struct sp_current *current = &executor->current;
    current->slot = id;
    current->deadline = request->deadline;
    current->name = executor->runtime->requests.base + request->name;
    current->name_size = request->name_size;
    current->session_size = request->session_size;
    current->trace_size = request->trace_size;
    current->call = request->call;
    current->stopped = false;
    atomic_store_explicit(&current->mark, request->call, memory_order_release);
    struct sp_stamp *stamp = &executor->runtime->view.stamps[executor->index];
    atomic_store_explicit(&stamp->since, now, memory_order_relaxed);
    atomic_store_explicit(&stamp->call, request->call, memory_order_release);
    SP_PROBE2(call_started, request->call, executor->index);
}

void sp_current_end(struct sp_executor *executor)
{
    struct sp_current *current = &executor->current;
    sp_cancel_shield(executor);
    current->call = 0;
    struct sp_stamp *stamp = &executor->runtime->view.stamps[executor->index];
    atomic_store_explicit(&stamp->call, 0, memory_order_release);
}

struct sp_aside sp_current_put_aside(struct sp_executor *executor)
{
    const struct sp_current *current = &executor->current;
    const struct sp_stamp *stamp = &executor->runtime->view.stamps[executor->index];
    struct sp_aside aside = {
        .call = current->call,
        .since = atomic_load_explicit(&stamp->since, memory_order_relaxed),
        .slot = current->slot,
        .deadline = current->deadline,
        .name = current->name,
        .name_size = current->name_size,
        .session_size = current->session_size,
        .trace_size = current->trace_size,
        .shielded = atomic_load(&current->mark) == 0,
        .shapes = executor->shapes,
    };
    executor->shapes = NULL;
    // A cancel of this call must not hit the other one. It is not lost: the cancel word
    // tells.
    sp_cancel_shield(executor);
    aside.stopped = current->stopped;
    return aside;
}

void sp_current_take_up(struct sp_executor *executor, const struct sp_aside *aside)
{
    struct sp_current *current = &executor->current;
    current->slot = aside->slot;
    current->deadline = aside->deadline;
    current->name = aside->name;
    current->name_size = aside->name_size;
    current->session_size = aside->session_size;
    current->trace_size = aside->trace_size;
    current->call = aside->call;
    current->stopped = aside->stopped;
    Py_XSETREF(executor->shapes, aside->shapes);
    atomic_store_explicit(
        &current->mark, aside->shielded ? 0 : aside->call, memory_order_release);
    struct sp_stamp *stamp = &executor->runtime->view.stamps[executor->index];
    atomic_store_explicit(&stamp->since, aside->since, memory_order_relaxed);
    atomic_store_explicit(&stamp->call, aside->call, memory_order_release);
}
