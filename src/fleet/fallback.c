// SPDX-License-Identifier: MIT
// What a pool runs as: the profile of its configuration, or, where its interpreter or
// adapter cannot run threads in parallel, as many processes.
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fleet/fleet.h"
#include "interpreter/interpreter.h"

static void replace_rows(struct sp_fleet *fleet, snakepit_worker_info *rows)
{
    pthread_mutex_lock(&fleet->rows_lock);
    snakepit_worker_info *old = fleet->rows;
    fleet->rows = rows;
    fleet->row_count = 0;
    pthread_mutex_unlock(&fleet->rows_lock);
    sp_free(old);
}

snakepit_err sp_fleet_set_profile(struct sp_fleet *fleet,
                                  enum sp_profile profile,
                                  uint32_t size,
                                  uint32_t threads)
{
    struct sp_post *posts = sp_alloc_array(size, sizeof *posts);
    snakepit_worker_info *rows = sp_alloc_array(size, sizeof *rows);
    char **environment = NULL;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (posts != NULL && rows != NULL) {
        const struct sp_thread_env wanted = {
            .profile = profile,
            .threads_per_worker = threads,
            .cores = sp_config_cores(),
            .user = &fleet->pool_config->adapter_env,
            .inherited = environ,
        };
        err = sp_interpreter_thread_env(&wanted, &environment);
    }
    if (err != SNAKEPIT_OK) {
        sp_free(posts);
        sp_free(rows);
        return err;
    }
    replace_rows(fleet, rows);
    sp_free(fleet->posts);
    sp_interpreter_free_env(fleet->environment);
    fleet->environment = environment;
    fleet->posts = posts;
    fleet->profile = profile;
    fleet->size = size;
    fleet->threads = threads;
    for (uint32_t i = 0; i < size; i++) {
        posts[i].fleet = fleet;
    }
    sp_pool_set_shape(fleet->pool, sp_profile_name(profile), size, threads);
    return SNAKEPIT_OK;
}

// ---- Falling back -------------------------------------------------------------

// Calls that run are let finish, for nothing is wrong with them. What has no time limit
// of its own gets this one.
#define LEAVE_MOST_MS 30000u
#define LOOK_EVERY_MS 20u

static bool is_busy(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    return worker != NULL && worker->seat != NULL && sp_clock_now() < fleet->leave_at &&
           sp_pool_seat_is_busy(fleet->pool, worker->seat);
}

static void let_leave(struct sp_timer *timer)
{
    struct sp_fleet *fleet = timer->user;
    bool busy = false;
    for (uint32_t i = 0; i < fleet->size; i++) {
        struct sp_post *post = &fleet->posts[i];
        if (is_busy(fleet, post->worker)) {
            sp_pool_close_seat(fleet->pool, post->worker->seat);
            busy = true;
        } else {
            sp_fleet_dismiss(fleet, post);
        }
    }
    sp_fleet_publish(fleet);
    if (busy) {
        sp_timer_start(fleet->loop, timer, let_leave, LOOK_EVERY_MS, 0);
    }
}

static void leave_when_done(struct sp_fleet *fleet)
{
    uint32_t limit = fleet->pool_config->call_timeout_ms;
    uint64_t most = limit > 0 ? limit : LEAVE_MOST_MS;
    fleet->falling_back = true;
    fleet->leave_at = sp_clock_now() + most * SP_NS_PER_MS;
    let_leave(&fleet->timer);
}

void sp_fleet_begin_fallback(struct sp_fleet *fleet,
                             const struct sp_worker *worker,
                             const char *why)
{
    const struct sp_pool_config *config = fleet->pool_config;
    bool interpreters = !worker->info.free_threaded;
    if (fleet->pool_config->on_unsupported == SP_UNSUPPORTED_REFUSE) {
        char text[800];
        (void)snprintf(
            text,
            sizeof text,
            "%.200s: pool %.100s: %s: %.250s cannot run the thread profile: %s "
            "(on_unsupported: refuse)",
            fleet->config->file,
            config->name,
            interpreters ? "python" : "adapter",
            interpreters ? config->python : config->adapter,
            why);
        sp_fleet_fail(fleet, text);
        return;
    }
    sp_log(fleet->log,
           SP_LOG_WARNING,
           "pool.fallback",
           "pool=%s to=process workers=%u because=\"%s\"",
           fleet->pool_config->name,
           fleet->size * fleet->threads,
           why);
    leave_when_done(fleet);
}

void sp_fleet_end_fallback(struct sp_fleet *fleet)
{
    fleet->falling_back = false;
    sp_timer_stop(&fleet->timer);
    uint32_t size = fleet->size * fleet->threads;
    if (sp_fleet_set_profile(fleet, SP_PROFILE_PROCESS, size, 1) != SNAKEPIT_OK) {
        sp_fleet_fail(fleet, "memory is exhausted");
        return;
    }
    sp_fleet_start_more(fleet);
}

const char *sp_fleet_unsupported(const struct sp_fleet *fleet,
                                 const struct sp_worker *worker)
{
    if (fleet->profile != SP_PROFILE_THREAD) {
        return NULL;
    }
    bool allowed = fleet->pool_config->on_unsupported == SP_UNSUPPORTED_ALLOW;
    if (worker->info.gil_enabled && !allowed) {
        return worker->info.free_threaded
                   ? "an import has switched the GIL back on"
                   : "the interpreter is not a free-threaded build";
    }
    return worker->info.thread_safe ? NULL
                                    : "the adapter says that it is not thread-safe";
}

// ---- Taking turns -------------------------------------------------------------

void sp_fleet_note_gil(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    if (fleet->profile != SP_PROFILE_THREAD || !worker->info.gil_enabled ||
        fleet->gil_told) {
        return;
    }
    fleet->gil_told = true;
    sp_log(fleet->log,
           SP_LOG_WARNING,
           "pool.gil",
           "pool=%s because=\"threads take turns under the GIL, which the pool's "
           "on_unsupported allows\"",
           fleet->pool_config->name);
    sp_pool_set_shape(fleet->pool, "thread (GIL)", fleet->size, fleet->threads);
}

void sp_fleet_gil_is_back(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    const char *why = sp_fleet_unsupported(fleet, worker);
    if (why != NULL) {
        sp_fleet_begin_fallback(fleet, worker, why);
    } else {
        sp_fleet_note_gil(fleet, worker);
    }
}
