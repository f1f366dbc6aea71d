// SPDX-License-Identifier: MIT
// Runs a fuzzer without libFuzzer: the seeds of a folder, then a fixed number of
// pseudo-random inputs, half of them seeds with a few bytes changed. The same inputs
// every time.
//
// usage: replay_NAME FOLDER [ROUNDS]
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX 4096u
#define SEEDS_MAX 64u
#define ROUNDS    200000ul

static struct {
    uint8_t bytes[INPUT_MAX];
    size_t size;
} seeds[SEEDS_MAX];
static size_t seed_count;

// splitmix64
static uint64_t chance(void)
{
    static uint64_t state = 1;
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// In a block of exactly its size, so that a sanitizer sees a byte read behind it.
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size != 0 ? size : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void load_seed(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || seed_count == SEEDS_MAX) {
        fprintf(stderr, "replay: cannot take %s\n", path);
        exit(1);
    }
    seeds[seed_count].size = fread(seeds[seed_count].bytes, 1, INPUT_MAX, file);
    seed_count++;
    fclose(file);
}

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void load_seeds(const char *folder)
{
    // Sorted: the order of a folder is the file system's.
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_seed, alphasort);
    if (count <= 0) {
        fprintf(stderr, "replay: no seeds in %s\n", folder);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        load_seed(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static void run_changed_seed(void)
{
    uint8_t bytes[INPUT_MAX];
    size_t which = chance() % seed_count;
    size_t size = seeds[which].size;
    memcpy(bytes, seeds[which].bytes, size);
    for (uint64_t i = 1 + chance() % 4; i > 0 && size != 0; i--) {
        bytes[chance() % size] = (uint8_t)chance();
    }
    run(bytes, chance() % 4 == 0 ? chance() % (size + 1) : size);
}

static void run_random(void)
{
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)chance();
    }
    run(bytes, chance() % (sizeof(bytes) + 1));
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [ROUNDS]\n", argv[0]);
        return 2;
    }
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUNDS;
    load_seeds(argv[1]);
    for (size_t i = 0; i < seed_count; i++) {
        run(seeds[i].bytes, seeds[i].size);
    }
    for (unsigned long i = 0; i < rounds; i++) {
        if (i % 2 == 0) {
            run_changed_seed();
        } else {
            run_random();
        }
    }
    printf("%zu seeds, %lu rounds\n", seed_count, rounds);
    return 0;
}
