// SPDX-License-Identifier: MIT
// Memfds: made, sealed and mapped. The size is final from the start: pages that were
// never touched cost nothing, so a segment is simply made as large as it may become.
#include "ipc/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/system.h"

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

// A program that has called mlockall(MCL_FUTURE) wants memory that it uses to stay, not
// all that a segment could grow to: its pages are locked as they are touched. For that
// it is mapped without access first, which populates nothing.
static void lock_on_touch(const struct sp_segment *segment)
{
    // It says EBUSY of locked memory, and does nothing to other.
    bool locked = msync(segment->base, segment->size, MS_ASYNC | MS_INVALIDATE) != 0 &&
                  errno == EBUSY;
    if (locked && mlock2(segment->base, segment->size, MLOCK_ONFAULT) != 0) {
        (void)munlock(segment->base, segment->size);
    }
}

static snakepit_err map(struct sp_segment *segment, int fd, bool writable)
{
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *base = mmap(NULL, segment->size, PROT_NONE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return SNAKEPIT_SYSTEM;
    }
    segment->base = base;
    lock_on_touch(segment);
    if (mprotect(base, segment->size, protection) == 0) {
        return SNAKEPIT_OK;
    }
    int error = errno;
    (void)munmap(base, segment->size);
    segment->base = NULL;
    errno = error;
    return SNAKEPIT_SYSTEM;
}

// Asked before the kernel is: that would send a signal which ends the program
// (SIGXFSZ).
static bool exceeds_file_limit(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           size > limit.rlim_cur;
}

static int set_size(int fd, uint64_t size)
{
    if (exceeds_file_limit(size)) {
        errno = EFBIG;
        return -1;
    }
    return ftruncate(fd, (off_t)size);
}

// What asks for so much, in the configuration.
#define SIZE_KEY "shared_memory_size"

// Makes it as far as it gets; the first call that fails is told.
static snakepit_err create(struct sp_segment *segment,
                           const char *name,
                           bool writable,
                           snakepit_message *why)
{
    unsigned long long size = segment->size;
    segment->fd =
        sp_descriptor_keep(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (segment->fd < 0) {
        return sp_system_failed(why, "memfd_create", NULL, "\"%s\"", name);
    }
    if (set_size(segment->fd, segment->size) != 0) {
        return sp_system_failed(
            why, "ftruncate", SIZE_KEY, "of \"%s\" to %llu bytes", name, size);
    }
    if (fcntl(segment->fd, F_ADD_SEALS, SIZE_SEALS) != 0) {
        return sp_system_failed(why, "fcntl", NULL, "F_ADD_SEALS of \"%s\"", name);
    }
    if (map(segment, segment->fd, writable) != SNAKEPIT_OK) {
        return sp_system_failed(
            why, "mmap", SIZE_KEY, "of \"%s\", %llu bytes", name, size);
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_segment_create(struct sp_segment *segment,
                               const char *name,
                               uint64_t size,
                               bool writable,
                               snakepit_message *why)
{
    *segment = (struct sp_segment){.fd = -1, .size = size};
    snakepit_err err = create(segment, name, writable, why);
    if (err != SNAKEPIT_OK) {
        sp_segment_fini(segment);
        return err;
    }
    // A forked child has no business there. Where this is not possible, what it calls
    // finds out for itself that it is one.
    (void)madvise(segment->base, segment->size, MADV_DONTFORK);
    return SNAKEPIT_OK;
}

snakepit_err sp_segment_attach(struct sp_segment *segment,
                               int fd,
                               uint64_t size,
                               bool writable,
                               snakepit_message *why)
{
    *segment = (struct sp_segment){.fd = -1, .size = size};
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &status) != 0) {
        return sp_system_failed(why, "fcntl", NULL, "F_GET_SEALS of descriptor %d", fd);
    }
    if ((seals & F_SEAL_SHRINK) == 0 || size == 0 || (uint64_t)status.st_size < size) {
        return SNAKEPIT_PROTOCOL;
    }
    if (map(segment, fd, writable) != SNAKEPIT_OK) {
        return sp_system_failed(why,
                                "mmap",
                                SIZE_KEY,
                                "of shared memory, %llu bytes",
                                (unsigned long long)size);
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_segment_read_only_fd(const struct sp_segment *segment,
                                     int *fd,
                                     snakepit_message *why)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", segment->fd);
    int opened = sp_descriptor_keep(open(path, O_RDONLY | O_CLOEXEC));
    if (opened < 0) {
        return sp_system_failed(why, "open", NULL, "%s", path);
    }
    *fd = opened;
    return SNAKEPIT_OK;
}

void sp_segment_hide(const struct sp_segment *segment)
{
    (void)madvise(segment->base, segment->size, MADV_DONTDUMP);
}

void sp_segment_close_fd(struct sp_segment *segment)
{
    sp_descriptor_close(&segment->fd);
}

void sp_segment_fini(struct sp_segment *segment)
{
    if (segment->base != NULL) {
        munmap(segment->base, segment->size);
        segment->base = NULL;
    }
    sp_segment_close_fd(segment);
}
