// SPDX-License-Identifier: MIT
// The test program stands in for Python: run with `-m`, it is a template whose manners
// the environment tells.
#include "process/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/layout.h"
#include "payload/writer.h"

#define FORKS 3

// ---- The stand-in -------------------------------------------------------------

static bool manner_is(const char *name)
{
    return strcmp(getenv("MANNER"), name) == 0;
}

// Lives until its host closes its channel, which is the sixth of what came.
static void live(const int descriptors[SP_FORK_FDS])
{
    char byte;
    (void)close(SP_FD_TEMPLATE);
    while (recv(descriptors[5], &byte, 1, 0) > 0) {
    }
    _exit(7);
}

static pid_t make_worker(const int descriptors[SP_FORK_FDS])
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0) {
        live(descriptors);
    }
    return pid;
}

static void tell(uint64_t ticket, pid_t pid, int error)
{
    struct sp_forked forked = {ticket, pid, error};
    (void)sp_channel_send(SP_FD_TEMPLATE, SP_MESSAGE_FORKED, &forked, sizeof forked);
}

static void answer(uint64_t ticket, const int descriptors[SP_FORK_FDS])
{
    if (manner_is("silent")) {
        return;
    }
    if (manner_is("dies")) {
        // Not before the last one was asked for, which would fail.
        (void)(ticket == FORKS ? kill(getpid(), SIGKILL) : 0);
    } else if (manner_is("dies_untold")) {
        (void)make_worker(descriptors);
        (void)kill(getpid(), SIGKILL);
    } else if (manner_is("dies_told")) {
        tell(ticket, make_worker(descriptors), 0);
        (void)kill(getpid(), SIGKILL);
    } else if (manner_is("names_host")) {
        tell(ticket, getppid(), 0);
    } else if (manner_is("names_itself")) {
        tell(ticket, getpid(), 0);
    } else if (manner_is("names_other")) {
        tell(ticket, atoi(getenv("OTHER")), 0);
    } else if (manner_is("wrong_ticket")) {
        tell(ticket + 1, make_worker(descriptors), 0);
    } else if (manner_is("garbage")) {
        (void)send(SP_FD_TEMPLATE, "what is this", 12, 0);
    } else if (manner_is("fails")) {
        tell(ticket, -1, EAGAIN);
    } else {
        tell(ticket, make_worker(descriptors), 0);
    }
}

static void refuse(void)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_str(writer, "it does not want to");
    (void)sp_channel_send(
        SP_FD_TEMPLATE, SP_MESSAGE_UNFORKABLE, writer->buf.data, writer->buf.size);
    snakepit_writer_free(writer);
    for (;;) {
        (void)pause();
    }
}

static int be_a_template(void)
{
    static uint8_t room[SP_MESSAGE_MAX];
    struct sp_message_head head;
    const uint8_t *body;
    if (sp_channel_receive(SP_FD_TEMPLATE, room, &head, &body) != SNAKEPIT_OK ||
        head.type != SP_MESSAGE_CONFIG || manner_is("leaves")) {
        return 3;
    }
    if (manner_is("refuses")) {
        refuse();
    }
    if (manner_is("deaf")) {
        (void)signal(SIGTERM, SIG_IGN);
    }
    while (manner_is("slow")) {
        (void)pause();
    }
    (void)sp_channel_send(SP_FD_TEMPLATE, SP_MESSAGE_READY, NULL, 0);
    uint64_t ticket;
    int descriptors[SP_FORK_FDS];
    while (sp_channel_receive_fork(SP_FD_TEMPLATE, &ticket, descriptors) ==
           SNAKEPIT_OK) {
        answer(ticket, descriptors);
        for (int i = 0; i < SP_FORK_FDS; i++) {
            (void)close(descriptors[i]);
        }
    }
    while (manner_is("deaf")) {
        (void)pause();
    }
    return 0;
}

// ---- The scene ----------------------------------------------------------------

struct asked {
    struct sp_fork fork;
    struct sp_process process;
    pid_t pid;
    uint32_t times;
};

struct scene {
    struct sp_loop loop;
    struct sp_log log;
    char manner[64];
    char other[32];
    char *environment[3];
    struct sp_template_options options;
    struct sp_template *template;
    int payload;
    bool ready;
    bool gone;
    bool stop_after_forks;
    bool hears_nothing; // while the template lives
    uint32_t wanted;    // forks to ask for when it is ready
    uint32_t answered;
    struct asked asked[FORKS];
    pid_t other_child;
};

static struct sp_inbox inbox;

static void no_log(void *user, const struct sp_notice *notice)
{
    (void)user;
    (void)notice;
}

static void note_fork(void *user, pid_t pid)
{
    struct scene *scene = user;
    struct asked *asked = &scene->asked[scene->answered++];
    asked->pid = pid;
    asked->times++;
    if (scene->answered == scene->wanted && scene->stop_after_forks) {
        sp_template_stop(scene->template);
    }
}

static void note_ready(void *user, struct sp_template *template)
{
    struct scene *scene = user;
    scene->ready = true;
    const struct sp_spawn_options worker = {.control = scene->payload,
                                            .requests = scene->payload,
                                            .results = scene->payload,
                                            .doorbell = scene->payload};
    for (uint32_t i = 0; i < scene->wanted; i++) {
        struct asked *asked = &scene->asked[i];
        asked->fork = (struct sp_fork){.done = note_fork, .user = scene};
        assert_int_equal(
            sp_template_fork(template, &worker, &asked->process, &asked->fork),
            SNAKEPIT_OK);
        assert_int_equal(asked->times, 0);
    }
    if (scene->wanted == 0) {
        sp_template_stop(template);
    }
    if (scene->hears_nothing) {
        sp_watch_stop(&template->child.channel_watch);
    }
}

static void note_gone(void *user, struct sp_template *template)
{
    struct scene *scene = user;
    assert_ptr_equal(template, scene->template);
    scene->gone = true;
    sp_loop_stop(&scene->loop);
}

static void woken(void *user)
{
    (void)user;
}

static int prepare(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    assert_int_equal(sp_loop_init(&scene->loop, woken, scene, NULL), SNAKEPIT_OK);
    scene->log.write = no_log;
    scene->payload = eventfd(0, EFD_CLOEXEC);
    scene->environment[0] = scene->manner;
    scene->environment[1] = scene->other;
    scene->stop_after_forks = true;
    scene->options = (struct sp_template_options){
        .loop = &scene->loop,
        .inbox = &inbox,
        .log = &scene->log,
        .pool = "pool",
        .python = "/proc/self/exe",
        .environment = scene->environment,
        .start_timeout_ms = 20000,
        .stop_grace_ms = 20000,
        .fork_timeout_ms = 20000,
        .hooks = {note_ready, note_gone, scene},
    };
    *state = scene;
    return 0;
}

static void close_ends(struct sp_process *process)
{
    if (process->channel > 0) {
        (void)close(process->channel);
        (void)close(process->output);
        (void)close(process->errors);
    }
}

static int clear(void **state)
{
    struct scene *scene = *state;
    sp_template_free(scene->template);
    sp_loop_fini(&scene->loop);
    (void)close(scene->payload);
    // Nothing is left that nobody was told of.
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    free(scene);
    return 0;
}

// Runs it to its end, which `stop_after_forks` brings if nothing else does.
static void run(struct scene *scene, const char *manner, uint32_t forks)
{
    (void)snprintf(scene->manner, sizeof scene->manner, "MANNER=%s", manner);
    scene->wanted = forks;
    assert_int_equal(sp_template_start(&scene->options, &scene->template, NULL),
                     SNAKEPIT_OK);
    sp_loop_run(&scene->loop);
    assert_true(scene->gone);
    assert_int_equal(scene->template->state, SP_TEMPLATE_DEAD);
    assert_int_equal(scene->answered, scene->ready ? forks : 0);
}

// The worker is ours, in its own group, and ends with its channel.
static void assert_lives(struct asked *asked)
{
    int status;
    assert_true(asked->pid > 0);
    assert_int_equal(getpgid(asked->pid), asked->pid);
    assert_int_equal(waitpid(asked->pid, &status, WNOHANG), 0);
    close_ends(&asked->process);
    assert_int_equal(waitpid(asked->pid, &status, 0), asked->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void assert_never_was(struct asked *asked)
{
    char byte;
    assert_int_equal(asked->times, 1);
    assert_int_equal(asked->pid, 0);
    assert_int_equal(recv(asked->process.channel, &byte, 1, MSG_DONTWAIT), 0);
    close_ends(&asked->process);
}

// ---- Tests --------------------------------------------------------------------

static void its_forks_are_our_children_in_groups_of_their_own(void **state)
{
    struct scene *scene = *state;
    run(scene, "good", FORKS);
    for (int i = 0; i < FORKS; i++) {
        assert_lives(&scene->asked[i]);
    }
    assert_string_equal(scene->template->reason, "");
    assert_int_equal(scene->template->child.end.code, 0);
}

static void a_fork_that_fails_is_answered_and_the_template_lives_on(void **state)
{
    struct scene *scene = *state;
    run(scene, "fails", FORKS);
    for (int i = 0; i < FORKS; i++) {
        assert_never_was(&scene->asked[i]);
    }
    assert_string_equal(scene->template->reason, "");
}

static void the_forks_of_a_template_that_dies_are_answered(void **state)
{
    struct scene *scene = *state;
    run(scene, "dies", FORKS);
    for (int i = 0; i < FORKS; i++) {
        assert_never_was(&scene->asked[i]);
    }
    assert_int_equal(scene->template->child.end.signal, SIGKILL);
}

static void a_fork_that_was_told_of_survives_the_template(void **state)
{
    struct scene *scene = *state;
    run(scene, "dies_told", 1);
    assert_lives(&scene->asked[0]);
}

static void last_words_are_heard_after_the_death(void **state)
{
    struct scene *scene = *state;
    scene->hears_nothing = true;
    run(scene, "dies_told", 1);
    assert_lives(&scene->asked[0]);
}

static void a_fork_that_nobody_was_told_of_is_killed_and_reaped(void **state)
{
    struct scene *scene = *state;
    run(scene, "dies_untold", 1);
    assert_never_was(&scene->asked[0]);
}

static void a_template_that_does_not_answer_is_killed(void **state)
{
    struct scene *scene = *state;
    scene->options.fork_timeout_ms = 20;
    run(scene, "silent", FORKS);
    for (int i = 0; i < FORKS; i++) {
        assert_never_was(&scene->asked[i]);
    }
    assert_string_equal(scene->template->reason, "it did not fork in time");
}

// It asks for one fork, gets nonsense, and the template pays for it.
static void assert_found_out(struct scene *scene, const char *manner)
{
    run(scene, manner, 1);
    assert_never_was(&scene->asked[0]);
    assert_string_not_equal(scene->template->reason, "");
    assert_int_equal(scene->template->child.end.signal, SIGKILL);
}

static void a_template_cannot_pass_its_host_off_as_a_fork(void **state)
{
    assert_found_out(*state, "names_host");
}

static void a_template_cannot_pass_itself_off_as_a_fork(void **state)
{
    assert_found_out(*state, "names_itself");
}

static void a_template_cannot_pass_another_child_of_ours_off_as_a_fork(void **state)
{
    struct scene *scene = *state;
    pid_t other = fork();
    if (other == 0) {
        for (;;) {
            (void)pause();
        }
    }
    (void)snprintf(scene->other, sizeof scene->other, "OTHER=%d", (int)other);
    run(scene, "names_other", 1);
    assert_never_was(&scene->asked[0]);
    assert_string_equal(scene->template->reason,
                        "it told of a process that is not its fork");
    assert_int_equal(getpgid(other), getpgrp());
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    (void)kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

static void an_answer_to_another_request_is_found_out(void **state)
{
    assert_found_out(*state, "wrong_ticket");
}

static void bytes_that_are_no_message_are_found_out(void **state)
{
    assert_found_out(*state, "garbage");
}

static void a_template_that_refuses_is_ended_and_its_reason_kept(void **state)
{
    struct scene *scene = *state;
    run(scene, "refuses", 1);
    assert_false(scene->ready);
    assert_string_equal(scene->template->reason, "it does not want to");
}

static void
a_template_that_leaves_before_it_is_ready_is_gone_with_its_status(void **state)
{
    struct scene *scene = *state;
    run(scene, "leaves", 1);
    assert_false(scene->ready);
    assert_int_equal(scene->template->child.end.code, 3);
}

static void a_template_that_never_gets_ready_is_killed(void **state)
{
    struct scene *scene = *state;
    scene->options.start_timeout_ms = 20;
    run(scene, "slow", 1);
    assert_string_equal(
        scene->template->reason,
        "it was not ready within start_timeout_ms; raise that, or make "
        "the adapter's import and initialize() faster; it was not yet at "
        "the import of its adapter");
}

static void a_template_that_does_not_leave_is_killed_after_two_graces(void **state)
{
    struct scene *scene = *state;
    scene->options.stop_grace_ms = 20;
    run(scene, "deaf", 0);
    assert_int_equal(scene->template->child.end.signal, SIGKILL);
}

static void one_that_was_stopped_forks_no_more(void **state)
{
    struct scene *scene = *state;
    const struct sp_spawn_options worker = {0};
    struct asked *asked = &scene->asked[0];
    run(scene, "good", 0);
    assert_int_equal(
        sp_template_fork(scene->template, &worker, &asked->process, &asked->fork),
        SNAKEPIT_UNSUPPORTED);
}

#define test(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(int count, char **words)
{
    if (count == 3 && strcmp(words[1], "-c") == 0) {
        return be_a_template();
    }
    const struct CMUnitTest tests[] = {
        test(its_forks_are_our_children_in_groups_of_their_own),
        test(a_fork_that_fails_is_answered_and_the_template_lives_on),
        test(the_forks_of_a_template_that_dies_are_answered),
        test(a_fork_that_was_told_of_survives_the_template),
        test(last_words_are_heard_after_the_death),
        test(a_fork_that_nobody_was_told_of_is_killed_and_reaped),
        test(a_template_that_does_not_answer_is_killed),
        test(a_template_cannot_pass_its_host_off_as_a_fork),
        test(a_template_cannot_pass_itself_off_as_a_fork),
        test(a_template_cannot_pass_another_child_of_ours_off_as_a_fork),
        test(an_answer_to_another_request_is_found_out),
        test(bytes_that_are_no_message_are_found_out),
        test(a_template_that_refuses_is_ended_and_its_reason_kept),
        test(a_template_that_leaves_before_it_is_ready_is_gone_with_its_status),
        test(a_template_that_never_gets_ready_is_killed),
        test(a_template_that_does_not_leave_is_killed_after_two_graces),
        test(one_that_was_stopped_forks_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
