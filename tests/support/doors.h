// SPDX-License-Identifier: MIT
// What tests of doors have in common: a protocol's functions that do nothing, and a log
// that nobody reads.
#ifndef SUPPORT_DOORS_H
#define SUPPORT_DOORS_H

#include "server/server.h"

static inline void doors_ignore(struct sp_connection *connection)
{
    (void)connection;
}

static inline void doors_late(struct sp_connection *connection, enum sp_wait_for what)
{
    (void)connection;
    (void)what;
}

static inline void doors_no_line(void *user, const struct sp_notice *notice)
{
    (void)user;
    (void)notice;
}

static const struct sp_log doors_no_log = {.write = doors_no_line,
                                           .level = SP_LOG_WARNING};

#endif
