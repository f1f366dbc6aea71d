// SPDX-License-Identifier: MIT
// Whether the kernel has killed a process for want of memory. A signal 9 does not say
// who sent it, so this is judged by counters: that of the memory group (cgroup) that
// our workers are started in, else that of the machine.
#ifndef PROCESS_OOM_H
#define PROCESS_OOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_oom {
    SP_OOM_NO = 0,   // nothing points to it
    SP_OOM_POSSIBLE, // something on the machine was killed for it meanwhile
    SP_OOM_YES,      // something in our memory group was
};

#define SP_OOM_FILE_MAX 512u

// The counters when a process was started. Plain data, constant afterwards.
struct sp_oom_seen {
    char file[SP_OOM_FILE_MAX]; // counts the kills in our group; "" where there is none
    uint64_t group;
    uint64_t machine; // those of all groups, where there is no file
    bool alone;       // the group is that process's own
};

// Looks at the counters now.
void sp_oom_look(struct sp_oom_seen *seen);
// Looks at those of a group that was made for the process, if it has any. "": there is
// no such group.
void sp_oom_look_into(struct sp_oom_seen *seen, const char *group);
// What explains a SIGKILL of a process that was started at `seen`. Each kill in the
// group explains one death, so call this once for each. Any thread.
enum sp_oom sp_oom_judge(const struct sp_oom_seen *seen);

// The file that counts the kills in the group of a process, from the text of its
// /proc/PID/cgroup; "" if there is none that can be read. `mount` is where the groups
// are mounted, "/sys/fs/cgroup".
void sp_oom_find_file(const char *groups,
                      const char *mount,
                      char file[SP_OOM_FILE_MAX]);

#endif
