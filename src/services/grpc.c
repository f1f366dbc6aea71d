// SPDX-License-Identifier: MIT
// A request becomes a call of a method: its headers say which one, its body has the
// message. The handler of the method gets it when the message is whole.
#include "services/grpc.h"

#include <string.h>

#include "api/api.h"
#include "api/gate.h"
#include "api/reply.h"
#include "grpc/fields.h"
#include "grpc/large_tensor.h"
#include "grpc/reply.h"
#include "server/server.h"
#include "services/call.h"
#include "services/early_tensor.h"

bool sp_grpc_is_asked(const struct sp_exchange *exchange)
{
    return exchange->request.version == 2 &&
           sp_grpc_type_of(sp_request_field(&exchange->request, "content-type")) !=
               SP_GRPC_TYPE_NONE;
}

// ---- Headers --------------------------------------------------------------------

// Reads what the headers say of time. False: it was refused.
static bool read_timeout(struct sp_exchange *exchange, struct sp_grpc_call *call)
{
    const struct sp_slice value = sp_request_field(&exchange->request, "grpc-timeout");
    call->limited = value.data != NULL;
    if (!call->limited) {
        return true;
    }
    if (!sp_grpc_timeout(value, &call->timeout_ms)) {
        sp_grpc_refuse(exchange,
                       SP_GRPC_INTERNAL,
                       "grpc-timeout is not 1 to 8 digits and one of n, u, m, S, M, H");
        return false;
    }
    if (call->timeout_ms == 0) {
        sp_grpc_refuse(exchange, SP_GRPC_DEADLINE_EXCEEDED, "the call's time ran out");
        return false;
    }
    return true;
}

static bool is_text(struct sp_slice value, const char *text)
{
    return value.size == strlen(text) && memcmp(value.data, text, value.size) == 0;
}

// The same of compression.
static bool read_encoding(struct sp_exchange *exchange, struct sp_grpc_call *call)
{
    const struct sp_slice value = sp_request_field(&exchange->request, "grpc-encoding");
    call->gzip = is_text(value, "gzip");
    if (value.data == NULL || call->gzip || is_text(value, "identity")) {
        return true;
    }
    sp_grpc_refuse(exchange,
                   SP_GRPC_UNIMPLEMENTED,
                   "messages may be compressed by gzip, and by nothing else");
    return false;
}

// The same of what only HTTP can answer.
static bool is_well_formed(struct sp_exchange *exchange)
{
    const struct sp_request *request = &exchange->request;
    if (sp_grpc_type_of(sp_request_field(request, "content-type")) !=
        SP_GRPC_TYPE_PROTO) {
        exchange->request.grpc = false;
        sp_api_refuse(
            exchange, 415, "messages of gRPC are application/grpc+proto here");
        return false;
    }
    if (request->method != SP_METHOD_POST) {
        exchange->request.grpc = false;
        sp_api_refuse(exchange, 405, "a call of gRPC is a POST");
        return false;
    }
    return true;
}

// ---- Calls ----------------------------------------------------------------------

static const struct sp_grpc_method *find_method(struct sp_exchange *exchange)
{
    const struct sp_slice path = exchange->request.path;
    const struct sp_grpc_method *method = sp_grpc_method_find(path);
    if (method != NULL &&
        !sp_grpc_is_served(sp_serve_loop_config(exchange->loop),
                           (struct sp_slice){path.data + 1, path.size - 1})) {
        method = NULL;
    }
    return method;
}

// Where its messages have tensors; NULL: nowhere.
static const struct sp_large_path *tensors_of(const struct sp_grpc_method *method)
{
    if (method->handler == sp_grpc_model_infer) {
        return &sp_large_path_infer;
    }
    return method->handler == sp_grpc_call_tool ||
                   method->handler == sp_grpc_stream_tool
               ? &sp_large_path_call
               : NULL;
}

static const char *explain_no_method(const struct sp_exchange *exchange)
{
    static const char inference[] = "/inference.GRPCInferenceService/";
    const struct sp_slice path = exchange->request.path;
    return path.size >= sizeof inference - 1 &&
                   memcmp(path.data, inference, sizeof inference - 1) == 0
               ? "there is no such method: models are the tools of pools, which have "
                 "no repository, no configuration of Triton's, no statistics but "
                 "GET /metrics, and no shared memory by name"
               : "there is no such method; reflection lists those that there are";
}

void sp_grpc_handle(struct sp_exchange *exchange)
{
    sp_grpc_handle_with(exchange, find_method(exchange));
}

void sp_grpc_handle_with(struct sp_exchange *exchange,
                         const struct sp_grpc_method *method)
{
    if (!sp_api_may_ask(exchange) || !is_well_formed(exchange)) {
        return;
    }
    if (method == NULL) {
        sp_grpc_refuse(exchange, SP_GRPC_UNIMPLEMENTED, explain_no_method(exchange));
        return;
    }
    if (!sp_api_admit_client(exchange, method->access)) {
        return;
    }
    struct sp_grpc_call *call = sp_grpc_call_new(exchange, method);
    if (call == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    } else if (read_timeout(exchange, call) && read_encoding(exchange, call)) {
        call->tensors = tensors_of(method);
        call->reader.stop = call->tensors != NULL ? SP_EARLY_TENSOR_HEAD : 0;
        sp_grpc_call_begin(call);
    } else {
        sp_grpc_call_free(call);
    }
}
