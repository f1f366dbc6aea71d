// SPDX-License-Identifier: MIT
// The same adapter as processes and as threads, side by side: how long a call takes,
// and how much memory the workers use.
// cc -pthread dual_mode_demo.c $(pkg-config --cflags --libs snakepit) &&
//     ./a.out dual_mode.yaml
#include <pthread.h>
#include <snakepit/snakepit.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define CALLERS 4
#define CALLS   500 // of each

struct run {
    snakepit *pit;
    const char *pool;
    atomic_int failed;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *call_again_and_again(void *user)
{
    struct run *run = user;
    const snakepit_call_options options = {.size = sizeof options, .pool = run->pool};
    for (int i = 0; i < CALLS; i++) {
        snakepit_answer *answer = NULL;
        snakepit_err err = snakepit_call_json(
            run->pit, "add", "{\"a\": 2, \"b\": 40}", &options, &answer);
        run->failed += err != SNAKEPIT_OK;
        snakepit_answer_free(answer);
    }
    return NULL;
}

// MiB of a process; of what several share, each has its part.
static double memory_of(int pid)
{
    char path[64];
    char line[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && kib == 0 && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Pss: %lf", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib / 1024;
}

static double memory_of_all(snakepit *pit, const char *pool)
{
    snakepit_worker_info rows[16] = {{.size = sizeof rows[0]}};
    size_t count = 0;
    double all = 0;
    (void)snakepit_pool_workers(pit, pool, rows, 16, &count);
    for (size_t i = 0; i < count && i < 16; i++) {
        all += memory_of((int)rows[i].pid);
    }
    return all;
}

static int show(snakepit *pit, const char *pool)
{
    struct run run = {.pit = pit, .pool = pool};
    snakepit_pool_stats stats = {.size = sizeof stats};
    pthread_t callers[CALLERS];
    double begun = seconds();
    for (int i = 0; i < CALLERS; i++) {
        pthread_create(&callers[i], NULL, call_again_and_again, &run);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
    }
    double took = seconds() - begun;
    (void)snakepit_pool_get_stats(pit, pool, &stats);
    printf("%-9s  %-7s  %u x %u  %d calls, %d failed  %6.1f us a call  %6.1f MiB\n",
           pool,
           stats.profile,
           stats.workers,
           stats.threads_per_worker,
           CALLERS * CALLS,
           run.failed,
           took / (CALLERS * CALLS) * 1e6,
           memory_of_all(pit, pool));
    return run.failed;
}

int main(int argc, char **argv)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    if (argc != 2 || snakepit_open_file(argv[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? why.text : "usage: dual_mode_demo FILE");
        snakepit_close(pit, 0);
        return 1;
    }
    int failed = show(pit, "processes");
    failed += show(pit, "threads");
    snakepit_close(pit, 1000);
    return failed != 0;
}
