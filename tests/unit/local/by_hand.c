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

struct fake_call by_hand_take(void)
{
    return pit_take();
}

const uint8_t *by_hand_args(const struct fake_call *call)
{
    return sp_pool_store(pit->pools[0]->pool)->segment.base + call->request.body;
}

// The key is a text, which begins behind the head of the map.
void by_hand_answer(const struct fake_call *call, bool held)
{
    struct fake_worker *worker = atomic_load(&pit_fakes.player);
    struct sp_slot_result result = fake_echo(worker, call);
    result.body++;
    result.body_size = 2;
    result.held = held ? 1 : 0;
    fake_publish(worker, call->slot, &result);
}

void by_hand_let_go(const struct fake_call *call)
{
    fake_return_lease(atomic_load(&pit_fakes.player), call->request.lease);
}

uint32_t by_hand_maps(void)
{
    return atomic_load(&pit_fakes.maps);
}

uint32_t by_hand_unmaps(void)
{
    return atomic_load(&pit_fakes.unmaps);
}

void by_hand_refuse_maps(void)
{
    pit_fakes.cannot_map = true;
}
