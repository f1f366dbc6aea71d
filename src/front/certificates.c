// SPDX-License-Identifier: MIT
// The certificates of all listeners: what is odd about them is logged, and they are
// read again while the daemon serves.
#include <stdio.h>

#include "front/inside.h"

static void warn(void *user, const char *warning)
{
    const struct sp_log *log = user;
    char quoted[SP_LOG_LINE_MAX / 2];
    sp_log(log,
           SP_LOG_WARNING,
           "serve.certificate",
           "because=%s",
           sp_log_quote(warning, quoted, sizeof quoted));
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

static snakepit_err
reread(struct sp_server *server, const struct sp_door *door, snakepit_message *why)
{
    char quoted[SP_LOG_LINE_MAX / 2];
    snakepit_err err = sp_tls_context_reread(door->tls, why);
    if (err == SNAKEPIT_OK) {
        sp_log(server->options.log,
               SP_LOG_INFO,
               "serve.certificate_reread",
               "listen=%s file=%s",
               door->address,
               sp_log_value(door->config->tls.certificate, quoted, sizeof quoted));
        warn_of(server, door);
        return err;
    }
    if (err == SNAKEPIT_NO_MEMORY) {
        (void)snprintf(why->text, sizeof why->text, "no memory is left");
    }
    sp_log(server->options.log,
           SP_LOG_ERROR,
           "serve.certificate_kept",
           "listen=%s because=%s then=\"the one before stays\"",
           door->address,
           sp_log_quote(why->text, quoted, sizeof quoted));
    return err;
}

snakepit_err sp_server_reread_certificates(struct sp_server *server,
                                           snakepit_message *why)
{
    snakepit_err worst = SNAKEPIT_OK;
    for (size_t i = 0; i < server->doors.count; i++) {
        const struct sp_door *door = &server->doors.items[i];
        snakepit_err err = door->tls != NULL ? reread(server, door, why) : SNAKEPIT_OK;
        worst = err != SNAKEPIT_OK ? err : worst;
    }
    return worst;
}
