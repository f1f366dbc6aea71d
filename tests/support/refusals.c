// SPDX-License-Identifier: MIT
// Only what gets something is refused: to give back, to write or to look never lacks
// anything.
#include "support/refusals.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic long seen;
static _Atomic long first; // 0: none
static _Atomic long most;
static _Atomic(const char *) name_of_first;

void refuse_from(long n, long count)
{
    atomic_store(&first, 0);
    atomic_store(&name_of_first, NULL);
    atomic_store(&seen, 0);
    atomic_store(&most, count);
    atomic_store(&first, n);
}

const char *refused_first(void)
{
    return atomic_load(&name_of_first);
}

long refusals_seen(void)
{
    return atomic_load(&seen);
}

static bool refuses(const char *call, int number)
{
    const char *none = NULL;
    long begin = atomic_load(&first);
    long now = atomic_fetch_add(&seen, 1) + 1;
    if (begin == 0 || now < begin || now - begin >= atomic_load(&most)) {
        return false;
    }
    (void)atomic_compare_exchange_strong(&name_of_first, &none, call);
    errno = number;
    return true;
}

// What stands behind ours. Through an integer: ISO C knows no way from data to code.
#define BEHIND(type, name) ((type *)(uintptr_t)dlsym(RTLD_NEXT, name))

// What has no function of its own, and what ours stand in front of.
long syscall(long number, ...)
{
    typedef long syscall_fn(long, ...);
    static _Atomic(syscall_fn *) behind;
    long rest[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        rest[i] = va_arg(args, long);
    }
    va_end(args);
    if ((number == SYS_futex_waitv && refuses("futex_waitv", ENOMEM)) ||
        (number == SYS_pidfd_open && refuses("pidfd_open", EPERM))) {
        return -1;
    }
    if (atomic_load(&behind) == NULL) {
        atomic_store(&behind, BEHIND(syscall_fn, "syscall"));
    }
    return atomic_load(&behind)(
        number, rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]);
}

// ---- Descriptors --------------------------------------------------------------

int eventfd(unsigned value, int flags)
{
    return refuses("eventfd", EMFILE) ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}

int epoll_create1(int flags)
{
    return refuses("epoll_create1", EMFILE) ? -1
                                            : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return operation == EPOLL_CTL_ADD && refuses("epoll_ctl", ENOSPC)
               ? -1
               : (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int socket(int domain, int type, int protocol)
{
    return refuses("socket", EMFILE) ? -1
                                     : (int)syscall(SYS_socket, domain, type, protocol);
}

// Its address is a union of pointers, as the C library declares it.
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    return refuses("accept4", EMFILE)
               ? -1
               : (int)syscall(SYS_accept4, fd, address.__sockaddr__, size, flags);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    return refuses("socketpair", EMFILE)
               ? -1
               : (int)syscall(SYS_socketpair, domain, type, protocol, fds);
}

int pipe2(int fds[2], int flags)
{
    return refuses("pipe2", ENFILE) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
    va_end(args);
    return refuses("open", EMFILE)
               ? -1
               : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    long argument = va_arg(args, long);
    va_end(args);
    return command == F_DUPFD_CLOEXEC && refuses("fcntl", EMFILE)
               ? -1
               : (int)syscall(SYS_fcntl, fd, command, argument);
}

// ---- Memory -------------------------------------------------------------------

int memfd_create(const char *name, unsigned flags)
{
    return refuses("memfd_create", EMFILE)
               ? -1
               : (int)syscall(SYS_memfd_create, name, flags);
}

int ftruncate(int fd, off_t size)
{
    return refuses("ftruncate", ENOMEM) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (refuses("mmap", ENOMEM)) {
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

int madvise(void *address, size_t size, int advice)
{
    return refuses("madvise", ENOMEM)
               ? -1
               : (int)syscall(SYS_madvise, address, size, advice);
}

// ---- Threads and processes ----------------------------------------------------

int pthread_create(pthread_t *thread,
                   const pthread_attr_t *attributes,
                   void *(*run)(void *),
                   void *argument)
{
    typedef int create_fn(
        pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    return refuses("pthread_create", EAGAIN)
               ? EAGAIN
               : BEHIND(create_fn, "pthread_create")(thread, attributes, run, argument);
}

int posix_spawn(pid_t *pid,
                const char *path,
                const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes,
                char *const words[],
                char *const environment[])
{
    typedef int spawn_fn(pid_t *,
                         const char *,
                         const posix_spawn_file_actions_t *,
                         const posix_spawnattr_t *,
                         char *const[],
                         char *const[]);
    return refuses("posix_spawn", EAGAIN)
               ? EAGAIN
               : BEHIND(spawn_fn, "posix_spawn")(
                     pid, path, actions, attributes, words, environment);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return refuses("sendmsg", ENOBUFS) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}
