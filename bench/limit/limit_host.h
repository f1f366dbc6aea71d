// SPDX-License-Identifier: MIT
// The host's side of the limit: a worker process, and the few bytes of a call. What
// goes wrong ends the program with a sentence.
#ifndef BENCH_LIMIT_LIMIT_HOST_H
#define BENCH_LIMIT_LIMIT_HOST_H

#include <sys/types.h>

#include "limit/limit.h"

// Owner: the thread that opened it; each calling thread has a limit_caller of its own.
struct limit {
    struct limit_segment *segment;
    pid_t worker;
    _Atomic int32_t spinners;
};

struct limit_options {
    const char *python;  // the interpreter
    const char *modules; // the folder with its _limit.so
    const char *script;  // limit_worker.py
    uint32_t executors;
    uint32_t forks; // 0, or processes that a template forks instead: each answers once
    bool tensors;   // with NumPy and the functions on tensors
};

// Starts a worker and waits until its executors do. Waits adaptively.
void limit_open(struct limit *limit, const struct limit_options *options);
void limit_close(struct limit *limit);

// Both sides spin, or both go by the adaptive rule, from the next wait on.
void limit_set_waiting(struct limit *limit, enum limit_waiting waiting);

// A caller that waits alone, and one of many of whom one at a time may spin.
struct limit_caller limit_caller(struct limit *limit);
struct limit_caller limit_caller_of_many(struct limit *limit);

// Writes the arguments of a noop, {"x": x, "name": "snake", "n": 3}; returns their
// bytes.
uint32_t limit_write_noop(struct limit_caller *caller, uint32_t id, uint32_t x);
// Ends the program unless slot `id` holds {"ok": True, "y": x}.
void limit_check_noop(struct limit_caller *caller, uint32_t id, uint32_t x);
// One call of a tool that takes and returns what noop does.
void limit_call(struct limit_caller *caller,
                uint32_t id,
                enum limit_tool tool,
                uint32_t x);

// The argument's tensor, and the result's.
float *limit_tensor(struct limit *limit);
const float *limit_result_tensor(struct limit *limit);
// Calls VIEW with the argument's tensor; returns its last element.
double limit_call_view(struct limit_caller *caller, uint32_t id);

#endif
