// SPDX-License-Identifier: MIT
// The public functions of sessions, and what the pit does when one ends: its ties to
// workers go, then the program is told.
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "base/callback.h"
#include "base/clock.h"
#include "base/thread.h"
#include "ipc/layout.h"
#include "payload/keys.h"
#include "payload/writer.h"
#include "pit/ask.h"
#include "pit/pit.h"
#include "pit/refuse.h"

#define PAGE_MOST 10000u // sessions

// ---- What the sessions ask of the pit -----------------------------------------

static void on_ended(void *user, struct sp_slice session, snakepit_session_end reason)
{
    snakepit *pit = user;
    char name[SP_SESSION_MAX + 1];
    sp_host_tools_end_session(&pit->tools, session);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_end_session(
            pit->pools[i]->pool, (const char *)session.data, (uint32_t)session.size);
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
        if (sp_pool_runs_session(pit->pools[i]->pool,
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
    struct sp_sessions_options options = {.key = pit->hash_key, .now = sp_clock_coarse};
    if (!sp_pit_is_connected(pit)) { // else the daemon has them
        options.ttl_ms = pit->config->session_ttl_ms;
        options.most = pit->config->max_sessions;
        options.quota = pit->config->session_quota;
        options.memory = pit->config->session_memory;
    }
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

// OK, or why a session cannot keep the value.
static snakepit_err check_value(const snakepit_writer *value, snakepit_message *why)
{
    snakepit_message wrong;
    if (value == NULL) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the value is NULL; give a writer that holds one");
    }
    snakepit_err err = snakepit_writer_error(value);
    if (err != SNAKEPIT_OK) {
        (void)snakepit_writer_explain(value, &wrong);
        return sp_refuse(why, err, "the value: %.960s", wrong.text);
    }
    if (value->tensor_count > 0) {
        return sp_refuse(why,
                         SNAKEPIT_UNSERIALISABLE,
                         "the value holds a tensor, which a session cannot keep; write "
                         "its bytes");
    }
    const struct sp_slice bytes = {value->buf.data, value->buf.size};
    err = sp_keys_check(bytes, &wrong);
    return err == SNAKEPIT_OK ? err
                              : sp_refuse(why, err, "the value: %.960s", wrong.text);
}

// Why the sessions did not take it.
static snakepit_err
refuse_value(const snakepit *pit, snakepit_err err, size_t bytes, snakepit_message *why)
{
    const struct sp_sessions_options *limits = &pit->sessions.options;
    switch (err) {
    case SNAKEPIT_QUOTA_EXCEEDED:
        return sp_refuse(
            why,
            err,
            "the value's %zu bytes do not fit: a session keeps %llu at most "
            "(session_quota), and all of them %llu (session_memory); delete "
            "values, or raise these",
            bytes,
            (unsigned long long)limits->quota,
            (unsigned long long)limits->memory);
    case SNAKEPIT_SATURATED:
        return sp_refuse(why,
                         err,
                         "there are %llu sessions already, as max_sessions allows, and "
                         "all have calls under way; end some, or raise it",
                         (unsigned long long)limits->most);
    default:
        return sp_refuse(why, err, "%s", snakepit_err_text(err));
    }
}

snakepit_err snakepit_session_put(snakepit *pit,
                                  const char *session_id,
                                  const char *key,
                                  const snakepit_writer *value,
                                  const snakepit_put_options *options)
{
    SP_UNCANCELLED;
    snakepit_put_options room;
    struct sp_session_place place;
    const char *wrong;
    options = sp_options_read(options, sizeof room, &room, &wrong);
    if (wrong != NULL) {
        return SNAKEPIT_INVALID_ARGUMENT; // nor is there a valid place for a sentence
    }
    snakepit_message *why = options == NULL ? NULL : options->why;
    snakepit_err err = check_place(pit, session_id, key, &place, why);
    err = err == SNAKEPIT_OK ? check_value(value, why) : err;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const uint32_t ttl_ms = options == NULL ? 0 : options->ttl_ms;
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {
            .session = session_id, .key = key, .ttl_ms = ttl_ms, .value = value};
        return sp_ask_do(pit, "session_put", &asked, why);
    }
    const struct sp_slice bytes = {value->buf.data, value->buf.size};
    err = sp_sessions_put(&pit->sessions, &place, bytes, ttl_ms);
    return err == SNAKEPIT_OK ? err : refuse_value(pit, err, bytes.size, why);
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

// Gives what a daemon says to a question for a value.
static snakepit_err ask_value(snakepit *pit,
                              const char *what,
                              const struct sp_asked *asked,
                              snakepit_answer **answer)
{
    struct sp_buf body;
    snakepit_message why = {{0}};
    snakepit_err err = sp_ask_value(pit, what, asked, &body, &why);
    return give(err, why.text[0] != '\0' ? why.text : NULL, &body, answer);
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
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.session = session_id, .key = key};
        return ask_value(pit, "session_get", &asked, answer);
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
    if (err == SNAKEPIT_OK && sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.session = session_id, .key = key};
        return sp_ask_do(pit, "session_delete", &asked, NULL);
    }
    return err == SNAKEPIT_OK ? sp_sessions_delete(&pit->sessions, &place) : err;
}

// Gives what was written, and frees the writer.
static snakepit_err give_written(snakepit_err err,
                                 snakepit_writer *writer,
                                 const char *session,
                                 snakepit_answer **answer)
{
    struct sp_buf body = {0};
    snakepit_message why;
    err = err == SNAKEPIT_OK ? snakepit_writer_error(writer) : err;
    if (err == SNAKEPIT_OK) {
        body = writer->buf;
        writer->buf = (struct sp_buf){0};
    }
    snakepit_writer_free(writer);
    (void)sp_refuse(
        &why, err, "there is no session \"%s\"", session == NULL ? "" : session);
    return give(err, err == SNAKEPIT_NOT_FOUND ? why.text : NULL, &body, answer);
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
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.session = session_id};
        return ask_value(pit, "session_list", &asked, answer);
    }
    snakepit_writer *keys = snakepit_writer_new();
    err = keys == NULL ? SNAKEPIT_NO_MEMORY
                       : sp_sessions_list(&pit->sessions, session, keys);
    return give_written(err, keys, session_id, answer);
}

snakepit_err snakepit_sessions(snakepit *pit,
                               const char *after,
                               uint32_t most,
                               snakepit_answer **answer)
{
    SP_UNCANCELLED;
    struct sp_slice behind = {0};
    struct sp_buf body = {0};
    snakepit_message why = {{0}};
    if (answer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    // A name that is always right, where none is meant.
    snakepit_err err = check_session(pit, after == NULL ? "-" : after, &behind, &why);
    if (err == SNAKEPIT_OK && (most == 0 || most > PAGE_MOST)) {
        err = sp_refuse(&why,
                        SNAKEPIT_INVALID_ARGUMENT,
                        "a page has 1 to %u sessions, not %" PRIu32,
                        PAGE_MOST,
                        most);
    }
    if (err != SNAKEPIT_OK) {
        return give(err, why.text, &body, answer);
    }
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.after = after, .most = most};
        return ask_value(pit, "sessions", &asked, answer);
    }
    behind.size = after == NULL ? 0 : behind.size;
    snakepit_writer *page = snakepit_writer_new();
    err = page == NULL ? SNAKEPIT_NO_MEMORY
                       : sp_sessions_page(&pit->sessions, behind, most, page);
    return give_written(err, page, after, answer);
}

snakepit_err snakepit_session_close(snakepit *pit, const char *session_id)
{
    SP_UNCANCELLED;
    struct sp_slice session = {0};
    snakepit_err err = check_session(pit, session_id, &session, NULL);
    if (err == SNAKEPIT_OK && sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.session = session_id};
        err = sp_ask_do(pit, "session_close", &asked, NULL);
        if (err == SNAKEPIT_OK) {
            sp_host_tools_end_session(&pit->tools, session);
        }
        return err;
    }
    return err == SNAKEPIT_OK ? sp_sessions_end(&pit->sessions, session) : err;
}
