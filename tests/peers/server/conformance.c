// SPDX-License-Identifier: MIT
// connectrpc.conformance.v1.ConformanceService. The first request of a call says what
// the client is to be answered; each answer is one step, and between two of them is a
// pause, or the wait for another request.
#include <string.h>

#include "base/memory.h"
#include "grpc/reply.h"
#include "peers/server/plan.h"
#include "peers/server/services.h"
#include "server/server.h"
#include "services/call.h"
#include "services/message.h"

#define TYPE "type.googleapis.com/connectrpc.conformance.v1."

// One call. Owner: the loop of its exchange.
struct talk {
    struct sp_grpc_call *call;
    const char *type;          // of its requests
    bool single;               // it has one answer, also where none is asked for
    struct sp_scratch scratch; // requests, and what they are read to
    struct peers_plan plan;
    struct sp_buf requests; // of struct sp_pb_any, since the last answer
    bool planned;           // the first request has come
    bool complete;          // and the last one
    size_t sent;            // answers
    bool rested;            // the pause before the next one is over
    struct sp_timer pause;
};

// ---- Answers --------------------------------------------------------------------

static size_t waiting(const struct talk *talk)
{
    return talk->requests.size / sizeof(struct sp_pb_any);
}

// What is told with the next answer. Of all but the first that is only which requests
// have come, where there are new ones. NULL: nothing, or there was no memory.
static struct sp_conf_info *tell_request(struct talk *talk)
{
    if (talk->sent > 0 && waiting(talk) == 0) {
        return NULL;
    }
    struct sp_conf_info *info = sp_scratch_take(&talk->scratch, sizeof *info);
    if (info == NULL || (talk->sent == 0 &&
                         peers_info(talk->call, &talk->scratch, info) != SNAKEPIT_OK)) {
        return NULL;
    }
    info->requests.items = (void *)talk->requests.data;
    info->requests.count = waiting(talk);
    return info;
}

// False: the call is no more.
static bool send_answer(struct talk *talk, struct sp_slice data)
{
    struct sp_buf frame = {0};
    struct sp_conf_payload payload = {.data = data, .request_info = tell_request(talk)};
    const struct sp_conf_response response = {.payload = &payload};
    snakepit_err err = sp_grpc_append(&frame, &sp_type_conf_response, &response);
    bool there = true;
    talk->sent++;
    talk->rested = false;
    talk->requests.size = 0;
    if (err == SNAKEPIT_OK) {
        there = sp_grpc_send(talk->call, (struct sp_slice){frame.data, frame.size});
    } else {
        sp_grpc_finish(talk->call, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
        there = false;
    }
    sp_buf_fini(&frame);
    return there;
}

static void begin_answer(struct talk *talk)
{
    struct sp_grpc_metadata metadata = {NULL, 0};
    if (!talk->call->begun) {
        (void)peers_metadata(talk->plan.headers, &talk->scratch, &metadata);
        sp_grpc_open_with(talk->call, metadata);
    }
}

static void finish(struct talk *talk)
{
    struct sp_grpc_metadata metadata = {NULL, 0};
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    const struct sp_conf_error *error = talk->plan.error;
    const struct sp_conf_info *info = NULL;
    if (error != NULL && talk->sent == 0) {
        info = tell_request(talk);
    }
    (void)peers_metadata(talk->plan.trailers, &talk->scratch, &metadata);
    if (error != NULL &&
        peers_status(error, info, &talk->scratch, &status) != SNAKEPIT_OK) {
        sp_grpc_status_set(&status, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
    }
    sp_grpc_finish_with(talk->call, &status, metadata);
}

// ---- Steps ----------------------------------------------------------------------

static void go_on(struct talk *talk);

static void on_pause(struct sp_timer *timer)
{
    struct talk *talk = timer->user;
    talk->rested = true;
    go_on(talk);
}

// Whether it is the server's turn.
static bool is_due(const struct talk *talk)
{
    return !sp_timer_runs(&talk->pause) &&
           (talk->complete || (talk->plan.full_duplex && waiting(talk) > 0));
}

// Waits before the next answer, if that is asked for. An error that is the only answer
// is waited for as well.
static bool rests(struct talk *talk, size_t count)
{
    const bool answers = talk->sent < count || (talk->single && talk->sent == 0);
    if (!answers || talk->rested || talk->plan.delay_ms == 0) {
        return false;
    }
    talk->pause.user = talk;
    sp_timer_start(&talk->call->exchange->loop->loop,
                   &talk->pause,
                   on_pause,
                   talk->plan.delay_ms,
                   0);
    return true;
}

// Nothing of the talk may be used when this has returned.
static void go_on(struct talk *talk)
{
    const struct sp_slice none = {NULL, 0};
    bool there = true;
    while (there && is_due(talk)) {
        const bool unasked =
            talk->single && talk->plan.count == 0 && talk->plan.error == NULL;
        const size_t count = unasked ? 1 : talk->plan.count;
        begin_answer(talk);
        if (rests(talk, count)) {
            return;
        }
        if (talk->sent < count) {
            there = send_answer(talk, unasked ? none : talk->plan.answers[talk->sent]);
        } else {
            finish(talk);
            there = false;
        }
    }
}

// ---- Requests -------------------------------------------------------------------

// Keeps a copy of a request; the first one is the plan. MALFORMED, NO_MEMORY.
static snakepit_err
hear(struct talk *talk, struct sp_slice message, snakepit_message *why)
{
    struct sp_pb_any any = {.type_url = sp_slice_of_text(talk->type)};
    uint8_t *copy = sp_scratch_take(&talk->scratch, message.size + 1);
    if (copy == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (message.size > 0) {
        memcpy(copy, message.data, message.size);
    }
    any.value = (struct sp_slice){copy, message.size};
    snakepit_err err = sp_buf_append(&talk->requests, &any, sizeof any);
    if (err == SNAKEPIT_OK && !talk->planned) {
        talk->planned = true;
        err = (talk->single ? peers_plan_single : peers_plan_stream)(
            any.value, &talk->scratch, &talk->plan, why);
    }
    return err;
}

static void on_message(struct sp_grpc_call *call, struct sp_slice message)
{
    struct talk *talk = call->state;
    snakepit_message why = {{0}};
    snakepit_err err = hear(talk, message, &why);
    if (err != SNAKEPIT_OK) {
        sp_grpc_finish(call, SP_GRPC_INTERNAL, why.text);
    } else {
        go_on(talk);
    }
}

static void on_complete(struct sp_grpc_call *call)
{
    struct talk *talk = call->state;
    talk->complete = true;
    go_on(talk);
}

static void on_over(struct sp_grpc_call *call)
{
    struct talk *talk = call->state;
    sp_timer_stop(&talk->pause);
    sp_buf_fini(&talk->requests);
    sp_scratch_fini(&talk->scratch);
    sp_free(talk);
}

// ---- Methods --------------------------------------------------------------------

static bool begin(struct sp_grpc_call *call, const char *type, bool single)
{
    static const struct sp_grpc_holder holder = {
        .message = on_message, .complete = on_complete, .over = on_over};
    struct talk *talk = sp_alloc(sizeof *talk);
    if (talk == NULL) {
        sp_grpc_refuse(
            call->exchange, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
        return false;
    }
    talk->call = call;
    talk->type = type;
    talk->single = single;
    call->state = talk;
    sp_grpc_hold(call, &holder);
    return true;
}

// Of a method that takes one request, which is there.
static void hear_one(struct sp_grpc_call *call, struct sp_slice message)
{
    struct talk *talk = call->state;
    talk->complete = true;
    on_message(call, message);
}

void peers_unary(struct sp_grpc_call *call, struct sp_slice message)
{
    const struct sp_slice path = call->exchange->request.path;
    const bool idempotent = memmem(path.data, path.size, "Idempotent", 10) != NULL;
    if (begin(call,
              idempotent ? TYPE "IdempotentUnaryRequest" : TYPE "UnaryRequest",
              true)) {
        hear_one(call, message);
    }
}

void peers_server_stream(struct sp_grpc_call *call, struct sp_slice message)
{
    if (begin(call, TYPE "ServerStreamRequest", false)) {
        hear_one(call, message);
    }
}

void peers_client_stream(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    (void)begin(call, TYPE "ClientStreamRequest", true);
}

void peers_bidi_stream(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    (void)begin(call, TYPE "BidiStreamRequest", false);
}
