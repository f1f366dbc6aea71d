// SPDX-License-Identifier: MIT
// A client that always lags behind a little never has an empty outbox: what has gone
// has to make room for what comes, or the memory of a stream would grow as long as it
// lasts.
#include "server/outbox.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#define UNCOUNTED 65536u // bytes of memory that each may have
#define SPARSE    4u     // times as much memory as is needed is too much

void sp_outbox_count(struct sp_outbox *box, struct sp_budget *budget)
{
    const size_t capacity = box->bytes.capacity;
    const size_t counted = capacity > UNCOUNTED ? capacity : 0;
    if (counted > box->counted) {
        sp_budget_charge(budget, counted - box->counted);
    } else {
        sp_budget_give(budget, box->counted - counted);
    }
    box->counted = counted;
}

bool sp_outbox_may_take(struct sp_budget *budget,
                        size_t bytes,
                        const struct sp_log *log)
{
    if (bytes <= SP_OUTBOX_WINDOW) {
        return true;
    }
    if (sp_budget_take(budget, bytes)) {
        sp_budget_give(budget, bytes);
        return true;
    }
    sp_budget_tell(budget, log, sp_clock_now());
    return false;
}

static void move_to_front(struct sp_outbox *box)
{
    const struct sp_slice left = sp_outbox_slice(box);
    if (left.size > 0) {
        memmove(box->bytes.data, left.data, left.size);
    }
    box->bytes.size = left.size;
    box->at = 0;
}

snakepit_err
sp_outbox_put(struct sp_outbox *box, struct sp_budget *budget, struct sp_slice bytes)
{
    const bool asks = bytes.size > SP_OUTBOX_WINDOW;
    if (asks && !sp_budget_take(budget, bytes.size)) {
        return SNAKEPIT_NO_MEMORY;
    }
    // Each byte is moved once at most, for so many have gone.
    if (box->at > 0 && box->at >= sp_outbox_size(box)) {
        move_to_front(box);
    }
    snakepit_err err = sp_buf_append(&box->bytes, bytes.data, bytes.size);
    sp_outbox_count(box, budget);
    if (asks) {
        sp_budget_give(budget, bytes.size);
    }
    return err;
}

static void shrink(struct sp_outbox *box)
{
    move_to_front(box);
    uint8_t *data = sp_realloc(box->bytes.data, box->bytes.size);
    if (data != NULL) {
        box->bytes.data = data;
        box->bytes.capacity = box->bytes.size;
    }
}

void sp_outbox_sent(struct sp_outbox *box, struct sp_budget *budget, size_t bytes)
{
    box->at += bytes;
    const size_t left = sp_outbox_size(box);
    if (left == 0) {
        box->bytes.size = 0;
        box->at = 0;
    } else if (box->bytes.capacity > UNCOUNTED &&
               left <= box->bytes.capacity / SPARSE) {
        shrink(box);
        sp_outbox_count(box, budget);
    }
}

void sp_outbox_fini(struct sp_outbox *box, struct sp_budget *budget)
{
    sp_buf_fini(&box->bytes);
    box->at = 0;
    sp_outbox_count(box, budget);
}
