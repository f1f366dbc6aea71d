// SPDX-License-Identifier: MIT
// A dead process cannot give others time, so it leaves a cleaner behind: a process that
// shares its memory, so that making it costs nothing however large the worker is, and
// nothing else. It makes system calls only, for any lock may be held for ever.
//
// The one thing to know: Python's resource tracker ignores SIGTERM. It removes what is
// left in /dev/shm when nobody holds the other end of its pipe any more, so the cleaner
// must not.
#include "ending.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_MS     10u
#define LAST        19 // the priority behind all others
#define STACK_BYTES 16384
#define MANY        65536u // descriptors that are closed one by one

static _Alignas(16) uint8_t stack[STACK_BYTES];
static atomic_flag begun = ATOMIC_FLAG_INIT;
static pid_t host; // the parent, when that was first to be followed
static _Atomic uint32_t grace_ms = 2000; // for those that the worker has started

// ---- The cleaner --------------------------------------------------------------

static void close_descriptors(void)
{
    struct rlimit limit = {0};
    if (syscall(SYS_close_range, 0, UINT32_MAX, 0) == 0) {
        return;
    }
    // Before Linux 5.9.
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned fd = 0; fd < limit.rlim_cur && fd < MANY; fd++) {
        (void)close((int)fd);
    }
}

// Of a group one gets the priority of its foremost member. The worker and the cleaner
// have put themselves behind all others, and so may others: those are not waited for.
static bool are_all_last(void)
{
    errno = 0;
    return getpriority(PRIO_PGRP, 0) == LAST && errno == 0;
}

// As the kernel writes it.
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t kind;
    char name[];
};

// A number at the beginning of a text; 0: there is none.
static long number_of(const char *text)
{
    long number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = 10 * number + (*text - '0');
    }
    return number;
}

// Whether a process is in the group, and no zombie: whoever inherits those may take its
// time to reap them. `line` is that of /proc/PID/stat.
static bool is_member(const char *line, pid_t group)
{
    // Behind the name, which may hold anything: ") S 1 2 ", state, parent, group.
    const char *at = strrchr(line, ')');
    if (at == NULL || at[1] == 0 || at[2] == 'Z' || at[2] == 'X') {
        return false;
    }
    const char *parent = strchr(at + 2, ' ');
    const char *its = parent == NULL ? NULL : strchr(parent + 1, ' ');
    return its != NULL && number_of(its + 1) == group;
}

static bool lives_in_group(int proc, const char *name, pid_t group)
{
    char line[1024];
    int folder = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : openat(folder, "stat", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    line[got > 0 ? got : 0] = 0;
    (void)close(fd);
    (void)close(folder);
    return is_member(line, group);
}

// One batch of the folder's entries. The C library's readdir() allocates.
static bool search(int proc, const uint8_t *batch, long size)
{
    pid_t mine = getpid();
    pid_t group = getpgrp();
    bool found = false;
    for (long at = 0; at < size && !found;) {
        const struct entry *entry = (const struct entry *)(const void *)(batch + at);
        long number = number_of(entry->name);
        found =
            number > 0 && number != mine && lives_in_group(proc, entry->name, group);
        at += entry->size;
    }
    return found;
}

// Whether nobody else of the group lives. Where /proc does not tell, somebody does.
// `tells`: its priority tells a member from this process and the worker.
static bool is_alone(bool tells)
{
    static _Alignas(8) uint8_t batch[8192];
    if (tells && are_all_last()) {
        return true;
    }
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long got = proc < 0 ? -1 : syscall(SYS_getdents64, proc, batch, sizeof batch);
    bool found = got <= 0;
    while (got > 0 && !found) {
        found = search(proc, batch, got);
        got = found ? 0 : syscall(SYS_getdents64, proc, batch, sizeof batch);
    }
    (void)close(proc);
    return !found;
}

static int clean(void *unused)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    (void)unused;
    close_descriptors();
    (void)prctl(PR_SET_NAME, "snakepit-clean");
    bool tells = getpriority(PRIO_PROCESS, 0) != LAST;
    (void)setpriority(PRIO_PROCESS, 0, LAST);
    (void)kill(0, SIGTERM); // blocked here
    uint64_t until = sp_clock_now() + atomic_load(&grace_ms) * SP_NS_PER_MS;
    while (!is_alone(tells) && sp_clock_now() < until) {
        (void)nanosleep(&pause, NULL);
    }
    (void)kill(0, SIGKILL);
    return 0;
}

// ---- The end ------------------------------------------------------------------

// False: the system does not have another process for us.
static bool leave_cleaner(void)
{
    return clone(clean, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) > 0;
}

_Noreturn void sp_ending_end(void)
{
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (atomic_flag_test_and_set(&begun)) {
        (void)pause(); // another thread is about to end the process
    }
    bool has_group = getpgrp() == getpid();
    if (has_group && !leave_cleaner()) {
        (void)kill(0, SIGKILL);
    }
    (void)setpriority(PRIO_PROCESS, (id_t)getpid(), LAST);
    (void)kill(getpid(), SIGKILL);
    _exit(1);
}

void sp_ending_set_grace(uint32_t ms)
{
    atomic_store(&grace_ms, ms);
}

static void on_host_death(int number)
{
    (void)number;
    sp_ending_end();
}

// By a signal of our own, for SIGKILL would leave our children behind. The calling
// thread must not have blocked it.
void sp_ending_follow_host(void)
{
    struct sigaction action = {.sa_handler = on_host_death};
    sigset_t own;
    sigemptyset(&action.sa_mask);
    sigemptyset(&own);
    sigaddset(&own, SIGRTMAX - 1);
    (void)sigaction(SIGRTMAX - 1, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &own, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGRTMAX - 1);
    host = host == 0 ? getppid() : host;
}

#define FLAG_EXITING        0x4 // the kernel's PF_EXITING
#define FIELDS_BEFORE_FLAGS 7   // of /proc/PID/stat, counted from its name

bool sp_ending_is_orphan(void)
{
    char text[1024];
    unsigned long flags;
    (void)snprintf(text, sizeof text, "/proc/%d/stat", (int)host);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = 0;
    if (fd >= 0) {
        close(fd);
    }
    // Behind the name: state, parent, group, session, terminal and its group.
    const char *at = strrchr(text, ')');
    for (int field = 0; at != NULL && field < FIELDS_BEFORE_FLAGS; field++) {
        at = strchr(at + 1, ' ');
    }
    flags = at == NULL ? 0 : strtoul(at, NULL, 10);
    return getppid() != host || (flags & FLAG_EXITING) != 0;
}
