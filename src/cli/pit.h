// SPDX-License-Identifier: MIT
// What the commands that have workers share: opening, waiting, and giving up on Ctrl-C.
#ifndef CLI_PIT_H
#define CLI_PIT_H

#include <snakepit/snakepit.h>

#define SP_CLI_FLUSH_MS 200u // that a late reader of the log is waited for

// As snakepit_await_ready() without an end of its own: the pool's start_timeout_ms and
// restart_limit decide. CANCELLED: a signal was noted. POOL_DOWN: its starts keep
// failing, for want of something.
snakepit_err sp_cli_await_ready(snakepit *pit, const char *pool, snakepit_message *why);
// The same until one of its workers takes calls.
snakepit_err
sp_cli_await_serving(snakepit *pit, const char *pool, snakepit_message *why);

// The name of the pool that one most likely meant; NULL if none comes near.
const char *sp_cli_pool_nearest(const snakepit *pit, const char *name);
bool sp_cli_pool_exists(const snakepit *pit, const char *name);

#endif
