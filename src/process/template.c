// SPDX-License-Identifier: MIT
// The one thing to know: a process that the template forks is in the template's group
// until its answer was heard here. A process of that group that is our child can only
// be such a fork, so a number that a template makes up is found out; and when the
// template has died, a fork that it told nobody of is found in its group and reaped.
#include "process/template.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/system.h"
#include "ipc/channel.h"
#include "payload/reader.h"
#include "process/report.h"

#define MESSAGES_A_TURN 64
#define LAST_MESSAGES   4096  // more than a socket holds
#define GIVE_UP_MS      1000u // at least, for one that we may not signal

static void on_start_timeout(struct sp_timer *timer);
static void on_fork_timeout(struct sp_timer *timer);

// ---- Ending it ----------------------------------------------------------------

static void set_reason(struct sp_template *template, const char *reason)
{
    if (template->reason[0] == 0) {
        (void)snprintf(template->reason, sizeof template->reason, "%s", reason);
    }
}

static void start_timer(struct sp_template *template, sp_timer_fn *fire, uint64_t ms)
{
    sp_timer_start(template->options.loop, &template->timer, fire, ms, 0);
}

static void on_given_up(struct sp_timer *timer);

// A host that has changed its user may not signal its template any more. One that waits
// for orders leaves when its channel ends; one that does not is given up.
static void note_denial(struct sp_template *template, int number)
{
    uint32_t grace = template->options.stop_grace_ms;
    sp_log(template->options.log,
           SP_LOG_ERROR,
           "template.cannot_signal",
           "pool=%s pid=%d because=\"%s\"",
           template->options.pool,
           (int)template->process.pid,
           strerrordesc_np(EPERM));
    if (number == SIGKILL) {
        (void)shutdown(template->process.channel, SHUT_RDWR);
        start_timer(template, on_given_up, grace > GIVE_UP_MS ? grace : GIVE_UP_MS);
    }
}

// Not its group: forks that it has not told of yet are in there. They follow when its
// exit was observed.
static void signal_template(struct sp_template *template, int number)
{
    if (template->state != SP_TEMPLATE_DEAD &&
        sp_pidfd_signal(sp_process_child(&template->process), number) == EPERM) {
        note_denial(template, number);
    }
}

static void kill_template(struct sp_template *template, const char *reason)
{
    set_reason(template, reason);
    if (template->state != SP_TEMPLATE_DEAD) {
        template->state = SP_TEMPLATE_STOPPING;
    }
    sp_timer_stop(&template->timer);
    signal_template(template, SIGKILL);
}

static void on_kill_timeout(struct sp_timer *timer)
{
    struct sp_template *template = timer->user;
    signal_template(template, SIGKILL);
}

static void on_stop_timeout(struct sp_timer *timer)
{
    struct sp_template *template = timer->user;
    signal_template(template, SIGTERM);
    start_timer(template, on_kill_timeout, template->options.stop_grace_ms);
}

void sp_template_stop(struct sp_template *template)
{
    bool importing = template->state == SP_TEMPLATE_STARTING;
    template->wanted_gone = true;
    if (template->state == SP_TEMPLATE_DEAD ||
        template->state == SP_TEMPLATE_STOPPING) {
        return;
    }
    template->state = SP_TEMPLATE_STOPPING;
    (void)shutdown(template->process.channel, SHUT_WR);
    // One that imports would only see that when it has done so.
    if (importing) {
        signal_template(template, SIGTERM);
    }
    start_timer(template, on_stop_timeout, template->options.stop_grace_ms);
}

// ---- Forks --------------------------------------------------------------------

static struct sp_fork *oldest(struct sp_template *template)
{
    return SP_ENTRY(template->pending.next, struct sp_fork, link);
}

static void end_oldest(struct sp_template *template, pid_t pid)
{
    struct sp_fork *fork = oldest(template);
    SP_CHECK(sp_link_used(&fork->link) && fork->link.previous == &template->pending);
    sp_list_remove(&fork->link);
    fork->done(fork->user, pid);
}

static void watch_oldest(struct sp_template *template)
{
    if (template->state != SP_TEMPLATE_READY) {
        return;
    }
    if (sp_list_empty(&template->pending)) {
        sp_timer_stop(&template->timer);
    } else {
        start_timer(template, on_fork_timeout, template->options.fork_timeout_ms);
    }
}

snakepit_err sp_template_fork(struct sp_template *template,
                              const struct sp_spawn_options *worker,
                              struct sp_process *process,
                              struct sp_fork *fork)
{
    if (template->state != SP_TEMPLATE_READY) {
        return SNAKEPIT_UNSUPPORTED;
    }
    bool first = sp_list_empty(&template->pending);
    snakepit_err err = sp_spawn_fork(
        worker, template->process.channel, template->last_ticket + 1, process);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    fork->ticket = ++template->last_ticket;
    sp_list_append(&template->pending, &fork->link);
    if (first) {
        watch_oldest(template);
    }
    return SNAKEPIT_OK;
}

// Whether the number is that of a fork of the template, which then gets a group of its
// own. Only a child of ours that has executed nothing since can be moved.
static bool is_its_fork(const struct sp_template *template, pid_t pid)
{
    return pid > 0 && pid != template->process.pid &&
           getpgid(pid) == template->process.pid && setpgid(pid, pid) == 0;
}

static void on_forked(struct sp_template *template, const uint8_t *body, uint32_t size)
{
    struct sp_forked forked;
    if (size == sizeof forked) {
        memcpy(&forked, body, sizeof forked);
    }
    if (size != sizeof forked || sp_list_empty(&template->pending) ||
        forked.ticket != oldest(template)->ticket) {
        kill_template(template, "it answered what was not asked");
        return;
    }
    if (forked.pid < 0 && forked.error != 0) {
        snakepit_message why;
        errno = forked.error;
        (void)sp_system_failed(&why, "fork", NULL, "of the template");
        sp_log(template->options.log,
               SP_LOG_WARNING,
               "template.fork_failed",
               "pool=%s because=\"%s\"",
               template->options.pool,
               why.text);
        end_oldest(template, 0);
    } else if (is_its_fork(template, forked.pid)) {
        end_oldest(template, forked.pid);
    } else {
        kill_template(template, "it told of a process that is not its fork");
        return;
    }
    watch_oldest(template);
}

// ---- Messages -----------------------------------------------------------------

static void on_ready(struct sp_template *template)
{
    if (template->state != SP_TEMPLATE_STARTING) {
        return;
    }
    template->state = SP_TEMPLATE_READY;
    template->was_ready = true;
    sp_timer_stop(&template->timer);
    uint64_t taken = sp_clock_now() - template->started_at;
    sp_log(template->options.log,
           SP_LOG_INFO,
           "template.ready",
           "pool=%s pid=%d start_ms=%llu",
           template->options.pool,
           (int)template->process.pid,
           (unsigned long long)(taken / SP_NS_PER_MS));
    template->options.hooks.ready(template->options.hooks.user, template);
}

// It may have threads that keep it from leaving by itself.
static void
on_unforkable(struct sp_template *template, const uint8_t *body, uint32_t size)
{
    snakepit_reader reader;
    snakepit_value value;
    char reason[SP_TEMPLATE_REASON_MAX] = "it did not say why it cannot fork";
    snakepit_reader_init(&reader, body, size);
    if (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_TEXT) {
        int most = value.as.text.size < sizeof reason ? (int)value.as.text.size
                                                      : (int)sizeof reason - 1;
        (void)snprintf(reason, sizeof reason, "%.*s", most, value.as.text.data);
    }
    kill_template(template, reason);
}

static void obey(struct sp_template *template,
                 const struct sp_message_head *head,
                 const uint8_t *body)
{
    switch (head->type) {
    case SP_MESSAGE_READY:
        on_ready(template);
        break;
    case SP_MESSAGE_FORKED:
        on_forked(template, body, head->size);
        break;
    case SP_MESSAGE_UNFORKABLE:
        on_unforkable(template, body, head->size);
        break;
    default:
        kill_template(template, "it sent a message that does not exist");
    }
}

// False: there is no more to come. A stopped one is heard too, for its last forks.
static bool read_messages(struct sp_template *template, int most)
{
    uint8_t *room = template->options.inbox->room;
    for (int i = 0; i < most; i++) {
        struct sp_message_head head;
        const uint8_t *body;
        snakepit_err err =
            sp_channel_receive(template->process.channel, room, &head, &body);
        if (err == SNAKEPIT_NOT_FOUND) {
            return true;
        }
        if (err == SNAKEPIT_PROTOCOL) {
            kill_template(template, "it sent bytes that are not a message");
        }
        if (err != SNAKEPIT_OK) {
            return false;
        }
        if (!sp_bucket_take(&template->messages, 1, sp_clock_coarse())) {
            kill_template(template, "it sent more messages than there is a reason for");
            return false;
        }
        obey(template, &head, body);
    }
    return true;
}

static void on_channel(struct sp_watch *watch)
{
    struct sp_template *template = watch->user;
    if (!read_messages(template, MESSAGES_A_TURN)) {
        // The end of the channel is not the end of the process: pidfd tells that.
        sp_watch_stop(watch);
    }
}

// ---- Timers -------------------------------------------------------------------

static void on_start_timeout(struct sp_timer *timer)
{
    kill_template(timer->user,
                  "it was not ready within start_timeout_ms; raise that, or "
                  "make the adapter's import and initialize() faster");
}

static void on_fork_timeout(struct sp_timer *timer)
{
    kill_template(timer->user, "it did not fork in time");
}

// ---- Birth and burial ---------------------------------------------------------

static void bury(struct sp_task *task)
{
    struct sp_template *template = task->user;
    template->options.hooks.gone(template->options.hooks.user, template);
}

static void stop_watching(struct sp_template *template)
{
    sp_watch_stop(&template->channel_watch);
    sp_flow_stop(&template->flow);
    sp_watch_stop(&template->exit_watch);
    sp_timer_stop(&template->timer);
}

// Kills what is left in its group, and reaps all of it that is ours. Where a fork is
// missing, the wait lasts as long as the killed take to die.
static void clear_group(struct sp_template *template)
{
    struct sp_child child = sp_process_child(&template->process);
    bool missing = !sp_list_empty(&template->pending);
    bool reaped = false;
    pid_t pid;
    (void)sp_pidfd_signal_group(child, SIGKILL);
    // Somebody else has reaped it, and reaps its forks: its number may be another's.
    if (!sp_pidfd_is_ours(child.pidfd)) {
        return;
    }
    do {
        pid = waitpid(-child.pid, NULL, missing ? 0 : WNOHANG);
        reaped = reaped || pid == child.pid;
    } while (pid > 0 || (pid < 0 && errno == EINTR));
    // One that was killed the moment it was made had no group of its own yet.
    if (!reaped) {
        (void)sp_exit_reap(child);
    }
}

static void log_exit(const struct sp_template *template)
{
    char fields[SP_EXIT_FIELDS_MAX];
    sp_exit_fields(&template->end, fields);
    sp_log(template->options.log,
           template->wanted_gone || !template->was_ready ? SP_LOG_INFO : SP_LOG_WARNING,
           "template.exit",
           "pool=%s pid=%d %s expected=%s",
           template->options.pool,
           (int)template->process.pid,
           fields,
           template->wanted_gone ? "yes" : "no");
}

static void end_life(struct sp_template *template)
{
    sp_flow_finish(&template->flow);
    log_exit(template);
    while (!sp_list_empty(&template->pending)) {
        end_oldest(template, 0);
    }
    stop_watching(template);
    template->burial.user = template;
    sp_loop_later(template->options.loop, &template->burial, bury);
}

static void on_alone(struct sp_others *others)
{
    struct sp_template *template = SP_ENTRY(others, struct sp_template, others);
    clear_group(template);
    end_life(template);
}

static void on_given_up(struct sp_timer *timer)
{
    struct sp_template *template = timer->user;
    set_reason(template, "the program may not signal it, and so could not stop it");
    template->state = SP_TEMPLATE_DEAD;
    end_life(template);
}

static void on_exit_ready(struct sp_watch *watch)
{
    struct sp_template *template = watch->user;
    struct sp_child child = sp_process_child(&template->process);
    struct sp_exit end = sp_exit_peek(child);
    if ((!end.known && !end.gone) || template->state == SP_TEMPLATE_DEAD) {
        return;
    }
    template->end = end;
    // Its last answers are still to be had.
    (void)read_messages(template, LAST_MESSAGES);
    template->state = SP_TEMPLATE_DEAD;
    sp_watch_stop(watch); // it would be ready for ever
    sp_watch_stop(&template->channel_watch);
    sp_timer_stop(&template->timer);
    if (!sp_others_ask(&template->others,
                       template->options.loop,
                       child,
                       template->options.stop_grace_ms,
                       on_alone)) {
        on_alone(&template->others);
    }
}

static snakepit_err watch(struct sp_template *template,
                          struct sp_watch *watch,
                          int fd,
                          sp_watch_fn *ready,
                          snakepit_message *why)
{
    watch->user = template;
    return sp_watch_start(watch, template->options.loop, fd, ready, why);
}

static snakepit_err watch_all(struct sp_template *template, snakepit_message *why)
{
    const struct sp_process *process = &template->process;
    snakepit_err err =
        watch(template, &template->exit_watch, process->pidfd, on_exit_ready, why);
    if (err == SNAKEPIT_OK) {
        err = watch(
            template, &template->channel_watch, process->channel, on_channel, why);
    }
    return err;
}

// What cannot be watched must not be.
static snakepit_err begin_life(struct sp_template *template, snakepit_message *why)
{
    const struct sp_process *process = &template->process;
    template->timer.user = template;
    const struct sp_flow_options printed = {
        .loop = template->options.loop,
        .log = template->options.log,
        .pool = template->options.pool,
        .fds = {process->output, process->errors},
    };
    sp_bucket_init(&template->messages,
                   SP_MESSAGES_AT_ONCE,
                   SP_MESSAGES_A_SECOND,
                   sp_clock_coarse());
    sp_flow_start(&template->flow, &printed);
    snakepit_err err = watch_all(template, why);
    if (err != SNAKEPIT_OK) {
        stop_watching(template);
        sp_process_end(&template->process);
        template->state = SP_TEMPLATE_DEAD;
    } else {
        start_timer(template, on_start_timeout, template->options.start_timeout_ms);
    }
    return err;
}

snakepit_err sp_template_start(const struct sp_template_options *options,
                               struct sp_template **template,
                               snakepit_message *why)
{
    struct sp_template *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->options = *options;
    made->options.config = (struct sp_slice){0};
    made->started_at = sp_clock_now();
    sp_list_init(&made->pending);
    const struct sp_spawn_options spawn = {
        .python = options->python, .environment = options->environment, .why = why};
    snakepit_err err = sp_spawn_template(&spawn, &made->process);
    if (err != SNAKEPIT_OK) {
        sp_free(made);
        return err;
    }
    err = begin_life(made, why);
    if (err != SNAKEPIT_OK) {
        sp_template_free(made);
        return err;
    }
    snakepit_message trouble;
    const struct sp_cgroup_member self = {0, made->process.pid};
    err = sp_cgroup_confine(&made->cgroup, &self, &options->limits, &trouble);
    if (err == SNAKEPIT_OK) {
        err = sp_channel_send(made->process.channel,
                              SP_MESSAGE_CONFIG,
                              options->config.data,
                              options->config.size);
        if (err != SNAKEPIT_OK) {
            sp_worker_explain_unsent(&trouble, err);
        }
    }
    if (err != SNAKEPIT_OK) {
        kill_template(made, trouble.text);
    }
    *template = made;
    return SNAKEPIT_OK;
}

void sp_template_free(struct sp_template *template)
{
    if (template == NULL) {
        return;
    }
    SP_CHECK(template->state == SP_TEMPLATE_DEAD);
    sp_flow_fini(&template->flow);
    sp_process_close(&template->process);
    sp_cgroup_remove(&template->cgroup);
    sp_free(template);
}
