// SPDX-License-Identifier: MIT
// The tables, from the rows.
#include "grpc/messages.h"

#define SP_PROTO_ROWS "grpc/messages.def"
#include "protobuf/define.def"

// ---- Files --------------------------------------------------------------------------

#define FILE_OF(name, path, package, imports, twin) \
    const struct sp_proto_file sp_file_##name = {path, package, &set, imports, twin};

static const struct sp_proto_file *const needs_any[] = {&sp_file_any, NULL};
static const struct sp_proto_file *const needs_duration[] = {&sp_file_duration, NULL};
static const struct sp_proto_file *const needs_any_and_timestamp[] = {
    &sp_file_any, &sp_file_timestamp, NULL};
static const struct sp_proto_file *const needs_struct[] = {&sp_file_struct, NULL};

FILE_OF(any, "google/protobuf/any.proto", "google.protobuf", NULL, NULL)
FILE_OF(duration, "google/protobuf/duration.proto", "google.protobuf", NULL, NULL)
FILE_OF(
    error_details, "google/rpc/error_details.proto", "google.rpc", needs_duration, NULL)
FILE_OF(
    bridge, "snakepit_bridge.proto", "snakepit.bridge", needs_any_and_timestamp, NULL)
FILE_OF(health, "grpc/health/v1/health.proto", "grpc.health.v1", NULL, NULL)
FILE_OF(inference, "inference/inference.proto", "inference", NULL, NULL)
FILE_OF(
    reflection, "grpc/reflection/v1/reflection.proto", "grpc.reflection.v1", NULL, NULL)
FILE_OF(reflection_alpha,
        "grpc/reflection/v1alpha/reflection.proto",
        "grpc.reflection.v1alpha",
        NULL,
        &sp_file_reflection)
FILE_OF(status, "google/rpc/status.proto", "google.rpc", needs_any, NULL)
FILE_OF(struct, "google/protobuf/struct.proto", "google.protobuf", NULL, NULL)
FILE_OF(timestamp, "google/protobuf/timestamp.proto", "google.protobuf", NULL, NULL)
FILE_OF(v1, "snakepit/v1/snakepit.proto", "snakepit.v1", needs_struct, NULL)

const struct sp_proto_file *const sp_files[] = {&sp_file_any,
                                                &sp_file_duration,
                                                &sp_file_error_details,
                                                &sp_file_bridge,
                                                &sp_file_health,
                                                &sp_file_inference,
                                                &sp_file_reflection,
                                                &sp_file_reflection_alpha,
                                                &sp_file_status,
                                                &sp_file_struct,
                                                &sp_file_timestamp,
                                                &sp_file_v1,
                                                NULL};
