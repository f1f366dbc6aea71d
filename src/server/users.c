// SPDX-License-Identifier: MIT
// Names are looked up once, when the listener opens: a look-up may ask other machines,
// and a loop does not wait for them.
#include "server/users.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/problem.h"

#define ENTRY_SIZE 65536u // bytes of an entry of the user database

// What the kernel says of nobody.
#define NO_ID UINT32_MAX

static bool is_number(const char *text)
{
    while (isdigit((unsigned char)*text)) {
        text++;
    }
    return *text == '\0';
}

static int find_number(const char *text, uint32_t *id)
{
    char *end;
    errno = 0;
    const uintmax_t number = strtoumax(text, &end, 10);
    if (text[0] == '\0' || errno != 0 || number >= NO_ID) {
        return ERANGE;
    }
    *id = (uint32_t)number;
    return 0;
}

// 0, or why not: ENOENT, there is none of that name.
static int find_name(const char *name, uint32_t *id)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char *room = sp_alloc(ENTRY_SIZE);
    int rc = room == NULL ? ENOMEM : getpwnam_r(name, &entry, room, ENTRY_SIZE, &found);
    if (found != NULL) {
        *id = entry.pw_uid;
    }
    sp_free(room);
    return rc == 0 && found == NULL ? ENOENT : rc;
}

// What databases say of a name that they do not have differs.
static bool means_unknown(int rc)
{
    return rc == ENOENT || rc == ESRCH || rc == EBADF || rc == EPERM;
}

static snakepit_err refuse(int rc, const char *name, size_t at, snakepit_message *why)
{
    char shown[SP_QUOTED_MAX];
    const char *what = sp_quote(name, shown);
    if (rc == ENOMEM) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (rc == ERANGE && is_number(name)) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "[%zu]: expected the name of a user, or a number from 0 to "
                       "4294967294, got %s",
                       at,
                       what);
    } else if (means_unknown(rc)) {
        (void)snprintf(
            why->text,
            sizeof why->text,
            "[%zu]: this machine has no user %s; make it, or give its number",
            at,
            what);
    } else {
        (void)snprintf(
            why->text,
            sizeof why->text,
            "[%zu]: the user %s could not be looked up (%s); give its number",
            at,
            what,
            strerrordesc_np(rc));
    }
    return SNAKEPIT_INVALID_CONFIG;
}

snakepit_err sp_users_find(const struct sp_texts *names,
                           struct sp_users **users,
                           snakepit_message *why)
{
    struct sp_users *made = sp_alloc(sizeof *made + names->count * sizeof made->ids[0]);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (; made->count < names->count; made->count++) {
        const char *name = names->items[made->count];
        uint32_t *id = &made->ids[made->count];
        int rc = is_number(name) ? find_number(name, id) : find_name(name, id);
        if (rc != 0) {
            snakepit_err err = refuse(rc, name, made->count, why);
            sp_users_free(made);
            return err;
        }
    }
    *users = made;
    return SNAKEPIT_OK;
}

void sp_users_free(struct sp_users *users)
{
    sp_free(users);
}

bool sp_users_has(const struct sp_users *users, uint32_t id)
{
    size_t i = 0;
    while (i < users->count && users->ids[i] != id) {
        i++;
    }
    return i < users->count;
}
