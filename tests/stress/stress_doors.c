// SPDX-License-Identifier: MIT
// Clients that come and go, ask, say nothing, shut down one side, read slowly, send
// while they are told that it is over, or are gone in the middle of anything: each
// answer is whole or ends, others are served meanwhile, and nothing stays. All of it
// once more over TLS, while the certificate is read again.
//
// A client says 'e' and a byte, and gets that byte; 'l', and gets LONG bytes; or 'q',
// and gets "bye" and the end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/memory.h"
#include "support/census.h"
#include "support/certificates.h"
#include "support/chance.h"
#include "support/doors.h"

#include <cmocka.h> // has a macro that is called as one of ours

#define CLIENTS     6u // threads
#define LONG        600000u
#define PATIENCE_MS 60000
#define PIECE       5000u

#define YAML                   \
    "pooling_enabled: false\n" \
    "serve: {listen: [%s], loops: 3, max_connections: 5}\n"
#define PLAIN     "\"127.0.0.1:0\""
#define ENCRYPTED "{address: \"127.0.0.1:0\", tls: {certificate: %s/c, key: %s/k}}"

// ---- The protocol -----------------------------------------------------------------

struct talk {
    size_t left; // of a long answer
};

static snakepit_err on_open(struct sp_connection *connection)
{
    connection->user = sp_alloc(sizeof(struct talk));
    return connection->user != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static void send_bytes(struct sp_connection *connection, const void *data, size_t size)
{
    if (sp_connection_send(connection, (struct sp_slice){data, size}) != SNAKEPIT_OK) {
        sp_connection_abort(connection);
    }
}

static void go_on(struct sp_connection *connection)
{
    static const uint8_t zeros[PIECE];
    struct talk *talk = connection->user;
    while (talk->left > 0 && sp_connection_room(connection) > 0) {
        size_t size = talk->left < PIECE ? talk->left : PIECE;
        send_bytes(connection, zeros, size);
        talk->left -= size;
    }
    if (talk->left == 0 && connection->paused) {
        sp_connection_pause(connection, false);
        sp_connection_wait_for(connection, SP_WAIT_REQUEST);
    }
}

// False: the rest is for later.
static bool obey(struct sp_connection *connection)
{
    struct talk *talk = connection->user;
    const struct sp_buf *in = &connection->in;
    if (connection->closing || in->size == 0 || (in->data[0] == 'e' && in->size < 2)) {
        return false;
    }
    if (in->data[0] == 'e') {
        send_bytes(connection, in->data + 1, 1);
        sp_connection_consume(connection, 2);
        return true;
    }
    if (in->data[0] == 'l') {
        sp_connection_consume(connection, 1);
        sp_connection_wait_for(connection, SP_WAIT_NOTHING);
        sp_connection_pause(connection, true);
        talk->left = LONG;
        go_on(connection);
        return false;
    }
    send_bytes(connection, "bye", 3);
    sp_connection_close_after(connection);
    return false;
}

static void on_received(struct sp_connection *connection)
{
    bool more = true;
    while (more) {
        more = obey(connection);
    }
}

static void on_ended(struct sp_connection *connection)
{
    const struct talk *talk = connection->user;
    if (talk->left > 0) {
        sp_connection_linger(connection);
    }
}

static void on_writable(struct sp_connection *connection)
{
    const struct talk *talk = connection->user;
    go_on(connection);
    if (talk->left == 0 && connection->ended) {
        sp_connection_close_after(connection);
    }
}

static bool on_drain(struct sp_connection *connection)
{
    const struct talk *talk = connection->user;
    return talk->left == 0;
}

static void on_close(struct sp_connection *connection)
{
    sp_free(connection->user);
}

static const struct sp_protocol protocol = {.open = on_open,
                                            .received = on_received,
                                            .ended = on_ended,
                                            .writable = on_writable,
                                            .late = doors_late,
                                            .drain = on_drain,
                                            .close = on_close};

// ---- Clients ----------------------------------------------------------------------

struct scene {
    snakepit *pit;
    struct sp_config *config;
    struct sp_server *server;
    struct sockaddr_storage to;
    socklen_t size;
    char folder[64];  // of the certificate; "": without TLS
    SSL_CTX *clients; // NULL: likewise
    uint32_t rounds;  // of each client
    atomic_bool ends; // the server may refuse and cut off
    atomic_uint wrong;
    atomic_uint whole; // answers
};

// One end of a connection.
struct caller {
    int fd;
    SSL *ssl; // NULL: without TLS
};

// As recv(2) says; -2: it hangs.
static ssize_t take(const struct caller *caller, char *room, size_t size)
{
    if (caller->ssl == NULL) {
        ssize_t got = recv(caller->fd, room, size, 0);
        return got < 0 && errno == EAGAIN ? -2 : got;
    }
    ERR_clear_error();
    int got = SSL_read(caller->ssl, room, (int)size);
    return got <= 0 && SSL_get_error(caller->ssl, got) == SSL_ERROR_WANT_READ ? -2
                                                                              : got;
}

// Reads until there are so many bytes, or the end. Gives how many.
static size_t hear(const struct caller *caller, size_t wanted, size_t step)
{
    static _Thread_local char room[65536];
    size_t count = 0;
    while (count < wanted) {
        size_t most = wanted - count < step ? wanted - count : step;
        ssize_t got = take(caller, room, most);
        if (got == -2) {
            return SIZE_MAX;
        }
        if (got <= 0) {
            break;
        }
        count += (size_t)got;
    }
    return count;
}

static bool say(const struct caller *caller, const char *text)
{
    ssize_t size = (ssize_t)strlen(text);
    if (caller->ssl == NULL) {
        return send(caller->fd, text, (size_t)size, MSG_NOSIGNAL) == size;
    }
    ERR_clear_error();
    return SSL_write(caller->ssl, text, (int)size) == size;
}

static void say_no_more(const struct caller *caller)
{
    if (caller->ssl != NULL) {
        (void)SSL_shutdown(caller->ssl);
    }
    (void)shutdown(caller->fd, SHUT_WR);
}

// At `max_connections` one that is idle may be closed at any time, also while it asks:
// an answer is whole or not there.
static void expect(struct scene *scene, size_t got, size_t wanted, bool whole)
{
    if (got == wanted) {
        atomic_fetch_add(&scene->whole, 1);
    } else if (got == SIZE_MAX || (whole && got > 0 && !atomic_load(&scene->ends))) {
        atomic_fetch_add(&scene->wrong, 1);
    }
}

static void reset(const struct caller *caller)
{
    const struct linger now = {.l_onoff = 1};
    (void)setsockopt(caller->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void visit(struct scene *scene, const struct caller *caller)
{
    switch (below(8)) {
    case 0: // says nothing
        break;
    case 1:
        expect(scene, say(caller, "eaebec") ? hear(caller, 3, 64) : 0, 3, true);
        break;
    case 2:
        expect(scene, say(caller, "eaq") ? hear(caller, 5, 64) : 0, 4, true);
        break;
    case 3: // all at once
        expect(scene, say(caller, "l") ? hear(caller, LONG, 65536) : 0, LONG, true);
        break;
    case 4: // slowly, having shut down its side
        (void)say(caller, "l");
        say_no_more(caller);
        // With TLS that is sent as well. Where the daemon has closed meanwhile, what is
        // on its way may be lost with it.
        expect(scene, hear(caller, LONG + 1, 4096), LONG, caller->ssl == NULL);
        break;
    case 5: // goes while it is answered
        (void)say(caller, "leaea");
        expect(scene, hear(caller, 1000, 64), 1000, true);
        break;
    case 6: // vanishes
        (void)say(caller, "le");
        reset(caller);
        break;
    default: // goes on sending
        (void)say(caller, "q");
        (void)say(caller, "and more");
        expect(scene, hear(caller, 4, 64), 3, true);
        break;
    }
}

// One that has to go for another may not get as far as to say anything, and one in four
// vanishes before.
static void call(struct scene *scene, struct caller *caller)
{
    if (scene->clients == NULL) {
        visit(scene, caller);
        return;
    }
    caller->ssl = SSL_new(scene->clients);
    if (caller->ssl != NULL && SSL_set_fd(caller->ssl, caller->fd) == 1) {
        if (below(4) == 0) {
            (void)send(caller->fd, "\x16\x03\x01\x00", 4, MSG_NOSIGNAL);
        } else if (SSL_connect(caller->ssl) == 1) {
            visit(scene, caller);
        }
    }
    ERR_clear_error();
    SSL_free(caller->ssl);
}

static void *come_and_go(void *argument)
{
    struct scene *scene = argument;
    for (uint32_t i = 0; i < scene->rounds && !atomic_load(&scene->ends); i++) {
        struct caller caller = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
        (void)setsockopt(
            caller.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (caller.fd >= 0 && connect(caller.fd,
                                      (const struct sockaddr *)(void *)&scene->to,
                                      scene->size) == 0) {
            call(scene, &caller);
        }
        (void)close(caller.fd);
    }
    return NULL;
}

// ---- Tests ------------------------------------------------------------------------

static void make_certificate(struct scene *scene)
{
    char path[80];
    strcpy(scene->folder, "/tmp/snakepit-doors-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    struct identity own = make_identity("localhost", NULL, -1, 30);
    (void)snprintf(path, sizeof path, "%s/c", scene->folder);
    write_certificate(path, &own);
    (void)snprintf(path, sizeof path, "%s/k", scene->folder);
    write_key(path, &own, NULL);
    forget_identity(&own);
    scene->clients = make_client(0, NULL);
}

static void remove_certificate(const struct scene *scene)
{
    char path[80];
    (void)snprintf(path, sizeof path, "%s/c", scene->folder);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/k", scene->folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(scene->folder), 0);
    SSL_CTX_free(scene->clients);
}

static void open_scene(struct scene *scene, uint32_t rounds, bool tls)
{
    snakepit_message why = {0};
    struct sp_address address;
    char yaml[512];
    *scene = (struct scene){.rounds = rounds};
    char listen[256] = PLAIN;
    if (tls) {
        make_certificate(scene);
        (void)snprintf(listen, sizeof listen, ENCRYPTED, scene->folder, scene->folder);
    }
    int size = snprintf(yaml, sizeof yaml, YAML, listen);
    assert_int_equal(sp_config_read_memory(yaml, (size_t)size, &scene->config, &why),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_open_memory(yaml, (size_t)size, NULL, &scene->pit, &why),
                     SNAKEPIT_OK);
    const struct sp_server_options options = {.pit = scene->pit,
                                              .config = &scene->config->serve,
                                              .log = &doors_no_log,
                                              .protocol = &protocol};
    assert_int_equal(sp_server_open(&options, &scene->server, &why), SNAKEPIT_OK);
    assert_true(sp_address_parse(
        sp_server_door(scene->server, 0)->address, NULL, &address, NULL));
    scene->size = sp_address_to_socket(&address, &scene->to);
}

static void close_scene(struct scene *scene)
{
    sp_server_close(scene->server);
    assert_int_equal(sp_server_connections(scene->server), 0);
    snakepit_close(scene->pit, 0);
    sp_server_free(scene->server);
    sp_config_free(scene->config);
    if (scene->clients != NULL) {
        remove_certificate(scene);
    }
}

// As often as a client comes or so.
static void reread(struct scene *scene)
{
    snakepit_message why;
    for (int i = 0; i < 50 && scene->clients != NULL; i++) {
        assert_int_equal(sp_server_reload(scene->server, NULL, &why), SNAKEPIT_OK);
        (void)poll(NULL, 0, 1);
    }
}

static void start(struct scene *scene, pthread_t *threads)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, scene), 0);
    }
}

static void join(const pthread_t *threads)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void serve_each_and_leave_nothing(bool tls)
{
    struct scene scene;
    pthread_t threads[CLIENTS];
    struct census before = census_take();
    open_scene(&scene, census_variable("SNAKEPIT_STRESS_CLIENTS", 200), tls);
    start(&scene, threads);
    reread(&scene);
    join(threads);
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    while (sp_server_connections(scene.server) > 0 && sp_clock_now() < until) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(sp_server_connections(scene.server), 0);
    assert_int_equal(atomic_load(&scene.wrong), 0);
    assert_true(atomic_load(&scene.whole) > CLIENTS);
    close_scene(&scene);
    assert_int_equal(census_take().descriptors, before.descriptors);
}

static void each_client_is_served_and_leaves_nothing(void **state)
{
    (void)state;
    serve_each_and_leave_nothing(false);
}

static void so_is_each_with_tls(void **state)
{
    (void)state;
    serve_each_and_leave_nothing(true);
}

static void end_whatever_they_do(bool tls)
{
    struct census before = census_take();
    for (uint32_t i = 0; i < census_variable("SNAKEPIT_STRESS_ENDS", 10); i++) {
        struct scene scene;
        pthread_t threads[CLIENTS];
        open_scene(&scene, UINT32_MAX, tls);
        start(&scene, threads);
        (void)poll(NULL, 0, (int)below(20));
        atomic_store(&scene.ends, true);
        if (below(2) == 0) {
            sp_server_drain(scene.server);
            (void)sp_server_await_drained(scene.server, (uint32_t)below(20));
        }
        sp_server_close(scene.server);
        join(threads);
        assert_int_equal(atomic_load(&scene.wrong), 0);
        close_scene(&scene);
    }
    assert_int_equal(census_take().descriptors, before.descriptors);
}

static void it_ends_whatever_they_do(void **state)
{
    (void)state;
    end_whatever_they_do(false);
}

static void so_it_does_with_tls(void **state)
{
    (void)state;
    end_whatever_they_do(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_is_served_and_leaves_nothing),
        cmocka_unit_test(so_is_each_with_tls),
        cmocka_unit_test(it_ends_whatever_they_do),
        cmocka_unit_test(so_it_does_with_tls),
    };
    (void)signal(SIGPIPE, SIG_IGN); // of clients with TLS
    atomic_store(&chance_seed,
                 census_variable("SNAKEPIT_STRESS_SEED", (uint32_t)sp_clock_now()));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
