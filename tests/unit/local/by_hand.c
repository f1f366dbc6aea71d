// SPDX-License-Identifier: MIT
#include "by_hand.h"

#include "fakes.h"

void by_hand_begin(void)
{
    pit_fakes.by_hand = true;
}

struct fake_call by_hand_ask(const char *question)
{
    struct fake_call call = pit_take();
    fake_ask(atomic_load(&pit_fakes.player), &call, question);
    return call;
}

void by_hand_serve(const struct fake_call *call)
{
    pit_serve(call);
}

struct sp_slot *by_hand_slot(const struct fake_call *call)
{
    return &atomic_load(&pit_fakes.port)->view.slots[call->slot];
}
