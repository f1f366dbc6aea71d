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
// The next call.
struct fake_call by_hand_take(void);
// Its arguments.
const uint8_t *by_hand_args(const struct fake_call *call);
// Answers with the first key of these; `held`: and keeps its tensors.
void by_hand_answer(const struct fake_call *call, bool held);
// Lets go of them.
void by_hand_let_go(const struct fake_call *call);
// Windows that workers were told of, and told to let go of.
uint32_t by_hand_maps(void);
uint32_t by_hand_unmaps(void);
// From now on they cannot map any.
void by_hand_refuse_maps(void);
void by_hand_serve(const struct fake_call *call);
// Its slot.
struct sp_slot *by_hand_slot(const struct fake_call *call);

#endif
