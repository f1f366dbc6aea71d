// SPDX-License-Identifier: MIT
// Where lines of a log wait for whoever reads them. Nothing else ever does: a line that
// finds no room is dropped and counted, and a thread of its own writes what is there,
// as late as its reader makes it. What was dropped is told where it would have stood:
// "log.dropped lines=12".
#ifndef BASE_LOG_WRITER_H
#define BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/log.h"

#define SP_LOG_ROOM 2097152u // bytes of lines; an eighth is kept for WARNING and ERROR

struct sp_log_writer;

// Begins to hand lines to `sink`, one at a time, on a thread that gets no signals.
// NULL: to stderr, with level and time. SYSTEM, with errno: there is no thread.
// NO_MEMORY.
snakepit_err
sp_log_writer_open(sp_log_fn *sink, void *user, struct sp_log_writer **writer);

// A sp_log_fn; `user` is the writer. Copies the line, but for `event`, which is
// constant. Any thread; takes a lock under which no other is taken and nothing waits.
void sp_log_writer_put(void *user,
                       enum sp_log_level level,
                       const char *event,
                       const char *line);

// Waits until what is there was handed on, for at most `ns`. False: it was not. Not
// from a `sink`.
bool sp_log_writer_flush(struct sp_log_writer *writer, uint64_t ns);

// Hands on what is there, and ends. A `sink` gets all of it unless that takes it more
// than two seconds; a stderr whose reader stalls is waited for 200 ms in all. NULL is
// fine.
void sp_log_writer_close(struct sp_log_writer *writer);

// In a fork of the process that has opened it, where its thread is not: only frees.
void sp_log_writer_abandon(struct sp_log_writer *writer);

#endif
