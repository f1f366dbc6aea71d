// SPDX-License-Identifier: MIT
// The one thing to know: only an observed exit ends it. Each signal that does not lead
// there is followed by a timer and a stronger one. A host that has changed its user may
// not signal it any more. Its channel still reaches it: one whose channel has ended
// takes its host for dead, and ends itself. One that does not even do that is given up.
#include "process/subprocess.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/system.h"
#include "telemetry/notice.h"

#define GIVE_UP_MS    1000u // at least, for one that we may not signal
#define OF_ANOTHER_ID "has the program changed its user since it opened the pit?"

// ---- The end ------------------------------------------------------------------

static void report_gone(struct sp_task *task)
{
    struct sp_subprocess *child = SP_ENTRY(task, struct sp_subprocess, burial);
    child->kind->gone(child);
}

static void stop_watching(struct sp_subprocess *child)
{
    sp_watch_stop(&child->channel_watch);
    sp_watch_stop(&child->exit_watch); // which would be ready for ever
    sp_timer_stop(&child->timer);
}

// Nothing is read or asked any more; its place is free.
static void leave(struct sp_subprocess *child)
{
    child->over = true;
    child->kind->exited(child);
    stop_watching(child);
}

static void finish(struct sp_subprocess *child)
{
    sp_flow_finish(&child->flow);
    sp_flow_stop(&child->flow);
    if (child->kind->finished != NULL) {
        child->kind->finished(child);
    }
    sp_loop_later(child->options.loop, &child->burial, report_gone);
}

static void on_alone(struct sp_others *others)
{
    struct sp_subprocess *child = SP_ENTRY(others, struct sp_subprocess, others);
    child->kind->clear_group(child);
    finish(child);
}

static void on_exit_ready(struct sp_watch *watch)
{
    struct sp_subprocess *child = SP_ENTRY(watch, struct sp_subprocess, exit_watch);
    struct sp_exit end = sp_exit_peek(sp_subprocess_child(child));
    if ((!end.known && !end.gone) || child->over) {
        return;
    }
    child->end = end;
    leave(child);
    if (!sp_others_ask(&child->others,
                       child->options.loop,
                       sp_subprocess_child(child),
                       child->options.stop_grace_ms,
                       on_alone)) {
        on_alone(&child->others);
    }
}

static void on_given_up(struct sp_timer *timer)
{
    struct sp_subprocess *child = sp_subprocess_of_timer(timer);
    child->kind->given_up(child,
                          "the program may not signal it, and so could not stop it");
    leave(child);
    finish(child);
}

// ---- Signals ------------------------------------------------------------------

static void report_denial(struct sp_subprocess *child)
{
    const struct sp_flow_options *of = &child->flow.options;
    const char *because = strerrordesc_np(EPERM);
    const uint64_t pid = (uint64_t)child->process.pid;
    child->denied = true;
    if (child->kind->denied != NULL) {
        child->kind->denied(child);
    }
    if (of->worker == 0) {
        sp_log(child->options.log,
               template_cannot_signal,
               .pool = of->pool,
               .pid = pid,
               .because = because,
               .remedy = OF_ANOTHER_ID);
    } else {
        sp_log(child->options.log,
               worker_cannot_signal,
               .pool = of->pool,
               .worker = of->worker,
               .pid = pid,
               .because = because,
               .remedy = OF_ANOTHER_ID);
    }
}

// It is reported once; every SIGKILL that is refused ends in the child being given up.
static void note_denial(struct sp_subprocess *child, int number)
{
    uint32_t grace = child->options.stop_grace_ms;
    if (!child->denied) {
        report_denial(child);
    }
    if (number == SIGKILL) {
        (void)shutdown(child->process.channel, SHUT_RDWR);
        sp_subprocess_wait(child, on_given_up, grace > GIVE_UP_MS ? grace : GIVE_UP_MS);
    }
}

void sp_subprocess_signal(struct sp_subprocess *child, int number, bool group)
{
    if (!child->born || child->over) {
        return;
    }
    struct sp_child leader = sp_subprocess_child(child);
    if (group && sp_pidfd_signal_group(leader, number) == 0 &&
        getpgid(leader.pid) == leader.pid) {
        return; // a second SIGTERM would interrupt what the first one asks for
    }
    // It may have left its group.
    if (sp_pidfd_signal(leader, number) == EPERM) {
        note_denial(child, number);
    }
}

// ---- The ladder ---------------------------------------------------------------

void sp_subprocess_wait(struct sp_subprocess *child, sp_timer_fn *fire, uint64_t ms)
{
    sp_timer_start(child->options.loop, &child->timer, fire, ms, 0);
}

static void on_last_grace_over(struct sp_timer *timer)
{
    struct sp_subprocess *child = sp_subprocess_of_timer(timer);
    child->kind->kill(child);
}

void sp_subprocess_give_last_grace(struct sp_subprocess *child)
{
    sp_subprocess_wait(child, on_last_grace_over, child->options.stop_grace_ms);
}

static void on_grace_over(struct sp_timer *timer)
{
    struct sp_subprocess *child = sp_subprocess_of_timer(timer);
    child->kind->terminate(child);
    sp_subprocess_give_last_grace(child);
}

void sp_subprocess_give_grace(struct sp_subprocess *child)
{
    sp_subprocess_wait(child, on_grace_over, child->options.stop_grace_ms);
}

// ---- Messages -----------------------------------------------------------------

// Reads no more from its channel. `why` is NULL, or what it is killed for. Always
// false.
static bool stop_reading(struct sp_subprocess *child, const char *why)
{
    sp_watch_stop(&child->channel_watch);
    if (why != NULL) {
        child->kind->violated(child, why);
    }
    return false;
}

static bool take(struct sp_subprocess *child,
                 const struct sp_message_head *head,
                 const uint8_t *body)
{
    if (!sp_bucket_take(&child->messages, 1, sp_clock_coarse())) {
        return stop_reading(child, "it sent more messages than there is a reason for");
    }
    child->kind->message(child, head, body);
    return true;
}

// False: nothing more is to be read.
static bool note_unreadable(struct sp_subprocess *child, snakepit_err err)
{
    if (err == SNAKEPIT_NOT_FOUND) {
        return false;
    }
    if (err == SNAKEPIT_PROTOCOL) {
        return stop_reading(child, "it sent bytes that are not a message");
    }
    if (child->kind->unreadable != NULL) {
        child->kind->unreadable(child, err);
    }
    // What had no room is gone from the channel, and another message may follow.
    return err == SNAKEPIT_SYSTEM || stop_reading(child, NULL);
}

// False: nothing more is to be read now.
static bool read_message(struct sp_subprocess *child)
{
    const struct sp_subprocess_kind *kind = child->kind;
    bool may_be_large = kind->may_be_large != NULL && kind->may_be_large(child);
    struct sp_message_head head;
    struct sp_buf large = {0};
    const uint8_t *body;
    snakepit_err err = sp_channel_receive_large(child->process.channel,
                                                child->options.inbox->room,
                                                &head,
                                                &body,
                                                may_be_large ? &large : NULL);
    if (err != SNAKEPIT_OK) {
        return note_unreadable(child, err);
    }
    child->said_much = child->said_much || large.data != NULL;
    bool goes_on = take(child, &head, body);
    sp_buf_fini(&large);
    return goes_on;
}

void sp_subprocess_read(struct sp_subprocess *child, int most)
{
    for (int i = 0; i < most && read_message(child); i++) {
    }
}

static void on_channel(struct sp_watch *watch)
{
    sp_subprocess_read(SP_ENTRY(watch, struct sp_subprocess, channel_watch),
                       SP_MESSAGES_A_TURN);
}

// ---- The start ----------------------------------------------------------------

static void on_late(struct sp_timer *timer)
{
    struct sp_subprocess *child = sp_subprocess_of_timer(timer);
    child->kind->late(child,
                      "it was not ready within start_timeout_ms; raise that, or make "
                      "the adapter's import and initialize() faster");
}

void sp_subprocess_init(struct sp_subprocess *child,
                        const struct sp_subprocess_kind *kind,
                        const struct sp_subprocess_options *options)
{
    child->kind = kind;
    child->options = *options;
    child->started_at = sp_clock_now();
}

// A process whose exit could not be observed must not be.
snakepit_err sp_subprocess_watch_exit(struct sp_subprocess *child,
                                      snakepit_message *why)
{
    snakepit_err err = sp_watch_start(&child->exit_watch,
                                      child->options.loop,
                                      child->process.pidfd,
                                      on_exit_ready,
                                      why);
    if (err != SNAKEPIT_OK) {
        sp_process_end(&child->process);
    }
    return err;
}

snakepit_err sp_subprocess_begin(struct sp_subprocess *child, snakepit_message *why)
{
    const struct sp_subprocess_options *options = &child->options;
    const struct sp_flow_options printed = {
        .loop = options->loop,
        .log = options->log,
        .pool = options->pool,
        .worker = options->worker,
        .fds = {child->process.output, child->process.errors},
    };
    child->born = true;
    sp_bucket_init(
        &child->messages, SP_MESSAGES_AT_ONCE, SP_MESSAGES_A_SECOND, sp_clock_coarse());
    sp_flow_start(&child->flow, &printed);
    sp_subprocess_wait(child, on_late, options->start_timeout_ms);
    return sp_watch_start(
        &child->channel_watch, options->loop, child->process.channel, on_channel, why);
}

void sp_subprocess_discard(struct sp_subprocess *child)
{
    child->over = true;
    stop_watching(child);
    sp_flow_stop(&child->flow);
    sp_process_end(&child->process);
}

// `err` is what sp_channel_send() has returned, with errno.
static void explain_unsent(snakepit_message *why, snakepit_err err)
{
    if (err == SNAKEPIT_SYSTEM) {
        (void)sp_system_failed(why, "sendmsg", NULL, "of its configuration");
    } else {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "its configuration is over the %u MiB of one message",
                       SP_LARGE_MAX >> 20);
    }
}

snakepit_err sp_subprocess_configure(struct sp_subprocess *child,
                                     struct sp_slice config,
                                     snakepit_message *why)
{
    snakepit_err err = sp_channel_send(
        child->process.channel, SP_MESSAGE_CONFIG, config.data, config.size);
    if (err != SNAKEPIT_OK) {
        explain_unsent(why, err);
    }
    return err;
}

void sp_subprocess_fini(struct sp_subprocess *child)
{
    if (child->born) {
        sp_flow_fini(&child->flow);
    }
    sp_process_close(&child->process);
    sp_cgroup_remove(&child->cgroup);
}
