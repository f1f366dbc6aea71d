// SPDX-License-Identifier: MIT
// What a worker that leaves in order leaves behind in its group: it is asked to leave
// as well, and killed only if it stays. The worker is not reaped meanwhile, so the
// group's number is its own.
#ifndef WORKER_OTHERS_H
#define WORKER_OTHERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "worker/cause.h"

struct sp_worker;

// Whether it left as one that was asked to, or has not said how yet: those that it
// leaves behind are not to be killed at once. Any thread.
bool sp_others_may_stay(const struct sp_worker *worker, const struct sp_exit *end);

// Asks them to leave; `alone` is called when they have, or after stop_grace_ms. False:
// there are none, or they are to be killed, and `alone` is never called. `worker->end`
// is known. Loop thread.
bool sp_others_ask(struct sp_worker *worker, void (*alone)(struct sp_worker *worker));

// A live process in the group of a leader that has exited and is not reaped: `last`, if
// it still is one, else any; 0 for none.
pid_t sp_others_find(pid_t leader, pid_t last);

#endif
