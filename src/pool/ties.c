// SPDX-License-Identifier: MIT
// Idle ties stand in the order in which they became idle, which is also the order in
// which they expire. A tie of a session that is over leaves the table at once, so that
// the name can begin anew, and lives on until its calls have ended.
#include "pool/ties.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "pool/seat.h"

#define EXPIRED_A_TURN 2 // so that the table shrinks while names come

void sp_ties_init(struct sp_ties *ties,
                  uint32_t most,
                  uint64_t ttl,
                  const struct sp_hash_key *key)
{
    sp_names_init(&ties->names, key);
    sp_list_init(&ties->idle);
    ties->most = most;
    ties->ttl = ttl;
}

void sp_tie_to(struct sp_tie *tie, struct sp_seat *seat)
{
    if (tie->seat != NULL) {
        sp_list_remove(&tie->seat_link);
    }
    tie->seat = seat;
    if (seat != NULL) {
        sp_list_append(&seat->ties, &tie->seat_link);
    }
}

static struct sp_tie *find(const struct sp_ties *ties, const char *text, uint32_t size)
{
    struct sp_name *name = sp_names_find(&ties->names, text, size);
    return name == NULL ? NULL : SP_ENTRY(name, struct sp_tie, name);
}

static void leave_table(struct sp_ties *ties, struct sp_tie *tie)
{
    sp_names_remove(&ties->names, &tie->name);
    tie->ended = true;
}

// Frees a tie that is idle, or that has left the table.
static void free_tie(struct sp_ties *ties, struct sp_tie *tie)
{
    if (!tie->ended) {
        sp_list_remove(&tie->idle);
        leave_table(ties, tie);
    }
    sp_tie_to(tie, NULL);
    sp_free(tie);
}

static struct sp_tie *longest_idle(struct sp_ties *ties)
{
    return sp_list_empty(&ties->idle) ? NULL
                                      : SP_ENTRY(ties->idle.next, struct sp_tie, idle);
}

static void make_room(struct sp_ties *ties, uint64_t now)
{
    struct sp_tie *tie;
    for (int i = 0; i < EXPIRED_A_TURN && (tie = longest_idle(ties)) != NULL &&
                    now >= tie->expires;
         i++) {
        free_tie(ties, tie);
    }
    while (ties->names.count >= ties->most && (tie = longest_idle(ties)) != NULL) {
        free_tie(ties, tie);
    }
}

static struct sp_tie *
new_tie(struct sp_ties *ties, const char *session, uint32_t size, uint64_t now)
{
    make_room(ties, now);
    struct sp_tie *tie = sp_alloc(sizeof *tie + size);
    if (tie == NULL) {
        return NULL;
    }
    memcpy(tie->text, session, size);
    tie->name.text = tie->text;
    tie->name.size = size;
    tie->calls = 1;
    if (sp_names_add(&ties->names, &tie->name) != SNAKEPIT_OK) {
        sp_free(tie);
        return NULL;
    }
    return tie;
}

struct sp_tie *
sp_ties_take(struct sp_ties *ties, const char *session, uint32_t size, uint64_t now)
{
    struct sp_tie *tie = find(ties, session, size);
    if (tie != NULL && tie->calls == 0 && now >= tie->expires) {
        free_tie(ties, tie);
        tie = NULL;
    }
    if (tie == NULL) {
        return new_tie(ties, session, size, now);
    }
    if (tie->calls++ == 0) {
        sp_list_remove(&tie->idle);
    }
    return tie;
}

void sp_ties_put(struct sp_ties *ties, struct sp_tie *tie, uint64_t now)
{
    SP_CHECK(tie->calls > 0);
    if (--tie->calls > 0) {
        return;
    }
    if (tie->ended) {
        free_tie(ties, tie);
        return;
    }
    tie->expires = ties->ttl == 0 ? SP_NEVER : now + ties->ttl;
    sp_list_append(&ties->idle, &tie->idle);
    if (ties->names.count > ties->most) {
        free_tie(ties, longest_idle(ties));
    }
}

void sp_ties_end(struct sp_ties *ties, const char *session, uint32_t size)
{
    struct sp_tie *tie = find(ties, session, size);
    if (tie != NULL && tie->calls == 0) {
        free_tie(ties, tie);
    } else if (tie != NULL) {
        leave_table(ties, tie);
    }
}

bool sp_ties_are_busy(const struct sp_ties *ties, const char *session, uint32_t size)
{
    const struct sp_tie *tie = find(ties, session, size);
    return tie != NULL && tie->calls > 0;
}

void sp_ties_fini(struct sp_ties *ties)
{
    struct sp_tie *tie;
    while ((tie = longest_idle(ties)) != NULL) {
        free_tie(ties, tie);
    }
    SP_CHECK(ties->names.count == 0);
    sp_names_fini(&ties->names);
}
