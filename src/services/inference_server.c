// SPDX-License-Identifier: MIT
// What inference.GRPCInferenceService says of the server and of models.
#include "api/models.h"
#include "api/reply.h"
#include "grpc/messages.h"
#include "services/call.h"
#include "services/message.h"

// ---- The server -------------------------------------------------------------------

void sp_grpc_server_live(struct sp_grpc_call *call, struct sp_slice message)
{
    const struct sp_oip_server_live_response response = {.live = true};
    (void)message;
    sp_grpc_answer(call->exchange, &sp_type_oip_server_live_response, &response);
}

void sp_grpc_server_ready(struct sp_grpc_call *call, struct sp_slice message)
{
    const struct sp_oip_server_ready_response response = {
        .ready = sp_api_server_is_ready(call->exchange)};
    (void)message;
    sp_grpc_answer(call->exchange, &sp_type_oip_server_ready_response, &response);
}

void sp_grpc_server_metadata(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_slice extensions[] = {sp_slice_of_text(SP_API_EXTENSION_BINARY),
                                    sp_slice_of_text(SP_API_EXTENSION_PARAMETERS)};
    const struct sp_oip_server_metadata_response response = {
        .name = sp_slice_of_text("snakepit"),
        .version = sp_slice_of_text(SNAKEPIT_VERSION),
        .extensions = {extensions, sizeof extensions / sizeof extensions[0]}};
    (void)message;
    sp_grpc_answer(call->exchange, &sp_type_oip_server_metadata_response, &response);
}

// ---- Models -----------------------------------------------------------------------

static void tell_ready(struct sp_exchange *exchange,
                       const struct sp_api_model_asked *asked,
                       const struct sp_inference_model *model)
{
    const struct sp_oip_model_ready_response response = {
        .ready = sp_api_model_serves(exchange, asked)};
    (void)model;
    sp_grpc_answer(exchange, &sp_type_oip_model_ready_response, &response);
}

void sp_grpc_model_ready(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_oip_model_ready_request request = {.which = 0};
    if (sp_grpc_decode(call->exchange,
                       &sp_type_oip_model_ready_request,
                       message,
                       &scratch,
                       &request)) {
        sp_api_ask_model(call->exchange, request.name, request.version, tell_ready);
    }
    sp_scratch_fini(&scratch);
}

// Of inputs or outputs. NULL: without memory.
static struct sp_oip_metadata_tensor *tensors_of(struct sp_scratch *scratch,
                                                 struct sp_inference_tensor *tensors,
                                                 size_t count)
{
    struct sp_oip_metadata_tensor *made =
        sp_scratch_take(scratch, (count + 1) * sizeof *made);
    for (size_t i = 0; made != NULL && i < count; i++) {
        made[i].name = tensors[i].name;
        made[i].datatype =
            sp_slice_of_text(sp_inference_datatype_shown(tensors[i].dtype));
        made[i].shape.items = tensors[i].shape;
        made[i].shape.count = tensors[i].rank;
    }
    return made;
}

static void tell_metadata(struct sp_exchange *exchange,
                          const struct sp_api_model_asked *asked,
                          const struct sp_inference_model *model)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_slice version = sp_slice_of_text(SP_INFERENCE_VERSION);
    struct sp_oip_model_metadata_response response = {
        .name = sp_slice_of_text(asked->name),
        .versions = {&version, 1},
        .platform = sp_slice_of_text(SP_INFERENCE_PLATFORM)};
    response.inputs.items = tensors_of(&scratch, model->inputs, model->input_count);
    response.inputs.count = model->input_count;
    response.outputs.items = tensors_of(&scratch, model->outputs, model->output_count);
    response.outputs.count = model->output_count;
    if (response.inputs.items == NULL || response.outputs.items == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    } else {
        sp_grpc_answer(exchange, &sp_type_oip_model_metadata_response, &response);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_model_metadata(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_oip_model_metadata_request request = {.which = 0};
    if (sp_grpc_decode(call->exchange,
                       &sp_type_oip_model_metadata_request,
                       message,
                       &scratch,
                       &request)) {
        sp_api_ask_model(call->exchange, request.name, request.version, tell_metadata);
    }
    sp_scratch_fini(&scratch);
}
