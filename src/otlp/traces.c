// SPDX-License-Identifier: MIT
#include <string.h>

#include "otlp/common.h"
#include "protobuf/message.h"

#define STATUS_ERROR 2

static struct sp_otlp_value value_of(const snakepit_attribute *attribute)
{
    switch (attribute->kind) {
    case SNAKEPIT_ATTRIBUTE_INTEGER:
        return (struct sp_otlp_value){.which = 3, .int_value = attribute->integer};
    case SNAKEPIT_ATTRIBUTE_REAL:
        return (struct sp_otlp_value){.which = 4, .double_value = attribute->real};
    case SNAKEPIT_ATTRIBUTE_BOOLEAN:
        return (struct sp_otlp_value){.which = 2,
                                      .bool_value = attribute->integer != 0};
    default:
        return (struct sp_otlp_value){
            .which = 1, .string_value = sp_slice_of_text(attribute->text)};
    }
}

static snakepit_err set_attributes(const snakepit_trace_span *span,
                                   struct sp_otlp_span *made,
                                   struct sp_scratch *scratch)
{
    const size_t count = span->attribute_count;
    struct sp_otlp_pair *pairs = sp_scratch_take(scratch, (count + 1) * sizeof *pairs);
    struct sp_otlp_value *values =
        sp_scratch_take(scratch, (count + 1) * sizeof *values);
    if (pairs == NULL || values == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = value_of(&span->attributes[i]);
        pairs[i].key = sp_slice_of_text(span->attributes[i].key);
        pairs[i].value = &values[i];
    }
    made->attributes.items = pairs;
    made->attributes.count = count;
    return SNAKEPIT_OK;
}

static snakepit_err set_status(const snakepit_trace_span *span,
                               struct sp_otlp_span *made,
                               struct sp_scratch *scratch)
{
    if (span->err == SNAKEPIT_OK) {
        return SNAKEPIT_OK;
    }
    made->status = sp_scratch_take(scratch, sizeof *made->status);
    if (made->status == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->status->code = STATUS_ERROR;
    made->status->message = sp_slice_of_text(span->message);
    return SNAKEPIT_OK;
}

static snakepit_err set_span(const snakepit_trace_span *span,
                             struct sp_otlp_span *made,
                             struct sp_scratch *scratch)
{
    static const uint8_t none[sizeof span->parent_span_id];
    made->trace_id = (struct sp_slice){span->trace_id, sizeof span->trace_id};
    made->span_id = (struct sp_slice){span->span_id, sizeof span->span_id};
    if (memcmp(span->parent_span_id, none, sizeof none) != 0) {
        made->parent_span_id =
            (struct sp_slice){span->parent_span_id, sizeof span->parent_span_id};
    }
    made->trace_state = sp_slice_of_text(span->tracestate);
    made->name = sp_slice_of_text(span->name);
    made->kind = (int32_t)span->kind;
    made->start_time_unix_nano = span->start_ns;
    made->end_time_unix_nano = span->end_ns;
    snakepit_err err = set_status(span, made, scratch);
    return err == SNAKEPIT_OK ? set_attributes(span, made, scratch) : err;
}

static snakepit_err write_spans(const struct sp_otlp_teller *teller,
                                const snakepit_trace_span *const *spans,
                                size_t count,
                                struct sp_scratch *scratch,
                                struct sp_buf *out)
{
    struct sp_otlp_scope scope = sp_otlp_scope_of_ours();
    struct sp_otlp_span *made = sp_scratch_take(scratch, (count + 1) * sizeof *made);
    struct sp_otlp_resource *resource = sp_otlp_resource_of(teller, scratch);
    snakepit_err err =
        made == NULL || resource == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        err = set_span(spans[i], &made[i], scratch);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_otlp_scope_spans of_scope = {.scope = &scope, .spans = {made, count}};
    struct sp_otlp_resource_spans all = {.resource = resource,
                                         .scope_spans = {&of_scope, 1}};
    const struct sp_otlp_traces request = {.resource_spans = {&all, 1}};
    return sp_proto_encode_flat(&sp_type_otlp_traces, &request, out);
}

snakepit_err sp_otlp_write_spans(const struct sp_otlp_teller *teller,
                                 const snakepit_trace_span *const *spans,
                                 size_t count,
                                 struct sp_buf *out)
{
    struct sp_scratch scratch = {0};
    snakepit_err err = write_spans(teller, spans, count, &scratch, out);
    sp_scratch_fini(&scratch);
    return err;
}
