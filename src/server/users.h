// SPDX-License-Identifier: MIT
// Which users of the machine may call through a Unix socket: `users` of a listener.
#ifndef FRONT_USERS_H
#define FRONT_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "config/config.h"
#include "server/refusals.h"

// Constant but for `refusals`.
struct sp_users {
    struct sp_refusals refusals; // of those who are not among them
    size_t count;
    uint32_t ids[];
};

// Looks the names up in the user database of the machine; what has only digits is a
// number. Gives the users. INVALID_CONFIG: there is no such user, or it could not be
// looked up; `why` begins with the item, "[1]: ". NO_MEMORY. Any thread.
snakepit_err sp_users_find(const struct sp_texts *names,
                           struct sp_users **users,
                           snakepit_message *why);
// NULL is fine.
void sp_users_free(struct sp_users *users);

bool sp_users_has(const struct sp_users *users, uint32_t id);

#endif
