// SPDX-License-Identifier: MIT
// What a request asks the pit for, read from its path, its fields and its body.
#ifndef API_ASK_H
#define API_ASK_H

#include <snakepit/snakepit.h>

#include "api/router.h"
#include "http/body.h"
#include "server/exchange.h"
#include "telemetry/trace_context.h"

// Lives until the call was submitted: it borrows from itself and from the request, so
// it must not be moved.
struct sp_api_ask {
    snakepit_call_options options; // with `why` and the queue of the loop
    const char *tool;
    snakepit_writer *args; // NULL: none
    uint64_t ends_ns; // of sp_clock_now(), when its client waits no longer; 0: unknown
    struct sp_slice name; // that the client gives its call; empty: none
    bool names_session;   // the body does, in `named`: sp_api_ask_take_session()
    char named[SP_PARAM_SIZE];
    char session[SP_PARAM_SIZE];
    snakepit_trace_context trace;
    char tracestate[SP_TRACESTATE_MAX + 1];
    snakepit_message why;
};

// The trace that the call belongs to. A state that is not sound is left out.
void sp_api_ask_set_trace(struct sp_api_ask *ask,
                          const struct sp_trace_context *trace,
                          struct sp_slice state);

// False: it was refused, and the exchange is answered.
bool sp_api_ask_read(struct sp_exchange *exchange,
                     const struct sp_params *params,
                     struct sp_api_ask *ask);
// A body is a map, or `why` says that it must be one. INVALID_ARGUMENT. Any thread.
snakepit_err sp_api_holds_args(const snakepit_writer *args, snakepit_message *why);
// Only what concerns time and queue, for a question about a pool.
bool sp_api_ask_about_pool(struct sp_exchange *exchange,
                           const char *pool,
                           struct sp_api_ask *ask);
// What the header fields say, for a call in a pool; the tool and its arguments are
// still to be set.
bool sp_api_ask_begin(struct sp_exchange *exchange,
                      const char *pool,
                      struct sp_api_ask *ask);
void sp_api_ask_fini(struct sp_api_ask *ask);

// What a request may also say elsewhere than in its header fields. `what` is what it is
// called there. False: it was refused.
bool sp_api_ask_set_session(struct sp_exchange *exchange,
                            struct sp_api_ask *ask,
                            struct sp_slice session,
                            const char *what);
bool sp_api_ask_set_name(struct sp_exchange *exchange,
                         struct sp_api_ask *ask,
                         struct sp_slice name,
                         const char *what);
bool sp_api_ask_set_priority(struct sp_exchange *exchange,
                             struct sp_api_ask *ask,
                             uint64_t priority,
                             const char *what);

// Notes a session that the body names, to be set on the loop. INVALID_ARGUMENT: it is
// not the name of one. Any thread.
snakepit_err sp_api_ask_note_session(struct sp_api_ask *ask,
                                     struct sp_slice session,
                                     snakepit_message *why);
// Sets the one that was noted, if one was. False: it was refused.
bool sp_api_ask_take_session(struct sp_exchange *exchange, struct sp_api_ask *ask);

// What the body of an inference says of its call; a session is noted. Goes before
// header fields. INVALID_ARGUMENT: `why`. Any thread.
struct sp_inference_settings;
snakepit_err sp_api_note_settings(const struct sp_inference_settings *settings,
                                  struct sp_api_ask *ask,
                                  snakepit_message *why);

#define SP_API_TIMEOUT_MOST UINT64_C(86400000) // ms, as of call_timeout_ms

// The pool of that name for the C API: NULL for "default", which means there what it
// means in C.
const char *sp_api_pool_name(const char *name);

// A decimal number of `least` to `most`. False: it is not one.
bool sp_api_number(struct sp_slice text,
                   uint64_t least,
                   uint64_t most,
                   uint64_t *number);

// What the request says of its body.
struct sp_body sp_api_body_of(const struct sp_exchange *exchange);
// A body that must hold one value, as a writer to be freed. NULL: it was refused.
snakepit_writer *sp_api_read_body(struct sp_exchange *exchange, const char *what);
// Answers that a body was not taken: what it was to be, and why.
void sp_api_refuse_body(struct sp_exchange *exchange,
                        snakepit_err err,
                        const char *what,
                        const snakepit_message *why);

#define SP_API_ARGUMENTS "the call's arguments"
#define SP_API_REQUEST   "the request"

#endif
