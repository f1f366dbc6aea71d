// SPDX-License-Identifier: MIT
// Calls that are answered as a whole. Each has one answer: what the tool returned, its
// fault, or none because its client has gone, which cancels it.
#include "front/api_call.h"

#include "base/memory.h"
#include "front/api_events.h"
#include "front/api_reply.h"
#include "front/api_track.h"
#include "front/grant.h"

// Owner: the loop of its exchange. Freed when the call has been reported.
struct call {
    struct sp_exchange *exchange; // NULL: nobody waits any more
    snakepit *pit;
    struct sp_api_track track;
    struct sp_api_form form;
};

// Nothing of the daemon may be there any more when nobody waits: the pit reports what
// is left when it closes.
static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    (void)err; // is that of the answer
    if (call->exchange != NULL) {
        sp_api_track_end(&call->track);
        call->form.answer(call->exchange, answer, call->form.as, call->track.text);
    }
    snakepit_answer_free(answer);
    sp_free(call);
}

static void on_gone(void *user)
{
    struct call *call = user;
    call->exchange = NULL;
    sp_api_track_end(&call->track);
    (void)snakepit_cancel(call->pit, call->track.id);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// Makes the call that waits for what will be submitted. NULL: it was refused.
static struct call *new_call(struct sp_exchange *exchange,
                             const struct sp_api_ask *ask,
                             struct sp_api_form form)
{
    struct call *call = sp_alloc(sizeof *call);
    if (call == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return NULL;
    }
    call->exchange = exchange;
    call->pit = sp_api_of(exchange)->pit;
    call->form = form;
    if (!sp_api_track_begin(&call->track, exchange, ask)) {
        sp_free(call);
        return NULL;
    }
    return call;
}

// After it was submitted, or refused. Nothing reports on this loop before the handler
// has returned.
static void begin(struct call *call,
                  const struct sp_api_ask *ask,
                  snakepit_err err,
                  snakepit_call_id id)
{
    if (err != SNAKEPIT_OK) {
        sp_api_track_end(&call->track);
        sp_api_refuse_call(call->exchange, &call->track, ask, err);
        sp_free(call);
        return;
    }
    sp_api_track_set(&call->track, id);
    call->exchange->user = call;
    call->exchange->listener = &listener;
}

void sp_api_submit(struct sp_exchange *exchange,
                   struct sp_api_ask *ask,
                   struct sp_api_form form)
{
    snakepit_call_id id = 0;
    struct call *call = new_call(exchange, ask, form);
    if (call != NULL) {
        snakepit_err err = snakepit_submit(
            call->pit, ask->tool, ask->args, &ask->options, on_done, call, &id);
        begin(call, ask, err, id);
    }
}

void sp_api_submit_tools(struct sp_exchange *exchange,
                         struct sp_api_ask *ask,
                         struct sp_api_form form)
{
    snakepit_call_id id = 0;
    struct call *call = new_call(exchange, ask, form);
    if (call != NULL) {
        snakepit_err err =
            snakepit_submit_tools(call->pit, &ask->options, on_done, call, &id);
        begin(call, ask, err, id);
    }
}

snakepit_err sp_api_cancel_named(const struct sp_exchange *exchange, const char *name)
{
    struct sp_api *api = sp_api_of(exchange);
    const snakepit_call_id id =
        sp_call_name_find(&api->names, sp_grant_owner(exchange->grant), name);
    return id == 0 ? SNAKEPIT_NOT_FOUND : snakepit_cancel(api->pit, id);
}

// ---- Over HTTP ------------------------------------------------------------------

static struct sp_api_form form_of(enum sp_media media)
{
    return (struct sp_api_form){.answer = sp_api_reply_answer, .as = media};
}

void sp_api_call(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api_ask ask;
    const enum sp_media media =
        sp_api_choose(exchange, SP_MEDIA_JSON | SP_MEDIA_MSGPACK | SP_MEDIA_EVENTS);
    if (media == SP_MEDIA_NONE) {
        return;
    }
    if (sp_api_ask_read(exchange, params, &ask)) {
        if (media == SP_MEDIA_EVENTS) {
            sp_api_stream(exchange, &ask, &sp_api_events);
        } else {
            sp_api_submit(exchange, &ask, form_of(media));
        }
    }
    sp_api_ask_fini(&ask);
}

void sp_api_tools(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api_ask ask;
    const enum sp_media media =
        sp_api_choose(exchange, SP_MEDIA_JSON | SP_MEDIA_MSGPACK);
    if (media != SP_MEDIA_NONE &&
        sp_api_ask_about_pool(exchange, params->of[0], &ask)) {
        sp_api_submit_tools(exchange, &ask, form_of(media));
    }
}

void sp_api_cancel(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_err err = sp_api_cancel_named(exchange, params->of[0]);
    if (err == SNAKEPIT_OK) {
        sp_api_accepted(exchange);
        return;
    }
    sp_api_fail(exchange,
                err,
                err == SNAKEPIT_NOT_FOUND
                    ? "there is no such call under way; it may have ended"
                    : NULL);
}
