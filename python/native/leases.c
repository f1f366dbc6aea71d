// SPDX-License-Identifier: MIT
// What the results arena has lent to the host, and what the host has lent to us.
#include "state.h"

#include <stdlib.h>
#include <string.h>

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
        if (lease->blocks != &lease->only) {
            free((void *)lease->blocks);
        }
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

// Whether the host has returned another one.
static bool next_return(const struct sp_runtime *runtime, uint32_t *number)
{
    uint64_t head = atomic_load_explicit(&runtime->returns_head, memory_order_relaxed);
    return sp_ring_peek(
        runtime->view.result_returns, runtime->view.shape.leases - 1, head, number);
}

void sp_runtime_collect(struct sp_runtime *runtime)
{
    uint32_t mask = runtime->view.shape.leases - 1;
    uint32_t number;
    if (!next_return(runtime, &number)) {
        return;
    }
    pthread_mutex_lock(&runtime->leases_lock);
    while (next_return(runtime, &number)) {
        atomic_fetch_add_explicit(&runtime->returns_head, 1, memory_order_relaxed);
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
    struct sp_block **blocks = NULL;
    if (encoder->block_count > 1) {
        blocks = (struct sp_block **)malloc(encoder->block_count * sizeof *blocks);
        if (blocks == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        memcpy((void *)blocks,
               (const void *)encoder->blocks,
               encoder->block_count * sizeof *blocks);
    }
    pthread_mutex_lock(&runtime->leases_lock);
    bool found = find_free_lease(runtime, lease);
    if (found) {
        struct sp_result_lease *taken = &runtime->leases[*lease];
        *taken = (struct sp_result_lease){.only = encoder->blocks[0],
                                          .count = encoder->block_count};
        taken->blocks = blocks != NULL ? blocks : &taken->only;
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

// ---- Memory -------------------------------------------------------------------

snakepit_err
sp_runtime_alloc(struct sp_runtime *runtime, uint64_t bytes, uint64_t *offset)
{
    sp_runtime_collect(runtime);
    return sp_arena_alloc(&runtime->arena, bytes, offset);
}
