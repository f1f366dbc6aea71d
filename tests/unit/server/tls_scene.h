// SPDX-License-Identifier: MIT
// The scene of connection_scene.h behind a listener that speaks TLS, and a client of
// it.
#ifndef UNIT_TLS_SCENE_H
#define UNIT_TLS_SCENE_H

#include "connection_scene.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "server/door.h"
#include "server/tls_context.h"
#include "support/certificates.h"

struct tls_scene {
    char folder[64];
    char certificate[96];
    char key[96];
    char client_ca[96];
    struct sp_tls_config config;
    struct sp_door door;
    struct identity own;
    struct identity authority; // of clients
    SSL_CTX *clients;
    SSL *client;
    unsigned long failure; // of the handshake, as the client sees it; 0: none
};

SCENE struct tls_scene tls;

SCENE void open_door(void)
{
    snakepit_message why;
    sp_tls_context_free(tls.door.tls);
    tls.door.tls = NULL;
    if (sp_tls_context_open(&tls.config, 0, &tls.door.tls, &why) != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
}

SCENE int prepare_tls(void **state)
{
    tls = (struct tls_scene){.folder = "/tmp/snakepit-tls-XXXXXX"};
    assert_non_null(mkdtemp(tls.folder));
    (void)snprintf(tls.certificate, sizeof tls.certificate, "%s/c", tls.folder);
    (void)snprintf(tls.key, sizeof tls.key, "%s/k", tls.folder);
    (void)snprintf(tls.client_ca, sizeof tls.client_ca, "%s/ca", tls.folder);
    tls.own = make_identity("localhost", NULL, -1, 30);
    tls.authority = make_identity("authority", NULL, -1, 30);
    write_certificate(tls.certificate, &tls.own);
    write_key(tls.key, &tls.own, NULL);
    write_certificate(tls.client_ca, &tls.authority);
    tls.config = (struct sp_tls_config){.certificate = tls.certificate, .key = tls.key};
    open_door();
    tls.clients = make_client(0, NULL);
    return prepare(state);
}

SCENE void drop_client(void)
{
    SSL_free(tls.client);
    tls.client = NULL;
}

SCENE int clear_tls(void **state)
{
    int rc = clear(state);
    drop_client();
    SSL_CTX_free(tls.clients);
    sp_tls_context_free(tls.door.tls);
    forget_identity(&tls.own);
    forget_identity(&tls.authority);
    (void)unlink(tls.certificate);
    (void)unlink(tls.key);
    (void)unlink(tls.client_ca);
    return rmdir(tls.folder) + rc;
}

// Those who come from now on.
SCENE void use_clients(int version, const struct identity *identity)
{
    SSL_CTX_free(tls.clients);
    tls.clients = make_client(version, identity);
}

SCENE void make_tls_client(void)
{
    drop_client();
    tls.client = SSL_new(tls.clients);
    assert_non_null(tls.client);
    assert_int_equal(SSL_set_fd(tls.client, scene->client), 1);
    SSL_set_connect_state(tls.client);
}

// A socket that nothing has been said on yet.
SCENE void begin_tls(void)
{
    const struct sp_peer peer = {.address = "unix", .door = &tls.door};
    assert_int_equal(sp_connection_open(&scene->all, make_pair(), &peer), SNAKEPIT_OK);
    make_tls_client();
}

// True: done.
SCENE bool shake_hands(void)
{
    int why = SSL_ERROR_WANT_READ;
    for (int i = 0; i < 100 && why == SSL_ERROR_WANT_READ; i++) {
        ERR_clear_error();
        int rc = SSL_do_handshake(tls.client);
        why = SSL_get_error(tls.client, rc);
        tls.failure = ERR_peek_last_error();
        settle();
    }
    return why == SSL_ERROR_NONE;
}

// What the daemon has sent with the handshake is read: one that closes with something
// unread resets the connection.
SCENE void connect_tls(void)
{
    char byte;
    begin_tls();
    assert_true(shake_hands());
    assert_non_null(scene->connection);
    assert_int_equal(SSL_read(tls.client, &byte, 1), -1);
    ERR_clear_error();
}

SCENE void say_tls(const void *bytes, size_t size)
{
    assert_int_equal(SSL_write(tls.client, bytes, (int)size), (int)size);
}

// What is there now. `end`: whether the daemon has said that it is all.
SCENE size_t read_tls(void *room, size_t size, bool *end)
{
    size_t count = 0;
    size_t got = 1;
    while (got > 0 && count < size) {
        got = 0;
        (void)SSL_read_ex(tls.client, (char *)room + count, size - count, &got);
        count += got;
    }
    *end = SSL_get_shutdown(tls.client) != 0;
    ERR_clear_error();
    return count;
}

SCENE void expect_tls_client_sees(const char *text, bool ended)
{
    char room[64] = {0};
    bool end;
    size_t count = read_tls(room, sizeof room, &end);
    assert_int_equal(count, strlen(text));
    assert_memory_equal(room, text, count);
    assert_int_equal(end, ended);
}

#endif
