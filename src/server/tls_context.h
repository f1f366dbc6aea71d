// SPDX-License-Identifier: MIT
// What a listener speaks TLS with: its certificate, the key of that, and who may have
// signed the certificates of its clients. The files can be read again while it serves.
#ifndef SERVER_TLS_CONTEXT_H
#define SERVER_TLS_CONTEXT_H

#include <stddef.h>

#include <snakepit/payload.h>

#include "config/config.h"

struct sp_tls_context;
struct ssl_ctx_st; // SSL_CTX

typedef void sp_tls_warning_fn(void *user, const char *warning);

// Reads the files of item `listener` of `serve.listen`. Keeps `config`. INVALID_CONFIG:
// a file that is not there or that cannot be read, one that holds something else, a key
// with a passphrase, or one of another certificate; `why` names the file, its key in
// the configuration, and what to do. NO_MEMORY.
snakepit_err sp_tls_context_open(const struct sp_tls_config *config,
                                 size_t listener,
                                 struct sp_tls_context **context,
                                 snakepit_message *why);
// Once none of its connections is left. NULL is fine.
void sp_tls_context_free(struct sp_tls_context *context);

// Reads the files once more; what is made of them is used by nobody yet, and ends by
// sp_tls_context_take(), for connections that begin from then on, or _discard(), for
// which NULL is fine. Errors as above. Any thread.
snakepit_err sp_tls_context_prepare(const struct sp_tls_context *context,
                                    struct ssl_ctx_st **made,
                                    snakepit_message *why);
void sp_tls_context_take(struct sp_tls_context *context, struct ssl_ctx_st *made);
void sp_tls_context_discard(struct ssl_ctx_st *made);
// Tells what is odd, in a sentence each: a certificate that has expired or is not valid
// yet, a key that everybody may read. Any thread.
void sp_tls_context_warn(struct sp_tls_context *context,
                         sp_tls_warning_fn *warn,
                         void *user);

// What a connection that begins now goes by, with a reference of its own. Any thread.
struct ssl_ctx_st *sp_tls_context_now(struct sp_tls_context *context);

#endif
