// SPDX-License-Identifier: MIT
// A call of a client, from when it is read until it is answered: what it is called, and
// what is told when the library refuses it.
#ifndef API_TRACK_H
#define API_TRACK_H

#include "api/ask.h"
#include "api/call_names.h"

#define SP_CALL_TEXT_SIZE (SP_CALL_NAME_MAX + 1)

// Zeroed it is none. Owner: the loop of its exchange.
struct sp_api_track {
    struct sp_call_names *names;
    struct sp_call_name name;
    char owner[SP_NAME_BYTES_MAX + 1];
    snakepit_call_id id;
    char text[SP_CALL_TEXT_SIZE]; // the name, or the number once it is known
};

// Takes the name that the client has given, before the call is submitted, if it may
// call that tool at all. What the client may do stands in the exchange. False: it was
// refused, and the exchange is answered.
bool sp_api_track_begin(struct sp_api_track *track,
                        struct sp_exchange *exchange,
                        const struct sp_api_ask *ask);
// The call was submitted. True: its client has asked meanwhile that it end, and the
// caller cancels it.
bool sp_api_track_set(struct sp_api_track *track, snakepit_call_id id);
// It is over, or nobody waits for it.
void sp_api_track_end(struct sp_api_track *track);

// For Snakepit-Call-Id; NULL: it has neither name nor number yet.
const char *sp_api_track_text(const struct sp_api_track *track);

// Answers a call that the library did not take, and says why.
void sp_api_refuse_call(struct sp_exchange *exchange,
                        const struct sp_api_track *track,
                        const struct sp_api_ask *ask,
                        snakepit_err err);

#endif
