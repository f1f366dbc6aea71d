// SPDX-License-Identifier: MIT
// The messages of the gRPC door, from the rows of grpc/proto_*.def; see
// protobuf/declare.def.
#ifndef GRPC_MESSAGES_H
#define GRPC_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "protobuf/type.h"

#define SP_PROTO_ROWS "grpc/messages.def"
#include "protobuf/declare.def"

// The files of descriptors.
extern const struct sp_proto_file sp_file_any;
extern const struct sp_proto_file sp_file_duration;
extern const struct sp_proto_file sp_file_error_details;
extern const struct sp_proto_file sp_file_bridge;
extern const struct sp_proto_file sp_file_health;
extern const struct sp_proto_file sp_file_inference;
extern const struct sp_proto_file sp_file_reflection;
extern const struct sp_proto_file sp_file_reflection_alpha;
extern const struct sp_proto_file sp_file_status;
extern const struct sp_proto_file sp_file_struct;
extern const struct sp_proto_file sp_file_timestamp;
extern const struct sp_proto_file sp_file_v1;

// All of them, ending with NULL: what reflection knows.
extern const struct sp_proto_file *const sp_files[];

#endif
