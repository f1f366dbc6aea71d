// SPDX-License-Identifier: MIT
// What other threads may see of the workers there are: a copy, under a lock of its own.
#include "base/memory.h"
#include "fleet/inside.h"

void sp_fleet_replace_rows(struct sp_fleet *fleet, snakepit_worker_info *rows)
{
    pthread_mutex_lock(&fleet->rows_lock);
    snakepit_worker_info *old = fleet->rows;
    fleet->rows = rows;
    fleet->row_count = 0;
    pthread_mutex_unlock(&fleet->rows_lock);
    sp_free(old);
}

void sp_fleet_publish(struct sp_fleet *fleet)
{
    uint32_t places = fleet->plan.size * SP_PLACES_PER_POST;
    pthread_mutex_lock(&fleet->rows_lock);
    fleet->row_count = 0;
    for (uint32_t i = 0; i < places; i++) {
        const struct sp_worker *worker = fleet->occupants[i].worker;
        if (worker != NULL && worker->child.born) {
            fleet->rows[fleet->row_count++] = (snakepit_worker_info){
                .id = worker->options.id,
                .pid = worker->child.process.pid,
                .state = sp_worker_state_name(worker->state),
                .capacity = worker->options.shape.executors,
            };
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
}

size_t sp_fleet_workers(struct sp_fleet *fleet, sp_worker_row_fn *take, void *user)
{
    pthread_mutex_lock(&fleet->rows_lock);
    size_t count = fleet->row_count;
    for (size_t i = 0; i < count; i++) {
        snakepit_worker_info row = fleet->rows[i];
        row.load = sp_pool_load_of(fleet->options.pool, row.id);
        take(user, i, &row);
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return count;
}
