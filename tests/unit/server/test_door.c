// SPDX-License-Identifier: MIT
#include "server/door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

struct scene {
    char folder[64];
    char path[96];
    char listen[128]; // of the Unix socket
    struct sp_config *config;
    struct sp_doors doors;
    snakepit_message why;
};

static struct scene *scene;

static int prepare(void **state)
{
    static struct scene made;
    made = (struct scene){.folder = "/tmp/snakepit-door-XXXXXX"};
    assert_non_null(mkdtemp(made.folder));
    (void)snprintf(made.path, sizeof made.path, "%s/d.sock", made.folder);
    (void)snprintf(made.listen, sizeof made.listen, "\"unix:%s\"", made.path);
    scene = &made;
    *state = &made;
    return 0;
}

static int clear(void **state)
{
    (void)state;
    sp_doors_free(&scene->doors);
    sp_config_free(scene->config);
    (void)unlink(scene->path);
    (void)snprintf(scene->path, sizeof scene->path, "%s/t", scene->folder);
    (void)unlink(scene->path);
    return rmdir(scene->folder);
}

static void read_listeners(const char *items)
{
    char yaml[512];
    int length = snprintf(yaml, sizeof yaml, "serve:\n  listen: [%s]\n", items);
    sp_config_free(scene->config);
    scene->config = NULL;
    assert_int_equal(
        sp_config_read_memory(yaml, (size_t)length, &scene->config, &scene->why),
        SNAKEPIT_OK);
}

static snakepit_err try_to_open(const char *items, struct sp_activation *activation)
{
    read_listeners(items);
    return sp_doors_open(
        &scene->config->serve.listen, activation, &scene->doors, &scene->why);
}

static void open_doors(const char *items)
{
    snakepit_err err = try_to_open(items, NULL);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", scene->why.text);
    }
}

static void expect_error(snakepit_err err, const char *items, const char *because)
{
    assert_int_equal(try_to_open(items, NULL), err);
    if (strstr(scene->why.text, because) == NULL) {
        fail_msg("%s", scene->why.text);
    }
    assert_int_equal(scene->doors.count, 0);
}

static void expect_refused(const char *items, const char *because)
{
    expect_error(SNAKEPIT_INVALID_CONFIG, items, because);
}

// By the system, not for what the file says.
static void expect_failed(const char *items, const char *because)
{
    expect_error(SNAKEPIT_SYSTEM, items, because);
}

static int knock(const struct sp_door *door)
{
    struct sockaddr_storage to;
    socklen_t size = sizeof to;
    assert_int_equal(getsockname(door->fd, (struct sockaddr *)(void *)&to, &size), 0);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&to, size), 0);
    return fd;
}

// ---- TCP --------------------------------------------------------------------------

static void port_0_becomes_one_that_is_free(void **state)
{
    (void)state;
    struct sp_peer peer;
    int port = 0;
    int value = 0;
    socklen_t size = sizeof value;
    open_doors("\"127.0.0.1:0\"");
    struct sp_door *door = &scene->doors.items[0];
    assert_int_equal(sscanf(door->address, "127.0.0.1:%d", &port), 1);
    assert_true(port > 0 && door->local);
    int client = knock(door);
    int fd = sp_door_accept(door, &peer);
    assert_true(fd >= 0);
    assert_memory_equal(peer.address, "127.0.0.1:", 10);
    assert_ptr_equal(peer.door, door);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_int_equal(value, 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
    assert_int_equal(value, 1);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(sp_door_accept(door, &peer), -1);
    assert_int_equal(errno, EAGAIN);
    (void)close(client);
    (void)close(fd);
}

static void both_families_may_be_listened_to(void **state)
{
    (void)state;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has6 = probe >= 0 && bind(probe,
                                   (const struct sockaddr *)(const void *)&loopback,
                                   sizeof loopback) == 0;
    (void)close(probe);
    if (!has6) {
        skip();
    }
    struct sp_peer peer;
    open_doors("\"127.0.0.1:0\", \"[::1]:0\"");
    assert_int_equal(scene->doors.count, 2);
    int client = knock(&scene->doors.items[1]);
    int fd = sp_door_accept(&scene->doors.items[1], &peer);
    assert_memory_equal(peer.address, "[::1]:", 6);
    (void)close(client);
    (void)close(fd);
}

static void an_address_in_use_is_named(void **state)
{
    (void)state;
    char item[160];
    struct sp_doors first;
    open_doors("\"127.0.0.1:0\"");
    (void)snprintf(item, sizeof item, "\"%s\"", scene->doors.items[0].address);
    first = scene->doors;
    struct sp_config *config = scene->config;
    scene->config = NULL;
    scene->doors = (struct sp_doors){0};
    expect_failed(item, "serve.listen[0]: 127.0.0.1:");
    expect_failed(item, " is in use: another program listens there");
    sp_doors_free(&first);
    sp_config_free(config);
    open_doors(item); // at once again
}

static void an_address_of_another_machine_is_refused(void **state)
{
    (void)state;
    // Of a network that is for documents, so of nobody: but only systemd could hand
    // such a socket over.
    expect_failed("{address: \"192.0.2.1:0\", tls: {certificate: c, key: k}, "
                  "tokens: t}",
                  "192.0.2.1:0 is not an address of this machine");
}

static void files_of_tls_are_read_before_anybody_comes(void **state)
{
    (void)state;
    expect_refused("{address: \"127.0.0.1:0\", tls: {certificate: /no/c, key: /no/k}}",
                   "serve.listen[0].tls.certificate: /no/c cannot be read");
}

// ---- Tokens -----------------------------------------------------------------------

static const char *write_tokens(const char *text, mode_t mode)
{
    static char item[256];
    char path[128];
    (void)snprintf(path, sizeof path, "%s/t", scene->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
    (void)snprintf(
        item, sizeof item, "{address: \"127.0.0.1:0\", tokens: \"%s\"}", path);
    return item;
}

static void a_door_may_ask_for_tokens(void **state)
{
    (void)state;
    open_doors(write_tokens("tokens: []\n", 0600));
    assert_non_null(scene->doors.items[0].tokens);
    sp_doors_close(&scene->doors);
    assert_non_null(scene->doors.items[0].tokens); // for those who are still there
    sp_doors_free(&scene->doors);
    open_doors("\"127.0.0.1:0\"");
    assert_null(scene->doors.items[0].tokens);
}

static void a_door_whose_tokens_are_not_right_does_not_open(void **state)
{
    (void)state;
    expect_refused(write_tokens("tokens: [{}]\n", 0600),
                   "serve.listen[0].tokens: /tmp/snakepit-door-");
    expect_refused(write_tokens("tokens: [{}]\n", 0600),
                   "t:1: tokens[0]: lacks the key \"name\"");
    expect_refused(write_tokens("tokens: []\n", 0644), "chmod 600 it");
    expect_refused("{address: \"127.0.0.1:0\", tokens: /nowhere/t}", "cannot be read");
}

// ---- Unix sockets -----------------------------------------------------------------

static mode_t mode_of(const char *path)
{
    struct stat found;
    assert_int_equal(lstat(path, &found), 0);
    return found.st_mode & 07777;
}

static void expect_me(const struct sp_peer *peer)
{
    char expected[64];
    (void)snprintf(expected,
                   sizeof expected,
                   "unix uid=%u pid=%d",
                   (unsigned)getuid(),
                   (int)getpid());
    assert_string_equal(peer->address, expected);
    assert_int_equal(peer->pid, getpid());
    assert_int_equal(peer->uid, getuid());
}

static void a_unix_socket_has_its_mode_and_goes_at_the_end(void **state)
{
    (void)state;
    char item[256];
    struct sp_peer peer;
    mode_t before = umask(077);
    (void)snprintf(
        item, sizeof item, "{address: \"unix:%s\", mode: \"0660\"}", scene->path);
    open_doors(item);
    (void)umask(before);
    assert_int_equal(mode_of(scene->path), 0660);
    assert_true(scene->doors.items[0].local);
    int client = knock(&scene->doors.items[0]);
    int fd = sp_door_accept(&scene->doors.items[0], &peer);
    expect_me(&peer);
    assert_false(peer.excluded);
    (void)close(client);
    (void)close(fd);
    sp_doors_close(&scene->doors);
    assert_int_equal(access(scene->path, F_OK), -1);
}

static void who_is_none_of_the_users_is_marked(void **state)
{
    (void)state;
    for (unsigned other = 0; other < 2; other++) {
        char item[256];
        struct sp_peer peer;
        (void)snprintf(item,
                       sizeof item,
                       "{address: \"unix:%s\", users: [77, %u]}",
                       scene->path,
                       (unsigned)getuid() + other);
        open_doors(item);
        int client = knock(&scene->doors.items[0]);
        int fd = sp_door_accept(&scene->doors.items[0], &peer);
        expect_me(&peer);
        assert_int_equal(peer.excluded, other == 1);
        (void)close(client);
        (void)close(fd);
        sp_doors_free(&scene->doors);
    }
}

static void a_user_that_is_not_there_is_named(void **state)
{
    (void)state;
    char item[256];
    (void)snprintf(item,
                   sizeof item,
                   "{address: \"unix:%s\", users: [0, no-such-user]}",
                   scene->path);
    expect_refused(item, "serve.listen[0].users[1]: this machine has no user");
    assert_int_equal(
        sp_doors_read_files(&scene->config->serve.listen, &scene->doors, &scene->why),
        SNAKEPIT_INVALID_CONFIG);
}

static int bind_path(bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", scene->path);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    assert_int_equal(listens ? listen(fd, 1) : 0, 0);
    return fd;
}

static void a_socket_that_nobody_listens_to_is_replaced(void **state)
{
    (void)state;
    (void)close(bind_path(true));
    open_doors(scene->listen);
    (void)close(knock(&scene->doors.items[0]));
    assert_int_equal(mode_of(scene->path), 0600);
}

static void one_that_is_listened_to_stays(void **state)
{
    (void)state;
    int other = bind_path(true);
    expect_failed(scene->listen, "is in use: another program listens there");
    assert_int_equal(access(scene->path, F_OK), 0);
    (void)close(other);
}

static void another_file_is_left_alone(void **state)
{
    (void)state;
    (void)close(open(scene->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    expect_failed(scene->listen, "is a file that is not a socket; it is left alone");
    assert_int_equal(access(scene->path, F_OK), 0);
}

static void what_others_have_put_there_stays_at_the_end(void **state)
{
    (void)state;
    open_doors(scene->listen);
    assert_int_equal(unlink(scene->path), 0);
    // A new file might get the number of the one that is gone.
    int other = bind_path(true);
    if (scene->doors.items[0].inode != 0) {
        struct stat there;
        assert_int_equal(lstat(scene->path, &there), 0);
        bool same = there.st_ino == scene->doors.items[0].inode;
        sp_doors_close(&scene->doors);
        assert_int_equal(access(scene->path, F_OK), same ? -1 : 0);
    }
    (void)close(other);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    expect_failed("\"unix:/nowhere/at/all.sock\"", "its folder is not there");
}

// ---- Sockets of systemd -----------------------------------------------------------

static int listening_on(const char *address)
{
    struct sp_address parsed;
    struct sockaddr_storage to;
    assert_true(sp_address_parse(address, NULL, &parsed, NULL));
    socklen_t size = sp_address_to_socket(&parsed, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&to, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static struct sp_activation hand_over(const char *first, const char *second)
{
    struct sp_activation activation = {
        .items = sp_alloc_array(2, sizeof(struct sp_activated)), .count = 2};
    const char *names[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        activation.items[i].fd = listening_on("127.0.0.1:0");
        (void)snprintf(
            activation.items[i].name, sizeof activation.items[i].name, "%s", names[i]);
    }
    return activation;
}

static void a_name_is_all_sockets_of_that_name(void **state)
{
    (void)state;
    struct sp_activation activation = hand_over("http", "admin");
    assert_int_equal(try_to_open("\"systemd:admin\"", &activation), SNAKEPIT_OK);
    assert_int_equal(scene->doors.count, 1);
    assert_int_equal(scene->doors.items[0].fd, activation.items[1].fd);
    assert_memory_equal(scene->doors.items[0].address, "127.0.0.1:", 10);
    assert_true(activation.items[1].used && !activation.items[0].used);
    sp_doors_free(&scene->doors);
    sp_activation_close(&activation);

    activation = hand_over("http", "http");
    assert_int_equal(try_to_open("\"systemd:\", \"127.0.0.1:0\"", &activation),
                     SNAKEPIT_OK);
    assert_int_equal(scene->doors.count, 3);
    sp_activation_close(&activation);
}

static void one_that_nobody_handed_over_is_refused(void **state)
{
    (void)state;
    expect_refused("\"systemd:http\"", "a socket that nobody has handed over");
    struct sp_activation later = {.expected = true};
    assert_int_equal(try_to_open("\"systemd:http\"", &later), SNAKEPIT_OK);
    assert_int_equal(scene->doors.count, 0);
}

static void one_that_knows_no_users_cannot_be_for_some(void **state)
{
    (void)state;
    struct sp_activation activation = hand_over("http", "admin");
    assert_int_equal(
        try_to_open("{address: \"systemd:http\", users: [0]}", &activation),
        SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(scene->why.text, "is not a Unix socket"));
    sp_activation_close(&activation);
}

static void one_that_other_machines_reach_is_refused(void **state)
{
    (void)state;
    struct sp_activation activation = hand_over("http", "http");
    (void)close(activation.items[0].fd);
    activation.items[0].fd = listening_on("0.0.0.0:0");
    assert_int_equal(try_to_open("\"systemd:\"", &activation), SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(scene->why.text, "other machines reach"));
    sp_activation_close(&activation);
}

static void without_memory_there_is_no_door(void **state)
{
    (void)state;
    read_listeners("\"127.0.0.1:0\"");
    sp_memory_fail_at(1);
    assert_int_equal(
        sp_doors_open(&scene->config->serve.listen, NULL, &scene->doors, &scene->why),
        SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        TEST(port_0_becomes_one_that_is_free),
        TEST(both_families_may_be_listened_to),
        TEST(an_address_in_use_is_named),
        TEST(an_address_of_another_machine_is_refused),
        TEST(a_door_may_ask_for_tokens),
        TEST(a_door_whose_tokens_are_not_right_does_not_open),
        TEST(files_of_tls_are_read_before_anybody_comes),
        TEST(a_unix_socket_has_its_mode_and_goes_at_the_end),
        TEST(who_is_none_of_the_users_is_marked),
        TEST(a_user_that_is_not_there_is_named),
        TEST(a_socket_that_nobody_listens_to_is_replaced),
        TEST(one_that_is_listened_to_stays),
        TEST(another_file_is_left_alone),
        TEST(what_others_have_put_there_stays_at_the_end),
        TEST(a_folder_that_is_not_there_is_told),
        TEST(a_name_is_all_sockets_of_that_name),
        TEST(one_that_nobody_handed_over_is_refused),
        TEST(one_that_knows_no_users_cannot_be_for_some),
        TEST(one_that_other_machines_reach_is_refused),
        TEST(without_memory_there_is_no_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
