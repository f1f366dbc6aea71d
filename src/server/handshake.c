// SPDX-License-Identifier: MIT
// What a connection speaks before its protocol: the handshake of TLS. Who fails is told
// by TLS what is wrong, and who has sent a request as it is, by an answer as it is.
#include "base/clock.h"
#include "server/connection.h"
#include "server/server.h"
#include "telemetry/notice.h"

#define TELL_NS SP_NS_PER_S // from one line of the log to the next

static const char not_encrypted[] =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 57\r\n"
    "Connection: close\r\n"
    "\r\n"
    "this port speaks TLS: ask for https:// instead of http://";

// A peer is not to fill the log.
static void tell(struct sp_connection *connection, const char *because)
{
    struct sp_connections *all = connection->all;
    sp_door_count(connection->counts, SP_DOOR_FAILED_HANDSHAKES, 1);
    uint64_t now = sp_clock_now();
    if (connection->loop == NULL || connection->loop->options->log == NULL) {
        return;
    }
    if (all->told != 0 && now - all->told < TELL_NS) {
        all->untold++;
        return;
    }
    sp_log(connection->loop->options->log,
           serve_handshake_failed,
           .client = connection->peer.address,
           .because = because,
           .more = all->untold);
    all->told = now;
    all->untold = 0;
}

// From here on the connection is one without TLS.
static void answer_plainly(struct sp_connection *connection)
{
    sp_tls_free(connection->transport.tls);
    connection->transport.tls = NULL;
    (void)sp_connection_send(connection, sp_slice_of_text(not_encrypted));
    sp_connection_close_after(connection);
}

static void tell_who(const struct sp_connection *connection)
{
    const struct sp_peer *peer = &connection->peer;
    const char *who = peer->certificate != NULL ? peer->certificate : "";
    if (connection->loop != NULL && connection->loop->options->log != NULL) {
        sp_log(connection->loop->options->log,
               serve_handshake,
               .client = peer->address,
               .certificate = who);
    }
}

static void go_on_to_protocol(struct sp_connection *connection)
{
    sp_door_count(connection->counts, SP_DOOR_HANDSHAKES, 1);
    connection->peer.certificate = sp_tls_subject(connection->transport.tls);
    tell_who(connection);
    connection->protocol = connection->all->protocol;
    sp_connection_wait_for(connection, SP_WAIT_REQUEST);
    if (connection->protocol->open(connection) != SNAKEPIT_OK) {
        connection->protocol = &sp_handshake; // nothing is to be closed
        sp_connection_abort(connection);
    }
}

static void ready(struct sp_connection *connection)
{
    struct sp_tls *tls = connection->transport.tls;
    switch (sp_tls_shake_hands(tls)) {
    case SP_TLS_OPEN:
        go_on_to_protocol(connection);
        break;
    case SP_TLS_WAITS:
        break;
    case SP_TLS_LEFT:
        sp_connection_abort(connection);
        break;
    case SP_TLS_IS_HTTP:
        tell(connection, "it has sent a request without TLS");
        answer_plainly(connection);
        break;
    case SP_TLS_FAILED:
        tell(connection, sp_tls_failure(tls));
        sp_connection_close_after(connection);
        break;
    }
}

static snakepit_err open_handshake(struct sp_connection *connection)
{
    connection->user = NULL;
    return SNAKEPIT_OK;
}

static void late(struct sp_connection *connection, enum sp_wait_for what)
{
    if (what == SP_WAIT_HANDSHAKE) {
        tell(connection, "it was not done within header_timeout_ms");
        sp_connection_abort(connection);
    }
}

static bool drain(struct sp_connection *connection)
{
    (void)connection;
    return true;
}

static void ignore(struct sp_connection *connection)
{
    (void)connection;
}

const struct sp_protocol sp_handshake = {
    .open = open_handshake,
    .received = ignore,
    .ended = ignore,
    .writable = ignore,
    .late = late,
    .drain = drain,
    .close = ignore,
    .ready = ready,
};
