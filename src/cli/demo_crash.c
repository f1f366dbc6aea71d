// SPDX-License-Identifier: MIT
// Two deaths in the middle of a call: one from outside, by kill(2), and one from
// inside, by the adapter's `crash`. The caller must get one answer with the cause,
// others must not notice, and the pool must be whole again.
#include "cli/demo.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/output.h"

#define POOL        "text"
#define WORKERS_MAX 64u
#define SLEEP_MS    10000 // of the call that is interrupted
#define SETTLE_MS   50    // from when a worker has the call to when it is killed
#define WAIT_MS     10000 // for a call to be taken, and for the pool to be whole

// A call that a thread waits for.
struct victim {
    const struct sp_demo *demo;
    pthread_t thread;
    snakepit_err err;
    snakepit_answer *answer;
    uint64_t answered; // when
};

static void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void *sleep_in_worker(void *user)
{
    struct victim *victim = user;
    snakepit_writer *args = snakepit_writer_new();
    victim->err = SNAKEPIT_NO_MEMORY;
    if (args != NULL) {
        snakepit_writer_map(args, 1);
        snakepit_writer_str(args, "ms");
        snakepit_writer_int(args, SLEEP_MS);
        victim->err = sp_demo_call(victim->demo, POOL, "sleep", args, &victim->answer);
    }
    victim->answered = sp_clock_now();
    snakepit_writer_free(args);
    return NULL;
}

// Gives a worker that has a call; false if there is none.
static bool find_busy(const struct sp_demo *demo, snakepit_worker_info *busy)
{
    snakepit_worker_info rows[WORKERS_MAX] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    snakepit_pool_workers(demo->pit, POOL, rows, WORKERS_MAX, &count);
    count = count < WORKERS_MAX ? count : WORKERS_MAX;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].load > 0 && rows[i].pid > 0) {
            *busy = rows[i];
            return true;
        }
    }
    return false;
}

// Waits until a worker has a call, and gives it; false if none gets one.
static bool await_busy(const struct sp_demo *demo, snakepit_worker_info *busy)
{
    for (int waited = 0; waited < WAIT_MS && sp_cli_interrupted() == 0; waited++) {
        if (find_busy(demo, busy)) {
            return true;
        }
        pause_ms(1);
    }
    return false;
}

static bool is_whole(const struct sp_demo *demo, uint64_t deaths)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    return snakepit_pool_get_stats(demo->pit, POOL, &stats) == SNAKEPIT_OK &&
           stats.worker_deaths > deaths && stats.workers_ready == stats.workers;
}

static uint64_t deaths_so_far(const struct sp_demo *demo)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_pool_get_stats(demo->pit, POOL, &stats);
    return stats.worker_deaths;
}

// Calls other workers until the pool is whole. Gives how many calls were right; false
// when one was not, or when it took too long.
static bool
call_until_whole(const struct sp_demo *demo, uint64_t deaths, uint64_t *calls)
{
    uint64_t end = sp_clock_now() + WAIT_MS * SP_NS_PER_MS;
    snakepit_writer *args = snakepit_writer_new();
    bool right = args != NULL;
    *calls = 0;
    while (right && !is_whole(demo, deaths)) {
        right = sp_demo_add(demo, POOL, args, (int64_t)*calls, 1) &&
                sp_clock_now() < end && sp_cli_interrupted() == 0;
        *calls += right;
    }
    snakepit_writer_free(args);
    return right;
}

// A death that is told as one, with its cause.
static bool is_told(snakepit_err err, const snakepit_answer *answer)
{
    return err == SNAKEPIT_WORKER_DIED && answer != NULL &&
           strstr(snakepit_answer_fault(answer)->cause, "SIGKILL") != NULL;
}

static const char *cause_of(const snakepit_answer *answer)
{
    return answer != NULL ? snakepit_answer_fault(answer)->cause : "";
}

static void show_kill(struct sp_demo *demo,
                      const struct victim *victim,
                      const snakepit_worker_info *busy,
                      uint64_t killed)
{
    char answered[SP_DEMO_FORMAT_MAX];
    sp_cli_print(demo->cli,
                 "crash   kill -9 %d, worker %llu of `" POOL
                 "`, in the middle of a call\n",
                 busy->pid,
                 (unsigned long long)busy->id);
    sp_demo_row(demo,
                is_told(victim->err, victim->answer),
                "        its caller had the answer after %s: %s, %s",
                sp_demo_duration(victim->answered - killed, answered),
                snakepit_err_name(victim->err),
                cause_of(victim->answer));
}

static void kill_busy(struct sp_demo *demo, struct victim *victim)
{
    snakepit_worker_info busy = {.size = sizeof busy};
    char whole[SP_DEMO_FORMAT_MAX];
    char others[SP_DEMO_FORMAT_MAX];
    uint64_t deaths = deaths_so_far(demo);
    uint64_t calls = 0;
    bool found = await_busy(demo, &busy);
    if (found) {
        pause_ms(SETTLE_MS);
    }
    uint64_t killed = sp_clock_now();
    bool sent = found && kill(busy.pid, SIGKILL) == 0;
    pthread_join(victim->thread, NULL);
    if (!sent) {
        sp_demo_failed(demo, "crash   finding the worker", victim->err, victim->answer);
        return;
    }
    show_kill(demo, victim, &busy, killed);
    bool right = call_until_whole(demo, deaths, &calls);
    uint64_t took = sp_clock_now() - killed;
    sp_demo_row(
        demo,
        right,
        "        %s other calls answered until the pool was whole again, after %s",
        sp_demo_count(calls, others),
        sp_demo_duration(took, whole));
}

static void from_outside(struct sp_demo *demo)
{
    struct victim victim = {.demo = demo};
    if (pthread_create(&victim.thread, NULL, sleep_in_worker, &victim) != 0) {
        sp_demo_failed(demo, "crash   a thread", SNAKEPIT_SYSTEM, NULL);
        return;
    }
    kill_busy(demo, &victim);
    snakepit_answer_free(victim.answer);
}

static void from_inside(struct sp_demo *demo)
{
    char answered[SP_DEMO_FORMAT_MAX];
    char whole[SP_DEMO_FORMAT_MAX];
    uint64_t deaths = deaths_so_far(demo);
    uint64_t calls = 0;
    snakepit_answer *answer = NULL;
    uint64_t start = sp_clock_now();
    snakepit_err err = sp_demo_call(demo, POOL, "crash", NULL, &answer);
    uint64_t took = sp_clock_now() - start;
    bool right = is_told(err, answer) && call_until_whole(demo, deaths, &calls);
    sp_demo_row(
        demo,
        right,
        "        and a tool that crashes by itself: %s after %s, whole after %s",
        snakepit_err_name(err),
        sp_demo_duration(took, answered),
        sp_demo_duration(sp_clock_now() - start, whole));
    snakepit_answer_free(answer);
}

void sp_demo_crash(struct sp_demo *demo)
{
    from_outside(demo);
    if (sp_cli_interrupted() == 0) {
        from_inside(demo);
    }
}
