// SPDX-License-Identifier: MIT
// What a worker prints: captured line by line into the log. The last lines of its
// stderr are kept, for they often say why it died.
//
// A line is INFO, unless it begins with SP_LEVEL_MARK and the digit of a level, as the
// bridge writes the records of Python's logging (logs.py). A mark in the middle of a
// line begins a new one: the line before was not ended.
#ifndef PROCESS_OUTPUT_H
#define PROCESS_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/log.h"

// Bytes of one line, which a log holds; a longer one is cut into several.
#define SP_LINE_MAX 3584u
#define SP_TAIL_MAX 8192u // bytes of last lines
// Room for a line in quotes; one that is full of quotes is cut.
#define SP_QUOTED_MAX (SP_LINE_MAX + 128u)

// What a log takes of one pipe; further lines are dropped and counted.
#define SP_LINES_AT_ONCE  10000u
#define SP_LINES_A_SECOND 1000u

#define SP_LEVEL_MARK '\x01'

// Receives each line, without its mark and its end. The lock of the output is held.
typedef void sp_output_line_fn(void *user, enum sp_log_level level, const char *line);

// One pipe. Guarded by lock: the loop and, on a death, the watcher read it.
struct sp_output {
    pthread_mutex_t lock;
    int fd; // -1 once it has ended
    sp_output_line_fn *line;
    void *user;
    enum sp_log_level least; // lines below it are not wanted
    enum sp_log_level level; // of the line so far
    struct sp_bucket lines;
    uint64_t dropped; // lines that were not handed on
    size_t partial_size;
    bool cut; // the line so far was handed on because it was too long
    char partial[SP_LINE_MAX + 1];
    size_t tail_size;
    char tail[SP_TAIL_MAX + 1];
};

// Takes `fd`, which is non-blocking. Lines below `least` are not handed on.
void sp_output_init(struct sp_output *output,
                    int fd,
                    enum sp_log_level least,
                    sp_output_line_fn *line,
                    void *user);
void sp_output_fini(struct sp_output *output);
// Reads for at most some milliseconds, since whoever gets the lines takes time too;
// more may be left. False: the pipe has ended. Any thread.
bool sp_output_read(struct sp_output *output);
// Reads what is left in the pipe, at most 1 MiB. Any thread.
void sp_output_drain(struct sp_output *output);
// How many lines were dropped. Any thread.
uint64_t sp_output_dropped(struct sp_output *output);
// Copies the last lines, with a zero behind them. Any thread.
void sp_output_tail(struct sp_output *output, char *room, size_t size);

// What a process has printed last: whole lines, each with its end, cleaned; 0: stdout,
// 1: stderr.
struct sp_worker_output {
    char text[2][SP_TAIL_MAX + 1];
};

#endif
