// SPDX-License-Identifier: MIT
// Clocks of this process and of others.
#include "measure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void bench_fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("snakepit-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    // Not exit(): other threads may be inside a call.
    _Exit(1);
}

void bench_sleep(uint64_t nanoseconds)
{
    struct timespec left = {.tv_sec = (time_t)(nanoseconds / SP_NS_PER_S),
                            .tv_nsec = (long)(nanoseconds % SP_NS_PER_S)};
    while (nanosleep(&left, &left) != 0) {
    }
}

uint64_t bench_ticks_per_us(void)
{
    static uint64_t rate;
    if (rate == 0) {
        uint64_t start = sp_clock_now();
        uint64_t ticks = sp_clock_ticks();
        bench_sleep(20 * SP_NS_PER_MS);
        ticks = sp_clock_ticks() - ticks;
        rate = ticks * SP_NS_PER_US / (sp_clock_now() - start);
        rate = rate == 0 ? 1 : rate;
    }
    return rate;
}

static uint64_t read_clock(clockid_t clock, pid_t pid)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) {
        bench_fatal("process %d has no processor time to read: %m", (int)pid);
    }
    return (uint64_t)time.tv_sec * SP_NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t bench_cpu_here(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID, 0);
}

uint64_t bench_cpu_of(pid_t pid)
{
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock) != 0) {
        bench_fatal("process %d has no processor clock", (int)pid);
    }
    return read_clock(clock, pid);
}
