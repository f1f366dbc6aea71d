// SPDX-License-Identifier: MIT
// The files are read one by one, and each into memory of OpenSSL's own, so that what is
// wrong can be said of that file. What connections go by is one SSL_CTX, which is never
// changed: another one takes its place.
#include "server/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/memory.h"

// TLS 1.2 with forward secrecy and authenticated encryption, as RFC 9113 wants it; TLS
// 1.3 has nothing else.
#define CIPHERS           "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CERTIFICATES_MOST 32768u // bytes of those that a client shows
#define TICKETS           1u     // for each connection
#define SENTENCE          512u

struct sp_tls_context {
    const struct sp_tls_config *config;
    size_t listener;
    pthread_mutex_t lock;
    SSL_CTX *now; // Guarded by `lock`.
};

// ---- What goes wrong --------------------------------------------------------------

// One file of a listener, as it is spoken of.
struct file {
    const struct sp_tls_context *context;
    const char *key; // in the configuration
    const char *path;
};

static void describe(const struct file *file, char *room, size_t size, const char *what)
{
    (void)snprintf(room,
                   size,
                   "serve.listen[%zu].tls.%s: %s %s",
                   file->context->listener,
                   file->key,
                   file->path,
                   what);
}

static snakepit_err
refuse(const struct file *file, snakepit_message *why, const char *what)
{
    describe(file, why->text, sizeof why->text, what);
    ERR_clear_error();
    return SNAKEPIT_INVALID_CONFIG;
}

static bool is_memory(unsigned long error)
{
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
}

// What OpenSSL says of a file that it does not take.
static snakepit_err
refuse_as_it_is(const struct file *file, snakepit_message *why, const char *then)
{
    char what[SENTENCE];
    unsigned long error = ERR_peek_last_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
    if (is_memory(error)) {
        ERR_clear_error();
        return SNAKEPIT_NO_MEMORY;
    }
    (void)snprintf(what,
                   sizeof what,
                   "cannot be used: %s; %s",
                   reason != NULL ? reason : "unknown reason",
                   then);
    return refuse(file, why, what);
}

// NULL, with errno, ENOTSUP for what is neither a file nor a folder: a pipe without a
// writer must not hold up whoever reads.
static FILE *open_regular(const char *path)
{
    struct stat found;
    FILE *stream = NULL;
    int fd = sp_descriptor_keep(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd < 0 || fstat(fd, &found) != 0) {
        sp_descriptor_close(&fd);
        return NULL;
    }
    if (S_ISREG(found.st_mode)) {
        stream = fdopen(fd, "r");
    } else {
        errno = S_ISDIR(found.st_mode) ? EISDIR : ENOTSUP;
    }
    if (stream == NULL) {
        const int error = errno;
        sp_descriptor_close(&fd);
        errno = error;
    }
    return stream;
}

static snakepit_err open_file(const struct file *file, BIO **bio, snakepit_message *why)
{
    char what[SENTENCE];
    char reason[128];
    FILE *stream = open_regular(file->path);
    const int error = errno;
    if (stream != NULL) {
        *bio = BIO_new_fp(stream, BIO_CLOSE);
        if (*bio == NULL) {
            (void)fclose(stream);
            ERR_clear_error();
            return SNAKEPIT_NO_MEMORY;
        }
        return SNAKEPIT_OK; // NOLINT(clang-analyzer-unix.Stream): the BIO closes it
    }
    if (error == ENOMEM) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (error == ENOTSUP) {
        return refuse(file, why, "is not a regular file; name one in PEM");
    }
    (void)snprintf(what,
                   sizeof what,
                   "cannot be read: %s; %s",
                   strerror_r(error, reason, sizeof reason),
                   error == EACCES ? "let the user of the daemon read it"
                                   : "name a file that is there");
    return refuse(file, why, what);
}

// A daemon has nobody to ask. `user` notes that it would have had to, or is NULL.
static int note_passphrase(char *room, int size, int writes, void *user)
{
    bool *asked = user;
    (void)writes;
    if (size > 0) {
        room[0] = '\0';
    }
    if (asked != NULL) {
        *asked = true;
    }
    return -1;
}

// The next one of the file; NULL: there is none, or it is damaged.
static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, note_passphrase, NULL);
}

// ---- The certificate --------------------------------------------------------------

static snakepit_err
use_chain(SSL_CTX *made, BIO *bio, const struct file *file, snakepit_message *why)
{
    static const char then[] = "make another one";
    X509 *own = next_certificate(bio);
    if (own == NULL) {
        return refuse(file,
                      why,
                      "holds no certificate in PEM; name the file that begins with "
                      "-----BEGIN CERTIFICATE-----");
    }
    int used = SSL_CTX_use_certificate(made, own);
    X509_free(own);
    if (used != 1) {
        return refuse_as_it_is(file, why, then);
    }
    X509 *above;
    while ((above = next_certificate(bio)) != NULL) {
        if (SSL_CTX_add0_chain_cert(made, above) != 1) {
            X509_free(above);
            return refuse_as_it_is(file, why, then);
        }
    }
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
        return refuse_as_it_is(file, why, "one of its certificates is damaged");
    }
    ERR_clear_error();
    return SNAKEPIT_OK;
}

static snakepit_err use_certificate(const struct sp_tls_context *context,
                                    SSL_CTX *made,
                                    snakepit_message *why)
{
    const struct file file = {context, "certificate", context->config->certificate};
    BIO *bio;
    snakepit_err err = open_file(&file, &bio, why);
    if (err == SNAKEPIT_OK) {
        err = use_chain(made, bio, &file, why);
        BIO_free(bio);
    }
    return err;
}

// ---- The key ----------------------------------------------------------------------

static snakepit_err
read_key(BIO *bio, const struct file *file, EVP_PKEY **key, snakepit_message *why)
{
    bool asked = false;
    char what[SENTENCE];
    *key = PEM_read_bio_PrivateKey(bio, NULL, note_passphrase, &asked);
    if (*key != NULL) {
        return SNAKEPIT_OK;
    }
    if (asked) {
        (void)snprintf(what,
                       sizeof what,
                       "has a passphrase, for which a daemon can ask nobody; take it "
                       "off: openssl pkey -in %s -out plain.pem",
                       file->path);
        return refuse(file, why, what);
    }
    return refuse(file,
                  why,
                  "holds no private key in PEM; name the file that has a line such as "
                  "-----BEGIN PRIVATE KEY-----");
}

static snakepit_err use_read_key(const struct sp_tls_context *context,
                                 SSL_CTX *made,
                                 const struct file *file,
                                 EVP_PKEY *key,
                                 snakepit_message *why)
{
    char what[SENTENCE];
    if (X509_check_private_key(SSL_CTX_get0_certificate(made), key) != 1) {
        (void)snprintf(what,
                       sizeof what,
                       "is not the key of the certificate %s; name the two that were "
                       "made together",
                       context->config->certificate);
        return refuse(file, why, what);
    }
    return SSL_CTX_use_PrivateKey(made, key) == 1
               ? SNAKEPIT_OK
               : refuse_as_it_is(file, why, "make another one, and its certificate");
}

static snakepit_err
use_key(const struct sp_tls_context *context, SSL_CTX *made, snakepit_message *why)
{
    const struct file file = {context, "key", context->config->key};
    EVP_PKEY *key = NULL;
    BIO *bio;
    snakepit_err err = open_file(&file, &bio, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = read_key(bio, &file, &key, why);
    if (err == SNAKEPIT_OK) {
        err = use_read_key(context, made, &file, key, why);
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    return err;
}

// ---- Clients ----------------------------------------------------------------------

static snakepit_err trust(SSL_CTX *made, X509 *signer)
{
    // The store may have it already, which is fine.
    bool trusted = X509_STORE_add_cert(SSL_CTX_get_cert_store(made), signer) == 1 &&
                   SSL_CTX_add_client_CA(made, signer) == 1;
    return trusted ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static snakepit_err
trust_all(SSL_CTX *made, BIO *bio, const struct file *file, snakepit_message *why)
{
    size_t count = 0;
    X509 *signer;
    snakepit_err err = SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && (signer = next_certificate(bio)) != NULL) {
        err = trust(made, signer);
        X509_free(signer);
        count++;
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
        return refuse_as_it_is(file, why, "one of its certificates is damaged");
    }
    ERR_clear_error();
    return count > 0 ? SNAKEPIT_OK
                     : refuse(file,
                              why,
                              "holds no certificate in PEM; name the file of those "
                              "that sign the certificates of clients");
}

// Tickets would let a client go on for hours after its certificate has ended.
static snakepit_err
ask_clients(const struct sp_tls_context *context, SSL_CTX *made, snakepit_message *why)
{
    const struct file file = {context, "client_ca", context->config->client_ca};
    BIO *bio;
    if (file.path == NULL) {
        return SNAKEPIT_OK;
    }
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    // Who is listed signs for itself, whoever has signed it.
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(made),
                                      X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_max_cert_list(made, CERTIFICATES_MOST);
    (void)SSL_CTX_set_options(made, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_num_tickets(made, 0);
    snakepit_err err = open_file(&file, &bio, why);
    if (err == SNAKEPIT_OK) {
        err = trust_all(made, bio, &file, why);
        BIO_free(bio);
    }
    return err;
}

// ---- Making one -------------------------------------------------------------------

// A client that offers protocols, and none of these, is refused: it may believe that it
// talks to somebody else (ALPACA).
// NOLINTNEXTLINE(readability-function-size): as OpenSSL calls it
static int choose_protocol(SSL *ssl,
                           const unsigned char **chosen,
                           unsigned char *size,
                           const unsigned char *offered,
                           unsigned offered_size,
                           void *user)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1\x08http/1.0";
    unsigned char *found;
    (void)ssl;
    (void)user;
    if (SSL_select_next_proto(
            &found, size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

// A turn of the loop reads a record at a time, whatever that is, and an idle connection
// has no buffers.
static void set_behaviour(SSL_CTX *made)
{
    (void)SSL_CTX_set_options(made,
                              SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                  SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(made,
                           SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_clear_mode(made, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(made, 1);
    // Sessions are kept by clients alone, in tickets.
    (void)SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(made, TICKETS);
    (void)SSL_CTX_set_session_id_context(
        made, (const unsigned char *)"snakepit", sizeof "snakepit" - 1);
    SSL_CTX_set_alpn_select_cb(made, choose_protocol, NULL);
}

static snakepit_err
make(const struct sp_tls_context *context, SSL_CTX **made, snakepit_message *why)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return SNAKEPIT_NO_MEMORY;
    }
    set_behaviour(ctx);
    snakepit_err err = use_certificate(context, ctx, why);
    err = err == SNAKEPIT_OK ? use_key(context, ctx, why) : err;
    err = err == SNAKEPIT_OK ? ask_clients(context, ctx, why) : err;
    ERR_clear_error();
    if (err != SNAKEPIT_OK) {
        SSL_CTX_free(ctx);
        return err;
    }
    *made = ctx;
    return SNAKEPIT_OK;
}

snakepit_err sp_tls_context_open(const struct sp_tls_config *config,
                                 size_t listener,
                                 struct sp_tls_context **context,
                                 snakepit_message *why)
{
    struct sp_tls_context *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->config = config;
    made->listener = listener;
    SP_CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    snakepit_err err = make(made, &made->now, why);
    if (err != SNAKEPIT_OK) {
        sp_tls_context_free(made);
        return err;
    }
    *context = made;
    return SNAKEPIT_OK;
}

void sp_tls_context_free(struct sp_tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->now);
        (void)pthread_mutex_destroy(&context->lock);
        sp_free(context);
    }
}

// ---- While it serves --------------------------------------------------------------

SSL_CTX *sp_tls_context_now(struct sp_tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    SSL_CTX *now = context->now;
    (void)SSL_CTX_up_ref(now);
    pthread_mutex_unlock(&context->lock);
    return now;
}

snakepit_err sp_tls_context_prepare(const struct sp_tls_context *context,
                                    SSL_CTX **made,
                                    snakepit_message *why)
{
    return make(context, made, why);
}

void sp_tls_context_take(struct sp_tls_context *context, SSL_CTX *made)
{
    pthread_mutex_lock(&context->lock);
    SSL_CTX *before = context->now;
    context->now = made;
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(before);
}

void sp_tls_context_discard(SSL_CTX *made)
{
    SSL_CTX_free(made);
}

// The day of `time` behind `words`.
static void warn_of(const struct file *file,
                    const char *words,
                    const ASN1_TIME *time,
                    snakepit_message *said)
{
    char what[SENTENCE];
    struct tm day = {0};
    (void)ASN1_TIME_to_tm(time, &day);
    (void)snprintf(what,
                   sizeof what,
                   "%s %04d-%02d-%02d: clients refuse it; put another one in its "
                   "place",
                   words,
                   day.tm_year + 1900,
                   day.tm_mon + 1,
                   day.tm_mday);
    describe(file, said->text, sizeof said->text, what);
}

void sp_tls_context_warn(struct sp_tls_context *context,
                         sp_tls_warning_fn *warn,
                         void *user)
{
    const struct file certificate = {
        context, "certificate", context->config->certificate};
    const struct file key = {context, "key", context->config->key};
    SSL_CTX *now = sp_tls_context_now(context);
    const X509 *own = SSL_CTX_get0_certificate(now);
    const ASN1_TIME *begin = X509_get0_notBefore(own);
    const ASN1_TIME *end = X509_get0_notAfter(own);
    snakepit_message said;
    struct stat found;
    if (X509_cmp_current_time(end) < 0) {
        warn_of(&certificate, "has expired on", end, &said);
        warn(user, said.text);
    }
    if (X509_cmp_current_time(begin) > 0) {
        warn_of(&certificate, "is not valid before", begin, &said);
        warn(user, said.text);
    }
    if (stat(key.path, &found) == 0 && (found.st_mode & S_IROTH) != 0) {
        describe(&key,
                 said.text,
                 sizeof said.text,
                 "can be read by every user of this machine; chmod o= takes that away");
        warn(user, said.text);
    }
    SSL_CTX_free(now);
}
