// SPDX-License-Identifier: MIT
#include "server/tls_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/certificates.h"

static struct {
    char folder[64];
    char certificate[96];
    char key[96];
    char client_ca[96];
    struct sp_tls_config config;
    struct sp_tls_context *context;
    struct identity own;
    snakepit_message why;
    char warned[1024];
} scene;

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void set_own(long from, long until)
{
    forget_identity(&scene.own);
    scene.own = make_identity("localhost", NULL, from, until);
    write_certificate(scene.certificate, &scene.own);
    write_key(scene.key, &scene.own, NULL);
    assert_int_equal(chmod(scene.key, 0600), 0);
}

static int prepare(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof scene);
    strcpy(scene.folder, "/tmp/snakepit-tls-XXXXXX");
    assert_non_null(mkdtemp(scene.folder));
    (void)snprintf(scene.certificate, sizeof scene.certificate, "%s/c", scene.folder);
    (void)snprintf(scene.key, sizeof scene.key, "%s/k", scene.folder);
    (void)snprintf(scene.client_ca, sizeof scene.client_ca, "%s/ca", scene.folder);
    scene.config =
        (struct sp_tls_config){.certificate = scene.certificate, .key = scene.key};
    set_own(-1, 30);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    sp_tls_context_free(scene.context);
    forget_identity(&scene.own);
    (void)unlink(scene.certificate);
    (void)unlink(scene.key);
    (void)unlink(scene.client_ca);
    return rmdir(scene.folder);
}

static void open_one(void)
{
    if (sp_tls_context_open(&scene.config, 0, &scene.context, &scene.why) !=
        SNAKEPIT_OK) {
        fail_msg("%s", scene.why.text);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

// What is wrong is said with the key, the file and a remedy.
static void expect_refused(const char *key, const char *path, const char *what)
{
    char begin[192];
    struct sp_tls_context *context = NULL;
    assert_int_equal(sp_tls_context_open(&scene.config, 3, &context, &scene.why),
                     SNAKEPIT_INVALID_CONFIG);
    assert_null(context);
    int size = snprintf(begin, sizeof begin, "serve.listen[3].tls.%s: %s ", key, path);
    assert_true(size > 0);
    if (strncmp(scene.why.text, begin, (size_t)size) != 0 ||
        strstr(scene.why.text, what) == NULL || strchr(scene.why.text, ';') == NULL) {
        fail_msg("%s", scene.why.text);
    }
    // Nothing is left for the next one.
    assert_int_equal(ERR_peek_error(), 0);
}

// ---- Files that are not right -----------------------------------------------------

static void files_that_are_not_there_are_named(void **state)
{
    (void)state;
    assert_int_equal(unlink(scene.key), 0);
    expect_refused("key", scene.key, "cannot be read: No such file or directory");
    assert_int_equal(unlink(scene.certificate), 0);
    expect_refused(
        "certificate", scene.certificate, "cannot be read: No such file or directory");
    set_own(-1, 30);
    scene.config.client_ca = scene.client_ca;
    expect_refused("client_ca", scene.client_ca, "No such file or directory");
    scene.config.client_ca = scene.folder;
    expect_refused("client_ca", scene.folder, "Is a directory");
    // Nobody writes to it.
    assert_int_equal(mkfifo(scene.client_ca, 0600), 0);
    scene.config.client_ca = scene.client_ca;
    expect_refused("client_ca", scene.client_ca, "is not a regular file");
}

static void files_that_hold_something_else_are_refused(void **state)
{
    (void)state;
    scene.config.client_ca = scene.client_ca;
    write_text(scene.client_ca, "");
    expect_refused("client_ca", scene.client_ca, "holds no certificate in PEM");
    write_key(scene.client_ca, &scene.own, NULL);
    expect_refused("client_ca", scene.client_ca, "holds no certificate in PEM");
    write_certificate(scene.key, &scene.own);
    expect_refused("key", scene.key, "holds no private key in PEM");
    write_text(scene.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    expect_refused("key", scene.key, "holds no private key in PEM");
    write_text(scene.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    expect_refused("certificate", scene.certificate, "holds no certificate in PEM");
}

static void what_is_damaged_behind_the_first_is_noticed(void **state)
{
    (void)state;
    FILE *file = fopen(scene.certificate, "a");
    assert_non_null(file);
    (void)fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    assert_int_equal(fclose(file), 0);
    expect_refused("certificate", scene.certificate, "is damaged");
}

static void a_passphrase_cannot_be_asked_for(void **state)
{
    (void)state;
    write_key(scene.key, &scene.own, "secret");
    expect_refused("key", scene.key, "has a passphrase");
    expect_refused("key", scene.key, "openssl pkey -in ");
}

static void a_key_belongs_to_its_certificate(void **state)
{
    (void)state;
    struct identity other = make_identity("localhost", NULL, -1, 30);
    write_key(scene.key, &other, NULL);
    forget_identity(&other);
    expect_refused("key", scene.key, "is not the key of the certificate ");
}

static void a_weak_key_is_refused_with_the_reason(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_RSA_gen(512);
    if (key == NULL) {
        skip(); // this OpenSSL makes none
    }
    EVP_PKEY_free(scene.own.key);
    scene.own.key = key;
    assert_int_equal(X509_set_pubkey(scene.own.certificate, key), 1);
    assert_true(X509_sign(scene.own.certificate, key, EVP_sha256()) > 0);
    write_certificate(scene.certificate, &scene.own);
    write_key(scene.key, &scene.own, NULL);
    expect_refused("certificate", scene.certificate, "too small");
}

// ---- What is odd ------------------------------------------------------------------

static void note(void *user, const char *warning)
{
    assert_ptr_equal(user, &scene);
    strncat(scene.warned, warning, sizeof scene.warned - strlen(scene.warned) - 1);
    strncat(scene.warned, "\n", sizeof scene.warned - strlen(scene.warned) - 1);
}

static void expect_warned(const char *what)
{
    scene.warned[0] = '\0';
    sp_tls_context_warn(scene.context, note, &scene);
    if (what == NULL) {
        assert_string_equal(scene.warned, "");
    } else if (strstr(scene.warned, what) == NULL) {
        fail_msg("%s", scene.warned);
    }
}

static void reread(void)
{
    SSL_CTX *made;
    assert_int_equal(sp_tls_context_prepare(scene.context, &made, &scene.why),
                     SNAKEPIT_OK);
    sp_tls_context_take(scene.context, made);
}

static void what_is_odd_is_warned_of(void **state)
{
    (void)state;
    open_one();
    expect_warned(NULL);
    set_own(-9, -2);
    expect_warned(NULL); // not before it is read
    reread();
    expect_warned("serve.listen[0].tls.certificate: ");
    expect_warned(" has expired on 2");
    set_own(2, 9);
    reread();
    expect_warned(" is not valid before 2");
    assert_int_equal(chmod(scene.key, 0604), 0);
    expect_warned("serve.listen[0].tls.key: ");
    expect_warned("can be read by every user");
    set_own(-1, 9);
    assert_int_equal(chmod(scene.key, 0640), 0); // a group is somebody's choice
    reread();
    expect_warned(NULL);
}

// ---- Reading again ----------------------------------------------------------------

static X509 *shown(void)
{
    SSL_CTX *now = sp_tls_context_now(scene.context);
    X509 *certificate = SSL_CTX_get0_certificate(now);
    assert_int_equal(X509_up_ref(certificate), 1);
    SSL_CTX_free(now);
    return certificate;
}

static void expect_shown(const struct identity *identity, bool same)
{
    X509 *certificate = shown();
    assert_int_equal(X509_cmp(certificate, identity->certificate) == 0, same);
    X509_free(certificate);
}

static void what_was_reread_takes_its_place(void **state)
{
    (void)state;
    open_one();
    expect_shown(&scene.own, true);
    set_own(-1, 20);
    expect_shown(&scene.own, false);
    reread();
    expect_shown(&scene.own, true);
}

static void what_cannot_be_reread_stays(void **state)
{
    SSL_CTX *made;
    (void)state;
    open_one();
    write_text(scene.key, "");
    assert_int_equal(sp_tls_context_prepare(scene.context, &made, &scene.why),
                     SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(scene.why.text, "serve.listen[0].tls.key: "));
    expect_shown(&scene.own, true);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    sp_memory_fail_at(1);
    assert_int_equal(sp_tls_context_open(&scene.config, 0, &scene.context, &scene.why),
                     SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    open_one();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        TEST(files_that_are_not_there_are_named),
        TEST(files_that_hold_something_else_are_refused),
        TEST(what_is_damaged_behind_the_first_is_noticed),
        TEST(a_passphrase_cannot_be_asked_for),
        TEST(a_key_belongs_to_its_certificate),
        TEST(a_weak_key_is_refused_with_the_reason),
        TEST(what_is_odd_is_warned_of),
        TEST(what_was_reread_takes_its_place),
        TEST(what_cannot_be_reread_stays),
        TEST(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
