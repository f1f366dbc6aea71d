// SPDX-License-Identifier: MIT
// Where this process stands in the control groups of version 2, and which of them its
// owner has handed over to it. Any thread.
#ifndef BASE_CGROUP_TREE_H
#define BASE_CGROUP_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define SP_CGROUP_PATH_MAX 512u
#define SP_CGROUP_TEXT_MAX 4096u
#define SP_CGROUP_ROOT     "/sys/fs/cgroup"

// The text of a file of a group, cut to fit; "" if it cannot be read.
void sp_cgroup_read(const char *group, const char *file, char text[SP_CGROUP_TEXT_MAX]);

// A file of a group, which closes on exec; -1 with errno.
int sp_cgroup_open(const char *group, const char *file, int flags);

// Writes a file of a group at once; false: errno says why not.
bool sp_cgroup_write(const char *group, const char *file, const char *text);

// True if `word` is one of the words of a list: "cpu io memory".
bool sp_cgroup_names(const char *list, const char *word);

// Where version 2 is mounted below `root`: there itself, or in "unified" beside version
// 1.
void sp_cgroup_mount(const char *root, char mount[SP_CGROUP_PATH_MAX]);

// The path of this process's group of version 2 in `own`, the text of
// /proc/self/cgroup: "/system.slice/shop.service". False: there is none.
bool sp_cgroup_own(const char *own, char path[SP_CGROUP_PATH_MAX]);

// The group below which this process may make others: the parent of its own group or
// that itself, if systemd or an administrator has delegated it. False: neither was.
// `mount` and `path` are what the functions above have found.
bool sp_cgroup_delegated(const char *mount,
                         const char *path,
                         char parent[SP_CGROUP_PATH_MAX]);

// Moves this process into the group "host" below its own, if its own was delegated and
// has no other process: the kernel limits no groups below one that has processes.
// `root` is SP_CGROUP_ROOT, `own` the text of /proc/self/cgroup. Else, or where that
// fails, all stays as it is. For a program that has its process to itself, before it
// has children.
void sp_cgroup_step_aside(const char *root, const char *own);

#endif
