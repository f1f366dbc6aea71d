// SPDX-License-Identifier: MIT
// Why a pool does not have all of its workers.
#ifndef PIT_FAILURE_H
#define PIT_FAILURE_H

#include <snakepit/snakepit.h>

// One sentence: why the pool has failed, or why its last start did while a worker, or
// the successor of one, is missing; empty if none is, or if nothing has failed yet.
// `pool` NULL: the default pool. Returns the text of `failure`. Any thread.
const char *sp_pit_failure(snakepit *pit, const char *pool, snakepit_message *failure);

#endif
