// SPDX-License-Identifier: MIT
// The linker finds these before it looks into an archive or the C library.
#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/pidfd.h"
#include "telemetry/notice_write.h"

#define FIRST_PID 0x30000000 // more than a kernel gives

struct fake_machine machine;

// ---- Time ---------------------------------------------------------------------

int clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){(time_t)(machine.now / SP_NS_PER_S),
                             (long)(machine.now % SP_NS_PER_S)};
    return 0;
}

// Nothing else can happen: so the wait is over.
int epoll_wait(int epoll, struct epoll_event *events, int most, int ms)
{
    long got = syscall(SYS_epoll_pwait, epoll, events, most, 0, NULL, 0);
    if (got == 0) {
        assert_true(ms >= 0);
        machine.now += (uint64_t)ms * SP_NS_PER_MS;
    }
    return (int)got;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && machine.watch_refuses != 0 &&
        machine.watches_left-- == 0) {
        machine.watches_left = 0;
        errno = machine.watch_refuses;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

static void on_end(struct sp_timer *timer)
{
    sp_loop_stop(timer->user);
}

void machine_run(struct sp_loop *loop, uint64_t ms)
{
    struct sp_timer end = {.user = loop};
    loop->stop = false;
    sp_timer_start(loop, &end, on_end, ms, 0);
    sp_loop_run(loop);
    sp_timer_stop(&end);
}

// ---- The log ------------------------------------------------------------------

static void keep(void *user, const struct sp_notice *notice)
{
    (void)user;
    assert_true(machine.line_count < FAKE_LINES);
    (void)sp_notice_line(notice, machine.lines[machine.line_count++], 512);
}

uint32_t machine_logged(const char *part)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < machine.line_count; i++) {
        count += strstr(machine.lines[i], part) != NULL;
    }
    return count;
}

// ---- Processes ----------------------------------------------------------------

static void shut(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void close_ends(struct fake_process *fake)
{
    shut(&fake->channel);
    shut(&fake->output);
    shut(&fake->errors);
}

void machine_reset(void)
{
    for (uint32_t i = 0; i < machine.count; i++) {
        close_ends(&machine.processes[i]);
    }
    machine = (struct fake_machine){.now = 1000 * SP_NS_PER_S,
                                    .log = {.write = keep, .level = SP_LOG_DEBUG}};
    sp_clock_adopt_ticks_per_us(1000); // which could not be measured by this clock
}

struct fake_process *fake_spawn(struct sp_process *process)
{
    int channel[2];
    int output[2];
    int errors[2];
    assert_true(machine.count < FAKES_MOST);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, channel),
        0);
    assert_int_equal(pipe2(output, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(pipe2(errors, O_NONBLOCK | O_CLOEXEC), 0);
    struct fake_process *fake = &machine.processes[machine.count];
    *fake = (struct fake_process){.pid = (pid_t)(FIRST_PID + machine.count++),
                                  .pidfd = eventfd(0, EFD_CLOEXEC),
                                  .channel = channel[1],
                                  .output = output[1],
                                  .errors = errors[1]};
    *process =
        (struct sp_process){fake->pid, fake->pidfd, channel[0], output[0], errors[0]};
    return fake;
}

void fake_says(const struct fake_process *fake,
               uint32_t type,
               const void *body,
               uint32_t size)
{
    assert_int_equal(
        sp_channel_send(fake->channel, (enum sp_message_type)type, body, size),
        SNAKEPIT_OK);
}

uint32_t fake_hears(const struct fake_process *fake)
{
    static struct sp_inbox inbox;
    struct sp_message_head head;
    const uint8_t *body;
    snakepit_err err = sp_channel_receive(fake->channel, inbox.room, &head, &body);
    return err == SNAKEPIT_OK ? head.type : 0;
}

void fake_prints(const struct fake_process *fake, const char *text)
{
    assert_int_equal(write(fake->errors, text, strlen(text)), strlen(text));
}

void fake_hangs_up(struct fake_process *fake)
{
    shut(&fake->channel);
}

void fake_exits(struct fake_process *fake, int code, int number)
{
    uint64_t one = 1;
    fake->exited = true;
    fake->code = code;
    fake->signal = number;
    if (!fake->others) { // who would hold them too
        shut(&fake->output);
        shut(&fake->errors);
    }
    assert_int_equal(write(fake->pidfd, &one, sizeof one), sizeof one);
}

const char *fake_signals(const struct fake_process *fake)
{
    static char room[128];
    room[0] = 0;
    for (uint32_t i = 0; i < fake->signal_count; i++) {
        size_t at = strlen(room);
        (void)snprintf(room + at,
                       sizeof room - at,
                       "%s%s%s",
                       i > 0 ? " " : "",
                       sigabbrev_np(fake->signals[i].number),
                       fake->signals[i].group ? "+" : "");
    }
    return room;
}

// ---- What base knows of pidfds ------------------------------------------------

static struct fake_process *of_pidfd(int pidfd)
{
    uint32_t i = 0;
    while (i + 1 < machine.count && machine.processes[i].pidfd != pidfd) {
        i++;
    }
    assert_int_equal(machine.processes[i].pidfd, pidfd);
    return &machine.processes[i];
}

static void note(struct fake_process *fake, int number, bool group)
{
    assert_true(fake->signal_count < FAKE_SIGNALS);
    fake->signals[fake->signal_count++] = (struct fake_signal){number, group};
}

int sp_pidfd_signal(struct sp_child child, int number)
{
    struct fake_process *fake = of_pidfd(child.pidfd);
    if (fake->reaped) {
        return ESRCH;
    }
    note(fake, number, false);
    if (fake->refuses == 0 && number == SIGKILL && !fake->exited && !fake->stays) {
        fake_exits(fake, 0, SIGKILL);
    }
    return fake->refuses;
}

int sp_pidfd_signal_group(struct sp_child child, int number)
{
    struct fake_process *fake = of_pidfd(child.pidfd);
    bool somebody = fake->others || (!fake->exited && !fake->left_group);
    if (number != 0) {
        note(fake, number, true);
        fake->others = fake->others && number != SIGKILL &&
                       !(fake->others_leave && number == SIGTERM);
    }
    return somebody ? fake->refuses : ESRCH;
}

// So that it is asked about its group in the way that needs no /proc.
bool sp_pidfd_is_ours(int pidfd)
{
    (void)pidfd;
    return false;
}

bool sp_pid_is_ours(pid_t pid)
{
    (void)pid;
    return true;
}

bool sp_pidfd_status(int pidfd, int *status)
{
    (void)pidfd;
    (void)status;
    return false;
}

pid_t sp_pidfd_number_in_proc(int pidfd)
{
    (void)pidfd;
    return 0;
}

pid_t getpgid(pid_t pid)
{
    for (uint32_t i = 0; i < machine.count; i++) {
        if (machine.processes[i].pid == pid) {
            return machine.processes[i].left_group ? 1 : pid;
        }
    }
    errno = ESRCH;
    return -1;
}

int waitid(idtype_t kind, id_t id, siginfo_t *info, int options)
{
    struct fake_process *fake = of_pidfd((int)id);
    assert_int_equal(kind, P_PIDFD);
    memset(info, 0, sizeof *info);
    if (fake->reaped) {
        errno = ECHILD;
        return -1;
    }
    if (fake->exited) {
        info->si_pid = fake->pid;
        info->si_code = fake->signal == 0 ? CLD_EXITED : CLD_KILLED;
        info->si_status = fake->signal == 0 ? fake->code : fake->signal;
        fake->reaped = (options & WNOWAIT) == 0;
    }
    return 0;
}
