// SPDX-License-Identifier: MIT
// The tables, from the rows.
#include "grpc/messages.h"

#include <stddef.h>

// ---- Enums --------------------------------------------------------------------------

#define SP_ENUM(name, file, text) \
    static const struct sp_proto_enum_value values_##name[] = {
#define SP_ENUM_VALUE(enumeration, name, text, number) {text, number},
#define SP_ENUM_END(name) \
    }                     \
    ;
#include "grpc/messages.def"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SP_ENUM(name, file, text)                        \
    static const struct sp_proto_enum sp_enum_##name = { \
        text, &sp_file_##file, values_##name, COUNT(values_##name)};
#include "grpc/messages.def"

static const struct sp_proto_enum *const enums[] = {
#define SP_ENUM(name, file, text) &sp_enum_##name,
#include "grpc/messages.def"
    NULL};

// ---- Fields and messages ------------------------------------------------------------

#define SP_TYPE_OF_BOOL(of)    NULL
#define SP_TYPE_OF_INT32(of)   NULL
#define SP_TYPE_OF_INT64(of)   NULL
#define SP_TYPE_OF_UINT32(of)  NULL
#define SP_TYPE_OF_UINT64(of)  NULL
#define SP_TYPE_OF_DOUBLE(of)  NULL
#define SP_TYPE_OF_ENUM(of)    NULL
#define SP_TYPE_OF_TEXT(of)    NULL
#define SP_TYPE_OF_BYTES(of)   NULL
#define SP_TYPE_OF_RAW(of)     &sp_type_##of
#define SP_TYPE_OF_MESSAGE(of) &sp_type_##of
#define SP_ENUM_OF_BOOL(of)    NULL
#define SP_ENUM_OF_INT32(of)   NULL
#define SP_ENUM_OF_INT64(of)   NULL
#define SP_ENUM_OF_UINT32(of)  NULL
#define SP_ENUM_OF_UINT64(of)  NULL
#define SP_ENUM_OF_DOUBLE(of)  NULL
#define SP_ENUM_OF_ENUM(of)    &sp_enum_##of
#define SP_ENUM_OF_TEXT(of)    NULL
#define SP_ENUM_OF_BYTES(of)   NULL
#define SP_ENUM_OF_RAW(of)     NULL
#define SP_ENUM_OF_MESSAGE(of) NULL

#define SP_HAS_ONE(message, name)      0
#define SP_HAS_OPTIONAL(message, name) offsetof(struct sp_##message, has_##name)
#define SP_HAS_CHOICE(message, name)   0
#define SP_HAS_MANY(message, name)     0
#define SP_HAS_MAP(message, name)      0

// A message without fields has the last row, which is none of its fields.
#define SP_MESSAGE(name, file, text, oneof) \
    static const struct sp_proto_field fields_##name[] = {
#define SP_FIELD(message, number, name, label, kind, of) \
    {#name,                                              \
     number,                                             \
     SP_PROTO_##kind,                                    \
     SP_PROTO_##label,                                   \
     offsetof(struct sp_##message, name),                \
     SP_HAS_##label(message, name),                      \
     SP_TYPE_OF_##kind(of),                              \
     SP_ENUM_OF_##kind(of)},
#define SP_MESSAGE_END(message) \
    {                           \
        .name = NULL            \
    }                           \
    }                           \
    ;
#define SP_MAP_ENTRY(name, kind, of)                       \
    static const struct sp_proto_field fields_##name[] = { \
        {"key",                                            \
         1,                                                \
         SP_PROTO_TEXT,                                    \
         SP_PROTO_ONE,                                     \
         offsetof(struct sp_##name, key),                  \
         0,                                                \
         NULL,                                             \
         NULL},                                            \
        {"value",                                          \
         2,                                                \
         SP_PROTO_##kind,                                  \
         SP_PROTO_ONE,                                     \
         offsetof(struct sp_##name, value),                \
         0,                                                \
         SP_TYPE_OF_##kind(of),                            \
         SP_ENUM_OF_##kind(of)}};
#include "grpc/messages.def"

#define SP_MESSAGE(name, file, text, oneof)                                \
    const struct sp_proto_type sp_type_##name = {text,                     \
                                                 &sp_file_##file,          \
                                                 oneof,                    \
                                                 fields_##name,            \
                                                 COUNT(fields_##name) - 1, \
                                                 sizeof(struct sp_##name)};
#define SP_MAP_ENTRY(name, kind, of)              \
    const struct sp_proto_type sp_type_##name = { \
        "", NULL, NULL, fields_##name, 2, sizeof(struct sp_##name)};
#include "grpc/messages.def"

static const struct sp_proto_type *const types[] = {
#define SP_MESSAGE(name, file, text, oneof) &sp_type_##name,
#include "grpc/messages.def"
    NULL};

// ---- Services and files -------------------------------------------------------------

static const struct sp_proto_rpc rpcs[] = {
#define SP_RPC(file, service, name, request, response, client_streams, server_streams) \
    {&sp_file_##file,                                                                  \
     service,                                                                          \
     name,                                                                             \
     &sp_type_##request,                                                               \
     &sp_type_##response,                                                              \
     client_streams,                                                                   \
     server_streams},
#include "grpc/messages.def"
    {.name = NULL}};

static const struct sp_proto_set set = {types, enums, rpcs};

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
                                                &sp_file_reflection,
                                                &sp_file_reflection_alpha,
                                                &sp_file_status,
                                                &sp_file_struct,
                                                &sp_file_timestamp,
                                                &sp_file_v1,
                                                NULL};
