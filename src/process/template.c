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
#include "telemetry/notice.h"

#define LAST_MESSAGES 4096 // more than a socket holds

static struct sp_template *template_of(struct sp_subprocess *child)
{
    return SP_ENTRY(child, struct sp_template, child);
}

// The one function that assigns the state.
static void enter(struct sp_template *template, enum sp_template_event event)
{
    enum sp_template_state next = sp_template_next(template->state, event);
    if (next == template->state) {
        return;
    }
    sp_log(template->options.log,
           template_state,
           .pool = template->options.pool,
           .pid = (uint64_t)template->child.process.pid,
           .from = sp_template_state_name(template->state),
           .to = sp_template_state_name(next));
    template->state = next;
}

// ---- Ending it ----------------------------------------------------------------

static void set_reason(struct sp_template *template, const char *reason)
{
    if (template->reason[0] == 0) {
        (void)snprintf(template->reason, sizeof template->reason, "%s", reason);
    }
}

// Its signals do not go to its group: forks that it has not told of yet are in there.
// They follow when its exit was observed.
static void kill_template(struct sp_template *template, const char *reason)
{
    set_reason(template, reason);
    enter(template, SP_TEMPLATE_STOP);
    sp_timer_stop(&template->child.timer);
    sp_subprocess_signal(&template->child, SIGKILL, false);
}

static void terminate(struct sp_subprocess *child)
{
    sp_subprocess_signal(child, SIGTERM, false);
}

static void end(struct sp_subprocess *child)
{
    sp_subprocess_signal(child, SIGKILL, false);
}

static void violated(struct sp_subprocess *child, const char *why)
{
    kill_template(template_of(child), why);
}

static void late(struct sp_subprocess *child, const char *why)
{
    struct sp_template *template = template_of(child);
    char reason[SP_TEMPLATE_REASON_MAX];
    const char *stage = template->stage;
    (void)snprintf(reason,
                   sizeof reason,
                   "%s; it was %s",
                   why,
                   stage[0] != 0 ? stage : "not yet at the import of its adapter");
    kill_template(template, reason);
}

void sp_template_stop(struct sp_template *template)
{
    bool importing = template->state == SP_TEMPLATE_STARTING;
    template->wanted_gone = true;
    if (template->state == SP_TEMPLATE_DEAD ||
        template->state == SP_TEMPLATE_STOPPING) {
        return;
    }
    enter(template, SP_TEMPLATE_STOP);
    (void)shutdown(template->child.process.channel, SHUT_WR);
    // One that imports would only see that when it has done so.
    if (importing) {
        terminate(&template->child);
    }
    sp_subprocess_give_grace(&template->child);
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

static void on_fork_timeout(struct sp_timer *timer)
{
    violated(sp_subprocess_of_timer(timer), "it did not fork in time");
}

static void watch_oldest(struct sp_template *template)
{
    if (template->state != SP_TEMPLATE_READY) {
        return;
    }
    if (sp_list_empty(&template->pending)) {
        sp_timer_stop(&template->child.timer);
    } else {
        sp_subprocess_wait(
            &template->child, on_fork_timeout, template->options.fork_timeout_ms);
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
        worker, template->child.process.channel, template->last_ticket + 1, process);
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
    return pid > 0 && pid != template->child.process.pid &&
           getpgid(pid) == template->child.process.pid && setpgid(pid, pid) == 0;
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
               template_fork_failed,
               .pool = template->options.pool,
               .because = why.text);
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
    enter(template, SP_TEMPLATE_IMPORTED);
    template->was_ready = true;
    sp_timer_stop(&template->child.timer);
    uint64_t taken = sp_clock_now() - template->child.started_at;
    sp_log(template->options.log,
           template_ready,
           .pool = template->options.pool,
           .pid = (uint64_t)template->child.process.pid,
           .start_ms = taken / SP_NS_PER_MS);
    template->options.hooks.ready(template->options.hooks.user, template);
}

// Leaves `room` as it is where the body is not a text.
static void read_text(const uint8_t *body, uint32_t size, char *room, size_t room_size)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_reader_init(&reader, body, size);
    if (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_TEXT) {
        int most = value.as.text.size < room_size ? (int)value.as.text.size
                                                  : (int)room_size - 1;
        (void)snprintf(room, room_size, "%.*s", most, value.as.text.data);
    }
}

// It may have threads that keep it from leaving by itself.
static void
on_unforkable(struct sp_template *template, const uint8_t *body, uint32_t size)
{
    char reason[SP_TEMPLATE_REASON_MAX] = "it did not say why it cannot fork";
    read_text(body, size, reason, sizeof reason);
    kill_template(template, reason);
}

static void take_message(struct sp_subprocess *child,
                         const struct sp_message_head *head,
                         const uint8_t *body)
{
    struct sp_template *template = template_of(child);
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
    case SP_MESSAGE_STAGE:
        read_text(body, head->size, template->stage, sizeof template->stage);
        break;
    default:
        kill_template(template, "it sent a message that does not exist");
    }
}

// ---- Its end ------------------------------------------------------------------

// Kills what is left in its group, and reaps all of it that is ours. Where a fork is
// missing, the wait lasts as long as the killed take to die.
static void clear_group(struct sp_subprocess *ended)
{
    struct sp_child child = sp_subprocess_child(ended);
    bool missing = !sp_list_empty(&template_of(ended)->pending);
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
    const struct sp_exit *end = &template->child.end;
    sp_log_at(template->options.log,
              template->wanted_gone || !template->was_ready ? SP_LOG_INFO
                                                            : SP_LOG_WARNING,
              template_exit,
              .pool = template->options.pool,
              .pid = (uint64_t)template->child.process.pid,
              .code = sp_exit_code_told(end),
              .signal = sp_exit_signal_told(end),
              .expected = template->wanted_gone);
}

static void finished(struct sp_subprocess *child)
{
    struct sp_template *template = template_of(child);
    log_exit(template);
    while (!sp_list_empty(&template->pending)) {
        end_oldest(template, 0);
    }
}

static void given_up(struct sp_subprocess *child, const char *why)
{
    set_reason(template_of(child), why);
}

static void exited(struct sp_subprocess *child)
{
    // Its last answers are still to be had.
    sp_subprocess_read(child, LAST_MESSAGES);
    enter(template_of(child), SP_TEMPLATE_EXITED);
}

static void gone(struct sp_subprocess *child)
{
    struct sp_template *template = template_of(child);
    template->options.hooks.gone(template->options.hooks.user, template);
}

// ---- Its start ----------------------------------------------------------------

static const struct sp_subprocess_kind kind = {
    .message = take_message,
    .violated = violated,
    .late = late,
    .terminate = terminate,
    .kill = end,
    .given_up = given_up,
    .exited = exited,
    .clear_group = clear_group,
    .finished = finished,
    .gone = gone,
};

// What cannot be watched must not be.
static snakepit_err begin_life(struct sp_template *template, snakepit_message *why)
{
    snakepit_err err = sp_subprocess_watch_exit(&template->child, why);
    if (err == SNAKEPIT_OK) {
        err = sp_subprocess_begin(&template->child, why);
        if (err != SNAKEPIT_OK) {
            sp_subprocess_discard(&template->child);
        }
    }
    if (err != SNAKEPIT_OK) {
        enter(template, SP_TEMPLATE_EXITED);
    }
    return err;
}

// The first that it hears. It imports nothing before.
static snakepit_err
configure(struct sp_template *template, struct sp_slice config, snakepit_message *why)
{
    struct sp_subprocess *child = &template->child;
    snakepit_err err = sp_cgroup_confine(
        &child->cgroup, child->process.pid, &template->options.limits, why);
    return err != SNAKEPIT_OK ? err : sp_subprocess_configure(child, config, why);
}

static struct sp_template *make(const struct sp_template_options *options)
{
    struct sp_template *made = sp_alloc(sizeof *made);
    if (made != NULL) {
        const struct sp_subprocess_options child = {
            .loop = options->loop,
            .inbox = options->inbox,
            .log = options->log,
            .pool = options->pool,
            .start_timeout_ms = options->start_timeout_ms,
            .stop_grace_ms = options->stop_grace_ms,
        };
        made->options = *options;
        made->options.config = (struct sp_slice){0};
        sp_list_init(&made->pending);
        sp_subprocess_init(&made->child, &kind, &child);
    }
    return made;
}

snakepit_err sp_template_start(const struct sp_template_options *options,
                               struct sp_template **template,
                               snakepit_message *why)
{
    struct sp_template *made = make(options);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const struct sp_spawn_options spawn = {
        .python = options->python, .environment = options->environment, .why = why};
    snakepit_err err = sp_spawn_template(&spawn, &made->child.process);
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
    if (configure(made, options->config, &trouble) != SNAKEPIT_OK) {
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
    sp_subprocess_fini(&template->child);
    sp_free(template);
}
