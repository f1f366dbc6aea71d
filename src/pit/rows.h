// SPDX-License-Identifier: MIT
// Rows that a program asks for, one behind the other in its own size.
#ifndef PIT_ROWS_H
#define PIT_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

struct sp_rows {
    uint8_t *first;
    size_t size; // of each, as the program knows it
    size_t room;
};

// OK if a program may ask so: with a pit, a place for the count, and rows that say
// their size unless there is room for none. INVALID_ARGUMENT, FORKED.
snakepit_err
sp_rows_check(snakepit *pit, const void *rows, size_t room, const size_t *count);
// Copies what fits of a row, if there is room for it.
void sp_rows_put(const struct sp_rows *rows,
                 size_t index,
                 const void *row,
                 size_t size);

#endif
