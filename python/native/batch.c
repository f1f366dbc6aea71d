// SPDX-License-Identifier: MIT
// The one thing to know: what is gathered stays QUEUED until the batch begins. So
// nothing that waits for others has begun: it can be taken back, and what a worker that
// dies has gathered goes back to the line.
#include "batch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define NAP_US 50u // between two looks at the ring

// ---- What belongs together ----------------------------------------------------

// A call that may have been taken by another executor meanwhile, whose slot the host
// writes anew: what was read counts only if the ring's head has not moved since.
static bool
peek_request(struct sp_runtime *runtime, uint32_t id, struct sp_slot_request *request)
{
    if (id >= runtime->view.shape.slots) {
        return false;
    }
    const struct sp_slot_request *shared = &runtime->view.slots[id].request;
    request->name = __atomic_load_n(&shared->name, __ATOMIC_RELAXED);
    request->name_size = __atomic_load_n(&shared->name_size, __ATOMIC_RELAXED);
    request->session_size = __atomic_load_n(&shared->session_size, __ATOMIC_RELAXED);
    request->deadline = __atomic_load_n(&shared->deadline, __ATOMIC_RELAXED);
    request->kind = __atomic_load_n(&shared->kind, __ATOMIC_RELAXED);
    uint64_t total = runtime->requests.size;
    return request->kind == SP_CALL_TOOL && request->session_size == 0 &&
           request->name_size <= SP_TOOL_NAME_MAX && request->name <= total &&
           request->name_size <= total - request->name;
}

static const struct sp_tool *tool_of(struct sp_runtime *runtime,
                                     const struct sp_slot_request *request)
{
    const uint8_t *name = runtime->requests.base + request->name;
    return sp_tools_find(&runtime->tools, name, request->name_size);
}

static bool is_of(struct sp_runtime *runtime,
                  const struct sp_slot_request *request,
                  const struct sp_tool *tool)
{
    return request->name_size == tool->size &&
           memcmp(runtime->requests.base + request->name, tool->name, tool->size) == 0;
}

// ---- Gathering ----------------------------------------------------------------

// What is gathered now.
struct gathering {
    struct sp_runtime *runtime;
    struct sp_batch *batch;
    const struct sp_tool *tool;
    uint64_t until; // when it waits no more; 0: it does not wait
};

enum found { FOUND_NOTHING, FOUND_ANOTHER, FOUND_ONE };

// No call waits for others for longer than half of the time that is left for it.
static void limit_wait(struct gathering *gathering, uint64_t deadline)
{
    uint64_t now = sp_clock_now();
    uint64_t left = deadline > now ? deadline - now : 0;
    if (now + left / 2 < gathering->until) {
        gathering->until = now + left / 2;
    }
}

static void add(struct gathering *gathering, uint32_t id, uint64_t deadline)
{
    struct sp_batch *batch = gathering->batch;
    batch->taken[batch->taken_count++] = id;
    if (gathering->until != 0) {
        limit_wait(gathering, deadline);
    }
}

// The next number of the ring, if it is one of the same tool. Another one stays there:
// whoever comes after this batch takes it, and it is not made to wait for more.
static enum found take_same(struct gathering *gathering)
{
    struct sp_runtime *runtime = gathering->runtime;
    const struct sp_intake *intake = &runtime->intake;
    uint64_t position = atomic_load_explicit(intake->head, memory_order_relaxed);
    struct sp_slot_request request;
    uint32_t id;
    while (sp_ring_peek(intake->cells, intake->mask, position, &id)) {
        uint64_t seen = position;
        bool same = peek_request(runtime, id, &request) &&
                    is_of(runtime, &request, gathering->tool);
        if (same && atomic_compare_exchange_weak_explicit(intake->head,
                                                          &seen,
                                                          position + 1,
                                                          memory_order_acq_rel,
                                                          memory_order_relaxed)) {
            add(gathering, id, request.deadline);
            return FOUND_ONE;
        }
        uint64_t now = atomic_load_explicit(intake->head, memory_order_relaxed);
        if (!same && now == position) {
            return FOUND_ANOTHER;
        }
        position = now;
    }
    return FOUND_NOTHING;
}

// Lets a part of the time pass. False: there is none left, or the worker leaves.
static bool nap(struct gathering *gathering)
{
    uint64_t now = gathering->until == 0 ? 0 : sp_clock_now();
    if (now >= gathering->until ||
        atomic_load_explicit(&gathering->runtime->leaving.begun,
                             memory_order_relaxed)) {
        return false;
    }
    uint64_t left = gathering->until - now;
    uint64_t most = NAP_US * SP_NS_PER_US;
    const struct timespec pause = {.tv_nsec = (long)(left < most ? left : most)};
    Py_BEGIN_ALLOW_THREADS(void) nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS return true;
}

// Meanwhile nobody else is woken for what comes: this executor looks for it.
static void take_more(struct gathering *gathering)
{
    struct sp_batch *batch = gathering->batch;
    enum found found = FOUND_ONE;
    sp_intake_begin_search(&gathering->runtime->intake);
    while (batch->taken_count < gathering->tool->batch.most && found != FOUND_ANOTHER) {
        found = take_same(gathering);
        if (found == FOUND_NOTHING && !nap(gathering)) {
            break;
        }
    }
    sp_intake_end_search(&gathering->runtime->intake);
}

static bool make_room(struct sp_batch *batch, uint32_t room)
{
    if (batch->room >= room) {
        return true;
    }
    struct sp_batch_item *items = calloc(room, sizeof *items);
    uint32_t *taken = calloc(room, sizeof *taken);
    if (items == NULL || taken == NULL) {
        free(items);
        free(taken);
        return false;
    }
    free(batch->items);
    free(batch->taken);
    batch->items = items;
    batch->taken = taken;
    batch->room = room;
    return true;
}

bool sp_batch_gather(struct sp_executor *executor, uint32_t slot)
{
    struct sp_runtime *runtime = executor->runtime;
    struct gathering gathering = {.runtime = runtime, .batch = &executor->batch};
    struct sp_slot_request request;
    if (!peek_request(runtime, slot, &request)) {
        return false;
    }
    gathering.tool = tool_of(runtime, &request);
    if (gathering.tool == NULL || gathering.tool->batch.most < 2 ||
        !make_room(&executor->batch, runtime->tools.widest)) {
        return false;
    }
    uint64_t wait = gathering.tool->batch.wait_us * SP_NS_PER_US;
    gathering.until = wait == 0 ? 0 : sp_clock_now() + wait;
    executor->batch.taken_count = 0;
    add(&gathering, slot, request.deadline);
    take_more(&gathering);
    return executor->batch.taken_count > 1;
}

// ---- A batch ------------------------------------------------------------------

void sp_batch_close(struct sp_batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    batch->count = 0;
    pthread_mutex_unlock(&batch->lock);
}

uint64_t sp_batch_deadline(const struct sp_batch *batch)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t deadline = batch->items[i].request.deadline;
        last = deadline > last ? deadline : last;
    }
    return last;
}

bool sp_batch_runs(const struct sp_executor *executor)
{
    const struct sp_batch *batch = &executor->batch;
    return batch->count > 0 && batch->items[0].request.call == executor->current.call;
}

// ---- Those that are given up --------------------------------------------------

static bool is_given_up(const struct sp_runtime *runtime,
                        const struct sp_batch_item *item)
{
    return sp_slot_is_given_up(&runtime->view.slots[item->slot]);
}

const struct sp_batch_item *sp_batch_speaker(const struct sp_executor *executor)
{
    const struct sp_batch *batch = &executor->batch;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (!is_given_up(executor->runtime, &batch->items[i])) {
            return &batch->items[i];
        }
    }
    return &batch->items[0];
}

// Whether the call is one of the batch; then also what it runs as, or 0.
static bool look_for(const struct sp_runtime *runtime,
                     const struct sp_batch *batch,
                     const struct sp_cancel *cancel,
                     uint64_t *runs_as)
{
    bool is_here = false;
    bool is_wanted = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct sp_batch_item *item = &batch->items[i];
        is_here = is_here || item->request.call == cancel->call;
        is_wanted = is_wanted || !is_given_up(runtime, item);
    }
    *runs_as = !is_here ? cancel->call : is_wanted ? 0 : batch->items[0].request.call;
    return is_here;
}

uint64_t sp_batch_struck(const struct sp_runtime *runtime,
                         const struct sp_cancel *cancel)
{
    uint64_t runs_as = cancel->call;
    bool found = false;
    for (uint32_t i = 0; i < runtime->view.shape.executors && !found; i++) {
        struct sp_batch *batch = &runtime->executors[i].batch;
        pthread_mutex_lock(&batch->lock);
        found = look_for(runtime, batch, cancel, &runs_as);
        pthread_mutex_unlock(&batch->lock);
    }
    return runs_as;
}
