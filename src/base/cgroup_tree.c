// SPDX-License-Identifier: MIT
// A group is only touched where its owner has said that it may be: systemd marks what
// it delegates.
#include "base/cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"

#define ROOM_BELOW 64u // for the name of a group that is made in there

typedef char path_text[SP_CGROUP_PATH_MAX + 32];

void sp_cgroup_read(const char *group, const char *file, char text[SP_CGROUP_TEXT_MAX])
{
    path_text path;
    (void)snprintf(path, sizeof path, "%s/%s", group, file);
    (void)sp_file_read(path, text, SP_CGROUP_TEXT_MAX);
}

int sp_cgroup_open(const char *group, const char *file, int flags)
{
    path_text path;
    (void)snprintf(path, sizeof path, "%s/%s", group, file);
    return sp_descriptor_keep(open(path, flags | O_CLOEXEC));
}

bool sp_cgroup_write(const char *group, const char *file, const char *text)
{
    size_t size = strlen(text);
    int fd = sp_cgroup_open(group, file, O_WRONLY);
    bool written = fd >= 0 && write(fd, text, size) == (ssize_t)size;
    int reason = errno;
    sp_descriptor_close(&fd);
    errno = reason;
    return written;
}

bool sp_cgroup_names(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ' ';
        if (begins && strchr(" \n", at[length]) != NULL) {
            return true;
        }
    }
    return false;
}

void sp_cgroup_mount(const char *root, char mount[SP_CGROUP_PATH_MAX])
{
    path_text control;
    (void)snprintf(control, sizeof control, "%s/cgroup.controllers", root);
    bool here = access(control, R_OK) == 0;
    (void)snprintf(mount, SP_CGROUP_PATH_MAX, "%.400s%s", root, here ? "" : "/unified");
}

bool sp_cgroup_own(const char *own, char path[SP_CGROUP_PATH_MAX])
{
    const char *at = strncmp(own, "0::", 3) == 0 ? own : strstr(own, "\n0::");
    if (at == NULL) {
        return false;
    }
    at = strchr(at, '/');
    size_t size = at == NULL ? 0 : strcspn(at, "\n");
    if (size == 0 || size >= SP_CGROUP_PATH_MAX) {
        return false;
    }
    memcpy(path, at, size);
    path[size] = 0;
    return true;
}

static bool is_delegated(const char *group, bool is_root)
{
    char value[8];
    struct stat status;
    return is_root || getxattr(group, "user.delegate", value, sizeof value) > 0 ||
           getxattr(group, "trusted.delegate", value, sizeof value) > 0 ||
           (stat(group, &status) == 0 && geteuid() != 0 && status.st_uid == geteuid());
}

static bool take(const char *mount, const char *path, char parent[SP_CGROUP_PATH_MAX])
{
    char group[2 * SP_CGROUP_PATH_MAX];
    bool is_root = path[0] == 0 || strcmp(path, "/") == 0;
    (void)snprintf(group, sizeof group, "%s%s", mount, is_root ? "" : path);
    if (strlen(group) >= SP_CGROUP_PATH_MAX - ROOM_BELOW || access(group, W_OK) != 0 ||
        !is_delegated(group, is_root)) {
        return false;
    }
    (void)snprintf(parent, SP_CGROUP_PATH_MAX, "%.*s", SP_CGROUP_PATH_MAX - 1, group);
    return true;
}

bool sp_cgroup_delegated(const char *mount,
                         const char *path,
                         char parent[SP_CGROUP_PATH_MAX])
{
    char above[SP_CGROUP_PATH_MAX];
    (void)snprintf(above, sizeof above, "%s", path);
    *strrchr(above, '/') = 0;
    return take(mount, above, parent) || take(mount, path, parent);
}

static bool is_alone(const char *group, const char *self)
{
    char text[SP_CGROUP_TEXT_MAX];
    sp_cgroup_read(group, "cgroup.procs", text);
    return strcmp(text, self) == 0;
}

void sp_cgroup_step_aside(const char *root, const char *own)
{
    char mount[SP_CGROUP_PATH_MAX];
    char path[SP_CGROUP_PATH_MAX];
    char group[SP_CGROUP_PATH_MAX];
    char below[SP_CGROUP_PATH_MAX];
    char self[32];
    sp_cgroup_mount(root, mount);
    if (!sp_cgroup_own(own, path) || strcmp(path, "/") == 0 ||
        !sp_cgroup_delegated(mount, path, group) ||
        strcmp(group + strlen(mount), path) != 0) {
        return;
    }
    (void)snprintf(self, sizeof self, "%d\n", (int)getpid());
    (void)snprintf(below, sizeof below, "%.500s/host", group);
    if (is_alone(group, self) && (mkdir(below, 0755) == 0 || errno == EEXIST)) {
        (void)sp_cgroup_write(below, "cgroup.procs", self);
    }
}
