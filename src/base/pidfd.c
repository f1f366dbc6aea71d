// SPDX-License-Identifier: MIT
// The one thing to know: a number is used only while the process is our unreaped child,
// and only where the kernel, or a filter, refuses the pidfd.
#include "base/pidfd.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

// Newer than the kernel headers that we build with.
#define SIGNAL_GROUP (1u << 2) // PIDFD_SIGNAL_PROCESS_GROUP
#define INFO_EXIT    (UINT64_C(1) << 3)

// struct pidfd_info, as it was when it came.
struct info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t numbers[11];
    int32_t exit_code;
};
#define GET_INFO _IOWR(0xFF, 11, struct info)

// ---- Whose it is --------------------------------------------------------------

static bool is_ours(idtype_t kind, id_t id)
{
    siginfo_t info;
    return waitid(kind, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool sp_pidfd_is_ours(int pidfd)
{
    return is_ours(P_PIDFD, (id_t)pidfd);
}

bool sp_pid_is_ours(pid_t pid)
{
    return is_ours(P_PID, (id_t)pid);
}

// ---- Signals ------------------------------------------------------------------

// `target` is a number for kill(2) that means the child, or its group.
static int send(struct sp_child child, int number, unsigned flags, pid_t target)
{
    if (syscall(SYS_pidfd_send_signal, child.pidfd, number, NULL, flags) == 0) {
        return 0;
    }
    // A filter may refuse what kill(2) allows, so EPERM is not the last word.
    if (errno == ESRCH || !sp_pidfd_is_ours(child.pidfd)) {
        return ESRCH;
    }
    return kill(target, number) == 0 ? 0 : errno;
}

int sp_pidfd_signal(struct sp_child child, int number)
{
    return send(child, number, 0, child.pid);
}

int sp_pidfd_signal_group(struct sp_child child, int number)
{
    return send(child, number, SIGNAL_GROUP, -child.pid);
}

// ---- What is known of it ------------------------------------------------------

bool sp_pidfd_status(int pidfd, int *status)
{
    struct info info = {.mask = INFO_EXIT};
    if (ioctl(pidfd, GET_INFO, &info) != 0 || (info.mask & INFO_EXIT) == 0) {
        return false;
    }
    *status = info.exit_code;
    return true;
}

pid_t sp_pidfd_number_in_proc(int pidfd)
{
    static const char key[] = "\nPid:";
    char path[64];
    char text[512];
    (void)snprintf(path, sizeof path, "/proc/thread-self/fdinfo/%d", pidfd);
    (void)sp_file_read(path, text, sizeof text);
    const char *at = strstr(text, key);
    long number = at == NULL ? 0 : strtol(at + sizeof key - 1, NULL, 10);
    return number > 0 ? (pid_t)number : 0;
}
