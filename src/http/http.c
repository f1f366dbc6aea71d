// SPDX-License-Identifier: MIT
// Until it is known what a connection speaks, nothing is taken of what it has sent:
// whichever protocol it is reads it from its beginning.
#include "http/http.h"

#include <string.h>

#include "http/http2.h"
#include "server/server.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static bool speak(struct sp_connection *connection, const struct sp_protocol *protocol)
{
    if (protocol->open(connection) != SNAKEPIT_OK) {
        sp_connection_abort(connection);
        return false;
    }
    connection->protocol = protocol;
    // A drain was told that there is nothing under way before there was.
    if (connection->loop->draining) {
        (void)protocol->drain(connection);
    }
    return true;
}

static snakepit_err open_http(struct sp_connection *connection)
{
    connection->user = NULL;
    return SNAKEPIT_OK;
}

// NULL: that takes more of what the client sends.
static const struct sp_protocol *choose(const struct sp_connection *connection)
{
    const struct sp_buf *in = &connection->in;
    enum sp_alpn agreed = sp_connection_alpn(connection);
    size_t whole = sizeof preface - 1;
    size_t size = in->size < whole ? in->size : whole;
    if (agreed != SP_ALPN_NONE) {
        return agreed == SP_ALPN_HTTP_2 ? &sp_http2 : &sp_http1;
    }
    if (size > 0 && memcmp(in->data, preface, size) != 0) {
        return &sp_http1;
    }
    return size == whole ? &sp_http2 : NULL;
}

static void received(struct sp_connection *connection)
{
    const struct sp_protocol *protocol = choose(connection);
    if (protocol == NULL) {
        if (connection->waits_for != SP_WAIT_HEADER && connection->in.size > 0) {
            sp_connection_wait_for(connection, SP_WAIT_HEADER);
        }
    } else if (speak(connection, protocol)) {
        connection->protocol->received(connection);
    }
}

static void ended(struct sp_connection *connection)
{
    (void)connection;
}

static void writable(struct sp_connection *connection)
{
    (void)connection;
}

// Half a preface is the beginning of a request as well.
static void late(struct sp_connection *connection, enum sp_wait_for what)
{
    if (what == SP_WAIT_HEADER && speak(connection, &sp_http1)) {
        connection->protocol->received(connection);
        connection->protocol->late(connection, what);
    }
}

static bool drain(struct sp_connection *connection)
{
    return connection->in.size == 0;
}

static void prepare(struct sp_serve_loop *loop)
{
    sp_http2_waits_init(&loop->streams, &loop->loop, loop->options->config);
}

static void close_http(struct sp_connection *connection)
{
    (void)connection;
}

const struct sp_protocol sp_http = {
    .open = open_http,
    .received = received,
    .ended = ended,
    .writable = writable,
    .late = late,
    .drain = drain,
    .close = close_http,
    .prepare = prepare,
};
