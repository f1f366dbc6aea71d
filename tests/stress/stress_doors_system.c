// SPDX-License-Identifier: MIT
// The system refuses the doors: the n-th call that gets a descriptor, memory or a
// thread fails, for each n from the opening of a server to an answer. An opening fails
// and says why, and leaves nothing; a client is served all the same, later, or is sent
// away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/census.h"
#include "support/doors.h"
#include "support/refusals.h"

#include <cmocka.h> // has a macro that is called as one of ours

#define PATIENCE_MS 30000
#define MOST        200L // calls of an opening

static const char yaml[] =
    "pooling_enabled: false\n"
    "serve: {listen: [\"127.0.0.1:0\", \"[::1]:0\"], loops: 2}\n";
static const char yaml4[] = "pooling_enabled: false\n"
                            "serve: {listen: [\"127.0.0.1:0\"], loops: 2}\n";

// ---- A protocol that sends back what it gets --------------------------------------

static snakepit_err on_open(struct sp_connection *connection)
{
    (void)connection;
    return SNAKEPIT_OK;
}

static void on_received(struct sp_connection *connection)
{
    const struct sp_slice bytes = {connection->in.data, connection->in.size};
    if (sp_connection_send(connection, bytes) != SNAKEPIT_OK) {
        sp_connection_abort(connection);
    }
    sp_connection_consume(connection, bytes.size);
}

static bool on_drain(struct sp_connection *connection)
{
    (void)connection;
    return true;
}

static const struct sp_protocol protocol = {.open = on_open,
                                            .received = on_received,
                                            .ended = doors_ignore,
                                            .writable = doors_ignore,
                                            .late = doors_late,
                                            .drain = on_drain,
                                            .close = doors_ignore};

// ---- The scene --------------------------------------------------------------------

struct scene {
    snakepit *pit;
    struct sp_config *config;
    struct sp_server *server;
    snakepit_message why;
};

static bool has_ipv6(void)
{
    struct sp_address address;
    struct sockaddr_storage to;
    assert_true(sp_address_parse("[::1]:0", NULL, &address, NULL));
    socklen_t size = sp_address_to_socket(&address, &to);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound =
        fd >= 0 && bind(fd, (const struct sockaddr *)(const void *)&to, size) == 0;
    (void)close(fd);
    return bound;
}

static int prepare(void **state)
{
    static struct scene made;
    made = (struct scene){.pit = NULL};
    const char *text = has_ipv6() ? yaml : yaml4;
    assert_int_equal(sp_config_read_memory(text, strlen(text), &made.config, &made.why),
                     SNAKEPIT_OK);
    assert_int_equal(
        snakepit_open_memory(text, strlen(text), NULL, &made.pit, &made.why),
        SNAKEPIT_OK);
    *state = &made;
    return 0;
}

static int clear(void **state)
{
    struct scene *scene = *state;
    refuse_from(0, 0);
    snakepit_close(scene->pit, 0);
    sp_config_free(scene->config);
    return 0;
}

static snakepit_err open_server(struct scene *scene)
{
    const struct sp_server_options options = {.pit = scene->pit,
                                              .config = &scene->config->serve,
                                              .log = &doors_no_log,
                                              .protocol = &protocol};
    scene->why.text[0] = '\0';
    return sp_server_open(&options, &scene->server, &scene->why);
}

static void close_server(struct scene *scene)
{
    sp_server_close(scene->server);
    sp_server_free(scene->server);
    scene->server = NULL;
}

static int call(const struct scene *scene)
{
    struct sp_address address;
    struct sockaddr_storage to;
    assert_true(sp_address_parse(
        sp_server_door(scene->server, 0)->address, NULL, &address, NULL));
    socklen_t size = sp_address_to_socket(&address, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&to, size), 0);
    return fd;
}

// What a client hears: its byte, the end (0), or an error (-1).
static ssize_t ask(int fd)
{
    char byte = 'a';
    struct pollfd one = {.fd = fd, .events = POLLIN};
    (void)send(fd, &byte, 1, MSG_NOSIGNAL);
    assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
    return recv(fd, &byte, 1, 0);
}

// ---- Tests ------------------------------------------------------------------------

static void an_opening_fails_and_says_why(void **state)
{
    struct scene *scene = *state;
    struct census before = census_take();
    bool whole = false;
    for (long n = 1; !whole; n++) {
        assert_true(n < MOST);
        refuse_from(n, 1);
        snakepit_err err = open_server(scene);
        whole = refused_first() == NULL;
        refuse_from(0, 0);
        if (err == SNAKEPIT_OK) {
            int fd = call(scene);
            assert_int_equal(ask(fd), 1);
            (void)close(fd);
            close_server(scene);
        } else {
            assert_true(err == SNAKEPIT_NO_MEMORY || err == SNAKEPIT_SYSTEM);
            assert_true(err == SNAKEPIT_NO_MEMORY || scene->why.text[0] != '\0');
        }
        assert_int_equal(census_take().descriptors, before.descriptors);
    }
}

static void a_client_is_served_or_sent_away(void **state)
{
    struct scene *scene = *state;
    struct census before = census_take();
    assert_int_equal(open_server(scene), SNAKEPIT_OK);
    for (long n = 1; n < 12; n++) {
        int fd = call(scene);
        refuse_from(n, 1);
        (void)ask(fd);
        refuse_from(0, 0);
        (void)close(fd);
    }
    int fd = call(scene);
    assert_int_equal(ask(fd), 1);
    (void)close(fd);
    close_server(scene);
    assert_int_equal(census_take().descriptors, before.descriptors);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        TEST(an_opening_fails_and_says_why),
        TEST(a_client_is_served_or_sent_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
