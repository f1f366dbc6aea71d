// SPDX-License-Identifier: MIT
// Starts the limit's worker and makes its calls. The segment has no name: the worker
// inherits the descriptor, and dies with this process.
#include "limit/limit_host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "measure.h"

#define READY_POLLS 3000 // of 10 ms each

// ---- Worker -------------------------------------------------------------------

// Threads of the worker, or processes that its template forks.
static uint32_t servers(const struct limit_options *options)
{
    return options->forks > 0 ? options->forks : options->executors;
}

// What is formatted here must not be formatted in the child: other threads may hold
// locks.
static pid_t start_worker(const struct limit_options *options, int fd)
{
    char descriptor[16];
    char executors[16];
    char path[4096];
    snprintf(descriptor, sizeof descriptor, "%d", fd);
    snprintf(executors, sizeof executors, "%u", servers(options));
    snprintf(path, sizeof path, "PYTHONPATH=%s", options->modules);
    const char *kind = options->forks > 0 ? "template"
                       : options->tensors ? "tensors"
                                          : "plain";
    char *const environment[] = {path, NULL};
    pid_t worker = fork();
    if (worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execle(options->python,
               options->python,
               options->script,
               descriptor,
               executors,
               kind,
               (char *)NULL,
               environment);
        _exit(127);
    }
    return worker;
}

static void await_executors(struct limit *limit, const struct limit_options *options)
{
    struct limit_segment *segment = limit->segment;
    for (int poll = 0; poll < READY_POLLS; poll++) {
        uint32_t ready = atomic_load(&segment->ready);
        if (ready >= servers(options)) {
            return;
        }
        const struct timespec tick = {.tv_nsec = 10 * 1000 * 1000};
        syscall(SYS_futex, &segment->ready, FUTEX_WAIT, ready, &tick, NULL, 0);
        if (waitpid(limit->worker, NULL, WNOHANG) != 0) {
            break;
        }
    }
    bench_fatal(
        "the limit's worker did not start: %s %s", options->python, options->script);
}

void limit_open(struct limit *limit, const struct limit_options *options)
{
    int fd = memfd_create("snakepit-bench-limit", 0);
    if (fd < 0 || ftruncate(fd, (off_t)LIMIT_SEGMENT) != 0) {
        bench_fatal("no shared memory for the limit: %s", strerror(errno));
    }
    void *base = mmap(NULL, LIMIT_SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        bench_fatal("no shared memory for the limit: %s", strerror(errno));
    }
    *limit = (struct limit){.segment = base};
    for (uint32_t i = 0; i < LIMIT_SLOTS; i++) {
        atomic_init(&limit->segment->cells[i].turn, i);
    }
    limit->segment->ticks_per_us = bench_ticks_per_us();
    limit_set_waiting(limit, LIMIT_ADAPT);
    limit->worker = start_worker(options, fd);
    if (limit->worker < 0) {
        bench_fatal("no process for the limit: %s", strerror(errno));
    }
    close(fd);
    await_executors(limit, options);
}

void limit_close(struct limit *limit)
{
    atomic_store(&limit->segment->stop, 1);
    limit_set_waiting(limit, LIMIT_ADAPT);
    atomic_fetch_add(&limit->segment->bell, 1);
    limit_wake(&limit->segment->bell, INT32_MAX);
    limit_wake(&limit->segment->stop, INT32_MAX);
    waitpid(limit->worker, NULL, 0);
    munmap(limit->segment, LIMIT_SEGMENT);
    limit->segment = NULL;
}

void limit_set_waiting(struct limit *limit, enum limit_waiting waiting)
{
    atomic_store(&limit->segment->waiting, (uint32_t)waiting);
}

// ---- Calls --------------------------------------------------------------------

struct limit_caller limit_caller(struct limit *limit)
{
    return (struct limit_caller){.segment = limit->segment};
}

struct limit_caller limit_caller_of_many(struct limit *limit)
{
    struct limit_caller caller = limit_caller(limit);
    caller.spinners = &limit->spinners;
    caller.most_spinners = 1;
    return caller;
}

uint32_t limit_write_noop(struct limit_caller *caller, uint32_t id, uint32_t x)
{
    static const char before[4] = "\x83\xa1x\xce";
    static const char after[15] = "\xa4name\xa5snake\xa1n\x03";
    uint8_t *at = caller->segment->args[id];
    uint32_t big_endian = __builtin_bswap32(x);
    memcpy(at, before, sizeof before);
    memcpy(at + 4, &big_endian, sizeof big_endian);
    memcpy(at + 8, after, sizeof after);
    return 8 + sizeof after;
}

void limit_check_noop(struct limit_caller *caller, uint32_t id, uint32_t x)
{
    const uint8_t *at = caller->segment->results[id];
    uint64_t y = at[7]; // behind a map of two, "ok", true, "y"
    if (y >= 0x80) {
        memcpy(&y, at + 8, sizeof y);
        y = __builtin_bswap64(y);
    }
    if (caller->segment->slots[id].failed != 0 || at[0] != 0x82 || y != x) {
        bench_fatal("the limit answered %ju to %u", (uintmax_t)y, x);
    }
}

void limit_call(struct limit_caller *caller,
                uint32_t id,
                enum limit_tool tool,
                uint32_t x)
{
    limit_submit(caller, id, tool, limit_write_noop(caller, id, x));
    limit_wait(caller, id);
    limit_check_noop(caller, id, x);
}

float *limit_tensor(struct limit *limit)
{
    return (float *)((char *)limit->segment + LIMIT_ARENA);
}

const float *limit_result_tensor(struct limit *limit)
{
    return (const float *)((char *)limit->segment + LIMIT_ARENA + LIMIT_TENSOR);
}

double limit_call_view(struct limit_caller *caller, uint32_t id)
{
    static const char before[5] = "\x81\xa1t\xd8\x01";
    const uint64_t place[2] = {__builtin_bswap64(LIMIT_ARENA),
                               __builtin_bswap64(LIMIT_TENSOR)};
    uint8_t *at = caller->segment->args[id];
    memcpy(at, before, sizeof before);
    memcpy(at + sizeof before, place, sizeof place);
    limit_submit(caller, id, LIMIT_VIEW, sizeof before + sizeof place);
    limit_wait(caller, id);
    // A map of one, "last", a double.
    const uint8_t *result = caller->segment->results[id];
    uint64_t bits;
    memcpy(&bits, result + 7, sizeof bits);
    bits = __builtin_bswap64(bits);
    double last;
    memcpy(&last, &bits, sizeof last);
    if (caller->segment->slots[id].failed != 0 || result[0] != 0x81) {
        bench_fatal("the limit's view failed");
    }
    return last;
}
