// SPDX-License-Identifier: MIT
// A packet is a head and a body. Packets cannot be torn, so there is no framing to get
// wrong.
#include "ipc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

snakepit_err
sp_channel_send(int fd, enum sp_message_type type, const void *body, size_t size)
{
    struct sp_message_head head = {.type = type, .size = (uint32_t)size};
    if (size > SP_MESSAGE_MAX - sizeof head) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)body, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
    ssize_t sent;
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? SNAKEPIT_SYSTEM : SNAKEPIT_OK;
}

snakepit_err sp_channel_receive(int fd,
                                uint8_t *room,
                                struct sp_message_head *head,
                                const uint8_t **body)
{
    ssize_t got;
    do {
        got = recv(fd, room, SP_MESSAGE_MAX, MSG_TRUNC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? SNAKEPIT_NOT_FOUND
                                                       : SNAKEPIT_END;
    }
    if (got == 0) {
        return SNAKEPIT_END;
    }
    if ((size_t)got < sizeof *head || (size_t)got > SP_MESSAGE_MAX) {
        return SNAKEPIT_PROTOCOL;
    }
    memcpy(head, room, sizeof *head);
    if (head->size != (size_t)got - sizeof *head) {
        return SNAKEPIT_PROTOCOL;
    }
    *body = room + sizeof *head;
    return SNAKEPIT_OK;
}
