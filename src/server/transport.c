// SPDX-License-Identifier: MIT
#include "server/transport.h"

#include <sys/socket.h>

ssize_t sp_transport_receive(struct sp_transport *transport, void *room, size_t size)
{
    return transport->tls == NULL
               ? recv(transport->fd, room, size, 0)
               : sp_tls_receive(transport->tls, room, size, transport->buffered);
}

ssize_t
sp_transport_send(struct sp_transport *transport, struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return transport->tls == NULL ? sendmsg(transport->fd, &message, MSG_NOSIGNAL)
                                  : sp_tls_send(transport->tls, parts, count);
}

bool sp_transport_is_pending(const struct sp_transport *transport)
{
    return transport->tls != NULL && sp_tls_is_pending(transport->tls);
}

bool sp_transport_finish(struct sp_transport *transport)
{
    return transport->tls == NULL || sp_tls_finish(transport->tls);
}

unsigned sp_transport_to_watch(const struct sp_transport *transport, unsigned wanted)
{
    return transport->tls == NULL ? wanted : sp_tls_to_watch(transport->tls, wanted);
}

unsigned sp_transport_to_tell(const struct sp_transport *transport, unsigned happened)
{
    return transport->tls == NULL ? happened : sp_tls_to_tell(transport->tls, happened);
}
