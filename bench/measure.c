// SPDX-License-Identifier: MIT
// Clocks of this process and of others.
#include "measure.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
        bench_fatal(
            "process %d has no processor time to read: %s", (int)pid, strerror(errno));
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

// Ticks of all cores since boot, all of them and the idle ones; false without /proc.
static bool read_machine(uint64_t *all, uint64_t *idle)
{
    unsigned long long ticks[8] = {0}; // user nice system idle iowait irq softirq steal
    FILE *stat = fopen("/proc/stat", "r");
    if (stat == NULL) {
        return false;
    }
    int read = fscanf(stat,
                      "cpu %llu %llu %llu %llu %llu %llu %llu %llu",
                      &ticks[0],
                      &ticks[1],
                      &ticks[2],
                      &ticks[3],
                      &ticks[4],
                      &ticks[5],
                      &ticks[6],
                      &ticks[7]);
    fclose(stat);
    *all = 0;
    for (int i = 0; i < 8; i++) {
        *all += ticks[i];
    }
    *idle = ticks[3] + ticks[4];
    return read == 8;
}

double bench_machine_busy(uint64_t nanoseconds)
{
    uint64_t all[2];
    uint64_t idle[2];
    if (!read_machine(&all[0], &idle[0])) {
        return NAN;
    }
    bench_sleep(nanoseconds);
    if (!read_machine(&all[1], &idle[1]) || all[1] == all[0]) {
        return NAN;
    }
    return 1 - (double)(idle[1] - idle[0]) / (double)(all[1] - all[0]);
}
