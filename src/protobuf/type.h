// SPDX-License-Identifier: MIT
// What messages look like: tables that the codec and the descriptors are made from.
// They come from rows of .def files; see grpc/messages.h.
#ifndef PROTOBUF_TYPE_H
#define PROTOBUF_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

// How a field stands in the struct of its message, and on the wire.
enum sp_proto_kind {
    SP_PROTO_BOOL,
    SP_PROTO_INT32,
    SP_PROTO_INT64,
    SP_PROTO_UINT32,
    SP_PROTO_UINT64,
    SP_PROTO_DOUBLE,
    SP_PROTO_FIXED64, // uint64_t, as fixed64
    SP_PROTO_FLOAT,
    SP_PROTO_ENUM,    // int32_t; numbers that have no name are kept
    SP_PROTO_TEXT,    // struct sp_slice, valid UTF-8
    SP_PROTO_BYTES,   // struct sp_slice
    SP_PROTO_MESSAGE, // a pointer to its struct; NULL: not there
    SP_PROTO_RAW,     // a message whose bytes are left as they are: struct sp_slice,
                      // whose data is NULL where it is not there
};

// Whether a number has eight bytes on the wire.
static inline bool sp_proto_is_eight_bytes(enum sp_proto_kind kind)
{
    return kind == SP_PROTO_DOUBLE || kind == SP_PROTO_FIXED64;
}

enum sp_proto_label {
    SP_PROTO_ONE,      // not there means the default
    SP_PROTO_OPTIONAL, // there or not: the member has_NAME
    SP_PROTO_CHOICE,   // of the message's oneof: the member `which` has its number
    SP_PROTO_MANY,     // struct {items, count}; messages lie in the array itself
    SP_PROTO_MAP,      // the same, of {key, value}; a key may be there twice, and then
                       // the last one counts
};

struct sp_proto_file;

struct sp_proto_enum_value {
    const char *name;
    int32_t number;
};

struct sp_proto_enum {
    const char *name; // with the message that it stands in, "Outer.Inner"
    const struct sp_proto_file *file;
    const struct sp_proto_enum_value *values;
    size_t count;
};

struct sp_proto_field {
    const char *name;
    uint32_t number;
    enum sp_proto_kind kind;
    enum sp_proto_label label;
    uint32_t offset;                  // in the struct
    uint32_t has;                     // where has_NAME is; only of OPTIONAL
    const struct sp_proto_type *type; // of MESSAGE, RAW and MAP
    const struct sp_proto_enum *enumeration;
};

struct sp_proto_type {
    const char *name; // without the package, with the message that it stands in; ""
                      // for the entry of a map
    const struct sp_proto_file *file;    // NULL for the entry of a map
    const char *oneof;                   // NULL: it has none
    const struct sp_proto_field *fields; // numbers ascend
    size_t count;
    size_t size; // of the struct
};

struct sp_proto_rpc {
    const struct sp_proto_file *file;
    const char *service; // without the package: "Snakepit"
    const char *name;    // "Call"; NULL in the row behind the last one
    const struct sp_proto_type *request;
    const struct sp_proto_type *response;
    bool client_streams;
    bool server_streams;
};

// All that there is. Each list ends with NULL; the rpcs of one service follow each
// other.
struct sp_proto_set {
    const struct sp_proto_type *const *types; // without entries of maps
    const struct sp_proto_enum *const *enums;
    const struct sp_proto_rpc *rpcs;
};

// A file of descriptors: what of its set names it.
struct sp_proto_file {
    const char *path;    // "snakepit/v1/snakepit.proto"
    const char *package; // "snakepit.v1"
    const struct sp_proto_set *set;
    const struct sp_proto_file *const *imports; // ends with NULL; or NULL: none
    const struct sp_proto_file *twin; // it has what that one has, in its own package;
                                      // NULL: none
};

// What every list of a struct looks like: `items` points to `count` members.
struct sp_proto_list {
    void *items;
    size_t count;
};

// The first member of the struct of every message.
struct sp_proto_head {
    uint32_t which; // the number of the oneof's member that is set; 0: none
};

#endif
