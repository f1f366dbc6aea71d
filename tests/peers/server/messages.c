// SPDX-License-Identifier: MIT
#include "peers/server/messages.h"

#define SP_PROTO_ROWS "peers/server/messages.def"
#include "protobuf/define.def"

const struct sp_proto_file sp_file_conformance = {
    "connectrpc/conformance/v1/service.proto",
    "connectrpc.conformance.v1",
    &set,
    NULL,
    NULL};
const struct sp_proto_file sp_file_testing = {
    "grpc/testing/messages.proto", "grpc.testing", &set, NULL, NULL};
