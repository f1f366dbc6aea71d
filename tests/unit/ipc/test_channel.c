// SPDX-License-Identifier: MIT
#include "ipc/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

static int ends[2];
static uint8_t room[SP_MESSAGE_MAX];
static uint8_t large[SP_MESSAGE_MAX + 64];

static int connect_ends(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    return 0;
}

static int close_ends(void **state)
{
    (void)state;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

static snakepit_err receive(struct sp_message_head *head, const uint8_t **body)
{
    return sp_channel_receive(ends[1], room, head, body);
}

static snakepit_err receive_packet(const void *packet, size_t size)
{
    struct sp_message_head head;
    const uint8_t *body;
    assert_int_equal(send(ends[0], packet, size, 0), size);
    return receive(&head, &body);
}

static void messages_arrive_whole_and_in_order(void **state)
{
    (void)state;
    struct sp_message_head head;
    const uint8_t *body;
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_PING, "12345678", 8),
                     SNAKEPIT_OK);
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_STOP, NULL, 0), SNAKEPIT_OK);
    assert_int_equal(receive(&head, &body), SNAKEPIT_OK);
    assert_int_equal(head.type, SP_MESSAGE_PING);
    assert_int_equal(head.size, 8);
    assert_memory_equal(body, "12345678", 8);
    assert_int_equal(receive(&head, &body), SNAKEPIT_OK);
    assert_int_equal(head.type, SP_MESSAGE_STOP);
    assert_int_equal(head.size, 0);
    assert_int_equal(receive(&head, &body), SNAKEPIT_NOT_FOUND);
}

static snakepit_err
receive_large(struct sp_message_head *head, const uint8_t **body, struct sp_buf *buf)
{
    return sp_channel_receive_large(ends[1], room, head, body, buf);
}

static void the_largest_packet_passes(void **state)
{
    (void)state;
    struct sp_message_head head;
    const uint8_t *body;
    size_t most = SP_MESSAGE_MAX - sizeof head;
    memset(large, 'x', sizeof large);
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, most),
                     SNAKEPIT_OK);
    assert_int_equal(receive(&head, &body), SNAKEPIT_OK);
    assert_int_equal(head.size, most);
    assert_int_equal(body[most - 1], 'x');
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, SIZE_MAX),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(
        sp_channel_send(ends[0], SP_MESSAGE_READY, large, (size_t)SP_LARGE_MAX + 1),
        SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(receive(&head, &body), SNAKEPIT_NOT_FOUND);
}

static void what_is_larger_than_a_packet_passes_beside_it(void **state)
{
    (void)state;
    struct sp_message_head head;
    const uint8_t *body;
    const size_t sizes[] = {SP_MESSAGE_MAX - sizeof head + 1, 3u << 20, SP_LARGE_MAX};
    uint8_t *sent = calloc(1, SP_LARGE_MAX);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sp_buf buf = {0};
        sent[sizes[i] - 1] = 'x';
        assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, sent, sizes[i]),
                         SNAKEPIT_OK);
        assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_PING, "1", 1),
                         SNAKEPIT_OK);
        assert_int_equal(receive_large(&head, &body, &buf), SNAKEPIT_OK);
        assert_int_equal(head.type, SP_MESSAGE_READY);
        assert_int_equal(head.size, sizes[i]);
        assert_memory_equal(body, sent, sizes[i]);
        sp_buf_fini(&buf);
        assert_int_equal(receive_large(&head, &body, &buf), SNAKEPIT_OK);
        assert_int_equal(head.type, SP_MESSAGE_PING);
        assert_null(buf.data);
    }
    free(sent);
}

static void a_large_message_is_refused_where_none_is_expected(void **state)
{
    (void)state;
    struct sp_message_head head;
    const uint8_t *body;
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, SP_MESSAGE_MAX),
                     SNAKEPIT_OK);
    assert_int_equal(receive(&head, &body), SNAKEPIT_PROTOCOL);
}

// Sends a head that announces `size` bytes, with descriptors.
static void send_head(uint32_t size, const int *fds, size_t count)
{
    struct sp_message_head head = {.type = SP_MESSAGE_READY, .size = size};
    struct iovec part = {&head, sizeof head};
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(ends[0], &message, 0), sizeof head);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

// Descriptors that are none, are too many, could be waited for, or lie about their
// size.
static void what_comes_beside_a_packet_is_not_believed(void **state)
{
    (void)state;
    const uint32_t size = SP_MESSAGE_MAX;
    struct sp_message_head head;
    const uint8_t *body;
    struct sp_buf buf = {0};
    int pipes[2];
    int memory[2] = {memfd_create("a", 0), memfd_create("b", 0)};
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(ftruncate(memory[0], size), 0);
    assert_int_equal(ftruncate(memory[1], size - 1), 0);
    int before = count_descriptors();
    const struct {
        uint32_t size;
        const int *fds;
        size_t count;
        snakepit_err err;
    } rows[] = {
        {size, memory, 1, SNAKEPIT_OK},
        {size, NULL, 0, SNAKEPIT_PROTOCOL},
        {size, memory, 2, SNAKEPIT_PROTOCOL},
        {size, pipes, 1, SNAKEPIT_PROTOCOL},
        {size, &memory[1], 1, SNAKEPIT_PROTOCOL},
        {SP_LARGE_MAX + 1, memory, 1, SNAKEPIT_PROTOCOL},
        {UINT32_MAX, memory, 1, SNAKEPIT_PROTOCOL},
        {0, memory, 1, SNAKEPIT_OK}, // a small message; the descriptor is dropped
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        send_head(rows[i].size, rows[i].fds, rows[i].count);
        assert_int_equal(receive_large(&head, &body, &buf), rows[i].err);
        sp_buf_fini(&buf);
        send_head(rows[i].size, rows[i].fds, rows[i].count);
        assert_int_equal(receive(&head, &body),
                         rows[i].size == 0 ? SNAKEPIT_OK : SNAKEPIT_PROTOCOL);
        assert_int_equal(count_descriptors(), before);
    }
    for (int i = 0; i < 2; i++) {
        (void)close(pipes[i]);
        (void)close(memory[i]);
    }
}

static void a_large_message_that_finds_no_room_says_why(void **state)
{
    (void)state;
    struct sp_message_head head;
    const uint8_t *body;
    struct sp_buf buf = {0};
    int spare = memfd_create("spare", 0);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {(rlim_t)spare, before.rlim_max};
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, SP_MESSAGE_MAX),
                     SNAKEPIT_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(receive_large(&head, &body, &buf), SNAKEPIT_SYSTEM);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, SP_MESSAGE_MAX),
                     SNAKEPIT_SYSTEM);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)close(spare);
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, SP_MESSAGE_MAX),
                     SNAKEPIT_OK);
    sp_memory_fail_at(1);
    assert_int_equal(receive_large(&head, &body, &buf), SNAKEPIT_SYSTEM);
    assert_int_equal(errno, ENOMEM);
    sp_memory_fail_at(0);
}

static void packets_that_are_no_messages_are_protocol_errors(void **state)
{
    (void)state;
    struct sp_message_head head = {.type = SP_MESSAGE_PONG, .size = 0};
    for (size_t size = 1; size < sizeof head; size++) {
        assert_int_equal(receive_packet(&head, size), SNAKEPIT_PROTOCOL);
    }
    memset(large, 0, sizeof large);
    // Promises more than there is, less than there is, and more than there can be.
    const uint32_t sizes[] = {9, 7, 0, UINT32_MAX, UINT32_MAX - 7, 1u << 31};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        head.size = sizes[i];
        memcpy(large, &head, sizeof head);
        assert_int_equal(receive_packet(large, sizeof head + 8), SNAKEPIT_PROTOCOL);
    }
    head.size = SP_MESSAGE_MAX + 64 - sizeof head;
    memcpy(large, &head, sizeof head);
    assert_int_equal(receive_packet(large, SP_MESSAGE_MAX + 64), SNAKEPIT_PROTOCOL);
    head.size = 0;
    assert_int_equal(receive_packet(&head, sizeof head), SNAKEPIT_OK);
}

static void an_empty_packet_is_not_the_end(void **state)
{
    (void)state;
    struct sp_message_head head = {.type = SP_MESSAGE_PONG, .size = 0};
    const uint8_t *body;
    assert_int_equal(receive_packet(&head, 0), SNAKEPIT_PROTOCOL);
    assert_int_equal(receive_packet(&head, sizeof head), SNAKEPIT_OK);
    assert_int_equal(receive(&head, &body), SNAKEPIT_NOT_FOUND);
    // Nor is it where the other side has left since, as long as there is more.
    assert_int_equal(send(ends[0], "", 0, 0), 0);
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_STOP, NULL, 0), SNAKEPIT_OK);
    assert_int_equal(shutdown(ends[0], SHUT_RDWR), 0);
    assert_int_equal(receive(&head, &body), SNAKEPIT_PROTOCOL);
    assert_int_equal(receive(&head, &body), SNAKEPIT_OK);
    assert_int_equal(receive(&head, &body), SNAKEPIT_END);
}

static void a_closed_channel_has_ended_and_raises_no_signal(void **state)
{
    (void)state;
    struct sp_message_head head;
    const uint8_t *body;
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_STOP, NULL, 0), SNAKEPIT_OK);
    assert_int_equal(shutdown(ends[0], SHUT_RDWR), 0);
    assert_int_equal(receive(&head, &body), SNAKEPIT_OK);
    assert_int_equal(receive(&head, &body), SNAKEPIT_END);
    assert_int_equal(sp_channel_send(ends[1], SP_MESSAGE_STOP, NULL, 0),
                     SNAKEPIT_SYSTEM);
}

static void a_full_channel_is_an_error_and_no_wait(void **state)
{
    (void)state;
    snakepit_err err = SNAKEPIT_OK;
    // The sending end may block; the function may not.
    assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
    for (int i = 0; i < 10000 && err == SNAKEPIT_OK; i++) {
        err = sp_channel_send(ends[0], SP_MESSAGE_PING, large, 4096);
    }
    assert_int_equal(err, SNAKEPIT_SYSTEM);
}

static uint32_t open_descriptors(void)
{
    uint32_t count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static void a_request_to_fork_brings_its_descriptors_in_order(void **state)
{
    (void)state;
    int sent[SP_FORK_FDS];
    int received[SP_FORK_FDS];
    uint64_t ticket;
    for (int i = 0; i < SP_FORK_FDS; i++) {
        sent[i] = eventfd((unsigned)i + 1, 0);
    }
    assert_int_equal(sp_channel_send_fork(ends[0], 77, sent), SNAKEPIT_OK);
    assert_int_equal(sp_channel_receive_fork(ends[1], &ticket, received), SNAKEPIT_OK);
    assert_int_equal(ticket, 77);
    for (int i = 0; i < SP_FORK_FDS; i++) {
        eventfd_t value;
        assert_int_equal(eventfd_read(received[i], &value), 0);
        assert_int_equal(value, i + 1);
        assert_int_equal(fcntl(received[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        (void)close(sent[i]);
        (void)close(received[i]);
    }
}

// Sends FORK with `count` descriptors, and nothing of them is left when it is refused.
static void assert_refused(size_t count, enum sp_message_type type)
{
    struct {
        struct sp_message_head head;
        uint64_t ticket;
    } packet = {{type, 8}, 1};
    struct iovec part = {&packet, sizeof packet};
    _Alignas(struct cmsghdr) uint8_t space[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct cmsghdr *head = (struct cmsghdr *)(void *)space;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++) {
            memcpy(CMSG_DATA(head) + i * sizeof(int), &ends[0], sizeof(int));
        }
    }
    uint32_t before = open_descriptors();
    int received[SP_FORK_FDS];
    uint64_t ticket = 5;
    assert_int_equal(sendmsg(ends[0], &message, 0), sizeof packet);
    assert_int_equal(sp_channel_receive_fork(ends[1], &ticket, received),
                     SNAKEPIT_PROTOCOL);
    assert_int_equal(ticket, 5);
    assert_int_equal(open_descriptors(), before);
}

static void other_requests_to_fork_are_refused_and_leave_no_descriptor(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 16; count++) {
        if (count != SP_FORK_FDS) {
            assert_refused(count, SP_MESSAGE_FORK);
        }
    }
    assert_refused(SP_FORK_FDS, SP_MESSAGE_STOP);
}

#define test(name) cmocka_unit_test_setup_teardown(name, connect_ends, close_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(messages_arrive_whole_and_in_order),
        test(the_largest_packet_passes),
        test(what_is_larger_than_a_packet_passes_beside_it),
        test(a_large_message_is_refused_where_none_is_expected),
        test(what_comes_beside_a_packet_is_not_believed),
        test(a_large_message_that_finds_no_room_says_why),
        test(packets_that_are_no_messages_are_protocol_errors),
        test(an_empty_packet_is_not_the_end),
        test(a_closed_channel_has_ended_and_raises_no_signal),
        test(a_full_channel_is_an_error_and_no_wait),
        test(a_request_to_fork_brings_its_descriptors_in_order),
        test(other_requests_to_fork_are_refused_and_leave_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
