// SPDX-License-Identifier: MIT
// An address that other machines reach is refused unless it says how they are kept out:
// lesson 33.
#include "config/listener.h"

static snakepit_err parse_address(struct sp_listener_config *listener,
                                  size_t line,
                                  const struct sp_place *place)
{
    snakepit_message why;
    struct sp_place where = line != 0 ? sp_place_key(place, "address", line) : *place;
    return sp_address_parse(listener->address, where.directory, &listener->parsed, &why)
               ? SNAKEPIT_OK
               : sp_problem(&where, "%s", why.text);
}

static snakepit_err check_mode(const struct sp_listener_config *listener,
                               size_t line,
                               const struct sp_place *place)
{
    struct sp_place where = sp_place_key(place, "mode", line);
    return line == 0 || listener->parsed.kind == SP_ADDRESS_UNIX
               ? SNAKEPIT_OK
               : sp_problem(&where,
                            "only a Unix socket has permissions; remove this, or "
                            "listen on \"unix:PATH\"");
}

static snakepit_err check_users(const struct sp_listener_config *listener,
                                size_t line,
                                const struct sp_place *place)
{
    struct sp_place where = sp_place_key(place, "users", line);
    const struct sp_texts *users = &listener->users;
    if (line == 0) {
        return SNAKEPIT_OK;
    }
    // Which socket systemd has opened, the daemon sees.
    if (listener->parsed.kind != SP_ADDRESS_UNIX &&
        listener->parsed.kind != SP_ADDRESS_SYSTEMD) {
        return sp_problem(&where,
                          "only a Unix socket knows the users of its clients; remove "
                          "this, or listen on \"unix:PATH\"");
    }
    return users->count > 0 ? SNAKEPIT_OK
                            : sp_problem(&where,
                                         "expected at least one user; remove this, and "
                                         "`mode` alone says who may call");
}

// Who a client is, the kernel says; what crosses shared memory nobody else sees.
static snakepit_err check_door(const struct sp_listener_config *listener,
                               size_t line,
                               const struct sp_place *place)
{
    struct sp_place where = sp_place_key(place, "door", line);
    if (listener->door != SP_LISTENER_LOCAL) {
        return SNAKEPIT_OK;
    }
    if (listener->parsed.kind != SP_ADDRESS_UNIX) {
        return sp_problem(&where,
                          "only a Unix socket can be a local door; listen on "
                          "\"unix:PATH\", or remove this");
    }
    return listener->tls.certificate == NULL && listener->tokens == NULL
               ? SNAKEPIT_OK
               : sp_problem(&where,
                            "a local door knows its clients by `mode` and `users`; "
                            "remove `tls` and `tokens`");
}

static snakepit_err check_trust(const struct sp_listener_config *listener,
                                const struct sp_place *place)
{
    char shown[SP_QUOTED_MAX];
    bool encrypts = listener->tls.certificate != NULL;
    bool knows_clients = listener->tokens != NULL || listener->tls.client_ca != NULL;
    if (listener->parsed.kind == SP_ADDRESS_SYSTEMD ||
        sp_address_is_local(&listener->parsed) || (encrypts && knows_clients)) {
        return SNAKEPIT_OK;
    }
    return sp_problem(place,
                      "other machines reach %s, so it needs `tls`, and `tokens` or "
                      "`client_ca`; without them listen on 127.0.0.1, [::1] or "
                      "unix:PATH",
                      sp_quote(listener->address, shown));
}

snakepit_err sp_listener_finish(struct sp_listener_config *listener,
                                const struct sp_listener_lines *lines,
                                const struct sp_place *place)
{
    snakepit_err err = parse_address(listener, lines->address, place);
    err = err != SNAKEPIT_OK ? err : check_mode(listener, lines->mode, place);
    err = err != SNAKEPIT_OK ? err : check_users(listener, lines->users, place);
    err = err != SNAKEPIT_OK ? err : check_door(listener, lines->door, place);
    return err != SNAKEPIT_OK ? err : check_trust(listener, place);
}

snakepit_err sp_listeners_check_last(const struct sp_listeners *listeners,
                                     const struct sp_place *place)
{
    const struct sp_listener_config *last = &listeners->items[listeners->count - 1];
    for (size_t i = 0; i + 1 < listeners->count; i++) {
        if (sp_address_clashes(&listeners->items[i].parsed, &last->parsed)) {
            char shown[SP_QUOTED_MAX];
            return sp_problem(place,
                              "listen[%zu] has the address %s already; remove one of "
                              "them",
                              i,
                              sp_quote(last->address, shown));
        }
    }
    return SNAKEPIT_OK;
}
