// SPDX-License-Identifier: MIT
// Session values as Python asks for them: one function for what
// python/snakepit_bridge/session_values.py says, MessagePack in and out.
//
//   operation  arguments                         result
//   get        {"key": text}                     [] or [value]
//   put        {"key": text, "value": any,       nil
//               "ttl": seconds, optional}
//   delete     {"key": text}                     whether it was there
//   list       {}                                the keys, oldest first
#ifndef SESSION_TOOL_H
#define SESSION_TOOL_H

#include "session/sessions.h"

#define SP_SESSION_TOOLS \
    "snakepit.session." // what Python asks for, an operation behind

struct sp_session_question {
    const char *operation;
    struct sp_slice session;   // of the call that asks; empty: it has none
    snakepit_reader arguments; // out of the worker's reach
};

// Writes one value into `result` on success. INVALID_ARGUMENT, UNKNOWN_TOOL (no such
// operation), NOT_FOUND (the call has no session), UNSERIALISABLE (a tensor in the
// value), INVALID_ARGUMENT too for a list or a map as a key and for keys that are one
// to Python, NO_MEMORY, MALFORMED, and what the functions of session/sessions.h say;
// `why` explains in one sentence. Any thread.
snakepit_err sp_session_tool(struct sp_sessions *sessions,
                             const struct sp_session_question *question,
                             snakepit_writer *result,
                             snakepit_message *why);

#endif
