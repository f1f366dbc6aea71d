// SPDX-License-Identifier: MIT
// Who this process is: what decides whom it may signal, and as whom its children run.
#ifndef FLEET_USER_H
#define FLEET_USER_H

#include <string.h>
#include <unistd.h>

// Real, effective, saved. Plain data, to be compared as bytes.
struct sp_user {
    uid_t users[3];
    gid_t groups[3];
};

static inline struct sp_user sp_user_now(void)
{
    struct sp_user user;
    memset(&user, 0, sizeof user);
    (void)getresuid(&user.users[0], &user.users[1], &user.users[2]);
    (void)getresgid(&user.groups[0], &user.groups[1], &user.groups[2]);
    return user;
}

#endif
