// SPDX-License-Identifier: MIT
// What the files about one worker share: birth.c starts and frees it, worker.c listens
// to it while it lives, death.c ends it, state.c holds its state. Each calls only those
// named after it. Loop thread, but where a comment says otherwise.
#ifndef PROCESS_BIRTH_H
#define PROCESS_BIRTH_H

#include <stdbool.h>

#include "process/worker.h"

static inline struct sp_worker *sp_worker_of(struct sp_subprocess *child)
{
    return SP_ENTRY(child, struct sp_worker, child);
}

// ---- state.c ------------------------------------------------------------------

// The one function that assigns the state.
void sp_worker_enter(struct sp_worker *worker, enum sp_worker_event event);

// ---- worker.c -----------------------------------------------------------------

// Kills it for a start that went wrong; `why` is a constant text.
void sp_worker_fail_start(struct sp_worker *worker, const char *why);
// The same where the system refused something, which `why` explains.
void sp_worker_fail_for_want(struct sp_worker *worker, const snakepit_message *why);
// Begins the ladder of an end: the message, or SIGTERM at once.
void sp_worker_ask_to_leave(struct sp_worker *worker, bool by_message);
// Watches its descriptors, except for its exit, and starts its timers.
void sp_worker_watch(struct sp_worker *worker);
extern const struct sp_subprocess_kind sp_worker_kind;

#define SP_WHERE_MAX 3600u // bytes of what sp_worker_where() says in a line of the log

// ---- death.c ------------------------------------------------------------------

// Keeps the stack in which a start that is late was seen, in `worker->stack`.
void sp_worker_keep_start(struct sp_worker *worker);
// Sends a signal to the worker, if it is born and not dead. `group`: to all that it has
// started, too.
void sp_worker_signal(struct sp_worker *worker, int number, bool group);
// Keeps the first reason for which it is killed, a constant text. Any thread.
void sp_worker_blame(struct sp_worker *worker, const char *why);
// What the watcher calls at the end of its lifeline. Watcher thread.
void sp_worker_lifeline_ended(void *user, enum sp_life life);
// The functions of sp_worker_kind that end it.
void sp_worker_denied(struct sp_subprocess *child);
void sp_worker_given_up(struct sp_subprocess *child, const char *why);
void sp_worker_exited(struct sp_subprocess *child);
void sp_worker_clear_group(struct sp_subprocess *child);
void sp_worker_gone(struct sp_subprocess *child);

#endif
