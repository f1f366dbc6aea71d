// SPDX-License-Identifier: MIT
// The bell of a worker: who sleeps until there is a number in its ring, and who is
// woken for one.
#ifndef IPC_BELL_H
#define IPC_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/layout.h"

// After a put. Wakes one sleeping executor, if there is one that no wake was sent to
// yet and none looks for a number anyway; true if so. That of the lowest number is the
// first: it slept least, and its memory is warm.
bool sp_bell_ring(struct sp_bell *bell);
// The same but for the wake, where the other side sleeps elsewhere: true if it is to be
// woken there.
bool sp_bell_claim(struct sp_bell *bell);
// Wakes all of them, for a stop.
void sp_bell_ring_all(struct sp_bell *bell);

// ---- Worker -------------------------------------------------------------------

// One more sleeper, but never more than there are executors. Returns the word that it
// may sleep on.
uint32_t sp_bell_announce(struct sp_bell *bell, uint32_t executors);
// An executor that found something after all, since it has `seen` that word.
void sp_bell_withdraw(struct sp_bell *bell, uint32_t seen);

#endif
