// SPDX-License-Identifier: MIT
#include "fakes.h"

#include "fake_pit.h"

unsigned fake_pit_begun(void)
{
    return fake_started(atomic_load(&pit_fakes.player));
}

unsigned fake_pit_cancels(void)
{
    return atomic_load(&pit_fakes.cancels);
}
