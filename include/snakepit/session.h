// SPDX-License-Identifier: MIT
// Sessions and the values that are kept for them. Any thread.
#ifndef SNAKEPIT_SESSION_H
#define SNAKEPIT_SESSION_H

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

// A session is a name of 1 to 255 bytes that ties calls together. It begins when the
// name is used, by a call or by snakepit_session_put(), and ends as enum
// snakepit_session_end says. While it lives it keeps values, each under a key of 1 to
// 255 bytes: tools find them as self.session_context.get("key"), in whatever worker
// they run. All of this is memory of the host, bounded by the configuration.
//
// Each of these counts as a use of the session. INVALID_ARGUMENT: a name or a key of
// another length, or no pit. SHUTTING_DOWN: the pit is closing. NO_MEMORY.

typedef struct snakepit_put_options {
    size_t size;     // see Options
    uint32_t ttl_ms; // how long the value is kept; 0: as long as its session lives
    snakepit_message *why; // NULL, or where a failure is explained in one sentence
} snakepit_put_options;

// Keeps a copy of the value that `value` holds, in place of what the key held.
// `options` may be NULL. QUOTA_EXCEEDED: it would be more than session_quota or
// session_memory; the key keeps its old value. UNSERIALISABLE: it holds tensors; write
// their bytes. SATURATED: there are max_sessions sessions, and all have calls under
// way. And what snakepit_writer_error() says; snakepit_writer_explain() says where: a
// list or a map as a key, which no tool could read, is INVALID_ARGUMENT, and so are
// keys of one map that are equal in Python.
SNAKEPIT_API snakepit_err snakepit_session_put(snakepit *pit,
                                               const char *session_id,
                                               const char *key,
                                               const snakepit_writer *value,
                                               const snakepit_put_options *options);
// Gives a copy of the value as an answer, to be read and freed like that of a call.
// NOT_FOUND: there is no such session or key; the fault says which. On every failure
// `*answer` is given as well; only with NO_MEMORY it may be NULL.
SNAKEPIT_API snakepit_err snakepit_session_get(snakepit *pit,
                                               const char *session_id,
                                               const char *key,
                                               snakepit_answer **answer);
// NOT_FOUND: there is no such session or key.
SNAKEPIT_API snakepit_err snakepit_session_delete(snakepit *pit,
                                                  const char *session_id,
                                                  const char *key);
// Gives the keys of a session, oldest first, as an answer: an array of texts. Fails
// like snakepit_session_get().
SNAKEPIT_API snakepit_err snakepit_session_list(snakepit *pit,
                                                const char *session_id,
                                                snakepit_answer **answer);
// Ends the session. Its calls go on; the next one begins the session anew. NOT_FOUND.
SNAKEPIT_API snakepit_err snakepit_session_close(snakepit *pit, const char *session_id);

// Gives a page of the sessions that there are, in the order in which they began, as an
// answer: {"sessions": [{"session": its name, "values": how many, "bytes": what they
// take}], "next": the name of the last one, nil where no more follow}. At most `most`
// of them, 1 to 10000: from the first one, where `after` is NULL, else behind the
// session of that name. Listing does not count as using them. NOT_FOUND: that one has
// ended meanwhile; begin anew. Fails like snakepit_session_get().
SNAKEPIT_API snakepit_err snakepit_sessions(snakepit *pit,
                                            const char *after,
                                            uint32_t most,
                                            snakepit_answer **answer);

#ifdef __cplusplus
}
#endif

#endif
