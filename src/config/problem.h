// SPDX-License-Identifier: MIT
// One sentence about what is wrong, and where.
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include <snakepit/errors.h>
#include <snakepit/payload.h>

// Where a value stands. Plain data on the stack; borrows all it points at.
struct sp_place {
    const char *file;      // or what stands for it on the command line
    snakepit_message *why; // gets the sentence; may be NULL
    const char *variable;  // the environment variable that the value came from, or NULL
    const char *directory; // from which relative paths count; NULL: the current one
    size_t line;           // 0: nowhere in particular
    bool is_word;          // it is from the command line, where lines mean nothing
    char path[192];        // "pools[1].pool_size"; "" for the whole file
};

// The place of `key` within `outer`; unprintable and overlong keys are shortened.
struct sp_place
sp_place_key(const struct sp_place *outer, const char *key, size_t line);
// The place of item `index`, counted from 0, within `outer`.
struct sp_place sp_place_item(const struct sp_place *outer, size_t index, size_t line);

// Writes "FILE:LINE: PATH: ..." and returns INVALID_CONFIG.
snakepit_err sp_problem(const struct sp_place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define SP_QUOTED_MAX 96

// Writes `text` for people: in quotes, in one line, shortened; a plain number without
// quotes. Returns `out`.
const char *sp_quote(const char *text, char out[SP_QUOTED_MAX]);

#endif
