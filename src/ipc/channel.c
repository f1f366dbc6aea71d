// SPDX-License-Identifier: MIT
// A packet is a head and a body. Packets cannot be torn, so there is no framing to get
// wrong.
#include "ipc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

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

// ---- Descriptors --------------------------------------------------------------

struct fork_packet {
    struct sp_message_head head;
    uint64_t ticket;
};

// Room for the descriptors of one packet, aligned as the kernel wants it.
union fork_room {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(SP_FORK_FDS * sizeof(int))];
};

snakepit_err
sp_channel_send_fork(int fd, uint64_t ticket, const int descriptors[SP_FORK_FDS])
{
    struct fork_packet packet = {{SP_MESSAGE_FORK, sizeof packet.ticket}, ticket};
    struct iovec part = {&packet, sizeof packet};
    union fork_room room;
    memset(&room, 0, sizeof room);
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &room,
                             .msg_controllen = sizeof room};
    room.head.cmsg_level = SOL_SOCKET;
    room.head.cmsg_type = SCM_RIGHTS;
    room.head.cmsg_len = CMSG_LEN(SP_FORK_FDS * sizeof(int));
    memcpy(CMSG_DATA(&room.head), descriptors, SP_FORK_FDS * sizeof(int));
    ssize_t sent;
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? SNAKEPIT_SYSTEM : SNAKEPIT_OK;
}

// The kernel rounds room up, so one more may come than was asked for.
#define ROOM_FDS (sizeof(union fork_room) / sizeof(int))

// How many descriptors came; they are in `descriptors`.
static size_t take_descriptors(struct msghdr *message, int descriptors[ROOM_FDS])
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head == NULL || head->cmsg_level != SOL_SOCKET ||
        head->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t size = head->cmsg_len - CMSG_LEN(0);
    memcpy(descriptors, CMSG_DATA(head), size);
    return size / sizeof(int);
}

snakepit_err
sp_channel_receive_fork(int fd, uint64_t *ticket, int descriptors[SP_FORK_FDS])
{
    struct fork_packet packet;
    struct iovec part = {&packet, sizeof packet};
    union fork_room room;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &room,
                             .msg_controllen = sizeof room};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) {
        errno = got == 0 ? 0 : errno;
        return SNAKEPIT_END;
    }
    int came[ROOM_FDS];
    size_t count = take_descriptors(&message, came);
    if (got == sizeof packet && packet.head.type == SP_MESSAGE_FORK &&
        count == SP_FORK_FDS && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
        memcpy(descriptors, came, SP_FORK_FDS * sizeof(int));
        *ticket = packet.ticket;
        return SNAKEPIT_OK;
    }
    while (count > 0) {
        close(came[--count]);
    }
    return SNAKEPIT_PROTOCOL;
}
