// SPDX-License-Identifier: MIT
// One bit for each number. A number is noted after it was made and struck out before it
// is closed, so that a fork in between at worst leaves a descriptor open in the child,
// and never closes one that is not ours.
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#define NUMBERS (1 << 20) // higher ones are not known, and stay open in a forked child
#define WORD    64

static _Atomic uint64_t known[NUMBERS / WORD];
static _Atomic int highest = -1; // of all that were ever known

static void note(int fd)
{
    int most = atomic_load(&highest);
    if (fd >= NUMBERS) {
        return;
    }
    atomic_fetch_or(&known[fd / WORD], UINT64_C(1) << (fd % WORD));
    while (fd > most && !atomic_compare_exchange_weak(&highest, &most, fd)) {
    }
}

static void strike_out(int fd)
{
    if (fd < NUMBERS) {
        atomic_fetch_and(&known[fd / WORD], ~(UINT64_C(1) << (fd % WORD)));
    }
}

// The kernel says EINVAL of a number that the limit of open files leaves out.
static int duplicate_above(int fd, int least)
{
    struct rlimit limit;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (copy < 0 && errno == EINVAL) {
        bool is_limit =
            getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= (rlim_t)least;
        errno = is_limit ? EMFILE : EINVAL;
    }
    return copy;
}

int sp_descriptor_copy_above(int fd, int least)
{
    return sp_descriptor_keep_above(duplicate_above(fd, least), least);
}

int sp_descriptor_keep_above(int fd, int least)
{
    if (fd >= 0 && fd < least) {
        int moved = duplicate_above(fd, least);
        int reason = errno;
        (void)close(fd);
        errno = reason;
        fd = moved;
    }
    if (fd >= 0) {
        note(fd);
    }
    return fd;
}

int sp_descriptor_keep(int fd)
{
    return sp_descriptor_keep_above(fd, STDERR_FILENO + 1);
}

bool sp_descriptor_keep_pair(int fds[2])
{
    fds[0] = sp_descriptor_keep(fds[0]);
    int reason = errno;
    fds[1] = sp_descriptor_keep(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0) {
        return true;
    }
    errno = fds[0] < 0 ? reason : errno;
    sp_descriptor_close(&fds[0]);
    sp_descriptor_close(&fds[1]);
    return false;
}

void sp_descriptor_close(int *fd)
{
    int reason = errno;
    if (*fd >= 0) {
        strike_out(*fd);
        (void)close(*fd);
        *fd = -1;
    }
    errno = reason;
}

void sp_descriptor_close_inherited(void)
{
    int most = atomic_load(&highest);
    for (int i = 0; i <= most / WORD && most >= 0; i++) {
        uint64_t word = atomic_exchange(&known[i], 0);
        for (; word != 0; word &= word - 1) {
            (void)close(i * WORD + __builtin_ctzll(word));
        }
    }
    atomic_store(&highest, -1);
}

void sp_descriptor_forget_inherited(void)
{
    int most = atomic_load(&highest);
    for (int i = 0; i <= most / WORD && most >= 0; i++) {
        atomic_store(&known[i], 0);
    }
}
