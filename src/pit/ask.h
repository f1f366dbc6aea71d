// SPDX-License-Identifier: MIT
// The public functions that are not calls, of a pit that is connected to a daemon: it
// asks that. pit/tell.h is the other end. Each is as the public function of its name,
// whose arguments were checked.
#ifndef PIT_ASK_H
#define PIT_ASK_H

#include <snakepit/snakepit.h>

#include "base/slice.h"
#include "pit/rows.h"
#include "pit/told.h"

// Named things that a question brings. NULL texts are left out.
struct sp_asked {
    const struct sp_told *told; // not sent: what the answer is, or each row of it
    const char *pool;
    const char *session;
    const char *key;
    const char *after;
    uint64_t worker;
    uint64_t workers;
    uint64_t most;
    uint64_t ttl_ms;
    bool failed;
    bool slow;
    const snakepit_writer *value;
};

// Has something done.
snakepit_err sp_ask_do(snakepit *pit,
                       const char *what,
                       const struct sp_asked *asked,
                       snakepit_message *why);
// Asks for a struct of the library, zeroed; its texts live as long as the pit.
snakepit_err
sp_ask_one(snakepit *pit, const char *what, const struct sp_asked *asked, void *row);
// Asks for rows, of which as many as there is room for are given.
snakepit_err sp_ask_rows(snakepit *pit,
                         const char *what,
                         const struct sp_asked *asked,
                         const struct sp_rows *rows,
                         size_t *count);
// Asks for rows and hands them over one by one, borrowed.
typedef void sp_asked_row_fn(void *user, const void *row);
snakepit_err sp_ask_each(snakepit *pit,
                         const char *what,
                         const struct sp_asked *asked,
                         sp_asked_row_fn *take,
                         void *user);
snakepit_err sp_ask_stacks(snakepit *pit,
                           const struct sp_asked *asked,
                           snakepit_stack_fn *take,
                           void *user,
                           snakepit_message *why);
// Asks for a value, which `body` then holds.
snakepit_err sp_ask_value(snakepit *pit,
                          const char *what,
                          const struct sp_asked *asked,
                          struct sp_buf *body,
                          snakepit_message *why);
snakepit_err sp_ask_metrics(snakepit *pit,
                            const snakepit_metrics_options *options,
                            char **text,
                            size_t *size);

#endif
