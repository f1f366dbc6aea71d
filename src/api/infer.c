// SPDX-License-Identifier: MIT
// The Open Inference Protocol over HTTP, with its extension for binary tensors: the
// JSON of a body comes first, and `Inference-Header-Content-Length` says how much it
// is.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/call.h"
#include "api/inside.h"
#include "api/models.h"
#include "api/reply.h"
#include "base/memory.h"
#include "http/problem.h"
#include "inference/outputs.h"

#define HEADER "inference-header-content-length"

// What is asked, until it is answered.
struct asked {
    struct sp_inference_wanted wanted;
    struct sp_inference_outputs outputs;
    size_t head; // bytes of JSON in the body; SIZE_MAX: all of them are
    char model[SP_PARAM_SIZE];
    size_t answer_head; // of the answer; 0: all of it is JSON
    snakepit_message why;
};

static void asked_free(void *own)
{
    struct asked *asked = own;
    sp_inference_outputs_fini(&asked->outputs);
    sp_inference_wanted_fini(&asked->wanted);
    sp_free(asked);
}

// ---- Requests -------------------------------------------------------------------

snakepit_err sp_api_note_settings(const struct sp_inference_settings *settings,
                                  struct sp_api_ask *ask,
                                  snakepit_message *why)
{
    if (settings->timeout_us > 0) {
        const uint64_t ms =
            settings->timeout_us / 1000 + (settings->timeout_us % 1000 != 0 ? 1 : 0);
        ask->options.timeout_ms =
            (uint32_t)(ms < SP_API_TIMEOUT_MOST ? ms : SP_API_TIMEOUT_MOST);
    }
    if (settings->has_priority && settings->priority > SNAKEPIT_MAX_PRIORITY) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the parameter \"priority\" is a number of 0 to 7");
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (settings->has_priority) {
        ask->options.priority = (uint32_t)settings->priority;
    }
    return settings->session.data == NULL
               ? SNAKEPIT_OK
               : sp_api_ask_note_session(ask, settings->session, why);
}

// Any thread.
static snakepit_err read_request(void *own,
                                 const struct sp_body *body,
                                 struct sp_api_ask *ask,
                                 snakepit_writer *args,
                                 snakepit_message *why)
{
    struct asked *asked = own;
    struct sp_inference_request request = {.args = args};
    const size_t head = asked->head == SIZE_MAX ? body->bytes.size : asked->head;
    snakepit_err err =
        sp_inference_read_json(&request, body->bytes, head, body->most_values, why);
    err = err == SNAKEPIT_OK ? sp_api_note_settings(&request.settings, ask, why) : err;
    err = err == SNAKEPIT_OK ? sp_inference_want(&request, asked->model, &asked->wanted)
                             : err;
    if (err == SNAKEPIT_OK) {
        sp_inference_write_arguments(&request);
    }
    sp_inference_request_fini(&request);
    return err;
}

// ---- Answers --------------------------------------------------------------------

// Any thread.
static void
make_answer(struct sp_api_result *result, snakepit_answer *answer, unsigned as)
{
    struct asked *asked = result->own;
    snakepit_reader value;
    size_t head = 0;
    (void)as;
    snakepit_answer_reader(answer, &value);
    result->err =
        sp_inference_gather(&value, &asked->wanted, &asked->outputs, &asked->why);
    if (result->err == SNAKEPIT_OK) {
        result->err = sp_inference_write_json(
            &asked->wanted, &asked->outputs, &result->room, &head, &asked->why);
    }
    asked->answer_head = sp_inference_has_binary(&asked->outputs) ? head : 0;
}

static void send_answer(struct sp_exchange *exchange,
                        struct sp_api_result *result,
                        snakepit_answer *answer,
                        unsigned as,
                        const char *call)
{
    const struct asked *asked = result->own;
    char head[24];
    (void)answer;
    (void)as;
    (void)snprintf(head, sizeof head, "%zu", asked->answer_head);
    if (result->err != SNAKEPIT_OK) {
        const snakepit_fault fault = sp_fault_of(result->err, asked->why.text);
        sp_api_fault(exchange, &fault, 0, call);
    } else {
        const bool binary = asked->answer_head > 0;
        sp_api_reply(
            exchange,
            &(const struct sp_api_answer){
                .status = 200,
                .type = binary ? "application/octet-stream" : "application/json",
                .body = {result->room.data, result->room.size},
                .call = call,
                .inference_head = binary ? head : NULL});
    }
    sp_buf_fini(&result->room);
}

static void answer_call(struct sp_exchange *exchange,
                        snakepit_answer *answer,
                        unsigned as,
                        const char *call)
{
    struct sp_api_result result = {.own = exchange->own};
    if (snakepit_answer_fault(answer)->err != SNAKEPIT_OK) {
        const struct asked *asked = exchange->own;
        sp_api_fail_inference(exchange, sp_slice_of_text(asked->model), answer, call);
        return;
    }
    make_answer(&result, answer, as);
    send_answer(exchange, &result, answer, as, call);
}

// ---- Inference --------------------------------------------------------------------

// False: it was refused.
static bool read_head(struct sp_exchange *exchange, size_t *head)
{
    uint64_t number = 0;
    const struct sp_slice value = sp_request_field(&exchange->request, HEADER);
    *head = SIZE_MAX;
    if (value.data == NULL) {
        return true;
    }
    if (!sp_api_number(value, 0, SIZE_MAX / 2, &number)) {
        sp_api_fail(exchange,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "Inference-Header-Content-Length is not a number of bytes");
        return false;
    }
    *head = (size_t)number;
    return true;
}

static void infer(struct sp_exchange *exchange, const char *model, const char *version)
{
    size_t head = 0;
    struct sp_params callee;
    if (!sp_api_find_model(
            exchange, sp_slice_of_text(model), sp_slice_of_text(version), &callee) ||
        !read_head(exchange, &head)) {
        return;
    }
    struct asked *asked = sp_alloc(sizeof *asked);
    if (asked == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    asked->head = head;
    memcpy(asked->model, model, strlen(model) + 1);
    exchange->own = asked;
    const struct sp_api_form form = {.answer = answer_call,
                                     .make = make_answer,
                                     .send = send_answer,
                                     .over = asked_free,
                                     .own = asked,
                                     .read = read_request};
    sp_api_submit_body(exchange, &callee, form);
}

void sp_api_infer(struct sp_exchange *exchange, const struct sp_params *params)
{
    infer(exchange, params->of[0], "");
}

void sp_api_infer_version(struct sp_exchange *exchange, const struct sp_params *params)
{
    infer(exchange, params->of[0], params->of[1]);
}

// ---- Metadata -------------------------------------------------------------------

static void
reply_json(struct sp_exchange *exchange, unsigned status, struct sp_slice text)
{
    sp_api_reply(exchange,
                 &(const struct sp_api_answer){
                     .status = status, .type = "application/json", .body = text});
}

static void tell_metadata(struct sp_exchange *exchange,
                          const struct sp_api_model_asked *asked,
                          const struct sp_inference_model *model)
{
    struct sp_buf text = {0};
    if (sp_inference_model_write(model, asked->name, &text) == SNAKEPIT_OK) {
        reply_json(exchange, 200, (struct sp_slice){text.data, text.size});
    } else {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    sp_buf_fini(&text);
}

static void tell_ready(struct sp_exchange *exchange,
                       const struct sp_api_model_asked *asked,
                       const struct sp_inference_model *model)
{
    struct sp_buf text = {0};
    const bool ready = sp_api_model_serves(exchange, asked);
    (void)model;
    snakepit_err err = sp_buf_printf(&text, "{\"name\":");
    err = err == SNAKEPIT_OK
              ? sp_inference_add_quoted(&text, sp_slice_of_text(asked->name))
              : err;
    err = err == SNAKEPIT_OK
              ? sp_buf_printf(&text, ",\"ready\":%s}", ready ? "true" : "false")
              : err;
    if (err == SNAKEPIT_OK) {
        reply_json(
            exchange, ready ? 200 : 503, (struct sp_slice){text.data, text.size});
    } else {
        sp_api_fail(exchange, err, NULL);
    }
    sp_buf_fini(&text);
}

void sp_api_model(struct sp_exchange *exchange, const struct sp_params *params)
{
    sp_api_ask_model(
        exchange, sp_slice_of_text(params->of[0]), sp_slice_of_text(""), tell_metadata);
}

void sp_api_model_version(struct sp_exchange *exchange, const struct sp_params *params)
{
    sp_api_ask_model(exchange,
                     sp_slice_of_text(params->of[0]),
                     sp_slice_of_text(params->of[1]),
                     tell_metadata);
}

void sp_api_model_ready(struct sp_exchange *exchange, const struct sp_params *params)
{
    sp_api_ask_model(
        exchange, sp_slice_of_text(params->of[0]), sp_slice_of_text(""), tell_ready);
}

void sp_api_model_version_ready(struct sp_exchange *exchange,
                                const struct sp_params *params)
{
    sp_api_ask_model(exchange,
                     sp_slice_of_text(params->of[0]),
                     sp_slice_of_text(params->of[1]),
                     tell_ready);
}

// ---- The server -------------------------------------------------------------------

void sp_api_inference(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    reply_json(exchange,
               200,
               sp_slice_of_text("{\"name\":\"snakepit\",\"version\":\"" SNAKEPIT_VERSION
                                "\",\"extensions\":[\"" SP_API_EXTENSION_BINARY
                                "\",\"" SP_API_EXTENSION_PARAMETERS "\"]}"));
}

void sp_api_inference_live(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    reply_json(exchange, 200, sp_slice_of_text("{\"live\":true}"));
}

void sp_api_inference_ready(struct sp_exchange *exchange,
                            const struct sp_params *params)
{
    const bool ready = sp_api_server_is_ready(exchange);
    (void)params;
    reply_json(exchange,
               ready ? 200 : 503,
               sp_slice_of_text(ready ? "{\"live\":true,\"ready\":true}"
                                      : "{\"live\":true,\"ready\":false}"));
}

// ---- What there is not ------------------------------------------------------------

// A client may ask that may call the model.
static void refuse_of_model(struct sp_exchange *exchange,
                            const char *model,
                            const char *version,
                            const char *why)
{
    struct sp_params callee;
    if (sp_api_find_model(
            exchange, sp_slice_of_text(model), sp_slice_of_text(version), &callee)) {
        sp_api_refuse(exchange, 501, why);
    }
}

#define NO_CONFIG                                                                    \
    "a model has no configuration of Triton's: GET /v2/models/{model} says what it " \
    "takes and gives, and GET /v1/pools/{pool}/config how its pool is configured"
#define NO_STATS                                                                    \
    "there are no statistics of models: GET /metrics has figures of each pool and " \
    "tool, and GET /v1/pools/{pool} those of a pool"

void sp_api_model_config(struct sp_exchange *exchange, const struct sp_params *params)
{
    refuse_of_model(exchange, params->of[0], "", NO_CONFIG);
}

void sp_api_model_version_config(struct sp_exchange *exchange,
                                 const struct sp_params *params)
{
    refuse_of_model(exchange, params->of[0], params->of[1], NO_CONFIG);
}

void sp_api_models_stats(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    sp_api_refuse(exchange, 501, NO_STATS);
}

void sp_api_model_stats(struct sp_exchange *exchange, const struct sp_params *params)
{
    refuse_of_model(exchange, params->of[0], "", NO_STATS);
}

void sp_api_model_version_stats(struct sp_exchange *exchange,
                                const struct sp_params *params)
{
    refuse_of_model(exchange, params->of[0], params->of[1], NO_STATS);
}

static void refuse_repository(struct sp_exchange *exchange)
{
    sp_api_refuse(exchange,
                  501,
                  "there is no model repository: models are the tools of pools, which "
                  "the configuration names; GET /v1/pools/{pool}/tools lists them");
}

void sp_api_repository(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    refuse_repository(exchange);
}

void sp_api_load_model(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    refuse_repository(exchange);
}

void sp_api_unload_model(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    refuse_repository(exchange);
}
