// SPDX-License-Identifier: MIT
// Makes the processes of a pool: exec of an interpreter in a process group of its own,
// with exactly the descriptors that ipc/layout.h names, output pipes, and no others; or
// a request to a template that forks one.
#ifndef PROCESS_SPAWN_H
#define PROCESS_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include <snakepit/payload.h>

#include "base/pidfd.h"

struct sp_spawn_options {
    const char *python;       // absolute path
    char *const *environment; // NAME=value, NULL at the end
    int control;              // descriptors that a worker gets, borrowed
    int requests;             // opened read only
    int results;
    int doorbell;
    snakepit_message *why; // NULL, or where SYSTEM is explained
};

// A process and our ends of what connects us. Owner: whoever embeds it.
struct sp_process {
    pid_t pid; // 0: it was asked for, and is not there yet
    int pidfd;
    int channel; // SOCK_SEQPACKET, non-blocking
    int output;  // its stdout, non-blocking
    int errors;  // its stderr, non-blocking
};

// What is needed to signal it or to wait for it.
static inline struct sp_child sp_process_child(const struct sp_process *process)
{
    return (struct sp_child){process->pid, process->pidfd};
}

// Starts a worker. SYSTEM, with errno: no descriptors or processes left, or the
// interpreter cannot be executed. Loop thread: the worker dies with the thread that
// spawned it.
snakepit_err sp_spawn(const struct sp_spawn_options *options,
                      struct sp_process *process);
// Starts a template: the interpreter and the environment are used. As above.
snakepit_err sp_spawn_template(const struct sp_spawn_options *options,
                               struct sp_process *process);
// Asks the template behind `channel` to fork a worker; the environment is the
// template's own. Our ends are there at once, and break if the template does not take
// the request. SYSTEM, with errno.
snakepit_err sp_spawn_fork(const struct sp_spawn_options *options,
                           int channel,
                           uint64_t ticket,
                           struct sp_process *process);
// Makes `pid`, a child of ours that has not been reaped, the process. SYSTEM, with
// errno: its exit could not be observed, and so it was killed and reaped.
snakepit_err
sp_process_adopt(struct sp_process *process, pid_t pid, snakepit_message *why);
// Kills and reaps it, which takes no time to speak of; keeps errno, and our ends.
void sp_process_end(struct sp_process *process);
// Closes our ends. Those that are -1 are fine.
void sp_process_close(struct sp_process *process);

#endif
