// SPDX-License-Identifier: MIT
// Workers are replaced by age and by the number of their calls, while calls go on.
// cc worker_recycling_demo.c $(pkg-config --cflags --libs snakepit) &&
//     ./a.out recycling.yaml
#include <inttypes.h>
#include <snakepit/snakepit.h>
#include <stdio.h>

static snakepit_pool_stats stats_of(snakepit *pit, const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    (void)snakepit_pool_get_stats(pit, pool, &stats);
    return stats;
}

// Calls until so many workers have made room for others; prints what came of it.
static int call_until_replaced(snakepit *pit, const char *pool, uint64_t replaced)
{
    const snakepit_call_options options = {.size = sizeof options, .pool = pool};
    snakepit_pool_stats stats = stats_of(pit, pool);
    while (stats.worker_recycles < replaced) {
        snakepit_answer *answer = NULL;
        snakepit_err err = snakepit_call(pit, "pid", NULL, &options, &answer);
        snakepit_answer_free(answer);
        if (err != SNAKEPIT_OK) {
            fprintf(stderr, "%s: %s\n", pool, snakepit_err_text(err));
            return 1;
        }
        stats = stats_of(pit, pool);
    }
    printf("%s: %" PRIu64 " workers replaced, %" PRIu64 " calls failed\n",
           pool,
           stats.worker_recycles,
           stats.failures);
    return 0;
}

int main(int argc, char **argv)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    if (argc != 2 || snakepit_open_file(argv[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 30000, &why) != SNAKEPIT_OK) {
        fprintf(
            stderr, "%s\n", argc == 2 ? why.text : "usage: worker_recycling_demo FILE");
        snakepit_close(pit, 0);
        return 1;
    }
    int failed =
        call_until_replaced(pit, "aged", 2) || call_until_replaced(pit, "counted", 4);
    snakepit_close(pit, 1000);
    return failed;
}
