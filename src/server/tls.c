// SPDX-License-Identifier: MIT
// OpenSSL reads and writes through a BIO of ours: it writes without SIGPIPE, looks at
// the first bytes of a client, and can be told to leave the socket alone. So what has
// been read ahead can be worked off without the loop being kept from others by a client
// that sends on and on.
//
// Its queue of errors belongs to the thread, that is to all connections of a loop: it
// is emptied before each step, or the failure of one would be taken for another's.
#include "server/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/loop.h"
#include "base/memory.h"
#include "server/tls_context.h"

#define RECORD     16384u // the most that one holds
#define HELLO_MOST 16384u // bytes of a client's first message; usual are 2,000
#define HELLO_HEAD 9u     // those that say how long that message is
#define HANDSHAKE  22u    // first byte of TLS
#define HELLO      1u

struct sp_tls {
    SSL *ssl;
    int fd;
    bool open;             // the handshake is done
    bool broken;           // nothing can be said to the client any more
    bool tap_shut;         // nothing is read from the socket
    bool dry;              // nor was there anything when it was tried last
    bool skipped;          // the last step took a record that is not for us
    bool left;             // the end or a failure is still to be told
    bool read_wants_write; // nothing can be read before there is room to write
    bool write_wants_read; // and the other way round
    size_t seen;           // bytes of the socket, up to HELLO_HEAD
    uint8_t head[HELLO_HEAD];
    const char *failure; // NULL: none
    char *subject;       // of the client's certificate, or NULL
};

// ---- The socket -------------------------------------------------------------------

static const char *judge_head(const struct sp_tls *tls)
{
    const uint8_t *head = tls->head;
    if (tls->seen > 0 && head[0] != HANDSHAKE) {
        return "what it sends is not TLS";
    }
    if (tls->seen == HELLO_HEAD &&
        (head[5] != HELLO || head[6] != 0 || head[7] >= HELLO_MOST >> 8)) {
        return "its first message is not a ClientHello of less than 16 KiB";
    }
    return NULL;
}

// False: these are not the first bytes of TLS. OpenSSL would make room for as large a
// first message as the client announces.
static bool look_at_head(struct sp_tls *tls, const char *bytes, size_t size)
{
    size_t more = HELLO_HEAD - tls->seen;
    more = size < more ? size : more;
    if (more > 0) {
        memcpy(tls->head + tls->seen, bytes, more);
        tls->seen += more;
        tls->failure = judge_head(tls);
    }
    return tls->failure == NULL;
}

static int read_socket(BIO *bio, char *room, int size)
{
    struct sp_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = -1;
    errno = EAGAIN;
    if (!tls->tap_shut) {
        got = recv(tls->fd, room, (size_t)size, 0);
    }
    tls->dry = got < 0 && (errno == EAGAIN || errno == EINTR);
    if (tls->dry) {
        BIO_set_retry_read(bio);
    } else if (got == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    } else if (got > 0 && !look_at_head(tls, room, (size_t)got)) {
        got = -1;
    }
    return (int)got;
}

static int write_socket(BIO *bio, const char *bytes, int size)
{
    const struct sp_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(tls->fd, bytes, (size_t)size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static long control_socket(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static BIO_METHOD *socket_method;
static CRYPTO_ONCE socket_once = CRYPTO_ONCE_STATIC_INIT;

static void make_method(void)
{
    socket_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");
    if (socket_method != NULL) {
        (void)BIO_meth_set_read(socket_method, read_socket);
        (void)BIO_meth_set_write(socket_method, write_socket);
        (void)BIO_meth_set_ctrl(socket_method, control_socket);
    }
}

static BIO *bio_of(struct sp_tls *tls)
{
    BIO *bio = NULL;
    if (CRYPTO_THREAD_run_once(&socket_once, make_method) == 1 &&
        socket_method != NULL) {
        bio = BIO_new(socket_method);
    }
    if (bio != NULL) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

// ---- Making one -------------------------------------------------------------------

snakepit_err sp_tls_new(struct sp_tls_context *context, int fd, struct sp_tls **tls)
{
    struct sp_tls *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->fd = fd;
    ERR_clear_error();
    SSL_CTX *now = sp_tls_context_now(context);
    made->ssl = SSL_new(now);
    SSL_CTX_free(now);
    BIO *bio = made->ssl != NULL ? bio_of(made) : NULL;
    if (bio == NULL) {
        ERR_clear_error();
        sp_tls_free(made);
        return SNAKEPIT_NO_MEMORY;
    }
    SSL_set_bio(made->ssl, bio, bio);
    SSL_set_accept_state(made->ssl);
    *tls = made;
    return SNAKEPIT_OK;
}

void sp_tls_free(struct sp_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        sp_free(tls->subject);
        sp_free(tls);
    }
}

// ---- The handshake ----------------------------------------------------------------

// What an error of OpenSSL's means here. The reason is a constant text of the library.
static const char *reason_of_error(const struct sp_tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    unsigned long error = ERR_peek_error();
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED &&
        verified != X509_V_OK) {
        return X509_verify_cert_error_string(verified);
    }
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
    return reason != NULL ? reason : "the connection broke";
}

static enum sp_tls_step fail(struct sp_tls *tls, int why)
{
    bool gone = why == SSL_ERROR_ZERO_RETURN ||
                (why == SSL_ERROR_SYSCALL && tls->failure == NULL);
    bool letter = tls->seen > 0 && tls->head[0] >= 'A' && tls->head[0] <= 'Z';
    if (tls->failure == NULL) {
        tls->failure = reason_of_error(tls);
    }
    tls->broken = true;
    ERR_clear_error();
    return letter ? SP_TLS_IS_HTTP : gone ? SP_TLS_LEFT : SP_TLS_FAILED;
}

// NULL: it is kept. Else why the client is refused: a part of what is too long could be
// the name of another.
static const char *keep_subject(struct sp_tls *tls, const char *text, size_t size)
{
    if (size >= SP_TLS_SUBJECT_SIZE) {
        return "the subject of its certificate is longer than 255 bytes";
    }
    tls->subject = sp_alloc(size + 1);
    if (tls->subject == NULL) {
        return "no memory is left";
    }
    memcpy(tls->subject, text, size);
    return NULL;
}

static const char *write_subject(struct sp_tls *tls, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const char *failure = "no memory is left";
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) >= 0) {
        long size = BIO_get_mem_data(bio, &text);
        failure = keep_subject(tls, text, (size_t)size);
    }
    BIO_free(bio);
    return failure;
}

static enum sp_tls_step finish_handshake(struct sp_tls *tls)
{
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate != NULL) {
        tls->failure = write_subject(tls, certificate);
    }
    if (tls->failure != NULL) {
        ERR_clear_error();
        return SP_TLS_FAILED;
    }
    tls->open = true;
    return SP_TLS_OPEN;
}

enum sp_tls_step sp_tls_shake_hands(struct sp_tls *tls)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    int why = SSL_get_error(tls->ssl, rc);
    tls->read_wants_write = why == SSL_ERROR_WANT_WRITE;
    if (rc == 1) {
        return finish_handshake(tls);
    }
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? SP_TLS_WAITS
                                                                     : fail(tls, why);
}

const char *sp_tls_failure(const struct sp_tls *tls)
{
    return tls->failure;
}

const char *sp_tls_subject(const struct sp_tls *tls)
{
    return tls->subject;
}

enum sp_alpn sp_tls_alpn(const struct sp_tls *tls)
{
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    if (size == 0) {
        return SP_ALPN_NONE;
    }
    return size == 2 && memcmp(name, "h2", 2) == 0 ? SP_ALPN_HTTP_2 : SP_ALPN_HTTP_1;
}

// ---- Reading ----------------------------------------------------------------------

// Why a step took nothing: -1 and errno, or 0 for the end.
static ssize_t explain(struct sp_tls *tls, bool *wants_other, int other)
{
    int why = SSL_get_error(tls->ssl, 0);
    *wants_other = why == other;
    if (why == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    tls->broken = true;
    ERR_clear_error();
    errno = EPROTO;
    return -1;
}

static ssize_t read_some(struct sp_tls *tls, void *room, size_t size)
{
    size_t got = 0;
    ERR_clear_error();
    tls->dry = false;
    tls->skipped = false;
    if (SSL_read_ex(tls->ssl, room, size, &got) == 1) {
        tls->read_wants_write = false;
        return (ssize_t)got;
    }
    ssize_t failed = explain(tls, &tls->read_wants_write, SSL_ERROR_WANT_WRITE);
    tls->skipped = failed < 0 && errno == EAGAIN;
    return failed;
}

// Goes on while more is there, or is likely to come: a full record rarely comes alone.
ssize_t sp_tls_receive(struct sp_tls *tls, void *room, size_t size, bool buffered)
{
    size_t count = 0;
    ssize_t got = 0;
    bool more = true;
    tls->tap_shut = buffered;
    while (more) {
        got = read_some(tls, (char *)room + count, size - count);
        count += got > 0 ? (size_t)got : 0;
        more = got > 0 && count < size &&
               ((size_t)got == RECORD || SSL_has_pending(tls->ssl) == 1);
    }
    tls->left = count > 0 && (got == 0 || (got < 0 && errno != EAGAIN));
    tls->tap_shut = false;
    return count > 0 ? (ssize_t)count : got;
}

// OpenSSL from 3.2 on does not count what it keeps for the next keys. So after a record
// that was not for us there may be more, as long as the socket was not found empty.
bool sp_tls_is_pending(const struct sp_tls *tls)
{
    bool more = tls->skipped || SSL_has_pending(tls->ssl) == 1;
    return tls->left || (more && !tls->dry && !tls->read_wants_write);
}

// ---- Writing ----------------------------------------------------------------------

static ssize_t write_part(struct sp_tls *tls, const struct iovec *part)
{
    size_t count = 0;
    size_t sent = 1;
    while (count < part->iov_len && sent > 0) {
        sent = 0;
        ERR_clear_error();
        if (SSL_write_ex(tls->ssl,
                         (const char *)part->iov_base + count,
                         part->iov_len - count,
                         &sent) == 1) {
            count += sent;
            tls->write_wants_read = false;
        }
    }
    if (count == 0) {
        return explain(tls, &tls->write_wants_read, SSL_ERROR_WANT_READ);
    }
    return (ssize_t)count;
}

ssize_t sp_tls_send(struct sp_tls *tls, const struct iovec *parts, size_t count)
{
    ssize_t all = 0;
    for (size_t i = 0; i < count; i++) {
        ssize_t sent = write_part(tls, &parts[i]);
        if (sent < 0) {
            return all > 0 ? all : sent;
        }
        all += sent;
        if ((size_t)sent < parts[i].iov_len) {
            break;
        }
    }
    return all;
}

bool sp_tls_finish(struct sp_tls *tls)
{
    if (!tls->open || tls->broken) {
        return true;
    }
    ERR_clear_error();
    int rc = SSL_shutdown(tls->ssl);
    bool waits = rc < 0 && SSL_get_error(tls->ssl, rc) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    return !waits;
}

// ---- Events -----------------------------------------------------------------------

unsigned sp_tls_to_watch(const struct sp_tls *tls, unsigned wanted)
{
    unsigned others = wanted & ~(unsigned)(SP_WATCH_READ | SP_WATCH_WRITE);
    if ((wanted & SP_WATCH_READ) != 0) {
        others |= tls->read_wants_write ? SP_WATCH_WRITE : SP_WATCH_READ;
    }
    if ((wanted & SP_WATCH_WRITE) != 0) {
        others |= tls->write_wants_read ? SP_WATCH_READ : SP_WATCH_WRITE;
    }
    return others;
}

unsigned sp_tls_to_tell(const struct sp_tls *tls, unsigned happened)
{
    bool reads = (happened & SP_WATCH_READ) != 0;
    bool writes = (happened & SP_WATCH_WRITE) != 0;
    return happened | (writes && tls->read_wants_write ? SP_WATCH_READ : 0U) |
           (reads && tls->write_wants_read ? SP_WATCH_WRITE : 0U);
}
