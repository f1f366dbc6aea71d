// SPDX-License-Identifier: MIT
// Sockets that are handed over begin at descriptor 3: so that is done in a child, which
// ends with 0 where all is well.
#include "server/systemd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"

#define NEED(condition)                \
    do {                               \
        if (!(condition))              \
            _exit(__LINE__ % 200 + 1); \
    } while (0)

typedef void child_fn(void);

static void in_child(child_fn *run)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); // else a line of this file, less 200
}

static void put_at(int number, int fd)
{
    NEED(fd >= 0 && dup2(fd, number) == number);
    if (fd != number) {
        (void)close(fd);
    }
}

static int listening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    NEED(fd >= 0 && listen(fd, 1) == 0);
    return fd;
}

static void hand_over(const char *count, const char *names)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", count, 1);
    if (names != NULL) {
        (void)setenv("LISTEN_FDNAMES", names, 1);
    }
}

static void take_two(void)
{
    struct sp_activation activation;
    snakepit_message why;
    put_at(4, listening());
    put_at(3, listening());
    hand_over("2", "http:admin");
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_OK);
    NEED(activation.count == 2);
    NEED(activation.items[0].fd == 3 && activation.items[1].fd == 4);
    NEED(strcmp(activation.items[0].name, "http") == 0);
    NEED(strcmp(activation.items[1].name, "admin") == 0);
    NEED((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
    NEED((fcntl(4, F_GETFL) & O_NONBLOCK) != 0);
    NEED(getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL &&
         getenv("LISTEN_FDNAMES") == NULL);
    activation.items[1].used = true;
    sp_activation_close(&activation);
    NEED(fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) >= 0);
}

static void sockets_are_taken_with_their_names(void **state)
{
    (void)state;
    in_child(take_two);
}

static void take_nameless(void)
{
    struct sp_activation activation;
    snakepit_message why;
    put_at(3, listening());
    hand_over("1", NULL);
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_OK);
    NEED(strcmp(activation.items[0].name, "unknown") == 0);
    sp_activation_close(&activation);
}

static void a_socket_may_have_no_name(void **state)
{
    (void)state;
    in_child(take_nameless);
}

static void take_of_others(void)
{
    struct sp_activation activation;
    snakepit_message why;
    hand_over("1", NULL);
    (void)setenv("LISTEN_PID", "1", 1);
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_OK);
    NEED(activation.count == 0);
    NEED(getenv("LISTEN_FDS") == NULL);
    sp_activation_close(&activation);
}

static void what_is_for_another_process_is_left(void **state)
{
    (void)state;
    in_child(take_of_others);
}

static void take_datagrams(void)
{
    struct sp_activation activation;
    snakepit_message why = {0};
    put_at(4, socket(AF_INET, SOCK_DGRAM, 0));
    put_at(3, listening());
    hand_over("2", NULL);
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_INVALID_CONFIG);
    NEED(strstr(why.text, "descriptor 4, which is not a stream socket") != NULL);
    sp_activation_close(&activation);
}

static void take_file(void)
{
    struct sp_activation activation;
    snakepit_message why = {0};
    put_at(3, open("/dev/null", O_RDONLY));
    hand_over("1", NULL);
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_INVALID_CONFIG);
    hand_over("100000", NULL);
    sp_activation_close(&activation);
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_INVALID_CONFIG);
    NEED(activation.count == 0);
}

static void what_does_not_listen_is_refused(void **state)
{
    (void)state;
    in_child(take_datagrams);
    in_child(take_file);
}

static void take_without_memory(void)
{
    struct sp_activation activation;
    snakepit_message why;
    put_at(3, listening());
    hand_over("1", NULL);
    sp_memory_fail_at(1);
    NEED(sp_activation_take(&activation, &why) == SNAKEPIT_NO_MEMORY);
    sp_activation_close(&activation);
}

static void without_memory_nothing_is_taken(void **state)
{
    (void)state;
    in_child(take_without_memory);
}

// ---- Notices ----------------------------------------------------------------------

static int manager; // the socket of the one who is told

static int prepare(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    // The kernel finds an abstract name of its own, five characters long.
    socklen_t size = sizeof address.sun_family;
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(manager, (const struct sockaddr *)(const void *)&address, size), 0);
    size = sizeof address;
    assert_int_equal(getsockname(manager, (struct sockaddr *)(void *)&address, &size),
                     0);
    char name[sizeof address.sun_path] = "@";
    memcpy(name + 1,
           address.sun_path + 1,
           size - offsetof(struct sockaddr_un, sun_path) - 1);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    (void)close(manager);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    return 0;
}

static void expect_told(const char *text)
{
    char room[256] = {0};
    assert_true(read(manager, room, sizeof room - 1) >= 0);
    assert_string_equal(room, text);
}

static void a_manager_is_told(void **state)
{
    (void)state;
    struct sp_notify notify;
    sp_notify_open(&notify);
    assert_true(notify.fd >= 0);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_int_equal(notify.watchdog_ms, 0);
    sp_notify_send(&notify, "READY=1\nSTATUS=serving");
    expect_told("READY=1\nSTATUS=serving");
    sp_notify_stopping(&notify, 5000);
    expect_told("STOPPING=1\nEXTEND_TIMEOUT_USEC=5000000\nSTATUS=stopping");
    sp_notify_close(&notify);
    sp_notify_send(&notify, "READY=1"); // nobody
}

static void a_reload_has_its_time(void **state)
{
    (void)state;
    struct sp_notify notify;
    char room[256] = {0};
    unsigned long long us = 0;
    uint64_t before = sp_clock_now() / SP_NS_PER_US;
    sp_notify_open(&notify);
    sp_notify_reloading(&notify);
    assert_true(read(manager, room, sizeof room - 1) > 0);
    assert_int_equal(sscanf(room, "RELOADING=1\nMONOTONIC_USEC=%llu\n", &us), 1);
    assert_true(us >= before && us <= sp_clock_now() / SP_NS_PER_US);
    sp_notify_close(&notify);
}

static void the_watchdog_may_be_meant_for_another(void **state)
{
    (void)state;
    struct sp_notify notify;
    char pid[16];
    const char *address = strdup(getenv("NOTIFY_SOCKET"));
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    const struct {
        const char *usec, *pid;
        uint32_t ms;
    } cases[] = {{"3000000", pid, 3000},
                 {"3000000", "1", 0},
                 {"3000000", NULL, 3000},
                 {"soon", pid, 0},
                 {"9999999999999999999", NULL, UINT32_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)setenv("NOTIFY_SOCKET", address, 1);
        (void)setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid != NULL) {
            (void)setenv("WATCHDOG_PID", cases[i].pid, 1);
        }
        sp_notify_open(&notify);
        assert_int_equal(notify.watchdog_ms, cases[i].ms);
        assert_null(getenv("WATCHDOG_USEC"));
        sp_notify_close(&notify);
    }
    free((void *)(uintptr_t)address);
}

static void without_a_manager_nobody_is_told(void **state)
{
    (void)state;
    static const char *const addresses[] = {NULL, "", "/", "vsock:2:1234", "relative"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct sp_notify notify;
        (void)unsetenv("NOTIFY_SOCKET");
        if (addresses[i] != NULL) {
            (void)setenv("NOTIFY_SOCKET", addresses[i], 1);
        }
        sp_notify_open(&notify);
        assert_int_equal(notify.fd, -1);
        sp_notify_send(&notify, "READY=1");
        sp_notify_close(&notify);
    }
}

static void a_manager_that_has_gone_does_no_harm(void **state)
{
    (void)state;
    struct sp_notify notify;
    (void)setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    sp_notify_open(&notify);
    sp_notify_send(&notify, "READY=1");
    sp_notify_close(&notify);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_taken_with_their_names),
        cmocka_unit_test(a_socket_may_have_no_name),
        cmocka_unit_test(what_is_for_another_process_is_left),
        cmocka_unit_test(what_does_not_listen_is_refused),
        cmocka_unit_test(without_memory_nothing_is_taken),
        TEST(a_manager_is_told),
        TEST(a_reload_has_its_time),
        TEST(the_watchdog_may_be_meant_for_another),
        TEST(without_a_manager_nobody_is_told),
        TEST(a_manager_that_has_gone_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
