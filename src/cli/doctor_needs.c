// SPDX-License-Identifier: MIT
// What pools will be and what they want of the machine: counted low, so that whatever
// is over a limit by these numbers is over it.
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "cli/doctor.h"
#include "cli/text.h"

// Descriptors that the host keeps of a worker: channel, stdout, stderr, pidfd, bell.
#define FILES_A_WORKER 5u
#define KIB            UINT64_C(1024)

#define FILES_A_TEMPLATE 4u // no bell
#define FILES_A_POOL     2u // the memory of arguments, for us and for the workers
#define FILES_OF_HOST    20u // standard streams, loop, log; what a start has for a moment

// Threads: main, the one that hears the host, canceller, event loop.
#define TASKS_A_WORKER  4u
#define TASKS_OF_HOST   6u
#define WORKERS_WATCHED 127u // by one thread of the host

static const struct sp_doctor_limit_row rows[] = {
    [SP_DOCTOR_FILES] = {RLIMIT_NOFILE, "open files", "open_files", false},
    [SP_DOCTOR_PROCESSES] = {RLIMIT_NPROC, "processes", "processes", false},
    [SP_DOCTOR_ADDRESSES] = {RLIMIT_AS, "address space", "address_space", true},
    [SP_DOCTOR_FILE_SIZE] = {RLIMIT_FSIZE, "size of a file", "file_size", true},
    [SP_DOCTOR_LOCKED] = {RLIMIT_MEMLOCK, "locked memory", "locked_memory", true},
};

const struct sp_doctor_limit_row *sp_doctor_limit_row(enum sp_doctor_limit limit)
{
    SP_CHECK(limit < SP_DOCTOR_LIMITS);
    return &rows[limit];
}

const char *sp_doctor_size(uint64_t bytes, char room[SP_DOCTOR_AMOUNT_MAX])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    uint64_t tenths = 0;
    if (bytes == SP_DOCTOR_UNLIMITED) {
        return "unlimited";
    }
    while (bytes >= KIB && unit + 1 < sizeof units / sizeof units[0]) {
        tenths = bytes % KIB * 10 / KIB;
        bytes /= KIB;
        unit++;
    }
    if (tenths > 0) {
        return sp_cli_format(room,
                             SP_DOCTOR_AMOUNT_MAX,
                             "%" PRIu64 ".%" PRIu64 " %s",
                             bytes,
                             tenths,
                             units[unit]);
    }
    return sp_cli_format(
        room, SP_DOCTOR_AMOUNT_MAX, "%" PRIu64 " %s", bytes, units[unit]);
}

const char *sp_doctor_amount(enum sp_doctor_limit limit,
                             uint64_t value,
                             char room[SP_DOCTOR_AMOUNT_MAX])
{
    if (sp_doctor_limit_row(limit)->is_bytes || value == SP_DOCTOR_UNLIMITED) {
        return sp_doctor_size(value, room);
    }
    return sp_cli_format(room, SP_DOCTOR_AMOUNT_MAX, "%" PRIu64, value);
}

// ---- What a pool will be ------------------------------------------------------

static bool is_unsafe_by_its_word(const struct sp_doctor_pool *pool)
{
    return pool->adapter.declares && !pool->adapter.thread_safe;
}

static bool can_run_threads(const struct sp_doctor_pool *pool)
{
    bool gil = pool->adapter.outcome == SP_EXAMINED_OK && pool->adapter.gil_enabled;
    return pool->python == NULL || (sp_interpreter_runs_threads(pool->python) && !gil);
}

// As many as the variables allow, where the adapter has imported a library that heeds
// them.
static uint32_t threads_of_libraries(const struct sp_doctor_pool *pool)
{
    bool any = false;
    uint32_t most = 1;
    for (size_t i = 0; i < pool->adapter.library_count; i++) {
        any = any || pool->adapter.libraries[i].has_threads;
    }
    for (size_t i = 0; any && i < SP_THREAD_VARIABLES; i++) {
        most = pool->threads[i] > most ? pool->threads[i] : most;
    }
    return most;
}

void sp_doctor_shape(const struct sp_doctor_pool *pool, struct sp_doctor_shape *shape)
{
    const struct sp_pool_config *config = pool->config;
    bool wants = config->worker_profile == SP_PROFILE_THREAD;
    bool allows = config->on_unsupported == SP_UNSUPPORTED_ALLOW;
    bool refused = is_unsafe_by_its_word(pool) || (!can_run_threads(pool) && !allows);
    *shape = (struct sp_doctor_shape){
        .profile = config->worker_profile,
        .takes_turns = wants && !refused && !can_run_threads(pool),
        .workers = config->pool_size.max,
        .threads = config->threads_per_worker,
        .library_threads = threads_of_libraries(pool),
    };
    if (wants && refused) {
        shape->profile = SP_PROFILE_PROCESS;
        shape->workers = config->pool_size.max * config->threads_per_worker;
        shape->threads = 1;
    }
}

// ---- What it wants ------------------------------------------------------------

// Workers that there may be at the same time, successors included.
static uint64_t most_workers(const struct sp_pool_config *config,
                             const struct sp_doctor_shape *shape)
{
    bool recycles = config->worker_ttl != 0 || config->worker_max_requests != 0 ||
                    config->worker_max_memory != 0;
    uint32_t more = recycles ? config->recycle_at_once : 0;
    return shape->workers + (uint64_t)(more < shape->workers ? more : shape->workers);
}

static bool has_template(const struct sp_pool_config *config,
                         const struct sp_doctor_shape *shape)
{
    return shape->profile == SP_PROFILE_PROCESS && config->template == SP_TEMPLATE_AUTO;
}

static uint64_t tasks_of_worker(const struct sp_doctor_shape *shape)
{
    uint64_t executors = shape->profile == SP_PROFILE_THREAD ? shape->threads : 0;
    return TASKS_A_WORKER + executors +
           (uint64_t)shape->threads * (shape->library_threads - 1);
}

static uint64_t addresses_of_worker(const struct sp_pool_config *config,
                                    const struct sp_doctor_shape *shape)
{
    uint64_t executors = shape->profile == SP_PROFILE_THREAD ? shape->threads : 0;
    return 2 * config->shared_memory_size + executors * config->executor_stack_size;
}

static void raise_to(uint64_t *most, uint64_t value)
{
    *most = value > *most ? value : *most;
}

void sp_doctor_needs(const struct sp_doctor_facts *facts,
                     uint64_t needs[SP_DOCTOR_LIMITS])
{
    uint64_t workers = 0;
    uint64_t of_a_worker = 0;
    memset(needs, 0, SP_DOCTOR_LIMITS * sizeof needs[0]);
    if (facts->config == NULL || !facts->config->pooling_enabled) {
        return;
    }
    needs[SP_DOCTOR_FILES] = FILES_OF_HOST;
    for (size_t i = 0; i < facts->config->count; i++) {
        const struct sp_pool_config *config = facts->pools[i].config;
        struct sp_doctor_shape shape;
        sp_doctor_shape(&facts->pools[i], &shape);
        uint64_t most = most_workers(config, &shape);
        bool template = has_template(config, &shape);
        workers += most;
        needs[SP_DOCTOR_FILES] +=
            most * FILES_A_WORKER + FILES_A_POOL + (template ? FILES_A_TEMPLATE : 0);
        needs[SP_DOCTOR_PROCESSES] += most * tasks_of_worker(&shape) + template;
        needs[SP_DOCTOR_ADDRESSES] += (most + 1) * config->shared_memory_size;
        raise_to(&needs[SP_DOCTOR_FILE_SIZE], config->shared_memory_size);
        raise_to(&of_a_worker, addresses_of_worker(config, &shape));
    }
    needs[SP_DOCTOR_PROCESSES] += TASKS_OF_HOST + workers / WORKERS_WATCHED;
    raise_to(&needs[SP_DOCTOR_ADDRESSES], of_a_worker);
}
