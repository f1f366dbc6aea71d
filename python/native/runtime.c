// SPDX-License-Identifier: MIT
// Shared memory from the worker's side: what is mapped, what the results arena has lent
// to the host, and what the host has lent to us.
#include "state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "descriptors.h"
#include "ending.h"
#include "template.h"

// ---- Attach -------------------------------------------------------------------

static int refuse(const char *what)
{
    PyErr_Format(
        PyExc_RuntimeError, "%s; a worker is started by its host, not by hand", what);
    return -1;
}

static int fail_to_map(const snakepit_message *why)
{
    PyErr_SetString(PyExc_MemoryError, why->text);
    return -1;
}

static int map_control(struct sp_runtime *runtime)
{
    struct stat status;
    if (fstat(SP_FD_CONTROL, &status) != 0 || status.st_size <= 0) {
        return refuse("there is no control segment");
    }
    uint64_t size = (uint64_t)status.st_size;
    snakepit_message why;
    snakepit_err err =
        sp_segment_attach(&runtime->control, SP_FD_CONTROL, size, true, &why);
    if (err == SNAKEPIT_SYSTEM) {
        return fail_to_map(&why);
    }
    if (err != SNAKEPIT_OK ||
        sp_control_open(runtime->control.base, size, &runtime->view) != SNAKEPIT_OK) {
        return refuse("the control segment is not one of this version");
    }
    // Each of many workers that start at once would spin to measure it.
    sp_clock_adopt_ticks_per_us(runtime->view.header->ticks_per_us);
    return 0;
}

static int map_payloads(struct sp_runtime *runtime)
{
    const struct sp_control_shape *shape = &runtime->view.shape;
    snakepit_message why;
    snakepit_err err = sp_segment_attach(
        &runtime->requests, SP_FD_REQUESTS, shape->requests_size, false, &why);
    if (err == SNAKEPIT_OK) {
        err = sp_segment_attach(
            &runtime->results, SP_FD_RESULTS, shape->results_size, true, &why);
    }
    if (err == SNAKEPIT_SYSTEM) {
        return fail_to_map(&why);
    }
    if (err != SNAKEPIT_OK) {
        return refuse("the payload segments are missing or too small");
    }
    if (shape->payloads_hidden) {
        sp_segment_hide(&runtime->requests);
        sp_segment_hide(&runtime->results);
    }
    uint64_t inline_areas = (uint64_t)shape->slots * SP_INLINE_RESULT;
    if (sp_arena_init(&runtime->arena,
                      runtime->results.base,
                      inline_areas,
                      shape->results_size) != SNAKEPIT_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// The mappings stay; what remains open must not pass to programs that user code starts.
static void hide_descriptors(void)
{
    close(SP_FD_CONTROL);
    close(SP_FD_REQUESTS);
    close(SP_FD_RESULTS);
    (void)fcntl(SP_FD_CHANNEL, F_SETFD, FD_CLOEXEC);
    (void)fcntl(SP_FD_DOORBELL, F_SETFD, FD_CLOEXEC);
}

static int make_tables(struct sp_runtime *runtime)
{
    const struct sp_control_shape *shape = &runtime->view.shape;
    runtime->leases = calloc(shape->leases, sizeof *runtime->leases);
    runtime->executors = calloc(shape->executors, sizeof *runtime->executors);
    if (runtime->leases == NULL || runtime->executors == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    pthread_mutex_init(&runtime->leases_lock, NULL);
    pthread_mutex_init(&runtime->events_lock, NULL);
    for (uint32_t i = 0; i < shape->executors; i++) {
        runtime->executors[i].runtime = runtime;
        runtime->executors[i].index = i;
    }
    return 0;
}

static void point_intake(struct sp_runtime *runtime)
{
    struct sp_control *header = runtime->view.header;
    runtime->intake = (struct sp_intake){
        .cells = runtime->view.submit,
        .mask = runtime->view.shape.slots - 1,
        .head = &header->submit_head,
        .bell = &header->bell,
        .stop = &header->stop,
        .executors = runtime->view.shape.executors,
    };
}

struct sp_runtime *sp_runtime_attach(struct sp_codec *codec)
{
    static struct sp_runtime runtime;
    if (runtime.codec != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "attach() was called before");
        return NULL;
    }
    sp_ending_follow_host();
    if (map_control(&runtime) != 0 || map_payloads(&runtime) != 0 ||
        make_tables(&runtime) != 0) {
        return NULL;
    }
    hide_descriptors();
    point_intake(&runtime);
    runtime.channel = SP_FD_CHANNEL;
    runtime.doorbell = SP_FD_DOORBELL;
    sp_descriptors_note(&runtime);
    runtime.codec = codec;
    codec->runtime = &runtime;
    return &runtime;
}

// ---- Memory -------------------------------------------------------------------

const uint8_t *sp_runtime_requests(struct sp_runtime *runtime, uint64_t *size)
{
    *size = runtime->requests.size;
    return runtime->requests.base;
}

uint8_t *sp_runtime_results(struct sp_runtime *runtime, uint64_t *size)
{
    *size = runtime->results.size;
    return runtime->results.base;
}

snakepit_err
sp_runtime_alloc(struct sp_runtime *runtime, uint64_t bytes, uint64_t *offset)
{
    sp_runtime_collect(runtime);
    return sp_arena_alloc(&runtime->arena, bytes, offset);
}

void sp_runtime_free(struct sp_runtime *runtime, uint64_t offset, uint64_t bytes)
{
    sp_arena_free(&runtime->arena, offset, bytes);
}

// ---- Leases of results: ours, with the host -----------------------------------

// A lease and all that was joined to it. Guarded by leases_lock.
static void end_leases(struct sp_runtime *runtime, uint32_t number)
{
    uint32_t next = number + 1;
    while (next != 0 && runtime->leases[next - 1].blocks != NULL) {
        struct sp_result_lease *lease = &runtime->leases[next - 1];
        for (uint32_t i = 0; i < lease->count; i++) {
            sp_block_unref(lease->blocks[i]);
        }
        next = lease->joined;
        free((void *)lease->blocks);
        *lease = (struct sp_result_lease){0};
    }
}

void sp_runtime_end_lease(struct sp_runtime *runtime, uint32_t lease)
{
    pthread_mutex_lock(&runtime->leases_lock);
    end_leases(runtime, lease);
    pthread_mutex_unlock(&runtime->leases_lock);
}

void sp_runtime_join_leases(struct sp_runtime *runtime, uint32_t lease, uint32_t other)
{
    pthread_mutex_lock(&runtime->leases_lock);
    runtime->leases[lease].joined = other + 1;
    pthread_mutex_unlock(&runtime->leases_lock);
}

void sp_runtime_collect(struct sp_runtime *runtime)
{
    uint32_t mask = runtime->view.shape.leases - 1;
    uint32_t number;
    pthread_mutex_lock(&runtime->leases_lock);
    while (sp_ring_peek(
        runtime->view.result_returns, mask, runtime->returns_head, &number)) {
        runtime->returns_head++;
        if (number <= mask) {
            end_leases(runtime, number);
        }
    }
    pthread_mutex_unlock(&runtime->leases_lock);
}

void sp_runtime_tidy(struct sp_runtime *runtime)
{
    sp_runtime_collect(runtime);
    sp_arena_tidy(&runtime->arena);
}

static bool find_free_lease(struct sp_runtime *runtime, uint32_t *number)
{
    uint32_t count = runtime->view.shape.leases;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t candidate = (runtime->next_lease + i) & (count - 1);
        if (runtime->leases[candidate].blocks == NULL) {
            runtime->next_lease = candidate + 1;
            *number = candidate;
            return true;
        }
    }
    return false;
}

snakepit_err
sp_runtime_lend(struct sp_runtime *runtime, struct sp_encoder *encoder, uint32_t *lease)
{
    sp_runtime_collect(runtime);
    struct sp_block **blocks =
        (struct sp_block **)malloc(encoder->block_count * sizeof *blocks);
    if (blocks == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy((void *)blocks,
           (const void *)encoder->blocks,
           encoder->block_count * sizeof *blocks);
    pthread_mutex_lock(&runtime->leases_lock);
    bool found = find_free_lease(runtime, lease);
    if (found) {
        runtime->leases[*lease] =
            (struct sp_result_lease){.blocks = blocks, .count = encoder->block_count};
        encoder->block_count = 0;
    }
    pthread_mutex_unlock(&runtime->leases_lock);
    if (!found) {
        free((void *)blocks);
        return SNAKEPIT_NO_MEMORY;
    }
    return SNAKEPIT_OK;
}

// ---- Leases of requests: the host's, with us ----------------------------------

struct sp_lease *sp_lease_new(struct sp_runtime *runtime, uint32_t number)
{
    struct sp_lease *lease = malloc(sizeof *lease);
    if (lease != NULL) {
        *lease = (struct sp_lease){.refs = 1, .number = number, .runtime = runtime};
    }
    return lease;
}

void sp_lease_return(struct sp_runtime *runtime, uint32_t number)
{
    struct sp_control_view *view = &runtime->view;
    uint64_t position =
        atomic_fetch_add_explicit(&view->header->return_tail, 1, memory_order_relaxed);
    sp_ring_put(view->request_returns, view->shape.leases - 1, position, number);
}

void sp_lease_unref(struct sp_lease *lease)
{
    // [lease:last] all reads of the tensors come before the host may reuse them.
    if (atomic_fetch_sub_explicit(&lease->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (lease->number != SP_NO_LEASE) {
        sp_lease_return(lease->runtime, lease->number);
    }
    free(lease);
}
