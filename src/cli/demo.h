// SPDX-License-Identifier: MIT
// What the steps of the demonstrations share.
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include <snakepit/snakepit.h>

#include "cli/command.h"
#include "config/config.h"

#define SP_DEMO_TIMEOUT_MS 20000u

struct sp_demo_program;

// Owner: the main thread, but for sp_demo_add() and what it reads.
struct sp_demo {
    struct sp_cli *cli;
    const struct sp_demo_program *program;
    const char *file; // the configuration
    snakepit *pit;
    struct sp_config *config;
    bool wrong; // a result was not what it should be
};

// The steps. Each prints its rows, and notes in `demo->wrong` when a result is wrong or
// a call fails. They need pools `text` and `arrays` with the tools of
// examples/hybrid.yaml.
void sp_demo_text(struct sp_demo *demo);   // the machine's licence files through `text`
void sp_demo_arrays(struct sp_demo *demo); // 64 MiB of float32 through `arrays`
void sp_demo_load(struct sp_demo *demo);   // 1,000 calls from 8 threads
void sp_demo_latency(struct sp_demo *demo); // a warm call that does nothing
void sp_demo_crash(struct sp_demo *demo);   // a worker dies in the middle of a call

// Those of the demonstration `recycling`. They need the pools of
// examples/recycling.yaml.
void sp_demo_aged(struct sp_demo *demo);
void sp_demo_by_hand(struct sp_demo *demo);
void sp_demo_counted(struct sp_demo *demo);
void sp_demo_grown(struct sp_demo *demo);

// Ends a row with the verdict, "right" or "WRONG" in its own column: `format` is the
// row.
void sp_demo_row(struct sp_demo *demo, bool right, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A row that says why `what` failed. `answer` may be NULL.
void sp_demo_failed(struct sp_demo *demo,
                    const char *what,
                    snakepit_err err,
                    const snakepit_answer *answer);

// Calls `tool` of `pool`.
snakepit_err sp_demo_call(const struct sp_demo *demo,
                          const char *pool,
                          const char *tool,
                          const snakepit_writer *args,
                          snakepit_answer **answer);
// Calls `add`, the no-op of both pools, with two integers; true when the answer is
// their sum. Any thread.
bool sp_demo_add(const struct sp_demo *demo,
                 const char *pool,
                 snakepit_writer *args,
                 int64_t a,
                 int64_t b);

// The number under `key` in the map of an answer; NaN if there is none.
double sp_demo_number(const snakepit_answer *answer, const char *key);

#define SP_DEMO_FORMAT_MAX 32

// "1,234,567" and "12.3 ms", into `room`.
const char *sp_demo_count(uint64_t number, char room[SP_DEMO_FORMAT_MAX]);
const char *sp_demo_duration(uint64_t ns, char room[SP_DEMO_FORMAT_MAX]);

#endif
