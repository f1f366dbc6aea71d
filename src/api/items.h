// SPDX-License-Identifier: MIT
// An array whose items nobody has counted before they are written.
#ifndef API_ITEMS_H
#define API_ITEMS_H

#include <snakepit/snakepit.h>

#include "base/slice.h"

// Zeroed it has none.
struct sp_items {
    snakepit_writer *one; // the next item
    struct sp_buf all;
    uint32_t count;
    snakepit_err err; // sticks
};

// The writer of the next item, which is one value. NULL: without memory, which sticks.
snakepit_writer *sp_items_begin(struct sp_items *items);
// Adds it. Returns its bytes.
size_t sp_items_add(struct sp_items *items);
// Writes all of them as one array. Errors stick to the writer.
void sp_items_write(const struct sp_items *items, snakepit_writer *writer);
void sp_items_fini(struct sp_items *items);

#endif
