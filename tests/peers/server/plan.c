// SPDX-License-Identifier: MIT
#include "peers/server/plan.h"

#include <string.h>

#include "grpc/fields.h"
#include "protobuf/message.h"

#define INFO_TYPE                                    \
    "type.googleapis.com/connectrpc.conformance.v1." \
    "ConformancePayload.RequestInfo"

// The members of its oneof.
enum {
    DATA = 2,
    ERROR = 3,
};

// ---- Requests -------------------------------------------------------------------

snakepit_err peers_plan_single(struct sp_slice request,
                               struct sp_scratch *scratch,
                               struct peers_plan *plan,
                               snakepit_message *why)
{
    struct sp_conf_single_request read = {.which = 0};
    snakepit_err err =
        sp_proto_decode(&sp_type_conf_single_request, request, scratch, &read, why);
    const struct sp_conf_single *single = read.response_definition;
    if (err != SNAKEPIT_OK || single == NULL) {
        return err;
    }
    plan->there = true;
    plan->headers.items = single->response_headers.items;
    plan->headers.count = single->response_headers.count;
    plan->trailers.items = single->response_trailers.items;
    plan->trailers.count = single->response_trailers.count;
    plan->delay_ms = single->response_delay_ms;
    plan->error = single->which == ERROR ? single->error : NULL;
    plan->answers = single->which == DATA ? &single->response_data : NULL;
    plan->count = single->which == DATA ? 1 : 0;
    return SNAKEPIT_OK;
}

snakepit_err peers_plan_stream(struct sp_slice request,
                               struct sp_scratch *scratch,
                               struct peers_plan *plan,
                               snakepit_message *why)
{
    struct sp_conf_stream_request read = {.which = 0};
    snakepit_err err =
        sp_proto_decode(&sp_type_conf_stream_request, request, scratch, &read, why);
    const struct sp_conf_stream *stream = read.response_definition;
    plan->full_duplex = read.full_duplex;
    if (err != SNAKEPIT_OK || stream == NULL) {
        return err;
    }
    plan->there = true;
    plan->headers.items = stream->response_headers.items;
    plan->headers.count = stream->response_headers.count;
    plan->trailers.items = stream->response_trailers.items;
    plan->trailers.count = stream->response_trailers.count;
    plan->answers = stream->response_data.items;
    plan->count = stream->response_data.count;
    plan->error = stream->error;
    plan->delay_ms = stream->response_delay_ms;
    return SNAKEPIT_OK;
}

// ---- Headers --------------------------------------------------------------------

static bool is_same(struct sp_slice one, struct sp_slice other)
{
    return one.size == other.size && memcmp(one.data, other.data, one.size) == 0;
}

// Its values, if `first` is the first field of its name; else none.
static snakepit_err gather(const struct sp_request *request,
                           size_t first,
                           struct sp_scratch *scratch,
                           struct sp_conf_header *header)
{
    const struct sp_field *fields = request->fields;
    for (size_t i = 0; i < first; i++) {
        if (is_same(fields[i].name, fields[first].name)) {
            return SNAKEPIT_OK;
        }
    }
    header->name = fields[first].name;
    header->value.items = sp_scratch_take(
        scratch, (request->field_count - first) * sizeof *header->value.items);
    if (header->value.items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = first; i < request->field_count; i++) {
        if (is_same(fields[i].name, header->name)) {
            header->value.items[header->value.count++] = fields[i].value;
        }
    }
    return SNAKEPIT_OK;
}

snakepit_err peers_info(const struct sp_grpc_call *call,
                        struct sp_scratch *scratch,
                        struct sp_conf_info *info)
{
    const struct sp_request *request = &call->exchange->request;
    struct sp_conf_header *headers =
        sp_scratch_take(scratch, (request->field_count + 1) * sizeof *headers);
    snakepit_err err = headers == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
    size_t count = 0;
    for (size_t i = 0; err == SNAKEPIT_OK && i < request->field_count; i++) {
        err = gather(request, i, scratch, &headers[count]);
        count += err == SNAKEPIT_OK && headers[count].value.count > 0 ? 1 : 0;
    }
    info->request_headers.items = headers;
    info->request_headers.count = count;
    info->has_timeout_ms = call->limited;
    info->timeout_ms = (int64_t)call->timeout_ms;
    return err;
}

static snakepit_err
lower(struct sp_slice name, struct sp_scratch *scratch, struct sp_slice *out)
{
    uint8_t *text = sp_scratch_take(scratch, name.size);
    if (text == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < name.size; i++) {
        const uint8_t byte = name.data[i];
        text[i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
    }
    *out = (struct sp_slice){text, name.size};
    return SNAKEPIT_OK;
}

snakepit_err peers_metadata(struct peers_headers headers,
                            struct sp_scratch *scratch,
                            struct sp_grpc_metadata *metadata)
{
    struct sp_slice name;
    struct sp_field *fields =
        sp_scratch_take(scratch, SP_GRPC_METADATA_MOST * sizeof *fields);
    size_t count = 0;
    for (size_t i = 0; i < headers.count; i++) {
        const struct sp_conf_header *header = &headers.items[i];
        if (fields == NULL || count + header->value.count > SP_GRPC_METADATA_MOST ||
            lower(header->name, scratch, &name) != SNAKEPIT_OK) {
            return SNAKEPIT_NO_MEMORY;
        }
        for (size_t j = 0; j < header->value.count; j++) {
            fields[count++] = (struct sp_field){name, header->value.items[j]};
        }
    }
    *metadata = (struct sp_grpc_metadata){fields, count};
    return SNAKEPIT_OK;
}

// ---- Errors ---------------------------------------------------------------------

// All details of an error, and the info as one more.
static snakepit_err collect(const struct sp_conf_error *error,
                            const struct sp_conf_info *info,
                            struct sp_scratch *scratch,
                            struct sp_rpc_status *told)
{
    struct sp_buf bytes = {0};
    const size_t given = error->details.count;
    struct sp_pb_any *details = sp_scratch_take(scratch, (given + 1) * sizeof *details);
    if (details == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < given; i++) {
        details[i] = error->details.items[i];
    }
    told->details.items = details;
    told->details.count = given;
    if (info == NULL) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = sp_proto_encode_flat(&sp_type_conf_info, info, &bytes);
    if (err == SNAKEPIT_OK) {
        err = sp_scratch_own(scratch, &bytes, &details[given].value);
    }
    details[given].type_url = sp_slice_of_text(INFO_TYPE);
    told->details.count = given + 1;
    sp_buf_fini(&bytes);
    return err;
}

snakepit_err peers_status(const struct sp_conf_error *error,
                          const struct sp_conf_info *info,
                          struct sp_scratch *scratch,
                          struct sp_grpc_status *status)
{
    struct sp_rpc_status told = {.code = error->code, .message = error->message};
    struct sp_buf bytes = {0};
    size_t taken = 0;
    status->code = (enum sp_grpc_code)error->code;
    snakepit_err err = collect(error, info, scratch, &told);
    if (err == SNAKEPIT_OK) {
        err = sp_grpc_encode_message(
            error->message, SP_GRPC_TOLD_MOST, &status->message, &taken);
    }
    if (err == SNAKEPIT_OK && told.details.count > 0) {
        err = sp_proto_encode_flat(&sp_type_rpc_status, &told, &bytes);
        err = err == SNAKEPIT_OK
                  ? sp_grpc_encode_bin((struct sp_slice){bytes.data, bytes.size},
                                       &status->details)
                  : err;
    }
    sp_buf_fini(&bytes);
    return err;
}
