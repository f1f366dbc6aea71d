// SPDX-License-Identifier: MIT
// What worker.c gives to birth.c, which starts and frees workers. For these two alone;
// loop thread.
#ifndef WORKER_BIRTH_H
#define WORKER_BIRTH_H

#include <stdbool.h>

#include "worker/worker.h"

// The one function that assigns the state.
void sp_worker_enter(struct sp_worker *worker, enum sp_worker_event event);
// Sends a signal to the worker and its group, if it is born and not dead.
void sp_worker_signal(struct sp_worker *worker, int number);
// Kills it for a start that went wrong; `why` is a constant text.
void sp_worker_fail_start(struct sp_worker *worker, const char *why);
// Begins the ladder of an end: the message, or SIGTERM at once.
void sp_worker_ask_to_leave(struct sp_worker *worker, bool by_message);
// Watches its exit; nothing is born before. SYSTEM, with errno.
snakepit_err sp_worker_watch_exit(struct sp_worker *worker, snakepit_message *why);
// Watches its other descriptors and starts its timers.
void sp_worker_watch(struct sp_worker *worker);

#endif
