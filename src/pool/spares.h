// SPDX-License-Identifier: MIT
// Calls that nobody uses at the moment. A thread finds the one that it used last in a
// place of its own, so a warm call needs no lock to begin and none to be released, and
// does not touch the pool's count of references: a call keeps its own meanwhile.
#ifndef POOL_SPARES_H
#define POOL_SPARES_H

#include "pool/inside.h"

// A call with a reference to the pool, for a caller that is in the library with the
// pit. NULL: memory is exhausted.
struct sp_call *sp_spares_take(struct sp_pool *pool);
// Gives it back. False: its reference is the caller's now, to be dropped.
bool sp_spares_put(struct sp_pool *pool, struct sp_call *call);
// At the pool's close: takes the calls out of their places and closes those. Returns
// how many references they had, which are the caller's to drop.
uint32_t sp_spares_close(struct sp_pool *pool);

#endif
