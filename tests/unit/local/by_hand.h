// SPDX-License-Identifier: MIT
// The worker of ../pit/fakes.h by hand, for tests that know the doors: its own header
// knows the inside of the library.
#ifndef UNIT_LOCAL_BY_HAND_H
#define UNIT_LOCAL_BY_HAND_H

#include "support/fake_worker.h"

// After pit_prepare(): no thread serves.
void by_hand_begin(void);
// The next call, which asks its host then.
struct fake_call by_hand_ask(const char *question);
void by_hand_serve(const struct fake_call *call);
// Its slot.
struct sp_slot *by_hand_slot(const struct fake_call *call);

#endif
