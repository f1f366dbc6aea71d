// SPDX-License-Identifier: MIT
// The one thing to know: nothing tells who is in a group but a walk through all of
// /proc. So there is a cheap look before, by priorities: of a group one gets that of
// its foremost member, and a leader that has exited can be put behind all others.
#include "process/others.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"

#define LOOK_MS 20 // between two looks at those that were asked
#define LAST    19 // the priority behind all others

// ---- Who is there -------------------------------------------------------------

// False: nobody but the leader, or none but members of the last priority themselves,
// which are then killed without being asked.
static bool may_be_there(pid_t leader)
{
    bool is_last = getpriority(PRIO_PROCESS, (id_t)leader) == LAST;
    if (is_last || setpriority(PRIO_PROCESS, (id_t)leader, LAST) != 0) {
        return true;
    }
    return getpriority(PRIO_PGRP, (id_t)leader) != LAST;
}

// Whether a process of this number is in the group, and no zombie.
static bool is_in_group(pid_t pid, pid_t leader)
{
    char path[64];
    char line[512];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    (void)sp_file_read(path, line, sizeof line);
    // Behind the name, which may hold anything: ") S 1 2 ", state, parent, group.
    char *at = strrchr(line, ')');
    if (at == NULL || strlen(at) < 4 || at[2] == 'Z' || at[2] == 'X') {
        return false;
    }
    (void)strtol(at + 3, &at, 10);
    return strtol(at, NULL, 10) == leader;
}

static pid_t search(pid_t leader)
{
    long found = 0;
    const struct dirent *entry;
    DIR *proc = opendir("/proc");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while (proc != NULL && found == 0 && (entry = readdir(proc)) != NULL) {
        long number = strtol(entry->d_name, NULL, 10);
        found = number > 0 && is_in_group((pid_t)number, leader) ? number : 0;
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
    return (pid_t)found;
}

// The leader is a zombie that only we reap, so its number is that of its group.
static bool remain_in_proc(struct sp_child leader, pid_t *last)
{
    pid_t group = sp_pidfd_number_in_proc(leader.pidfd);
    if (group == 0) {
        return may_be_there(leader.pid); // /proc does not show our processes
    }
    if (*last == 0 || !is_in_group(*last, group)) {
        *last = may_be_there(leader.pid) ? search(group) : 0;
    }
    return *last != 0;
}

bool sp_others_remain(struct sp_child leader, pid_t *last)
{
    return sp_pidfd_is_ours(leader.pidfd) ? remain_in_proc(leader, last)
                                          : sp_pidfd_signal_group(leader, 0) == 0;
}

// ---- What becomes of them -----------------------------------------------------

static void look_again(struct sp_timer *timer)
{
    struct sp_others *others = SP_ENTRY(timer, struct sp_others, timer);
    if (!sp_others_remain(others->leader, &others->last) ||
        sp_clock_now() >= others->until) {
        sp_timer_stop(timer);
        others->alone(others);
    }
}

bool sp_others_ask(struct sp_others *others,
                   struct sp_loop *loop,
                   struct sp_child leader,
                   uint32_t grace_ms,
                   void (*alone)(struct sp_others *others))
{
    others->leader = leader;
    others->last = 0;
    others->alone = alone;
    others->until = sp_clock_now() + grace_ms * SP_NS_PER_MS;
    if (!sp_others_remain(leader, &others->last) ||
        sp_pidfd_signal_group(leader, SIGTERM) != 0) {
        return false;
    }
    sp_timer_start(loop, &others->timer, look_again, LOOK_MS, LOOK_MS);
    return true;
}
