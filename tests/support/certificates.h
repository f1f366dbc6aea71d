// SPDX-License-Identifier: MIT
// Keys and certificates that are made on the spot, and a client that uses them.
#ifndef SUPPORT_CERTIFICATES_H
#define SUPPORT_CERTIFICATES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"

#define CERTIFICATES static __attribute__((unused))

#define CERTIFICATES_DAY 86400L

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

CERTIFICATES void forget_identity(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    *identity = (struct identity){0};
}

CERTIFICATES void allow_to_sign(X509 *certificate)
{
    X509_EXTENSION *may =
        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    SP_CHECK(may != NULL && X509_add_ext(certificate, may, -1) == 1);
    X509_EXTENSION_free(may);
}

// Valid from `from` to `until`, in days from now. `issuer` NULL: signed by itself, and
// may sign others.
CERTIFICATES struct identity
make_identity(const char *name, const struct identity *issuer, long from, long until)
{
    static long serial = 1;
    struct identity made = {EVP_EC_gen("P-256"), X509_new()};
    SP_CHECK(made.key != NULL && made.certificate != NULL);
    X509 *certificate = made.certificate;
    X509_NAME *subject = X509_get_subject_name(certificate);
    const unsigned char *text = (const unsigned char *)name;
    SP_CHECK(X509_set_version(certificate, 2) == 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), from * CERTIFICATES_DAY);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), until * CERTIFICATES_DAY);
    SP_CHECK(
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
    SP_CHECK(X509_set_pubkey(certificate, made.key) == 1);
    if (issuer == NULL) {
        allow_to_sign(certificate);
    }
    const struct identity *by = issuer != NULL ? issuer : &made;
    SP_CHECK(
        X509_set_issuer_name(certificate, X509_get_subject_name(by->certificate)) == 1);
    SP_CHECK(X509_sign(certificate, by->key, EVP_sha256()) > 0);
    return made;
}

CERTIFICATES void write_certificate(const char *path, const struct identity *identity)
{
    FILE *file = fopen(path, "w");
    SP_CHECK(file != NULL && PEM_write_X509(file, identity->certificate) == 1);
    SP_CHECK(fclose(file) == 0);
}

// `passphrase` NULL: without.
CERTIFICATES void
write_key(const char *path, const struct identity *identity, const char *passphrase)
{
    FILE *file = fopen(path, "w");
    const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_128_cbc() : NULL;
    SP_CHECK(file != NULL);
    SP_CHECK(PEM_write_PKCS8PrivateKey(file,
                                       identity->key,
                                       cipher,
                                       NULL,
                                       0,
                                       NULL,
                                       (void *)(uintptr_t)passphrase) == 1);
    SP_CHECK(fclose(file) == 0);
}

// A client of one version, or of any (0), which trusts everybody and shows `identity`,
// unless that is NULL.
CERTIFICATES SSL_CTX *make_client(int version, const struct identity *identity)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SP_CHECK(client != NULL);
    SP_CHECK(SSL_CTX_set_min_proto_version(client, version) == 1);
    SP_CHECK(SSL_CTX_set_max_proto_version(client, version) == 1);
    if (identity != NULL) {
        SP_CHECK(SSL_CTX_use_certificate(client, identity->certificate) == 1);
        SP_CHECK(SSL_CTX_use_PrivateKey(client, identity->key) == 1);
    }
    return client;
}

#endif
