// SPDX-License-Identifier: MIT
// What a program does that visits a daemon: a client of its local door, in a process of
// its own, whose first wrong answer ends it with a status other than 0.
#ifndef SUPPORT_VISITS_H
#define SUPPORT_VISITS_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#define VISIT_TIMEOUT_MS 60000u

// Ends the process and says what was wrong, unless it is right.
void visit_expect(bool right, const char *what, snakepit_err err);
// A connection to the daemon.
snakepit *visit_join(const char *address);
// One call whose answer depends on `nonce`.
void visit_add(snakepit *pit, uint64_t nonce);
// A call, several that are submitted, a stream, a value of a session, or a call with
// much to carry, as `chance` is.
void visit_anything(snakepit *pit, uint64_t nonce, uint64_t chance);

#endif
