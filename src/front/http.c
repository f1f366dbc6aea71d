// SPDX-License-Identifier: MIT
// Until it is known what a connection speaks, nothing is taken of what it has sent:
// whichever protocol it is reads it from its beginning.
#include "front/http.h"

#include <string.h>

#include "front/http2.h"
#include "front/server.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

snakepit_err sp_http_speak(struct sp_connection *connection,
                           const struct sp_protocol *protocol)
{
    snakepit_err err = protocol->open(connection);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    connection->protocol = protocol;
    // It was told that there is nothing under way before anything was.
    if (connection->loop->draining) {
        (void)protocol->drain(connection);
    }
    return SNAKEPIT_OK;
}

static bool speak(struct sp_connection *connection, const struct sp_protocol *protocol)
{
    bool speaks = sp_http_speak(connection, protocol) == SNAKEPIT_OK;
    if (!speaks) {
        sp_connection_abort(connection);
    }
    return speaks;
}

static snakepit_err open_http(struct sp_connection *connection)
{
    connection->user = NULL;
    return SNAKEPIT_OK;
}

static void received(struct sp_connection *connection)
{
    const struct sp_buf *in = &connection->in;
    size_t whole = sizeof preface - 1;
    size_t size = in->size < whole ? in->size : whole;
    bool same = size == 0 || memcmp(in->data, preface, size) == 0;
    if (same && size < whole) {
        if (connection->waits_for != SP_WAIT_HEADER && size > 0) {
            sp_connection_wait_for(connection, SP_WAIT_HEADER);
        }
    } else if (speak(connection, same ? &sp_http2 : &sp_http1)) {
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
};
