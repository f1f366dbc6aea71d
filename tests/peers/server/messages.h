// SPDX-License-Identifier: MIT
// The messages of the test services, from the rows of messages.def; see
// protobuf/declare.def.
#ifndef PEERS_MESSAGES_H
#define PEERS_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "grpc/messages.h"

#define SP_PROTO_ROWS "peers/server/messages.def"
#include "protobuf/declare.def"

extern const struct sp_proto_file sp_file_conformance;
extern const struct sp_proto_file sp_file_testing;

#endif
