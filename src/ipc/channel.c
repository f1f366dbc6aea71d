// SPDX-License-Identifier: MIT
// A packet is a head and a body, or a head alone with a memfd beside it that holds the
// body. Packets cannot be torn, so there is no framing to get wrong.
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ipc/segment.h"

// ---- Descriptors in packets ---------------------------------------------------

// Room for the descriptors of one packet, aligned as the kernel wants it. The kernel
// rounds it up, so one more may come than was asked for.
union fds_room {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(SP_PACKET_FDS * sizeof(int))];
};

#define ROOM_FDS (sizeof(union fds_room) / sizeof(int))

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

// Puts descriptors beside what `message` sends.
static void add_descriptors(struct msghdr *message,
                            union fds_room *room,
                            const int *descriptors,
                            size_t count)
{
    memset(room, 0, sizeof *room);
    message->msg_control = room;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    room->head.cmsg_level = SOL_SOCKET;
    room->head.cmsg_type = SCM_RIGHTS;
    room->head.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&room->head), descriptors, count * sizeof(int));
}

static snakepit_err send_packet(int fd, const struct msghdr *message)
{
    ssize_t sent;
    do {
        sent = sendmsg(fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? SNAKEPIT_SYSTEM : SNAKEPIT_OK;
}

// ---- Sending ------------------------------------------------------------------

static snakepit_err send_large(int fd, uint32_t type, const void *body, size_t size)
{
    struct sp_message_head head = {.type = type, .size = (uint32_t)size};
    struct iovec part = {&head, sizeof head};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union fds_room room;
    struct sp_segment memory;
    snakepit_err err =
        sp_segment_create(&memory, SP_SEGMENT_NAMES "message", size, true, NULL);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    memcpy(memory.base, body, size);
    add_descriptors(&message, &room, &memory.fd, 1);
    err = send_packet(fd, &message);
    int reason = errno;
    sp_segment_fini(&memory);
    errno = reason;
    return err;
}

snakepit_err sp_channel_send(int fd, uint32_t type, const void *body, size_t size)
{
    if (size > SP_LARGE_MAX) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (size > SP_MESSAGE_MAX - sizeof(struct sp_message_head)) {
        return send_large(fd, type, body, size);
    }
    return sp_channel_send_with(fd, type, body, size, NULL, 0);
}

// NOLINTNEXTLINE(readability-function-size): two things with their sizes
snakepit_err sp_channel_send_with(int fd,
                                  uint32_t type,
                                  const void *body,
                                  size_t size,
                                  const int *descriptors,
                                  size_t count)
{
    struct sp_message_head head = {.type = type, .size = (uint32_t)size};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)body, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
    union fds_room room;
    if (size > SP_MESSAGE_MAX - sizeof head || count > SP_PACKET_FDS) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (count > 0) {
        add_descriptors(&message, &room, descriptors, count);
    }
    return send_packet(fd, &message);
}

// ---- Receiving ----------------------------------------------------------------

// What came with a packet. Descriptors are closed unless they are taken.
struct arrival {
    ssize_t got;
    int descriptors[ROOM_FDS];
    size_t count;
    bool lost; // there were more descriptors than this process may have
    bool end;  // it was not a packet: the other side is gone
};

// Whether what was read as nothing is the end. A packet may be empty as well: then the
// other side is still there, or there is more to read.
static bool has_ended(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLRDHUP};
    int more = 0;
    return poll(&entry, 1, 0) == 1 && ioctl(fd, FIONREAD, &more) == 0 && more == 0;
}

// A signal ends it.
static void receive_once(int fd, void *room, size_t size, struct arrival *arrival)
{
    struct iovec part = {room, size};
    union fds_room fds;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &fds,
                             .msg_controllen = sizeof fds};
    arrival->got = recvmsg(fd, &message, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    if (arrival->got >= 0) {
        arrival->count = take_descriptors(&message, arrival->descriptors);
        arrival->lost = (message.msg_flags & MSG_CTRUNC) != 0;
    }
}

static void receive_packet(int fd, uint8_t *room, struct arrival *arrival)
{
    do {
        receive_once(fd, room, SP_MESSAGE_MAX, arrival);
    } while (arrival->got < 0 && errno == EINTR);
    arrival->end = arrival->got == 0 && has_ended(fd);
}

static void drop_descriptors(struct arrival *arrival)
{
    int reason = errno;
    while (arrival->count > 0) {
        (void)close(arrival->descriptors[--arrival->count]);
    }
    errno = reason;
}

// Fills `large` from a descriptor that must be a memfd, so that reading cannot wait.
// One that is shorter than was said is PROTOCOL.
static snakepit_err read_large(int memory, size_t size, struct sp_buf *large)
{
    if (fcntl(memory, F_GET_SEALS) < 0) {
        return SNAKEPIT_PROTOCOL;
    }
    if (sp_buf_reserve(large, size) != SNAKEPIT_OK) {
        errno = ENOMEM;
        return SNAKEPIT_SYSTEM;
    }
    while (large->size < size) {
        ssize_t got = pread(
            memory, large->data + large->size, size - large->size, (off_t)large->size);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            sp_buf_fini(large);
            return SNAKEPIT_PROTOCOL;
        }
        large->size += got < 0 ? 0 : (size_t)got;
    }
    return SNAKEPIT_OK;
}

// A head alone whose body is beside it.
static snakepit_err take_large(const struct arrival *arrival,
                               const struct sp_message_head *head,
                               struct sp_buf *large)
{
    if (large == NULL || head->size > SP_LARGE_MAX) {
        return SNAKEPIT_PROTOCOL;
    }
    if (arrival->lost) {
        errno = EMFILE;
        return SNAKEPIT_SYSTEM;
    }
    return arrival->count == 1 ? read_large(arrival->descriptors[0], head->size, large)
                               : SNAKEPIT_PROTOCOL;
}

static snakepit_err read_packet(const struct arrival *arrival,
                                uint8_t *room,
                                struct sp_message_head *head,
                                const uint8_t **body,
                                struct sp_buf *large)
{
    if (arrival->got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? SNAKEPIT_NOT_FOUND
                                                       : SNAKEPIT_END;
    }
    if (arrival->end) {
        return SNAKEPIT_END;
    }
    size_t got = (size_t)arrival->got;
    if (got < sizeof *head || got > SP_MESSAGE_MAX) {
        return SNAKEPIT_PROTOCOL;
    }
    memcpy(head, room, sizeof *head);
    if (got == sizeof *head && head->size > SP_MESSAGE_MAX - sizeof *head) {
        snakepit_err err = take_large(arrival, head, large);
        *body = err == SNAKEPIT_OK ? large->data : NULL;
        return err;
    }
    if (head->size != got - sizeof *head) {
        return SNAKEPIT_PROTOCOL;
    }
    *body = room + sizeof *head;
    return SNAKEPIT_OK;
}

snakepit_err sp_channel_receive_large(int fd,
                                      uint8_t *room,
                                      struct sp_message_head *head,
                                      const uint8_t **body,
                                      struct sp_buf *large)
{
    struct arrival arrival = {0};
    receive_packet(fd, room, &arrival);
    snakepit_err err = read_packet(&arrival, room, head, body, large);
    drop_descriptors(&arrival);
    return err;
}

snakepit_err sp_channel_receive(int fd,
                                uint8_t *room,
                                struct sp_message_head *head,
                                const uint8_t **body)
{
    return sp_channel_receive_large(fd, room, head, body, NULL);
}

// ---- With descriptors ---------------------------------------------------------

// Gives them to the caller, or closes them.
static snakepit_err
hand_over(snakepit_err err, struct arrival *arrival, struct sp_packet_fds *fds)
{
    fds->count = 0;
    if (err == SNAKEPIT_OK && arrival->count > SP_PACKET_FDS) {
        err = SNAKEPIT_PROTOCOL;
    }
    if (err == SNAKEPIT_OK && arrival->lost) {
        errno = EMFILE;
        err = SNAKEPIT_SYSTEM;
    }
    if (err != SNAKEPIT_OK) {
        drop_descriptors(arrival);
        return err;
    }
    memcpy(fds->of, arrival->descriptors, arrival->count * sizeof(int));
    fds->count = arrival->count;
    return SNAKEPIT_OK;
}

// NOLINTNEXTLINE(readability-function-size): a packet, its body and what came beside
snakepit_err sp_channel_receive_with(int fd,
                                     uint8_t *room,
                                     struct sp_message_head *head,
                                     const uint8_t **body,
                                     struct sp_buf *large,
                                     struct sp_packet_fds *fds)
{
    struct arrival arrival = {0};
    receive_packet(fd, room, &arrival);
    snakepit_err err = read_packet(&arrival, room, head, body, large);
    if (large != NULL && large->size > 0) { // what came beside it was the body
        drop_descriptors(&arrival);
    }
    return hand_over(err, &arrival, fds);
}

void sp_packet_fds_close(struct sp_packet_fds *fds)
{
    while (fds->count > 0) {
        (void)close(fds->of[--fds->count]);
    }
}

// ---- Forks --------------------------------------------------------------------

snakepit_err
sp_channel_send_fork(int fd, uint64_t ticket, const int descriptors[SP_FORK_FDS])
{
    return sp_channel_send_with(
        fd, SP_MESSAGE_FORK, &ticket, sizeof ticket, descriptors, SP_FORK_FDS);
}

snakepit_err
sp_channel_receive_fork(int fd, uint64_t *ticket, int descriptors[SP_FORK_FDS])
{
    struct {
        struct sp_message_head head;
        uint64_t ticket;
    } packet;
    struct arrival arrival = {0};
    receive_once(fd, &packet, sizeof packet, &arrival);
    if (arrival.got <= 0) {
        errno = arrival.got == 0 ? 0 : errno;
        return SNAKEPIT_END;
    }
    if (arrival.got == sizeof packet && packet.head.type == SP_MESSAGE_FORK &&
        arrival.count == SP_FORK_FDS && !arrival.lost) {
        memcpy(descriptors, arrival.descriptors, SP_FORK_FDS * sizeof(int));
        *ticket = packet.ticket;
        return SNAKEPIT_OK;
    }
    drop_descriptors(&arrival);
    return SNAKEPIT_PROTOCOL;
}
