// SPDX-License-Identifier: MIT
// What is lent of the results, by numbers that the client gives back.
#include "ipc/ring.h"
#include "local/inside.h"

void sp_local_circuit_end_lease(struct sp_local_circuit *circuit, uint32_t number)
{
    uint32_t next = number + 1;
    while (next != 0 && circuit->leases[next - 1].bytes != 0) {
        struct sp_local_lease *lease = &circuit->leases[next - 1];
        sp_arena_free(&circuit->arena, lease->offset, lease->bytes);
        sp_budget_give(circuit->budget, lease->bytes);
        next = lease->joined;
        *lease = (struct sp_local_lease){0};
    }
}

void sp_local_circuit_join(struct sp_local_circuit *circuit,
                           uint32_t lease,
                           uint32_t other)
{
    circuit->leases[lease].joined = other + 1;
}

bool sp_local_circuit_collect(struct sp_local_circuit *circuit)
{
    const uint32_t mask = circuit->view.shape.leases - 1;
    uint32_t number;
    uint32_t left = mask + 1;
    while (left-- > 0 &&
           sp_ring_peek(
               circuit->view.result_returns, mask, circuit->returns_head, &number)) {
        circuit->returns_head++;
        if (number > mask || circuit->leases[number].bytes == 0) {
            return false;
        }
        sp_local_circuit_end_lease(circuit, number);
    }
    return true;
}

static bool find_free(struct sp_local_circuit *circuit, uint32_t *number)
{
    for (uint32_t i = 0; i < SP_LOCAL_LEASES; i++) {
        const uint32_t candidate = (circuit->next_lease + i) & (SP_LOCAL_LEASES - 1);
        if (circuit->leases[candidate].bytes == 0) {
            circuit->next_lease = candidate + 1;
            *number = candidate;
            return true;
        }
    }
    return false;
}

snakepit_err sp_local_circuit_lend(struct sp_local_circuit *circuit,
                                   uint64_t bytes,
                                   uint32_t *lease,
                                   uint64_t *offset)
{
    uint32_t number;
    if (!sp_local_circuit_collect(circuit)) {
        sp_local_connection_fail(circuit->connection,
                                 "it returned memory that it did not have");
    }
    if (!find_free(circuit, &number)) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (!sp_budget_take(circuit->budget, bytes)) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (sp_arena_alloc(&circuit->arena, bytes, offset) != SNAKEPIT_OK) {
        sp_budget_give(circuit->budget, bytes);
        return SNAKEPIT_NO_MEMORY;
    }
    circuit->leases[number] =
        (struct sp_local_lease){.offset = *offset, .bytes = bytes};
    *lease = number;
    return SNAKEPIT_OK;
}
