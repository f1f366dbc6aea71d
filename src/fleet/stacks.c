// SPDX-License-Identifier: MIT
// The stacks of a worker are read on the thread that asks for them. The worker may end
// meanwhile: its segments stay, for we hold a reference, and its number is its own as
// long as nobody has reaped it.
#include <inttypes.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/pidfd.h"
#include "fleet/inside.h"
#include "inspect/threads.h"
#include "telemetry/notice.h"

#define ASKED_MS   80u   // that a reading may take for whoever asks for it
#define LOGGED_MS  20u   // and on the loop
#define LATE_MS    1u    // and for a call whose answer waits for it
#define LATE_BYTES 4096u // of the text of that
#define STACK_MAX  3000u // bytes of a stack in the log

struct asked {
    struct sp_fleet *fleet;
    uint64_t worker;
    uint64_t call; // only of the executor that runs this; 0: of all threads
    uint32_t time_ms;
    sp_worker_stack_fn *take;
    void *user;
};

static void take_stack(void *user, const struct sp_stack *stack)
{
    const struct asked *asked = user;
    struct sp_call_told call = {.stuck = false};
    if (stack->call != 0) {
        sp_pool_tell_call(
            asked->fleet->options.pool, asked->worker, stack->call, &call);
    }
    asked->take(asked->user, stack, &call);
}

// The port of a worker, with a reference for the caller; NULL: there is no such worker.
static struct sp_port *find(struct sp_fleet *fleet, uint64_t worker, pid_t *pid)
{
    struct sp_port *port = NULL;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count && worker != 0; i++) {
        const struct sp_fleet_row *row = &fleet->rows[i];
        if (row->info.id == worker) {
            port = row->port;
            *pid = row->info.pid;
            sp_port_ref(port);
            break;
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return port;
}

// As /proc names it; 0: it cannot be known.
static pid_t number_in_proc(pid_t pid)
{
    int pidfd = sp_descriptor_keep((int)syscall(SYS_pidfd_open, pid, 0));
    const pid_t number = pidfd < 0 ? 0 : sp_pidfd_number_in_proc(pidfd);
    sp_descriptor_close(&pidfd);
    return number;
}

static snakepit_err read_stacks(struct asked *asked,
                                const struct sp_port *port,
                                pid_t pid,
                                snakepit_message *why)
{
    struct sp_stacks_source source = {
        .view = &port->view,
        .pid = pid,
        .in_proc = number_in_proc(pid),
        .time_ms = asked->time_ms,
        .call = asked->call,
    };
    return sp_pid_is_ours(pid) ? sp_stacks_read(&source, take_stack, asked, why)
                               : SNAKEPIT_NOT_FOUND;
}

static snakepit_err ask(struct asked *asked, snakepit_message *why)
{
    pid_t pid = 0;
    struct sp_port *port = find(asked->fleet, asked->worker, &pid);
    if (port == NULL) {
        return SNAKEPIT_NOT_FOUND;
    }
    snakepit_err err = read_stacks(asked, port, pid, why);
    sp_port_unref(port);
    return err;
}

snakepit_err sp_fleet_stacks(struct sp_fleet *fleet,
                             uint64_t worker,
                             sp_worker_stack_fn *take,
                             void *user,
                             snakepit_message *why)
{
    struct asked asked = {.fleet = fleet,
                          .worker = worker,
                          .time_ms = ASKED_MS,
                          .take = take,
                          .user = user};
    return ask(&asked, why);
}

// ---- Threads that compute -----------------------------------------------------

#define WORKERS_SEEN 4u
#define SEEN_MS      3u // that a reading may take
#define PYTHONS_MOST 256u

// The threads of a worker that are Python's.
struct pythons {
    size_t count;
    uint64_t threads[PYTHONS_MOST];
};

static void
take_python(void *user, const struct sp_stack *stack, const struct sp_call_told *call)
{
    struct pythons *pythons = user;
    (void)call;
    if (stack->thread != 0 && pythons->count < PYTHONS_MOST) {
        pythons->threads[pythons->count++] = stack->thread;
    }
}

static uint32_t computing_in(struct sp_fleet *fleet, uint64_t worker)
{
    snakepit_message why;
    struct pythons pythons = {.count = 0};
    struct asked asked = {.fleet = fleet,
                          .worker = worker,
                          .time_ms = SEEN_MS,
                          .take = take_python,
                          .user = &pythons};
    pid_t pid = 0;
    struct sp_port *port = find(fleet, worker, &pid);
    if (port == NULL) {
        return 0;
    }
    const bool known = read_stacks(&asked, port, pid, &why) == SNAKEPIT_OK;
    sp_port_unref(port);
    const pid_t number = known ? number_in_proc(pid) : 0;
    return number == 0 ? 0
                       : sp_threads_computing(number, pythons.threads, pythons.count);
}

// The first ones that have a process.
static size_t first_workers(struct sp_fleet *fleet, uint64_t workers[WORKERS_SEEN])
{
    size_t count = 0;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count && count < WORKERS_SEEN; i++) {
        if (fleet->rows[i].info.id != 0) {
            workers[count++] = fleet->rows[i].info.id;
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return count;
}

uint32_t sp_fleet_computing(struct sp_fleet *fleet)
{
    uint64_t workers[WORKERS_SEEN];
    uint32_t most = 0;
    const size_t count = first_workers(fleet, workers);
    for (size_t i = 0; i < count; i++) {
        const uint32_t computing = computing_in(fleet, workers[i]);
        most = computing > most ? computing : most;
    }
    return most;
}

// ---- The log ------------------------------------------------------------------

static void append_frame(struct sp_buf *text, const struct sp_code_place *place)
{
    (void)sp_buf_printf(text,
                        "%sFile \"%s\", line %" PRIu32 " in %s",
                        text->size > 0 ? "\n" : "",
                        place->file,
                        place->line,
                        place->function);
}

static void write_stack(struct sp_buf *text, const struct sp_stack *stack, size_t most)
{
    for (uint32_t i = 0; i < stack->frames->count && text->size < most; i++) {
        append_frame(text, &stack->frames->places[i]);
    }
}

// What is logged of a worker whose calls are stuck. An executor that puts the answer of
// its call together says that it runs none. So where none says that it runs one that is
// stuck, the deepest of these stacks stands for it.
struct noting {
    const struct sp_worker *worker;
    bool told;
    uint32_t depth;
    char state;
    struct sp_buf stack; // of `depth` frames
};

// `stack` need not end with a 0.
static void log_stuck(const struct sp_worker *worker,
                      const struct sp_stack *at,
                      const char *tool,
                      const struct sp_buf *stack)
{
    sp_log(worker->options.log,
           worker_stuck,
           .pool = worker->options.pool,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .call = at->call,
           .tool = tool,
           .running_ms = at->running_us / 1000,
           .state = sp_threads_state_name(at->state),
           .stack = stack->size > 0 ? (const char *)stack->data : "");
}

static void
note_stack(void *user, const struct sp_stack *stack, const struct sp_call_told *call)
{
    struct noting *noting = user;
    if (call->stuck) {
        struct sp_buf text = {0};
        write_stack(&text, stack, STACK_MAX);
        log_stuck(noting->worker, stack, call->tool, &text);
        sp_buf_fini(&text);
        noting->told = true;
    } else if (stack->executor != SP_NO_EXECUTOR && stack->call == 0 &&
               stack->frames->count > noting->depth) {
        noting->depth = stack->frames->count;
        noting->state = stack->state;
        noting->stack.size = 0;
        write_stack(&noting->stack, stack, STACK_MAX);
    }
}

// Of a call that no executor says it runs.
static void log_unnamed(const struct sp_fleet *fleet, const struct noting *noting)
{
    struct sp_call_told call;
    uint64_t since_ms;
    struct sp_stack at = {.state = noting->state};
    at.call = sp_pool_tell_stuck(
        fleet->options.pool, noting->worker->options.id, &call, &since_ms);
    at.running_us = since_ms * 1000;
    if (at.call != 0) {
        log_stuck(noting->worker, &at, call.tool, &noting->stack);
    }
}

void sp_fleet_note_stuck(const struct sp_occupant *occupant)
{
    snakepit_message why;
    struct noting noting = {.worker = occupant->worker};
    struct asked asked = {.fleet = occupant->fleet,
                          .worker = occupant->worker->options.id,
                          .time_ms = LOGGED_MS,
                          .take = note_stack,
                          .user = &noting};
    (void)ask(&asked, &why);
    if (!noting.told) {
        log_unnamed(occupant->fleet, &noting);
    }
    sp_buf_fini(&noting.stack);
}

// ---- Calls whose time is up ---------------------------------------------------

static void
keep_stack(void *user, const struct sp_stack *stack, const struct sp_call_told *call)
{
    (void)call;
    write_stack(user, stack, LATE_BYTES);
}

void sp_fleet_where(struct sp_fleet *fleet,
                    uint64_t worker,
                    uint64_t call,
                    struct sp_buf *text)
{
    snakepit_message why;
    struct asked asked = {.fleet = fleet,
                          .worker = worker,
                          .call = call,
                          .time_ms = LATE_MS,
                          .take = keep_stack,
                          .user = text};
    (void)ask(&asked, &why);
}
