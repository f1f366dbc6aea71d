// SPDX-License-Identifier: MIT
// Calls by the names that their clients have given them, so that they can be cancelled
// before they are answered. Each owner, which is the name of a token, has its own; the
// owner "" is whoever needs none. Any thread: it has a lock.
#ifndef API_CALL_NAMES_H
#define API_CALL_NAMES_H

#include <pthread.h>
#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "base/names.h"
#include "base/slice.h"
#include "config/name.h"

#define SP_CALL_NAME_MAX 64u
#define SP_CALL_KEY_MAX  (SP_NAME_BYTES_MAX + 1 + SP_CALL_NAME_MAX)

struct sp_call_names {
    pthread_mutex_t lock;
    struct sp_names names;
};

// One call that has a name. Owner: whoever embeds it; zeroed it has none.
struct sp_call_name {
    struct sp_name name;        // guarded by sp_call_names.lock
    snakepit_call_id call;      // the same; 0: it is not known yet
    bool cancelled;             // the same: somebody has asked that before
    char text[SP_CALL_KEY_MAX]; // "OWNER:NAME"
};

void sp_call_names_init(struct sp_call_names *names);
void sp_call_names_fini(struct sp_call_names *names);

// Whether a text can be a name: 1 to 64 letters, digits, '-', '_' and '.', and not all
// of them digits, for that is a call's number.
bool sp_call_name_is_valid(struct sp_slice text);

// Gives a call a name that is valid, or its number. BUSY: another call of that owner
// has it. NO_MEMORY.
snakepit_err sp_call_name_add(struct sp_call_names *names,
                              struct sp_call_name *entry,
                              const char *owner,
                              struct sp_slice text);
// Says which call it is. True: it is to be cancelled, see sp_call_name_cancel().
bool sp_call_name_set(struct sp_call_names *names,
                      struct sp_call_name *entry,
                      snakepit_call_id call);
// One that has no name is fine.
void sp_call_name_remove(struct sp_call_names *names, struct sp_call_name *entry);
// The call of that owner and that name, which is to be cancelled; the owner "" has the
// calls of all numbers. 0: there is not one, or, with `*later`, its number is not known
// yet, and whoever says it cancels it.
snakepit_call_id sp_call_name_cancel(struct sp_call_names *names,
                                     const char *owner,
                                     const char *text,
                                     bool *later);

#endif
