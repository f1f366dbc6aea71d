// SPDX-License-Identifier: MIT
// Calls that nobody uses at the moment. A thread finds the one that it used last in a
// place of its own, so a warm call needs no lock to begin and none to be released, and
// does not touch the pool's count of references: a call keeps its own meanwhile.
#ifndef POOL_SPARES_H
#define POOL_SPARES_H

#include "pool/pool.h"

// A call with a reference to the pool, for a caller that is in the library with the
// pit. NULL: memory is exhausted.
struct sp_call *sp_spares_take(struct sp_pool *pool);
// Gives it back. With this the pool may be gone.
void sp_spares_put(struct sp_pool *pool, struct sp_call *call);
// At the pool's close: those in places lose their references, and whatever is given
// back from now on loses its own at once.
void sp_spares_close(struct sp_pool *pool);

#endif
