// SPDX-License-Identifier: MIT
#include "server/refusals.h"

#include "base/clock.h"

#define TELL_NS SP_NS_PER_S // from one line to the next

bool sp_refusals_tell(struct sp_refusals *refusals, uint64_t now, unsigned *others)
{
    uint64_t told = atomic_load(&refusals->told);
    if ((told != 0 && now - told < TELL_NS) ||
        !atomic_compare_exchange_strong(&refusals->told, &told, now)) {
        (void)atomic_fetch_add(&refusals->untold, 1);
        return false;
    }
    *others = atomic_exchange(&refusals->untold, 0);
    return true;
}
