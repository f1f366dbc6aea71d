// SPDX-License-Identifier: MIT
// The messages of the gRPC door, from the rows of grpc/proto_*.def: for each a struct
// and a table.
//
//   SP_MESSAGE(name, file, "text", oneof)   struct sp_NAME and its table sp_type_NAME;
//       "text" is its name in the package of FILE; `oneof` the name of its oneof, or
//       NULL
//   SP_FIELD(message, number, name, label, kind, of)   a member; see protobuf/type.h.
//   `of`
//       is the message, the entry or the enum that it has, else `none`
//   SP_MAP_ENTRY(name, kind, of)            the entry of a map from texts
//   SP_ENUM(name, file, "text"), SP_ENUM_VALUE(enum, name, "text", number)
//   SP_RPC(file, "service", "name", request, response, client_streams, server_streams)
//
// In a struct: a member of a oneof is there if `which` is its number; OPTIONAL ones if
// has_NAME; messages if they are not NULL. Texts and bytes are slices, without a zero
// behind them. A zeroed struct is the empty message.
#ifndef GRPC_MESSAGES_H
#define GRPC_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "protobuf/type.h"

#define SP_ENUM(name, file, text) \
    enum sp_##name                \
    {
#define SP_ENUM_VALUE(enumeration, name, text, number) SP_##name = (number),
#define SP_ENUM_END(name) \
    }                     \
    ;
#include "grpc/messages.def"

#define SP_MESSAGE(name, file, text, oneof) \
    struct sp_##name;                       \
    extern const struct sp_proto_type sp_type_##name;
#define SP_MAP_ENTRY(name, kind, of) \
    struct sp_##name;                \
    extern const struct sp_proto_type sp_type_##name;
#include "grpc/messages.def"

// The type of a member, and of an item of a list.
#define SP_TYPE_BOOL(of)    bool
#define SP_TYPE_INT32(of)   int32_t
#define SP_TYPE_INT64(of)   int64_t
#define SP_TYPE_UINT32(of)  uint32_t
#define SP_TYPE_UINT64(of)  uint64_t
#define SP_TYPE_DOUBLE(of)  double
#define SP_TYPE_ENUM(of)    int32_t
#define SP_TYPE_TEXT(of)    struct sp_slice
#define SP_TYPE_BYTES(of)   struct sp_slice
#define SP_TYPE_RAW(of)     struct sp_slice
#define SP_TYPE_MESSAGE(of) struct sp_##of *
#define SP_ITEM_BOOL(of)    bool
#define SP_ITEM_INT32(of)   int32_t
#define SP_ITEM_INT64(of)   int64_t
#define SP_ITEM_UINT32(of)  uint32_t
#define SP_ITEM_UINT64(of)  uint64_t
#define SP_ITEM_DOUBLE(of)  double
#define SP_ITEM_ENUM(of)    int32_t
#define SP_ITEM_TEXT(of)    struct sp_slice
#define SP_ITEM_BYTES(of)   struct sp_slice
#define SP_ITEM_RAW(of)     struct sp_slice
#define SP_ITEM_MESSAGE(of) struct sp_##of

// NOLINTBEGIN(bugprone-macro-parentheses): names of members
#define SP_MEMBER_ONE(name, kind, of)    SP_TYPE_##kind(of) name;
#define SP_MEMBER_CHOICE(name, kind, of) SP_TYPE_##kind(of) name;
#define SP_MEMBER_OPTIONAL(name, kind, of) \
    SP_TYPE_##kind(of) name;               \
    bool has_##name;
#define SP_MEMBER_MANY(name, kind, of) \
    struct {                           \
        SP_ITEM_##kind(of) * items;    \
        size_t count;                  \
    } name;
#define SP_MEMBER_MAP(name, kind, of) SP_MEMBER_MANY(name, kind, of)

#define SP_MESSAGE(name, file, text, oneof) \
    struct sp_##name {                      \
        uint32_t which;
#define SP_FIELD(message, number, name, label, kind, of) \
    SP_MEMBER_##label(name, kind, of)
#define SP_MESSAGE_END(name) \
    }                        \
    ;
#define SP_MAP_ENTRY(name, kind, of) \
    struct sp_##name {               \
        uint32_t which;              \
        struct sp_slice key;         \
        SP_TYPE_##kind(of) value;    \
    };
#include "grpc/messages.def"

// NOLINTEND(bugprone-macro-parentheses)

// The files of descriptors.
extern const struct sp_proto_file sp_file_any;
extern const struct sp_proto_file sp_file_duration;
extern const struct sp_proto_file sp_file_error_details;
extern const struct sp_proto_file sp_file_bridge;
extern const struct sp_proto_file sp_file_health;
extern const struct sp_proto_file sp_file_reflection;
extern const struct sp_proto_file sp_file_reflection_alpha;
extern const struct sp_proto_file sp_file_status;
extern const struct sp_proto_file sp_file_struct;
extern const struct sp_proto_file sp_file_timestamp;
extern const struct sp_proto_file sp_file_v1;

// All of them, ending with NULL: what reflection knows.
extern const struct sp_proto_file *const sp_files[];

#endif
