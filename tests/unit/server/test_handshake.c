// SPDX-License-Identifier: MIT
#include "tls_scene.h"

#include <errno.h>
#include <signal.h>

#include "base/memory.h"

// ---- Who comes to be served -------------------------------------------------------

static void nothing_is_told_before_hands_are_shaken(void **state)
{
    (void)state;
    begin_tls();
    settle();
    expect_told("");
    assert_int_equal(scene->all.count, 1);
    assert_true(shake_hands());
    expect_told("open");
    assert_int_equal(scene->connection->wait.what, SP_WAIT_REQUEST);
    assert_null(scene->connection->peer.certificate);
}

static void what_comes_along_with_the_end_of_it_is_read(void **state)
{
    (void)state;
    begin_tls();
    assert_int_equal(SSL_do_handshake(tls.client), -1);
    settle();
    assert_int_equal(SSL_do_handshake(tls.client), 1);
    say_tls("first", 5);
    settle();
    expect_told("open received");
    expect_got("first");
}

// What the client says from now on, to be sent by hand.
static BIO *hold_back(void)
{
    BIO *said = BIO_new(BIO_s_mem());
    assert_non_null(said);
    SSL_set0_wbio(tls.client, said);
    return said;
}

static void it_may_come_byte_by_byte(void **state)
{
    (void)state;
    begin_tls();
    BIO *hello = hold_back();
    int why = SSL_ERROR_WANT_READ;
    for (int i = 0; i < 10 && why == SSL_ERROR_WANT_READ; i++) {
        char byte;
        why = SSL_get_error(tls.client, SSL_do_handshake(tls.client));
        while (BIO_read(hello, &byte, 1) == 1) {
            assert_int_equal(write(scene->client, &byte, 1), 1);
            turns(1);
        }
    }
    settle();
    expect_told("open");
}

static size_t fill(int fd)
{
    static const char junk[4096];
    size_t filled = 0;
    for (size_t size = sizeof junk; size > 0;) {
        ssize_t sent = write(fd, junk, size);
        filled += sent > 0 ? (size_t)sent : 0;
        size = sent > 0 ? size : size / 2;
    }
    return filled;
}

static void make_room(size_t filled)
{
    static char junk[4096];
    while (filled > 0) {
        size_t most = filled < sizeof junk ? filled : sizeof junk;
        ssize_t got = read(scene->client, junk, most);
        assert_true(got > 0);
        filled -= (size_t)got;
    }
}

// The client does not look for an answer: there would be what it was sent before.
static void send_hello(void)
{
    char bytes[4096];
    BIO *said = hold_back();
    SSL_set0_rbio(tls.client, BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_do_handshake(tls.client), -1);
    int size = BIO_read(said, bytes, sizeof bytes);
    assert_int_equal(write(scene->client, bytes, (size_t)size), size);
    assert_int_equal(SSL_set_fd(tls.client, scene->client), 1);
}

// Its socket is full of what it has not read: the daemon waits for room, and does not
// look again and again at what the client has sent.
static void one_that_reads_nothing_is_waited_for(void **state)
{
    (void)state;
    const struct sp_peer peer = {.address = "unix", .door = &tls.door};
    int fd = make_pair();
    size_t filled = fill(fd);
    assert_int_equal(sp_connection_open(&scene->all, fd, &peer), SNAKEPIT_OK);
    make_tls_client();
    send_hello();
    settle();
    struct sp_link *first = scene->all.waits.lists[SP_WAIT_HANDSHAKE].next;
    struct sp_connection *connection =
        SP_ENTRY(SP_ENTRY(first, struct sp_wait, link), struct sp_connection, wait);
    assert_int_equal(connection->watch.wanted, SP_WATCH_WRITE);
    make_room(filled);
    settle();
    assert_true(shake_hands());
    expect_told("open");
}

// ---- What both agree on -----------------------------------------------------------

static bool offers(const char *names)
{
    assert_int_equal(SSL_CTX_set_alpn_protos(tls.clients,
                                             (const unsigned char *)names,
                                             (unsigned)strlen(names)),
                     0);
    begin_tls();
    return shake_hands();
}

static void a_protocol_is_agreed_on(void **state)
{
    (void)state;
    assert_true(offers("\x08http/1.1\x02h2"));
    assert_int_equal(sp_connection_alpn(scene->connection), SP_ALPN_HTTP_2);
    assert_true(offers("\x08http/1.1"));
    assert_int_equal(sp_connection_alpn(scene->connection), SP_ALPN_HTTP_1);
    assert_true(offers("\x08http/1.0"));
    assert_int_equal(sp_connection_alpn(scene->connection), SP_ALPN_HTTP_1);
    use_clients(0, NULL);
    connect_tls();
    assert_int_equal(sp_connection_alpn(scene->connection), SP_ALPN_NONE);
}

static void who_wants_something_else_is_refused(void **state)
{
    (void)state;
    assert_false(offers("\x04smtp"));
    expect_told("");
}

// ---- Who does not ------------------------------------------------------------------

// It is told what the answer is, and that nothing more comes.
static void expect_refused(const char *bytes, size_t size, const char *answer)
{
    char room[512] = {0};
    const struct sp_peer peer = {.address = "unix", .door = &tls.door};
    assert_int_equal(sp_connection_open(&scene->all, make_pair(), &peer), SNAKEPIT_OK);
    assert_int_equal(write(scene->client, bytes, size), size);
    settle();
    ssize_t got = read(scene->client, room, sizeof room);
    assert_true(got >= 0);
    if (answer == NULL) {
        assert_int_equal(got, 0);
    } else {
        assert_memory_equal(room, answer, strlen(answer));
        assert_int_equal(read(scene->client, room, sizeof room), 0);
    }
    hang_up();
    settle();
    expect_told("closed");
    assert_int_equal(scene->all.count, 0);
    assert_int_equal(ERR_peek_error(), 0);
}

#define REFUSED(bytes) expect_refused(bytes, sizeof(bytes) - 1, NULL)

static void who_does_not_speak_tls_is_sent_away(void **state)
{
    (void)state;
    REFUSED("\x80\x2e\x01\x00\x02 an old hello");
    REFUSED("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    REFUSED("{\"a\": 1}");
    // A first message that is something else, or too large, also where it comes late.
    REFUSED("\x16\x03\x01\x00\x09\x02\x00\x00\x05hello");
    REFUSED("\x16\x03\x01\x40\x00\x01\x00\x40\x00");
    REFUSED("\x16\x03\x01\x40\x00\x01\xff\xff\xff");
}

static void who_asks_without_tls_is_told_so(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                           "DELETE /v1/calls/1 HTTP/1.1\r\n",
                                           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        expect_refused(
            requests[i], strlen(requests[i]), "HTTP/1.1 400 Bad Request\r\n");
    }
}

static void the_answer_to_it_is_as_long_as_it_says(void **state)
{
    (void)state;
    char room[512] = {0};
    unsigned length = 0;
    const struct sp_peer peer = {.address = "unix", .door = &tls.door};
    assert_int_equal(sp_connection_open(&scene->all, make_pair(), &peer), SNAKEPIT_OK);
    say("GET / HTTP/1.1\r\n\r\n");
    assert_true(read(scene->client, room, sizeof room - 1) > 0);
    const char *field = strstr(room, "Content-Length: ");
    const char *body = strstr(room, "\r\n\r\n");
    assert_true(field != NULL && body != NULL);
    assert_int_equal(sscanf(field, "Content-Length: %u", &length), 1);
    assert_int_equal(strlen(body + 4), length);
}

static void one_that_goes_away_in_the_middle_is_forgotten(void **state)
{
    (void)state;
    begin_tls();
    assert_int_equal(SSL_do_handshake(tls.client), -1);
    settle();
    hang_up();
    settle();
    expect_told("closed");
    assert_int_equal(scene->all.count, 0);
}

static void one_that_is_slow_is_late(void **state)
{
    (void)state;
    allow_ms(SP_WAIT_HANDSHAKE, 10);
    begin_tls();
    assert_int_equal(write(scene->client, "\x16\x03\x01", 3), 3);
    uint64_t until = sp_clock_now() + 30 * SP_NS_PER_S;
    while (scene->all.count > 0 && sp_clock_now() < until) {
        turns(1);
    }
    expect_told("closed");
    expect_client_sees("", true);
}

static void a_drain_does_not_wait_for_it(void **state)
{
    (void)state;
    begin_tls();
    assert_int_equal(SSL_do_handshake(tls.client), -1);
    settle();
    sp_connections_drain(&scene->all);
    settle();
    hang_up();
    settle();
    expect_told("closed");
}

static void it_makes_room_when_nobody_idle_is_left(void **state)
{
    (void)state;
    connect_tls();
    int first = scene->client;
    scene->client = -1;
    begin_tls();
    settle();
    assert_true(sp_connections_drop_idle(&scene->all));
    expect_told("open close closed"); // who is idle goes first
    assert_true(sp_connections_drop_idle(&scene->all));
    expect_told("closed");
    assert_false(sp_connections_drop_idle(&scene->all));
    (void)close(first);
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    use_clients(TLS1_2_VERSION, NULL);
    connect_tls();
    assert_int_equal(SSL_renegotiate(tls.client), 1);
    assert_false(shake_hands());
    assert_int_equal(ERR_GET_REASON(tls.failure), SSL_R_NO_RENEGOTIATION);
    expect_told("open close closed"); // which the client has ended for that
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    use_clients(TLS1_1_VERSION, NULL);
    SSL_CTX_set_security_level(tls.clients, 0);
    begin_tls();
    assert_false(shake_hands());
    expect_told("");
}

// ---- Certificates of clients ------------------------------------------------------

static void ask_for_certificates(void)
{
    tls.config.client_ca = tls.client_ca;
    open_door();
}

// With TLS 1.3 a client believes that all is well until it reads.
static bool is_served(const struct identity *identity, int version)
{
    char byte;
    use_clients(version, identity);
    begin_tls();
    bool served = shake_hands();
    settle();
    ERR_clear_error();
    int rc = SSL_read(tls.client, &byte, 1);
    served = served && SSL_get_error(tls.client, rc) == SSL_ERROR_WANT_READ;
    assert_int_equal(served, scene->connection != NULL);
    return served;
}

static void who_has_a_certificate_is_known(void **state)
{
    (void)state;
    struct identity client = make_identity("build, 7", &tls.authority, -1, 9);
    ask_for_certificates();
    assert_true(is_served(&client, TLS1_3_VERSION));
    assert_string_equal(scene->connection->peer.certificate, "CN=build\\, 7");
    hang_up();
    settle();
    assert_true(is_served(&client, TLS1_2_VERSION));
    assert_string_equal(scene->connection->peer.certificate, "CN=build\\, 7");
    forget_identity(&client);
}

static void who_has_none_or_a_wrong_one_is_not_served(void **state)
{
    (void)state;
    struct identity strangers = make_identity("authority", NULL, -1, 9);
    struct identity others[] = {make_identity("client", &strangers, -1, 9),
                                make_identity("client", NULL, -1, 9),
                                make_identity("client", &tls.authority, -9, -2),
                                make_identity("client", &tls.authority, 2, 9)};
    ask_for_certificates();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        assert_false(is_served(NULL, version));
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            assert_false(is_served(&others[i], version));
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        forget_identity(&others[i]);
    }
    forget_identity(&strangers);
    assert_null(strstr(scene->told, "open"));
}

// Two names that begin alike are not to be one.
static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    X509_NAME *subject;
    struct identity client = make_identity("c", &tls.authority, -1, 9);
    char part[61];
    memset(part, 'x', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    subject = X509_get_subject_name(client.certificate);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            X509_NAME_add_entry_by_txt(
                subject, "OU", MBSTRING_UTF8, (const unsigned char *)part, -1, -1, 0),
            1);
    }
    assert_true(X509_sign(client.certificate, tls.authority.key, EVP_sha256()) > 0);
    ask_for_certificates();
    assert_false(is_served(&client, TLS1_3_VERSION));
    forget_identity(&client);
}

// ---- Certificates of ours ---------------------------------------------------------

static void one_that_was_reread_is_shown_to_who_comes_next(void **state)
{
    (void)state;
    snakepit_message why;
    SSL_CTX *made;
    connect_tls();
    forget_identity(&tls.own);
    tls.own = make_identity("localhost", NULL, -1, 30);
    write_certificate(tls.certificate, &tls.own);
    write_key(tls.key, &tls.own, NULL);
    assert_int_equal(sp_tls_context_prepare(tls.door.tls, &made, &why), SNAKEPIT_OK);
    sp_tls_context_take(tls.door.tls, made);
    say_tls("hello", 5); // on the old one
    settle();
    expect_got("hello");
    hang_up();
    settle();
    connect_tls();
    X509 *shown = SSL_get1_peer_certificate(tls.client);
    assert_int_equal(X509_cmp(shown, tls.own.certificate), 0);
    X509_free(shown);
}

// ---- Memory -----------------------------------------------------------------------

static void without_memory_nobody_is_taken(void **state)
{
    (void)state;
    const struct sp_peer peer = {.address = "unix", .door = &tls.door};
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        assert_true(n < 10);
        int fd = make_pair();
        sp_memory_fail_at(n);
        err = sp_connection_open(&scene->all, fd, &peer);
        sp_memory_fail_at(0);
        if (err != SNAKEPIT_OK) {
            (void)close(fd);
        }
    }
    make_tls_client();
    assert_true(shake_hands());
}

static void without_memory_for_its_protocol_it_is_closed(void **state)
{
    (void)state;
    scene->open_err = SNAKEPIT_NO_MEMORY;
    begin_tls();
    (void)shake_hands();
    settle();
    expect_told("open closed");
    scene->connection = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare_tls, clear_tls)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_told_before_hands_are_shaken),
        TEST(what_comes_along_with_the_end_of_it_is_read),
        TEST(it_may_come_byte_by_byte),
        TEST(one_that_reads_nothing_is_waited_for),
        TEST(a_protocol_is_agreed_on),
        TEST(who_wants_something_else_is_refused),
        TEST(who_does_not_speak_tls_is_sent_away),
        TEST(who_asks_without_tls_is_told_so),
        TEST(the_answer_to_it_is_as_long_as_it_says),
        TEST(one_that_goes_away_in_the_middle_is_forgotten),
        TEST(one_that_is_slow_is_late),
        TEST(a_drain_does_not_wait_for_it),
        TEST(it_makes_room_when_nobody_idle_is_left),
        TEST(renegotiation_is_refused),
        TEST(old_versions_are_refused),
        TEST(who_has_a_certificate_is_known),
        TEST(who_has_none_or_a_wrong_one_is_not_served),
        TEST(a_name_that_is_too_long_is_refused),
        TEST(one_that_was_reread_is_shown_to_who_comes_next),
        TEST(without_memory_nobody_is_taken),
        TEST(without_memory_for_its_protocol_it_is_closed),
    };
    (void)signal(SIGPIPE, SIG_IGN); // of the client
    return cmocka_run_group_tests(tests, NULL, NULL);
}
