// SPDX-License-Identifier: MIT
// The product as its users have it: the public API, the default configuration, one
// worker a pool. A wrong answer ends the program.
#ifndef BENCH_PRODUCT_H
#define BENCH_PRODUCT_H

#include <snakepit/snakepit.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PRODUCT_POOLS 2

struct product {
    snakepit *pit;
    const char *pools[PRODUCT_POOLS];
};

struct product_options {
    const char *python;                // the interpreter
    const char *folder;                // where the adapters are
    const char *adapter;               // "bench_adapter:BenchAdapter"
    bool threads;                      // the thread profile
    uint32_t executors[PRODUCT_POOLS]; // of each pool; 0: no such pool
    uint32_t workers;                  // of each pool; 0: one
    uint32_t line;                     // calls that may wait in each; 0: the default
    bool quiet;                        // nothing of the library's log is printed
};

#define PRODUCT_YAML 4096

// The pools as a configuration has them. Gives their length.
size_t product_write_pools(char yaml[PRODUCT_YAML],
                           const struct product_options *options);
// Opens the pools and waits until they are ready.
void product_open(struct product *product, const struct product_options *options);
// Takes those of a daemon, which are ready.
void product_connect(struct product *product, const char *address);
void product_close(struct product *product);

// The pid of the one worker of pool `index`.
pid_t product_worker(struct product *product, unsigned index);

// One thread's side of its calls. Owner: that thread.
struct product_caller {
    snakepit *pit;
    snakepit_writer *writer;
    snakepit_call_options options;
};

void product_caller_init(struct product_caller *caller,
                         struct product *product,
                         unsigned pool);
void product_caller_fini(struct product_caller *caller);

// Ends the program unless the answer is {"ok": True, "y": x}; frees it.
void product_take_noop(snakepit_err err, snakepit_answer *answer, uint32_t x);
// One call of a tool that takes and returns what noop does.
void product_call(struct product_caller *caller, const char *tool, uint32_t x);

#define PRODUCT_CROWD_MOST 64

// Calls a second of so many threads that each call such a tool of the first pool again
// and again, for `ns` nanoseconds.
double
product_crowd(struct product *product, const char *tool, uint32_t callers, uint64_t ns);

// The fault of an answer, as the program's last words.
_Noreturn void
product_fail(const char *what, snakepit_err err, const snakepit_answer *answer);

#endif
