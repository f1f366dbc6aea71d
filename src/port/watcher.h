// SPDX-License-Identifier: MIT
// Sees workers die. One thread sleeps on the lifelines of up to 127 workers at once;
// more workers get more threads. Where the kernel refuses futex_waitv the watcher says
// so and pidfds stand in.
#ifndef PORT_WATCHER_H
#define PORT_WATCHER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "ipc/lifeline.h"

struct sp_watcher;

// Called when a lifeline has ended (`life` ENDED) or was tampered with (FORGED). Runs
// on a watcher thread, at most once per watch, never after sp_watcher_remove() has
// returned.
typedef void sp_watcher_fn(void *user, enum sp_life life);

// NO_MEMORY. UNSUPPORTED: this kernel has no futex_waitv.
snakepit_err sp_watcher_new(struct sp_watcher **watcher);
// Stops the threads. Nothing may be watched any more.
void sp_watcher_free(struct sp_watcher *watcher);

// Watches `lifeline`, held by thread `tid`, until it ends or is removed. Borrows the
// mutex until then. `*watch` names the watch. NO_MEMORY, SYSTEM (no thread). Any
// thread.
snakepit_err sp_watcher_add(struct sp_watcher *watcher,
                            pthread_mutex_t *lifeline,
                            int32_t tid,
                            sp_watcher_fn *ended,
                            void *user,
                            uint64_t *watch);
// Forgets a watch, waiting for its callback should it be running. A watch that has
// ended, or 0, is fine. Any thread, but never from the callback itself, nor while
// holding a lock that it takes.
void sp_watcher_remove(struct sp_watcher *watcher, uint64_t watch);

#endif
