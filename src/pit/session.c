// SPDX-License-Identifier: MIT
// The public functions of sessions, and what the pit does when one ends: its ties to
// workers go, then the program is told.
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/callback.h"
#include "base/clock.h"
#include "base/thread.h"
#include "ipc/layout.h"
#include "payload/keys.h"
#include "payload/writer.h"
#include "pit/pit.h"
#include "pit/refuse.h"

// ---- What the sessions ask of the pit -----------------------------------------

static void on_ended(void *user, struct sp_slice session, snakepit_session_end reason)
{
    snakepit *pit = user;
    char name[SP_SESSION_MAX + 1];
    sp_host_tools_end_session(&pit->tools, session);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_end_session(
            pit->pools[i].pool, (const char *)session.data, (uint32_t)session.size);
    }
    if (pit->session_ended != NULL) {
        memcpy(name, session.data, session.size);
        name[session.size] = 0;
        SP_CALLBACK("the callback `session_ended`");
        pit->session_ended(pit->session_user, name, reason);
        SP_CALLBACK_RETURNED;
    }
}

static bool is_busy(void *user, struct sp_slice session)
{
    const snakepit *pit = user;
    for (size_t i = 0; i < pit->count; i++) {
        if (sp_pool_runs_session(pit->pools[i].pool,
                                 (const char *)session.data,
                                 (uint32_t)session.size)) {
            return true;
        }
    }
    return false;
}

// How a name's bucket is found is not for strangers to know. Without chance it works as
// well.
static struct sp_hash_key new_hash_key(void)
{
    struct sp_hash_key key = {{sp_clock_now(), sp_clock_ticks()}};
    ssize_t got = getrandom(&key, sizeof key, GRND_NONBLOCK);
    (void)got;
    return key;
}

void sp_pit_open_sessions(snakepit *pit)
{
    pit->hash_key = new_hash_key();
    const struct sp_sessions_options options = {
        .ttl_ms = pit->config->session_ttl_ms,
        .most = pit->config->max_sessions,
        .quota = pit->config->session_quota,
        .memory = pit->config->session_memory,
        .key = pit->hash_key,
        .now = sp_clock_coarse,
    };
    const struct sp_sessions_hooks hooks = {
        .ended = on_ended, .busy = is_busy, .wake = sp_pit_watch_sessions, .user = pit};
    sp_sessions_init(&pit->sessions, &options, &hooks);
}

// ---- Checks -------------------------------------------------------------------

// OK, or why a session, and a key where there is one, are none.
static snakepit_err check_session(const snakepit *pit,
                                  const char *session_id,
                                  struct sp_slice *session,
                                  snakepit_message *why)
{
    snakepit_err err = sp_refuse_no_pit(pit, why);
    return err == SNAKEPIT_OK
               ? sp_refuse_no_name("the session_id", session_id, session, why)
               : err;
}

static snakepit_err check_place(const snakepit *pit,
                                const char *session_id,
                                const char *key,
                                struct sp_session_place *place,
                                snakepit_message *why)
{
    snakepit_err err = check_session(pit, session_id, &place->session, why);
    return err == SNAKEPIT_OK ? sp_refuse_no_name("the key", key, &place->key, why)
                              : err;
}

// ---- Values -------------------------------------------------------------------

snakepit_err snakepit_session_put(snakepit *pit,
                                  const char *session_id,
                                  const char *key,
                                  const snakepit_writer *value,
                                  uint32_t ttl_ms)
{
    SP_UNCANCELLED;
    struct sp_session_place place;
    snakepit_err err = check_place(pit, session_id, key, &place, NULL);
    if (err != SNAKEPIT_OK || value == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    err = snakepit_writer_error(value);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (value->tensor_count > 0) {
        return SNAKEPIT_UNSERIALISABLE;
    }
    const struct sp_slice bytes = {value->buf.data, value->buf.size};
    snakepit_message wrong;
    err = sp_keys_check(bytes, &wrong);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    return sp_sessions_put(&pit->sessions, &place, bytes, ttl_ms);
}

// Gives what `body` holds, and takes it, or a fault.
static snakepit_err give(snakepit_err err,
                         const char *message,
                         struct sp_buf *body,
                         snakepit_answer **answer)
{
    const struct sp_failure failure = {.err = err, .message = message};
    struct sp_call *call = sp_call_failed(&failure);
    *answer = call == NULL ? NULL : sp_call_answer(call);
    if (call == NULL) {
        sp_buf_fini(body);
        return err == SNAKEPIT_OK ? SNAKEPIT_NO_MEMORY : err;
    }
    call->large = *body;
    call->body = (struct sp_slice){body->data, err == SNAKEPIT_OK ? body->size : 0};
    return err;
}

static bool session_exists(snakepit *pit, struct sp_slice session)
{
    snakepit_writer *keys = snakepit_writer_new();
    bool exists = keys != NULL &&
                  sp_sessions_list(&pit->sessions, session, keys) != SNAKEPIT_NOT_FOUND;
    snakepit_writer_free(keys);
    return exists;
}

snakepit_err snakepit_session_get(snakepit *pit,
                                  const char *session_id,
                                  const char *key,
                                  snakepit_answer **answer)
{
    SP_UNCANCELLED;
    struct sp_session_place place;
    struct sp_buf body = {0};
    snakepit_message why;
    if (answer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_err err = check_place(pit, session_id, key, &place, &why);
    if (err != SNAKEPIT_OK) {
        return give(err, why.text, &body, answer);
    }
    err = sp_sessions_get(&pit->sessions, &place, &body);
    if (err == SNAKEPIT_NOT_FOUND && session_exists(pit, place.session)) {
        (void)sp_refuse(
            &why, err, "session \"%s\" has no value \"%s\"", session_id, key);
    } else {
        (void)sp_refuse(&why, err, "there is no session \"%s\"", session_id);
    }
    return give(err, err == SNAKEPIT_NOT_FOUND ? why.text : NULL, &body, answer);
}

snakepit_err
snakepit_session_delete(snakepit *pit, const char *session_id, const char *key)
{
    SP_UNCANCELLED;
    struct sp_session_place place;
    snakepit_err err = check_place(pit, session_id, key, &place, NULL);
    return err == SNAKEPIT_OK ? sp_sessions_delete(&pit->sessions, &place) : err;
}

snakepit_err
snakepit_session_list(snakepit *pit, const char *session_id, snakepit_answer **answer)
{
    SP_UNCANCELLED;
    struct sp_slice session = {0};
    struct sp_buf body = {0};
    snakepit_message why;
    if (answer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_err err = check_session(pit, session_id, &session, &why);
    if (err != SNAKEPIT_OK) {
        return give(err, why.text, &body, answer);
    }
    snakepit_writer *keys = snakepit_writer_new();
    err = keys == NULL ? SNAKEPIT_NO_MEMORY
                       : sp_sessions_list(&pit->sessions, session, keys);
    if (err == SNAKEPIT_OK) {
        err = snakepit_writer_error(keys);
    }
    if (err == SNAKEPIT_OK) {
        body = keys->buf;
        keys->buf = (struct sp_buf){0};
    }
    snakepit_writer_free(keys);
    (void)sp_refuse(&why, err, "there is no session \"%s\"", session_id);
    return give(err, err == SNAKEPIT_NOT_FOUND ? why.text : NULL, &body, answer);
}

snakepit_err snakepit_session_close(snakepit *pit, const char *session_id)
{
    SP_UNCANCELLED;
    struct sp_slice session = {0};
    snakepit_err err = check_session(pit, session_id, &session, NULL);
    return err == SNAKEPIT_OK ? sp_sessions_end(&pit->sessions, session) : err;
}
