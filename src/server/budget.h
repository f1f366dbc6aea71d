// SPDX-License-Identifier: MIT
// How much memory the bodies of all connections take together, `serve.max_memory`, and
// how slowly one of them may come, `serve.body_min_rate`.
#ifndef SERVER_BUDGET_H
#define SERVER_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/slice.h"

// Any thread. NULL in its place is none.
struct sp_budget {
    size_t most; // bytes; constant
    atomic_size_t used;
    _Atomic uint64_t told; // ns, when it was logged that it is spent
};

// Whether nothing is left of it.
bool sp_budget_is_spent(const struct sp_budget *budget);
// Takes so many bytes of it. False: it is spent.
bool sp_budget_take(struct sp_budget *budget, size_t bytes);
// The same, whatever is left of it: for what is there already.
void sp_budget_charge(struct sp_budget *budget, size_t bytes);
// Gives them back.
void sp_budget_give(struct sp_budget *budget, size_t bytes);

// A body that comes bit by bit. Zeroed it is empty. Owner: whoever embeds it.
struct sp_counted {
    struct sp_buf bytes;
    size_t counted; // of the budget
};

// Makes room for `more` bytes behind what is there: twice as much as before if the
// budget has that, but not more than `most` bytes in all, which has room for them. What
// takes 4 KiB or less is not counted. AGAIN: the budget is spent; NO_MEMORY. The body
// is unchanged then.
snakepit_err sp_counted_grow(struct sp_counted *body,
                             struct sp_budget *budget,
                             size_t more,
                             size_t most);
// Counts what it takes now, after others have made room in it. AGAIN: the budget is
// spent; it is counted as it was.
snakepit_err sp_counted_settle(struct sp_counted *body, struct sp_budget *budget);
// Forgets what is there, which may have been taken away, and frees it if it has room
// for more than `kept` bytes.
void sp_counted_forget(struct sp_counted *body, struct sp_budget *budget, size_t kept);

// Logs that the budget is spent, at `now` ns of sp_clock_now(): once in ten seconds.
void sp_budget_tell(struct sp_budget *budget, const struct sp_log *log, uint64_t now);

// Whether a body has come fast enough that began `elapsed_ns` ago and of which there
// are so many bytes: it has `grace_ms`, and for every `rate` bytes a second more. A
// rate of 0 is none.
bool sp_budget_keeps_pace(uint64_t elapsed_ns,
                          uint64_t bytes,
                          uint32_t grace_ms,
                          uint64_t rate);

#endif
