// SPDX-License-Identifier: MIT
// Makes a worker process: exec of an interpreter in a process group of its own, with
// exactly the descriptors that ipc/layout.h names, output pipes, and no others.
#ifndef WORKER_SPAWN_H
#define WORKER_SPAWN_H

#include <sys/types.h>

#include <snakepit/errors.h>

struct sp_spawn_options {
    const char *python;       // absolute path
    char *const *environment; // NAME=value, NULL at the end
    int control;              // descriptors that the worker gets, borrowed
    int requests;             // opened read only
    int results;
    int doorbell;
};

// A running process and our ends of what connects us. Owner: whoever embeds it.
struct sp_process {
    pid_t pid;
    int pidfd;
    int channel; // SOCK_SEQPACKET, non-blocking
    int output;  // its stdout, non-blocking
    int errors;  // its stderr, non-blocking
};

// SYSTEM, with errno: no descriptors or processes left, or the interpreter cannot be
// executed. Loop thread: the worker dies with the thread that spawned it.
snakepit_err sp_spawn(const struct sp_spawn_options *options,
                      struct sp_process *process);

#endif
