// SPDX-License-Identifier: MIT
// Each feature is asked for in a way that fails harmlessly: with an error that only a
// kernel gives which knows the call.
#include "base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/timeslice.h"

static const struct sp_kernel_row rows[] = {
#define SP_KERNEL_FEATURE(id, name, since, without) {name, since, without},
#include "base/kernel.def"
#undef SP_KERNEL_FEATURE
};

const struct sp_kernel_row *sp_kernel_row(enum sp_kernel_feature feature)
{
    SP_CHECK(feature < SP_KERNEL_FEATURES);
    return &rows[feature];
}

// waitid() has learnt later than others what a pidfd is.
static bool has_pidfd(void)
{
    siginfo_t info;
    int own = sp_descriptor_keep((int)syscall(SYS_pidfd_open, getpid(), 0));
    bool knows = own >= 0 &&
                 waitid(P_PIDFD, (id_t)own, &info, WEXITED | WNOHANG) != 0 &&
                 errno == ECHILD;
    sp_descriptor_close(&own);
    return knows;
}

static bool has_memfd(void)
{
    int fd = sp_descriptor_keep(
        memfd_create("snakepit-look", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    bool sealed = fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0;
    sp_descriptor_close(&fd);
    return sealed;
}

// The word differs from what is waited for, so this does not sleep.
static bool has_futex_waitv(void)
{
    _Atomic uint32_t word = 1;
    struct futex_waitv words = {.val = 0, .uaddr = (uintptr_t)&word, .flags = FUTEX_32};
    return syscall(SYS_futex_waitv, &words, 1, 0, NULL, 0) < 0 && errno == EAGAIN;
}

static bool has_seccomp(void)
{
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool has_landlock(void)
{
    return syscall(
               SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >=
           1;
}

static bool has_time_slice(void)
{
    return sp_timeslice_of(0) != 0;
}

bool sp_kernel_has(enum sp_kernel_feature feature)
{
    static bool (*const looks[])(void) = {
        [SP_KERNEL_PIDFD] = has_pidfd,
        [SP_KERNEL_MEMFD] = has_memfd,
        [SP_KERNEL_FUTEX_WAITV] = has_futex_waitv,
        [SP_KERNEL_SECCOMP] = has_seccomp,
        [SP_KERNEL_LANDLOCK] = has_landlock,
        [SP_KERNEL_TIME_SLICE] = has_time_slice,
    };
    _Static_assert(sizeof looks / sizeof looks[0] == SP_KERNEL_FEATURES,
                   "each feature is looked for");
    SP_CHECK(feature < SP_KERNEL_FEATURES);
    return looks[feature]();
}
