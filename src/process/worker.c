// SPDX-License-Identifier: MIT
// What a worker says while it lives, and what is said to it. Its messages are claims of
// a peer that is not trusted: each is judged by its size and by the state it comes in.
#include "process/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "ipc/lifeline.h"
#include "ipc/wait.h"
#include "process/birth.h"
#include "process/report.h"
#include "telemetry/notice.h"

#define PROBE_CALL    UINT64_MAX // number of the first call, which is our own
#define CUT_MS        500u       // that a worker may live without its channel
#define RINGS_MOST    100u       // of its bell before that is answered; one is enough
#define LOOK_EVERY_MS 50u        // whether one that leaves still runs calls
#define WHERE_MS      500u       // that a late start has to say where it is

// ---- Start --------------------------------------------------------------------

static void set_failure(struct sp_worker *worker, const char *text)
{
    if (worker->failure[0] == 0) {
        (void)snprintf(worker->failure, sizeof worker->failure, "%s", text);
    }
}

void sp_worker_fail_start(struct sp_worker *worker, const char *why)
{
    worker->failed = true;
    set_failure(worker, why);
    sp_worker_kill(worker, why);
}

void sp_worker_fail_for_want(struct sp_worker *worker, const snakepit_message *why)
{
    worker->wants = true;
    set_failure(worker, why->text);
    sp_worker_fail_start(worker, "the system refused what its start needs");
}

// Reads a bell without waiting, whatever the worker, which shares its description, has
// made of it.
static bool silence(int doorbell)
{
    uint64_t count;
    struct iovec place = {&count, sizeof count};
    ssize_t got = preadv2(doorbell, &place, 1, -1, RWF_NOWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
        // Before Linux 5.8, or where a sandbox refuses the call: a worker could make
        // this wait, if it were quick.
        (void)fcntl(doorbell, F_SETFL, O_NONBLOCK);
        got = read(doorbell, &count, sizeof count);
    }
    return got > 0;
}

static void let_leave(struct sp_worker *worker);
static void on_where(struct sp_worker *worker);

static void on_doorbell(struct sp_watch *watch)
{
    struct sp_worker *worker = watch->user;
    uint32_t slot;
    bool asks;
    struct sp_port_answer answer;
    if (++worker->rings < RINGS_MOST && !silence(worker->port->doorbell)) {
        return;
    }
    snakepit_err err = sp_port_next_done(worker->port, &slot, &asks);
    if (err == SNAKEPIT_NOT_FOUND && worker->rings < RINGS_MOST) {
        return;
    }
    if (err != SNAKEPIT_OK || slot != worker->probe_slot ||
        sp_port_take_answer(worker->port, slot, &answer) != SNAKEPIT_OK ||
        answer.status != SP_STATUS_OK) {
        sp_watch_stop(watch);
        sp_worker_fail_start(worker, "its first answer made no sense");
        return;
    }
    sp_watch_stop(watch);
    if (worker->state == SP_WORKER_STARTING) {
        sp_timer_stop(&worker->child.timer);
        worker->late = NULL; // after all
        atomic_store(&worker->served, true);
        sp_worker_enter(worker, SP_WORKER_ANSWERED);
        worker->options.hooks.ready(worker->options.hooks.user, worker);
        if (worker->leaves) {
            let_leave(worker);
        }
    }
}

// Nobody else uses the port yet, so its lock is the loop itself.
static void send_probe(struct sp_worker *worker)
{
    struct sp_slot_request request = {.call = PROBE_CALL,
                                      .lease = SP_NO_LEASE,
                                      .deadline = SP_NEVER,
                                      .kind = SP_CALL_PROBE};
    struct sp_port *port = worker->port;
    snakepit_message why;
    worker->probed = true;
    worker->doorbell_watch.user = worker;
    if (sp_watch_start(&worker->doorbell_watch,
                       worker->options.loop,
                       port->doorbell,
                       on_doorbell,
                       &why) != SNAKEPIT_OK) {
        sp_worker_fail_for_want(worker, &why);
        return;
    }
    atomic_store_explicit(&port->view.header->asleep, UINT64_MAX, memory_order_seq_cst);
    SP_CHECK(sp_port_submit(port, &request, true, worker, &worker->probe_slot));
    (void)sp_port_ring(port);
}

// ---- Leaving ------------------------------------------------------------------

// What it runs has its own deadlines; when that has ended, the worker has as long as
// any other one that is to leave.
static void on_look(struct sp_timer *timer)
{
    struct sp_worker *worker = sp_worker_of(sp_subprocess_of_timer(timer));
    if (!worker->options.hooks.is_busy(worker->options.hooks.user, worker)) {
        sp_worker_stop(worker);
    }
}

// One that is not ready yet ends at once, and one that was to stop is looked after.
static void let_leave(struct sp_worker *worker)
{
    if (worker->state != SP_WORKER_READY) {
        return;
    }
    sp_log(worker->options.log,
           worker_leaving,
           .pool = worker->options.pool,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .because = "it was told to end by SIGTERM from outside");
    sp_worker_enter(worker, SP_WORKER_DRAIN);
    worker->options.hooks.leaving(worker->options.hooks.user, worker);
    sp_timer_start(worker->options.loop,
                   &worker->child.timer,
                   on_look,
                   LOOK_EVERY_MS,
                   LOOK_EVERY_MS);
}

// ---- Messages -----------------------------------------------------------------

static void on_hello(struct sp_worker *worker, const uint8_t *body, uint32_t size)
{
    struct sp_hello hello;
    if (size != sizeof hello || worker->watch != 0) {
        atomic_store(&worker->violated, true);
        sp_worker_fail_start(worker, "its greeting made no sense");
        return;
    }
    memcpy(&hello, body, sizeof hello);
    if (hello.version != SP_LAYOUT_VERSION || hello.tid <= 0) {
        sp_worker_fail_start(
            worker, "its snakepit_bridge is of another version than the library");
        return;
    }
    worker->greeted = true;
    if (worker->options.watcher != NULL) {
        // Without a watch the pidfd tells of the death, only later.
        (void)sp_watcher_add(worker->options.watcher,
                             &worker->port->view.header->lifeline,
                             hello.tid,
                             sp_worker_lifeline_ended,
                             worker,
                             &worker->watch);
    }
}

static void on_ready(struct sp_worker *worker, const uint8_t *body, uint32_t size)
{
    if (worker->probed) {
        sp_worker_kill_for_violation(worker, "it said twice that it is ready");
        return;
    }
    if (worker->state != SP_WORKER_STARTING) {
        return;
    }
    sp_worker_read_info(&worker->info, body, size);
    sp_worker_read_idempotent(&worker->idempotent, body, size);
    sp_worker_read_sources(&worker->sources, body, size);
    sp_worker_read_batches(&worker->batches, body, size);
    send_probe(worker);
}

static void on_failed(struct sp_worker *worker, const uint8_t *body, uint32_t size)
{
    if (worker->probed) {
        sp_worker_kill_for_violation(
            worker, "it said that its start had failed, when it was ready");
        return;
    }
    worker->failed = true;
    worker->adapter_failed = true;
    sp_worker_read_failure(worker->failure, sizeof worker->failure, body, size);
}

static void on_gil(struct sp_worker *worker)
{
    worker->info.gil_enabled = true;
    if (worker->state == SP_WORKER_READY) {
        worker->options.hooks.gil(worker->options.hooks.user, worker);
    }
}

static void on_leaving(struct sp_worker *worker)
{
    bool unasked =
        worker->state == SP_WORKER_STARTING || worker->state == SP_WORKER_READY;
    if (unasked && !worker->leaves) {
        worker->leaves = true;
        let_leave(worker);
    } else if (worker->state == SP_WORKER_DRAINING &&
               !atomic_exchange(&worker->interrupted, true)) {
        sp_subprocess_give_last_grace(&worker->child);
    }
}

static void on_mapped(struct sp_worker *worker, const uint8_t *body)
{
    struct sp_mapped mapped;
    memcpy(&mapped, body, sizeof mapped);
    worker->options.hooks.mapped(
        worker->options.hooks.user, worker, mapped.serial, mapped.error == 0);
}

// The bodies whose size their type tells; the others are judged as they are read.
static bool has_its_size(const struct sp_message_head *head)
{
    switch (head->type) {
    case SP_MESSAGE_PONG:
        return head->size == sizeof(uint64_t);
    case SP_MESSAGE_MAPPED:
        return head->size == sizeof(struct sp_mapped);
    case SP_MESSAGE_GIL:
    case SP_MESSAGE_LEAVING:
    case SP_MESSAGE_EVENTS:
    case SP_MESSAGE_WHERE:
        return head->size == 0;
    default:
        return true;
    }
}

static void take_message(struct sp_subprocess *child,
                         const struct sp_message_head *head,
                         const uint8_t *body)
{
    struct sp_worker *worker = sp_worker_of(child);
    if (!has_its_size(head)) {
        sp_worker_kill_for_violation(worker, "it sent a message of a wrong size");
        return;
    }
    switch (head->type) {
    case SP_MESSAGE_HELLO:
        on_hello(worker, body, head->size);
        break;
    case SP_MESSAGE_READY:
        on_ready(worker, body, head->size);
        break;
    case SP_MESSAGE_FAILED:
        on_failed(worker, body, head->size);
        break;
    case SP_MESSAGE_PONG:
        worker->missed = 0;
        break;
    case SP_MESSAGE_GIL:
        on_gil(worker);
        break;
    case SP_MESSAGE_LEAVING:
        on_leaving(worker);
        break;
    case SP_MESSAGE_WHERE:
        on_where(worker);
        break;
    case SP_MESSAGE_MAPPED:
        on_mapped(worker, body);
        break;
    case SP_MESSAGE_EVENTS:
        sp_listener_notice(worker->options.listener, &worker->events);
        break;
    default:
        sp_worker_kill_for_violation(worker, "it sent a message that does not exist");
    }
}

// What grows with the adapter is said once, at the start: a worker that has more to say
// makes the host read for nothing.
static bool may_be_large(struct sp_subprocess *child)
{
    return sp_worker_of(child)->state == SP_WORKER_STARTING && !child->said_much;
}

// Its channel has ended some time ago, and it lives.
static void on_cut_off(struct sp_timer *timer)
{
    static const char why[] =
        "its adapter or a tool has shut down its connection to the host (shutdown())";
    struct sp_worker *worker = timer->user;
    struct sp_exit end = sp_exit_peek(sp_subprocess_child(&worker->child));
    // Where we may not signal it we have ended the channel ourselves.
    if (end.known || end.gone || worker->child.denied ||
        worker->state == SP_WORKER_STOPPING || worker->state == SP_WORKER_DEAD) {
        return;
    }
    atomic_store(&worker->silent, true);
    if (worker->state == SP_WORKER_STARTING) {
        sp_worker_fail_start(worker, why);
    } else {
        sp_worker_kill(worker, why);
    }
}

static void cannot_read(struct sp_subprocess *child, snakepit_err err)
{
    struct sp_worker *worker = sp_worker_of(child);
    if (err == SNAKEPIT_SYSTEM) {
        // The next worker may find more descriptors and memory.
        set_failure(worker, strerrordesc_np(errno));
        sp_worker_fail_start(worker, "the host had no room for what its tools are");
    } else {
        // No heartbeat comes back; and one that dies will be gone by then.
        sp_timer_start(worker->options.loop, &worker->heartbeat, on_cut_off, CUT_MS, 0);
    }
}

static void violated(struct sp_subprocess *child, const char *why)
{
    sp_worker_kill_for_violation(sp_worker_of(child), why);
}

// ---- Timers -------------------------------------------------------------------

static void fail_late(struct sp_worker *worker)
{
    char where[SP_WHERE_MAX];
    if (worker->told_late) {
        return;
    }
    worker->told_late = true;
    sp_timer_stop(&worker->child.timer);
    sp_worker_keep_start(worker);
    sp_worker_where(worker, where, sizeof where);
    sp_log(worker->options.log,
           worker_late,
           .pool = worker->options.pool,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .where = where);
    sp_worker_fail_start(worker, worker->late);
}

static void on_where_unsaid(struct sp_timer *timer)
{
    fail_late(sp_worker_of(sp_subprocess_of_timer(timer)));
}

// It has come to its end meanwhile where it is not STARTING.
static void on_where(struct sp_worker *worker)
{
    if (!worker->asked_where) {
        sp_worker_kill_for_violation(worker, "it said where it is, and was not asked");
    } else if (worker->state == SP_WORKER_STARTING) {
        fail_late(worker);
    }
}

// One that hangs is asked where first. Only its service thread has to answer.
static void late(struct sp_subprocess *child, const char *why)
{
    struct sp_worker *worker = sp_worker_of(child);
    worker->late = why;
    worker->asked_where = worker->greeted;
    if (worker->greeted &&
        sp_channel_send(child->process.channel, SP_MESSAGE_WHERE, NULL, 0) ==
            SNAKEPIT_OK) {
        sp_subprocess_wait(child, on_where_unsaid, WHERE_MS);
    } else {
        fail_late(worker);
    }
}

static void terminate(struct sp_subprocess *child)
{
    sp_worker_signal(sp_worker_of(child), SIGTERM, true);
}

static void end(struct sp_subprocess *child)
{
    sp_worker_kill(sp_worker_of(child), "it did not leave after SIGTERM");
}

static void on_heartbeat(struct sp_timer *timer)
{
    struct sp_worker *worker = timer->user;
    // Until it has greeted nobody is there to answer, and start_timeout_ms judges.
    if (!worker->greeted) {
        return;
    }
    if (worker->missed >= worker->options.heartbeat_max_missed) {
        sp_timer_stop(timer);
        atomic_store(&worker->silent, true);
        sp_worker_kill(worker, "it did not answer its heartbeats");
        return;
    }
    worker->missed++;
    uint64_t number = sp_clock_now();
    (void)sp_channel_send(
        worker->child.process.channel, SP_MESSAGE_PING, &number, sizeof number);
}

void sp_worker_ask_to_leave(struct sp_worker *worker, bool by_message)
{
    if (!by_message ||
        sp_channel_send(worker->child.process.channel, SP_MESSAGE_STOP, NULL, 0) !=
            SNAKEPIT_OK) {
        sp_worker_signal(worker, SIGTERM, true);
    }
    sp_subprocess_give_grace(&worker->child);
}

void sp_worker_stop(struct sp_worker *worker)
{
    if (worker->state == SP_WORKER_DEAD || worker->state == SP_WORKER_STOPPING) {
        return;
    }
    // One that has not started would only read the message when it has.
    bool starting = worker->state == SP_WORKER_STARTING;
    sp_worker_enter(worker, SP_WORKER_STOP);
    if (worker->child.born) {
        sp_worker_ask_to_leave(worker, !starting);
    }
}

bool sp_worker_cancel(struct sp_worker *worker, uint64_t call, uint32_t slot)
{
    struct sp_cancel cancel = {.call = call, .slot = slot};
    return sp_channel_send(worker->child.process.channel,
                           SP_MESSAGE_CANCEL,
                           &cancel,
                           sizeof cancel) == SNAKEPIT_OK;
}

bool sp_worker_map(
    struct sp_worker *worker, uint32_t window, uint64_t serial, int fd, uint64_t size)
{
    const struct sp_map map = {.serial = serial, .size = size, .window = window};
    return sp_channel_send_with(worker->child.process.channel,
                                SP_MESSAGE_MAP,
                                &map,
                                sizeof map,
                                &fd,
                                1) == SNAKEPIT_OK;
}

bool sp_worker_unmap(struct sp_worker *worker, uint32_t window, uint64_t serial)
{
    const struct sp_map map = {.serial = serial, .window = window};
    return sp_channel_send(
               worker->child.process.channel, SP_MESSAGE_UNMAP, &map, sizeof map) ==
           SNAKEPIT_OK;
}

// ---- Watching -----------------------------------------------------------------

const struct sp_subprocess_kind sp_worker_kind = {
    .message = take_message,
    .may_be_large = may_be_large,
    .unreadable = cannot_read,
    .violated = violated,
    .late = late,
    .terminate = terminate,
    .kill = end,
    .denied = sp_worker_denied,
    .given_up = sp_worker_given_up,
    .exited = sp_worker_exited,
    .clear_group = sp_worker_clear_group,
    .gone = sp_worker_gone,
};

void sp_worker_watch(struct sp_worker *worker)
{
    snakepit_message why;
    uint32_t interval = worker->options.heartbeat_interval_ms;
    snakepit_err err = sp_subprocess_begin(&worker->child, &why);
    worker->heartbeat.user = worker;
    sp_timer_start(
        worker->options.loop, &worker->heartbeat, on_heartbeat, interval, interval);
    if (err != SNAKEPIT_OK) {
        sp_worker_fail_for_want(worker, &why);
    }
}
