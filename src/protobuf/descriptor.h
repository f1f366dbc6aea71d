// SPDX-License-Identifier: MIT
// Tables as FileDescriptorProto, what reflection shows.
#ifndef PROTOBUF_DESCRIPTOR_H
#define PROTOBUF_DESCRIPTOR_H

#include "protobuf/type.h"

// Appends the file's descriptor, as protoc makes it, without comments. NO_MEMORY.
snakepit_err sp_proto_describe(const struct sp_proto_file *file, struct sp_buf *out);

// Whether a file declares this symbol: a message, an enum, a service, a method or a
// field, with its package.
bool sp_proto_file_declares(const struct sp_proto_file *file, struct sp_slice symbol);

#endif
