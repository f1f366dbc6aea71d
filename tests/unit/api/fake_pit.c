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

void fake_pit_never_ready(void)
{
    pit_fakes.starts_by = true;
}
