// SPDX-License-Identifier: MIT
// Messages of JSON-RPC 2.0 as MCP has them, read from what a client sent. Nothing of it
// is believed before it was looked at.
#ifndef MCP_MESSAGE_H
#define MCP_MESSAGE_H

#include <stdbool.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// Codes of JSON-RPC, and those of MCP below.
#define SP_MCP_PARSE_ERROR         (-32700)
#define SP_MCP_INVALID_REQUEST     (-32600)
#define SP_MCP_NO_METHOD           (-32601)
#define SP_MCP_INVALID_PARAMS      (-32602)
#define SP_MCP_INTERNAL_ERROR      (-32603)
#define SP_MCP_HEADER_MISMATCH     (-32020)
#define SP_MCP_UNSUPPORTED_VERSION (-32022)

// Why a message is not served. A code of 0: it is.
struct sp_mcp_wrong {
    int code;
    const char *why; // one sentence; constant
};

enum sp_mcp_method {
    SP_MCP_OTHER = 0, // one that is not served
    SP_MCP_INITIALIZE,
    SP_MCP_PING,
    SP_MCP_DISCOVER,
    SP_MCP_TOOLS_LIST,
    SP_MCP_TOOLS_CALL,
    SP_MCP_LISTEN,
    SP_MCP_CANCELLED, // a notification
};

enum sp_mcp_kind {
    SP_MCP_REQUEST = 0,
    SP_MCP_NOTIFICATION, // has no id
    SP_MCP_RESPONSE,     // to what nobody has asked
};

#define SP_MCP_ID_MOST 256u // bytes of a request's id, as JSON

// Borrows from the bytes that it was read from. Readers that are empty stand before
// nothing.
struct sp_mcp_message {
    enum sp_mcp_kind kind;
    enum sp_mcp_method method;
    struct sp_slice name;    // of the method
    snakepit_reader id;      // of a request: a text or a whole number
    snakepit_reader params;  // a map
    snakepit_reader version; // that `_meta` names: the client is of a revision without
                             // a handshake
    snakepit_reader token;   // `progressToken`: a text or a whole number
    struct sp_slice parent;  // `traceparent`; empty: none
    struct sp_slice state;   // `tracestate`
    bool has_capabilities;   // `_meta` names them
};

// Reads the value of a body. Where it is wrong, what was understood is in `message`,
// such as its id.
struct sp_mcp_wrong sp_mcp_message_read(const snakepit_reader *value,
                                        struct sp_mcp_message *message);

// The member of that kind of a map. False: there is none.
bool sp_mcp_member(const snakepit_reader *map,
                   const char *key,
                   snakepit_kind kind,
                   snakepit_reader *found);
// The same of a text.
bool sp_mcp_text(const snakepit_reader *map, const char *key, struct sp_slice *text);
// The text that a reader stands before; empty: it is not one.
struct sp_slice sp_mcp_text_at(const snakepit_reader *reader);
bool sp_mcp_is(struct sp_slice text, const char *wanted);
// Whether a reader stands before something.
bool sp_mcp_is_there(const snakepit_reader *reader);

// ---- Revisions --------------------------------------------------------------------

// What a revision is like. Those before 2026-07-28 begin with a handshake.
enum sp_mcp_era {
    SP_MCP_HANDSHAKE = 0,
    SP_MCP_STATELESS,
};

#define SP_MCP_REVISION        "2026-07-28" // without a handshake
#define SP_MCP_LAST_HANDSHAKE  "2025-11-25"
#define SP_MCP_WITH_BATCHES    "2025-03-26"
#define SP_MCP_HANDSHAKES_JSON "\"2025-11-25\",\"2025-06-18\",\"2025-03-26\""

// Whether the handshake may agree on it.
bool sp_mcp_is_handshake(struct sp_slice revision);

// What header fields say of a message; without data: there is none.
struct sp_mcp_fields {
    bool wanted; // the transport has them
    struct sp_slice version;
    struct sp_slice method;
    struct sp_slice name;
};

// Which era a message is of, and whether it is as that wants it.
struct sp_mcp_wrong sp_mcp_era_of(const struct sp_mcp_message *message,
                                  const struct sp_mcp_fields *fields,
                                  enum sp_mcp_era *era);

#endif
