// SPDX-License-Identifier: MIT
// snakepit demo recycling: workers are replaced for each of the reasons there are,
// while calls go on.
#include "cli/demo.h"

#include <stdlib.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/output.h"

#define WORKERS_MOST  64u
#define WAIT_NS       (20 * SP_NS_PER_S)
#define COUNTED       250u // calls, of which a worker is given a hundred
#define AFTERWARDS    10   // calls
#define LEAK_MIB      20
#define PID_OF_NOBODY 0

// Calls that were answered, and by whom.
struct tally {
    uint64_t calls;
    size_t count;
    struct {
        int64_t pid;
        uint64_t calls;
    } workers[WORKERS_MOST];
};

static snakepit_pool_stats stats_of(const struct sp_demo *demo, const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_pool_get_stats(demo->pit, pool, &stats);
    return stats;
}

// The process that has answered; PID_OF_NOBODY: the call has failed.
static int64_t call(struct sp_demo *demo, const char *pool, const char *tool, int mib)
{
    snakepit_answer *answer = NULL;
    snakepit_reader reader;
    snakepit_value value = {0};
    snakepit_writer *args = snakepit_writer_new();
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (args != NULL) {
        snakepit_writer_map(args, mib > 0 ? 1 : 0);
        if (mib > 0) {
            snakepit_writer_str(args, "mebibytes");
            snakepit_writer_int(args, mib);
        }
        err = sp_demo_call(demo, pool, tool, args, &answer);
    }
    snakepit_writer_free(args);
    if (err == SNAKEPIT_OK) {
        snakepit_answer_reader(answer, &reader);
        (void)snakepit_reader_next(&reader, &value);
    } else {
        sp_demo_failed(demo, tool, err, answer);
    }
    snakepit_answer_free(answer);
    return value.kind == SNAKEPIT_INTEGER ? value.as.integer : PID_OF_NOBODY;
}

static bool add(struct tally *tally, int64_t pid)
{
    size_t at = 0;
    while (at < tally->count && tally->workers[at].pid != pid) {
        at++;
    }
    if (pid == PID_OF_NOBODY || at == WORKERS_MOST) {
        return false;
    }
    tally->count += at == tally->count;
    tally->workers[at].pid = pid;
    tally->workers[at].calls++;
    tally->calls++;
    return true;
}

// Calls until so many workers were replaced. False: a call failed, or it took too long.
static bool call_until_replaced(struct sp_demo *demo,
                                const char *pool,
                                uint64_t replaced,
                                struct tally *tally)
{
    uint64_t end = sp_clock_now() + WAIT_NS;
    while (stats_of(demo, pool).worker_recycles < replaced) {
        if (sp_cli_interrupted() != 0 || sp_clock_now() > end ||
            !add(tally, call(demo, pool, "pid", 0))) {
            return false;
        }
    }
    // Who has made room takes no more calls.
    for (int i = 0; i < AFTERWARDS; i++) {
        if (!add(tally, call(demo, pool, "pid", 0))) {
            return false;
        }
    }
    return stats_of(demo, pool).failures == 0;
}

static void show(struct sp_demo *demo,
                 const char *label,
                 bool right,
                 const char *what,
                 const struct tally *tally)
{
    char calls[SP_DEMO_FORMAT_MAX];
    sp_demo_row(demo,
                right,
                "%-8s%s: %s calls, %zu processes, no failure",
                label,
                what,
                sp_demo_count(tally->calls, calls),
                tally->count);
}

void sp_demo_aged(struct sp_demo *demo)
{
    struct tally tally = {0};
    bool right = call_until_replaced(demo, "aged", 2, &tally);
    show(demo, "age", right, "both workers replaced after 1 to 1.5 s", &tally);
}

void sp_demo_by_hand(struct sp_demo *demo)
{
    struct tally tally = {0};
    snakepit_message why = {0};
    uint64_t before = stats_of(demo, "aged").worker_recycles;
    bool right = snakepit_pool_recycle(demo->pit, "aged", &why) == SNAKEPIT_OK &&
                 call_until_replaced(demo, "aged", before + 2, &tally);
    show(demo, "by hand", right, "both workers replaced on request", &tally);
}

static int most_first(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a < b) - (a > b);
}

// Nobody is given more than a hundred, and what was left of the last two is the rest.
void sp_demo_counted(struct sp_demo *demo)
{
    struct tally tally = {0};
    uint64_t calls[WORKERS_MOST] = {0};
    bool right = true;
    for (uint32_t i = 0; i < COUNTED && right && sp_cli_interrupted() == 0; i++) {
        right = add(&tally, call(demo, "counted", "pid", 0));
    }
    for (size_t i = 0; i < tally.count; i++) {
        calls[i] = tally.workers[i].calls;
    }
    qsort(calls, tally.count, sizeof calls[0], most_first);
    right = right && calls[0] == 100 && calls[1] == 100 && tally.calls == COUNTED;
    sp_demo_row(demo,
                right,
                "calls   250 calls to workers of 100 each: %llu, %llu, then %llu",
                (unsigned long long)calls[0],
                (unsigned long long)calls[1],
                (unsigned long long)calls[2]);
}

void sp_demo_grown(struct sp_demo *demo)
{
    struct tally tally = {0};
    int mib = 0;
    uint64_t end = sp_clock_now() + WAIT_NS;
    bool right = true;
    while (right && stats_of(demo, "grown").worker_recycles == 0 &&
           sp_clock_now() < end && sp_cli_interrupted() == 0) {
        bool leaks = mib < 8 * LEAK_MIB;
        mib += leaks ? LEAK_MIB : 0;
        right = add(&tally,
                    call(demo, "grown", leaks ? "leak" : "pid", leaks ? LEAK_MIB : 0));
    }
    right = right && stats_of(demo, "grown").worker_recycles == 1 &&
            call_until_replaced(demo, "grown", 1, &tally);
    show(demo, "memory", right, "a worker that leaks replaced above 128 MiB", &tally);
}
