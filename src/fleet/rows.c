// SPDX-License-Identifier: MIT
// What other threads may see of the workers there are, and may want of them: a copy,
// under a lock of its own.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fleet/inside.h"

void sp_fleet_replace_rows(struct sp_fleet *fleet,
                           struct sp_fleet_row *rows,
                           size_t count)
{
    pthread_mutex_lock(&fleet->rows_lock);
    struct sp_fleet_row *old = fleet->rows;
    for (size_t i = 0; i < fleet->row_count && i < count; i++) {
        rows[i] = old[i];
    }
    fleet->rows = rows;
    fleet->row_count = count;
    fleet->fewest = fleet->plan.least;
    fleet->most = fleet->plan.size;
    pthread_mutex_unlock(&fleet->rows_lock);
    sp_free(old);
}

const char *sp_fleet_keep(struct sp_fleet *fleet, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    for (const struct sp_kept *kept = fleet->kept; kept != NULL; kept = kept->next) {
        if (strcmp(kept->text, text) == 0) {
            return kept->text;
        }
    }
    size_t size = strlen(text) + 1;
    struct sp_kept *made = sp_alloc(sizeof *made + size);
    if (made == NULL) {
        return NULL;
    }
    memcpy(made->text, text, size);
    made->next = fleet->kept;
    fleet->kept = made;
    return made->text;
}

void sp_fleet_free_kept(struct sp_fleet *fleet)
{
    while (fleet->kept != NULL) {
        struct sp_kept *next = fleet->kept->next;
        sp_free(fleet->kept);
        fleet->kept = next;
    }
}

// As it has said; NULL: it has not.
static const char *python_of(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    const char *version = worker->info.python;
    return version[0] == '\0' ? NULL : sp_fleet_keep(fleet, version);
}

static struct sp_fleet_row row_of(struct sp_fleet *fleet, uint32_t place)
{
    const struct sp_occupant *occupant = fleet->occupants[place];
    const struct sp_worker *worker = occupant->worker;
    const struct sp_fleet_row *old = &fleet->rows[place];
    if (worker == NULL || !worker->child.born) {
        return (struct sp_fleet_row){.recycle = false};
    }
    return (struct sp_fleet_row){
        .info = {.id = worker->options.id,
                 .pid = worker->child.process.pid,
                 .state = sp_worker_state_name(worker->state),
                 .capacity = worker->options.shape.executors,
                 .device = occupant->device,
                 .isolated = fleet->plan.places[place].isolated,
                 .health = sp_health_status(&occupant->health),
                 .rss_bytes = occupant->figures.memory,
                 .pss_bytes = occupant->figures.share,
                 .threads = occupant->figures.threads,
                 .python = python_of(fleet, worker)},
        .started_at = worker->child.started_at,
        .forked = worker->forked,
        .recycle = old->recycle && old->info.id == worker->options.id,
        .health = occupant->health,
        .port = worker->port,
        .worker = occupant->worker,
    };
}

// By now there may be fewer places.
void sp_fleet_publish(struct sp_fleet *fleet, uint32_t place)
{
    pthread_mutex_lock(&fleet->rows_lock);
    if (place < fleet->row_count) {
        fleet->rows[place] = row_of(fleet, place);
    }
    pthread_mutex_unlock(&fleet->rows_lock);
}

void sp_fleet_publish_all(struct sp_fleet *fleet)
{
    pthread_mutex_lock(&fleet->rows_lock);
    for (uint32_t i = 0; i < fleet->row_count; i++) {
        fleet->rows[i] = row_of(fleet, i);
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    sp_fleet_publish_pool(fleet);
}

void sp_fleet_publish_pool(struct sp_fleet *fleet)
{
    pthread_mutex_lock(&fleet->rows_lock);
    fleet->fewest = fleet->plan.least;
    fleet->most = fleet->plan.size;
    fleet->code.fails = !fleet->code.known && fleet->plan.restart.failures > 0;
    fleet->outdated = sp_fleet_outdated(&fleet->plan);
    pthread_mutex_unlock(&fleet->rows_lock);
}

uint32_t sp_fleet_outdated_now(struct sp_fleet *fleet)
{
    pthread_mutex_lock(&fleet->rows_lock);
    uint32_t outdated = fleet->outdated;
    pthread_mutex_unlock(&fleet->rows_lock);
    return outdated;
}

bool sp_fleet_ask_to_resize(struct sp_fleet *fleet, uint32_t workers)
{
    pthread_mutex_lock(&fleet->rows_lock);
    bool fits = workers >= fleet->fewest && workers <= fleet->most;
    if (fits) {
        fleet->wanted = workers;
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return fits;
}

uint32_t sp_fleet_take_size(struct sp_fleet *fleet)
{
    pthread_mutex_lock(&fleet->rows_lock);
    uint32_t wanted = fleet->wanted;
    fleet->wanted = 0;
    pthread_mutex_unlock(&fleet->rows_lock);
    return wanted;
}

size_t sp_fleet_workers(struct sp_fleet *fleet, sp_worker_row_fn *take, void *user)
{
    size_t count = 0;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count; i++) {
        snakepit_worker_info row = fleet->rows[i].info;
        if (row.id != 0) {
            struct sp_worker_load load = sp_pool_load_of(fleet->options.pool, row.id);
            row.load = load.calls;
            row.stuck = load.stuck;
            row.calls = load.handed;
            row.age_ms = (sp_clock_now() - fleet->rows[i].started_at) / SP_NS_PER_MS;
            take(user, count++, &row);
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return count;
}

bool sp_fleet_output(struct sp_fleet *fleet,
                     uint64_t worker,
                     struct sp_worker_output *output)
{
    bool found = false;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count && !found; i++) {
        found = worker != 0 && fleet->rows[i].info.id == worker;
        for (size_t of = 0; of < 2 && found; of++) {
            sp_output_tail(&fleet->rows[i].worker->child.flow.outputs[of],
                           output->text[of],
                           sizeof output->text[of]);
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return found;
}

struct sp_fleet_memory sp_fleet_memory_now(struct sp_fleet *fleet)
{
    struct sp_fleet_memory memory = {.total = 0};
    uint32_t known = 0;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count; i++) {
        const snakepit_worker_info *row = &fleet->rows[i].info;
        const uint64_t its = row->pss_bytes != 0 ? row->pss_bytes : row->rss_bytes;
        memory.processes += row->id != 0;
        memory.forked += row->id != 0 && fleet->rows[i].forked;
        known += its != 0;
        memory.total += its;
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    memory.each = known == 0 ? 0 : memory.total / known;
    return memory;
}

static enum sp_workers_state state_of(const snakepit_worker_info *row)
{
    static const enum sp_workers_state lives[SP_WORKER_STATES] = {
        [SP_WORKER_STARTING] = SP_WORKERS_STARTING,
        [SP_WORKER_READY] = SP_WORKERS_READY,
        [SP_WORKER_DRAINING] = SP_WORKERS_DRAINING,
        [SP_WORKER_STOPPING] = SP_WORKERS_STOPPING,
        [SP_WORKER_DEAD] = SP_WORKERS_STOPPING};
    uint32_t state = 0;
    while (state + 1 < SP_WORKER_STATES &&
           row->state != sp_worker_state_name((enum sp_worker_state)state)) {
        state++;
    }
    return lives[state];
}

static int compare_starts(const void *a, const void *b)
{
    const uint64_t one = *(const uint64_t *)a;
    const uint64_t other = *(const uint64_t *)b;
    return one < other ? -1 : one > other;
}

// `starts` are those of all workers.
static void tell_ages(uint64_t *starts, uint32_t count, struct sp_worker_lives *lives)
{
    const uint64_t now = sp_clock_now();
    if (count > 0) {
        qsort(starts, count, sizeof *starts, compare_starts);
        lives->oldest_ms = (now - starts[0]) / SP_NS_PER_MS;
        lives->median_ms = (now - starts[count / 2]) / SP_NS_PER_MS;
    }
}

snakepit_err sp_fleet_lives(struct sp_fleet *fleet, struct sp_worker_lives *lives)
{
    uint32_t count = 0;
    *lives = (struct sp_worker_lives){.forked = 0};
    pthread_mutex_lock(&fleet->rows_lock);
    uint64_t *starts = sp_alloc_array(fleet->row_count + 1, sizeof *starts);
    for (size_t i = 0; starts != NULL && i < fleet->row_count; i++) {
        const struct sp_fleet_row *row = &fleet->rows[i];
        if (row->info.id != 0) {
            starts[count++] = row->started_at;
            lives->lives[state_of(&row->info)]++;
            lives->forked += row->forked;
            lives->threads += row->info.threads;
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    if (starts != NULL) {
        tell_ages(starts, count, lives);
    }
    sp_free(starts);
    return starts == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

bool sp_fleet_health(struct sp_fleet *fleet, uint64_t worker, snakepit_health *health)
{
    bool found = false;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count && !found && worker != 0; i++) {
        const struct sp_health *known = &fleet->rows[i].health;
        found = fleet->rows[i].info.id == worker;
        if (found) {
            *health = (snakepit_health){.status = sp_health_status(known),
                                        .checks = known->checks,
                                        .failures = known->failures,
                                        .consecutive_failures = known->failed};
            health->checked_ms =
                known->ended_at == 0
                    ? 0
                    : (sp_clock_now() - known->ended_at) / SP_NS_PER_MS;
            memcpy(health->message, known->message, sizeof health->message);
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return found;
}

bool sp_fleet_ask_to_recycle(struct sp_fleet *fleet, uint64_t worker)
{
    bool found = worker == 0;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count; i++) {
        struct sp_fleet_row *row = &fleet->rows[i];
        if (row->info.id != 0 && (worker == 0 || row->info.id == worker)) {
            row->recycle = true;
            found = true;
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return found;
}

bool sp_fleet_take_wish(struct sp_fleet *fleet, uint32_t place)
{
    pthread_mutex_lock(&fleet->rows_lock);
    bool wanted = place < fleet->row_count && fleet->rows[place].recycle;
    if (wanted) {
        fleet->rows[place].recycle = false;
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return wanted;
}
