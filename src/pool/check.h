// SPDX-License-Identifier: MIT
// Health checks of workers, between sp_pool_check_seat() and the order `checked`. Loop
// thread.
#ifndef POOL_CHECK_H
#define POOL_CHECK_H

#include "pool/inside.h"

// Looks at the check of a seat, if there is one, and ends it when its time is up. Lock
// held.
void sp_check_look(struct sp_pool *pool,
                   struct sp_seat *seat,
                   uint64_t now,
                   struct sp_after *after);
// Reports one that has ended. Without the lock.
void sp_check_report(struct sp_seat *seat, const struct sp_pool_orders *orders);

#endif
