// SPDX-License-Identifier: MIT
// How the bytes of a connection cross its socket: as they are, or by TLS. What is sent
// as it is costs the system calls of that and nothing else.
//
// Owner: the loop thread of the connection.
#ifndef SERVER_TRANSPORT_H
#define SERVER_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "server/tls.h"

struct sp_transport {
    int fd;
    bool buffered;      // receives nothing from the socket, only what is pending
    struct sp_tls *tls; // NULL: as they are
};

// As recv(2).
ssize_t sp_transport_receive(struct sp_transport *transport, void *room, size_t size);
// As sendmsg(2) without a signal; at least one part, none of them empty. What was not
// taken comes first the next time, wherever it lies by then.
ssize_t
sp_transport_send(struct sp_transport *transport, struct iovec *parts, size_t count);
// Something may be received that the socket will not tell of.
bool sp_transport_is_pending(const struct sp_transport *transport);
// Says what TLS has to say at the end. False: there is no room for it yet.
bool sp_transport_finish(struct sp_transport *transport);

// The events to watch for where these are wanted, and the other way round.
unsigned sp_transport_to_watch(const struct sp_transport *transport, unsigned wanted);
unsigned sp_transport_to_tell(const struct sp_transport *transport, unsigned happened);

#endif
