// SPDX-License-Identifier: MIT
// What is left to read of a stream whose call has ended, and who is told that there is
// something to read.
#include "pool/stream.h"

#include "pool/inside.h"

void sp_stream_bind(struct sp_stream *stream, struct sp_port *port)
{
    if (stream->port != NULL && !stream->moved) {
        return;
    }
    if (stream->port != NULL) {
        sp_port_unref(stream->port);
    }
    sp_port_ref(port);
    stream->port = port;
    stream->moved = false;
    stream->tube.results = port->results.base;
    stream->tube.size = port->results.size;
}

bool sp_stream_is_empty(const struct sp_call *call)
{
    const struct sp_stream *stream = call->stream;
    const struct sp_port *port = call->placement.seat->port;
    return stream->tube.tail == 0 &&
           sp_tube_look(&port->view.slots[call->placement.slot]).tail == 0;
}

void sp_stream_keep(struct sp_call *call)
{
    struct sp_stream *stream = call->stream;
    struct sp_port *port = call->placement.seat->port;
    sp_stream_bind(stream, port);
    stream->last = sp_tube_look(&port->view.slots[call->placement.slot]);
    stream->kept = true;
}

bool sp_stream_has_ended(const struct sp_call *call)
{
    return call->stream != NULL && call->phase == SP_CALL_PLACED &&
           sp_port_state(call->placement.seat->port, call->placement.slot) ==
               SP_SLOT_DONE;
}

// ---- Reports ------------------------------------------------------------------

bool sp_stream_has_news(const struct sp_call *call)
{
    const struct sp_port *port = call->placement.seat->port;
    // While it is QUEUED the tail is that of an earlier call.
    return sp_port_state(port, call->placement.slot) != SP_SLOT_QUEUED &&
           sp_tube_look(&port->view.slots[call->placement.slot]).tail !=
               call->stream->tail_seen;
}

void sp_stream_report(struct sp_pool *pool, struct sp_call *call)
{
    if (call->stream->awaits) {
        call->stream->awaits = false;
        sp_lane_put_readable(sp_pool_lane(pool, call), call);
    }
}

void sp_stream_hear(struct sp_pool *pool, struct sp_call *call)
{
    if (!call->stream->awaits) {
        return;
    }
    if (!sp_stream_has_news(call)) {
        sp_port_watch_tube(call->placement.seat->port, call->placement.slot);
    }
    if (sp_stream_has_news(call)) {
        sp_stream_report(pool, call);
    }
}
