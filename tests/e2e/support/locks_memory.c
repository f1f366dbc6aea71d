// SPDX-License-Identifier: MIT
// A program that keeps its memory from being swapped, and says how much it has locked.
//   locks_memory CONFIG
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <snakepit/snakepit.h>

static unsigned long locked_kib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Locked: %lu kB", &kib);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

int main(int count, char **words)
{
    snakepit *pit = NULL;
    snakepit_answer *answer = NULL;
    snakepit_message why = {""};
    if (count < 2 || mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        return 77;
    }
    unsigned long before = locked_kib();
    if (snakepit_open_file(words[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    (void)snakepit_call_json(pit, "add", "{\"a\": 2, \"b\": 40}", NULL, &answer);
    (void)printf("%s %lu\n", snakepit_answer_json(answer), locked_kib() - before);
    snakepit_answer_free(answer);
    snakepit_close(pit, 1000);
    return 0;
}
