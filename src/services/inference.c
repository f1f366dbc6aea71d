// SPDX-License-Identifier: MIT
// inference.GRPCInferenceService: models are tools of arrays, see api/models.h. Raw
// contents go to the worker from where they are, and come back from where they lie.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/call.h"
#include "api/large.h"
#include "api/models.h"
#include "api/reply.h"
#include "base/memory.h"
#include "config/config.h"
#include "grpc/messages.h"
#include "http/problem.h"
#include "inference/outputs.h"
#include "payload/writer.h"
#include "server/server.h"
#include "services/call.h"
#include "services/early_tensor.h"
#include "services/inference.h"
#include "services/large.h"
#include "services/message.h"

// An inference, as it is asked for. It borrows from itself and from the message.
struct asked {
    struct sp_scratch scratch;
    struct sp_oip_request message;
    struct sp_inference_request request;
    struct sp_api_ask ask;
    snakepit_writer *args; // until they are those of `ask`
    snakepit_err err;
    bool malformed;
    snakepit_message why;
    struct sp_params callee;
};

// What is wanted of it, until it is answered.
struct wanted {
    struct sp_inference_wanted of;
    struct sp_inference_outputs outputs;
    snakepit_message why;
};

static void wanted_free(void *own)
{
    struct wanted *wanted = own;
    sp_inference_outputs_fini(&wanted->outputs);
    sp_inference_wanted_fini(&wanted->of);
    sp_free(wanted);
}

// ---- The message ------------------------------------------------------------------

// Any thread: what takes long, where the message is large.
static void read_message(struct asked *asked,
                         struct sp_slice message,
                         const struct sp_early_tensor *early,
                         const struct sp_serve_config *config)
{
    asked->scratch.limit = (size_t)config->max_message; // see sp_grpc_decode()
    asked->err = sp_proto_decode(
        &sp_type_oip_request, message, &asked->scratch, &asked->message, &asked->why);
    asked->malformed = asked->err == SNAKEPIT_MALFORMED;
    if (asked->err != SNAKEPIT_OK) {
        return;
    }
    sp_early_tensor_put_back_raw(early, message, &asked->message);
    asked->args = snakepit_writer_new();
    asked->request.args = asked->args;
    asked->err =
        asked->args == NULL
            ? SNAKEPIT_NO_MEMORY
            : sp_inference_read_message(&asked->message, &asked->request, &asked->why);
    if (asked->err == SNAKEPIT_OK) {
        sp_inference_write_arguments(&asked->request);
    }
}

static void asked_fini(struct asked *asked)
{
    snakepit_writer_free(asked->args);
    sp_inference_request_fini(&asked->request);
    sp_scratch_fini(&asked->scratch);
}

// ---- Asking ---------------------------------------------------------------------

// Makes the options of the call of what was read. False: it was refused.
static bool ask_for(struct sp_grpc_call *call, struct asked *asked)
{
    struct sp_exchange *exchange = call->exchange;
    if (!sp_grpc_is_read(exchange, asked->err, asked->malformed, &asked->why) ||
        !sp_api_find_model(exchange,
                           asked->message.model_name,
                           asked->message.model_version,
                           &asked->callee) ||
        !sp_api_ask_begin(exchange, asked->callee.of[0], &asked->ask)) {
        return false;
    }
    asked->ask.tool = asked->callee.of[1];
    asked->ask.args = asked->args;
    sp_grpc_take_deadline(call, &asked->ask);
    snakepit_err err =
        sp_api_note_settings(&asked->request.settings, &asked->ask, &asked->why);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(exchange, err, asked->why.text);
    }
    return err == SNAKEPIT_OK && sp_api_ask_take_session(exchange, &asked->ask);
}

// ---- Answers --------------------------------------------------------------------

// Any thread.
static void
make_outputs(struct sp_api_result *result, snakepit_answer *answer, unsigned as)
{
    struct wanted *wanted = result->own;
    snakepit_reader value;
    (void)as;
    snakepit_answer_reader(answer, &value);
    result->err =
        sp_inference_gather(&value, &wanted->of, &wanted->outputs, &wanted->why);
}

// Numbers of BYTES are sent as raw contents as well.
static bool fill(const struct wanted *wanted,
                 struct sp_scratch *scratch,
                 struct sp_oip_response *response)
{
    const size_t count = wanted->outputs.count;
    struct sp_oip_output *outputs =
        sp_scratch_take(scratch, (count + 1) * sizeof *outputs);
    struct sp_slice *raw = sp_scratch_take(scratch, (count + 1) * sizeof *raw);
    if (outputs == NULL || raw == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct sp_inference_tensor *tensor = &wanted->outputs.items[i].tensor;
        outputs[i].name = tensor->name;
        outputs[i].datatype =
            sp_slice_of_text(sp_inference_datatype_name(tensor->dtype));
        outputs[i].shape.items = tensor->shape;
        outputs[i].shape.count = tensor->rank;
        raw[i] = tensor->data;
    }
    *response = (struct sp_oip_response){.model_name = wanted->of.model,
                                         .model_version =
                                             sp_slice_of_text(SP_INFERENCE_VERSION),
                                         .id = wanted->of.id,
                                         .outputs = {outputs, count},
                                         .raw_output_contents = {raw, count}};
    return true;
}

static void send_outputs(struct sp_exchange *exchange,
                         struct sp_api_result *result,
                         snakepit_answer *answer,
                         unsigned as,
                         const char *call)
{
    const struct wanted *wanted = result->own;
    struct sp_scratch scratch = {.used = 0};
    struct sp_oip_response response;
    (void)answer;
    (void)as;
    if (result->err != SNAKEPIT_OK) {
        const snakepit_fault fault = sp_fault_of(result->err, wanted->why.text);
        sp_api_fault(exchange, &fault, 0, call);
    } else if (fill(wanted, &scratch, &response)) {
        sp_grpc_answer(exchange, &sp_type_oip_response, &response);
    } else {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    sp_scratch_fini(&scratch);
}

static void answer_call(struct sp_exchange *exchange,
                        snakepit_answer *answer,
                        unsigned as,
                        const char *call)
{
    struct sp_api_result result = {.own = exchange->own};
    if (snakepit_answer_fault(answer)->err != SNAKEPIT_OK) {
        const struct wanted *wanted = exchange->own;
        sp_api_fail_inference(exchange, wanted->of.model, answer, call);
        return;
    }
    make_outputs(&result, answer, as);
    send_outputs(exchange, &result, answer, as, call);
}

// ---- Inference --------------------------------------------------------------------

static void submit(struct sp_grpc_call *call, struct asked *asked)
{
    char model[SP_PARAM_SIZE];
    struct sp_exchange *exchange = call->exchange;
    if (!ask_for(call, asked)) {
        return;
    }
    struct wanted *wanted = sp_alloc(sizeof *wanted);
    memcpy(model, asked->message.model_name.data, asked->message.model_name.size);
    model[asked->message.model_name.size] = '\0';
    if (wanted == NULL ||
        sp_inference_want(&asked->request, model, &wanted->of) != SNAKEPIT_OK) {
        if (wanted != NULL) {
            wanted_free(wanted);
        }
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    exchange->own = wanted;
    const struct sp_api_form form = {.answer = answer_call,
                                     .make = make_outputs,
                                     .send = send_outputs,
                                     .over = wanted_free,
                                     .own = wanted};
    sp_api_submit(exchange, &asked->ask, form);
}

struct large {
    struct sp_grpc_large message; // first
    struct asked asked;
};

static struct large *large_of(struct sp_grpc_large *message)
{
    return SP_ENTRY(message, struct large, message);
}

static void fini_large(struct sp_grpc_large *message)
{
    asked_fini(&large_of(message)->asked);
}

static void read_large(struct sp_grpc_large *message, struct sp_slice bytes)
{
    read_message(&large_of(message)->asked, bytes, message->early, message->config);
}

static void submit_large(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    submit(call, &large_of(call->state)->asked);
}

void sp_grpc_model_infer(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_large_ops ops = {.size = sizeof(struct large),
                                                 .read = read_large,
                                                 .then = submit_large,
                                                 .fini = fini_large};
    struct asked asked = {.malformed = false};
    if (message.size > SP_API_LARGE) {
        sp_grpc_large_begin(call, &ops);
        return;
    }
    read_message(
        &asked, message, call->early, sp_serve_loop_config(call->exchange->loop));
    submit(call, &asked);
    asked_fini(&asked);
}
