// SPDX-License-Identifier: MIT
// What a pool runs as: the profile of its configuration, or, where its interpreter or
// adapter cannot run threads in parallel, as many processes.
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "interpreter/interpreter.h"
#include "pool/supervisor.h"

static void replace_rows(struct sp_supervisor *supervisor, snakepit_worker_info *rows)
{
    pthread_mutex_lock(&supervisor->rows_lock);
    snakepit_worker_info *old = supervisor->rows;
    supervisor->rows = rows;
    supervisor->row_count = 0;
    pthread_mutex_unlock(&supervisor->rows_lock);
    sp_free(old);
}

snakepit_err sp_supervisor_set_profile(struct sp_supervisor *supervisor,
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
            .user = &supervisor->pool_config->adapter_env,
            .inherited = environ,
        };
        err = sp_interpreter_thread_env(&wanted, &environment);
    }
    if (err != SNAKEPIT_OK) {
        sp_free(posts);
        sp_free(rows);
        return err;
    }
    replace_rows(supervisor, rows);
    sp_free(supervisor->posts);
    sp_interpreter_free_env(supervisor->environment);
    supervisor->environment = environment;
    supervisor->posts = posts;
    supervisor->profile = profile;
    supervisor->size = size;
    supervisor->threads = threads;
    for (uint32_t i = 0; i < size; i++) {
        posts[i].supervisor = supervisor;
    }
    sp_pool_set_shape(supervisor->pool, sp_profile_name(profile), size, threads);
    return SNAKEPIT_OK;
}

// ---- Falling back -------------------------------------------------------------

// Calls that run are let finish, for nothing is wrong with them. What has no time limit
// of its own gets this one.
#define LEAVE_MOST_MS 30000u
#define LOOK_EVERY_MS 20u

static bool is_busy(struct sp_supervisor *supervisor, const struct sp_worker *worker)
{
    return worker != NULL && worker->seat != NULL &&
           sp_clock_now() < supervisor->leave_at &&
           sp_pool_seat_is_busy(supervisor->pool, worker->seat);
}

static void let_leave(struct sp_timer *timer)
{
    struct sp_supervisor *supervisor = timer->user;
    bool busy = false;
    for (uint32_t i = 0; i < supervisor->size; i++) {
        struct sp_post *post = &supervisor->posts[i];
        if (is_busy(supervisor, post->worker)) {
            sp_pool_close_seat(supervisor->pool, post->worker->seat);
            busy = true;
        } else {
            sp_supervisor_dismiss(supervisor, post);
        }
    }
    sp_supervisor_publish(supervisor);
    if (busy) {
        sp_timer_start(supervisor->loop, timer, let_leave, LOOK_EVERY_MS, 0);
    }
}

static void leave_when_done(struct sp_supervisor *supervisor)
{
    uint32_t limit = supervisor->pool_config->call_timeout_ms;
    uint64_t most = limit > 0 ? limit : LEAVE_MOST_MS;
    supervisor->falling_back = true;
    supervisor->leave_at = sp_clock_now() + most * SP_NS_PER_MS;
    let_leave(&supervisor->timer);
}

void sp_supervisor_begin_fallback(struct sp_supervisor *supervisor,
                                  const struct sp_worker *worker,
                                  const char *why)
{
    const struct sp_pool_config *config = supervisor->pool_config;
    bool interpreters = !worker->info.free_threaded;
    if (supervisor->pool_config->on_unsupported == SP_UNSUPPORTED_REFUSE) {
        char text[800];
        (void)snprintf(
            text,
            sizeof text,
            "%.200s: pool %.100s: %s: %.250s cannot run the thread profile: %s "
            "(on_unsupported: refuse)",
            supervisor->config->file,
            config->name,
            interpreters ? "python" : "adapter",
            interpreters ? config->python : config->adapter,
            why);
        sp_supervisor_fail(supervisor, text);
        return;
    }
    sp_log(supervisor->log,
           SP_LOG_WARNING,
           "pool.fallback",
           "pool=%s to=process workers=%u because=\"%s\"",
           supervisor->pool_config->name,
           supervisor->size * supervisor->threads,
           why);
    leave_when_done(supervisor);
}

void sp_supervisor_end_fallback(struct sp_supervisor *supervisor)
{
    supervisor->falling_back = false;
    sp_timer_stop(&supervisor->timer);
    uint32_t size = supervisor->size * supervisor->threads;
    if (sp_supervisor_set_profile(supervisor, SP_PROFILE_PROCESS, size, 1) !=
        SNAKEPIT_OK) {
        sp_supervisor_fail(supervisor, "memory is exhausted");
        return;
    }
    sp_supervisor_start_more(supervisor);
}

const char *sp_supervisor_unsupported(const struct sp_supervisor *supervisor,
                                      const struct sp_worker *worker)
{
    if (supervisor->profile != SP_PROFILE_THREAD) {
        return NULL;
    }
    bool allowed = supervisor->pool_config->on_unsupported == SP_UNSUPPORTED_ALLOW;
    if (worker->info.gil_enabled && !allowed) {
        return worker->info.free_threaded
                   ? "an import has switched the GIL back on"
                   : "the interpreter is not a free-threaded build";
    }
    return worker->info.thread_safe ? NULL
                                    : "the adapter says that it is not thread-safe";
}

// ---- Taking turns -------------------------------------------------------------

void sp_supervisor_note_gil(struct sp_supervisor *supervisor,
                            const struct sp_worker *worker)
{
    if (supervisor->profile != SP_PROFILE_THREAD || !worker->info.gil_enabled ||
        supervisor->gil_told) {
        return;
    }
    supervisor->gil_told = true;
    sp_log(supervisor->log,
           SP_LOG_WARNING,
           "pool.gil",
           "pool=%s because=\"threads take turns under the GIL, which the pool's "
           "on_unsupported allows\"",
           supervisor->pool_config->name);
    sp_pool_set_shape(
        supervisor->pool, "thread (GIL)", supervisor->size, supervisor->threads);
}

void sp_supervisor_gil_is_back(struct sp_supervisor *supervisor,
                               const struct sp_worker *worker)
{
    const char *why = sp_supervisor_unsupported(supervisor, worker);
    if (why != NULL) {
        sp_supervisor_begin_fallback(supervisor, worker, why);
    } else {
        sp_supervisor_note_gil(supervisor, worker);
    }
}
