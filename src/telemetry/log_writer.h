// SPDX-License-Identifier: MIT
// Where events wait for whoever reads them. Nothing else ever does: one that finds no
// room is dropped and counted, and a thread of its own writes what is there, as late as
// its reader makes it. What was dropped is told where it would have stood:
// "log.dropped lines=12".
#ifndef TELEMETRY_LOG_WRITER_H
#define TELEMETRY_LOG_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "telemetry/notice.h"

#define SP_LOG_ROOM 2097152u // bytes of events; an eighth is kept for WARNING and ERROR

struct sp_log_writer;

// Who gets the events. Copied; what it leads to is borrowed for as long as the writer
// is open.
struct sp_log_target {
    enum sp_log_format format;
    enum sp_log_level level; // what is below it is not written
    const char *journal;     // path of the journal's socket; NULL: the usual one
    sp_log_fn *take; // gets each event besides, on the thread; NULL: nobody does
    void *user;
};

// Begins to hand events on, one at a time, on a thread that gets no signals. SYSTEM,
// with errno: there is no thread. NO_MEMORY.
snakepit_err sp_log_writer_open(const struct sp_log_target *target,
                                struct sp_log_writer **writer);

// A sp_log_fn; `user` is the writer. Copies the event, but for its kind, which is
// constant. Any thread; takes a lock under which no other is taken and nothing waits.
void sp_log_writer_put(void *user, const struct sp_notice *notice);

// Waits until what is there was handed on, for at most `ns`. False: it was not. Not
// from `take`.
bool sp_log_writer_flush(struct sp_log_writer *writer, uint64_t ns);

// Hands on what is there, and ends. `take` gets all of it unless that takes it more
// than two seconds, and nothing once this has returned; a stderr whose reader stalls is
// waited for 200 ms in all. NULL is fine.
void sp_log_writer_close(struct sp_log_writer *writer);

// In a fork of the process that has opened it, where its thread is not: only frees.
void sp_log_writer_abandon(struct sp_log_writer *writer);

#endif
