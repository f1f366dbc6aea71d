// SPDX-License-Identifier: MIT
// The one thing to know: nothing tells who is in a group but a walk through all of
// /proc. So there is a cheap look before, by priorities: of a group one gets that of
// its foremost member, and a leader that has exited can be put behind all others.
#include "worker/others.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "worker/worker.h"

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
    FILE *file = fopen(path, "re");
    size_t got = file == NULL ? 0 : fread(line, 1, sizeof line - 1, file);
    line[got] = 0;
    if (file != NULL) {
        (void)fclose(file);
    }
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

pid_t sp_others_find(pid_t leader, pid_t last)
{
    if (last != 0 && is_in_group(last, leader)) {
        return last;
    }
    return may_be_there(leader) ? search(leader) : 0;
}

// ---- What becomes of them -----------------------------------------------------

bool sp_others_may_stay(const struct sp_worker *worker, const struct sp_exit *end)
{
    bool in_order = (end->signal == 0 && end->code == 0) || end->signal == SIGTERM;
    return atomic_load(&worker->asked) && !end->gone &&
           !atomic_load(&worker->replaced) &&
           atomic_load(&worker->killed_for) == NULL && (!end->known || in_order);
}

static void look_again(struct sp_timer *timer)
{
    struct sp_worker *worker = timer->user;
    worker->other = sp_others_find(worker->process.pid, worker->other);
    if (worker->other == 0 || sp_clock_now() >= worker->others_until) {
        sp_timer_stop(timer);
        worker->alone(worker);
    }
}

bool sp_others_ask(struct sp_worker *worker, void (*alone)(struct sp_worker *worker))
{
    pid_t leader = worker->process.pid;
    if (!sp_others_may_stay(worker, &worker->end)) {
        return false;
    }
    worker->other = sp_others_find(leader, 0);
    if (worker->other == 0) {
        return false;
    }
    worker->alone = alone;
    worker->others_until =
        sp_clock_now() + worker->options.stop_grace_ms * SP_NS_PER_MS;
    // The dead leader's descriptor would be ready for ever.
    sp_watch_stop(&worker->exit_watch);
    sp_timer_stop(&worker->heartbeat);
    (void)kill(-leader, SIGTERM);
    sp_timer_start(worker->options.loop, &worker->timer, look_again, LOOK_MS, LOOK_MS);
    return true;
}
