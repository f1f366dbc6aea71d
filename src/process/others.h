// SPDX-License-Identifier: MIT
// What a process that has exited leaves behind in its group: it is asked to leave as
// well (SIGTERM), and killed only if it stays. This is so however the leader ended,
// since some helpers have to tidy up after it: Python's resource tracker removes shared
// memory that nobody else would. Loop thread.
#ifndef PROCESS_OTHERS_H
#define PROCESS_OTHERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "base/pidfd.h"

// Owner: whoever embeds it.
struct sp_others {
    struct sp_timer timer;
    struct sp_child leader; // has exited
    pid_t last;             // one that was seen, or 0
    uint64_t until;         // when they are killed; CLOCK_MONOTONIC ns
    void (*alone)(struct sp_others *others);
};

// Asks them to leave; `alone` is called when they have, or after `grace_ms`; it must
// kill whoever is left. False: there are none, and `alone` is never called.
bool sp_others_ask(struct sp_others *others,
                   struct sp_loop *loop,
                   struct sp_child leader,
                   uint32_t grace_ms,
                   void (*alone)(struct sp_others *others));

// Whether somebody but the leader, which has exited, is in its group. `*last` is one of
// them that was seen before, or 0; it saves a search.
bool sp_others_remain(struct sp_child leader, pid_t *last);

#endif
