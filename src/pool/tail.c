// SPDX-License-Identifier: MIT
// What is left to read of a stream whose call has ended.
#include "pool/stream.h"

#include "pool/inside.h"

// The tube is this worker's. The call cannot move any more, for it runs.
void sp_stream_bind(struct sp_stream *stream, struct sp_port *port)
{
    if (stream->port == NULL) {
        sp_port_ref(port);
        stream->port = port;
        stream->tube.results = port->results.base;
        stream->tube.size = port->results.size;
    }
}

void sp_stream_keep(struct sp_call *call)
{
    struct sp_stream *stream = call->stream;
    struct sp_port *port = call->seat->port;
    sp_stream_bind(stream, port);
    stream->last = sp_tube_look(&port->view.slots[call->slot]);
    stream->kept = true;
}

bool sp_stream_has_ended(const struct sp_call *call)
{
    return call->stream != NULL && call->phase == SP_CALL_PLACED &&
           sp_port_state(call->seat->port, call->slot) == SP_SLOT_DONE;
}
