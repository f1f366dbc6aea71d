// SPDX-License-Identifier: MIT
// Stands in for spawn.c: what is spawned is a process of the fake machine.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "fakes.h"

static snakepit_err refuse(snakepit_message *why)
{
    errno = machine.spawn_refuses;
    (void)snprintf(why->text, sizeof why->text, "spawn is refused");
    return SNAKEPIT_SYSTEM;
}

snakepit_err sp_spawn(const struct sp_spawn_options *options,
                      struct sp_process *process)
{
    if (machine.spawn_refuses != 0) {
        return refuse(options->why);
    }
    (void)fake_spawn(process);
    return SNAKEPIT_OK;
}

snakepit_err sp_spawn_template(const struct sp_spawn_options *options,
                               struct sp_process *process)
{
    return sp_spawn(options, process);
}

// Its host's ends are there at once, and its process when the template says so.
snakepit_err sp_spawn_fork(const struct sp_spawn_options *options,
                           int channel,
                           uint64_t ticket,
                           struct sp_process *process)
{
    (void)channel;
    (void)ticket;
    snakepit_err err = sp_spawn(options, process);
    if (err == SNAKEPIT_OK) {
        process->pid = 0;
        process->pidfd = -1;
    }
    return err;
}

snakepit_err
sp_process_adopt(struct sp_process *process, pid_t pid, snakepit_message *why)
{
    for (uint32_t i = 0; i < machine.count; i++) {
        if (machine.processes[i].pid == pid) {
            process->pid = pid;
            process->pidfd = machine.processes[i].pidfd;
            return SNAKEPIT_OK;
        }
    }
    (void)snprintf(why->text, sizeof why->text, "there is no process %d", (int)pid);
    return SNAKEPIT_SYSTEM;
}

void sp_process_end(struct sp_process *process)
{
    const struct sp_child child = sp_process_child(process);
    (void)sp_pidfd_signal(child, SIGKILL);
    (void)close(process->pidfd);
    process->pidfd = -1;
    process->pid = 0;
}

void sp_process_close(struct sp_process *process)
{
    int *const fds[] = {
        &process->pidfd, &process->channel, &process->output, &process->errors};
    for (int i = 0; i < 4; i++) {
        if (*fds[i] >= 0) {
            (void)close(*fds[i]);
            *fds[i] = -1;
        }
    }
}
