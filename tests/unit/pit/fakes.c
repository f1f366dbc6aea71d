// SPDX-License-Identifier: MIT
// The linker finds these workers before it looks into the module's archive. They are
// started and ended on the pit's loop, as all workers are.
#include "fakes.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "process/worker.h"

struct pit_fakes pit_fakes;
snakepit *pit;

struct life {
    struct sp_worker worker;
    struct sp_task news;
    struct sp_timer start;
    struct fake_worker *player;
    struct sp_segment requests;
    const char *why; // of its end
    struct sp_task maps;
    uint64_t serials[SP_WINDOWS_MAX]; // of what it was told to map, and has not said
    uint32_t serial_count;
};

static struct life *life_of(const struct sp_worker *worker)
{
    return (struct life *)(uintptr_t)worker;
}

// ---- Its start ----------------------------------------------------------------

static void look(struct sp_timer *timer)
{
    struct life *life = timer->user;
    struct sp_worker *worker = &life->worker;
    if (pit_fakes.starts_by && !atomic_load(&pit_fakes.ready_now)) {
        return;
    }
    sp_timer_stop(timer);
    worker->state = sp_worker_next(worker->state, SP_WORKER_ANSWERED);
    worker->options.hooks.ready(worker->options.hooks.user, worker);
    if (!pit_fakes.by_hand) {
        fake_start(life->player);
    }
}

snakepit_err sp_worker_start(const struct sp_worker_options *options,
                             struct sp_worker **worker,
                             snakepit_message *why)
{
    atomic_fetch_add(&pit_fakes.starts, 1);
    if (pit_fakes.refuses) {
        (void)snprintf(why->text, sizeof why->text, "no worker today");
        errno = EACCES; // which another start would find too
        return SNAKEPIT_SYSTEM;
    }
    struct life *life = calloc(1, sizeof *life);
    struct sp_worker *made = &life->worker;
    size_t size = options->shape.requests_size;
    made->options = *options;
    made->child.born = true;
    made->child.started_at = sp_clock_now();
    made->child.process.pid = (pid_t)(1000 + options->id);
    made->info.thread_safe = true;
    (void)pthread_mutex_init(&made->lost_lock, NULL);
    (void)pthread_mutex_init(&made->child.flow.outputs[1].lock, NULL);
    life->requests = (struct sp_segment){
        .base = mmap(NULL, size, PROT_READ, MAP_SHARED, options->requests, 0),
        .size = size};
    if (life->requests.base == MAP_FAILED ||
        sp_port_new(&options->shape, &made->port, why) != SNAKEPIT_OK) {
        abort();
    }
    life->player = fake_worker_new(made->port, &life->requests);
    life->start.user = life;
    atomic_store(&pit_fakes.port, made->port);
    atomic_store(&pit_fakes.player, life->player);
    sp_timer_start(options->loop, &life->start, look, 0, 1);
    *worker = made;
    return SNAKEPIT_OK;
}

// ---- Its end ------------------------------------------------------------------

static void leave(struct sp_task *task)
{
    struct life *life = task->user;
    struct sp_worker *worker = &life->worker;
    const struct sp_worker_hooks *hooks = &worker->options.hooks;
    const struct sp_worker_loss loss = {
        .cause = life->why, .last_output = "", .by_us = true};
    sp_timer_stop(&life->start);
    sp_task_cancel(&life->maps);
    fake_stop(life->player);
    (void)pthread_mutex_lock(&worker->lost_lock);
    worker->lost = true;
    hooks->lost(hooks->user, worker, &loss);
    (void)pthread_mutex_unlock(&worker->lost_lock);
    worker->state = SP_WORKER_DEAD;
    hooks->exited(hooks->user, worker);
    hooks->gone(hooks->user, worker);
}

static void end(struct sp_worker *worker, const char *why)
{
    struct life *life = life_of(worker);
    if (life->why == NULL) {
        life->why = why;
        life->news.user = life;
        worker->state = sp_worker_next(worker->state, SP_WORKER_STOP);
        sp_loop_later(worker->options.loop, &life->news, leave);
    }
}

void sp_worker_stop(struct sp_worker *worker)
{
    end(worker, "it was stopped");
}

void sp_worker_kill(struct sp_worker *worker, const char *why)
{
    end(worker, why);
}

void sp_worker_kill_for_calls(struct sp_worker *worker, const char *why)
{
    sp_worker_kill(worker, why);
}

void sp_worker_kill_as(struct sp_worker *worker, enum sp_death death, const char *why)
{
    (void)death;
    sp_worker_kill(worker, why);
}

void sp_worker_end(struct sp_worker *worker, const char *why)
{
    end(worker, why);
}

bool sp_worker_cancel(struct sp_worker *worker, uint64_t call, uint32_t slot)
{
    (void)worker;
    (void)call;
    (void)slot;
    atomic_fetch_add(&pit_fakes.cancels, 1);
    return true;
}

static void say_mapped(struct sp_task *task)
{
    struct life *life = task->user;
    const struct sp_worker_hooks *hooks = &life->worker.options.hooks;
    while (life->serial_count > 0) {
        const uint64_t serial = life->serials[--life->serial_count];
        hooks->mapped(hooks->user, &life->worker, serial, !pit_fakes.cannot_map);
    }
}

// It is answered later, as a worker answers.
bool sp_worker_map(
    struct sp_worker *worker, uint32_t window, uint64_t serial, int fd, uint64_t size)
{
    struct life *life = life_of(worker);
    (void)window;
    (void)fd;
    (void)size;
    life->serials[life->serial_count++] = serial;
    life->maps.user = life;
    if (!sp_task_waits(&life->maps)) {
        sp_loop_later(worker->options.loop, &life->maps, say_mapped);
    }
    atomic_fetch_add(&pit_fakes.maps, 1);
    return true;
}

bool sp_worker_unmap(struct sp_worker *worker, uint32_t window, uint64_t serial)
{
    (void)worker;
    (void)window;
    (void)serial;
    atomic_fetch_add(&pit_fakes.unmaps, 1);
    return true;
}

enum sp_fault sp_worker_fault(const struct sp_worker *worker)
{
    (void)worker;
    return SP_FAULT_NONE;
}

void sp_worker_where(const struct sp_worker *worker, char *room, size_t size)
{
    (void)worker;
    (void)snprintf(room, size, "%s", "");
}

bool sp_worker_was_told(const struct sp_worker *worker)
{
    (void)worker;
    return false;
}

enum sp_death sp_worker_death(struct sp_worker *worker)
{
    (void)worker;
    return SP_DEATH_SIGNAL;
}

void sp_worker_free(struct sp_worker *worker)
{
    struct life *life = life_of(worker);
    fake_worker_free(life->player);
    sp_port_unref(worker->port);
    (void)munmap(life->requests.base, life->requests.size);
    (void)pthread_mutex_destroy(&worker->child.flow.outputs[1].lock);
    (void)pthread_mutex_destroy(&worker->lost_lock);
    free(life);
}

// ---- The pit ------------------------------------------------------------------

int pit_prepare(void **state)
{
    (void)state;
    memset(&pit_fakes, 0, sizeof pit_fakes);
    pit = NULL;
    return 0;
}

int pit_tidy(void **state)
{
    (void)state;
    snakepit_close(pit, 0);
    return 0;
}

static void
no_log(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user;
    (void)level;
    (void)event;
    (void)line;
}

const snakepit_open_options pit_options = {.size = sizeof pit_options, .log = no_log};

void pit_open(const char *more)
{
    char yaml[1024];
    const char *of_pool = strchr(more, '|');
    int top = of_pool == NULL ? (int)strlen(more) : (int)(of_pool - more);
    snakepit_message why = {{0}};
    (void)snprintf(yaml,
                   sizeof yaml,
                   "python_version_detection: off\n"
                   "%.*s"
                   "pools:\n"
                   "  - name: default\n"
                   "    adapter: fake.Fake\n"
                   "    python: /bin/sh\n"
                   "    template: off\n"
                   "    pool_size: 1\n"
                   "%s",
                   top,
                   more,
                   of_pool == NULL ? "" : of_pool + 1);
    snakepit_err err =
        snakepit_open_memory(yaml, strlen(yaml), &pit_options, &pit, &why);
    assert_string_equal(why.text, "");
    assert_int_equal(err, SNAKEPIT_OK);
}

void pit_open_ready(const char *more)
{
    pit_open(more);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
}

struct fake_call pit_take(void)
{
    struct fake_call call;
    PIT_AWAIT(fake_take_started(atomic_load(&pit_fakes.player), &call));
    return call;
}

void pit_serve(const struct fake_call *call)
{
    fake_serve(atomic_load(&pit_fakes.player), call);
}

snakepit_writer *pit_args(void)
{
    snakepit_writer *args = snakepit_writer_new();
    assert_non_null(args);
    snakepit_writer_map(args, 1);
    snakepit_writer_str(args, "x");
    snakepit_writer_int(args, 1);
    return args;
}
