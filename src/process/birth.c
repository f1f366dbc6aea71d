// SPDX-License-Identifier: MIT
// A worker begins as memory. Its process is there at once where it is exec'ed, and when
// the template has answered where it is forked; until then nothing of it is watched,
// and what it is ordered to do waits.
#include "process/birth.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/timeslice.h"

// A failure only costs speed.
static void pin(const struct sp_worker *worker)
{
    const cpu_set_t *cpus = &worker->options.cpus;
    if (CPU_COUNT(cpus) > 0) {
        (void)sched_setaffinity(worker->child.process.pid, sizeof *cpus, cpus);
    }
}

// It waits for its first message, so it runs no user code yet.
static void limit(struct sp_worker *worker)
{
    snakepit_message why;
    struct sp_cgroup *group = &worker->child.cgroup;
    snakepit_err err = sp_cgroup_confine(
        group, worker->child.process.pid, &worker->options.limits, &why);
    if (err == SNAKEPIT_OK) {
        pthread_mutex_lock(&worker->lost_lock);
        sp_oom_look_into(&worker->oom_seen, group->path);
        pthread_mutex_unlock(&worker->lost_lock);
    } else {
        // Another start would find the same, so it counts as the adapter's does.
        worker->adapter_failed = true;
        (void)snprintf(worker->failure, sizeof worker->failure, "%s", why.text);
        sp_worker_fail_start(worker, "it could not be put into its control group");
    }
}

static struct sp_slice first_message(const struct sp_worker *worker)
{
    const struct sp_buf *both = &worker->first_message;
    size_t fork = worker->fork_message;
    if (worker->forked && fork < both->size) {
        return (struct sp_slice){both->data + fork, both->size - fork};
    }
    return (struct sp_slice){both->data, fork};
}

// The process is there: it gets its first message and is watched.
static void begin_life(struct sp_worker *worker)
{
    snakepit_message why;
    const struct sp_slice config = first_message(worker);
    pin(worker);
    if (worker->options.gives_way) {
        sp_timeslice_lengthen(worker->child.process.pid);
    }
    sp_worker_watch(worker);
    limit(worker);
    if (sp_subprocess_configure(&worker->child, config, &why) != SNAKEPIT_OK) {
        sp_worker_fail_for_want(worker, &why);
    }
    sp_buf_fini(&worker->first_message);
}

// What was ordered before it was born is done now.
static void catch_up(struct sp_worker *worker)
{
    if (atomic_load(&worker->killed_for) != NULL) {
        sp_worker_signal(worker, SIGKILL, false);
    } else if (worker->state == SP_WORKER_STOPPING) {
        sp_worker_ask_to_leave(worker, false);
    }
}

static void on_forked(void *user, pid_t pid)
{
    struct sp_worker *worker = user;
    snakepit_message why = {"the template could not fork it"};
    if (pid > 0 && sp_process_adopt(&worker->child.process, pid, &why) == SNAKEPIT_OK &&
        sp_subprocess_watch_exit(&worker->child, &why) == SNAKEPIT_OK) {
        begin_life(worker);
        worker->options.hooks.born(worker->options.hooks.user, worker);
        catch_up(worker);
        return;
    }
    (void)snprintf(worker->failure, sizeof worker->failure, "%s", why.text);
    sp_worker_enter(worker, SP_WORKER_EXITED);
    worker->options.hooks.exited(worker->options.hooks.user, worker);
    worker->options.hooks.gone(worker->options.hooks.user, worker);
}

static void events_refused(struct sp_events *events)
{
    sp_worker_kill_for_violation(SP_ENTRY(events, struct sp_worker, events),
                                 "what it wrote as events makes no sense");
}

static void expect_events(struct sp_worker *worker)
{
    const struct sp_port *port = worker->port;
    worker->events = (struct sp_events){.pool = worker->options.pool,
                                        .worker = worker->options.id,
                                        .refused = events_refused};
    sp_events_reader_init(&worker->events.reader,
                          port->view.header,
                          port->results.base,
                          port->results.size);
}

static snakepit_err make_process(struct sp_worker *worker, snakepit_message *why)
{
    struct sp_template *template = worker->options.template;
    expect_events(worker);
    const struct sp_spawn_options spawn = {
        .python = worker->options.python,
        .environment = worker->options.environment,
        .control = worker->port->control.fd,
        .requests = worker->options.requests,
        .results = worker->port->results.fd,
        .doorbell = worker->port->doorbell,
        .why = why,
    };
    worker->fork.done = on_forked;
    worker->fork.user = worker;
    worker->forked =
        template != NULL &&
        sp_template_fork(template, &spawn, &worker->child.process, &worker->fork) ==
            SNAKEPIT_OK;
    if (worker->forked) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = sp_spawn(&spawn, &worker->child.process);
    if (err == SNAKEPIT_OK) {
        err = sp_subprocess_watch_exit(&worker->child, why);
        if (err != SNAKEPIT_OK) {
            sp_process_close(&worker->child.process);
        }
    }
    return err;
}

// Frees what never had a process.
static void discard(struct sp_worker *worker)
{
    sp_buf_fini(&worker->first_message);
    sp_buf_fini(&worker->idempotent);
    sp_buf_fini(&worker->sources);
    sp_buf_fini(&worker->batches);
    if (worker->port != NULL) {
        sp_port_unref(worker->port);
    }
    sp_free(worker);
}

snakepit_err sp_worker_start(const struct sp_worker_options *options,
                             struct sp_worker **worker,
                             snakepit_message *why)
{
    struct sp_worker *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->options = *options;
    made->options.config = (struct sp_slice){0};
    made->options.fork_config = (struct sp_slice){0};
    made->fork_message = options->config.size;
    const struct sp_subprocess_options child = {
        .loop = options->loop,
        .inbox = options->inbox,
        .log = options->log,
        .pool = options->pool,
        .worker = options->id,
        .start_timeout_ms = options->start_timeout_ms,
        .stop_grace_ms = options->stop_grace_ms,
    };
    sp_subprocess_init(&made->child, &sp_worker_kind, &child);
    sp_oom_look(&made->oom_seen);
    snakepit_err err =
        sp_buf_append(&made->first_message, options->config.data, options->config.size);
    if (err == SNAKEPIT_OK && options->fork_config.size > 0) {
        err = sp_buf_append(
            &made->first_message, options->fork_config.data, options->fork_config.size);
    }
    err = err != SNAKEPIT_OK ? err : sp_port_new(&options->shape, &made->port, why);
    err = err != SNAKEPIT_OK ? err : make_process(made, why);
    if (err != SNAKEPIT_OK) {
        discard(made);
        return err;
    }
    SP_CHECK(pthread_mutex_init(&made->lost_lock, NULL) == 0);
    sp_segment_close_fd(&made->port->control);
    sp_segment_close_fd(&made->port->results);
    *worker = made;
    if (made->child.process.pid > 0) {
        begin_life(made);
    }
    return SNAKEPIT_OK;
}

void sp_worker_free(struct sp_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    SP_CHECK(worker->state == SP_WORKER_DEAD && worker->seat == NULL);
    sp_subprocess_fini(&worker->child);
    pthread_mutex_destroy(&worker->lost_lock);
    discard(worker);
}
