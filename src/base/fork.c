// SPDX-License-Identifier: MIT
// Two ways to notice a fork, either of which is enough: a page that the kernel clears
// in the child (MADV_WIPEONFORK), which a bare clone() cannot get around, and a handler
// of fork(), for kernels without it, which also closes what is not the child's.
#include "base/fork.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/descriptor.h"

static _Atomic uint32_t plain_word; // where there is no such page
_Atomic uint32_t *sp_fork_word = &plain_word;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool noticed;
static _Atomic uint32_t last; // number that was given to a process; a child goes on

static void in_child(void)
{
    atomic_store(sp_fork_word, 0);
    sp_descriptor_close_inherited();
}

static bool make_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    if (madvise(page, size, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, size);
        return false;
    }
    sp_fork_word = page;
    return true;
}

static void notice_forks(void)
{
    bool wiped = make_page();
    noticed = pthread_atfork(NULL, NULL, in_child) == 0 || wiped;
}

uint32_t sp_fork_here(void)
{
    (void)pthread_once(&once, notice_forks);
    uint32_t here = atomic_load(sp_fork_word);
    if (here != 0 || !noticed) {
        return here;
    }
    // After a bare clone() the handler has not run.
    sp_descriptor_forget_inherited();
    uint32_t next = atomic_fetch_add(&last, 1) + 1;
    return atomic_compare_exchange_strong(sp_fork_word, &here, next) ? next : here;
}

void sp_fork_leave(uint32_t process)
{
    if (!sp_fork_is_here(process)) {
        _exit(0);
    }
}
