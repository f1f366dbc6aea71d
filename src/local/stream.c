// SPDX-License-Identifier: MIT
// Streams of the pit, whose chunks go into the tube of their call as it has room.
#include "local/inside.h"

// Whether there is one; if not, `ready` runs again, or the stream has ended.
static bool has_chunk(struct sp_local_call *call)
{
    if (call->chunk.at != NULL) {
        return true;
    }
    const snakepit_err err = snakepit_stream_try_next(call->stream, &call->chunk);
    if (err == SNAKEPIT_OK) {
        return true;
    }
    call->chunk.at = NULL;
    if (err != SNAKEPIT_AGAIN) {
        sp_local_answer(call, snakepit_stream_answer(call->stream));
    }
    return false;
}

// The chunks that there are, but not more than a tube holds: others have their turn.
static void pump(struct sp_local_call *call)
{
    while (has_chunk(call)) {
        if (call->cancelled) {
            call->chunk.at = NULL; // nobody reads it
            continue;
        }
        switch (sp_local_put(call)) {
        case SP_LOCAL_WAITS:
            return;
        case SP_LOCAL_FULL:
            (void)snakepit_cancel(call->circuit->pit, call->id);
            sp_local_refuse(call,
                            SNAKEPIT_NO_MEMORY,
                            "there is no room for a chunk of the stream: the answers "
                            "that this program keeps take all that it may have; free "
                            "some, or raise `serve: max_memory` of the daemon");
            return;
        case SP_LOCAL_PUT:
            call->chunk.at = NULL;
            break;
        }
    }
}

void sp_local_ready(void *user, snakepit_stream *stream)
{
    struct sp_local_call *call = user;
    (void)stream; // is that of the call
    if (call->stream != NULL && !call->beside) {
        pump(call);
    }
}

void sp_local_circuit_pump(struct sp_local_circuit *circuit)
{
    struct sp_link stalled;
    struct sp_link *link;
    if (sp_list_empty(&circuit->stalled)) {
        return;
    }
    sp_list_init(&stalled);
    while ((link = sp_list_take(&circuit->stalled)) != NULL) {
        sp_list_append(&stalled, link);
    }
    while ((link = sp_list_take(&stalled)) != NULL) {
        pump(SP_ENTRY(link, struct sp_local_call, stalled));
    }
}
