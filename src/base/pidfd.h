// SPDX-License-Identifier: MIT
// Processes that we have started, by their pidfd. A number alone may be another's:
// where the host ignores SIGCHLD, or reaps whatever it finds, the kernel gives it away
// the moment the process ends. A pidfd always means the same process.
#ifndef BASE_PIDFD_H
#define BASE_PIDFD_H

#include <stdbool.h>
#include <sys/types.h>

// A child that we have started and its pidfd. Plain data.
struct sp_child {
    pid_t pid;
    int pidfd;
};

// Sends a signal to the process. 0; ESRCH: it is gone; EPERM: we may not.
int sp_pidfd_signal(struct sp_child child, int number);
// Sends a signal to what is in the process group that it leads, or has led. 0; ESRCH:
// nobody is there, or (before Linux 6.9) it cannot be known who is, for the leader was
// reaped by somebody else; EPERM: we may signal none of them.
int sp_pidfd_signal_group(struct sp_child child, int number);
// Whether the process is our child and was not reaped, so that its number is its own.
bool sp_pidfd_is_ours(int pidfd);
// The same for a number, before there is a pidfd.
bool sp_pid_is_ours(pid_t pid);
// Its wait(2) status, where somebody else has reaped it: the kernel remembers it from
// Linux 6.15 on. False: it cannot be known.
bool sp_pidfd_status(int pidfd, int *status);
// Its number as /proc names it, which differs from ours where /proc is that of another
// namespace. 0: it has none there, or was reaped.
pid_t sp_pidfd_number_in_proc(int pidfd);

#endif
