// SPDX-License-Identifier: MIT
// A server whose protocol sends back what it receives. What begins with '!' is answered
// with "+", and is at work until it ends with '.'.
#include "server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "server/inside.h"
#include "telemetry/notice.h"

#define PATIENCE_MS 30000
#define CLIENTS     30u

static const char no_pools[] = "pooling_enabled: false\n";

struct scene {
    snakepit *pit;
    struct sp_config *config;
    struct sp_server *server;
    struct sp_server_options options;
    snakepit_message why;
    int clients[CLIENTS];
    atomic_uint full; // lines of the log that say so
};

static struct scene *scene;

// ---- The protocol -----------------------------------------------------------------

static snakepit_err on_open(struct sp_connection *connection)
{
    sp_connection_wait_for(connection, SP_WAIT_REQUEST);
    return SNAKEPIT_OK;
}

static void on_received(struct sp_connection *connection)
{
    const struct sp_buf *in = &connection->in;
    bool works = in->data[0] == '!';
    if (works && in->data[in->size - 1] != '.') {
        (void)sp_connection_send(connection, sp_slice_of_text("+"));
        sp_connection_wait_for(connection, SP_WAIT_BODY);
        return;
    }
    (void)sp_connection_send(connection, (struct sp_slice){in->data, in->size});
    sp_connection_consume(connection, in->size);
    sp_connection_wait_for(connection, SP_WAIT_REQUEST);
    if (sp_serve_loop_draining(connection->loop)) {
        sp_connection_close_after(connection);
    }
}

static void ignore(struct sp_connection *connection)
{
    (void)connection;
}

static void on_late(struct sp_connection *connection, enum sp_wait_for what)
{
    (void)connection;
    (void)what;
}

static bool on_drain(struct sp_connection *connection)
{
    return connection->in.size == 0;
}

static const struct sp_protocol echo = {.open = on_open,
                                        .received = on_received,
                                        .ended = ignore,
                                        .writable = ignore,
                                        .late = on_late,
                                        .drain = on_drain,
                                        .close = ignore};

// ---- The scene --------------------------------------------------------------------

static void on_line(void *user, const struct sp_notice *notice)
{
    struct scene *mine = user;
    if (strcmp(notice->kind->name, "serve.full") == 0) {
        atomic_fetch_add(&mine->full, 1);
    }
}

static struct sp_log log_of_scene = {.write = on_line, .level = SP_LOG_INFO};

static int prepare(void **state)
{
    static struct scene made;
    made = (struct scene){.pit = NULL};
    scene = &made;
    log_of_scene.user = &made;
    memset(made.clients, -1, sizeof made.clients);
    assert_int_equal(
        snakepit_open_memory(no_pools, sizeof no_pools - 1, NULL, &made.pit, NULL),
        SNAKEPIT_OK);
    *state = &made;
    return 0;
}

static void hang_up(size_t client)
{
    if (scene->clients[client] >= 0) {
        (void)close(scene->clients[client]);
        scene->clients[client] = -1;
    }
}

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENTS; i++) {
        hang_up(i);
    }
    if (scene->server != NULL) {
        sp_server_close(scene->server);
    }
    snakepit_close(scene->pit, 0);
    sp_server_free(scene->server);
    sp_config_free(scene->config);
    return 0;
}

static snakepit_err try_to_serve(const char *keys)
{
    char yaml[512];
    int length = snprintf(yaml,
                          sizeof yaml,
                          "%sserve: {listen: [\"127.0.0.1:0\"], %s}\n",
                          no_pools,
                          keys);
    if (scene->config == NULL) {
        assert_int_equal(
            sp_config_read_memory(yaml, (size_t)length, &scene->config, &scene->why),
            SNAKEPIT_OK);
    }
    scene->options = (struct sp_server_options){.pit = scene->pit,
                                                .config = &scene->config->serve,
                                                .log = &log_of_scene,
                                                .protocol = &echo,
                                                .user = scene};
    return sp_server_open(&scene->options, &scene->server, &scene->why);
}

static void serve(const char *keys)
{
    if (try_to_serve(keys) != SNAKEPIT_OK) {
        fail_msg("%s", scene->why.text);
    }
}

static bool call(size_t client)
{
    struct sockaddr_storage to;
    struct sp_address address;
    assert_true(sp_address_parse(
        sp_server_door(scene->server, 0)->address, NULL, &address, NULL));
    socklen_t size = sp_address_to_socket(&address, &to);
    if (scene->clients[client] < 0) {
        scene->clients[client] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    return connect(scene->clients[client],
                   (const struct sockaddr *)(const void *)&to,
                   size) == 0;
}

static void say(size_t client, const char *text)
{
    assert_int_equal(send(scene->clients[client], text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

// What comes back within `ms`: its bytes, 0 for the end, -1 for nothing.
static ssize_t hear(size_t client, char *room, size_t size, int ms)
{
    struct pollfd fd = {.fd = scene->clients[client], .events = POLLIN};
    return poll(&fd, 1, ms) == 1 ? recv(fd.fd, room, size, 0) : -1;
}

static void expect_heard(size_t client, const char *text)
{
    char room[64];
    ssize_t got = hear(client, room, sizeof room, PATIENCE_MS);
    assert_int_equal(got, strlen(text));
    assert_memory_equal(room, text, got > 0 ? (size_t)got : 0);
}

static void expect_answer(size_t client)
{
    say(client, "hello");
    expect_heard(client, "hello");
}

static void begin_work(size_t client)
{
    assert_true(call(client));
    say(client, "!work");
    expect_heard(client, "+");
}

static void expect_connections(size_t count)
{
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    while (sp_server_connections(scene->server) != count && sp_clock_now() < until) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(sp_server_connections(scene->server), count);
}

// ---- Serving ----------------------------------------------------------------------

static void a_client_is_served(void **state)
{
    (void)state;
    serve("loops: 1");
    assert_int_equal(sp_server_door_count(scene->server), 1);
    assert_null(sp_server_door(scene->server, 1));
    assert_true(call(0));
    expect_answer(0);
    expect_answer(0);
    expect_connections(1);
    hang_up(0);
    expect_connections(0);
}

// An answer may be heard before it is counted.
static void await_sent(uint64_t bytes, struct sp_door_figures *figures)
{
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    do {
        sp_server_door_figures(scene->server, 0, figures);
    } while (figures->of[SP_DOOR_SENT] < bytes && sp_clock_now() < until);
    assert_int_equal(figures->of[SP_DOOR_SENT], bytes);
}

static void what_clients_do_is_counted_for_their_door(void **state)
{
    (void)state;
    struct sp_door_figures figures;
    serve("loops: 2");
    for (size_t i = 0; i < 4; i++) {
        assert_true(call(i));
        expect_answer(i);
    }
    await_sent(4 * strlen("hello"), &figures);
    assert_string_equal(figures.address, sp_server_door(scene->server, 0)->address);
    assert_int_equal(figures.of[SP_DOOR_ACCEPTED], 4);
    assert_int_equal(figures.of[SP_DOOR_OPEN], 4);
    assert_int_equal(figures.of[SP_DOOR_RECEIVED], 4 * strlen("hello"));
    hang_up(0);
    hang_up(1);
    expect_connections(2);
    sp_server_door_figures(scene->server, 0, &figures);
    assert_int_equal(figures.of[SP_DOOR_ACCEPTED], 4);
    assert_int_equal(figures.of[SP_DOOR_OPEN], 2);
}

static void what_handlers_need_is_there(void **state)
{
    (void)state;
    serve("loops: 2");
    struct sp_serve_loop *loop = &scene->server->loops[1];
    assert_ptr_equal(sp_serve_loop_pit(loop), scene->pit);
    assert_ptr_equal(sp_serve_loop_config(loop), &scene->config->serve);
    assert_ptr_equal(sp_serve_loop_log(loop), &log_of_scene);
    assert_ptr_equal(sp_serve_loop_user(loop), scene);
    assert_non_null(sp_serve_loop_queue(loop));
}

static void clients_are_shared_out(void **state)
{
    (void)state;
    serve("loops: 3");
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_true(call(i));
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        expect_answer(i);
    }
    for (size_t i = 0; i < 3; i++) {
        // Two that accept at once may choose the same one.
        size_t load = atomic_load(&scene->server->loops[i].load);
        assert_true(load >= CLIENTS / 3 - 2 && load <= CLIENTS / 3 + 2);
    }
    expect_connections(CLIENTS);
}

static void the_number_of_loops_follows_the_machine(void **state)
{
    (void)state;
    serve("loops: auto");
    assert_true(scene->server->loop_count >= 1 && scene->server->loop_count <= 8);
}

static void each_loop_says_that_it_is_alive(void **state)
{
    (void)state;
    serve("loops: 2");
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    (void)sp_server_is_alive(scene->server); // asks for the first time
    while (!sp_server_is_alive(scene->server) && sp_clock_now() < until) {
        (void)poll(NULL, 0, 1);
    }
    assert_true(sp_clock_now() < until);
    // One that does not come round is noticed: this one is not among the threads.
    atomic_store(&scene->server->loops[1].heard, 77);
    scene->server->asked = 1000;
    assert_false(sp_server_is_alive(scene->server));
}

// ---- Limits -----------------------------------------------------------------------

static void an_idle_client_makes_room_for_a_new_one(void **state)
{
    (void)state;
    char room[8];
    serve("loops: 1, max_connections: 2");
    for (size_t i = 0; i < 2; i++) {
        assert_true(call(i));
        expect_answer(i);
    }
    assert_true(call(2));
    expect_answer(2);
    assert_int_equal(hear(0, room, sizeof room, PATIENCE_MS), 0); // the oldest
    expect_answer(1);
    expect_connections(2);
    assert_int_equal(atomic_load(&scene->full), 0);
    struct sp_door_figures figures;
    sp_server_door_figures(scene->server, 0, &figures);
    assert_int_equal(figures.of[SP_DOOR_NO_ROOM], 1);
}

static void where_all_are_at_work_a_new_one_waits(void **state)
{
    (void)state;
    char room[8];
    serve("loops: 1, max_connections: 1");
    begin_work(0);
    assert_true(call(1));
    say(1, "hello");
    assert_int_equal(hear(1, room, sizeof room, 100), -1);
    say(0, ".");
    expect_heard(0, "!work.");
    expect_heard(1, "hello");
    assert_int_equal(hear(0, room, sizeof room, PATIENCE_MS), 0);
    assert_true(atomic_load(&scene->full) >= 1);
}

static void set_files(const struct rlimit *limit)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, limit), 0);
}

static void without_descriptors_clients_wait(void **state)
{
    (void)state;
    struct rlimit before;
    char room[8];
    serve("loops: 1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    scene->clients[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int highest = scene->clients[0];
    for (int i = 0; i < highest; i++) {
        assert_true(fcntl(i, F_GETFD) >= 0 || dup2(highest, i) == i);
    }
    const struct rlimit few = {(rlim_t)highest + 1, before.rlim_max};
    set_files(&few);
    bool called = call(0);
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    while (atomic_load(&scene->full) == 0 && sp_clock_now() < until) {
        (void)poll(NULL, 0, 1);
    }
    ssize_t got = hear(0, room, sizeof room, 0);
    set_files(&before);
    assert_true(called);
    assert_int_equal(got, -1); // neither served nor sent away
    expect_answer(0);
    assert_int_equal(atomic_load(&scene->full), 1);
}

// ---- Draining ---------------------------------------------------------------------

static void a_drain_lets_work_end(void **state)
{
    (void)state;
    char room[8];
    serve("loops: 2");
    const char *address = sp_server_door(scene->server, 0)->address;
    assert_non_null(address);
    begin_work(0);
    assert_true(call(1));
    expect_answer(1);
    assert_false(sp_server_await_drained(scene->server, 1));
    sp_server_drain(scene->server);
    assert_int_equal(hear(1, room, sizeof room, PATIENCE_MS), 0); // did nothing
    hang_up(1);
    assert_false(sp_server_await_drained(scene->server, 20));
    // Refused, once each loop has heard of it.
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    while (call(2) && sp_clock_now() < until) {
        hang_up(2);
    }
    assert_true(sp_clock_now() < until);
    say(0, ".");
    expect_heard(0, "!work.");
    hang_up(0);
    assert_true(sp_server_await_drained(scene->server, PATIENCE_MS));
}

static void a_close_ends_what_is_left(void **state)
{
    (void)state;
    char room[8];
    serve("loops: 2");
    for (size_t i = 0; i < 4; i++) {
        begin_work(i);
    }
    sp_server_close(scene->server);
    assert_int_equal(sp_server_connections(scene->server), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_true(hear(i, room, sizeof room, PATIENCE_MS) <= 0);
    }
}

// ---- Opening ----------------------------------------------------------------------

static void without_memory_nothing_is_opened(void **state)
{
    (void)state;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        assert_true(n < 100);
        sp_memory_fail_at(scene->config == NULL ? 0 : n);
        err = try_to_serve("loops: 2, max_connections: 5");
        if (n == 1 && err == SNAKEPIT_OK) { // has read the configuration
            sp_server_close(scene->server);
            sp_server_free(scene->server);
            scene->server = NULL;
            err = SNAKEPIT_NO_MEMORY;
            n = 0;
        }
        sp_memory_fail_at(0);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
    }
    assert_true(call(0));
    expect_answer(0);
}

static void an_address_in_use_is_an_error(void **state)
{
    (void)state;
    serve("loops: 1");
    struct sp_server *other = NULL;
    struct sp_listener_config taken = scene->config->serve.listen.items[0];
    struct sp_serve_config config = scene->config->serve;
    assert_true(sp_address_parse(
        sp_server_door(scene->server, 0)->address, NULL, &taken.parsed, NULL));
    config.listen.items = &taken;
    scene->options.config = &config;
    assert_int_equal(sp_server_open(&scene->options, &other, &scene->why),
                     SNAKEPIT_SYSTEM);
    assert_null(other);
    assert_non_null(strstr(scene->why.text, "in use"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_served),
        TEST(what_clients_do_is_counted_for_their_door),
        TEST(what_handlers_need_is_there),
        TEST(clients_are_shared_out),
        TEST(the_number_of_loops_follows_the_machine),
        TEST(each_loop_says_that_it_is_alive),
        TEST(an_idle_client_makes_room_for_a_new_one),
        TEST(where_all_are_at_work_a_new_one_waits),
        TEST(without_descriptors_clients_wait),
        TEST(a_drain_lets_work_end),
        TEST(a_close_ends_what_is_left),
        TEST(without_memory_nothing_is_opened),
        TEST(an_address_in_use_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
