// SPDX-License-Identifier: MIT
// One post for each worker that the pool should have. A post is filled when it is empty
// and nothing speaks against it: a batch that is still starting, a back-off, a
// fallback, a failure.
#include "pool/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "interpreter/interpreter.h"

#define NO_STORM_NS SP_NS_PER_S // a worker that was ready so long started well
#define NOT_STARTED "no worker could be started"

// ---- State --------------------------------------------------------------------

static void show_state(struct sp_supervisor *supervisor)
{
    sp_supervisor_publish(supervisor);
    if (supervisor->failed || supervisor->stopping) {
        return;
    }
    supervisor->down = supervisor->down && supervisor->ready == 0;
    if (supervisor->ready == supervisor->size) {
        sp_pool_set_state(supervisor->pool, SP_POOL_READY, NULL);
    } else if (supervisor->restart.ever_ready && !supervisor->down) {
        sp_pool_set_state(supervisor->pool, SP_POOL_DEGRADED, NULL);
    }
}

// A worker that is still busy when the pit closes runs a call whose caller has its
// answer already.
static void stop_worker(struct sp_supervisor *supervisor, struct sp_worker *worker)
{
    if (worker->seat != NULL) {
        sp_pool_empty_seat(supervisor->pool, worker->seat);
        if (supervisor->stopping &&
            sp_pool_seat_is_busy(supervisor->pool, worker->seat)) {
            sp_worker_kill(worker, "it was still running a call when the pit closed");
        }
    }
    sp_worker_stop(worker);
}

void sp_supervisor_dismiss(struct sp_supervisor *supervisor, struct sp_post *post)
{
    if (post->worker != NULL) {
        post->dismissed = true;
        stop_worker(supervisor, post->worker);
    }
}

void sp_supervisor_stop_workers(struct sp_supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->size; i++) {
        sp_supervisor_dismiss(supervisor, &supervisor->posts[i]);
    }
    sp_supervisor_publish(supervisor);
}

void sp_supervisor_fail(struct sp_supervisor *supervisor, const char *why)
{
    if (supervisor->failed) {
        return;
    }
    char quoted[SP_LOG_LINE_MAX / 2];
    supervisor->failed = true;
    sp_timer_stop(&supervisor->timer);
    sp_log(supervisor->log,
           SP_LOG_ERROR,
           "pool.failed",
           "pool=%s because=%s",
           supervisor->pool_config->name,
           sp_supervisor_quote_line(why, quoted, sizeof quoted));
    sp_pool_set_state(supervisor->pool, SP_POOL_FAILED, why);
    sp_supervisor_stop_workers(supervisor);
    if (supervisor->template != NULL) {
        sp_template_stop(supervisor->template);
    }
}

// ---- Workers ------------------------------------------------------------------

static struct sp_post *post_of(struct sp_supervisor *supervisor,
                               const struct sp_worker *worker)
{
    uint32_t i = 0;
    while (supervisor->posts[i].worker != worker) {
        i++;
        SP_CHECK(i < supervisor->size);
    }
    return &supervisor->posts[i];
}

// A seat, unless the worker has died in the meantime.
static void seat_worker(struct sp_supervisor *supervisor, struct sp_worker *worker)
{
    struct sp_seat *seat = NULL;
    pthread_mutex_lock(&worker->lost_lock);
    if (!worker->lost &&
        sp_pool_add_seat(
            supervisor->pool, worker->port, worker, worker->options.id, &seat) ==
            SNAKEPIT_OK) {
        worker->seat = seat;
    }
    pthread_mutex_unlock(&worker->lost_lock);
    if (seat == NULL) {
        sp_worker_kill(worker, "memory is exhausted");
    } else {
        supervisor->hooks.doorbell(
            supervisor->hooks.user, worker->port->doorbell, true);
    }
}

static void warn_of_undeclared(struct sp_supervisor *supervisor,
                               const struct sp_worker *worker)
{
    if (supervisor->profile == SP_PROFILE_THREAD && worker->info.undeclared &&
        !supervisor->warned) {
        supervisor->warned = true;
        sp_log(supervisor->log,
               SP_LOG_WARNING,
               "pool.undeclared_adapter",
               "pool=%s adapter=%s remedy=\"__thread_safe__ = True in the class, once "
               "it is\"",
               supervisor->pool_config->name,
               worker->info.adapter);
    }
}

static void worker_born(void *user, struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    (void)worker;
    sp_pool_count_workers(supervisor->pool, 1, 0);
    sp_supervisor_publish(supervisor);
}

static void worker_ready(void *user, struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    const char *why = sp_supervisor_unsupported(supervisor, worker);
    supervisor->starting--;
    if (why != NULL) {
        post_of(supervisor, worker)->ready_at = sp_clock_now();
        if (!supervisor->falling_back) {
            sp_supervisor_begin_fallback(supervisor, worker, why);
        }
        return;
    }
    post_of(supervisor, worker)->ready_at = sp_clock_now();
    post_of(supervisor, worker)->serving = true;
    sp_restart_ready(&supervisor->restart);
    supervisor->ready++;
    sp_supervisor_praise_template(supervisor, worker);
    sp_supervisor_note_gil(supervisor, worker);
    sp_log(supervisor->log,
           SP_LOG_INFO,
           "worker.ready",
           "pool=%s worker=%llu pid=%d python=%s adapter=%s start_ms=%llu",
           supervisor->pool_config->name,
           (unsigned long long)worker->options.id,
           (int)worker->process.pid,
           worker->info.python,
           worker->info.adapter,
           (unsigned long long)((sp_clock_now() - worker->started_at) / SP_NS_PER_MS));
    warn_of_undeclared(supervisor, worker);
    seat_worker(supervisor, worker);
    show_state(supervisor);
    sp_supervisor_start_more(supervisor);
}

static bool worker_is_busy(void *user, const struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    return worker->seat != NULL && sp_pool_seat_is_busy(supervisor->pool, worker->seat);
}

static void worker_leaving(void *user, struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    struct sp_post *post = post_of(supervisor, worker);
    if (post->serving) {
        post->serving = false;
        supervisor->ready--;
    }
    if (worker->seat != NULL) {
        sp_pool_empty_seat(supervisor->pool, worker->seat);
    }
    show_state(supervisor);
}

static void worker_gil(void *user, struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    if (!supervisor->stopping && !supervisor->falling_back && !supervisor->failed) {
        sp_supervisor_gil_is_back(supervisor, worker);
    }
}

// Any thread, with the worker's lost_lock held.
static void
worker_lost(void *user, struct sp_worker *worker, const struct sp_worker_loss *loss)
{
    struct sp_supervisor *supervisor = user;
    char message[640];
    if (worker->seat == NULL) {
        return;
    }
    (void)snprintf(message,
                   sizeof message,
                   "the worker %s: %s",
                   loss->by_us ? "was stopped" : "died",
                   loss->cause);
    struct sp_failure failure = {
        .err = loss->violated ? SNAKEPIT_PROTOCOL
               : loss->by_us  ? SNAKEPIT_WORKER_LOST
                              : SNAKEPIT_WORKER_DIED,
        .message = message,
        .cause = loss->cause,
        .last_output = loss->last_output,
    };
    sp_pool_seat_died(supervisor->pool, worker->seat, &failure);
}

static void unseat(struct sp_supervisor *supervisor, struct sp_worker *worker)
{
    struct sp_seat *seat = worker->seat;
    if (seat != NULL) {
        supervisor->hooks.doorbell(
            supervisor->hooks.user, worker->port->doorbell, false);
        pthread_mutex_lock(&worker->lost_lock);
        worker->seat = NULL;
        pthread_mutex_unlock(&worker->lost_lock);
        sp_pool_remove_seat(supervisor->pool, seat);
    }
}

static void count_loss(struct sp_supervisor *supervisor,
                       const struct sp_post *post,
                       struct sp_worker *worker)
{
    char reason[SP_REASON_MAX];
    if (supervisor->stopping || supervisor->failed || post->dismissed) {
        return;
    }
    if (post->ready_at == 0 && sp_supervisor_blames_template(supervisor, worker)) {
        return;
    }
    struct sp_failed_start start = {
        worker->started_at, SP_START_BROKE, NOT_STARTED, reason};
    if (post->ready_at == 0) {
        start.failure = worker->adapter_failed ? SP_START_HOPELESS : SP_START_BROKE;
        sp_supervisor_describe_failure(worker, reason, sizeof reason);
        sp_supervisor_note_failed_start(supervisor, &start);
        return;
    }
    bool told = sp_worker_was_told(worker);
    sp_pool_count_workers(supervisor->pool, 0, told ? 0 : 1);
    // It has been of use, or it could have been: this is no storm.
    if (worker->port->submit_tail > 1 ||
        sp_clock_now() - post->ready_at >= NO_STORM_NS) {
        sp_restart_worked(&supervisor->restart);
        return;
    }
    if (told) {
        // Nobody is to blame; but whoever does that may do so again at once.
        sp_supervisor_start_later(supervisor,
                                  supervisor->pool_config->restart_backoff_ms);
        return;
    }
    start.what = "its workers die as soon as they are ready";
    sp_supervisor_describe_failure(worker, reason, sizeof reason);
    sp_supervisor_note_failed_start(supervisor, &start);
}

static void worker_denied(void *user, struct sp_worker *worker)
{
    (void)worker;
    (void)sp_supervisor_is_same_user(user);
}

static void worker_exited(void *user, struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    struct sp_post *post = post_of(supervisor, worker);
    bool exec = !worker->born;
    unseat(supervisor, worker);
    if (post->serving) {
        supervisor->ready--;
    } else if (post->ready_at == 0) {
        supervisor->starting--;
    }
    supervisor->leaving++;
    count_loss(supervisor, post, worker);
    *post = (struct sp_post){.supervisor = supervisor, .exec = exec};
    show_state(supervisor);
    sp_supervisor_start_more(supervisor);
}

static void worker_gone(void *user, struct sp_worker *worker)
{
    struct sp_supervisor *supervisor = user;
    sp_worker_free(worker);
    supervisor->alive--;
    supervisor->leaving--;
    if (supervisor->stopping) {
        sp_supervisor_check_stopped(supervisor);
    } else if (supervisor->falling_back && supervisor->alive == 0) {
        sp_supervisor_end_fallback(supervisor);
    }
}

// Whether another start would end the same, or the machine may have later what it has
// not now.
static enum sp_start_failure kind_of(snakepit_err err, int reason)
{
    static const int starved[] = {EMFILE, ENFILE, ENOMEM, EAGAIN, ENOSPC};
    static const int hopeless[] = {ENOENT, EACCES, ENOEXEC, ENOTDIR, EISDIR, ELOOP};
    for (size_t i = 0; i < sizeof starved / sizeof starved[0]; i++) {
        if (err == SNAKEPIT_NO_MEMORY || reason == starved[i]) {
            return SP_START_STARVED;
        }
    }
    for (size_t i = 0; i < sizeof hopeless / sizeof hopeless[0]; i++) {
        if (reason == hopeless[i]) {
            return SP_START_HOPELESS;
        }
    }
    return SP_START_BROKE;
}

// False: it could not be started, which was noted.
static bool fill(struct sp_supervisor *supervisor, struct sp_post *post)
{
    snakepit_message why = {"memory is exhausted"};
    struct sp_worker_options options;
    uint32_t index = (uint32_t)(post - supervisor->posts);
    sp_supervisor_describe_worker(supervisor, index, &options);
    options.template = post->exec ? NULL : sp_supervisor_template(supervisor);
    options.hooks = (struct sp_worker_hooks){worker_born,
                                             worker_ready,
                                             worker_leaving,
                                             worker_is_busy,
                                             worker_gil,
                                             worker_lost,
                                             worker_exited,
                                             worker_denied,
                                             worker_gone,
                                             supervisor};
    errno = 0;
    snakepit_err err = sp_supervisor_write_first_message(supervisor, options.id);
    options.config = (struct sp_slice){supervisor->first_message.data,
                                       supervisor->first_message.size};
    if (err == SNAKEPIT_OK) {
        err = sp_worker_start(&options, &post->worker, &why);
    }
    if (err != SNAKEPIT_OK) {
        const struct sp_failed_start start = {
            sp_clock_now(), kind_of(err, errno), NOT_STARTED, why.text};
        sp_supervisor_note_failed_start(supervisor, &start);
        return false;
    }
    supervisor->starting++;
    supervisor->alive++;
    if (post->worker->born) {
        sp_pool_count_workers(supervisor->pool, 1, 0);
    }
    return true;
}

static uint32_t batch_size(const struct sp_supervisor *supervisor)
{
    return sp_restart_is_careful(&supervisor->restart)
               ? 1
               : supervisor->pool_config->startup_batch_size;
}

uint32_t sp_supervisor_manned(const struct sp_supervisor *supervisor)
{
    return supervisor->alive - supervisor->leaving;
}

// Fills empty posts while the batch has room; returns how many were started.
static uint32_t fill_batch(struct sp_supervisor *supervisor)
{
    uint32_t batch = batch_size(supervisor);
    uint32_t started = 0;
    for (uint32_t i = 0; i < supervisor->size && supervisor->starting < batch; i++) {
        if (supervisor->posts[i].worker != NULL) {
            continue;
        }
        if (!fill(supervisor, &supervisor->posts[i])) {
            break;
        }
        started++;
    }
    return started;
}

void sp_supervisor_start_more(struct sp_supervisor *supervisor)
{
    if (supervisor->stopping || supervisor->failed || supervisor->falling_back ||
        sp_pool_is_closing(supervisor->pool) || sp_timer_runs(&supervisor->timer) ||
        sp_supervisor_manned(supervisor) == supervisor->size ||
        !sp_supervisor_is_same_user(supervisor) ||
        !sp_supervisor_template_is_settled(supervisor)) {
        return;
    }
    uint32_t started = fill_batch(supervisor);
    sp_supervisor_publish(supervisor);
    uint32_t delay = supervisor->pool_config->startup_batch_delay_ms;
    if (started > 0 && delay > 0 &&
        sp_supervisor_manned(supervisor) < supervisor->size) {
        sp_supervisor_start_later(supervisor, delay);
    }
}

// ---- Life of the supervisor ---------------------------------------------------

snakepit_err sp_supervisor_init(struct sp_supervisor *supervisor,
                                const struct sp_supervisor_options *options,
                                snakepit_message *why)
{
    const struct sp_pool_config *config = options->pool_config;
    *supervisor = (struct sp_supervisor){
        .loop = options->loop,
        .watcher = options->watcher,
        .log = options->log,
        .listener = options->listener,
        .inbox = options->inbox,
        .config = options->config,
        .pool_config = config,
        .pool = options->pool,
        .hooks = options->hooks,
        .last_worker_id = options->last_worker_id,
        .requests = -1,
    };
    SP_CHECK(pthread_mutex_init(&supervisor->rows_lock, NULL) == 0);
    snakepit_err err = sp_supervisor_set_profile(supervisor,
                                                 config->worker_profile,
                                                 config->pool_size,
                                                 config->threads_per_worker);
    if (err == SNAKEPIT_OK) {
        err = sp_segment_read_only_fd(
            &sp_pool_store(options->pool)->segment, &supervisor->requests, why);
    }
    if (err != SNAKEPIT_OK) {
        sp_supervisor_fini(supervisor);
    }
    return err;
}

void sp_supervisor_start(struct sp_supervisor *supervisor)
{
    supervisor->timer.user = supervisor;
    supervisor->user = sp_user_now();
    sp_supervisor_start_more(supervisor);
}

// A pool that has failed begins anew, with its template and as whoever the program is
// now; of another one the pause ends.
void sp_supervisor_retry(struct sp_supervisor *supervisor)
{
    if (supervisor->stopping) {
        return;
    }
    if (supervisor->failed) {
        supervisor->failed = false;
        supervisor->restart.failures = 0;
        supervisor->template_given_up = false;
        supervisor->template_deaths = 0;
        supervisor->user = sp_user_now();
    }
    supervisor->down = false;
    sp_timer_stop(&supervisor->timer);
    sp_supervisor_start_more(supervisor);
}

static void check_stopped(struct sp_task *task)
{
    sp_supervisor_check_stopped(task->user);
}

// The template goes last.
void sp_supervisor_check_stopped(struct sp_supervisor *supervisor)
{
    if (supervisor->alive > 0 || supervisor->stopped) {
        return;
    }
    if (supervisor->template != NULL) {
        sp_template_stop(supervisor->template);
    } else {
        supervisor->stopped = true;
        supervisor->hooks.stopped(supervisor->hooks.user);
    }
}

void sp_supervisor_stop(struct sp_supervisor *supervisor)
{
    supervisor->stopping = true;
    sp_timer_stop(&supervisor->timer);
    sp_supervisor_stop_workers(supervisor);
    supervisor->stop_check.user = supervisor;
    sp_loop_later(supervisor->loop, &supervisor->stop_check, check_stopped);
}

static bool order_cancel(void *worker, uint64_t call, uint32_t slot)
{
    return sp_worker_cancel(worker, call, slot);
}

static void order_kill(void *worker, const char *why, bool closing)
{
    (closing ? sp_worker_end : sp_worker_kill)(worker, why);
}

bool sp_supervisor_tick(struct sp_supervisor *supervisor, uint64_t now)
{
    static const struct sp_pool_orders orders = {order_cancel, order_kill};
    return sp_pool_tick(supervisor->pool, now, &orders);
}

void sp_supervisor_fini(struct sp_supervisor *supervisor)
{
    SP_CHECK(supervisor->alive == 0);
    sp_descriptor_close(&supervisor->requests);
    sp_buf_fini(&supervisor->first_message);
    sp_interpreter_free_env(supervisor->environment);
    sp_free(supervisor->posts);
    sp_free(supervisor->rows);
    pthread_mutex_destroy(&supervisor->rows_lock);
}
