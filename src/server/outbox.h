// SPDX-License-Identifier: MIT
// Bytes of an answer that wait until their client takes them. What waits for all
// clients together counts to the same budget as their bodies.
#ifndef SERVER_OUTBOX_H
#define SERVER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "server/budget.h"

// Bytes that a client may let wait, however many others do: a handler that asks for the
// room puts no more.
#define SP_OUTBOX_WINDOW 131072u

// Zeroed it is empty. Owner: whoever embeds it.
struct sp_outbox {
    struct sp_buf bytes; // may have memory while it is empty
    size_t at;           // of which so much has gone
    size_t counted;      // of the budget
};

static inline size_t sp_outbox_size(const struct sp_outbox *box)
{
    return box->bytes.size - box->at;
}

static inline struct sp_slice sp_outbox_slice(const struct sp_outbox *box)
{
    return (struct sp_slice){box->bytes.data + box->at, sp_outbox_size(box)};
}

// Whether the budget has room for an answer of so many bytes, or it is no larger than a
// window. False: that was logged, as sp_budget_tell() does.
bool sp_outbox_may_take(struct sp_budget *budget,
                        size_t bytes,
                        const struct sp_log *log);
// Puts bytes behind what is there; copies them. NO_MEMORY: also where they are more
// than a window, and the budget has no room for them. It is unchanged then.
snakepit_err
sp_outbox_put(struct sp_outbox *box, struct sp_budget *budget, struct sp_slice bytes);
// The first `bytes` have gone. Gives memory back that what is left does not need.
void sp_outbox_sent(struct sp_outbox *box, struct sp_budget *budget, size_t bytes);
// Counts anew, after its memory became another.
void sp_outbox_count(struct sp_outbox *box, struct sp_budget *budget);
// Frees what is there. It is empty and usable again.
void sp_outbox_fini(struct sp_outbox *box, struct sp_budget *budget);

#endif
