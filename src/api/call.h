// SPDX-License-Identifier: MIT
// Calls that are answered as a whole, whatever the door they came through.
#ifndef API_CALL_H
#define API_CALL_H

#include "api/ask.h"
#include "api/inside.h"
#include "api/reply.h"

// How a door writes the outcome of a call.
struct sp_api_form {
    // Answers the exchange, and so ends it, with what the tool returned, or its fault.
    // `call` is its name or number. Borrows all of it.
    void (*answer)(struct sp_exchange *exchange,
                   snakepit_answer *answer,
                   unsigned as,
                   const char *call);
    unsigned as; // what the functions are told
    // Of a large result: makes what is then sent. Any thread. Both NULL: `answer` is
    // called for large ones, too.
    void (*make)(struct sp_api_result *result, snakepit_answer *answer, unsigned as);
    void (*send)(struct sp_exchange *exchange,
                 struct sp_api_result *result,
                 snakepit_answer *answer,
                 unsigned as,
                 const char *call);
    // What `exchange->own` is of a door is needed no longer, once, whatever came of the
    // call. NULL: there is nothing.
    void (*over)(void *own);
    void *own;
    // Of sp_api_submit_body(): writes the arguments that a body holds, and notes in
    // `ask` what else the body says of the call. Any thread; INVALID_ARGUMENT,
    // MALFORMED, NO_MEMORY: `why`.
    snakepit_err (*read)(void *own,
                         const struct sp_body *body,
                         struct sp_api_ask *ask,
                         snakepit_writer *args,
                         snakepit_message *why);
};

// Submits the call, and answers the exchange, now or later. A client that goes cancels
// its call.
void sp_api_submit(struct sp_exchange *exchange,
                   struct sp_api_ask *ask,
                   struct sp_api_form form);
// The same of a call of pool and tool in `params` whose body the form reads, beside the
// loop where it is large.
void sp_api_submit_body(struct sp_exchange *exchange,
                        const struct sp_params *params,
                        struct sp_api_form form);
// The same of the question for the tools of a pool.
void sp_api_submit_tools(struct sp_exchange *exchange,
                         struct sp_api_ask *ask,
                         struct sp_api_form form);

// Asks that the client's call of that name, or of that number, end. NOT_FOUND, and what
// snakepit_cancel() says.
snakepit_err sp_api_cancel_named(const struct sp_exchange *exchange, const char *name);

#endif
