// SPDX-License-Identifier: MIT
// The sessions of a pit and the values that they keep on the host. A session begins
// when its name is used and ends when it is closed, when it was not used for its time
// to live, when others need its room, or with the pit; whoever wants to know is told
// once, with the reason.
//
// Memory is bounded: so many sessions, so many bytes in each and in all. Room is made
// at the cost of sessions without values first, of those not used for longest next, and
// never of one whose calls are under way.
//
// Any thread.
#ifndef SESSION_SESSIONS_H
#define SESSION_SESSIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"
#include "base/names.h"
#include "base/slice.h"
#include "telemetry/figures.h"

#define SP_KEY_MAX    255u // bytes of a value's key
#define SP_VALUE_COST 128u // what a value takes beside its bytes and its key

// No function of the sessions may be called from `busy`; any may from the others.
struct sp_sessions_hooks {
    // A session has ended. On the thread that ended it, without a lock.
    void (*ended)(void *user, struct sp_slice session, snakepit_session_end reason);
    // Whether calls of the session are under way. The lock is held.
    bool (*busy)(void *user, struct sp_slice session);
    // sp_sessions_sweep() is wanted.
    void (*wake)(void *user);
    void *user;
};

struct sp_sessions_options {
    uint64_t ttl_ms;        // 0: sessions do not end by themselves
    uint32_t most;          // sessions
    uint64_t quota;         // bytes of one session
    uint64_t memory;        // bytes of all
    struct sp_hash_key key; // chance
    uint64_t (*now)(void);  // CLOCK_MONOTONIC ns
};

struct sp_sessions {
    struct sp_sessions_options options; // constant
    struct sp_sessions_hooks hooks;     // constant

    pthread_mutex_t lock; // guards all that follows
    struct sp_names names;
    struct sp_link empty;  // sessions without values, longest unused first
    struct sp_link filled; // those with values
    struct sp_link over;   // that have ended and whose end nobody was told yet
    struct sp_link all;    // but for these, in the order in which they began
    uint64_t bytes;
    uint64_t values;
    uint64_t ended[SP_SESSION_OVERS]; // but for those that the end has closed
    bool watched;                     // sweeps will come
    bool closed;
};

// Names and keys have 1 to 255 bytes; whoever calls has checked that. `key` is empty
// where none is meant.
struct sp_session_place {
    struct sp_slice session;
    struct sp_slice key;
};

void sp_sessions_init(struct sp_sessions *sessions,
                      const struct sp_sessions_options *options,
                      const struct sp_sessions_hooks *hooks);
// Ends all sessions with SNAKEPIT_SESSION_PIT_CLOSED. None begins from now on, and
// every function says SHUTTING_DOWN.
void sp_sessions_close(struct sp_sessions *sessions);
// Closed before.
void sp_sessions_fini(struct sp_sessions *sessions);

// The session is used: it begins, or lives on. SATURATED: `most` sessions have calls
// under way. NO_MEMORY, SHUTTING_DOWN.
snakepit_err sp_sessions_use(struct sp_sessions *sessions, struct sp_slice name);
// Keeps a copy of `data` (any bytes), in place of what the key held. `ttl_ms` 0: as
// long as the session lives. QUOTA_EXCEEDED: the key holds what it held. Else as
// sp_sessions_use().
snakepit_err sp_sessions_put(struct sp_sessions *sessions,
                             const struct sp_session_place *place,
                             struct sp_slice data,
                             uint64_t ttl_ms);
// Appends a copy of the value. NOT_FOUND: no such session or key. NO_MEMORY,
// SHUTTING_DOWN.
snakepit_err sp_sessions_get(struct sp_sessions *sessions,
                             const struct sp_session_place *place,
                             struct sp_buf *copy);
// NOT_FOUND, SHUTTING_DOWN.
snakepit_err sp_sessions_delete(struct sp_sessions *sessions,
                                const struct sp_session_place *place);
// Writes the keys, oldest first, as an array of texts. NOT_FOUND: no such session;
// nothing is written. NO_MEMORY, SHUTTING_DOWN.
snakepit_err sp_sessions_list(struct sp_sessions *sessions,
                              struct sp_slice name,
                              snakepit_writer *keys);
// Writes a page of the sessions, in the order in which they began, which is no use of
// them: {"sessions": [{"session", "values", "bytes"}], "next": the last name, nil where
// no more follow}. At most `most`, from the first, or behind `after` if that is not
// empty. NOT_FOUND: no such session; nothing is written. NO_MEMORY, SHUTTING_DOWN.
snakepit_err sp_sessions_page(struct sp_sessions *sessions,
                              struct sp_slice after,
                              uint32_t most,
                              snakepit_writer *page);
// What is told of all of them.
void sp_sessions_figures(struct sp_sessions *sessions,
                         struct sp_session_figures *figures);
// Ends one session with SNAKEPIT_SESSION_CLOSED. NOT_FOUND, SHUTTING_DOWN.
snakepit_err sp_sessions_end(struct sp_sessions *sessions, struct sp_slice name);
// Ends the sessions whose time is over. Returns when it wants to be called again,
// SP_NEVER: when `wake` says so.
uint64_t sp_sessions_sweep(struct sp_sessions *sessions);

#endif
