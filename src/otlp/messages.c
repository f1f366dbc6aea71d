// SPDX-License-Identifier: MIT
// The tables, from the rows.
#include "otlp/messages.h"

extern const struct sp_proto_file sp_file_otlp_common;
extern const struct sp_proto_file sp_file_otlp_resource;
extern const struct sp_proto_file sp_file_otlp_trace;
extern const struct sp_proto_file sp_file_otlp_trace_service;
extern const struct sp_proto_file sp_file_otlp_metrics;
extern const struct sp_proto_file sp_file_otlp_metrics_service;

#define SP_PROTO_ROWS "otlp/otlp.def"
#include "protobuf/define.def"

#define FILE_OF(name, package)                                                   \
    const struct sp_proto_file sp_file_##name = {"opentelemetry/proto/" #name,   \
                                                 "opentelemetry.proto." package, \
                                                 &set,                           \
                                                 NULL,                           \
                                                 NULL}

FILE_OF(otlp_common, "common.v1");
FILE_OF(otlp_resource, "resource.v1");
FILE_OF(otlp_trace, "trace.v1");
FILE_OF(otlp_trace_service, "collector.trace.v1");
FILE_OF(otlp_metrics, "metrics.v1");
FILE_OF(otlp_metrics_service, "collector.metrics.v1");
