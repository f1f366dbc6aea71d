// SPDX-License-Identifier: MIT
// The tokens of a listener, as its file says now.
//
// Whoever looks up has a view, which holds on to the tokens that it has shown until the
// callback that asked has returned, also where the file is read again meanwhile.
#ifndef SERVER_TOKEN_STORE_H
#define SERVER_TOKEN_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <snakepit/payload.h>

#include "base/log.h"
#include "base/loop.h"
#include "config/tokens.h"
#include "server/grant.h"
#include "server/refusals.h"

struct sp_token_table;

// Any thread: it has a lock.
struct sp_token_store {
    const char *path;    // constant, borrowed
    atomic_uint edition; // counts the tables
    struct sp_refusals refusals;
    pthread_mutex_t lock;
    // Guarded by `lock`.
    struct sp_token_table *now;
    struct stat seen; // of the file, when it was read last, well or not
};

// Reads the file. Keeps `path`. INVALID_CONFIG: `why` says what is wrong with it, as
// sp_tokens_read(). NO_MEMORY.
snakepit_err sp_token_store_open(const char *path,
                                 struct sp_token_store **store,
                                 snakepit_message *why);
// No view is open. NULL is fine.
void sp_token_store_free(struct sp_token_store *store);
// Reads the file again. On failure, as above, the tokens stay as they are.
snakepit_err sp_token_store_reread(struct sp_token_store *store, snakepit_message *why);
// The same in two steps: the file is read, and used by nobody yet. What was read ends
// by sp_token_store_take(), or sp_token_fresh_discard(), for which a zeroed one is
// fine.
struct sp_token_fresh {
    struct sp_token_table *table;
    struct stat seen;
};
snakepit_err sp_token_store_prepare(struct sp_token_store *store,
                                    struct sp_token_fresh *fresh,
                                    snakepit_message *why);
void sp_token_store_take(struct sp_token_store *store, struct sp_token_fresh *fresh);
void sp_token_fresh_discard(struct sp_token_fresh *fresh);
// Tells of tokens that name a pool which the configuration has not: a sentence each,
// nine at most.
typedef void sp_token_warning_fn(void *user, const char *warning);
void sp_token_store_warn(struct sp_token_store *store,
                         const struct sp_config *config,
                         sp_token_warning_fn *warn,
                         void *user);
// Whether the file is another than at the last reading, or was changed since.
bool sp_token_store_is_stale(struct sp_token_store *store);
// Whether one more refusal is to be logged, at `now` ns of sp_clock_now(): one each
// second is. `others` becomes how many were not since the last one.
bool sp_token_store_tells(struct sp_token_store *store, uint64_t now, unsigned *others);
size_t sp_token_store_count(struct sp_token_store *store);

// One of a loop. Owner: that loop. Zeroed: it shows nothing.
struct sp_token_view {
    struct sp_token_store *store;
    struct sp_loop *loop;
    unsigned edition;
    struct sp_token_table *table;
    struct sp_token_table *before; // until the callback that asked has returned
    struct sp_task drop;           // of `before`
};

void sp_token_view_open(struct sp_token_view *view,
                        struct sp_token_store *store,
                        struct sp_loop *loop);
void sp_token_view_close(struct sp_token_view *view);

enum sp_token_state {
    SP_TOKEN_GOOD = 0,
    SP_TOKEN_UNKNOWN,
    SP_TOKEN_EXPIRED,
};

// What the token of that hash gives at that time, in seconds since 1970. Takes as long
// for one that is there as for one that is not. `grant` is set where the token is good,
// and lives until the callback that asks has returned.
enum sp_token_state sp_token_view_find(struct sp_token_view *view,
                                       const uint8_t hash[SP_TOKEN_HASH_BYTES],
                                       int64_t now,
                                       const struct sp_grant **grant);

#endif
