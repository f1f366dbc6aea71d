// SPDX-License-Identifier: MIT
// A pool's template: a process that has imported the adapter once, runs one thread, and
// forks workers on request. It is trusted no more than a worker. Loop thread only.
//
// A forked worker is a child of this process, not of the template (CLONE_PARENT, see
// python/native/template.c), and stays in the template's group until the template has
// reported it. So whatever is in that group when the template ends is the template's.
#ifndef PROCESS_TEMPLATE_H
#define PROCESS_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <snakepit/errors.h>

#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/slice.h"
#include "ipc/layout.h"
#include "process/cgroup.h"
#include "process/spawn.h"
#include "process/state.h"
#include "process/subprocess.h"

#define SP_TEMPLATE_REASON_MAX 512u

struct sp_template;

struct sp_template_hooks {
    // It can fork.
    void (*ready)(void *user, struct sp_template *template);
    // Its exit was observed and nothing of it is left but its memory. Free it with
    // sp_template_free(), here or later.
    void (*gone)(void *user, struct sp_template *template);
    void *user;
};

// Borrowed for the life of the template, but for `config`.
struct sp_template_options {
    struct sp_loop *loop;
    struct sp_inbox *inbox; // of the loop's thread
    const struct sp_log *log;
    const char *pool;
    const char *python;
    char *const *environment;
    struct sp_slice config; // body of the first message; borrowed for the start
    struct sp_cgroup_limits limits;
    uint32_t start_timeout_ms;
    uint32_t stop_grace_ms;
    uint32_t fork_timeout_ms; // from the request to the answer
    struct sp_template_hooks hooks;
};

// One worker that was asked for. Owner: whoever asks, and keeps it until `done` has
// run.
struct sp_fork {
    struct sp_link link;
    uint64_t ticket;
    // Once, never inside sp_template_fork(): the worker is there, in a group of its own
    // and ours to reap; or 0: it is not and will not be.
    void (*done)(void *user, pid_t pid);
    void *user;
};

struct sp_template {
    struct sp_template_options options;
    enum sp_template_state state;
    struct sp_subprocess child; // its timer also watches the oldest pending fork
    uint64_t last_ticket;
    struct sp_link pending; // struct sp_fork, in the order of their tickets
    bool was_ready;
    bool wanted_gone; // by sp_template_stop(), so its exit is not news
    // Why it cannot be used, in its words or ours; empty if it was simply stopped.
    char reason[SP_TEMPLATE_REASON_MAX];
    char stage[SP_STAGE_MAX]; // what its start does now, in its words; or empty
};

// Starts the process. SYSTEM, which `why` explains, NO_MEMORY: no callback runs.
snakepit_err sp_template_start(const struct sp_template_options *options,
                               struct sp_template **template,
                               snakepit_message *why);
// Asks for a worker of the given descriptors; `process` gets our ends, and no pid.
// `fork` needs its `done` and `user`. UNSUPPORTED: it is not ready. SYSTEM, with errno.
snakepit_err sp_template_fork(struct sp_template *template,
                              const struct sp_spawn_options *worker,
                              struct sp_process *process,
                              struct sp_fork *fork);
// Ends its channel; after stop_grace_ms it gets SIGTERM, after the same time SIGKILL.
void sp_template_stop(struct sp_template *template);
// After `gone`.
void sp_template_free(struct sp_template *template);

#endif
