// SPDX-License-Identifier: MIT
// Sessions and their values. All of these take only memory and locks.
#include <stdio.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/large.h"
#include "api/reply.h"
#include "base/memory.h"
#include "http/percent.h"
#include "payload/pairs.h"
#include "payload/writer.h"

#define TTL_MOST UINT32_MAX
#define VALUE    "the value"

// Its keys, which are one value, as a member.
static void write_keys(snakepit_writer *writer, const snakepit_answer *answer)
{
    snakepit_reader keys;
    snakepit_answer_reader(answer, &keys);
    snakepit_writer_str(writer, "keys");
    sp_writer_value(writer, (struct sp_slice){keys.at, (size_t)(keys.end - keys.at)});
}

void sp_api_session(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_answer *answer;
    char room[SP_GRANT_SESSION_SIZE];
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    snakepit_err err =
        snakepit_session_list(sp_api_of(exchange)->pit, session, &answer);
    if (err == SNAKEPIT_OK) {
        snakepit_writer *writer = snakepit_writer_new();
        snakepit_writer_map(writer, 2);
        sp_pair_text(writer, "session", params->of[0]);
        write_keys(writer, answer);
        sp_api_reply_value(exchange, writer);
        snakepit_writer_free(writer);
    } else {
        sp_api_fault(exchange, snakepit_answer_fault(answer), 0, NULL);
    }
    snakepit_answer_free(answer);
}

void sp_api_list_sessions(struct sp_exchange *exchange,
                          const char *after,
                          uint32_t limit,
                          snakepit_answer **answer)
{
    *answer = NULL;
    if (sp_api_admit_to_all(exchange, SP_ACCESS_ADMIN)) {
        (void)snakepit_sessions(sp_api_of(exchange)->pit,
                                after,
                                limit == 0 ? SP_SESSIONS_PAGE : limit,
                                answer);
        if (*answer == NULL) {
            sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        }
    }
}

void sp_api_sessions(struct sp_exchange *exchange, const struct sp_params *params)
{
    char after[SP_PARAM_SIZE];
    uint64_t limit = 0;
    snakepit_answer *answer;
    const struct sp_slice query = exchange->request.query;
    const struct sp_slice behind = sp_query_find(query, "after");
    const struct sp_slice most = sp_query_find(query, "limit");
    (void)params;
    if (behind.data != NULL && !sp_percent_decode(behind, after, sizeof after)) {
        sp_api_fail(exchange,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "after is badly encoded, or longer than 255 bytes");
        return;
    }
    if (most.data != NULL && !sp_api_number(most, 1, SP_SESSIONS_MOST, &limit)) {
        sp_api_fail(
            exchange, SNAKEPIT_INVALID_ARGUMENT, "limit is not a number of 1 to 1000");
        return;
    }
    const enum sp_media media =
        sp_api_choose(exchange, SP_MEDIA_JSON | SP_MEDIA_MSGPACK);
    if (media == SP_MEDIA_NONE) {
        return;
    }
    sp_api_list_sessions(
        exchange, behind.data == NULL ? NULL : after, (uint32_t)limit, &answer);
    if (answer != NULL) {
        sp_api_reply_answer(exchange, answer, media, NULL);
        snakepit_answer_free(answer);
    }
}

static void end_with(struct sp_exchange *exchange, snakepit_err err, const char *what)
{
    if (err == SNAKEPIT_OK) {
        sp_api_done(exchange);
    } else {
        sp_api_fail(exchange, err, err == SNAKEPIT_NOT_FOUND ? what : NULL);
    }
}

void sp_api_end_session(struct sp_exchange *exchange, const struct sp_params *params)
{
    char room[SP_GRANT_SESSION_SIZE];
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    snakepit_message why;
    (void)snprintf(
        why.text, sizeof why.text, "there is no session \"%s\"", params->of[0]);
    end_with(
        exchange, snakepit_session_close(sp_api_of(exchange)->pit, session), why.text);
}

void sp_api_get_value(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_answer *answer;
    char room[SP_GRANT_SESSION_SIZE];
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    const enum sp_media media =
        sp_api_choose(exchange, SP_MEDIA_JSON | SP_MEDIA_MSGPACK);
    if (media == SP_MEDIA_NONE) {
        return;
    }
    (void)snakepit_session_get(
        sp_api_of(exchange)->pit, session, params->of[1], &answer);
    sp_api_reply_answer(exchange, answer, media, NULL);
    snakepit_answer_free(answer);
}

// False: it was refused.
static bool read_ttl(struct sp_exchange *exchange, uint32_t *ttl_ms)
{
    uint64_t number = 0;
    const struct sp_slice value = sp_query_find(exchange->request.query, "ttl_ms");
    if (value.data != NULL && !sp_api_number(value, 1, TTL_MOST, &number)) {
        sp_api_fail(exchange,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "ttl_ms is not a number of 1 to 4294967295");
        return false;
    }
    *ttl_ms = (uint32_t)number;
    return true;
}

static void
end_keep(struct sp_exchange *exchange, snakepit_err err, const snakepit_message *why)
{
    if (err == SNAKEPIT_OK) {
        sp_api_done(exchange);
    } else {
        sp_api_fail(exchange, err, why->text);
    }
}

void sp_api_keep(struct sp_exchange *exchange,
                 const struct sp_params *params,
                 const snakepit_writer *value,
                 uint32_t ttl_ms)
{
    snakepit_message why = {{0}};
    const snakepit_put_options options = {
        .size = sizeof options, .why = &why, .ttl_ms = ttl_ms};
    char room[SP_GRANT_SESSION_SIZE];
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    snakepit_err err = snakepit_session_put(
        sp_api_of(exchange)->pit, session, params->of[1], value, &options);
    end_keep(exchange, err, &why);
}

// A value that is large.
struct large_value {
    struct sp_api_large large;
    snakepit *pit;
    char session[SP_GRANT_SESSION_SIZE];
    char key[SP_PARAM_SIZE];
    snakepit_put_options options;
    snakepit_err put;
    snakepit_message why;
};

static struct large_value *large_value_of(struct sp_api_large *large)
{
    return SP_ENTRY(large, struct large_value, large);
}

static snakepit_err use_value(struct sp_api_large *large)
{
    struct large_value *waits = large_value_of(large);
    waits->put = snakepit_session_put(
        waits->pit, waits->session, waits->key, large->value, &waits->options);
    return SNAKEPIT_OK;
}

static void value_is_read(struct sp_api_large *large)
{
    struct large_value *waits = large_value_of(large);
    if (!sp_api_large_is_over(large)) {
        end_keep(large->exchange, waits->put, &waits->why);
    }
    sp_free(waits);
}

static const struct sp_api_large_ops values = {
    .what = VALUE, .use = use_value, .done = value_is_read};

static void keep_large(struct sp_exchange *exchange,
                       const struct sp_params *params,
                       uint32_t ttl_ms)
{
    char room[SP_GRANT_SESSION_SIZE];
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    struct large_value *waits = sp_alloc(sizeof *waits);
    if (waits == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    waits->pit = sp_api_of(exchange)->pit;
    (void)snprintf(waits->session, sizeof waits->session, "%s", session);
    (void)snprintf(waits->key, sizeof waits->key, "%s", params->of[1]);
    waits->options = (snakepit_put_options){
        .size = sizeof waits->options, .why = &waits->why, .ttl_ms = ttl_ms};
    sp_api_large_begin(&waits->large, exchange, &values);
}

void sp_api_put_value(struct sp_exchange *exchange, const struct sp_params *params)
{
    uint32_t ttl_ms = 0;
    if (!read_ttl(exchange, &ttl_ms)) {
        return;
    }
    if (sp_api_is_large(exchange)) {
        keep_large(exchange, params, ttl_ms);
        return;
    }
    snakepit_writer *value = sp_api_read_body(exchange, VALUE);
    if (value != NULL) {
        sp_api_keep(exchange, params, value, ttl_ms);
    }
    snakepit_writer_free(value);
}

void sp_api_delete_value(struct sp_exchange *exchange, const struct sp_params *params)
{
    char room[SP_GRANT_SESSION_SIZE];
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    snakepit_message why;
    (void)snprintf(why.text,
                   sizeof why.text,
                   "there is no session \"%s\", or it has no value \"%s\"",
                   params->of[0],
                   params->of[1]);
    end_with(exchange,
             snakepit_session_delete(sp_api_of(exchange)->pit, session, params->of[1]),
             why.text);
}
