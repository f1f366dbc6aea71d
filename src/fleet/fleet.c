// SPDX-License-Identifier: MIT
// One post for each worker that the pool should have. A post is filled when it is empty
// and nothing speaks against it: a batch that is still starting, a back-off, a
// fallback, a failure.
#include "fleet/fleet.h"

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

static void show_state(struct sp_fleet *fleet)
{
    sp_fleet_publish(fleet);
    if (fleet->failed || fleet->stopping) {
        return;
    }
    fleet->down = fleet->down && fleet->ready == 0;
    if (fleet->ready == fleet->size) {
        sp_pool_set_state(fleet->pool, SP_POOL_READY, NULL);
    } else if (fleet->restart.ever_ready && !fleet->down) {
        sp_pool_set_state(fleet->pool, SP_POOL_DEGRADED, NULL);
    }
}

// A worker that is still busy when the pit closes runs a call whose caller has its
// answer already.
static void stop_worker(struct sp_fleet *fleet, struct sp_worker *worker)
{
    if (worker->seat != NULL) {
        sp_pool_empty_seat(fleet->pool, worker->seat);
        if (fleet->stopping && sp_pool_seat_is_busy(fleet->pool, worker->seat)) {
            sp_worker_kill(worker, "it was still running a call when the pit closed");
        }
    }
    sp_worker_stop(worker);
}

void sp_fleet_dismiss(struct sp_fleet *fleet, struct sp_post *post)
{
    if (post->worker != NULL) {
        post->dismissed = true;
        stop_worker(fleet, post->worker);
    }
}

void sp_fleet_stop_workers(struct sp_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->size; i++) {
        sp_fleet_dismiss(fleet, &fleet->posts[i]);
    }
    sp_fleet_publish(fleet);
}

void sp_fleet_fail(struct sp_fleet *fleet, const char *why)
{
    if (fleet->failed) {
        return;
    }
    char quoted[SP_LOG_LINE_MAX / 2];
    fleet->failed = true;
    sp_timer_stop(&fleet->timer);
    sp_log(fleet->log,
           SP_LOG_ERROR,
           "pool.failed",
           "pool=%s because=%s",
           fleet->pool_config->name,
           sp_fleet_quote_line(why, quoted, sizeof quoted));
    sp_pool_set_state(fleet->pool, SP_POOL_FAILED, why);
    sp_fleet_stop_workers(fleet);
    if (fleet->template != NULL) {
        sp_template_stop(fleet->template);
    }
}

// ---- Workers ------------------------------------------------------------------

static struct sp_post *post_of(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    uint32_t i = 0;
    while (fleet->posts[i].worker != worker) {
        i++;
        SP_CHECK(i < fleet->size);
    }
    return &fleet->posts[i];
}

// A seat, unless the worker has died in the meantime.
static void seat_worker(struct sp_fleet *fleet, struct sp_worker *worker)
{
    struct sp_seat *seat = NULL;
    pthread_mutex_lock(&worker->lost_lock);
    if (!worker->lost &&
        sp_pool_add_seat(
            fleet->pool, worker->port, worker, worker->options.id, &seat) ==
            SNAKEPIT_OK) {
        worker->seat = seat;
    }
    pthread_mutex_unlock(&worker->lost_lock);
    if (seat == NULL) {
        sp_worker_kill(worker, "memory is exhausted");
    } else {
        fleet->hooks.doorbell(fleet->hooks.user, worker->port->doorbell, true);
    }
}

static void warn_of_undeclared(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    if (fleet->profile == SP_PROFILE_THREAD && worker->info.undeclared &&
        !fleet->warned) {
        fleet->warned = true;
        sp_log(fleet->log,
               SP_LOG_WARNING,
               "pool.undeclared_adapter",
               "pool=%s adapter=%s remedy=\"__thread_safe__ = True in the class, once "
               "it is\"",
               fleet->pool_config->name,
               worker->info.adapter);
    }
}

static void worker_born(void *user, struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    (void)worker;
    sp_pool_count_workers(fleet->pool, 1, 0);
    sp_fleet_publish(fleet);
}

static void worker_ready(void *user, struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    const char *why = sp_fleet_unsupported(fleet, worker);
    fleet->starting--;
    if (why != NULL) {
        post_of(fleet, worker)->ready_at = sp_clock_now();
        if (!fleet->falling_back) {
            sp_fleet_begin_fallback(fleet, worker, why);
        }
        return;
    }
    post_of(fleet, worker)->ready_at = sp_clock_now();
    post_of(fleet, worker)->serving = true;
    sp_restart_ready(&fleet->restart);
    fleet->ready++;
    sp_fleet_credit_template(fleet, worker);
    sp_fleet_note_gil(fleet, worker);
    sp_log(fleet->log,
           SP_LOG_INFO,
           "worker.ready",
           "pool=%s worker=%llu pid=%d python=%s adapter=%s start_ms=%llu",
           fleet->pool_config->name,
           (unsigned long long)worker->options.id,
           (int)worker->process.pid,
           worker->info.python,
           worker->info.adapter,
           (unsigned long long)((sp_clock_now() - worker->started_at) / SP_NS_PER_MS));
    warn_of_undeclared(fleet, worker);
    seat_worker(fleet, worker);
    show_state(fleet);
    sp_fleet_start_more(fleet);
}

static bool worker_is_busy(void *user, const struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    return worker->seat != NULL && sp_pool_seat_is_busy(fleet->pool, worker->seat);
}

static void worker_leaving(void *user, struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    struct sp_post *post = post_of(fleet, worker);
    if (post->serving) {
        post->serving = false;
        fleet->ready--;
    }
    if (worker->seat != NULL) {
        sp_pool_empty_seat(fleet->pool, worker->seat);
    }
    show_state(fleet);
}

static void worker_gil(void *user, struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    if (!fleet->stopping && !fleet->falling_back && !fleet->failed) {
        sp_fleet_gil_is_back(fleet, worker);
    }
}

// Any thread, with the worker's lost_lock held.
static void
worker_lost(void *user, struct sp_worker *worker, const struct sp_worker_loss *loss)
{
    struct sp_fleet *fleet = user;
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
    sp_pool_seat_died(fleet->pool, worker->seat, &failure);
}

static void unseat(struct sp_fleet *fleet, struct sp_worker *worker)
{
    struct sp_seat *seat = worker->seat;
    if (seat != NULL) {
        fleet->hooks.doorbell(fleet->hooks.user, worker->port->doorbell, false);
        pthread_mutex_lock(&worker->lost_lock);
        worker->seat = NULL;
        pthread_mutex_unlock(&worker->lost_lock);
        sp_pool_remove_seat(fleet->pool, seat);
    }
}

static void
count_loss(struct sp_fleet *fleet, const struct sp_post *post, struct sp_worker *worker)
{
    char reason[SP_REASON_MAX];
    if (fleet->stopping || fleet->failed || post->dismissed) {
        return;
    }
    if (post->ready_at == 0 && sp_fleet_blames_template(fleet, worker)) {
        return;
    }
    struct sp_failed_start start = {
        worker->started_at, SP_START_BROKE, NOT_STARTED, reason};
    if (post->ready_at == 0) {
        start.failure = worker->adapter_failed ? SP_START_HOPELESS : SP_START_BROKE;
        sp_fleet_describe_failure(worker, reason, sizeof reason);
        sp_fleet_note_failed_start(fleet, &start);
        return;
    }
    bool told = sp_worker_was_told(worker);
    sp_pool_count_workers(fleet->pool, 0, told ? 0 : 1);
    // It has been of use, or it could have been: this is not a storm.
    if (worker->port->submit_tail > 1 ||
        sp_clock_now() - post->ready_at >= NO_STORM_NS) {
        sp_restart_worked(&fleet->restart);
        return;
    }
    if (told) {
        // Nobody is to blame; but whoever does that may do so again at once.
        sp_fleet_start_later(fleet, fleet->pool_config->restart_backoff_ms);
        return;
    }
    start.what = "its workers die as soon as they are ready";
    sp_fleet_describe_failure(worker, reason, sizeof reason);
    sp_fleet_note_failed_start(fleet, &start);
}

static void worker_denied(void *user, struct sp_worker *worker)
{
    (void)worker;
    (void)sp_fleet_is_same_user(user);
}

static void worker_exited(void *user, struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    struct sp_post *post = post_of(fleet, worker);
    bool exec = !worker->born;
    unseat(fleet, worker);
    if (post->serving) {
        fleet->ready--;
    } else if (post->ready_at == 0) {
        fleet->starting--;
    }
    fleet->leaving++;
    count_loss(fleet, post, worker);
    *post = (struct sp_post){.fleet = fleet, .exec = exec};
    show_state(fleet);
    sp_fleet_start_more(fleet);
}

static void worker_gone(void *user, struct sp_worker *worker)
{
    struct sp_fleet *fleet = user;
    sp_worker_free(worker);
    fleet->alive--;
    fleet->leaving--;
    if (fleet->stopping) {
        sp_fleet_check_stopped(fleet);
    } else if (fleet->falling_back && fleet->alive == 0) {
        sp_fleet_end_fallback(fleet);
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
static bool fill(struct sp_fleet *fleet, struct sp_post *post)
{
    snakepit_message why = {"memory is exhausted"};
    struct sp_worker_options options;
    uint32_t index = (uint32_t)(post - fleet->posts);
    sp_fleet_describe_worker(fleet, index, &options);
    options.template = post->exec ? NULL : sp_fleet_template(fleet);
    options.hooks = (struct sp_worker_hooks){worker_born,
                                             worker_ready,
                                             worker_leaving,
                                             worker_is_busy,
                                             worker_gil,
                                             worker_lost,
                                             worker_exited,
                                             worker_denied,
                                             worker_gone,
                                             fleet};
    errno = 0;
    snakepit_err err = sp_fleet_write_first_message(fleet, options.id);
    options.config =
        (struct sp_slice){fleet->first_message.data, fleet->first_message.size};
    if (err == SNAKEPIT_OK) {
        err = sp_worker_start(&options, &post->worker, &why);
    }
    if (err != SNAKEPIT_OK) {
        const struct sp_failed_start start = {
            sp_clock_now(), kind_of(err, errno), NOT_STARTED, why.text};
        sp_fleet_note_failed_start(fleet, &start);
        return false;
    }
    fleet->starting++;
    fleet->alive++;
    if (post->worker->born) {
        sp_pool_count_workers(fleet->pool, 1, 0);
    }
    return true;
}

static uint32_t batch_size(const struct sp_fleet *fleet)
{
    return sp_restart_is_careful(&fleet->restart)
               ? 1
               : fleet->pool_config->startup_batch_size;
}

uint32_t sp_fleet_manned(const struct sp_fleet *fleet)
{
    return fleet->alive - fleet->leaving;
}

// Fills empty posts while the batch has room; returns how many were started.
static uint32_t fill_batch(struct sp_fleet *fleet)
{
    uint32_t batch = batch_size(fleet);
    uint32_t started = 0;
    for (uint32_t i = 0; i < fleet->size && fleet->starting < batch; i++) {
        if (fleet->posts[i].worker != NULL) {
            continue;
        }
        if (!fill(fleet, &fleet->posts[i])) {
            break;
        }
        started++;
    }
    return started;
}

void sp_fleet_start_more(struct sp_fleet *fleet)
{
    if (fleet->stopping || fleet->failed || fleet->falling_back ||
        sp_pool_is_closing(fleet->pool) || sp_timer_runs(&fleet->timer) ||
        sp_fleet_manned(fleet) == fleet->size || !sp_fleet_is_same_user(fleet) ||
        !sp_fleet_template_is_settled(fleet)) {
        return;
    }
    uint32_t started = fill_batch(fleet);
    sp_fleet_publish(fleet);
    uint32_t delay = fleet->pool_config->startup_batch_delay_ms;
    if (started > 0 && delay > 0 && sp_fleet_manned(fleet) < fleet->size) {
        sp_fleet_start_later(fleet, delay);
    }
}

// ---- Life of the fleet --------------------------------------------------------

snakepit_err sp_fleet_init(struct sp_fleet *fleet,
                           const struct sp_fleet_options *options,
                           snakepit_message *why)
{
    const struct sp_pool_config *config = options->pool_config;
    *fleet = (struct sp_fleet){
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
    SP_CHECK(pthread_mutex_init(&fleet->rows_lock, NULL) == 0);
    snakepit_err err = sp_fleet_set_profile(
        fleet, config->worker_profile, config->pool_size, config->threads_per_worker);
    if (err == SNAKEPIT_OK) {
        err = sp_segment_read_only_fd(
            &sp_pool_store(options->pool)->segment, &fleet->requests, why);
    }
    if (err != SNAKEPIT_OK) {
        sp_fleet_fini(fleet);
    }
    return err;
}

void sp_fleet_start(struct sp_fleet *fleet)
{
    fleet->timer.user = fleet;
    fleet->user = sp_user_now();
    sp_fleet_start_more(fleet);
}

// A pool that has failed begins anew, with its template and as whoever the program is
// now; of another one the pause ends.
void sp_fleet_retry(struct sp_fleet *fleet)
{
    if (fleet->stopping) {
        return;
    }
    if (fleet->failed) {
        fleet->failed = false;
        fleet->restart.failures = 0;
        fleet->template_given_up = false;
        fleet->template_deaths = 0;
        fleet->user = sp_user_now();
    }
    fleet->down = false;
    sp_timer_stop(&fleet->timer);
    sp_fleet_start_more(fleet);
}

static void check_stopped(struct sp_task *task)
{
    sp_fleet_check_stopped(task->user);
}

// The template goes last.
void sp_fleet_check_stopped(struct sp_fleet *fleet)
{
    if (fleet->alive > 0 || fleet->stopped) {
        return;
    }
    if (fleet->template != NULL) {
        sp_template_stop(fleet->template);
    } else {
        fleet->stopped = true;
        fleet->hooks.stopped(fleet->hooks.user);
    }
}

void sp_fleet_stop(struct sp_fleet *fleet)
{
    fleet->stopping = true;
    sp_timer_stop(&fleet->timer);
    sp_fleet_stop_workers(fleet);
    fleet->stop_check.user = fleet;
    sp_loop_later(fleet->loop, &fleet->stop_check, check_stopped);
}

static bool order_cancel(void *worker, uint64_t call, uint32_t slot)
{
    return sp_worker_cancel(worker, call, slot);
}

static void order_kill(void *worker, const char *why, bool closing)
{
    (closing ? sp_worker_end : sp_worker_kill)(worker, why);
}

bool sp_fleet_tick(struct sp_fleet *fleet, uint64_t now)
{
    static const struct sp_pool_orders orders = {order_cancel, order_kill};
    return sp_pool_tick(fleet->pool, now, &orders);
}

void sp_fleet_fini(struct sp_fleet *fleet)
{
    SP_CHECK(fleet->alive == 0);
    sp_descriptor_close(&fleet->requests);
    sp_buf_fini(&fleet->first_message);
    sp_interpreter_free_env(fleet->environment);
    sp_free(fleet->posts);
    sp_free(fleet->rows);
    pthread_mutex_destroy(&fleet->rows_lock);
}
