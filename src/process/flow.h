// SPDX-License-Identifier: MIT
// What a process prints, on its way to the log. The host's work for that is bounded: a
// process that prints more is read later, and blocks on its full pipe; lines beyond
// what a log should take from one process are dropped (see output.h). Each of the two
// is logged once for each process. Owner: the loop, except where the outputs say
// otherwise.
#ifndef PROCESS_FLOW_H
#define PROCESS_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/log.h"
#include "base/loop.h"
#include "process/output.h"

// Borrowed, but for the descriptors.
struct sp_flow_options {
    struct sp_loop *loop;
    const struct sp_log *log;
    const char *pool;
    uint64_t worker; // 0: a template
    int fds[2];      // stdout and stderr; taken; non-blocking
};

struct sp_flow {
    struct sp_flow_options options;
    struct sp_output outputs[2]; // any thread may read them and their tails
    struct sp_watch watches[2];
    struct sp_bucket work; // nanoseconds
    struct sp_timer rest;
    bool told_rest;
    bool told_drop;
};

void sp_flow_start(struct sp_flow *flow, const struct sp_flow_options *options);
// The process is gone: reads what is left, and says how much was dropped.
void sp_flow_finish(struct sp_flow *flow);
// Watches nothing any more. One that was never started, all zero, is fine.
void sp_flow_stop(struct sp_flow *flow);
// After sp_flow_stop(): closes the descriptors.
void sp_flow_fini(struct sp_flow *flow);

#endif
