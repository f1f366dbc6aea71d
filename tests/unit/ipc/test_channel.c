// SPDX-License-Identifier: MIT
#include "ipc/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

static void the_largest_message_passes_and_a_larger_one_is_refused(void **state)
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
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, most + 1),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(sp_channel_send(ends[0], SP_MESSAGE_READY, large, SIZE_MAX),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(receive(&head, &body), SNAKEPIT_NOT_FOUND);
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

#define test(name) cmocka_unit_test_setup_teardown(name, connect_ends, close_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(messages_arrive_whole_and_in_order),
        test(the_largest_message_passes_and_a_larger_one_is_refused),
        test(packets_that_are_no_messages_are_protocol_errors),
        test(a_closed_channel_has_ended_and_raises_no_signal),
        test(a_full_channel_is_an_error_and_no_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
