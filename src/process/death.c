// SPDX-License-Identifier: MIT
// How a worker ends. Its calls are failed the moment its lifeline breaks; its place is
// free when its exit was observed; what it has left behind in its group may take a
// little longer.
#include "process/birth.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/lifeline.h"
#include "telemetry/notice.h"

#define PEEKS_MOST 20 // looks at a dying process, a millisecond apart

// ---- Signals ------------------------------------------------------------------

static struct sp_child child_of(const struct sp_worker *worker)
{
    return sp_subprocess_child(&worker->child);
}

void sp_worker_blame(struct sp_worker *worker, const char *why)
{
    const char *none = NULL;
    (void)atomic_compare_exchange_strong(&worker->killed_for, &none, why);
}

static void on_denied(struct sp_task *task)
{
    struct sp_worker *worker = task->user;
    worker->options.hooks.denied(worker->options.hooks.user, worker);
}

// The owner is told in the next turn of the loop: whoever kills may hold its locks.
void sp_worker_denied(struct sp_subprocess *child)
{
    struct sp_worker *worker = sp_worker_of(child);
    worker->denial.user = worker;
    sp_loop_later(worker->options.loop, &worker->denial, on_denied);
}

void sp_worker_signal(struct sp_worker *worker, int number, bool group)
{
    if (number == SIGTERM && worker->child.born && !worker->child.over) {
        atomic_store(&worker->signalled, true);
    }
    sp_subprocess_signal(&worker->child, number, group);
}

void sp_worker_kill(struct sp_worker *worker, const char *why)
{
    sp_worker_blame(worker, why);
    sp_log(worker->options.log,
           worker_kill,
           .pool = worker->options.pool,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .because = why);
    sp_worker_signal(worker, SIGKILL, false);
}

void sp_worker_kill_for_calls(struct sp_worker *worker, const char *why)
{
    atomic_store(&worker->blamed, true);
    sp_worker_kill(worker, why);
}

void sp_worker_kill_as(struct sp_worker *worker, enum sp_death death, const char *why)
{
    atomic_store(&worker->counts_as, death);
    sp_worker_kill(worker, why);
}

void sp_worker_kill_for_violation(struct sp_worker *worker, const char *why)
{
    atomic_store(&worker->violated, true);
    sp_worker_kill(worker, why);
}

void sp_worker_end(struct sp_worker *worker, const char *why)
{
    sp_worker_enter(worker, SP_WORKER_STOP);
    sp_worker_kill(worker, why);
}

// ---- Loss ---------------------------------------------------------------------

// A dying process shows a signal or a status at once; that it left with status 0 shows
// when it has let go of its memory. One that runs another program is not dying.
static struct sp_exit peek_patiently(const struct sp_process *process)
{
    struct sp_child child = sp_process_child(process);
    struct pollfd gone = {.fd = process->pidfd, .events = POLLIN};
    struct sp_exit end = sp_exit_peek(child);
    for (int turn = 0; turn < PEEKS_MOST && !end.known; turn++) {
        if (end.gone || sp_exit_is_replaced(child)) {
            return end;
        }
        (void)poll(&gone, 1, 1);
        end = sp_exit_peek(child);
    }
    return end;
}

enum sp_fault sp_worker_fault(const struct sp_worker *worker)
{
    enum sp_fault fault = sp_port_fault(worker->port);
    return fault == SP_FAULT_TOLD && atomic_load(&worker->signalled) ? SP_FAULT_NONE
                                                                     : fault;
}

bool sp_worker_was_told(const struct sp_worker *worker)
{
    const struct sp_exit *end = &worker->child.end;
    return sp_port_fault(worker->port) == SP_FAULT_TOLD &&
           (worker->leaves || !atomic_load(&worker->signalled)) &&
           (end->signal == SIGTERM || (end->known && end->signal == 0) ||
            atomic_load(&worker->killed_for) != NULL);
}

// A signal that the adapter has survived leaves a stack as well, which is of no
// interest later.
static void keep_stack(struct sp_worker *worker, const struct sp_exit *end)
{
    uint32_t of = sp_port_stack_of(worker->port);
    bool crashed = of != 0 && of != SP_STACK_OF_START && worker->late == NULL &&
                   (!end->known || (uint32_t)end->signal == of);
    if (crashed && atomic_load(&worker->killed_for) == NULL) {
        sp_port_stack(worker->port, worker->stack);
    }
}

// A caller may find the worker's end meanwhile, and wants the stack as well.
void sp_worker_keep_start(struct sp_worker *worker)
{
    pthread_mutex_lock(&worker->lost_lock);
    if (!worker->lost && sp_port_stack_of(worker->port) == SP_STACK_OF_START) {
        sp_port_stack(worker->port, worker->stack);
    }
    pthread_mutex_unlock(&worker->lost_lock);
}

void sp_worker_where(const struct sp_worker *worker, char *room, size_t size)
{
    char stage[SP_STAGE_MAX];
    room[0] = 0;
    if (worker->late == NULL) {
        return;
    }
    sp_port_stage(worker->port, stage);
    (void)snprintf(room,
                   size,
                   "it was %s%s%s",
                   stage[0] != 0 ? stage : "not yet at the import of its adapter",
                   worker->stack[0] != 0 ? "\n" : "",
                   worker->stack);
}

// A tool that replaces or stops its process, goes on when it is interrupted, uses more
// memory than it may, or writes what only the worker may write, is not to be sent
// again.
static bool may_be_a_tools_doing(const struct sp_worker *worker)
{
    return atomic_load(&worker->replaced) || atomic_load(&worker->silent) ||
           atomic_load(&worker->violated) || atomic_load(&worker->interrupted) ||
           atomic_load(&worker->blamed);
}

static enum sp_death death_by_us(const struct sp_worker *worker)
{
    const enum sp_death death = atomic_load(&worker->counts_as);
    return atomic_load(&worker->violated) ? SP_DEATH_VIOLATION
           : atomic_load(&worker->silent) ? SP_DEATH_SILENT
           : atomic_load(&worker->blamed) ? SP_DEATH_CALL
           : death != SP_DEATH_UNKNOWN    ? death
                                          : SP_DEATH_STOPPED;
}

enum sp_death sp_worker_death(struct sp_worker *worker)
{
    const struct sp_exit *end = &worker->child.end;
    pthread_mutex_lock(&worker->lost_lock);
    enum sp_oom memory = worker->memory;
    pthread_mutex_unlock(&worker->lost_lock);
    if (atomic_load(&worker->killed_for) != NULL) {
        return death_by_us(worker);
    }
    if (memory != SP_OOM_NO) {
        return SP_DEATH_MEMORY;
    }
    return !end->known        ? SP_DEATH_UNKNOWN
           : end->signal != 0 ? SP_DEATH_SIGNAL
                              : SP_DEATH_EXIT;
}

// Any thread, once: tells the owner that the calls of this worker can be failed.
static void report_loss(struct sp_worker *worker, const struct sp_exit *end)
{
    char cause[512];
    char tail[SP_TAIL_MAX + 1];
    pthread_mutex_lock(&worker->lost_lock);
    bool first = !worker->lost;
    worker->lost = true;
    if (first) {
        const char *because = atomic_load(&worker->killed_for);
        bool unasked = because == NULL && end->signal == SIGKILL;
        struct sp_exit told = *end;
        told.fault = sp_worker_fault(worker);
        told.served = atomic_load(&worker->served);
        enum sp_oom memory = unasked ? sp_oom_judge(&worker->oom_seen) : SP_OOM_NO;
        worker->memory = memory;
        sp_exit_describe(&told, because, memory, cause, sizeof cause);
        (void)sp_output_read(&worker->child.flow.outputs[1]);
        sp_output_tail(&worker->child.flow.outputs[1], tail, sizeof tail);
        keep_stack(worker, end);
        struct sp_worker_loss loss = {
            .cause = cause,
            .last_output = tail,
            .stack = worker->late == NULL ? worker->stack : "",
            .by_us = because != NULL && !may_be_a_tools_doing(worker),
            .violated = atomic_load(&worker->violated)};
        (void)snprintf(worker->cause, sizeof worker->cause, "%.255s", cause);
        worker->options.hooks.lost(worker->options.hooks.user, worker, &loss);
    }
    pthread_mutex_unlock(&worker->lost_lock);
}

// Watcher thread: what it may not kill is left to the loop, which hears of it by the
// heartbeats.
void sp_worker_lifeline_ended(void *user, enum sp_life life)
{
    struct sp_worker *worker = user;
    if (life == SP_LIFE_FORGED) {
        // It may still run: kill it, and wait for the exit that pidfd tells.
        atomic_store(&worker->violated, true);
        sp_worker_blame(worker, "it wrote to its lifeline");
        (void)sp_pidfd_signal(child_of(worker), SIGKILL);
        return;
    }
    struct sp_exit end = peek_patiently(&worker->child.process);
    if (!end.known && sp_exit_is_replaced(child_of(worker))) {
        atomic_store(&worker->replaced, true);
        sp_worker_blame(worker, "a tool has replaced its program (exec)");
    }
    // One that dies does not notice; one that has only written that it is dead would go
    // on without a seat.
    (void)sp_pidfd_signal(child_of(worker), SIGKILL);
    report_loss(worker, &end);
}

// ---- Exit ---------------------------------------------------------------------

void sp_worker_clear_group(struct sp_subprocess *child)
{
    struct sp_worker *worker = sp_worker_of(child);
    // The dead leader counts, so this may be refused where nobody is left.
    if (sp_pidfd_signal_group(child_of(worker), SIGKILL) == EPERM &&
        sp_others_remain(child_of(worker), &child->others.last)) {
        sp_log(worker->options.log,
               worker_left_behind,
               .pool = worker->options.pool,
               .worker = worker->options.id,
               .group = (uint64_t)child->process.pid,
               .because = strerrordesc_np(EPERM));
    }
    (void)sp_exit_reap(child_of(worker));
}

static void log_stack(const struct sp_worker *worker)
{
    if (worker->stack[0] != 0 && worker->late == NULL) {
        sp_log(worker->options.log,
               worker_crash,
               .pool = worker->options.pool,
               .worker = worker->options.id,
               .pid = (uint64_t)worker->child.process.pid,
               .stack = worker->stack);
    }
}

static void log_exit(struct sp_worker *worker)
{
    const struct sp_exit *end = &worker->child.end;
    bool told = sp_worker_was_told(worker);
    bool expected = told || worker->state == SP_WORKER_STOPPING;
    worker->expected = expected;
    sp_log_at(worker->options.log,
              expected ? SP_LOG_INFO : SP_LOG_WARNING,
              worker_exit,
              .pool = worker->options.pool,
              .worker = worker->options.id,
              .pid = (uint64_t)worker->child.process.pid,
              .code = sp_exit_code_told(end),
              .signal = sp_exit_signal_told(end),
              .expected = expected,
              .because = told ? "it was told to end by SIGTERM from outside" : NULL);
}

void sp_worker_exited(struct sp_subprocess *child)
{
    struct sp_worker *worker = sp_worker_of(child);
    report_loss(worker, &child->end);
    if (worker->watch != 0) {
        sp_watcher_remove(worker->options.watcher, worker->watch);
        worker->watch = 0;
    }
    sp_watch_stop(&worker->doorbell_watch);
    sp_timer_stop(&worker->heartbeat);
    sp_output_drain(&child->flow.outputs[0]);
    sp_output_drain(&child->flow.outputs[1]);
    sp_listener_part(worker->options.listener, &worker->events);
    log_stack(worker);
    log_exit(worker);
    sp_worker_enter(worker, SP_WORKER_EXITED);
    worker->options.hooks.exited(worker->options.hooks.user, worker);
}

void sp_worker_given_up(struct sp_subprocess *child, const char *why)
{
    struct sp_worker *worker = sp_worker_of(child);
    sp_worker_blame(worker, why);
    sp_log(worker->options.log,
           worker_given_up,
           .pool = worker->options.pool,
           .worker = worker->options.id,
           .pid = (uint64_t)child->process.pid,
           .because = why);
}

void sp_worker_gone(struct sp_subprocess *child)
{
    struct sp_worker *worker = sp_worker_of(child);
    worker->options.hooks.gone(worker->options.hooks.user, worker);
}
