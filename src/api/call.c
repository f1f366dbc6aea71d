// SPDX-License-Identifier: MIT
// Calls that are answered as a whole. Each has one answer: what the tool returned, its
// fault, or none because its client has gone, which cancels it.
#include "api/call.h"

#include <string.h>

#include "api/ask.h"
#include "api/events.h"
#include "api/gate.h"
#include "api/large.h"
#include "api/reply.h"
#include "api/track.h"
#include "base/memory.h"
#include "pit/calls.h"
#include "server/grant.h"
#include "server/server.h"

// Owner: the loop of its exchange. Freed when the call has been reported.
struct call {
    struct sp_exchange *exchange; // NULL: nobody waits any more
    struct sp_blocks *blocks;     // of its loop, where it is from; NULL: not any more
    snakepit *pit;
    struct sp_api_track track;
    struct sp_api_form form;
    bool reading;            // its arguments: it may be reported before that is known
    snakepit_answer *answer; // until it is sent
    struct sp_api_result result;
    struct sp_offload_work work;      // that makes a large result
    struct sp_unfinished *unfinished; // once nobody waits
};

static void give_back(struct call *call)
{
    if (call->blocks != NULL) {
        sp_blocks_give(call->blocks, call, sizeof *call);
    } else {
        sp_free(call);
    }
}

static void drop_form(const struct sp_api_form *form)
{
    if (form->over != NULL) {
        form->over(form->own);
    }
}

// The same where there may be no form.
static void drop_unused(const struct sp_api_form *form)
{
    if (form != NULL) {
        drop_form(form);
    }
}

static void free_call(struct call *call)
{
    drop_form(&call->form);
    sp_buf_fini(&call->result.room);
    snakepit_answer_free(call->answer);
    sp_unfinished_end(call->unfinished);
    give_back(call);
}

// ---- Its end --------------------------------------------------------------------

static void make_result(struct sp_offload_work *work)
{
    struct call *call = SP_ENTRY(work, struct call, work);
    call->form.make(&call->result, call->answer, call->form.as);
}

static void send_result(struct sp_offload_work *work)
{
    struct call *call = SP_ENTRY(work, struct call, work);
    if (call->exchange != NULL) {
        sp_api_track_end(&call->track);
        call->form.send(call->exchange,
                        &call->result,
                        call->answer,
                        call->form.as,
                        call->track.text);
    }
    free_call(call);
}

static void answer_call(struct call *call)
{
    const bool waits = call->exchange != NULL;
    if (waits && call->form.make != NULL && sp_api_result_is_large(call->answer)) {
        call->work.run = make_result;
        call->work.done = send_result;
        sp_offload_do(call->exchange->loop, &call->work);
        return;
    }
    if (waits) {
        sp_api_track_end(&call->track);
        call->form.answer(
            call->exchange, call->answer, call->form.as, call->track.text);
    }
    free_call(call);
}

// Nothing of the daemon may be there any more when nobody waits: the pit reports what
// is left when it closes.
static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    (void)err; // is that of the answer
    call->answer = answer;
    if (!call->reading) {
        answer_call(call);
    }
}

static void on_gone(void *user)
{
    struct call *call = user;
    call->unfinished = sp_unfinished_begin(call->exchange);
    call->exchange = NULL;
    call->blocks = NULL;
    sp_api_track_end(&call->track);
    (void)snakepit_cancel(call->pit, call->track.id);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// ---- Its beginning --------------------------------------------------------------

// Makes the call that waits for what will be submitted. NULL: it was refused.
static struct call *new_call(struct sp_exchange *exchange,
                             const struct sp_api_ask *ask,
                             struct sp_api_form form)
{
    struct sp_blocks *blocks = &exchange->loop->blocks;
    struct call *call = sp_blocks_take(blocks, sizeof *call);
    if (call == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        drop_form(&form);
        return NULL;
    }
    memset(call, 0, sizeof *call);
    call->exchange = exchange;
    call->blocks = blocks;
    call->pit = sp_api_of(exchange)->pit;
    call->form = form;
    call->result.own = form.own;
    if (!sp_api_track_begin(&call->track, exchange, ask)) {
        drop_form(&form);
        give_back(call);
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
        drop_form(&call->form);
        give_back(call);
        return;
    }
    if (sp_api_track_set(&call->track, id)) {
        (void)snakepit_cancel(call->pit, id);
    }
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

// A call of somebody else, by its number, for who administers its pool. 0: there is
// none.
static snakepit_call_id find_administered(const struct sp_exchange *exchange,
                                          const char *number)
{
    uint64_t id = 0;
    if (!sp_api_number(sp_slice_of_text(number), 1, UINT64_MAX, &id)) {
        return 0;
    }
    const char *pool = sp_pit_pool_of_call(sp_api_of(exchange)->pit, id);
    return pool != NULL && sp_api_may(exchange, SP_ACCESS_ADMIN, pool) ? id : 0;
}

snakepit_err sp_api_cancel_named(const struct sp_exchange *exchange, const char *name)
{
    struct sp_api *api = sp_api_of(exchange);
    bool later;
    snakepit_call_id id =
        sp_call_name_cancel(&api->names, sp_grant_owner(exchange->grant), name, &later);
    if (later) {
        return SNAKEPIT_OK;
    }
    id = id == 0 ? find_administered(exchange, name) : id;
    return id == 0 ? SNAKEPIT_NOT_FOUND : snakepit_cancel(api->pit, id);
}

static struct sp_api_form form_of(enum sp_media media)
{
    return (struct sp_api_form){.answer = sp_api_reply_answer,
                                .as = media,
                                .make = sp_api_result_make,
                                .send = sp_api_reply_result};
}

// ---- Large arguments ------------------------------------------------------------

struct large_call {
    struct sp_api_large large;
    struct sp_params params;
    struct sp_api_ask ask;
    struct call *call; // NULL: it is a stream
    snakepit_err submitted;
    snakepit_call_id id;
};

static struct large_call *large_call_of(struct sp_api_large *large)
{
    return SP_ENTRY(large, struct large_call, large);
}

static snakepit_err submit_large(struct large_call *waits, snakepit_writer *args)
{
    return snakepit_submit(waits->call->pit,
                           waits->ask.tool,
                           args,
                           &waits->ask.options,
                           on_done,
                           waits->call,
                           &waits->id);
}

// To submit it copies the arguments. Streams are submitted on their loop, as are calls
// whose body names a session, which only the loop can tell from those of others.
static snakepit_err use_arguments(struct sp_api_large *large)
{
    struct large_call *waits = large_call_of(large);
    struct sp_api_ask *ask = &waits->ask;
    snakepit_err err = sp_api_holds_args(large->value, &large->why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (waits->call == NULL || ask->names_session) {
        ask->args = large->value;
        large->value = NULL;
        return SNAKEPIT_OK;
    }
    waits->submitted = submit_large(waits, large->value);
    return SNAKEPIT_OK;
}

// Nobody waits, or the arguments were refused.
static void drop_call(struct large_call *waits)
{
    struct call *call = waits->call;
    sp_api_track_end(&call->track);
    call->exchange = NULL;
    call->blocks = NULL;
    if (waits->large.err != SNAKEPIT_OK || waits->submitted != SNAKEPIT_OK ||
        call->answer != NULL || waits->ask.names_session) {
        free_call(call);
    } else {
        (void)snakepit_cancel(call->pit, waits->id);
    }
}

static void begin_read(struct large_call *waits)
{
    struct call *call = waits->call;
    call->reading = false;
    if (sp_api_large_is_over(&waits->large)) {
        drop_call(waits);
        return;
    }
    if (waits->ask.names_session) {
        if (!sp_api_ask_take_session(call->exchange, &waits->ask)) {
            drop_call(waits);
            return;
        }
        waits->submitted = submit_large(waits, waits->ask.args);
    }
    begin(call, &waits->ask, waits->submitted, waits->id);
    if (waits->submitted == SNAKEPIT_OK && call->answer != NULL) {
        answer_call(call);
    }
}

// Its token may have been taken back meanwhile.
static void begin_stream(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    exchange->grant = sp_grant_of(exchange);
    if (exchange->grant == NULL) {
        sp_api_refuse(exchange, 401, "the token is not good any more");
    } else {
        sp_api_stream(exchange, ask, &sp_api_events);
    }
}

static void arguments_are_read(struct sp_api_large *large)
{
    struct large_call *waits = large_call_of(large);
    if (waits->call != NULL) {
        begin_read(waits);
    } else if (!sp_api_large_is_over(large)) {
        begin_stream(large->exchange, &waits->ask);
    }
    sp_api_ask_fini(&waits->ask);
    sp_free(waits);
}

static const struct sp_api_large_ops arguments = {
    .what = SP_API_ARGUMENTS, .use = use_arguments, .done = arguments_are_read};

// `form` NULL: it is a stream.
static void begin_large(struct sp_exchange *exchange,
                        const struct sp_params *params,
                        const struct sp_api_form *form,
                        const struct sp_api_large_ops *ops)
{
    struct large_call *waits = sp_alloc(sizeof *waits);
    if (waits == NULL) {
        drop_unused(form);
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    waits->params = *params;
    bool read = sp_api_ask_begin(exchange, waits->params.of[0], &waits->ask);
    waits->ask.tool = waits->params.of[1];
    if (!read) {
        drop_unused(form);
    } else if (form != NULL) {
        waits->call = new_call(exchange, &waits->ask, *form);
        read = waits->call != NULL;
    }
    if (!read) {
        sp_free(waits);
        return;
    }
    if (waits->call != NULL) {
        waits->call->reading = true;
    }
    sp_api_large_begin(&waits->large, exchange, ops);
}

// ---- Bodies that a door reads itself ------------------------------------------------

static snakepit_err read_by_form(struct sp_api_large *large)
{
    struct large_call *waits = large_call_of(large);
    const struct sp_api_form *form = &waits->call->form;
    return form->read(form->own, &large->body, &waits->ask, large->value, &large->why);
}

static const struct sp_api_large_ops bodies = {.what = SP_API_REQUEST,
                                               .read = read_by_form,
                                               .use = use_arguments,
                                               .done = arguments_are_read};

// False: it was refused.
static bool read_small(struct sp_exchange *exchange,
                       struct sp_api_ask *ask,
                       const struct sp_api_form *form)
{
    const struct sp_body body = sp_api_body_of(exchange);
    ask->args = snakepit_writer_new();
    snakepit_err err = ask->args == NULL
                           ? SNAKEPIT_NO_MEMORY
                           : form->read(form->own, &body, ask, ask->args, &ask->why);
    if (err != SNAKEPIT_OK) {
        sp_api_refuse_body(exchange, err, SP_API_REQUEST, &ask->why);
    }
    return err == SNAKEPIT_OK && sp_api_ask_take_session(exchange, ask);
}

void sp_api_submit_body(struct sp_exchange *exchange,
                        const struct sp_params *params,
                        struct sp_api_form form)
{
    struct sp_api_ask ask;
    if (sp_api_is_large(exchange)) {
        begin_large(exchange, params, &form, &bodies);
        return;
    }
    bool read = sp_api_ask_begin(exchange, params->of[0], &ask);
    ask.tool = params->of[1];
    read = read && read_small(exchange, &ask, &form);
    if (read) {
        sp_api_submit(exchange, &ask, form);
    } else {
        drop_form(&form);
    }
    sp_api_ask_fini(&ask);
}

// ---- Over HTTP ------------------------------------------------------------------

void sp_api_call(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api_ask ask;
    const enum sp_media media =
        sp_api_choose(exchange, SP_MEDIA_JSON | SP_MEDIA_MSGPACK | SP_MEDIA_EVENTS);
    if (media == SP_MEDIA_NONE) {
        return;
    }
    if (sp_api_is_large(exchange)) {
        const struct sp_api_form form = form_of(media);
        begin_large(
            exchange, params, media == SP_MEDIA_EVENTS ? NULL : &form, &arguments);
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
