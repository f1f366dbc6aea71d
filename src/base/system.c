// SPDX-License-Identifier: MIT
// The remedy follows from the errno, mostly: each lack of a resource has one of its
// own.
#include "base/system.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

// A limit of this process, as its remedy names it.
struct limit {
    __rlimit_resource_t resource;
    const char *what; // is to be raised
    const char *unit; // " bytes" or nothing
};

static const struct limit files = {
    RLIMIT_NOFILE, "the limit of open files (ulimit -n, LimitNOFILE=)", ""};
static const struct limit file_size = {
    RLIMIT_FSIZE, "the limit of a file's size (ulimit -f, LimitFSIZE=)", " bytes"};
static const struct limit addresses = {
    RLIMIT_AS, "the limit of address space (ulimit -v, LimitAS=)", " bytes"};
static const struct limit locked = {
    RLIMIT_MEMLOCK, "the limit of locked memory (ulimit -l, LimitMEMLOCK=)", " bytes"};
static const struct limit processes = {
    RLIMIT_NPROC,
    "the limit of processes and threads (ulimit -u, LimitNPROC=, TasksMax=)",
    ""};

const char *sp_system_limit(int resource)
{
    static const struct limit *const limits[] = {
        &files, &file_size, &addresses, &locked, &processes};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if ((int)limits[i]->resource == resource) {
            return limits[i]->what;
        }
    }
    return "the limit";
}

static bool is_set(const struct limit *limit, uint64_t *value)
{
    struct rlimit now;
    bool set = getrlimit(limit->resource, &now) == 0 && now.rlim_cur != RLIM_INFINITY;
    *value = set ? (uint64_t)now.rlim_cur : 0;
    return set;
}

static void raise_limit(const struct limit *limit, char *text, size_t size)
{
    uint64_t value;
    if (is_set(limit, &value)) {
        (void)snprintf(text,
                       size,
                       "; raise %s, which is %llu%s",
                       limit->what,
                       (unsigned long long)value,
                       limit->unit);
    } else {
        (void)snprintf(text, size, "; raise %s", limit->what);
    }
}

static bool is_one_of(const char *call, const char *const *calls)
{
    while (*calls != NULL && strcmp(call, *calls) != 0) {
        calls++;
    }
    return *calls != NULL;
}

// What is short of memory or of places for processes.
static void explain_shortage(const char *call, char *text, size_t size)
{
    static const char *const makers[] = {"pthread_create", "posix_spawn", "fork", NULL};
    uint64_t value;
    if (is_set(&addresses, &value)) {
        raise_limit(&addresses, text, size);
    } else if (errno == EAGAIN) {
        raise_limit(is_one_of(call, makers) ? &processes : &locked, text, size);
    } else {
        (void)snprintf(text,
                       size,
                       "; the machine or its container has too little memory (also "
                       "vm.overcommit_memory and vm.max_map_count limit it)");
    }
}

static void explain_absence(const char *object, char *text, size_t size)
{
    if (strstr(object, "/proc/") != NULL) {
        (void)snprintf(text, size, "; mount /proc here");
    }
}

static void explain(const char *call, const char *object, char *text, size_t size)
{
    switch (errno) {
    case EMFILE:
        raise_limit(&files, text, size);
        break;
    case ENFILE:
        (void)snprintf(
            text, size, "; the machine is out of open files; raise fs.file-max");
        break;
    case EFBIG:
        raise_limit(&file_size, text, size);
        break;
    case ENOSPC:
        (void)snprintf(
            text,
            size,
            strcmp(call, "epoll_ctl") == 0
                ? "; raise fs.epoll.max_user_watches"
                : "; make room in the memory of the machine or its container");
        break;
    case ENOMEM:
    case EAGAIN:
        explain_shortage(call, text, size);
        break;
    case EPERM:
    case ENOSYS:
        (void)snprintf(
            text,
            size,
            "; a filter of system calls (seccomp), a container or the kernel "
            "forbids it; allow it");
        break;
    case E2BIG:
        (void)snprintf(text,
                       size,
                       "; the environment is larger than exec allows: put what is in "
                       "adapter_env, or in the program's own environment, into "
                       "adapter_config or a file");
        break;
    case ENOENT:
        explain_absence(object, text, size);
        break;
    default:
        break;
    }
}

static bool is_a_matter_of_size(int number)
{
    return number == EFBIG || number == ENOMEM || number == EAGAIN || number == ENOSPC;
}

snakepit_err sp_system_failed(
    snakepit_message *why, const char *call, const char *key, const char *format, ...)
{
    int reason = errno;
    char object[320];
    char remedy[240] = "";
    va_list args;
    if (why == NULL) {
        return SNAKEPIT_SYSTEM;
    }
    va_start(args, format);
    (void)vsnprintf(object, sizeof object, format, args);
    va_end(args);
    explain(call, object, remedy, sizeof remedy);
    const char *text = strerrordesc_np(reason);
    const char *name = strerrorname_np(reason);
    bool may_lower = key != NULL && is_a_matter_of_size(reason);
    (void)snprintf(why->text,
                   sizeof why->text,
                   "%s %s: %s (%s)%s%s%s",
                   call,
                   object,
                   text != NULL ? text : "an unknown error",
                   name != NULL ? name : "?",
                   remedy,
                   may_lower ? ", or lower " : "",
                   may_lower ? key : "");
    errno = reason;
    return SNAKEPIT_SYSTEM;
}
