// SPDX-License-Identifier: MIT
// The kernel's rules for version 2: a group whose own children are limited has no
// processes itself, so the host's group is never limited here, and a group is only
// touched where its owner has said that it may be: systemd marks what it delegates.
#include "process/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/descriptor.h"

#define REMOVE_MS    100
#define CPU_PERIOD   100000u // us
#define US_A_PERCENT (CPU_PERIOD / 100)

// ---- Where --------------------------------------------------------------------

// True if groups below this one can be limited by the controller, now or from now on.
// If false, errno is EBUSY where processes in the group itself are what is in the way.
static bool has_controller(const char *group, const char *controller)
{
    char text[SP_CGROUP_TEXT_MAX];
    char order[32];
    sp_cgroup_read(group, "cgroup.subtree_control", text);
    if (sp_cgroup_names(text, controller)) {
        return true;
    }
    (void)snprintf(order, sizeof order, "+%s", controller);
    if (!sp_cgroup_write(group, "cgroup.subtree_control", order)) {
        return false;
    }
    sp_cgroup_read(group, "cgroup.subtree_control", text);
    errno = 0;
    return sp_cgroup_names(text, controller);
}

static const char *missing_controller(const char *group,
                                      const struct sp_cgroup_limits *limits)
{
    if (limits->memory_max != 0 && !has_controller(group, "memory")) {
        return "memory";
    }
    return limits->cpu_max != 0 && !has_controller(group, "cpu") ? "cpu" : NULL;
}

static snakepit_err refuse(const struct sp_cgroup_limits *limits,
                           const char *reason,
                           const char *detail,
                           snakepit_message *why)
{
    if (why != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "sandbox.%s: %s%s; run the host in a control group of version 2 "
                       "that is delegated to it (systemd: Delegate=memory cpu and "
                       "DelegateSubgroup=host), or leave the key out",
                       limits->memory_max != 0 ? "memory_max" : "cpu_max",
                       reason,
                       detail);
    }
    return SNAKEPIT_UNSUPPORTED;
}

static snakepit_err refuse_undelegated(const char *mount,
                                       const char *path,
                                       const struct sp_cgroup_limits *limits,
                                       snakepit_message *why)
{
    struct statvfs status;
    if (statvfs(mount, &status) == 0 && (status.f_flag & ST_RDONLY) != 0) {
        return refuse(limits,
                      "the host may only read control groups (systemd: "
                      "ProtectControlGroups=no)",
                      "",
                      why);
    }
    return refuse(
        limits, "no control group is delegated to the host, which is in ", path, why);
}

static snakepit_err refuse_without(const char *controller,
                                   const struct sp_cgroup_limits *limits,
                                   snakepit_message *why)
{
    return errno == EBUSY
               ? refuse(limits,
                        "the control group has processes itself, the host's, and so "
                        "none below it can be limited by the controller ",
                        controller,
                        why)
               : refuse(
                     limits, "the control group has no controller ", controller, why);
}

snakepit_err sp_cgroup_find(const char *root,
                            const char *own,
                            const struct sp_cgroup_limits *limits,
                            char parent[SP_CGROUP_PATH_MAX],
                            snakepit_message *why)
{
    char mount[SP_CGROUP_PATH_MAX];
    char path[SP_CGROUP_PATH_MAX];
    sp_cgroup_mount(root, mount);
    if (!sp_cgroup_own(own, path)) {
        return refuse(
            limits, "this machine has no control groups of version 2", "", why);
    }
    if (!sp_cgroup_delegated(mount, path, parent)) {
        return refuse_undelegated(mount, path, limits, why);
    }
    const char *missing = missing_controller(parent, limits);
    return missing == NULL ? SNAKEPIT_OK : refuse_without(missing, limits, why);
}

// Leaves `parent` as it is where nothing is limited.
static snakepit_err find_here(const struct sp_cgroup_limits *limits,
                              char parent[SP_CGROUP_PATH_MAX],
                              snakepit_message *why)
{
    char own[SP_CGROUP_TEXT_MAX];
    if (limits->memory_max == 0 && limits->cpu_max == 0) {
        return SNAKEPIT_OK;
    }
    sp_cgroup_read("/proc/self", "cgroup", own);
    return sp_cgroup_find(SP_CGROUP_ROOT, own, limits, parent, why);
}

snakepit_err sp_cgroup_check(const struct sp_cgroup_limits *limits,
                             snakepit_message *why)
{
    char parent[SP_CGROUP_PATH_MAX];
    return find_here(limits, parent, why);
}

// ---- A worker's group ---------------------------------------------------------

static snakepit_err
give_up(struct sp_cgroup *group, const char *file, snakepit_message *why)
{
    if (why != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "%.300s/%s: %s",
                       group->path,
                       file,
                       strerrordesc_np(errno));
    }
    (void)rmdir(group->path);
    group->path[0] = 0;
    return SNAKEPIT_SYSTEM;
}

static const char *set_limits(const char *group, const struct sp_cgroup_limits *limits)
{
    char text[64];
    if (limits->memory_max != 0) {
        (void)snprintf(text, sizeof text, "%" PRIu64, limits->memory_max);
        if (!sp_cgroup_write(group, "memory.max", text)) {
            return "memory.max";
        }
        // A kernel without swap has no such file, and an old one none to die together.
        (void)sp_cgroup_write(group, "memory.swap.max", "0");
        (void)sp_cgroup_write(group, "memory.oom.group", "1");
    }
    if (limits->cpu_max != 0) {
        (void)snprintf(text,
                       sizeof text,
                       "%" PRIu64 " %u",
                       (uint64_t)limits->cpu_max * US_A_PERCENT,
                       CPU_PERIOD);
        if (!sp_cgroup_write(group, "cpu.max", text)) {
            return "cpu.max";
        }
    }
    return NULL;
}

// Templates and the workers of all pits of this process have numbers of their own. A
// name is taken where one that was killed had the same pid, and its groups are left.
static bool make(struct sp_cgroup *group, const char *parent)
{
    static atomic_uint_least64_t last;
    int made;
    do {
        (void)snprintf(group->path,
                       sizeof group->path,
                       "%.400s/snakepit-%d-%" PRIuLEAST64,
                       parent,
                       (int)getpid(),
                       atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1);
        made = mkdir(group->path, 0755);
    } while (made != 0 && errno == EEXIST);
    return made == 0;
}

snakepit_err sp_cgroup_enter(struct sp_cgroup *group,
                             const char *parent,
                             pid_t pid,
                             const struct sp_cgroup_limits *limits,
                             snakepit_message *why)
{
    char text[32];
    if (!make(group, parent)) {
        return give_up(group, "", why);
    }
    const char *refused = set_limits(group->path, limits);
    if (refused != NULL) {
        return give_up(group, refused, why);
    }
    (void)snprintf(text, sizeof text, "%d", (int)pid);
    return sp_cgroup_write(group->path, "cgroup.procs", text)
               ? SNAKEPIT_OK
               : give_up(group, "cgroup.procs", why);
}

snakepit_err sp_cgroup_confine(struct sp_cgroup *group,
                               pid_t pid,
                               const struct sp_cgroup_limits *limits,
                               snakepit_message *why)
{
    char parent[SP_CGROUP_PATH_MAX] = "";
    snakepit_err err = find_here(limits, parent, why);
    return err != SNAKEPIT_OK || parent[0] == 0
               ? err
               : sp_cgroup_enter(group, parent, pid, limits, why);
}

void sp_cgroup_kill(const struct sp_cgroup *group)
{
    if (group->path[0] != 0) {
        (void)sp_cgroup_write(group->path, "cgroup.kill", "1");
    }
}

// What was killed leaves the group only when it has given back its memory.
static void wait_until_empty(const struct sp_cgroup *group)
{
    char text[SP_CGROUP_TEXT_MAX];
    struct pollfd events = {.fd =
                                sp_cgroup_open(group->path, "cgroup.events", O_RDONLY),
                            .events = POLLPRI};
    if (events.fd < 0) {
        return;
    }
    ssize_t got = pread(events.fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = 0;
    if (strstr(text, "populated 1") != NULL) {
        (void)poll(&events, 1, REMOVE_MS);
    }
    sp_descriptor_close(&events.fd);
}

void sp_cgroup_remove(struct sp_cgroup *group)
{
    if (group->path[0] != 0 && rmdir(group->path) != 0 && errno == EBUSY) {
        sp_cgroup_kill(group);
        wait_until_empty(group);
        (void)rmdir(group->path);
    }
    group->path[0] = 0;
}
