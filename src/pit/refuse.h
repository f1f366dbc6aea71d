// SPDX-License-Identifier: MIT
// What is wrong with what the program hands in, in one sentence: what, where, and the
// remedy.
#ifndef PIT_REFUSE_H
#define PIT_REFUSE_H

#include <snakepit/snakepit.h>

#include "base/slice.h"

#define SP_NAME_MOST 255u // bytes of a tool's, a session's and a key's name
#define SP_NO_PIT \
    "there is no pit: it is NULL; open one first, and look at what that says"

#define SP_NOWHERE "there is nowhere to put the pit: `pit` is NULL; give its address"

// Writes the sentence to `why`, which may be NULL. Returns `err`.
snakepit_err sp_refuse(snakepit_message *why, snakepit_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// OK if the pit can be used here: INVALID_ARGUMENT if it is NULL, FORKED in a child of
// the process that has opened it.
snakepit_err sp_refuse_no_pit(const snakepit *pit, snakepit_message *why);

// The same, and UNSUPPORTED of one that is connected to a daemon: its pools are not its
// own.
snakepit_err sp_refuse_no_own_pit(const snakepit *pit, snakepit_message *why);

// OK if `text` has 1 to SP_NAME_MOST bytes, which `name` then borrows; else
// INVALID_ARGUMENT, told of `what` ("the tool's name").
snakepit_err sp_refuse_no_name(const char *what,
                               const char *text,
                               struct sp_slice *name,
                               snakepit_message *why);

// UNKNOWN_POOL, with the name that was probably meant, else those that there are.
// `name` NULL: there is not even one.
snakepit_err
sp_refuse_pool(const snakepit *pit, const char *name, snakepit_message *why);

// NOT_FOUND: the pool has no worker of that id.
snakepit_err sp_refuse_worker(const char *pool, uint64_t worker, snakepit_message *why);

#endif
