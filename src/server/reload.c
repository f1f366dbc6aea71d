// SPDX-License-Identifier: MIT
// What the listeners read while the daemon serves: certificates and tokens. What is odd
// about certificates is logged.
#include <stdio.h>

#include "base/memory.h"

#include "server/inside.h"
#include "telemetry/notice.h"

static void warn(void *user, const char *warning)
{
    const struct sp_log *log = user;
    sp_log(log, serve_certificate, .because = warning);
}

static void warn_of(const struct sp_server *server, const struct sp_door *door)
{
    struct sp_log log = *server->options.log;
    if (door->tls != NULL) {
        sp_tls_context_warn(door->tls, warn, &log);
    }
}

void sp_server_warn_of_certificates(const struct sp_server *server)
{
    for (size_t i = 0; i < server->doors.count; i++) {
        warn_of(server, &server->doors.items[i]);
    }
}

// ---- Tokens -----------------------------------------------------------------------

static void log_tokens(const struct sp_server *server,
                       const struct sp_door *door,
                       snakepit_err err,
                       const snakepit_message *why)
{
    struct sp_token_store *store = door->tokens;
    const struct sp_log *log = server->options.log;
    if (log == NULL) {
        return;
    }
    if (err == SNAKEPIT_OK) {
        sp_log(log,
               serve_tokens,
               .listen = door->address,
               .file = store->path,
               .tokens = sp_token_store_count(store));
    } else {
        sp_log(log,
               serve_tokens_kept,
               .listen = door->address,
               .file = store->path,
               .because = why->text,
               .then = "the previous tokens stay in force");
    }
}

void sp_server_look_at_tokens(struct sp_server *server)
{
    for (size_t i = 0; i < server->doors.count; i++) {
        snakepit_message why = {{0}};
        const struct sp_door *door = &server->doors.items[i];
        struct sp_token_store *store = door->tokens;
        if (store != NULL && sp_token_store_is_stale(store)) {
            snakepit_err err = sp_token_store_reread(store, &why);
            log_tokens(server, door, err, &why);
        }
    }
}

// ---- Reading again ----------------------------------------------------------------

// Of one listener: read, and not used yet.
struct fresh {
    struct ssl_ctx_st *tls;
    struct sp_token_fresh tokens;
};

static snakepit_err prepare_certificate(const struct sp_server *server,
                                        const struct sp_door *door,
                                        struct fresh *fresh,
                                        snakepit_message *why)
{
    snakepit_err err = sp_tls_context_prepare(door->tls, &fresh->tls, why);
    if (err == SNAKEPIT_NO_MEMORY) {
        (void)snprintf(why->text, sizeof why->text, "no memory is left");
    }
    if (err != SNAKEPIT_OK) {
        sp_log(server->options.log,
               serve_certificate_kept,
               .listen = door->address,
               .because = why->text,
               .then = "the previous one stays in use");
    }
    return err;
}

static void take_certificate(const struct sp_server *server,
                             const struct sp_door *door,
                             struct fresh *fresh)
{
    sp_tls_context_take(door->tls, fresh->tls);
    sp_log(server->options.log,
           serve_certificate_reread,
           .listen = door->address,
           .file = door->config->tls.certificate);
    warn_of(server, door);
}

static snakepit_err prepare(const struct sp_server *server,
                            const struct sp_door *door,
                            struct fresh *fresh,
                            snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    if (door->tls != NULL) {
        err = prepare_certificate(server, door, fresh, why);
    }
    if (err == SNAKEPIT_OK && door->tokens != NULL) {
        err = sp_token_store_prepare(door->tokens, &fresh->tokens, why);
        if (err != SNAKEPIT_OK) {
            log_tokens(server, door, err, why);
        }
    }
    return err;
}

static void
take(const struct sp_server *server, const struct sp_door *door, struct fresh *fresh)
{
    const snakepit_message none = {{0}};
    if (door->tls != NULL) {
        take_certificate(server, door, fresh);
    }
    if (door->tokens != NULL) {
        sp_token_store_take(door->tokens, &fresh->tokens);
        log_tokens(server, door, SNAKEPIT_OK, &none);
    }
}

static void discard(struct fresh *fresh)
{
    sp_tls_context_discard(fresh->tls);
    sp_token_fresh_discard(&fresh->tokens);
}

snakepit_err
sp_server_reload(struct sp_server *server, const char *path, snakepit_message *why)
{
    const size_t count = server->doors.count;
    struct fresh *fresh = sp_alloc_array(count + 1, sizeof *fresh);
    if (fresh == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        err = prepare(server, &server->doors.items[i], &fresh[i], why);
    }
    if (err == SNAKEPIT_OK && path != NULL) {
        err = snakepit_reload_file(server->options.pit, path, NULL, why);
    }
    for (size_t i = 0; i < count; i++) {
        if (err == SNAKEPIT_OK) {
            take(server, &server->doors.items[i], &fresh[i]);
        } else {
            discard(&fresh[i]);
        }
    }
    sp_free(fresh);
    return err;
}
